//! The trait of integrations, over the writer and the readers.

use async_trait::async_trait;
use axon_store::integrations::{AddedIntegration, Integration, IntegrationBody, IntegrationStatus};
use axon_store::{Act, IntegrationStore, StoreError};

use super::SqlStore;
use crate::database::Database;
use crate::integrations;

#[async_trait]
impl<D: Database> IntegrationStore for SqlStore<D> {
    async fn add_integration(&self, body: IntegrationBody, act: Act) -> Result<AddedIntegration, StoreError> {
        self.write(|txn| Box::pin(integrations::add(txn, body, act))).await
    }

    async fn integrations(&self) -> Result<Vec<Integration>, StoreError> {
        integrations::all(&mut *self.reader().await?).await
    }

    async fn integration(&self, id: u64) -> Result<Option<Integration>, StoreError> {
        integrations::one(&mut *self.reader().await?, id).await
    }

    async fn change_integration(
        &self,
        id: u64,
        version: u64,
        status: IntegrationStatus,
        body: IntegrationBody,
        act: Act,
    ) -> Result<Option<Integration>, StoreError> {
        self.write(move |txn| Box::pin(integrations::change(txn, id, version, status, body, act))).await
    }
}
