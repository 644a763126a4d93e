//! What a database's own crate says of it: how its connections are opened, and how its writer begins, commits and tells.

use async_trait::async_trait;
use axon_model::RecordSeq;
use axon_store::{Durability, StoreError};
use tokio::sync::watch;

use crate::session::{Session, Sql, Tally};

/// How the writer works on this database.
#[derive(Debug, Clone)]
pub struct Terms {
    /// How many writes may wait; beyond it they are turned away.
    pub queue: usize,
    /// How many writes share one commit at most.
    pub group: usize,
    /// What begins the writer's transaction and opens the first savepoint, named `job`. After it no other process writes
    /// until the commit, so that what was read stays true and positions follow commits.
    pub begin: Sql,
    /// The channel on which each commit tells the new position, where the database has such.
    pub channel: Option<String>,
    /// What reads the database's clock in microseconds, where leases go by that and not by the caller's clock.
    pub clock: Option<Sql>,
}

/// A database that can hold a store.
#[async_trait]
pub trait Database: std::fmt::Debug + Send + Sync + Sized + 'static {
    /// Where it is, and how it is opened.
    type Options: Send;

    /// Whether the session that writes runs its statements on the thread that calls: then the writer gets one of its own.
    const BLOCKS: bool = false;

    /// Opens it, makes what is missing and brings the schema up to date. Gives the connection that writes, too.
    async fn open(options: Self::Options) -> Result<(Self, Box<dyn Session>), StoreError>;

    /// How the writer works on it.
    fn terms(&self) -> &Terms;

    /// Opens the connection that writes again, after the last one was lost.
    async fn writer(&self) -> Result<Box<dyn Session>, StoreError>;

    /// A connection for reads of one statement.
    async fn reader(&self) -> Result<Box<dyn Session>, StoreError>;

    /// A connection whose reads all see one state. Its [`Session::close`] ends that.
    async fn snapshot(&self) -> Result<Box<dyn Session>, StoreError>;

    /// A [`Database::snapshot`] that may be held for long; there are few of them, and others wait for their end.
    async fn long_snapshot(&self) -> Result<Box<dyn Session>, StoreError>;

    /// How durable a commit of this writer is.
    async fn durability(&self, writer: &mut dyn Session) -> Result<Durability, StoreError>;

    /// What its sessions count their statements in.
    fn tally(&self) -> &Tally;

    /// The end of its log, where that tells in next to no time whether anything was committed since another look.
    fn stamp(&self) -> Option<crate::kept::Stamp> {
        None
    }

    /// Follows commits of other processes and moves the position, where the database tells of them; and the count of commits
    /// that changed a token.
    fn follow(&self, _moved: &watch::Sender<RecordSeq>, _tokens: &watch::Sender<u64>) {}

    /// Closes the connections that read, and whatever follows.
    async fn close(&self);
}
