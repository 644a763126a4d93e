//! One seed after another, each on a runtime of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use axon_store::Store;
use axon_store_sqlite::{Address, Options, SqliteStore};

use crate::story::{Failure, Told, tell};
use crate::world::Ground;

/// How many steps a story has.
pub const STEPS: usize = 40;

/// What stories rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum On {
    /// A store and a pool in memory.
    #[default]
    Memory,
    /// An SQLite file, and the product's own target over TDS.
    Wire,
    /// In memory under the product's own loop, with its breaker, in virtual time.
    Loop,
}

impl On {
    /// What it is called on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Wire => "wire",
            Self::Loop => "loop",
        }
    }
}

/// Tells the story of one seed. A panic is a failure like any other.
pub fn seed(seed: u64, steps: usize, on: On) -> Result<Told, Failure> {
    let told = catch_unwind(AssertUnwindSafe(|| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(on == On::Loop).build();
        runtime.expect("a runtime").block_on(async {
            match on {
                On::Memory => tell(seed, steps, Ground::default()).await,
                On::Wire => on_the_wire(seed, steps).await,
                On::Loop => crate::watch::tell(seed).await,
            }
        })
    }));
    told.unwrap_or_else(|panic| {
        let words = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let what = format!("it panicked: {}", words.unwrap_or_default());
        Err(Failure { seed, step: 0, what, log: Vec::new() })
    })
}

async fn on_the_wire(seed: u64, steps: usize) -> Result<Told, Failure> {
    let folder = crate::world::folder();
    let options = Options::new(Address::of_file(folder.path().join("axon.db")));
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options).await.expect("a new store"));
    let told = tell(seed, steps, Ground { store: Some(store.clone()), wire: true, begins: None }).await;
    store.close().await;
    told
}
