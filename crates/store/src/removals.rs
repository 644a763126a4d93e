//! What was taken from targets lately, and what was made there: what the budgets of removals count on, and what tells Axon's own
//! grants from others'.

use async_trait::async_trait;
use axon_audit::record::instant;
use axon_audit::{NewRecord, Record};
use axon_reconcile::LeaseProof;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::error::StoreError;

/// Something that is taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Removal {
    /// What tells it from others of the target.
    pub key: String,
    /// When.
    #[serde(with = "instant")]
    pub at: OffsetDateTime,
    /// Whether it is a principal that is shut out; a membership or permission of somebody who stays, if not.
    pub leaver: bool,
    /// How many it counts for.
    pub count: u64,
}

/// What is kept together with records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notes {
    /// The target.
    pub target: String,
    /// Counted from now on.
    pub counted: Vec<Removal>,
    /// Not counted any more: it was not taken away after all.
    pub uncounted: Vec<String>,
    /// What Axon made, as marks.
    pub made: Vec<i64>,
    /// Marks that go, before those of [`made`](Self::made) come.
    pub unmade: Vec<i64>,
    /// Removals before this instant are forgotten. It is a matter of the moment, and not kept elsewhere.
    #[serde(skip)]
    pub forget: Option<OffsetDateTime>,
}

/// The history of removals, and the marks of what Axon made.
#[async_trait]
pub trait RemovalStore: Send + Sync {
    /// Appends records, under a lease where one is shown, and keeps the notes: both or neither.
    async fn append_noting(
        &self,
        records: Vec<NewRecord>,
        lease: Option<&LeaseProof>,
        notes: Notes,
    ) -> Result<Vec<Record>, StoreError>;

    /// What was taken from a target, oldest first.
    async fn removals(&self, target: &str) -> Result<Vec<Removal>, StoreError>;

    /// The marks of what Axon made in a target, ascending.
    async fn made(&self, target: &str) -> Result<Vec<i64>, StoreError>;
}
