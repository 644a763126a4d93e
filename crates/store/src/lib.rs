//! What a store does: the directory, the journal, the tokens and the controller's state, as traits; and the contract that
//! every store must keep.
//!
//! ```text
//!  api ── create, replace, patch, delete ──> DirectoryStore ┐  one transaction: rows + journal record
//!  controller ── load, deltas_since ───────> DirectoryStore ┤
//!  controller ── append ───────────────────> JournalStore   ├── Store ── subscribe() moves after each commit
//!  api ── find_token ──────────────────────> TokenStore     ┤
//!  controller ── lease, summary ───────────> StateStore     ┤
//!  operators ── versions, their tokens ────> MapStore, OperatorStore ┘
//! ```
//!
//! A SCIM write is one command that the store runs inside its own transaction: it reads, decides and writes there, so that
//! two writers on one group lose nothing. Its journal record is in the same transaction. Everything is scoped by source.
//!
//! To add a command: a method here, its contract test in [`contract`], its implementation in each store.

pub mod access;
pub mod context;
#[cfg(feature = "contract")]
pub mod contract;
pub mod directory;
pub mod error;
pub mod health;
pub mod holds;
pub mod integrations;
pub mod journal;
pub mod kept;
pub mod leavers;
pub mod maps;
pub mod members;
pub mod operators;
pub mod query;
pub mod removals;
pub mod shipping;
pub mod state;
pub mod stored;
pub mod tokens;

use axon_model::RecordSeq;
use tokio::sync::watch;

pub use access::{AccessEnd, AccessStore, NewAccessRequest};
pub use context::{Act, Unless, WriteContext};
pub use directory::{DirectoryStore, Since, SourceCounts};
pub use error::{StoreError, WriteError};
pub use health::HealthStore;
pub use holds::{
    Answered, Ended, Hold, HoldEnd, HoldKind, HoldState, HoldStore, HoldTerms, NewHold, NewPin, Pin, PinKind,
};
pub use integrations::{Integration, IntegrationStore};
pub use journal::{JournalEntry, JournalStore};
pub use leavers::{Leaver, LeaverChanges, LeaverStore, Leavers, NextLeaver};
pub use maps::{MapStore, StoredMap};
pub use members::MemberReader;
pub use operators::OperatorStore;
pub use query::{Cursor, Page, Query};
pub use removals::{Notes, Removal, RemovalStore};
pub use shipping::{Shipped, ShippingStore};
pub use state::{Lease, StateStore};
pub use stored::{GroupRef, Member, StoredGroup, StoredUser, Written};
pub use tokens::{ClientId, Minted, NewToken, Scopes, Token, TokenHash, TokenId, TokenKind, TokenStore};

/// How durable an acknowledged write is, as read from the live writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durability {
    /// The journal mode, as `wal`.
    pub journal_mode: String,
    /// How a commit reaches the disk, as `full`.
    pub synchronous: String,
}

/// What the writer has done since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriterCounts {
    /// Groups that were committed: each is one wait for the disk.
    pub groups: u64,
    /// Writes that these groups acknowledged.
    pub writes: u64,
    /// Writes that changed nothing because they were refused.
    pub refused: u64,
    /// Writes that were turned away because the queue was full.
    pub busy: u64,
}

/// How many statements were sent to the database since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StatementCounts {
    /// All of them.
    pub all: u64,
    /// Those that name the table of memberships.
    pub members: u64,
}

/// A whole store.
#[async_trait::async_trait]
pub trait Store:
    DirectoryStore
    + JournalStore
    + TokenStore
    + StateStore
    + HealthStore
    + HoldStore
    + AccessStore
    + RemovalStore
    + LeaverStore
    + ShippingStore
    + MapStore
    + OperatorStore
    + IntegrationStore
{
    /// Shows the journal's position, moved after each commit of this process. Where the database tells of other processes'
    /// commits (PostgreSQL does, SQLite does not), after those too; else they show in [`JournalStore::head`] only.
    fn subscribe(&self) -> watch::Receiver<RecordSeq>;

    /// Moves when a token may have been changed by another process, where the database tells of that (PostgreSQL does, SQLite
    /// does not): what was believed of tokens is then forgotten.
    fn token_changes(&self) -> watch::Receiver<u64>;

    /// How durable a write is, read from the connection that writes.
    async fn durability(&self) -> Result<Durability, StoreError>;

    /// What the writer has done since the start.
    fn writer_counts(&self) -> WriterCounts;

    /// How many statements it sent since the start.
    fn statement_counts(&self) -> StatementCounts;

    /// Lets a keeper of reads be told of every commit. None where it cannot be told of all: then nothing may be kept.
    fn keep(&self, _keeper: std::sync::Arc<dyn kept::Keeper>) -> Option<std::sync::Arc<dyn kept::Fresh>> {
        None
    }

    /// Whether it answers: one read and one look at the writer.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Writes out what is queued and closes. Later calls answer [`StoreError::Closed`].
    async fn close(&self);
}
