//! The store alone: a body read and checked, the same rows, indexes and hashes, the same commits, without HTTP and without an
//! answer. What stands between it and the bare group commit is what a directory with a provable journal costs; what
//! stands between it and a create is HTTP.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::seed::Filler;

/// The store with all users in it.
pub struct Alone {
    filler: Arc<Filler>,
    run: u64,
}

impl Alone {
    /// Opens a copy of the filled store.
    pub async fn open(folder: &Path) -> anyhow::Result<Self> {
        let file = folder.join("alone.db");
        crate::seed::place(&file).await?;
        Ok(Self { filler: Arc::new(Filler::open(&file).await?), run: 0 })
    }

    /// Lets `callers` create one user after the other; creates per second.
    pub async fn run(&mut self, callers: usize, span: Duration) -> anyhow::Result<f64> {
        self.run += 1;
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for caller in 0..callers {
            let (filler, run) = (self.filler.clone(), self.run);
            tasks.spawn(async move {
                let mut n = 0_u32;
                while began.elapsed() < span {
                    filler.user(&format!("a{run}c{caller}n{n}@acme.example")).await?;
                    n += 1;
                }
                anyhow::Ok(n)
            });
        }
        let mut count = 0_u32;
        while let Some(made) = tasks.join_next().await {
            count += made??;
        }
        Ok(f64::from(count) / began.elapsed().as_secs_f64())
    }
}
