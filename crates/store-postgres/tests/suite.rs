//! The store on PostgreSQL: the contract of every store, several replicas, a server that dies and comes back.

#![expect(clippy::unwrap_used, reason = "what fails here is a failed test, and says where")]

mod suite {
    mod copy;
    pub mod kit;
    mod opening;
    mod replicas;
    mod restart;
}

use std::sync::Arc;

use axon_store::Store;
use suite::kit;

async fn open() -> (Arc<dyn Store>, ()) {
    (Arc::new(kit::new_store().await), ())
}

axon_store::contract_tests!(open);
