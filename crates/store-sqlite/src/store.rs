//! The store itself: a writer, readers, and the traits over them.

mod directory;
mod rest;

use std::sync::Arc;

use async_trait::async_trait;
use axon_model::RecordSeq;
use axon_store::{Durability, Store, StoreError, WriterCounts};
use sqlx::{SqliteConnection, SqlitePool};
use tokio::sync::watch;

use crate::codec::failed;
use crate::journal;
use crate::open::{Options, open_readers, open_writer};
use crate::writer::{BoxFuture, Writer};

/// A store in one SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    writer: Writer,
    readers: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, creating it for its owner alone where it is not there, and brings its schema up to date.
    pub async fn open(options: Options) -> Result<Self, StoreError> {
        let connection = open_writer(&options).await?;
        let readers = open_readers(&options);
        let writer = Writer::start(options, connection).await?;
        Ok(Self { inner: Arc::new(Inner { writer, readers }) })
    }

    /// Runs `work` inside the next transaction of the writer.
    async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut crate::writer::Txn) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        self.inner.writer.run(work).await
    }

    /// A connection for a read of one statement.
    async fn reader(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Sqlite>, StoreError> {
        self.inner.readers.acquire().await.map_err(|error| match error {
            sqlx::Error::PoolClosed => StoreError::Closed,
            error => failed("open a connection to read")(error),
        })
    }

    /// Runs a read of several statements, all of which see one state.
    async fn snapshot<T, E, F>(&self, read: F) -> Result<T, E>
    where
        E: From<StoreError>,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, E>>,
    {
        let mut connection = self.reader().await?;
        let mut transaction =
            sqlx::Connection::begin(&mut *connection).await.map_err(failed("begin a read"))?;
        let result = read(&mut transaction).await;
        transaction.rollback().await.map_err(failed("end a read"))?;
        result
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn subscribe(&self) -> watch::Receiver<RecordSeq> {
        self.inner.writer.position()
    }

    async fn durability(&self) -> Result<Durability, StoreError> {
        self.write(|txn| {
            Box::pin(async move {
                let row: (String, i64) = sqlx::query_as(
                    "SELECT (SELECT journal_mode FROM pragma_journal_mode), (SELECT synchronous FROM pragma_synchronous)",
                )
                .fetch_one(txn.connection()?)
                .await
                .map_err(failed("read the writer's settings"))?;
                let synchronous = match row.1 {
                    0 => "off",
                    1 => "normal",
                    2 => "full",
                    3 => "extra",
                    _ => "unknown",
                };
                Ok(Durability { journal_mode: row.0, synchronous: synchronous.to_owned() })
            })
        })
        .await
    }

    fn writer_counts(&self) -> WriterCounts {
        self.inner.writer.counts()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        journal::head(&mut *self.reader().await?).await?;
        self.write(|_| Box::pin(async { Ok(()) })).await
    }

    async fn close(&self) {
        // The writer goes last: only a connection that may write folds the log into the file, and only as the last one.
        self.inner.readers.close().await;
        self.inner.writer.close().await;
    }
}
