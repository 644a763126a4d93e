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

/// From so many pages on the log is folded back: 32 MiB. A page that many writes change is folded once for all of them, so less often
/// is less work: at 4 MiB this thread used a tenth of what creates cost.
const PAGES: u32 = 8_000;
/// From so many pages on the log's end is near, at which a commit folds what is left, and the log begins anew: then little is to be
/// left, since that commit and all behind it wait.
const NEAR_THE_END: u32 = 14_000;
/// What is little.
const LITTLE: u32 = 1_000;

/// The thread, as the writer sees it. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    index: WalIndex,
}

impl Checkpointer {
    /// Starts it, where the log's index can be read; else the writer folds by itself.
    pub fn start(file: &Path) -> Option<Self> {
        let index = WalIndex::of(file)?;
        let (wake, woken) = sync_channel(1);
        let file: PathBuf = file.to_owned();
        let thread = std::thread::Builder::new().name("axon-checkpoint".into());
        let thread = thread.spawn(move || run(&file, &woken)).ok()?;
        Some(Self { wake: Some(wake), thread: Some(thread), index })
    }

    /// After a commit.
    pub fn committed(&self) {
        let is_due = |log: Log| log.behind >= if log.pages >= NEAR_THE_END { LITTLE } else { PAGES };
        if let Some(wake) = &self.wake
            && self.index.log().is_some_and(is_due)
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
    use std::sync::Arc;
    use std::time::Instant;

    use axon_store_sql::{Arg, Session as _};

    use super::*;
    use crate::address::Address;
    use crate::inline::InlineSession;
    use crate::open::{Options, open_writer};

    #[tokio::test]
    async fn a_long_log_is_folded_back_while_the_writer_goes_on() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("axon.db");
        let options = Options::new(Address::of_file(&file));
        let first = open_writer(&options).await.unwrap();
        let mut session = InlineSession::open(&options, Arc::default()).unwrap();
        drop(first);
        let index = WalIndex::of(&file).unwrap();
        let text = "x".repeat(200_000);
        let end = Instant::now() + Duration::from_secs(20);
        let (mut n, mut most) = (0_i64, 0);
        loop {
            n += 1;
            let insert = "INSERT INTO summaries (target, summary, at) VALUES ($1, $2, 0)";
            session.control("BEGIN IMMEDIATE".into()).await.unwrap();
            session.execute(insert.into(), &[Arg::from(n.to_string()), Arg::from(&text)]).await.unwrap();
            session.control("COMMIT".into()).await.unwrap();
            let behind = index.log().unwrap().behind;
            most = most.max(behind);
            if most >= PAGES && behind < PAGES / 2 {
                break;
            }
            assert!(Instant::now() < end, "{behind} pages are not folded after {n} writes");
        }
        Box::new(session).close().await;
    }
}
