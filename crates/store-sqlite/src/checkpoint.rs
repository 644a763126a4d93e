//! Folds the log back into the file beside the writer, so that no write waits for that.
//!
//! A commit past the log's mark would do it by itself, and its writes would wait for thousands of pages and two more waits for
//! the disk. Here another connection does it on a thread of its own; SQLite lets the writer go on meanwhile. The writer's own
//! mark stays, far behind, for the case that this thread does not keep up.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::stamp::{Log, WalIndex};

/// When the log is folded back, in pages of it. A page that many writes change is folded once for all of them, so less often is less
/// work: a million memberships lie on some 8,000 pages in no order, and of 32,000 pages of log one in four is folded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks {
    /// From so many on that are not folded yet.
    pub fold: u32,
    /// From so many on the log's end is near, at which a commit folds what is left, and the log begins anew: then little is to be
    /// left, since that commit and all behind it wait.
    pub near_the_end: u32,
    /// What is little.
    pub little: u32,
    /// The log's end.
    pub end: u32,
}

impl Default for Marks {
    /// 80 MiB, then often from 112 MiB on; the log ends at 128 MiB.
    fn default() -> Self {
        Self { fold: 20_000, near_the_end: 28_000, little: 1_500, end: 32_000 }
    }
}

impl Marks {
    fn is_due(self, log: Log) -> bool {
        log.behind >= if log.pages >= self.near_the_end { self.little } else { self.fold }
    }
}

/// The thread, as the writer sees it. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    index: WalIndex,
    marks: Marks,
}

impl Checkpointer {
    /// Starts it, where the log's index can be read; else the writer folds by itself.
    pub fn start(file: &Path, marks: Marks) -> Option<Self> {
        let index = WalIndex::of(file)?;
        let (wake, woken) = sync_channel(1);
        let file: PathBuf = file.to_owned();
        let thread = std::thread::Builder::new().name("axon-checkpoint".into());
        let thread = thread.spawn(move || run(&file, &woken)).ok()?;
        Some(Self { wake: Some(wake), thread: Some(thread), index, marks })
    }

    /// After a commit.
    pub fn committed(&self) {
        if let Some(wake) = &self.wake
            && self.index.log().is_some_and(|log| self.marks.is_due(log))
        {
            // One that is woken already will look at all there is.
            let _ = wake.try_send(());
        }
    }
}

impl Drop for Checkpointer {
    /// Its connection is closed before the writer's, which folds the rest as the last one.
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            // One that panicked has closed its connection, too.
            let _ = thread.join();
        }
    }
}

fn run(file: &Path, woken: &Receiver<()>) {
    // Opened at the first use and kept: closing the last connection of a process would fold everything.
    let mut connection = None;
    while woken.recv().is_ok() {
        if connection.is_none() {
            connection = open(file).inspect_err(told).ok();
        }
        let Some(open) = &connection else { continue };
        // PASSIVE waits for nobody: what others still read is left for the next time.
        let folded = open.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        if let Err(error) = folded {
            told(&error);
            connection = None;
        }
    }
}

fn open(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    // What is folded must be on the disk before the log begins anew.
    connection.execute_batch("PRAGMA synchronous = FULL")?;
    Ok(connection)
}

fn told(error: &rusqlite::Error) {
    tracing::warn!(
        error = error as &dyn std::error::Error,
        "the log could not be folded back; the writer will do it"
    );
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::Options;
    use crate::address::Address;
    use crate::open::open_writer;

    #[test]
    fn the_nearer_the_end_the_less_is_left() {
        let marks = Marks::default();
        let log = |pages, behind| Log { pages, behind };
        assert!(
            !marks.is_due(log(marks.fold - 1, marks.fold - 1)) && marks.is_due(log(marks.fold, marks.fold))
        );
        assert!(!marks.is_due(log(marks.near_the_end - 1, marks.little)));
        assert!(marks.is_due(log(marks.near_the_end, marks.little)));
        assert!(marks.fold < marks.near_the_end && marks.near_the_end + marks.little < marks.end);
    }

    #[tokio::test]
    async fn a_long_log_is_folded_back_while_the_writer_goes_on() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("axon.db");
        drop(open_writer(&Options::new(Address::of_file(&file))).await.unwrap());
        let writer = Connection::open(&file).unwrap();
        // No commit of the writer's own folds anything.
        writer.execute_batch("PRAGMA wal_autocheckpoint = 0; CREATE TABLE texts (text TEXT)").unwrap();
        let index = WalIndex::of(&file).unwrap();
        let marks = Marks { fold: 500, near_the_end: 5_000, little: 50, end: 6_000 };
        let checkpointer = Checkpointer::start(&file, marks).unwrap();
        let text = "x".repeat(200_000);
        let end = Instant::now() + Duration::from_secs(20);
        let (mut n, mut most) = (0_i64, 0);
        loop {
            n += 1;
            writer.execute("INSERT INTO texts (text) VALUES (?1)", [&text]).unwrap();
            checkpointer.committed();
            let behind = index.log().unwrap().behind;
            most = most.max(behind);
            if most >= marks.fold && behind < marks.fold / 2 {
                break;
            }
            assert!(Instant::now() < end, "{behind} pages are not folded after {n} writes");
        }
        drop(checkpointer);
        assert_eq!(writer.query_row("SELECT count(*) FROM texts", [], |row| row.get(0)), Ok(n));
    }
}
