//! The database that a store is in: one file, one connection that writes, several that read.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use axon_store::{Durability, StoreError};
use axon_store_sql::{Database, Session, SqlError, Stamp, Tally, Terms};
use sqlx::{Connection as _, SqliteConnection, SqlitePool};

use crate::inline::InlineSession;
use crate::open::{Options, open_readers, open_writer};
use crate::session::{Held, SqliteSession, error};
use crate::stamp::WalIndex;

/// How many long reads there may be at once.
const LONG_READS: u32 = 4;

/// A store's file.
#[derive(Debug)]
pub struct SqliteFile {
    options: Options,
    terms: Terms,
    readers: SqlitePool,
    long: SqlitePool,
    tally: Arc<Tally>,
    index: OnceLock<Option<WalIndex>>,
}

impl SqliteFile {
    fn session(&self, held: Held) -> Box<dyn Session> {
        Box::new(SqliteSession::new(held, self.tally.clone()))
    }
}

impl SqliteFile {
    /// The connection that writes, in the place of the one that brought the schema up to date.
    async fn inline(&self, first: SqliteConnection) -> Result<Box<dyn Session>, StoreError> {
        let writer = InlineSession::open(&self.options, self.tally.clone())
            .map_err(|error| error.during("open the connection that writes"))?;
        // Not before: the last connection of a process takes the log's index away with it.
        if let Err(error) = first.close().await {
            tracing::warn!(%error, "the connection of the migration did not close cleanly");
        }
        Ok(Box::new(writer))
    }
}

/// No connection to be had, or none that reads.
fn unopened(failure: sqlx::Error) -> StoreError {
    match error(failure) {
        SqlError::Closed => StoreError::Closed,
        other => other.during("open a connection to read"),
    }
}

#[async_trait]
impl Database for SqliteFile {
    type Options = Options;

    const BLOCKS: bool = true;

    async fn open(options: Options) -> Result<(Self, Box<dyn Session>), StoreError> {
        let first = open_writer(&options).await?;
        let terms = Terms {
            queue: options.queue,
            group: options.group,
            begin: "BEGIN IMMEDIATE; SAVEPOINT job".into(),
            channel: None,
            clock: None,
        };
        let (readers, long) = (open_readers(&options, options.readers), open_readers(&options, LONG_READS));
        let file = Self { options, terms, readers, long, tally: Arc::default(), index: OnceLock::new() };
        let writer = file.inline(first).await?;
        Ok((file, writer))
    }

    fn terms(&self) -> &Terms {
        &self.terms
    }

    async fn writer(&self) -> Result<Box<dyn Session>, StoreError> {
        self.inline(open_writer(&self.options).await?).await
    }

    async fn reader(&self) -> Result<Box<dyn Session>, StoreError> {
        Ok(self.session(Held::Pooled(self.readers.acquire().await.map_err(unopened)?)))
    }

    async fn snapshot(&self) -> Result<Box<dyn Session>, StoreError> {
        Ok(self.session(Held::Snapshot(self.readers.begin().await.map_err(unopened)?)))
    }

    async fn long_snapshot(&self) -> Result<Box<dyn Session>, StoreError> {
        Ok(self.session(Held::Snapshot(self.long.begin().await.map_err(unopened)?)))
    }

    async fn durability(&self, writer: &mut dyn Session) -> Result<Durability, StoreError> {
        let sql = "SELECT (SELECT journal_mode FROM pragma_journal_mode), (SELECT synchronous FROM pragma_synchronous)";
        let row: Option<(String, i64)> = writer.first("read the writer's settings", sql, &[]).await?;
        let (journal_mode, synchronous) = row.unwrap_or_default();
        let synchronous = match synchronous {
            0 => "off",
            1 => "normal",
            2 => "full",
            3 => "extra",
            _ => "unknown",
        };
        Ok(Durability { journal_mode, synchronous: synchronous.to_owned() })
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }

    fn stamp(&self) -> Option<Stamp> {
        let index = self.index.get_or_init(|| WalIndex::of(self.options.address.file()));
        index.as_ref().copied().and_then(WalIndex::stamp)
    }

    async fn close(&self) {
        self.readers.close().await;
        self.long.close().await;
    }
}
