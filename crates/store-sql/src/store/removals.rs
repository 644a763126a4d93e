//! The trait of the history of removals, over the writer and the readers.

use async_trait::async_trait;
use axon_audit::{NewRecord, Record};
use axon_reconcile::LeaseProof;
use axon_store::{Notes, Removal, RemovalStore, StoreError};

use super::SqlStore;
use crate::database::Database;
use crate::removals;

#[async_trait]
impl<D: Database> RemovalStore for SqlStore<D> {
    async fn append_noting(
        &self,
        records: Vec<NewRecord>,
        lease: Option<&LeaseProof>,
        notes: Notes,
    ) -> Result<Vec<Record>, StoreError> {
        let lease = lease.cloned();
        self.write(|txn| Box::pin(removals::append(txn, records, lease, notes))).await
    }

    async fn removals(&self, target: &str) -> Result<Vec<Removal>, StoreError> {
        removals::of(&mut *self.reader().await?, target).await
    }

    async fn made(&self, target: &str) -> Result<Vec<i64>, StoreError> {
        removals::made(&mut *self.reader().await?, target).await
    }
}
