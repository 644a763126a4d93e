//! What was asked for beside the role map, as the store has it: followed by the records that changed it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_mapping::Beside;
use axon_model::{
    AccessRequest, AccessRequestId, AccessState, Asked, Delta, Directory, RecordSeq, UserId, Whom,
};
use axon_reconcile::Retry;
use axon_scim::compare::fold;
use axon_store::{AccessEnd, Act, Since, Store, StoreError};
use time::OffsetDateTime;

/// For how long the end of a role for a while may take.
const LINGERS: time::Duration = time::Duration::days(1);

/// Records looked at in one go, where what was before this process is looked for.
const SOME: u32 = 2_000;

/// The requests that stand, in memory.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    standing: BTreeMap<AccessRequestId, AccessRequest>,
    /// Roles for a while that came into force and ended.
    over: BTreeMap<AccessRequestId, AccessRequest>,
    beside: Arc<Beside>,
    read: RecordSeq,
    /// Requests to read as another of whose two people one left since, with who that is: whoever comes back before anybody looked
    /// has left all the same. They count no more, and stay here until their end is on record.
    left: BTreeMap<AccessRequestId, String>,
    /// Those of which it is not known yet who left between their record and the look that found them.
    unlooked: BTreeSet<AccessRequestId>,
    /// Whether `beside` has to follow.
    behind: bool,
}

impl Requests {
    /// What evaluations need.
    pub fn beside(&self) -> &Arc<Beside> {
        &self.beside
    }

    /// Up to which record requests were taken in.
    pub fn upto(&self) -> RecordSeq {
        self.read
    }

    /// Whether the store has something that is not known here.
    pub async fn moved(&self, store: &dyn Store) -> Result<bool, StoreError> {
        Ok(!store.access_requests(self.read).await?.is_empty())
    }

    /// Takes in what the store has since the last look, and who left by records that were read before a request was. True where
    /// evaluations have to follow.
    pub async fn follow(&mut self, store: &dyn Store, directory: &Directory) -> Result<bool, StoreError> {
        let news = store.access_requests(self.read).await?;
        let mut offboarded = Vec::new();
        for request in news {
            self.read = self.read.max(request.record);
            self.behind = true;
            if request.asked == Asked::Offboard && came_into_force(request.state) {
                offboarded.push((request.record, request.whom.clone()));
            }
            if request.state.stands() {
                if matches!(request.asked, Asked::Impersonate { .. }) {
                    self.unlooked.insert(request.id);
                }
                self.standing.insert(request.id, request);
            } else {
                self.standing.remove(&request.id);
                self.left.remove(&request.id);
                if request.until.is_some() {
                    self.over.insert(request.id, request);
                }
            }
        }
        for (record, whom) in &offboarded {
            self.note(*record, |one| same(one, whom));
        }
        self.look_back(store, directory.position()).await?;
        if !std::mem::take(&mut self.behind) {
            return Ok(false);
        }
        let counts = |request: &&AccessRequest| !self.left.contains_key(&request.id);
        let beside = Beside::of(self.standing.values().filter(counts));
        let moved = beside != *self.beside;
        if moved {
            self.beside = Arc::new(beside);
        }
        Ok(moved)
    }

    /// Takes in a change of the directory, before the directory does.
    pub fn take_in(&mut self, before: &Directory, delta: &Delta, record: RecordSeq) {
        if self.standing.is_empty() {
            return;
        }
        let leaver = leaver(delta).filter(|id| before.user(*id).is_some_and(|user| user.active));
        if let Some(leaver) = leaver {
            self.note(record, |whom| has(whom, leaver));
        }
    }

    /// The directory was read anew, and not moved by what changed: who left meanwhile is looked for.
    pub fn reloaded(&mut self) {
        let acts = |request: &&AccessRequest| matches!(request.asked, Asked::Impersonate { .. });
        self.unlooked = self.standing.values().filter(acts).map(|request| request.id).collect();
    }

    /// Somebody left by this record.
    fn note(&mut self, record: RecordSeq, is: impl Fn(&Whom) -> bool) {
        for request in self.standing.values() {
            let Some(gone) = people(request).into_iter().flatten().find(|whom| is(whom)) else { continue };
            if request.record < record && !self.left.contains_key(&request.id) {
                self.left.insert(request.id, words_of(gone));
                self.behind = true;
            }
        }
    }

    /// Looks for who left after requests were made and before they were known here: by records that were taken in already, or
    /// that another process was there for.
    async fn look_back(&mut self, store: &dyn Store, upto: RecordSeq) -> Result<(), StoreError> {
        let made = |id| self.standing.get(id).map(|request: &AccessRequest| request.record);
        let Some(first) = self.unlooked.iter().filter_map(made).min() else {
            self.unlooked.clear();
            return Ok(());
        };
        let mut at = first;
        while at < upto {
            let since = match store.deltas_since(at, SOME).await {
                // What cannot be read now or ever must not stop every target of the process.
                Err(error) if error.retry() == Retry::Never => Since::Reload,
                other => other?,
            };
            match since {
                Since::Deltas { deltas, upto: read } => {
                    for (record, leaver) in
                        deltas.iter().filter_map(|(seq, delta)| Some((*seq, leaver(delta)?)))
                    {
                        self.note(record, |whom| has(whom, leaver));
                    }
                    if read <= at {
                        break;
                    }
                    at = read;
                }
                // What was said since is erased, or cannot be read: nobody can tell that both stayed, and to ask again costs little.
                Since::Reload => {
                    for id in &self.unlooked {
                        self.left.entry(*id).or_insert_with(|| UNTOLD.to_owned());
                    }
                    self.behind = true;
                    break;
                }
            }
        }
        self.unlooked.clear();
        Ok(())
    }

    /// Roles for a while that gave something and give nothing any more.
    pub fn ended(&self, now: OffsetDateTime) -> impl Iterator<Item = &AccessRequest> {
        let over = self.standing.values().filter(move |r| r.until.is_some_and(|until| until <= now));
        // What lingers longer has another reason.
        let lately = move |r: &&AccessRequest| r.ended.as_ref().is_some_and(|ended| now - ended.at < LINGERS);
        over.chain(self.over.values().filter(lately))
    }

    /// Says in the journal that those are over whose time has come, and that nobody reads as another any more where either of the
    /// two left: who comes back has to ask again. What they gave is not given any more whether or not this can be written.
    pub async fn end(&self, store: &dyn Store, directory: &Directory, act: &Act) -> Result<(), StoreError> {
        let over = |request: &&AccessRequest| {
            request.state == AccessState::InForce && request.until.is_some_and(|until| until <= act.now)
        };
        for request in self.standing.values().filter(over) {
            let words = "its time is over".to_owned();
            if store.end_access(request.id, AccessEnd::Elapse, words, act.clone()).await?.is_some() {
                tracing::info!(request.id = %request.id, "the time of a request is over");
            }
        }
        let noted = self.left.iter().map(|(request, words)| (*request, words.clone()));
        let all: BTreeMap<AccessRequestId, String> = self.left_by_somebody(directory).chain(noted).collect();
        for (request, words) in all {
            if store.end_access(request, AccessEnd::Lift, words, act.clone()).await?.is_some() {
                tracing::info!(request.id = %request, "somebody left who reads as another, or is read as");
            }
        }
        Ok(())
    }

    /// The requests to read as another of whose two people one is not here any more, with who that is.
    fn left_by_somebody(&self, directory: &Directory) -> impl Iterator<Item = (AccessRequestId, String)> {
        self.standing.values().filter_map(|request| {
            // What is newer than the directory may be about somebody whom it does not know yet.
            let known = |who: &Whom| {
                request.record <= directory.position()
                    || who.records.iter().any(|record| directory.user(record.id).is_some())
            };
            let left = |who: &&Whom| known(who) && !self.beside.is_here(directory, who);
            let gone = people(request)?.into_iter().find(left)?;
            Some((request.id, words_of(gone)))
        })
    }
}

/// What is said where records are gone that would tell who left.
const UNTOLD: &str = "records were erased that would tell whether either of the two left";

fn words_of(gone: &Whom) -> String {
    format!("{} left", axon_model::name::shown(&gone.user_name))
}

/// The two of a request to read as another.
fn people(request: &AccessRequest) -> Option<[&Whom; 2]> {
    match &request.asked {
        Asked::Impersonate { person, .. } => Some([&request.whom, person]),
        Asked::Offboard | Asked::Grant { .. } => None,
    }
}

/// Whose record is not an active person's after it. Who is inactive in one source is inactive.
fn leaver(delta: &Delta) -> Option<UserId> {
    match delta {
        Delta::UserPut { user } => (!user.active).then_some(user.id),
        Delta::UserRemoved { id } => Some(*id),
        _ => None,
    }
}

fn has(whom: &Whom, id: UserId) -> bool {
    whom.records.iter().any(|record| record.id == id)
}

/// Whether two mean one person: by a record, or by the name in a source that both may mean.
fn same(a: &Whom, b: &Whom) -> bool {
    let sources = a.source.as_ref().zip(b.source.as_ref());
    let named = fold(&a.user_name) == fold(&b.user_name) && sources.is_none_or(|(a, b)| a == b);
    named || b.records.iter().any(|record| has(a, record.id))
}

/// Whether it counted at some time.
fn came_into_force(state: AccessState) -> bool {
    match state {
        AccessState::InForce | AccessState::Lifted | AccessState::Over => true,
        AccessState::Proposed | AccessState::Rejected | AccessState::Expired => false,
    }
}
