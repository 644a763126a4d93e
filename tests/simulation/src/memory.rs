//! A store in memory: the store's own SQL over one SQLite connection that has no file, no thread and no wait for a disk.
//!
//! One thing at a time: a transaction, a statement of a reader or a snapshot holds the turn, so nobody sees what is not
//! committed. A read that may be held for long works on a copy.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axon_store::{Durability, StoreError};
use axon_store_sql::schema::STEPS;
use axon_store_sql::{Arg, Database, Dialect, Row, Session, Sql, SqlError, SqlStore, Tally, Terms};
use axon_store_sqlite::statements::{self, failed};
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A store that is gone with the process.
pub type MemoryStore = SqlStore<Memory>;

/// What is done to the store from outside.
#[derive(Debug, Clone, Default)]
pub struct Levers {
    full: Arc<AtomicBool>,
    refused: Arc<AtomicU64>,
}

impl Levers {
    /// Fills the disk, or makes room again. Reads go on.
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    /// Whether the disk is full.
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// How many transactions a full disk refused.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// The database in memory.
#[derive(Debug)]
pub struct Memory {
    shared: Shared,
    terms: Terms,
}

#[derive(Debug, Clone)]
struct Shared {
    connection: Arc<Mutex<Connection>>,
    turn: Arc<Semaphore>,
    tally: Arc<Tally>,
    levers: Levers,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, SqlError> {
        self.turn.clone().acquire_owned().await.map_err(|_| SqlError::Closed)
    }
}

/// The disk has no room.
#[derive(Debug, thiserror::Error)]
#[error("database or disk is full")]
struct Full;

fn opened(name: &str) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(name, flags)?;
    connection.set_prepared_statement_cache_capacity(256);
    connection.execute_batch("PRAGMA foreign_keys = ON")?;
    Ok(connection)
}

#[async_trait]
impl Database for Memory {
    type Options = Levers;

    async fn open(levers: Levers) -> Result<(Self, Box<dyn Session>), StoreError> {
        let unopened = |error| failed(error).during("make a database in memory");
        let connection = opened(":memory:").map_err(unopened)?;
        for step in STEPS {
            connection.execute_batch(step.sqlite).map_err(unopened)?;
        }
        let shared = Shared {
            connection: Arc::new(Mutex::new(connection)),
            turn: Arc::new(Semaphore::new(1)),
            tally: Arc::default(),
            levers,
        };
        let begin = "BEGIN IMMEDIATE; SAVEPOINT job".into();
        let terms = Terms { queue: 4096, group: 256, begin, channel: None, clock: None };
        let writer = Box::new(MemorySession { shared: shared.clone(), held: None, kind: Kind::Writer });
        Ok((Self { shared, terms }, writer))
    }

    fn terms(&self) -> &Terms {
        &self.terms
    }

    async fn writer(&self) -> Result<Box<dyn Session>, StoreError> {
        {
            let connection = self.shared.lock();
            if !connection.is_autocommit() {
                connection.execute_batch("ROLLBACK").map_err(|e| failed(e).during("end a transaction"))?;
            }
        }
        Ok(Box::new(MemorySession { shared: self.shared.clone(), held: None, kind: Kind::Writer }))
    }

    async fn reader(&self) -> Result<Box<dyn Session>, StoreError> {
        Ok(Box::new(MemorySession { shared: self.shared.clone(), held: None, kind: Kind::Reader }))
    }

    async fn snapshot(&self) -> Result<Box<dyn Session>, StoreError> {
        let held = Some(self.shared.turn().await.map_err(|e| e.during("read"))?);
        Ok(Box::new(MemorySession { shared: self.shared.clone(), held, kind: Kind::Snapshot }))
    }

    async fn long_snapshot(&self) -> Result<Box<dyn Session>, StoreError> {
        static COPIES: AtomicU64 = AtomicU64::new(0);
        let turn = self.shared.turn().await.map_err(|e| e.during("read"))?;
        let number = COPIES.fetch_add(1, Ordering::Relaxed);
        let name = format!("file:axon-copy-{number}?mode=memory&cache=shared");
        let uncopied = |error| failed(error).during("copy the database");
        let copy = opened(&name).map_err(uncopied)?;
        self.shared.lock().execute("VACUUM INTO ?1", [&name]).map_err(uncopied)?;
        drop(turn);
        let shared = Shared {
            connection: Arc::new(Mutex::new(copy)),
            turn: Arc::new(Semaphore::new(1)),
            ..self.shared.clone()
        };
        Ok(Box::new(MemorySession { shared, held: None, kind: Kind::Snapshot }))
    }

    async fn durability(&self, _: &mut dyn Session) -> Result<Durability, StoreError> {
        Ok(Durability { journal_mode: "memory".to_owned(), synchronous: "off".to_owned() })
    }

    fn tally(&self) -> &Tally {
        &self.shared.tally
    }

    async fn close(&self) {}
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Writer,
    Reader,
    Snapshot,
}

struct MemorySession {
    shared: Shared,
    /// The turn, while a transaction or a snapshot has it.
    held: Option<OwnedSemaphorePermit>,
    kind: Kind,
}

impl MemorySession {
    async fn run(&mut self, sql: &str, args: &[Arg<'_>], rows: &mut Vec<Row>) -> Result<u64, SqlError> {
        let once = match (&self.held, self.kind) {
            (None, Kind::Reader | Kind::Writer) => Some(self.shared.turn().await?),
            _ => None,
        };
        let done = run(&self.shared, sql, args, rows);
        drop(once);
        done
    }
}

fn run(shared: &Shared, sql: &str, args: &[Arg<'_>], found: &mut Vec<Row>) -> Result<u64, SqlError> {
    shared.tally.note(sql);
    statements::run(&shared.lock(), sql, args, |row| found.push(row))
}

#[async_trait]
impl Session for MemorySession {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn query(&mut self, sql: Sql, args: &[Arg<'_>]) -> Result<Vec<Row>, SqlError> {
        let mut rows = Vec::new();
        self.run(&sql, args, &mut rows).await?;
        Ok(rows)
    }

    async fn execute(&mut self, sql: Sql, args: &[Arg<'_>]) -> Result<u64, SqlError> {
        self.run(&sql, args, &mut Vec::new()).await
    }

    async fn script(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<(), SqlError> {
        self.run(sql, args, &mut Vec::new()).await.map(|_| ())
    }

    async fn control(&mut self, sql: Sql) -> Result<(), SqlError> {
        if self.kind == Kind::Writer && self.held.is_none() {
            if self.shared.levers.is_full() {
                self.shared.levers.refused.fetch_add(1, Ordering::Relaxed);
                return Err(SqlError::Other(Full.into()));
            }
            self.held = Some(self.shared.turn().await?);
        }
        let done = run(&self.shared, &sql, &[], &mut Vec::new());
        if self.kind == Kind::Writer && self.shared.lock().is_autocommit() {
            self.held = None;
        }
        done.map(|_| ())
    }

    async fn close(self: Box<Self>) {}
}
