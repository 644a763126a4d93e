//! The contract of every store, on the one in memory.

use std::sync::Arc;

use axon_simulation::memory::{Levers, MemoryStore};
use axon_store::Store;

async fn open() -> (Arc<dyn Store>, ()) {
    (Arc::new(MemoryStore::open(Levers::default()).await.expect("a new store")), ())
}

axon_store::contract_tests!(open);
