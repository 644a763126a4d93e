//! The store itself: a writer, readers, and the traits over them.

mod access;
mod directory;
mod health;
mod holds;
mod integrations;
mod leavers;
mod maps;
mod removals;
mod rest;
mod shipping;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axon_model::RecordSeq;
use axon_store::{Durability, StatementCounts, Store, StoreError, WriterCounts};
use tokio::sync::watch;

use crate::database::Database;
use crate::journal;
use crate::kept::{Kept, Watch};
use crate::session::Session;
use crate::writer::{BoxFuture, Txn, Writer};

/// How long the end of reads is waited for when the store is closed.
const LONG_END: Duration = Duration::from_secs(5);

/// A store in an SQL database.
#[derive(Debug)]
pub struct SqlStore<D> {
    inner: Arc<Inner<D>>,
}

impl<D> Clone for SqlStore<D> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

#[derive(Debug)]
struct Inner<D> {
    writer: Writer,
    kept: Arc<Kept>,
    database: Arc<D>,
}

impl<D: Database> SqlStore<D> {
    /// Opens the store, making it where it is not there, and brings its schema up to date.
    pub async fn open(options: D::Options) -> Result<Self, StoreError> {
        let (database, session) = D::open(options).await?;
        let database = Arc::new(database);
        let kept = Arc::new(Kept::default());
        let writer = Writer::start(database.clone(), session, kept.clone()).await?;
        Ok(Self { inner: Arc::new(Inner { writer, kept, database }) })
    }

    /// The database that it is in.
    pub fn database(&self) -> &D {
        &self.inner.database
    }

    /// Runs `work` inside the next transaction of the writer.
    async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Txn) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        self.inner.writer.run(work).await
    }

    /// A connection for a read of one statement.
    async fn reader(&self) -> Result<Box<dyn Session>, StoreError> {
        self.inner.database.reader().await
    }

    /// Runs a read of several statements, all of which see one state.
    async fn snapshot<T, E, F>(&self, read: F) -> Result<T, E>
    where
        E: From<StoreError>,
        F: for<'c> FnOnce(&'c mut dyn Session) -> BoxFuture<'c, Result<T, E>>,
    {
        let mut session = self.inner.database.snapshot().await?;
        let result = read(&mut *session).await;
        session.close().await;
        result
    }
}

#[async_trait]
impl<D: Database> Store for SqlStore<D> {
    fn subscribe(&self) -> watch::Receiver<RecordSeq> {
        self.inner.writer.position()
    }

    fn token_changes(&self) -> watch::Receiver<u64> {
        self.inner.writer.token_changes()
    }

    async fn durability(&self) -> Result<Durability, StoreError> {
        let database = self.inner.database.clone();
        self.write(move |txn| Box::pin(async move { database.durability(txn.session()?).await })).await
    }

    fn writer_counts(&self) -> WriterCounts {
        self.inner.writer.counts()
    }

    fn statement_counts(&self) -> StatementCounts {
        self.inner.database.tally().counts()
    }

    fn keep(&self, keeper: Arc<dyn axon_store::kept::Keeper>) -> Option<Arc<dyn axon_store::kept::Fresh>> {
        self.inner.database.stamp()?;
        let watch = Watch::new(self.inner.kept.clone(), self.inner.database.clone());
        self.inner.kept.set(keeper).then(|| Arc::new(watch) as Arc<dyn axon_store::kept::Fresh>)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        journal::head(&mut *self.reader().await?).await?;
        self.write(|_| Box::pin(async { Ok(()) })).await
    }

    async fn close(&self) {
        // The writer goes last: only a connection that may write folds SQLite's log into the file, and only as the last one.
        // A client that is slow to take a large group is not waited for.
        let _ = tokio::time::timeout(LONG_END, self.inner.database.close()).await;
        self.inner.writer.close().await;
    }
}
