//! Who is who: Microsoft Graph gives object ids by name and names by object id. What it said is kept for a while, with its age.

mod ask;
mod entry;
mod federation;
mod ids;
mod meaning;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axon_model::Clock;
use axon_model::name::shown;
use time::{Duration, OffsetDateTime};

pub use entry::{Entry, EntryKind};
pub use federation::{Credential, Federation, Presented};
pub use ids::ServiceIds;

use crate::cloud::Base;
use crate::guid::Guid;
use crate::service::{Bearer, Kind, Service, ServiceFault};
use crate::wire::Wire;

/// How long what was found is believed.
const FOUND: Duration = Duration::hours(1);
/// How long what was not found is not asked for again; longer where that is much, or each minute would be full of it.
const MISSED: Duration = Duration::minutes(1);
const MANY_MISSED: Duration = Duration::minutes(10);
const MANY: usize = 200;
/// How long Graph is not asked for anything after it said that it may not be asked.
const DENIED: Duration = Duration::minutes(5);
/// The most that is kept; beyond it what is oldest goes.
const MOST_KEPT: usize = 200_000;

/// What somebody is looked for by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clue {
    /// A person, by userPrincipalName (or by mail, as guests are named).
    Person(String),
    /// A group, by displayName.
    Group(String),
    /// An application or managed identity, by displayName.
    Service(String),
    /// An application or managed identity, by client id.
    Client(Guid),
}

/// What came of looking for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// This one.
    One(Entry),
    /// Nobody.
    Nobody,
    /// Nobody any more: somebody of that name was deleted.
    Deleted(Deleted),
    /// Several of the same name: which one is meant must be said.
    Several(Vec<Entry>),
}

/// Somebody who was deleted, and can be restored for thirty days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// Its object id.
    pub id: Guid,
    /// When, where that is told.
    pub at: Option<String>,
}

/// What is to be said of an object id that the directory does not have.
pub(crate) fn gone(deleted: Option<&Deleted>) -> String {
    match deleted {
        Some(Deleted { at, .. }) => {
            let at = at.as_ref().map_or_else(String::new, |at| format!(" at {}", shown(at)));
            format!(
                "which was deleted{at}: it can be restored for 30 days, and a new one of that name is another one"
            )
        }
        None => "which the directory does not have: deleted for good, or of another tenant".to_owned(),
    }
}

impl Found {
    /// The one that was found, or why there is none to be given anything.
    pub fn usable(&self, clue: &Clue) -> Result<&Entry, String> {
        match self {
            Self::One(entry) => match entry.unusable() {
                Some(why) => Err(format!("{} {why}", clue.words())),
                None => Ok(entry),
            },
            Self::Nobody => Err(format!(
                "{} is not in the directory: check the name, and that Axon asks the right tenant",
                clue.words()
            )),
            Self::Deleted(deleted) => {
                Err(format!("{} has the object id {}, {}", clue.words(), deleted.id, gone(Some(deleted))))
            }
            Self::Several(entries) => {
                let list: Vec<String> = entries.iter().take(10).map(Entry::told).collect();
                let more = entries.len().saturating_sub(list.len());
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                Err(format!(
                    "{} stands for {} in the directory, {}{more}: say which by its object id",
                    clue.words(),
                    entries.len(),
                    list.join("; ")
                ))
            }
        }
    }
}

impl Clue {
    fn words(&self) -> String {
        match self {
            Self::Person(name) => format!("person {}", shown(name)),
            Self::Group(name) => format!("group {}", shown(name)),
            Self::Service(name) => format!("service identity {}", shown(name)),
            Self::Client(id) => format!("the application with client id {id}"),
        }
    }
}

#[derive(Default)]
struct Kept {
    clues: BTreeMap<Clue, (Found, OffsetDateTime)>,
    ids: BTreeMap<Guid, (Option<Entry>, OffsetDateTime)>,
    /// How many of `clues` found nobody.
    missed: usize,
    denied: Option<(ServiceFault, OffsetDateTime)>,
}

impl Kept {
    fn age(&self, found: bool) -> Duration {
        match found {
            true => FOUND,
            false if self.missed > MANY => MANY_MISSED,
            false => MISSED,
        }
    }

    /// What Graph said of its own permissions a while ago.
    fn denied(&self, now: OffsetDateTime) -> Result<(), ServiceFault> {
        let denied = self.denied.as_ref().filter(|(_, at)| now - *at < DENIED);
        denied.map_or(Ok(()), |(fault, _)| Err(fault.clone()))
    }

    fn note<T>(&mut self, answer: Result<T, ServiceFault>, now: OffsetDateTime) -> Result<T, ServiceFault> {
        if let Err(fault) = &answer
            && fault.kind() == Some(Kind::Forbidden)
        {
            self.denied = Some((fault.clone(), now));
        }
        answer
    }
}

/// The directory as Graph shows it.
pub struct Entra {
    service: Service,
    kept: Mutex<Kept>,
}

impl Entra {
    /// The directory behind this address. Nothing is asked yet.
    pub fn new(graph: &Base, wire: Wire, bearer: Bearer, clock: Arc<dyn Clock>) -> Self {
        let base = graph.clone();
        let service = Service::new("Microsoft Graph", base, wire, bearer, clock, meaning::told_apart);
        Self { service, kept: Mutex::default() }
    }

    /// The service behind it, for those who read more of it.
    pub(crate) fn service(&self) -> &Service {
        &self.service
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for somebody, as far as that is not known yet. The instant is that of Graph's word.
    pub(crate) async fn find(&self, clue: &Clue) -> Result<(Found, OffsetDateTime), ServiceFault> {
        let now = self.service.clock.now();
        {
            let kept = self.kept();
            if let Some((found, at)) = kept.clues.get(clue)
                && now - *at < kept.age(matches!(found, Found::One(_)))
            {
                return Ok((found.clone(), *at));
            }
            kept.denied(now)?;
        }
        let asked = ask::find(&self.service, clue).await;
        let mut kept = self.kept();
        let found = kept.note(asked, now)?;
        if let Found::One(entry) = &found {
            kept.ids.insert(entry.id, (Some(entry.clone()), now));
        }
        if kept.clues.len() >= MOST_KEPT {
            kept.clues.clear();
            kept.missed = 0;
        }
        let missed = |found: &Found| usize::from(!matches!(found, Found::One(_)));
        let (now_missed, before) = (missed(&found), kept.clues.insert(clue.clone(), (found.clone(), now)));
        let before = before.map_or(0, |(found, _)| missed(&found));
        kept.missed = (kept.missed + now_missed).saturating_sub(before);
        Ok((found, now))
    }

    /// Who has these object ids, as far as that is not known yet. Who is not in the answer is in no directory, or deleted.
    pub(crate) async fn by_ids(
        &self,
        ids: &BTreeSet<Guid>,
    ) -> Result<BTreeMap<Guid, Option<Entry>>, ServiceFault> {
        let now = self.service.clock.now();
        let mut known = BTreeMap::new();
        let mut open = Vec::new();
        {
            let kept = self.kept();
            for id in ids {
                match kept.ids.get(id) {
                    Some((entry, at)) if now - *at < kept.age(entry.is_some()) => {
                        known.insert(*id, entry.clone());
                    }
                    _ => open.push(*id),
                }
            }
            if !open.is_empty() {
                kept.denied(now)?;
            }
        }
        for chunk in open.chunks(ask::MOST_IDS) {
            let asked = ask::by_ids(&self.service, chunk).await;
            let mut kept = self.kept();
            let found = kept.note(asked, now)?;
            if kept.ids.len() >= MOST_KEPT {
                kept.ids.clear();
            }
            for id in chunk {
                let entry = found.get(id).cloned();
                kept.ids.insert(*id, (entry.clone(), now));
                known.insert(*id, entry);
            }
        }
        Ok(known)
    }

    /// The deleted object of an id, if there is one that can be restored. Where Axon may not look there, none.
    pub(crate) async fn deleted(&self, id: Guid) -> Result<Option<Deleted>, ServiceFault> {
        ask::deleted(&self.service, id).await
    }

    /// When Graph last showed the object of this id, as far as that is known.
    pub(crate) fn said_at(&self, id: Guid) -> Option<OffsetDateTime> {
        self.kept().ids.get(&id).filter(|(entry, _)| entry.is_some()).map(|(_, at)| *at)
    }

    /// Forgets what was found, so that the next look asks again: somebody was said not to exist.
    pub(crate) fn forget(&self, id: Guid) {
        let mut kept = self.kept();
        kept.ids.remove(&id);
        kept.clues.retain(|_, (found, _)| !matches!(found, Found::One(entry) if entry.id == id));
    }
}

#[cfg(test)]
mod tests;
