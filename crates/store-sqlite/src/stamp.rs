//! The end of SQLite's log, read from the header of the wal-index: the file `-shm` beside the database, which every process that
//! has the database open shares. Its layout is documented (sqlite.org/walformat.html, "WAL-Index Header") and has its version
//! in it; another version gives no stamp.

use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use axon_store_sql::Stamp;

/// The version of the wal-index that is known here.
const VERSION: u32 = 3_007_000;

/// The files that are open. One is never closed: the locks that SQLite holds on it belong to the process, and the kernel drops
/// them all when any descriptor of the file is closed.
static OPEN: Mutex<Vec<(PathBuf, &'static File)>> = Mutex::new(Vec::new());

/// The wal-index of a database.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WalIndex(&'static File);

impl WalIndex {
    /// That of a database which has a connection open, and keeps one open.
    pub fn of(database: &Path) -> Option<Self> {
        let mut path = database.as_os_str().to_owned();
        path.push("-shm");
        let path = PathBuf::from(path);
        let there = path.metadata().ok()?;
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let known = open.iter().rev().find(|(known, file)| {
            *known == path && file.metadata().is_ok_and(|m| (m.dev(), m.ino()) == (there.dev(), there.ino()))
        });
        if let Some((_, file)) = known {
            return Some(Self(file));
        }
        let file: &'static File = Box::leak(Box::new(File::open(&path).ok()?));
        open.push((path, file));
        Some(Self(file))
    }

    /// The end of the log now; none where the header is not one that is known here.
    pub fn stamp(self) -> Option<Stamp> {
        let mut header = [0_u8; 48];
        self.0.read_exact_at(&mut header, 0).ok()?;
        let number =
            |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        if number(0) != VERSION {
            return None;
        }
        let mut end = [0; 40];
        end.copy_from_slice(&header[8..]);
        Some(Stamp { commits: number(8), end })
    }
}

/// The log's length.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Log {
    /// How many pages it holds.
    pub pages: u32,
    /// How many of them are not folded back into the file yet.
    pub behind: u32,
}

impl WalIndex {
    /// How long the log is.
    pub fn log(self) -> Option<Log> {
        let mut header = [0_u8; 100];
        self.0.read_exact_at(&mut header, 0).ok()?;
        let number =
            |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        // mxFrame of the header, and nBackfill behind its two copies.
        let pages = number(16);
        (number(0) == VERSION).then(|| Log { pages, behind: pages.saturating_sub(number(96)) })
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, SqliteConnection};

    use super::*;
    use crate::Options;
    use crate::address::Address;
    use crate::open::open_writer;

    #[tokio::test]
    async fn each_commit_moves_the_stamp_by_one_and_a_read_does_not() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("axon.db");
        let options = Options::new(Address::of_file(&file));
        let mut ours = open_writer(&options).await.unwrap();
        let mut other = open_writer(&options).await.unwrap();
        let index = WalIndex::of(&file).unwrap();
        let insert = async |connection: &mut SqliteConnection, name: &'static str| {
            let sql = "INSERT INTO summaries (target, summary, at) VALUES (?1, '{}', 0)";
            sqlx::query(sql).bind(name).execute(connection).await.unwrap();
        };
        insert(&mut ours, "a").await;
        let first = index.stamp().unwrap();
        sqlx::query("SELECT * FROM summaries").execute(&mut other).await.unwrap();
        assert_eq!(index.stamp(), Some(first), "a read changes nothing");
        insert(&mut other, "b").await;
        let second = index.stamp().unwrap();
        assert_eq!(second.commits, first.commits + 1);
        assert_ne!(second.end, first.end);
        sqlx::query("BEGIN IMMEDIATE").execute(&mut ours).await.unwrap();
        insert(&mut ours, "c").await;
        assert_eq!(index.stamp(), Some(second), "what is not committed is not there");
        sqlx::query("COMMIT").execute(&mut ours).await.unwrap();
        assert_eq!(index.stamp().unwrap().commits, first.commits + 2);
        ours.close().await.unwrap();
        other.close().await.unwrap();
    }
}
