//! The trait of the clocks of people who left, over the writer and the readers.

use async_trait::async_trait;
use axon_audit::NewRecord;
use axon_store::{LeaverChanges, LeaverStore, Leavers, StoreError};

use super::SqlStore;
use crate::database::Database;
use crate::leavers;

#[async_trait]
impl<D: Database> LeaverStore for SqlStore<D> {
    async fn leavers_targets(&self) -> Result<Vec<String>, StoreError> {
        leavers::targets(&mut *self.reader().await?).await
    }

    async fn leavers(&self, target: &str) -> Result<Leavers, StoreError> {
        let target = target.to_owned();
        self.snapshot(|session| Box::pin(async move { leavers::of(session, &target).await })).await
    }

    async fn change_leavers(
        &self,
        target: &str,
        changes: LeaverChanges,
        records: Vec<NewRecord>,
    ) -> Result<Option<u64>, StoreError> {
        let target = target.to_owned();
        self.write(|txn| Box::pin(async move { leavers::change(txn, &target, changes, records).await })).await
    }
}
