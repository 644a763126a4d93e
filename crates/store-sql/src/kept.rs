//! Tells a keeper of reads what each commit touched, and whether another process commits too.
//!
//! A database that can say by a [`Stamp`] that nothing was committed since lets reads be kept. The rule: `seen` is a stamp all of
//! whose commits the keeper was told of. While the stamp on the disk is that one, nothing is stale. Own commits move `seen` on
//! where the stamp shows that only they were made; in all other cases the journal's head tells whether somebody else wrote to
//! the directory, since each such write leaves a record.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axon_model::RecordSeq;
use axon_store::kept::{Fresh, Keeper, Touched};

use crate::database::Database;
use crate::journal;

/// What the database's own log says of its end: equal stamps, equal contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Grows by one with each commit that wrote.
    pub commits: u32,
    /// What tells one end from another.
    pub end: [u8; 40],
}

/// The keeper, and up to where it was told.
#[derive(Default)]
pub(crate) struct Kept {
    keeper: OnceLock<Arc<dyn Keeper>>,
    /// Our own writer is between the beginning of a transaction and the telling.
    writing: AtomicBool,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    /// All that this stamp holds was told; none at the start and after doubts.
    seen: Option<Stamp>,
    /// All records up to this one were told.
    upto: RecordSeq,
    /// Moves with each change, so that a look that took long changes nothing.
    turn: u64,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kept")
    }
}

impl Kept {
    /// Takes the one keeper. False where there is one.
    pub fn set(&self, keeper: Arc<dyn Keeper>) -> bool {
        self.keeper.set(keeper).is_ok()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before a group is written, under the database's lock: the stamp from which `after` counts. `head` is the journal's end.
    pub fn before<D: Database>(&self, database: &D, head: RecordSeq) -> Option<Stamp> {
        let keeper = self.keeper.get()?;
        self.writing.store(true, Ordering::SeqCst);
        if head != self.told().upto {
            keeper.forget(&Touched::anything());
            let mut told = self.told();
            told.upto = head;
            told.turn += 1;
        }
        database.stamp()
    }

    /// After a group is on the disk, before it is answered. `head` is the journal's end with it.
    pub fn after<D: Database>(
        &self,
        database: &D,
        before: Option<Stamp>,
        touched: &Touched,
        head: RecordSeq,
    ) {
        let Some(keeper) = self.keeper.get() else { return };
        if !touched.is_empty() {
            keeper.forget(touched);
        }
        let now = database.stamp();
        {
            let mut told = self.told();
            let wrote = head != told.upto;
            told.upto = head;
            told.turn += 1;
            // A group without a record may have written or not: then the next look finds out whose the commit was.
            if let (Some(before), Some(now), true) = (before, now, wrote)
                && now.commits == before.commits.wrapping_add(1)
            {
                told.seen = Some(now);
            }
        }
        self.writing.store(false, Ordering::SeqCst);
    }

    /// After a group whose end is not known.
    pub fn in_doubt(&self) {
        let Some(keeper) = self.keeper.get() else { return };
        keeper.forget(&Touched::anything());
        let mut told = self.told();
        told.seen = None;
        told.turn += 1;
        drop(told);
        self.writing.store(false, Ordering::SeqCst);
    }
}

/// For how long a look at the stamp holds for the reads behind it: shorter than the way of an answer of the other process to its
/// client and of that client's next request to here. A look is a system call, and reads come by the hundred thousand.
const HOLDS: Duration = Duration::from_micros(50);

/// Looks for commits that the keeper was not told of.
pub(crate) struct Watch<D> {
    kept: Arc<Kept>,
    database: Arc<D>,
    began: Instant,
    /// Until when the last look holds, in nanoseconds since `began`.
    until: AtomicU64,
}

impl<D: Database> Watch<D> {
    pub fn new(kept: Arc<Kept>, database: Arc<D>) -> Self {
        Self { kept, database, began: Instant::now(), until: AtomicU64::new(0) }
    }

    fn nanos(&self, ahead: Duration) -> u64 {
        u64::try_from((self.began.elapsed() + ahead).as_nanos()).unwrap_or(u64::MAX)
    }
}

#[async_trait]
impl<D: Database> Fresh for Watch<D> {
    fn is_current(&self) -> bool {
        // While our own writer is at it, a read from the store may show what is not told yet, and none behind it may show less.
        let looked_just_now = self.nanos(Duration::ZERO) < self.until.load(Ordering::Acquire);
        if looked_just_now && !self.kept.writing.load(Ordering::SeqCst) {
            return true;
        }
        let until = self.nanos(HOLDS);
        let now = self.database.stamp();
        let is_current = now.is_some() && now == self.kept.told().seen;
        self.until.store(if is_current { until } else { 0 }, Ordering::Release);
        is_current
    }

    async fn look(&self) {
        let Some(keeper) = self.kept.keeper.get() else { return };
        let turn = self.kept.told().turn;
        if self.kept.writing.load(Ordering::SeqCst) {
            return;
        }
        // The stamp first: what the head tells then is at least as new as it.
        let Some(stamp) = self.database.stamp() else { return };
        let Ok(mut session) = self.database.reader().await else { return };
        let head = journal::head(&mut *session).await;
        session.close().await;
        let Ok(head) = head else { return };
        let mut told = self.kept.told();
        if told.turn != turn || self.kept.writing.load(Ordering::SeqCst) {
            return;
        }
        if head.seq != told.upto {
            keeper.forget(&Touched::anything());
        }
        told.upto = head.seq;
        told.seen = Some(stamp);
        told.turn += 1;
    }
}
