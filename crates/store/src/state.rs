//! What the controller keeps between ticks: the map in force, names that it knew, the last run, the lease.

use std::collections::BTreeSet;

use async_trait::async_trait;
use axon_model::{MapVersion, RecordSeq, SqlName};
use axon_reconcile::LeaseProof;
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::context::Act;
use crate::error::StoreError;

/// A version of the role map, with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMap {
    /// The version.
    pub version: MapVersion,
    /// The files: name and text.
    pub files: Vec<(String, String)>,
    /// When it came into force.
    pub at: OffsetDateTime,
    /// The record that says so.
    pub record: RecordSeq,
}

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
    /// Puts a version of the map in force, and records that. False where it is in force already.
    async fn put_map(
        &self,
        version: MapVersion,
        files: Vec<(String, String)>,
        act: Act,
    ) -> Result<bool, StoreError>;

    /// The map in force.
    async fn current_map(&self) -> Result<Option<StoredMap>, StoreError>;

    /// A version that is or was in force, latest first where it came into force more than once.
    async fn map(&self, version: &MapVersion) -> Result<Option<StoredMap>, StoreError>;

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
