//! The open transaction: its connection, and the chain as it grows.

use axon_audit::{Chain, NewRecord, RecordKind, Sealed, seal};
use axon_model::{Delta, RecordSeq};
use axon_store::StoreError;
use axon_store::kept::Touched;
use time::OffsetDateTime;

use super::records;
use crate::args;
use crate::codec::{Place, micros};
use crate::database::Terms;
use crate::session::{Session, Sql};

/// What a write works on. Records are held back and written together before the commit: they are part of the same
/// transaction, and one statement writes many.
pub(crate) struct Txn {
    session: Option<Box<dyn Session>>,
    terms: Terms,
    /// The chain with the records of this transaction.
    chain: Chain,
    /// The chain as it is on the disk.
    committed: Chain,
    records: Vec<Sealed>,
    /// What readers of users must not be shown any more after the commit.
    touched: Touched,
}

/// Where a savepoint began.
pub(super) struct Mark {
    chain: Chain,
    records: usize,
    touched: (usize, usize),
}

impl Txn {
    pub(super) fn new(session: Box<dyn Session>, terms: Terms) -> Self {
        Self {
            session: Some(session),
            terms,
            chain: Chain::EMPTY,
            committed: Chain::EMPTY,
            records: Vec::new(),
            touched: Touched::default(),
        }
    }

    /// The connection, for statements.
    pub fn session(&mut self) -> Result<&mut (dyn Session + 'static), StoreError> {
        self.session.as_deref_mut().ok_or(StoreError::Closed)
    }

    /// The position that the next record gets.
    pub fn next_seq(&self) -> RecordSeq {
        self.chain.seq.next()
    }

    /// Where the chain stands, this transaction's records included.
    pub const fn head(&self) -> Chain {
        self.chain
    }

    /// Notes what a write changes.
    pub fn touch(&mut self, deltas: &[Delta]) {
        for delta in deltas {
            self.touched.note(delta);
        }
    }

    /// What this transaction changed.
    pub(super) const fn touched(&self) -> &Touched {
        &self.touched
    }

    /// Puts a record behind the last.
    pub fn record(&mut self, new: NewRecord) -> Result<&Sealed, StoreError> {
        let sealed = seal(self.chain, new).map_err(|e| StoreError::Seal(e.into()))?;
        self.chain = Chain::after(&sealed.record);
        self.records.push(sealed);
        Ok(&self.records[self.records.len() - 1])
    }

    /// The instant that leases are measured at: the database's where several machines share it, else the caller's `now`.
    pub async fn lease_clock(&mut self, now: OffsetDateTime) -> Result<OffsetDateTime, StoreError> {
        let Some(sql) = self.terms.clock.clone() else { return Ok(now) };
        let at = self.session()?.value("read the database's clock", sql, args![]).await?;
        Place { table: "leases", row: &"now" }.instant("until", at.unwrap_or_else(|| micros(now)))
    }

    /// Reads where the chain stands on the disk.
    pub(super) async fn read_head(&mut self) -> Result<Chain, StoreError> {
        self.chain = crate::journal::head(self.session()?).await?;
        self.committed = self.chain;
        Ok(self.chain)
    }

    pub(super) async fn begin(&mut self) -> Result<(), StoreError> {
        self.records.clear();
        self.touched.clear();
        let begin = self.terms.begin.clone();
        self.control(begin, "begin a transaction").await?;
        // Another process may have appended since.
        self.read_head().await?;
        Ok(())
    }

    /// Where the write that comes now begins. Its savepoint is open already.
    pub(super) fn mark(&self) -> Mark {
        Mark { chain: self.chain, records: self.records.len(), touched: self.touched.len() }
    }

    /// Keeps a write, and opens the savepoint of the next one in the same round trip.
    pub(super) async fn keep(&mut self) -> Result<(), StoreError> {
        self.control("RELEASE job; SAVEPOINT job".into(), "end a write").await
    }

    /// Undoes a write. Its savepoint stays open, for the next one.
    pub(super) async fn undo(&mut self, mark: Mark) -> Result<(), StoreError> {
        self.chain = mark.chain;
        self.records.truncate(mark.records);
        self.touched.truncate(mark.touched);
        self.control("ROLLBACK TO job".into(), "undo a write").await
    }

    /// Writes the records and commits, with the savepoint that is still open.
    pub(super) async fn commit(&mut self) -> Result<(), StoreError> {
        let records = std::mem::take(&mut self.records);
        records::write(self.session()?, &records).await?;
        self.records = records;
        let commit = match &self.terms.channel {
            Some(channel) if self.chain.seq != self.committed.seq => {
                let tokens = self.records.iter().any(|sealed| sealed.record.kind == RecordKind::TokenChange);
                let news = if tokens { " tokens" } else { "" };
                format!("NOTIFY {channel}, '{}{news}'; COMMIT", self.chain.seq.0).into()
            }
            _ => "COMMIT".into(),
        };
        self.records.clear();
        self.control(commit, "commit").await?;
        self.committed = self.chain;
        Ok(())
    }

    /// Rolls back; false when the connection is of no more use.
    pub(super) async fn abandon(&mut self) -> bool {
        self.records.clear();
        self.chain = self.committed;
        // There may be nothing to roll back: SQLite does so itself when the disk is full.
        let _ = self.control("ROLLBACK".into(), "roll back").await;
        self.control("SELECT 1; BEGIN; ROLLBACK".into(), "look whether the connection works").await.is_ok()
    }

    pub(super) fn replace(&mut self, session: Box<dyn Session>) {
        self.session = Some(session);
    }

    pub(super) async fn close(&mut self) {
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }

    async fn control(&mut self, sql: Sql, attempt: &'static str) -> Result<(), StoreError> {
        self.session()?.control(sql).await.map_err(|e| e.during(attempt))
    }
}
