//! The one append-only log.

use async_trait::async_trait;
use axon_audit::{Chain, ClearPart, NewRecord, Record, RecordKind};
use axon_model::RecordSeq;
use axon_reconcile::LeaseProof;

use crate::context::Act;
use crate::error::StoreError;

/// A record with its clear part, where it still has one.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalEntry {
    /// The record.
    pub record: Record,
    /// What names people.
    pub clear: Option<ClearPart>,
}

/// The journal. Position and hash are given inside the writer's transaction, so that the order of positions is the order of
/// commits, also with a second process on the same file. (A store with several writers gives them after commit.)
#[async_trait]
pub trait JournalStore: Send + Sync {
    /// Appends records in one transaction and answers with them in place. Under a lease it first looks whether the lease is
    /// still held in that generation, and appends nothing if not.
    async fn append(
        &self,
        records: Vec<NewRecord>,
        lease: Option<&LeaseProof>,
    ) -> Result<Vec<Record>, StoreError>;

    /// Records from `from` on, at most `limit`, in order.
    async fn records(&self, from: RecordSeq, limit: u32) -> Result<Vec<JournalEntry>, StoreError>;

    /// The same of one kind.
    async fn records_of(
        &self,
        kind: RecordKind,
        from: RecordSeq,
        limit: u32,
    ) -> Result<Vec<JournalEntry>, StoreError>;

    /// Where the chain stands, also by other processes.
    async fn head(&self) -> Result<Chain, StoreError>;

    /// Erases a record's clear part for ever, and records that. False where there was none.
    async fn erase_clear(&self, seq: RecordSeq, act: Act) -> Result<bool, StoreError>;
}
