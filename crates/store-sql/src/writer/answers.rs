//! What follows a commit: the position is told, the writes are counted and answered. Where a commit is visible before it is on
//! the disk, a thread of its own waits for the disk first. One group is with it at most: the writer runs the statements of the
//! next meanwhile, and commits them, with all that has come, when the disk is free again.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use axon_model::RecordSeq;
use axon_store::StoreError;
use std::sync::atomic::Ordering;
use tokio::sync::watch;

use super::Counts;
use super::job::Job;
use crate::settled::{Disk, DiskFailed};

/// A group that was committed.
pub(super) struct Committed {
    /// Its writes.
    pub group: Vec<Box<dyn Job>>,
    /// The journal's end with it.
    pub head: RecordSeq,
    /// When it began.
    pub began: Instant,
}

/// Who is told.
pub(super) struct Told {
    pub moved: watch::Sender<RecordSeq>,
    pub counts: Arc<Counts>,
}

impl Told {
    /// Answers a group that is on the disk.
    pub fn answer(&self, committed: Committed) {
        let Committed { group, head, began } = committed;
        // What another process committed may have been told before.
        self.moved.send_if_modified(|told| {
            let further = head > *told;
            *told = head.max(*told);
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
        for job in group {
            job.answer(None);
        }
    }
}

/// Answers a group that is not kept.
pub(super) fn refuse(group: Vec<Box<dyn Job>>, why: &str) {
    metrics::counter!("axon_store_failed_commits_total").increment(1);
    tracing::error!(error = %why, writes = group.len(), "a group of writes was not committed");
    for job in group {
        job.answer(Some(why));
    }
}

/// What the thread is given: a commit's number, and its writes where it was not undone.
type Step = (u64, Option<Committed>);

/// The way of a group to its answers.
pub(super) enum Answers {
    /// A commit is on the disk when it returns.
    AtOnce(Told),
    /// The disk is waited for elsewhere.
    Behind(Behind),
}

/// The thread that waits for the disk.
pub(super) struct Behind {
    disk: Arc<dyn Disk>,
    queue: Option<Sender<Step>>,
    thread: Option<JoinHandle<()>>,
    /// Told when the disk has a group.
    free: Receiver<()>,
    is_busy: bool,
    /// The number of the commit that is under way.
    number: Option<u64>,
}

impl Answers {
    /// Starts the thread where there is a disk to wait for.
    pub fn start(disk: Option<Arc<dyn Disk>>, told: Told) -> Result<Self, StoreError> {
        let Some(disk) = disk else { return Ok(Self::AtOnce(told)) };
        let (queue, waiting) = channel();
        let (tell, free) = channel();
        let thread = std::thread::Builder::new().name("axon-disk".into());
        let its = disk.clone();
        let thread = thread.spawn(move || run(&*its, &told, &waiting, &tell));
        let thread = thread.map_err(|error| StoreError::unavailable("start the writer", error))?;
        let (queue, thread) = (Some(queue), Some(thread));
        Ok(Self::Behind(Behind { disk, queue, thread, free, is_busy: false, number: None }))
    }

    /// Why nothing more may be written, if so.
    pub fn failed(&self) -> Option<DiskFailed> {
        match self {
            Self::Behind(behind) if behind.disk.settled().has_failed() => Some(DiskFailed),
            _ => None,
        }
    }

    /// Waits until the disk is free. True where it was not when the last group was given to it.
    pub fn wait(&mut self) -> bool {
        let Self::Behind(behind) = self else { return false };
        // A thread that has ended keeps nobody waiting.
        std::mem::take(&mut behind.is_busy) && behind.free.recv().is_ok()
    }

    /// Before a commit: from here on reads may see it.
    pub fn begin(&mut self) {
        if let Self::Behind(behind) = self {
            behind.number = Some(behind.disk.settled().begin());
        }
    }

    /// After a commit.
    pub fn committed(&mut self, committed: Committed) {
        match self {
            Self::AtOnce(told) => told.answer(committed),
            Self::Behind(behind) => behind.send(Some(committed)),
        }
    }

    /// After a commit that failed: nobody can have seen it.
    pub fn undone(&mut self) {
        if let Self::Behind(behind) = self {
            behind.send(None);
        }
    }

    /// Lets what was committed be answered, and ends.
    pub fn end(self) {
        if let Self::Behind(mut behind) = self {
            behind.queue = None;
            if let Some(thread) = behind.thread.take() {
                // One that panicked has nothing left to answer.
                let _ = thread.join();
            }
        }
    }
}

impl Behind {
    fn send(&mut self, committed: Option<Committed>) {
        let Some(number) = self.number.take() else { return };
        let Some(queue) = &self.queue else { return };
        self.is_busy = true;
        if let Err(lost) = queue.send((number, committed))
            && let Some(Committed { group, .. }) = lost.0.1
        {
            self.disk.settled().fail();
            refuse(group, "the thread that waits for the disk has ended");
        }
    }
}

fn run(disk: &dyn Disk, told: &Told, waiting: &Receiver<Step>, free: &Sender<()>) {
    let settled = disk.settled();
    while let Ok((number, committed)) = waiting.recv() {
        if !settled.has_failed()
            && let Err(error) = disk.sync()
        {
            tracing::error!(%error, "the disk did not take a write; nothing more is written until Axon is started again");
            settled.fail();
        }
        let failed = settled.has_failed();
        if !failed {
            settled.reach(number);
        }
        // Before the answers: the writer goes on meanwhile. One that has ended asks no more.
        let _ = free.send(());
        match committed {
            Some(committed) if failed => refuse(committed.group, &DiskFailed.to_string()),
            Some(committed) => told.answer(committed),
            None => {}
        }
    }
    // The writer has ended, perhaps in the midst of a commit: reads need not wait for that one any more.
    if !settled.has_failed() && disk.sync().is_ok() {
        settled.reach(settled.begun());
    } else {
        settled.fail();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use super::super::job::BoxFuture;
    use super::super::txn::Txn;
    use super::*;
    use crate::settled::Settled;

    /// A disk that takes a group, or does not, when it is told to.
    #[derive(Debug)]
    struct Slow {
        turns: Mutex<Receiver<bool>>,
        settled: Settled,
    }

    impl Disk for Slow {
        fn sync(&self) -> std::io::Result<()> {
            let takes = self.turns.lock().unwrap().recv().unwrap_or(true);
            if takes { Ok(()) } else { Err(std::io::Error::other("no more blocks")) }
        }
        fn settled(&self) -> &Settled {
            &self.settled
        }
    }

    /// A write that tells what it was answered.
    struct Asked(Sender<Option<String>>);

    impl Job for Asked {
        fn wants_savepoint(&self) -> bool {
            false
        }
        fn run<'t>(&'t mut self, _: &'t mut Txn) -> BoxFuture<'t, bool> {
            Box::pin(async { true })
        }
        fn refused(&self) -> bool {
            false
        }
        fn answer(self: Box<Self>, failure: Option<&str>) {
            self.0.send(failure.map(str::to_owned)).unwrap();
        }
    }

    struct Stage {
        answers: Answers,
        disk: Arc<Slow>,
        turn: Sender<bool>,
        moved: watch::Receiver<RecordSeq>,
    }

    fn stage() -> Stage {
        let (turn, turns) = channel();
        let disk = Arc::new(Slow { turns: Mutex::new(turns), settled: Settled::default() });
        let (moved, told) = watch::channel(RecordSeq(0));
        let told_of = Told { moved, counts: Arc::default() };
        let answers = Answers::start(Some(disk.clone() as Arc<dyn Disk>), told_of).unwrap();
        Stage { answers, disk, turn, moved: told }
    }

    fn commit(answers: &mut Answers, head: u64) -> Receiver<Option<String>> {
        let (tell, asked) = channel();
        answers.begin();
        let group: Vec<Box<dyn Job>> = vec![Box::new(Asked(tell))];
        answers.committed(Committed { group, head: RecordSeq(head), began: Instant::now() });
        asked
    }

    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn a_write_is_answered_when_the_disk_has_it_and_the_next_group_waits_for_that() {
        let Stage { mut answers, disk, turn, moved } = stage();
        assert!(!answers.wait(), "nothing is under way");
        let asked = commit(&mut answers, 7);
        assert!(asked.try_recv().is_err() && disk.settled.begun() == 1);
        let freed = Arc::new(AtomicBool::new(false));
        let next = std::thread::spawn({
            let freed = freed.clone();
            move || {
                assert!(answers.wait(), "the group before was under way");
                assert!(freed.load(Ordering::SeqCst), "the disk was free before it was");
                answers
            }
        });
        assert_eq!((moved.borrow().0, asked.try_recv().is_err()), (0, true));
        freed.store(true, Ordering::SeqCst);
        turn.send(true).unwrap();
        let mut answers = next.join().unwrap();
        assert_eq!(asked.recv_timeout(SOON).unwrap(), None);
        assert_eq!(moved.borrow().0, 7);
        // The last group is answered before the end is over.
        let asked = commit(&mut answers, 8);
        drop(turn);
        answers.end();
        assert_eq!((asked.try_recv().unwrap(), moved.borrow().0), (None, 8));
    }

    #[test]
    fn what_the_disk_does_not_take_is_refused_and_so_is_all_that_follows() {
        let Stage { mut answers, disk, turn, moved } = stage();
        let asked = commit(&mut answers, 7);
        turn.send(false).unwrap();
        assert!(answers.wait());
        assert!(asked.recv_timeout(SOON).unwrap().unwrap().contains("the disk did not take"));
        assert!(answers.failed().is_some() && disk.settled.has_failed());
        let asked = commit(&mut answers, 8);
        assert!(asked.recv_timeout(SOON).unwrap().is_some(), "the log may have a hole before it");
        assert_eq!(moved.borrow().0, 0);
        answers.end();
    }

    #[test]
    fn a_commit_that_was_undone_keeps_no_read_waiting() {
        let Stage { mut answers, disk, turn, .. } = stage();
        answers.begin();
        answers.undone();
        turn.send(true).unwrap();
        assert!(answers.wait());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(disk.settled.wait()).unwrap();
    }
}
