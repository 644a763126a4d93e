//! Who left and may still be in a target, since when: the open clocks, and who is out already.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use axon_audit::NewRecord;
use axon_audit::payload::LeftBy;
use axon_model::{RecordSeq, SqlName};
use time::OffsetDateTime;

use crate::error::StoreError;

/// The open clock of one principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaver {
    /// The principal.
    pub name: SqlName,
    /// The record by which its bearer left.
    pub cause: RecordSeq,
    /// How.
    pub way: LeftBy,
    /// When that arrived.
    pub arrived: OffsetDateTime,
    /// Since when the door is shut, where it was seen.
    pub shut: Option<OffsetDateTime>,
    /// What it waits for, where that is known.
    pub why: Option<String>,
    /// For whom the principal was made, where the name came to be somebody else's since.
    pub former: Option<String>,
}

impl Leaver {
    /// What tells this leaving from another one of the same name.
    pub fn key(&self) -> (SqlName, RecordSeq) {
        (self.name, self.cause)
    }
}

/// Somebody who came under a name and left again while the clock of the one before runs: a name has one clock at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextLeaver {
    /// The principal.
    pub name: SqlName,
    /// The record by which they left.
    pub cause: RecordSeq,
    /// How.
    pub way: LeftBy,
    /// When that arrived.
    pub arrived: OffsetDateTime,
    /// For whom the principal was made.
    pub behind: String,
}

impl NextLeaver {
    /// What tells this leaving from another one of the same name.
    pub fn key(&self) -> (SqlName, RecordSeq) {
        (self.name, self.cause)
    }
}

/// All of one target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leavers {
    /// Grows by one with each change; 0: nothing was kept yet.
    pub version: u64,
    /// Up to here the journal was looked through for people who left.
    pub upto: RecordSeq,
    /// Whose clock runs.
    pub open: BTreeMap<SqlName, Leaver>,
    /// Who left and is out: to leave again, they have to come back first.
    pub out: BTreeSet<SqlName>,
    /// Whose clock begins when the one before has ended.
    pub next: BTreeMap<(SqlName, RecordSeq), NextLeaver>,
}

/// What changes at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeaverChanges {
    /// The version that this rests on.
    pub version: u64,
    /// Up to here the journal was looked through.
    pub upto: RecordSeq,
    /// Clocks that began or changed.
    pub open: Vec<Leaver>,
    /// Who is out.
    pub out: Vec<SqlName>,
    /// Who neither is leaving nor out.
    pub forget: Vec<SqlName>,
    /// Who waits for the end of a clock.
    pub wait: Vec<NextLeaver>,
    /// Who waits no more.
    pub begun: Vec<(SqlName, RecordSeq)>,
}

/// The clocks of people who left.
#[async_trait]
pub trait LeaverStore: Send + Sync {
    /// The targets of which anything was kept, by name.
    async fn leavers_targets(&self) -> Result<Vec<String>, StoreError>;

    /// All of one target.
    async fn leavers(&self, target: &str) -> Result<Leavers, StoreError>;

    /// Changes them and appends the records of those that ended: all of it, or nothing and `None` where somebody else changed them
    /// since that version. So no clock ends twice, whoever else looks at it. Gives the version afterwards.
    async fn change_leavers(
        &self,
        target: &str,
        changes: LeaverChanges,
        records: Vec<NewRecord>,
    ) -> Result<Option<u64>, StoreError>;
}
