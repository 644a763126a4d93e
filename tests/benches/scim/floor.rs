//! The floor: a bare SQLite group commit with the same number of callers. One row of a user under a unique index and one row of
//! a log that carries the same document; one writer that folds what waits into a transaction; each caller waits for its
//! commit. No HTTP, no check of the body, no hash.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use rusqlite::{Connection, params};
use tokio::sync::{mpsc, oneshot};

use crate::requests;

const SCHEMA: &str = "
    CREATE TABLE users (seq INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, document TEXT NOT NULL);
    CREATE TABLE log (seq INTEGER PRIMARY KEY, document TEXT NOT NULL);";

struct Create {
    name: String,
    document: String,
    done: oneshot::Sender<()>,
}

/// A database with as many users as the server has.
pub struct Floor {
    queue: mpsc::Sender<Create>,
    made: Arc<AtomicU64>,
    run: u64,
}

/// What one run came to.
pub struct Commits {
    /// Creates per second.
    pub rate: f64,
    /// How many creates shared a commit.
    pub group: f64,
}

impl Floor {
    /// Makes the database with `users` in it and starts its writer.
    pub fn new(folder: &Path, users: usize) -> anyhow::Result<Self> {
        let db = Connection::open(folder.join("floor.db"))?;
        db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -32768;")?;
        db.execute_batch(SCHEMA)?;
        db.execute_batch("BEGIN")?;
        for n in 0..users {
            let name = format!("user{n}@acme.example");
            write(&db, &name, &requests::user(&name))?;
        }
        db.execute_batch("COMMIT")?;
        let (queue, waiting) = mpsc::channel(4096);
        let made = Arc::new(AtomicU64::new(0));
        std::thread::spawn({
            let made = made.clone();
            move || writer(&db, waiting, &made)
        });
        Ok(Self { queue, made, run: 0 })
    }

    /// Lets `callers` create one user after the other.
    pub async fn run(&mut self, callers: usize, span: Duration) -> anyhow::Result<Commits> {
        self.run += 1;
        let commits = self.made.load(Ordering::Relaxed);
        let began = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for caller in 0..callers {
            let (queue, run) = (self.queue.clone(), self.run);
            tasks.spawn(async move {
                let mut n = 0_u64;
                while began.elapsed() < span {
                    let name = format!("r{run}c{caller}n{n}@acme.example");
                    let (done, answer) = oneshot::channel();
                    let document = requests::user(&name);
                    queue.send(Create { name, document, done }).await.ok().context("the writer ended")?;
                    answer.await.context("a create was not committed")?;
                    n += 1;
                }
                anyhow::Ok(n)
            });
        }
        let mut count = 0_u64;
        while let Some(made) = tasks.join_next().await {
            count += made??;
        }
        let took = began.elapsed();
        let commits = self.made.load(Ordering::Relaxed) - commits;
        #[expect(clippy::cast_precision_loss, reason = "counts of a bench are small")]
        let (count, commits) = (count as f64, commits as f64);
        Ok(Commits { rate: count / took.as_secs_f64(), group: count / commits.max(1.0) })
    }
}

fn writer(db: &Connection, mut waiting: mpsc::Receiver<Create>, made: &AtomicU64) {
    let mut group = Vec::new();
    while waiting.blocking_recv_many(&mut group, 256) > 0 {
        let written = db
            .execute_batch("BEGIN IMMEDIATE")
            .and_then(|()| group.iter().try_for_each(|create| write(db, &create.name, &create.document)))
            .and_then(|()| db.execute_batch("COMMIT"));
        if written.is_err() {
            return;
        }
        made.fetch_add(1, Ordering::Relaxed);
        for create in group.drain(..) {
            // A caller whose time is over does not wait any more.
            let _ = create.done.send(());
        }
    }
}

fn write(db: &Connection, name: &str, document: &str) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO users (name, document) VALUES (?1, ?2)")?
        .execute(params![name, document])?;
    db.prepare_cached("INSERT INTO log (document) VALUES (?1)")?.execute(params![document])?;
    Ok(())
}
