//! The open transaction: its connection, and the chain as it grows.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axon_audit::{Chain, NewRecord, Sealed, seal};
use axon_model::RecordSeq;
use axon_store::StoreError;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

use crate::codec::{failed, micros, signed};

/// What a write works on. Records are held back and written together before the commit: they are part of the same
/// transaction, and one statement writes many.
pub(crate) struct Txn {
    connection: Option<SqliteConnection>,
    /// The chain with the records of this transaction.
    chain: Chain,
    /// The chain as it is on the disk.
    committed: Chain,
    records: Vec<Sealed>,
}

/// Where a savepoint began.
pub(super) struct Mark {
    chain: Chain,
    records: usize,
}

impl Txn {
    pub(super) fn new(connection: SqliteConnection) -> Self {
        Self {
            connection: Some(connection),
            chain: Chain::EMPTY,
            committed: Chain::EMPTY,
            records: Vec::new(),
        }
    }

    /// The connection, for statements.
    pub fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        self.connection.as_mut().ok_or(StoreError::Closed)
    }

    /// The position that the next record gets.
    pub fn next_seq(&self) -> RecordSeq {
        self.chain.seq.next()
    }

    /// Where the chain stands, this transaction's records included.
    pub const fn head(&self) -> Chain {
        self.chain
    }

    /// Puts a record behind the last.
    pub fn record(&mut self, new: NewRecord) -> Result<&Sealed, StoreError> {
        let sealed = seal(self.chain, new).map_err(|e| StoreError::Seal(e.into()))?;
        self.chain = Chain::after(&sealed.record);
        self.records.push(sealed);
        Ok(&self.records[self.records.len() - 1])
    }

    /// Reads where the chain stands on the disk.
    pub(super) async fn read_head(&mut self) -> Result<Chain, StoreError> {
        self.chain = crate::journal::head(self.connection()?).await?;
        self.committed = self.chain;
        Ok(self.chain)
    }

    pub(super) async fn begin(&mut self) -> Result<(), StoreError> {
        self.records.clear();
        self.execute("BEGIN IMMEDIATE; SAVEPOINT job", "begin a transaction").await?;
        // Another process may have appended since.
        self.read_head().await?;
        Ok(())
    }

    /// Where the write that comes now begins. Its savepoint is open already.
    pub(super) fn mark(&self) -> Mark {
        Mark { chain: self.chain, records: self.records.len() }
    }

    /// Keeps a write, and opens the savepoint of the next one in the same round trip.
    pub(super) async fn keep(&mut self) -> Result<(), StoreError> {
        self.execute("RELEASE job; SAVEPOINT job", "end a write").await
    }

    /// Undoes a write. Its savepoint stays open, for the next one.
    pub(super) async fn undo(&mut self, mark: Mark) -> Result<(), StoreError> {
        self.chain = mark.chain;
        self.records.truncate(mark.records);
        self.execute("ROLLBACK TO job", "undo a write").await
    }

    /// Writes the records and commits, with the savepoint that is still open.
    pub(super) async fn commit(&mut self) -> Result<(), StoreError> {
        self.write_records().await?;
        self.execute("COMMIT", "commit").await?;
        self.committed = self.chain;
        Ok(())
    }

    /// Rolls back; false when the connection is of no more use.
    pub(super) async fn abandon(&mut self) -> bool {
        self.records.clear();
        self.chain = self.committed;
        // There may be nothing to roll back: SQLite does so itself when the disk is full.
        let _ = self.execute("ROLLBACK", "roll back").await;
        match self.connection() {
            Ok(connection) => {
                let open: Result<i64, _> = sqlx::query_scalar("SELECT 1").fetch_one(connection).await;
                open.is_ok()
                    && self.execute("BEGIN", "begin").await.is_ok()
                    && self.execute("ROLLBACK", "end").await.is_ok()
            }
            Err(_) => false,
        }
    }

    pub(super) fn replace(&mut self, connection: SqliteConnection) {
        self.connection = Some(connection);
    }

    pub(super) async fn close(&mut self) {
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the writer's connection did not close cleanly");
        }
    }

    async fn execute(&mut self, sql: &'static str, attempt: &'static str) -> Result<(), StoreError> {
        sqlx::query(sql).execute(self.connection()?).await.map(|_| ()).map_err(failed(attempt))
    }

    async fn write_records(&mut self) -> Result<(), StoreError> {
        let records = std::mem::take(&mut self.records);
        let mut rest = records.as_slice();
        while !rest.is_empty() {
            let (size, sql) = INSERTS.fitting(rest.len());
            let (now, later) = rest.split_at(size);
            rest = later;
            let mut insert = sqlx::query(AssertSqlSafe(sql.journal.as_str()));
            for sealed in now {
                insert = bind_record(insert, sealed)?;
            }
            insert.execute(self.connection()?).await.map_err(failed("append to the journal"))?;
        }
        let clear: Vec<_> =
            records.iter().filter_map(|s| s.clear.as_ref().map(|c| (s.record.seq, c))).collect();
        let mut rest = clear.as_slice();
        while !rest.is_empty() {
            let (size, sql) = INSERTS.fitting(rest.len());
            let (now, later) = rest.split_at(size);
            rest = later;
            let mut insert = sqlx::query(AssertSqlSafe(sql.clear.as_str()));
            for (seq, (salt, body)) in now {
                insert = insert.bind(signed(seq.0)).bind(salt.as_bytes().to_vec()).bind(body.clone());
            }
            insert
                .execute(self.connection()?)
                .await
                .map_err(failed("append to the journal's clear parts"))?;
        }
        self.records = records;
        self.records.clear();
        Ok(())
    }
}

type Insert<'q> = sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments>;

fn bind_record<'q>(insert: Insert<'q>, sealed: &Sealed) -> Result<Insert<'q>, StoreError> {
    let record = &sealed.record;
    let actor = serde_json::to_string(&record.actor).map_err(|e| StoreError::Seal(e.into()))?;
    Ok(insert
        .bind(signed(record.seq.0))
        .bind(record.id.as_uuid().as_bytes().to_vec())
        .bind(micros(record.at))
        .bind(actor)
        .bind(record.request.as_ref().map(|r| r.as_str().to_owned()))
        .bind(record.run.map(|r| r.as_uuid().as_bytes().to_vec()))
        .bind(record.kind.as_str())
        .bind(sealed.facts.clone())
        .bind(record.commitment.map(|c| c.as_bytes().to_vec()))
        .bind(record.prev.as_bytes().to_vec())
        .bind(record.hash.as_bytes().to_vec()))
}

/// The INSERTs of many rows, for a few sizes, so that each stays prepared.
struct Inserts([(usize, InsertSql); 3]);

struct InsertSql {
    journal: String,
    clear: String,
}

static INSERTS: LazyLock<Inserts> =
    LazyLock::new(|| Inserts([32, 8, 1].map(|rows| (rows, InsertSql::of(rows)))));

impl Inserts {
    /// The largest that does not exceed `rows`, which is not 0.
    fn fitting(&self, rows: usize) -> (usize, &InsertSql) {
        let (size, sql) = self.0.iter().find(|(size, _)| *size <= rows).unwrap_or(&self.0[2]);
        (*size, sql)
    }
}

impl InsertSql {
    fn of(rows: usize) -> Self {
        let mut journal = "INSERT INTO journal (seq, id, at, actor, request, run, kind, facts, commitment, prev, hash) VALUES"
            .to_owned();
        let mut clear = "INSERT INTO journal_clear (seq, salt, body) VALUES".to_owned();
        for row in 0..rows {
            let comma = if row == 0 { "" } else { "," };
            let _ = write!(journal, "{comma} (?,?,?,?,?,?,?,?,?,?,?)");
            let _ = write!(clear, "{comma} (?,?,?)");
        }
        Self { journal, clear }
    }
}
