//! A small number of stories; `make soak` tells ten thousand.

use std::sync::Arc;

use axon_simulation::run::{STEPS, seed};
use axon_simulation::story::tell;
use axon_store::Store;
use axon_store_sqlite::{Address, Options, SqliteStore};

#[test]
fn forty_stories_break_nothing() {
    for number in 1..=40 {
        if let Err(failure) = seed(number, STEPS) {
            panic!("{failure}\nagain: cargo run -p axon-simulation --bin soak -- --seed {number}");
        }
    }
}

#[test]
fn a_seed_tells_the_same_story_again_to_the_byte() {
    let [one, two, other] = [7, 7, 8].map(|number| seed(number, STEPS).expect("a story that breaks nothing"));
    assert_eq!((one.head.as_str(), one.ticks), (two.head.as_str(), two.ticks));
    assert_ne!(one.head, other.head);
}

/// How many stories are told on a file, from `AXON_SIMULATION_SQLITE`; a few without it.
fn on_a_file() -> u64 {
    std::env::var("AXON_SIMULATION_SQLITE").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

#[test]
fn stories_on_an_sqlite_file_break_nothing_either() {
    for number in 1..=on_a_file() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let told = runtime.expect("a runtime").block_on(async {
            let options = Options::new(Address::of_file(folder.path().join("axon.db")));
            let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options).await.expect("a new store"));
            let told = tell(number, STEPS, Some(store.clone())).await;
            store.close().await;
            told
        });
        if let Err(failure) = told {
            panic!("on a file: {failure}");
        }
    }
}
