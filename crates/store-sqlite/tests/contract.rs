//! The contract of every store, on SQLite.

use std::sync::Arc;

use axon_store::Store;
use axon_store_sqlite::{Address, Options, SqliteStore};
use tempfile::TempDir;

async fn open() -> (Arc<dyn Store>, TempDir) {
    let folder = TempDir::new().expect("a folder");
    let options = Options::new(Address::of_file(folder.path().join("axon.db")));
    (Arc::new(SqliteStore::open(options).await.expect("a new store")), folder)
}

axon_store::contract_tests!(open);
