//! Users that were read lately, ready to be answered without asking the store.
//!
//! ```text
//!  GET ──> kept and current? ── yes ──> head + address + groups, no statement
//!                            └─ no ───> store ──> kept, unless something was committed meanwhile
//!  commit ──> forget what it touched ──> answer the writes      (the store calls, see `axon_store::kept`)
//! ```
//!
//! Never stale for whoever saw a write answered: the store tells what a commit touched before it answers, a read that began
//! before that is not kept ([`Reading`]), and what another process commits is noticed within 50 microseconds. Each user is shown to the
//! source that pushed it alone.

mod kept;
mod shelf;

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axon_model::{GroupId, SourceId, UserId};
use axon_store::StoredUser;
use axon_store::kept::{Fresh, Keeper, Touched};

pub use self::kept::KeptUser;
use self::kept::{Element, element, group_of};
use self::shelf::Shelf;

/// How many parts are locked each by itself.
const PARTS: usize = 16;
/// Past so many names of groups, those that no kept user shows are dropped.
const MANY_NAMES: usize = 50_000;

type Part = Shelf<UserId, KeptUser>;

/// The users that are kept.
pub struct Reads {
    parts: [Mutex<Part>; PARTS],
    /// From the hash of a source and a folded `userName`; what is found is compared.
    by_name: [Mutex<HashMap<u64, UserId>>; PARTS],
    groups: Mutex<HashMap<GroupId, Element>>,
    /// Grows whenever one of them holds no longer, after it was taken out.
    names: AtomicU64,
    hash: RandomState,
    /// Grows with each forgetting.
    generation: AtomicU64,
    fresh: OnceLock<Arc<dyn Fresh>>,
}

/// A read that began while everything kept was current.
#[derive(Debug, Clone, Copy)]
pub struct Reading(u64);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reads {
    /// Keeps at most about so many bytes, and nothing until [`Reads::begin_with`].
    pub fn new(bytes: usize) -> Self {
        Self {
            parts: std::array::from_fn(|_| Mutex::new(Shelf::new(bytes / PARTS))),
            by_name: std::array::from_fn(|_| Mutex::default()),
            groups: Mutex::default(),
            names: AtomicU64::new(0),
            hash: RandomState::new(),
            generation: AtomicU64::new(0),
            fresh: OnceLock::new(),
        }
    }

    /// Begins to keep, where the store tells of every commit.
    pub fn begin_with(&self, fresh: Option<Arc<dyn Fresh>>) {
        if let Some(fresh) = fresh {
            // A second one would be of another store.
            let _ = self.fresh.set(fresh);
        }
    }

    fn part(&self, id: UserId) -> &Mutex<Part> {
        // The last byte of a UUIDv7 is random.
        &self.parts[usize::from(id.as_uuid().as_bytes()[15]) % PARTS]
    }

    fn name_hash(&self, source: &SourceId, key: &str) -> u64 {
        self.hash.hash_one((source.as_str(), key))
    }

    fn name_part(&self, hash: u64) -> &Mutex<HashMap<u64, UserId>> {
        &self.by_name[usize::try_from(hash % PARTS as u64).unwrap_or(0)]
    }

    fn is_current(&self) -> bool {
        self.fresh.get().is_some_and(|fresh| fresh.is_current())
    }

    /// Shows a user of a source, if it is kept and nothing has changed since. It is shown where it stands: to take a share of it
    /// would be a wait for memory of its own, before which no other may begin.
    pub fn user<T>(&self, source: &SourceId, id: UserId, show: impl FnOnce(&KeptUser) -> T) -> Option<T> {
        if !self.is_current() {
            return None;
        }
        let mut part = locked(self.part(id));
        let found = part.get(id)?;
        if self.holds(found) {
            return (found.source == *source).then(|| show(found));
        }
        part.remove(id);
        None
    }

    /// Whether the groups that a user shows have their names still.
    fn holds(&self, user: &KeptUser) -> bool {
        // First: a name that goes after this is of the next edition.
        let edition = self.names.load(Ordering::Acquire);
        user.holds(edition, |shown| {
            group_of(shown).is_some_and(|id| {
                locked(&self.groups).get(&id).is_some_and(|element| Arc::ptr_eq(element, shown))
            })
        })
    }

    /// Shows the user of a source with this folded `userName`, as [`Reads::user`].
    pub fn named<T>(&self, source: &SourceId, key: &str, show: impl FnOnce(&KeptUser) -> T) -> Option<T> {
        let hash = self.name_hash(source, key);
        let id = *locked(self.name_part(hash)).get(&hash)?;
        self.user(source, id, |found| (found.name_key() == key).then(|| show(found))).flatten()
    }

    /// Before a read of the store whose outcome is to be kept.
    pub async fn begin(&self) -> Option<Reading> {
        let fresh = self.fresh.get()?;
        let reading = Reading(self.generation.load(Ordering::SeqCst));
        if fresh.is_current() {
            return Some(reading);
        }
        fresh.look().await;
        let reading = Reading(self.generation.load(Ordering::SeqCst));
        fresh.is_current().then_some(reading)
    }

    /// Keeps a user that was read with its groups, unless something was forgotten since the read began.
    pub fn keep(&self, reading: Reading, source: &SourceId, stored: &StoredUser, name_key: &str) {
        let Some(groups) = &stored.groups else { return };
        let edition = self.names.load(Ordering::Acquire);
        let groups = {
            let mut known = locked(&self.groups);
            if known.len() > MANY_NAMES {
                known.retain(|_, name| Arc::strong_count(name) > 1);
            }
            groups.iter().map(|group| self.shared(&mut known, group.id, &group.display)).collect()
        };
        let Some(user) = KeptUser::of(source, stored, name_key, groups, edition) else { return };
        let (bytes, hash) = (user.bytes(), self.name_hash(source, name_key));
        let gone = {
            let mut part = locked(self.part(stored.id));
            if self.generation.load(Ordering::SeqCst) != reading.0 {
                return;
            }
            part.put(stored.id, user, bytes)
        };
        locked(self.name_part(hash)).insert(hash, stored.id);
        for other in gone.iter().filter(|other| other.id != stored.id) {
            self.unname(other);
        }
    }

    /// The one element of a group that all its users share.
    fn shared(&self, known: &mut HashMap<GroupId, Element>, id: GroupId, display: &str) -> Element {
        let new = element(id, display);
        match known.get(&id) {
            Some(old) if *old == new => old.clone(),
            old => {
                let was_other = old.is_some();
                known.insert(id, new.clone());
                if was_other {
                    self.names.fetch_add(1, Ordering::AcqRel);
                }
                new
            }
        }
    }

    fn unname(&self, user: &KeptUser) {
        let hash = self.name_hash(&user.source, user.name_key());
        let mut names = locked(self.name_part(hash));
        if names.get(&hash) == Some(&user.id) {
            names.remove(&hash);
        }
    }

    fn forget_user(&self, id: UserId) {
        let gone = locked(self.part(id)).remove(id);
        if let Some(gone) = gone {
            self.unname(&gone);
        }
    }

    fn forget_all(&self) {
        self.parts.iter().for_each(|part| locked(part).clear());
        self.by_name.iter().for_each(|names| locked(names).clear());
        locked(&self.groups).clear();
        self.names.fetch_add(1, Ordering::AcqRel);
    }
}

impl Keeper for Reads {
    fn forget(&self, touched: &Touched) {
        // First: a read that began before this must not be kept after it.
        self.generation.fetch_add(1, Ordering::SeqCst);
        if touched.all {
            self.forget_all();
            return;
        }
        if !touched.groups.is_empty() {
            let mut known = locked(&self.groups);
            let were = known.len();
            touched.groups.iter().for_each(|group| drop(known.remove(group)));
            if known.len() != were {
                self.names.fetch_add(1, Ordering::AcqRel);
            }
        }
        touched.users.iter().for_each(|id| self.forget_user(*id));
    }
}
