//! The trait of the sources' health, over the writer and the readers.

use async_trait::async_trait;
use axon_model::HealthOf;
use axon_store::{HealthStore, StoreError};
use time::OffsetDateTime;

use super::SqlStore;
use crate::database::Database;
use crate::health;

#[async_trait]
impl<D: Database> HealthStore for SqlStore<D> {
    async fn add_health(&self, news: Vec<HealthOf>, now: OffsetDateTime) -> Result<(), StoreError> {
        self.write(move |txn| Box::pin(health::add(txn, news, now))).await
    }

    async fn health(&self) -> Result<Vec<HealthOf>, StoreError> {
        self.snapshot(|session| Box::pin(health::all(session))).await
    }
}
