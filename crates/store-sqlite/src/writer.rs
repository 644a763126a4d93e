//! The one task that writes: it folds the writes that wait into one transaction.

mod job;
mod txn;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axon_model::RecordSeq;
use axon_store::{StoreError, WriterCounts};
use sqlx::SqliteConnection;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

pub(crate) use self::job::BoxFuture;
use self::job::{Job, Task};
pub(crate) use self::txn::Txn;
use crate::open::{Options, open_writer};

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
    task: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the task on an open connection.
    pub async fn start(options: Options, connection: SqliteConnection) -> Result<Self, StoreError> {
        let mut txn = Txn::new(connection);
        let head = txn.read_head().await?;
        let (queue, waiting) = mpsc::channel(options.queue.max(1));
        let (moved, position) = watch::channel(head.seq);
        let counts = Arc::new(Counts::default());
        let run = Run { options, txn, waiting, moved, counts: counts.clone() };
        let task = tokio::spawn(run.run());
        Ok(Self {
            queue: std::sync::Mutex::new(Some(queue)),
            counts,
            position,
            task: tokio::sync::Mutex::new(Some(task)),
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
        let job: Box<dyn Job> = Box::new(Task::new(work, reply));
        let sent = {
            let queue = self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            queue.as_ref().ok_or(StoreError::Closed)?.try_send(job)
        };
        match sent {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.counts.busy.fetch_add(1, Ordering::Relaxed);
                metrics::counter!("axon_store_busy_total").increment(1);
                return Err(StoreError::Busy.into());
            }
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(StoreError::Closed.into()),
        }
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Shows the position after each commit.
    pub fn position(&self) -> watch::Receiver<RecordSeq> {
        self.position.clone()
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
        if let Some(task) = self.task.lock().await.take() {
            // A task that panicked has nothing left to finish.
            let _ = task.await;
        }
    }
}

struct Run {
    options: Options,
    txn: Txn,
    waiting: mpsc::Receiver<Box<dyn Job>>,
    moved: watch::Sender<RecordSeq>,
    counts: Arc<Counts>,
}

impl Run {
    async fn run(mut self) {
        let mut group: Vec<Box<dyn Job>> = Vec::with_capacity(self.options.group);
        while self.waiting.recv_many(&mut group, self.options.group.max(1)).await > 0 {
            self.commit(&mut group).await;
        }
        self.txn.close().await;
    }

    /// One group: all of it is on the disk, or none.
    async fn commit(&mut self, group: &mut Vec<Box<dyn Job>>) {
        let began = Instant::now();
        let before = *self.moved.borrow();
        match self.transaction(group).await {
            Ok(()) => {
                let seq = self.txn.head().seq;
                if seq != before {
                    self.moved.send_replace(seq);
                }
                let refused = group.iter().filter(|job| job.refused()).count() as u64;
                let writes = group.len() as u64 - refused;
                self.counts.groups.fetch_add(1, Ordering::Relaxed);
                self.counts.writes.fetch_add(writes, Ordering::Relaxed);
                self.counts.refused.fetch_add(refused, Ordering::Relaxed);
                metrics::counter!("axon_store_commits_total").increment(1);
                metrics::counter!("axon_store_writes_total").increment(writes);
                metrics::counter!("axon_store_refused_total").increment(refused);
                metrics::histogram!("axon_store_commit_seconds").record(began.elapsed().as_secs_f64());
                group.drain(..).for_each(|job| job.answer(None));
            }
            Err(error) => {
                metrics::counter!("axon_store_failed_commits_total").increment(1);
                let text = chain(&error);
                tracing::error!(error = %text, writes = group.len(), "a group of writes was not committed");
                self.recover().await;
                group.drain(..).for_each(|job| job.answer(Some(&text)));
            }
        }
    }

    async fn transaction(&mut self, group: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        self.txn.begin().await?;
        let last = group.len().saturating_sub(1);
        for (n, job) in group.iter_mut().enumerate() {
            let mark = self.txn.mark();
            if !job.run(&mut self.txn).await {
                self.txn.undo(mark).await?;
            } else if n < last {
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
        match open_writer(&self.options).await {
            Ok(connection) => self.txn.replace(connection),
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
    use super::*;
    use crate::address::Address;

    #[tokio::test]
    async fn a_write_that_panics_is_undone_alone() {
        let folder = tempfile::TempDir::new().unwrap();
        let options = Options::new(Address::of_file(folder.path().join("axon.db")));
        let connection = open_writer(&options).await.unwrap();
        let writer = Writer::start(options, connection).await.unwrap();
        let insert = async |fails: bool, target: &'static str| -> Result<(), StoreError> {
            writer
                .run(move |txn| {
                    Box::pin(async move {
                        sqlx::query("INSERT INTO summaries (target, summary, at) VALUES (?1, '{}', 0)")
                            .bind(target)
                            .execute(txn.connection()?)
                            .await
                            .map_err(crate::codec::failed("insert"))?;
                        assert!(!fails, "a defect");
                        Ok(())
                    })
                })
                .await
        };
        let (kept, failed) = tokio::join!(insert(false, "kept"), insert(true, "undone"));
        assert!(kept.is_ok() && matches!(failed, Err(StoreError::Unavailable { .. })));
        insert(false, "undone").await.unwrap();
        assert_eq!(writer.counts().refused, 1);
    }
}
