//! The trait of access requests, over the writer and the readers.

use async_trait::async_trait;
use axon_model::{AccessRequest, AccessRequestId, RecordSeq};
use axon_store::{AccessEnd, AccessStore, Act, NewAccessRequest, StoreError};

use super::SqlStore;
use crate::access;
use crate::database::Database;

#[async_trait]
impl<D: Database> AccessStore for SqlStore<D> {
    async fn ask_access(&self, new: NewAccessRequest, act: Act) -> Result<AccessRequest, StoreError> {
        self.write(|txn| Box::pin(access::ask(txn, new, act))).await
    }

    async fn end_access(
        &self,
        id: AccessRequestId,
        end: AccessEnd,
        reason: String,
        act: Act,
    ) -> Result<Option<AccessRequest>, StoreError> {
        self.write(move |txn| Box::pin(access::end(txn, id, end, reason, act))).await
    }

    async fn access_requests(&self, since: RecordSeq) -> Result<Vec<AccessRequest>, StoreError> {
        access::since(&mut *self.reader().await?, since).await
    }
}
