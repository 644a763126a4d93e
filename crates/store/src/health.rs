//! What is remembered of how the calls of each source go.

use async_trait::async_trait;
use axon_model::HealthOf;
use time::OffsetDateTime;

use crate::error::StoreError;

/// The health of sources. It is written now and then and is no part of the journal: a crash loses the last seconds of counting.
#[async_trait]
pub trait HealthStore: Send + Sync {
    /// Adds what was counted since the last time, takes what is later of the rest, and forgets the hours before the window
    /// that ends now. Several processes may add to one source.
    async fn add_health(&self, news: Vec<HealthOf>, now: OffsetDateTime) -> Result<(), StoreError>;

    /// The health of each source that ever called, by name.
    async fn health(&self) -> Result<Vec<HealthOf>, StoreError>;
}
