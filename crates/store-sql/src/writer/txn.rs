//! The open transaction: its connection, and the chain as it grows.

use axon_audit::{Chain, Draft, NewRecord, RecordKind, Sealed};
use axon_model::{Delta, RecordSeq, UserId};
use axon_store::StoreError;
use axon_store::kept::Touched;
use time::OffsetDateTime;

use super::records;
use crate::args;
use crate::codec::{Place, micros};
use crate::database::Terms;
use crate::session::{Dialect, Session, Sql};

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
    /// A savepoint is open in which nothing was kept yet.
    saved: bool,
    /// A write without a savepoint is under way: it can only be undone with its group.
    halfway: bool,
    /// Whether any member is parked, once it was asked.
    parked: Option<bool>,
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
            saved: false,
            halfway: false,
            parked: None,
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

    /// Notes that a write changes a user.
    pub fn touch_user(&mut self, id: UserId) {
        self.touched.users.push(id);
    }

    /// What this transaction changed.
    pub(super) const fn touched(&self) -> &Touched {
        &self.touched
    }

    /// Puts a record behind the last.
    pub fn record(&mut self, new: NewRecord) -> Result<&Sealed, StoreError> {
        Ok(self.link(Draft::of(new).map_err(|e| StoreError::Seal(e.into()))?))
    }

    /// Puts a record behind the last that was made ready before.
    pub fn link(&mut self, draft: Draft) -> &Sealed {
        let sealed = draft.seal(self.chain);
        self.chain = Chain::after(&sealed.record);
        self.records.push(sealed);
        &self.records[self.records.len() - 1]
    }

    /// Opens the savepoint of the write that runs, where there is none. PostgreSQL has one always, in the round trip before.
    pub async fn guard(&mut self) -> Result<(), StoreError> {
        if !self.saved {
            self.control("SAVEPOINT job".into(), "begin a write").await?;
            self.saved = true;
        }
        Ok(())
    }

    /// A write begins to change rows; up to [`Txn::written`] it can be undone by its savepoint, or else with its group alone.
    pub fn writing(&mut self) {
        self.halfway = !self.saved;
    }

    /// All rows of a write are changed, or none is.
    pub fn written(&mut self) {
        self.halfway = false;
    }

    /// Whether any member is parked in any group: most directories have none, and one look is enough for a group of writes.
    pub async fn has_parked(&mut self) -> Result<bool, StoreError> {
        if self.parked.is_none() {
            let sql = "SELECT grp FROM parked LIMIT 1";
            let any: Option<i64> = self.session()?.value("read parked members", sql, args![]).await?;
            self.parked = Some(any.is_some());
        }
        Ok(self.parked == Some(true))
    }

    /// Notes that members were parked, perhaps.
    pub fn parks(&mut self) {
        self.parked = Some(true);
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

    /// Begins, with a savepoint for the first write where it wants one.
    pub(super) async fn begin(&mut self, wants_savepoint: bool) -> Result<(), StoreError> {
        self.records.clear();
        self.touched.clear();
        self.halfway = false;
        self.saved = self.eager()? || wants_savepoint;
        let mut begin = self.terms.begin.clone();
        if !self.saved
            && let Some(bare) = begin.strip_suffix("; SAVEPOINT job")
        {
            begin = bare.to_owned().into();
        }
        self.control(begin, "begin a transaction").await?;
        // Another process may have appended since.
        let (chain, parked) = crate::journal::head_and_parked(self.session()?).await?;
        (self.chain, self.committed, self.parked) = (chain, chain, parked);
        Ok(())
    }

    /// Whether each write has a savepoint, opened in the round trip that ends the one before. Where a statement costs no round
    /// trip, only a write that wants one has one: each makes a copy of each page that it changes.
    fn eager(&mut self) -> Result<bool, StoreError> {
        Ok(self.session()?.dialect() == Dialect::Postgres)
    }

    /// Where the write that comes now begins.
    pub(super) fn mark(&self) -> Mark {
        Mark { chain: self.chain, records: self.records.len(), touched: self.touched.len() }
    }

    /// Keeps a write, and makes room for the next one.
    pub(super) async fn keep(&mut self) -> Result<(), StoreError> {
        if self.eager()? {
            return self.control("RELEASE job; SAVEPOINT job".into(), "end a write").await;
        }
        if self.saved {
            self.saved = false;
            self.control("RELEASE job".into(), "end a write").await?;
        }
        Ok(())
    }

    /// Undoes a write, and makes room for the next one.
    pub(super) async fn undo(&mut self, mark: Mark) -> Result<(), StoreError> {
        self.chain = mark.chain;
        self.records.truncate(mark.records);
        self.touched.truncate(mark.touched);
        if self.halfway {
            return Err(StoreError::unavailable("undo a write", "it stopped half way"));
        }
        if self.eager()? {
            return self.control("ROLLBACK TO job".into(), "undo a write").await;
        }
        if self.saved {
            self.saved = false;
            self.control("ROLLBACK TO job; RELEASE job".into(), "undo a write").await?;
        }
        Ok(())
    }

    /// Writes the records and commits, with the savepoint that may still be open.
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
