//! The one task that writes: it folds the writes that wait into one transaction.

mod job;
pub(crate) mod records;
mod txn;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::session::Session;
use axon_model::RecordSeq;
use axon_store::{StoreError, WriterCounts};
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use self::job::BoxFuture;
use self::job::{Job, Task};
pub(crate) use self::txn::Txn;
use crate::database::{Database, Terms};
use crate::kept::{Kept, Stamp};

/// How long writes join the group that is being written: the first of them waits for all.
const JOINING: Duration = Duration::from_millis(5);

/// What the writer has done, readable from anywhere.
#[derive(Debug, Default)]
struct Counts {
    groups: AtomicU64,
    writes: AtomicU64,
    refused: AtomicU64,
    busy: AtomicU64,
}

/// The way to the writer task.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: std::sync::Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    counts: Arc<Counts>,
    position: watch::Receiver<RecordSeq>,
    tokens: watch::Sender<u64>,
    /// Told when the writer has ended.
    ended: tokio::sync::Mutex<Option<oneshot::Receiver<()>>>,
}

impl Writer {
    /// Starts the task on an open connection.
    pub async fn start<D: Database>(
        database: Arc<D>,
        session: Box<dyn Session>,
        kept: Arc<Kept>,
    ) -> Result<Self, StoreError> {
        let terms = database.terms().clone();
        let mut txn = Txn::new(session, terms.clone());
        let head = txn.read_head().await?;
        let (queue, waiting) = mpsc::channel(terms.queue.max(1));
        let (moved, position) = watch::channel(head.seq);
        let counts = Arc::new(Counts::default());
        let tokens = watch::Sender::new(0);
        database.follow(&moved, &tokens);
        let run = Run { database, terms, txn, waiting, moved, kept, before: None, counts: counts.clone() };
        let ended = if D::BLOCKS { on_a_thread(run)? } else { on_a_task(run) };
        Ok(Self {
            queue: std::sync::Mutex::new(Some(queue)),
            counts,
            position,
            tokens,
            ended: tokio::sync::Mutex::new(Some(ended)),
        })
    }

    /// Runs `work` inside the next transaction and answers when that is on the disk.
    pub async fn run<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Txn) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.queue(Box::new(Task::new(work, reply)))?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// The same for a write that needs no savepoint: where it is refused, it has changed nothing yet.
    pub async fn run_bare<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Txn) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.queue(Box::new(Task::bare(work, reply)))?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    fn queue(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        let sent = {
            let queue = self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            queue.as_ref().ok_or(StoreError::Closed)?.try_send(job)
        };
        match sent {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.counts.busy.fetch_add(1, Ordering::Relaxed);
                metrics::counter!("axon_store_busy_total").increment(1);
                Err(StoreError::Busy)
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(StoreError::Closed),
        }
    }

    /// Shows the position after each commit.
    pub fn position(&self) -> watch::Receiver<RecordSeq> {
        self.position.clone()
    }

    /// Moves when the database told of a commit that changed a token.
    pub fn token_changes(&self) -> watch::Receiver<u64> {
        self.tokens.subscribe()
    }

    /// What it has done.
    pub fn counts(&self) -> WriterCounts {
        let read = |n: &AtomicU64| n.load(Ordering::Relaxed);
        WriterCounts {
            groups: read(&self.counts.groups),
            writes: read(&self.counts.writes),
            refused: read(&self.counts.refused),
            busy: read(&self.counts.busy),
        }
    }

    /// Lets what is queued finish, and ends the task.
    pub async fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take());
        if let Some(ended) = self.ended.lock().await.take() {
            // One that panicked has nothing left to finish.
            let _ = ended.await;
        }
    }
}

fn on_a_task<D: Database>(run: Run<D>) -> oneshot::Receiver<()> {
    let (tell, ended) = oneshot::channel();
    tokio::spawn(async move {
        run.run().await;
        // Nobody waits when the store was dropped without being closed.
        let _ = tell.send(());
    });
    ended
}

fn on_a_thread<D: Database>(run: Run<D>) -> Result<oneshot::Receiver<()>, StoreError> {
    let failed = |error| StoreError::unavailable("start the writer", error);
    let (tell, ended) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let thread = std::thread::Builder::new().name("axon-writer".into());
    thread
        .spawn(move || {
            runtime.block_on(run.run());
            let _ = tell.send(());
        })
        .map_err(failed)?;
    Ok(ended)
}

struct Run<D> {
    database: Arc<D>,
    terms: Terms,
    txn: Txn,
    waiting: mpsc::Receiver<Box<dyn Job>>,
    moved: watch::Sender<RecordSeq>,
    kept: Arc<Kept>,
    /// The end of the database's log before the group that is being written.
    before: Option<Stamp>,
    counts: Arc<Counts>,
}

impl<D: Database> Run<D> {
    async fn run(mut self) {
        let mut group: Vec<Box<dyn Job>> = Vec::with_capacity(self.terms.group);
        while self.waiting.recv_many(&mut group, self.terms.group.max(1)).await > 0 {
            self.commit(&mut group).await;
        }
        self.txn.close().await;
    }

    /// One group: all of it is on the disk, or none.
    async fn commit(&mut self, group: &mut Vec<Box<dyn Job>>) {
        let began = Instant::now();
        match self.transaction(group).await {
            Ok(()) => {
                let seq = self.txn.head().seq;
                self.kept.after(&*self.database, self.before, self.txn.touched(), seq);
                // What another process committed may have been told before.
                self.moved.send_if_modified(|told| {
                    let further = seq > *told;
                    *told = seq.max(*told);
                    further
                });
                let refused = group.iter().filter(|job| job.refused()).count() as u64;
                let writes = group.len() as u64 - refused;
                self.counts.groups.fetch_add(1, Ordering::Relaxed);
                self.counts.writes.fetch_add(writes, Ordering::Relaxed);
                self.counts.refused.fetch_add(refused, Ordering::Relaxed);
                metrics::counter!("axon_store_commits_total").increment(1);
                metrics::counter!("axon_store_writes_total").increment(writes);
                metrics::counter!("axon_store_refused_total").increment(refused);
                metrics::histogram!("axon_store_commit_seconds").record(began.elapsed().as_secs_f64());
                for job in group.drain(..) {
                    job.answer(None);
                }
            }
            Err(error) => {
                metrics::counter!("axon_store_failed_commits_total").increment(1);
                let text = chain(&error);
                tracing::error!(error = %text, writes = group.len(), "a group of writes was not committed");
                self.recover().await;
                self.kept.in_doubt();
                for job in group.drain(..) {
                    job.answer(Some(&text));
                }
            }
        }
    }

    /// Writes that come while others of the group are run join it: each commit is a wait for the disk.
    async fn transaction(&mut self, group: &mut Vec<Box<dyn Job>>) -> Result<(), StoreError> {
        let first = group.first().is_some_and(|job| job.wants_savepoint());
        if let Err(error) = self.txn.begin(first).await {
            // Nothing of the group has run yet: a connection that was lost while nobody wrote is not the writes' concern.
            if self.txn.abandon().await {
                return Err(error);
            }
            self.txn.replace(self.database.writer().await?);
            self.txn.begin(first).await?;
        }
        self.before = self.kept.before(&*self.database, self.txn.head().seq);
        let (mut next, began) = (0, Instant::now());
        while let Some(job) = group.get_mut(next) {
            let mark = self.txn.mark();
            if job.wants_savepoint() {
                self.txn.guard().await?;
            }
            let is_kept = job.run(&mut self.txn).await;
            if !is_kept {
                self.txn.undo(mark).await?;
            }
            next += 1;
            if next == group.len() && next < self.terms.group && began.elapsed() < JOINING {
                group.extend(self.waiting.try_recv());
            }
            if is_kept && next < group.len() {
                self.txn.keep().await?;
            }
        }
        self.txn.commit().await
    }

    /// Rolls back what is open; a connection that cannot even do that is replaced.
    async fn recover(&mut self) {
        if self.txn.abandon().await {
            return;
        }
        match self.database.writer().await {
            Ok(session) => self.txn.replace(session),
            Err(error) => {
                tracing::error!(error = %chain(&error), "the writer's connection could not be opened again");
            }
        }
    }
}

/// An error with all that caused it, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use axon_store::Durability;

    use super::*;
    use crate::session::{Dialect, Sql, SqlError, Tally};
    use crate::value::{Arg, Row};

    /// A database that does nothing and remembers what its writer was asked to begin, undo and end.
    #[derive(Debug, Default)]
    struct Nothing {
        said: Arc<Mutex<Vec<String>>>,
        terms: Option<Terms>,
        tally: Tally,
    }

    struct Said(Arc<Mutex<Vec<String>>>, Dialect);

    /// Among what was said: no commit succeeds.
    const DISK_FULL: &str = "the disk is full";

    #[async_trait]
    impl Session for Said {
        fn dialect(&self) -> Dialect {
            self.1
        }
        async fn query(&mut self, _: Sql, _: &[Arg<'_>]) -> Result<Vec<Row>, SqlError> {
            Ok(Vec::new())
        }
        async fn execute(&mut self, _: Sql, _: &[Arg<'_>]) -> Result<u64, SqlError> {
            Ok(0)
        }
        async fn script(&mut self, _: &'static str, _: &[Arg<'_>]) -> Result<(), SqlError> {
            Ok(())
        }
        async fn control(&mut self, sql: Sql) -> Result<(), SqlError> {
            let is_full = sql == "COMMIT" && self.0.lock().unwrap().contains(&DISK_FULL.to_owned());
            self.0.lock().unwrap().push(sql.into_owned());
            if is_full { Err(SqlError::Other(DISK_FULL.into())) } else { Ok(()) }
        }
        async fn close(self: Box<Self>) {}
    }

    #[async_trait]
    impl Database for Nothing {
        type Options = ();
        async fn open((): ()) -> Result<(Self, Box<dyn Session>), StoreError> {
            let terms = Terms {
                queue: 9,
                group: 9,
                begin: "BEGIN; SAVEPOINT job".into(),
                channel: None,
                clock: None,
            };
            let nothing = Self { terms: Some(terms), ..Self::default() };
            let session = Box::new(Said(nothing.said.clone(), Dialect::Postgres));
            Ok((nothing, session))
        }
        fn terms(&self) -> &Terms {
            self.terms.as_ref().unwrap()
        }
        async fn writer(&self) -> Result<Box<dyn Session>, StoreError> {
            Ok(Box::new(Said(self.said.clone(), Dialect::Postgres)))
        }
        async fn reader(&self) -> Result<Box<dyn Session>, StoreError> {
            self.writer().await
        }
        async fn snapshot(&self) -> Result<Box<dyn Session>, StoreError> {
            self.writer().await
        }
        async fn long_snapshot(&self) -> Result<Box<dyn Session>, StoreError> {
            self.writer().await
        }
        async fn durability(&self, _: &mut dyn Session) -> Result<Durability, StoreError> {
            Err(StoreError::Closed)
        }
        fn tally(&self) -> &Tally {
            &self.tally
        }
        async fn close(&self) {}
    }

    #[tokio::test]
    async fn a_write_that_panics_is_undone_alone() {
        let (database, session) = Nothing::open(()).await.unwrap();
        let said = database.said.clone();
        let writer = Writer::start(Arc::new(database), session, Arc::default()).await.unwrap();
        let write = async |fails: bool| -> Result<(), StoreError> {
            writer
                .run(move |_| {
                    Box::pin(async move {
                        assert!(!fails, "a defect");
                        Ok(())
                    })
                })
                .await
        };
        let (kept, failed, after) = tokio::join!(write(false), write(true), write(false));
        assert!(kept.is_ok() && after.is_ok());
        assert!(matches!(failed, Err(StoreError::Unavailable { .. })));
        let wanted = ["BEGIN; SAVEPOINT job", "RELEASE job; SAVEPOINT job", "ROLLBACK TO job", "COMMIT"];
        assert_eq!(*said.lock().unwrap(), wanted);
        assert_eq!((writer.counts().writes, writer.counts().refused, writer.counts().groups), (2, 1, 1));
    }

    /// A DELETE that is sent twice meets its own first try in the group: "there is no such user" would be believed.
    #[tokio::test]
    async fn what_was_refused_for_a_write_that_is_not_kept_is_not_refused() {
        let (database, session) = Nothing::open(()).await.unwrap();
        let said = database.said.clone();
        let writer = Writer::start(Arc::new(database), session, Arc::default()).await.unwrap();
        let write = async |finds_it_gone: bool| -> Result<(), axon_store::WriteError> {
            let gone = || axon_scim::ScimError::no_such_resource(axon_scim::ResourceKind::User, "7").into();
            writer
                .run(move |_| Box::pin(async move { if finds_it_gone { Err(gone()) } else { Ok(()) } }))
                .await
        };
        let (deleted, again) = tokio::join!(write(false), write(true));
        assert_eq!((deleted.is_ok(), again.unwrap_err().to_scim().status), (true, 404));
        said.lock().unwrap().push(DISK_FULL.to_owned());
        let (deleted, again) = tokio::join!(write(false), write(true));
        assert_eq!(deleted.unwrap_err().to_scim().status, 503);
        assert_eq!(again.unwrap_err().to_scim().status, 503, "the first one was undone: the user is there");
    }

    /// Where a savepoint costs copies of pages and saves no round trip, only a write that wants one has one.
    #[tokio::test]
    async fn a_write_that_is_refused_before_it_changes_anything_needs_no_savepoint() {
        let (database, _) = Nothing::open(()).await.unwrap();
        let said = database.said.clone();
        let session = Box::new(Said(said.clone(), Dialect::Sqlite));
        let writer = Writer::start(Arc::new(database), session, Arc::default()).await.unwrap();
        let bare = async |stops_halfway: Option<bool>| -> Result<(), StoreError> {
            let work = move |txn: &mut Txn| match stops_halfway {
                None => Ok(()),
                Some(halfway) => {
                    if halfway {
                        txn.writing();
                    }
                    Err(StoreError::Busy)
                }
            };
            writer.run_bare(move |txn| Box::pin(async move { work(txn) })).await
        };
        let guarded = async || -> Result<(), StoreError> { writer.run(|_| Box::pin(async { Ok(()) })).await };
        let (first, refused, last) = tokio::join!(bare(None), bare(Some(false)), bare(None));
        assert_eq!((first.is_ok(), refused.is_ok(), last.is_ok()), (true, false, true));
        assert_eq!(*said.lock().unwrap(), ["BEGIN", "COMMIT"]);
        said.lock().unwrap().clear();
        let (first, among, last) = tokio::join!(bare(None), guarded(), bare(None));
        assert_eq!((first.is_ok(), among.is_ok(), last.is_ok()), (true, true, true));
        assert_eq!(*said.lock().unwrap(), ["BEGIN", "SAVEPOINT job", "RELEASE job", "COMMIT"]);
        said.lock().unwrap().clear();
        let (first, stopped) = tokio::join!(bare(None), bare(Some(true)));
        assert_eq!((first.is_ok(), stopped.is_ok()), (false, false), "it can only be undone with its group");
        assert!(!said.lock().unwrap().contains(&"COMMIT".to_owned()));
    }
}
