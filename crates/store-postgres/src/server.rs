//! The database that a store is in: one schema, one connection that writes, several that read, one that listens.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axon_model::RecordSeq;
use axon_store::{Durability, StoreError};
use axon_store_sql::{Database, Session, SqlError, Tally, Terms};
use sqlx::{Connection as _, PgPool};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::address::Address;
use crate::connect::{open_look, open_pool, open_writer};
use crate::follow::follow;
use crate::schema;
use crate::session::{Held, PostgresSession, error, is_lost};

/// How many long reads there may be at once.
const LONG_READS: u32 = 4;

/// Whose clock says when a lease runs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseClock {
    /// The database's: the replicas' clocks may differ.
    Database,
    /// The caller's, for tests that make their own time.
    Caller,
}

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// The database.
    pub address: Address,
    /// How many writes may wait; beyond it they are turned away.
    pub queue: usize,
    /// How many writes share one commit at most. The server keeps 64 savepoints of a transaction at hand for its readers.
    pub group: usize,
    /// How long a replica waits for another that writes.
    pub lock_timeout: Duration,
    /// How long a statement may take before the connection counts as lost.
    pub patience: Duration,
    /// How long a read waits for a connection.
    pub acquire: Duration,
    /// Whose clock says when a lease runs out.
    pub lease_clock: LeaseClock,
}

impl Options {
    /// The usual ones for a database.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            queue: 4096,
            group: 60,
            lock_timeout: Duration::from_secs(20),
            patience: Duration::from_secs(75),
            acquire: Duration::from_secs(5),
            lease_clock: LeaseClock::Database,
        }
    }
}

/// A store's schema on a server.
#[derive(Debug)]
pub struct PostgresServer {
    options: Options,
    terms: Terms,
    readers: PgPool,
    long: PgPool,
    ear: PgPool,
    following: Mutex<Option<JoinHandle<()>>>,
    tally: Arc<Tally>,
}

impl PostgresServer {
    /// The versions of the schema that are applied, oldest first; none where there is no store yet. Changes nothing.
    pub async fn applied(options: &Options) -> Result<Vec<i64>, StoreError> {
        let mut connection = open_look(options).await?;
        let applied = schema::applied(&mut connection, &options.address).await;
        let _ = connection.close().await;
        applied
    }

    fn session(&self, held: Held) -> Box<dyn Session> {
        Box::new(PostgresSession::new(held, self.tally.clone(), self.options.patience))
    }

    /// A snapshot on a connection that works: a server that was restarted leaves dead ones in the pool.
    async fn snapshot_of(&self, pool: &PgPool) -> Result<Box<dyn Session>, StoreError> {
        let mut tries = pool.options().get_max_connections() + 1;
        loop {
            match pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await {
                Ok(transaction) => return Ok(self.session(Held::Snapshot(transaction))),
                Err(failure) if is_lost(&failure) && tries > 0 => tries -= 1,
                Err(failure) => return Err(unopened(failure)),
            }
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if let Some(task) = self.following.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

/// No connection to be had.
fn unopened(failure: sqlx::Error) -> StoreError {
    match error(failure) {
        SqlError::Closed => StoreError::Closed,
        other => other.during("open a connection to read"),
    }
}

/// The store's own number among the database's locks, and its channel's name.
fn lock_of(schema: &str) -> i64 {
    // FNV-1a: the same in every version, which is all that is asked of it.
    let hash = schema.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.cast_signed()
}

#[async_trait]
impl Database for PostgresServer {
    type Options = Options;

    async fn open(options: Options) -> Result<(Self, Box<dyn Session>), StoreError> {
        let writer = open_writer(&options).await?;
        let schema = &options.address.schema;
        let clock = "SELECT CAST(floor(extract(epoch FROM clock_timestamp()) * 1000000) AS BIGINT)";
        let terms = Terms {
            queue: options.queue,
            group: options.group,
            begin: format!("BEGIN; SELECT pg_advisory_xact_lock({}); SAVEPOINT job", lock_of(schema)).into(),
            channel: Some(format!("axon_{schema}")),
            clock: (options.lease_clock == LeaseClock::Database).then(|| clock.into()),
        };
        let readers = open_pool(&options, options.address.readers);
        let (long, ear) = (open_pool(&options, LONG_READS), open_pool(&options, 1));
        let following = Mutex::new(None);
        let server = Self { options, terms, readers, long, ear, following, tally: Arc::default() };
        let writer = server.session(Held::Own(writer));
        Ok((server, writer))
    }

    fn terms(&self) -> &Terms {
        &self.terms
    }

    async fn writer(&self) -> Result<Box<dyn Session>, StoreError> {
        Ok(self.session(Held::Own(open_writer(&self.options).await?)))
    }

    async fn reader(&self) -> Result<Box<dyn Session>, StoreError> {
        let connection = self.readers.acquire().await.map_err(unopened)?;
        Ok(self.session(Held::Pooled(connection, self.readers.clone())))
    }

    async fn snapshot(&self) -> Result<Box<dyn Session>, StoreError> {
        self.snapshot_of(&self.readers).await
    }

    async fn long_snapshot(&self) -> Result<Box<dyn Session>, StoreError> {
        self.snapshot_of(&self.long).await
    }

    async fn durability(&self, writer: &mut dyn Session) -> Result<Durability, StoreError> {
        let sql = "SELECT current_setting('fsync'), current_setting('synchronous_commit')";
        let row: Option<(String, String)> = writer.first("read the writer's settings", sql, &[]).await?;
        let (fsync, synchronous) = row.unwrap_or_default();
        let journal_mode = if fsync == "on" { "wal" } else { "wal without fsync" };
        Ok(Durability { journal_mode: journal_mode.to_owned(), synchronous })
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }

    fn follow(&self, moved: &watch::Sender<RecordSeq>, tokens: &watch::Sender<u64>) {
        let Some(channel) = self.terms.channel.clone() else { return };
        let task = tokio::spawn(follow(self.ear.clone(), channel, moved.clone(), tokens.clone()));
        *self.following.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    async fn close(&self) {
        if let Some(task) = self.following.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
        self.ear.close().await;
        self.readers.close().await;
        self.long.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_schema_has_its_own_lock_for_ever() {
        assert_eq!(lock_of("axon"), 3_639_343_373_171_157_861);
        assert_ne!(lock_of("axon"), lock_of("axon_b"));
    }
}
