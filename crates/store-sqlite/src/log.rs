//! SQLite's log on the disk, waited for beside the writer.
//!
//! With `synchronous=FULL` a commit waits for the disk, and with it all that the writer could do meanwhile. The writer that
//! serves runs with NORMAL: its commits write the log and return, the log stays in order and whole, and each write is answered
//! after an `fdatasync` of the log that was begun after its commit. What may be acknowledged is the same.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use axon_store_sql::{Disk, Settled};

/// The log of a database.
#[derive(Debug)]
pub(crate) struct Log {
    /// Kept open: an error that the kernel met is told to those who had the file open then.
    file: File,
    settled: Settled,
}

impl Log {
    /// That of a database which has a connection open, and keeps one open: the file stays the same until the last is closed.
    pub fn of(database: &Path) -> Option<Self> {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        let file = OpenOptions::new().write(true).open(PathBuf::from(path)).ok()?;
        Some(Self { file, settled: Settled::default() })
    }
}

impl Disk for Log {
    fn sync(&self) -> std::io::Result<()> {
        self.file.sync_data()
    }

    fn settled(&self) -> &Settled {
        &self.settled
    }
}
