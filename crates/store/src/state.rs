//! What the controller keeps between ticks: names that it knew, the last run, the lease.

use std::collections::BTreeSet;

use async_trait::async_trait;
use axon_model::SqlName;
use axon_reconcile::LeaseProof;
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::error::StoreError;

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The holder.
    pub holder: String,
    /// Grows by one whenever it changes hands.
    pub generation: u64,
    /// The first instant at which it holds no longer.
    pub until: OffsetDateTime,
}

/// The controller's state.
#[async_trait]
pub trait StateStore: Send + Sync {
    /// Remembers principals that were made in a target, so that they stay managed when their people are gone.
    async fn remember_principals(&self, target: &str, names: Vec<SqlName>) -> Result<(), StoreError>;

    /// The principals that were remembered.
    async fn remembered_principals(&self, target: &str) -> Result<BTreeSet<SqlName>, StoreError>;

    /// Keeps what the last run on a target came to.
    async fn save_summary(&self, target: &str, summary: Value, at: OffsetDateTime) -> Result<(), StoreError>;

    /// What the last run on a target came to, and when.
    async fn summary(&self, target: &str) -> Result<Option<(Value, OffsetDateTime)>, StoreError>;

    /// Takes the lease of `target` if nobody holds it at `now`, or `holder` does. None where somebody else does.
    async fn try_lease(
        &self,
        target: &str,
        holder: &str,
        ttl: Duration,
        now: OffsetDateTime,
    ) -> Result<Option<LeaseProof>, StoreError>;

    /// Prolongs a lease that is still held in this generation. None where it was lost.
    async fn renew_lease(
        &self,
        lease: &LeaseProof,
        ttl: Duration,
        now: OffsetDateTime,
    ) -> Result<Option<LeaseProof>, StoreError>;

    /// Gives a lease back, if it is still held in this generation.
    async fn release_lease(&self, lease: &LeaseProof) -> Result<(), StoreError>;

    /// Who holds a lease, or held it last.
    async fn lease(&self, target: &str) -> Result<Option<Lease>, StoreError>;
}
