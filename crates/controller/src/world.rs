//! The directory in memory and what each target ought to hold by it, moved by the journal's deltas.

mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_audit::payload::{Cause, LeftBy};
use axon_mapping::identity::{Sights, SourceClaims};
use axon_mapping::{
    Beside, Claimant, Evaluator, Identity, Moved, Pending, RoleMap, Surroundings, TargetName, Touched,
};
use axon_model::{Delta, Directory, RecordSeq, SourceId, SqlName, UserId};
use axon_reconcile::{Grant, GrantKey, Graph, Scope, Shape, Step, Tied};
use axon_store::{Act, HoldEnd, Since, Store, StoreError};
use time::{Duration, OffsetDateTime};

use crate::behind::Behind;
use crate::names::{Names, held_breach};
use crate::requests::Requests;
use crate::stirred::Stirred;
use trace::{Trace, concerned, recorded};

/// Records looked at in one go.
const SOME: u32 = 2_000;
/// Holds opened and ended at one look: a mass change fills the list piece by piece, and blocks no writer.
const HOLDS: usize = 1_000;
/// Past this many, single causes are not kept: it is a mass change, and the journal has all of it.
const MOST_TRACED: usize = 50_000;

/// The directory, and an evaluator for each target that has been read.
#[derive(Debug, Default)]
pub struct World {
    directory: Directory,
    names: Names,
    /// For how long holds wait; for ever, if there is no such time.
    hold_for: Option<Duration>,
    loaded: bool,
    /// Users that were taken in and not looked at yet: some may be others than they were. They outlast a store that stops
    /// answering halfway.
    unlooked: BTreeSet<UserId>,
    targets: BTreeMap<TargetName, Watched>,
    requests: Requests,
    /// Why users of people who left are dropped, by target.
    buried: BTreeMap<TargetName, BTreeMap<SqlName, Cause>>,
}

/// One target's side of the world.
#[derive(Debug)]
struct Watched {
    evaluator: Evaluator,
    shape: Arc<Shape>,
    untouchable: BTreeSet<SqlName>,
    map: Arc<RoleMap>,
    trace: Trace,
    /// Names that lost their last person since the target's last look.
    gone: Vec<SqlName>,
    /// Whose attributes or groups changed.
    stirred: Stirred,
    /// Who took last what moved: whoever holds the same knows all that moved before.
    look: Look,
}

/// One look at what moved in a target's desired side.
#[derive(Debug, Clone)]
pub(crate) struct Look(Arc<()>);

impl Look {
    fn new() -> Self {
        Self(Arc::new(()))
    }
}

impl PartialEq for Look {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What a target's desired side depends on besides map, directory and clock.
pub(crate) struct Around<'a> {
    /// What grants can name in the target.
    pub shape: &'a Arc<Shape>,
    /// Names given to nobody, and never touched.
    pub untouchable: &'a BTreeSet<SqlName>,
    /// Names of principals that stay managed: asked for only where everything is computed anew.
    pub known: &'a (dyn Fn() -> BTreeSet<SqlName> + Sync),
}

/// Where a record of somebody stands in the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Whoever it is may be in.
    In,
    /// Inactive, or offboarded.
    Out,
    /// No such record.
    Gone,
}

/// What came of keeping what was found out about names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    /// Whether names were bound, perhaps to others than was thought: what is wanted has to be asked anew.
    pub bound: bool,
    /// Whether more holds are to be opened or ended at the next look.
    pub more: bool,
    /// When the next hold expires.
    pub expires: Option<OffsetDateTime>,
}

/// What a tick takes from the world.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// What is asked for and waits, with reasons, in order.
    pub pending: Vec<Pending>,
    /// The next instant at which what is desired changes by itself.
    pub next_change: Option<OffsetDateTime>,
    /// As of this position.
    pub position: RecordSeq,
    /// Names that lost their last person since the last look: they stay managed.
    pub gone: Vec<SqlName>,
    /// Names that several active people claim, with the roles that these would get together.
    pub contested: BTreeMap<SqlName, BTreeSet<SqlName>>,
    /// What these would hold themselves.
    pub contested_grants: BTreeMap<GrantKey, Grant>,
    /// What was found out about groups' names.
    pub sights: Sights,
    /// What people are called here who were released under a name that another one had.
    pub(crate) released: BTreeSet<SqlName>,
    /// Who is behind names that may be somebody else's since the last look.
    pub(crate) behind: BTreeMap<SqlName, Behind>,
}

impl World {
    /// Knows what sources may say, and nothing else yet.
    pub fn of(claims: BTreeMap<SourceId, SourceClaims>) -> Self {
        Self { names: Names::of(claims), ..Self::default() }
    }

    /// The same, where holds that nobody answers expire.
    #[must_use]
    pub fn holding_for(mut self, hold_for: Option<Duration>) -> Self {
        self.hold_for = hold_for;
        self
    }

    /// Brings the directory up to what is committed now, and every target's desired side with it.
    pub async fn follow(&mut self, store: &dyn Store, now: OffsetDateTime) -> Result<(), StoreError> {
        if !self.loaded {
            return self.reload(store, now).await;
        }
        loop {
            match store.deltas_since(self.directory.position(), SOME).await? {
                Since::Reload => return self.reload(store, now).await,
                Since::Deltas { deltas, upto } => {
                    let caught_up = upto <= self.directory.position();
                    self.take_in(&deltas, now);
                    self.unlooked.extend(deltas.iter().filter_map(|(_, delta)| match delta {
                        Delta::UserPut { user } => Some(user.id),
                        _ => None,
                    }));
                    self.directory.advance(upto);
                    if caught_up {
                        break;
                    }
                }
            }
        }
        self.follow_names(store, now).await
    }

    /// Takes in whom names belong to now, and looks at the users that were not looked at since they were taken in.
    async fn follow_names(&mut self, store: &dyn Store, now: OffsetDateTime) -> Result<(), StoreError> {
        let moved = self.names.follow(store, &self.directory, &self.unlooked).await?;
        self.unlooked.clear();
        // At once: a store that stops answering behind it must not leave evaluations with whom names belonged to before.
        if moved {
            for watched in self.targets.values_mut() {
                let touched = watched.evaluator.set_identity(self.names.identity());
                if !touched.is_empty() {
                    watched.gone.extend(watched.evaluator.apply(&self.directory, &touched, now));
                }
            }
        }
        if self.requests.follow(store, &self.directory).await? {
            for watched in self.targets.values_mut() {
                let touched = watched.evaluator.set_beside(self.requests.beside(), &self.directory);
                if !touched.is_empty() {
                    watched.gone.extend(watched.evaluator.apply(&self.directory, &touched, now));
                }
            }
        }
        Ok(())
    }

    /// Whether something was said of names, holds or requests after this record, known here or not.
    pub(crate) async fn names_moved(&self, seen: RecordSeq, store: &dyn Store) -> Result<bool, StoreError> {
        Ok(self.names_upto() > seen || self.names.moved(store).await? || self.requests.moved(store).await?)
    }

    /// Whether a person said something of holds or requests after this record, known here or not. A name that nobody has any more, as
    /// each deletion leaves one, is no such word.
    pub(crate) async fn answers_moved(&self, seen: RecordSeq, store: &dyn Store) -> Result<bool, StoreError> {
        let known = self.names.holds_upto().max(self.requests.upto());
        Ok(known > seen || self.names.holds_moved(store).await? || self.requests.moved(store).await?)
    }

    /// Whether there are requests after this record, known here or not: all targets share what is known here, and each has to look.
    pub(crate) async fn requests_moved(
        &self,
        seen: RecordSeq,
        store: &dyn Store,
    ) -> Result<bool, StoreError> {
        Ok(self.requests.upto() > seen || self.requests.moved(store).await?)
    }

    /// Up to which record names, holds and requests were taken in.
    pub(crate) fn names_upto(&self) -> RecordSeq {
        self.names.upto().max(self.requests.upto())
    }

    /// What stands beside the map.
    pub fn beside(&self) -> &Arc<Beside> {
        self.requests.beside()
    }

    /// Says in the journal that roles for a while are over whose time has come.
    pub(crate) async fn end_requests(&self, store: &dyn Store, act: &Act) -> Result<(), StoreError> {
        self.requests.end(store, &self.directory, act).await
    }

    /// Keeps what was found out about names: binds those that were seen for the first time, opens and closes holds.
    pub(crate) async fn keep_sights(
        &mut self,
        store: &dyn Store,
        target: &TargetName,
        sights: &Sights,
        act: &Act,
    ) -> Result<Kept, StoreError> {
        let pins = Names::pins_for(sights, &self.directory);
        let bound = !pins.is_empty();
        if bound {
            store.bind_names(pins, act.clone()).await?;
        }
        let mut wanted = self.names.holds_for(sights, &self.directory);
        let mut mended = Vec::new();
        if let Some(watched) = self.targets.get(target) {
            let evaluator = &watched.evaluator;
            let breaches = evaluator.breaches().map(|(name, breach, told)| held_breach(name, &breach, told));
            wanted.extend(breaches.map(|hold| (hold.key.clone(), hold)));
            mended = self.names.mended(target, |seen| {
                let names = seen.users.iter().filter_map(|user| evaluator.principal_of(*user));
                names.filter_map(|name| evaluator.breach(name)).any(|breach| seen.covers(&breach))
            });
        }
        let lapsed = self.names.lapsed(target, &wanted);
        let mut unheld = self.names.unheld(wanted);
        let more = lapsed.len() > HOLDS || unheld.len() > HOLDS;
        unheld.truncate(HOLDS);
        for hold in &mut unheld {
            hold.expires = self.hold_for.map(|wait| act.now + wait);
        }
        let expired = self.names.expired(act.now);
        let holds = !lapsed.is_empty() || !unheld.is_empty() || !expired.is_empty() || !mended.is_empty();
        for id in mended.into_iter().take(HOLDS) {
            let words = "these roles come together no more".to_owned();
            store.end_hold(id, HoldEnd::Finish, words, act.clone()).await?;
        }
        for id in expired.into_iter().take(HOLDS) {
            let words = "nobody answered in time".to_owned();
            store.end_hold(id, HoldEnd::Expire, words, act.clone()).await?;
        }
        for id in lapsed.into_iter().take(HOLDS) {
            let words = "what it was about is no more".to_owned();
            store.end_hold(id, HoldEnd::Lapse, words, act.clone()).await?;
        }
        if !unheld.is_empty() {
            for hold in store.open_holds(unheld, act.clone()).await? {
                let kind = hold.held.kind.as_str();
                tracing::warn!(hold.id = %hold.id, hold.kind = kind, "a name waits for a person");
                metrics::counter!("axon_holds_opened_total", "kind" => kind).increment(1);
            }
        }
        if bound || holds {
            self.follow_names(store, act.now).await?;
        }
        Ok(Kept { bound, more, expires: self.names.next_expiry() })
    }

    /// For how long holds wait; for ever, if there is no such time.
    pub(crate) fn hold_for(&self) -> Option<Duration> {
        self.hold_for
    }

    /// Whom names belong to.
    pub fn identity(&self) -> &Arc<Identity> {
        self.names.identity()
    }

    async fn reload(&mut self, store: &dyn Store, now: OffsetDateTime) -> Result<(), StoreError> {
        self.directory = store.load_directory().await?;
        self.loaded = true;
        self.requests.reloaded();
        for watched in self.targets.values_mut() {
            // Who was there before and is not any more has left, though no record that is left says so.
            let gone = watched.evaluator.reload(&self.directory, now);
            watched.gone.extend(gone);
            watched.trace = Trace::default();
            watched.stirred = Stirred::default();
        }
        self.unlooked = self.directory.users().map(|user| user.id).collect();
        self.follow_names(store, now).await
    }

    fn take_in(&mut self, deltas: &[(RecordSeq, Delta)], now: OffsetDateTime) {
        let mut touched = Touched::default();
        for (seq, delta) in deltas {
            touched.note(&self.directory, delta);
            self.requests.take_in(&self.directory, delta, *seq);
            let users = concerned(&self.directory, delta);
            for watched in self.targets.values_mut() {
                watched.stirred.note(users.iter().copied());
                if watched.trace.users.len() < MOST_TRACED {
                    watched.trace.users.extend(users.iter().map(|id| (*id, *seq)));
                }
            }
            self.directory.apply(delta, *seq);
            // A name that is gone can be traced to its record only if the evaluator looks right after it.
            if matches!(delta, Delta::UserRemoved { .. }) {
                self.evaluate(&std::mem::take(&mut touched), Some(*seq), now);
            }
        }
        self.evaluate(&touched, deltas.last().map(|(seq, _)| *seq), now);
    }

    fn evaluate(&mut self, touched: &Touched, seq: Option<RecordSeq>, now: OffsetDateTime) {
        for watched in self.targets.values_mut() {
            for lost in watched.evaluator.apply(&self.directory, touched, now) {
                if let Some(seq) = seq {
                    watched.trace.gone.insert(lost, seq);
                }
                watched.gone.push(lost);
            }
        }
    }

    /// What a target ought to hold now is brought up to date. A new map, another catalog or other untouchable names start it
    /// anew; `known` are then the names that stay managed.
    pub(crate) fn wanted(
        &mut self,
        map: &Arc<RoleMap>,
        target: &TargetName,
        around: &Around<'_>,
        now: OffsetDateTime,
    ) -> Result<Wanted, axon_mapping::UnknownTarget> {
        let shape = around.shape;
        let anew = self.targets.get(target).is_none_or(|watched| {
            !Arc::ptr_eq(&watched.map, map) || watched.untouchable != *around.untouchable
        });
        if anew {
            let untouchable = around.untouchable.clone();
            let (trace, gone) =
                self.targets.remove(target).map(|old| (old.trace, old.gone)).unwrap_or_default();
            let mut known = (around.known)();
            known.extend(&gone);
            let around = Surroundings {
                shape: shape.clone(),
                known,
                untouchable: untouchable.clone(),
                identity: self.names.identity().clone(),
                beside: self.requests.beside().clone(),
            };
            let mut evaluator = Evaluator::new(map.clone(), target, around)?;
            evaluator.full(&self.directory, now);
            let (shape, map, look) = (shape.clone(), map.clone(), Look::new());
            let stirred = Stirred::default();
            let watched = Watched { evaluator, shape, untouchable, map, trace, gone, stirred, look };
            self.targets.insert(target.clone(), watched);
        }
        let unknown = || axon_mapping::UnknownTarget(target.to_string());
        let watched = self.targets.get_mut(target).ok_or_else(unknown)?;
        if !anew {
            if !Arc::ptr_eq(&watched.shape, shape) {
                watched.evaluator.set_shape(shape.clone());
                watched.shape = shape.clone();
            }
            // The clock alone may change what holds.
            let gone = watched.evaluator.apply(&self.directory, &Touched::default(), now);
            watched.gone.extend(gone);
        }
        let gone = std::mem::take(&mut watched.gone);
        let settled = watched.evaluator.take_settled();
        let evaluator = &watched.evaluator;
        let behind =
            settled.into_iter().map(|name| (name, Behind::of(evaluator, &self.directory, name))).collect();
        let released = self.names.released().filter_map(|user| evaluator.principal_of(user)).collect();
        // Inactive in one source is inactive: nothing is kept for such.
        let contested: BTreeMap<SqlName, BTreeSet<SqlName>> = evaluator
            .shared_names()
            .filter(|name| !evaluator.says_inactive(*name))
            .map(|name| (name, evaluator.would_give(name)))
            .collect();
        Ok(Wanted {
            pending: evaluator.pending(),
            next_change: evaluator.next_change(),
            position: self.directory.position(),
            gone,
            contested_grants: contested.keys().flat_map(|name| evaluator.would_stand(*name)).collect(),
            contested,
            sights: evaluator.sights().clone(),
            released,
            behind,
        })
    }

    /// What moved in what a target ought to hold since the look of `seen`: everything, where somebody else looked later.
    pub(crate) fn take_moved(&mut self, target: &TargetName, seen: Option<&Look>) -> Option<(Moved, Look)> {
        let watched = self.targets.get_mut(target)?;
        let mut moved = watched.evaluator.take_moved();
        moved.all |= seen != Some(&watched.look);
        watched.look = Look::new();
        Some((moved, watched.look.clone()))
    }

    /// What a target ought to hold, and what may be touched there.
    pub(crate) fn desired(&self, target: &TargetName) -> Option<(&Graph, &Scope)> {
        let evaluator = &self.targets.get(target)?.evaluator;
        Some((evaluator.graph(), evaluator.scope()))
    }

    /// What views must know of the people of a target is made of these.
    pub(crate) fn people(&self, target: &TargetName) -> Option<(&Evaluator, &Directory, &Stirred)> {
        let watched = self.targets.get(target)?;
        Some((&watched.evaluator, &self.directory, &watched.stirred))
    }

    /// The same, with the graph's index.
    pub(crate) fn tied(&mut self, target: &TargetName) -> Option<(Tied<'_>, &Scope)> {
        Some(self.targets.get_mut(target)?.evaluator.tied())
    }

    /// The directory.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Whether a source says that whoever has this name in the target is not active.
    pub fn says_inactive(&self, target: &TargetName, name: SqlName) -> bool {
        let Some(watched) = self.targets.get(target) else { return false };
        watched.evaluator.says_inactive(name)
    }

    /// Whether somebody who is active in the directory has this name in the target, or something that is in no directory.
    pub(crate) fn is_somebodys(&self, target: &TargetName, name: SqlName) -> bool {
        let watched = self.targets.get(target).into_iter();
        watched.flat_map(|watched| watched.evaluator.claimants(name)).any(|claimant| match claimant {
            Claimant::User { id, .. } => self.directory.user(*id).is_some_and(|user| user.active),
            Claimant::Group { .. } | Claimant::Service { .. } => true,
        })
    }

    /// Takes in why users are about to be dropped.
    pub(crate) fn tell_buried(&mut self, target: &TargetName, causes: BTreeMap<SqlName, Cause>) {
        if causes.is_empty() {
            self.buried.remove(target);
        } else {
            self.buried.insert(target.clone(), causes);
        }
    }

    /// Why a user is dropped of somebody who left.
    pub(crate) fn buried(&self, target: &TargetName, name: SqlName) -> Option<Cause> {
        self.buried.get(target)?.get(&name).cloned()
    }

    /// Where somebody's record stands in the directory.
    pub(crate) fn standing(&self, user: UserId) -> Standing {
        match self.directory.user(user) {
            None => Standing::Gone,
            Some(user) if user.active && self.beside().offboarding(user).is_none() => Standing::In,
            Some(_) => Standing::Out,
        }
    }

    /// By which record whoever has or had this name in the target left, and how. Of several the oldest counts.
    pub(crate) fn left_by(&self, target: &TargetName, name: SqlName) -> Option<(RecordSeq, LeftBy)> {
        let watched = self.targets.get(target)?;
        let left = watched.evaluator.claimants(name).filter_map(|claimant| {
            let Claimant::User { id, .. } = claimant else { return None };
            let user = self.directory.user(*id)?;
            let offboarded =
                self.beside().offboarding(user).map(|request| (request.record, LeftBy::Offboarded));
            let changed = self.directory.user_changed(*id).filter(|_| !user.active);
            offboarded.into_iter().chain(changed.map(|record| (record, LeftBy::Deactivated))).min()
        });
        left.min().or_else(|| {
            let record = self.traced(target, name).filter(|_| !self.is_somebodys(target, name))?;
            Some((record, LeftBy::Deleted))
        })
    }

    /// Whether whoever has this name in the target is shut out by a request.
    pub fn is_offboarded(&self, target: &TargetName, name: SqlName) -> bool {
        let Some(watched) = self.targets.get(target) else { return false };
        watched.evaluator.is_offboarded(name)
    }

    /// The sources of those who have this name in the target.
    pub(crate) fn sources_of(&self, target: &TargetName, name: SqlName) -> BTreeSet<SourceId> {
        let watched = self.targets.get(target).into_iter();
        let claimants = watched.flat_map(|watched| watched.evaluator.claimants(name));
        claimants
            .filter_map(|claimant| match claimant {
                Claimant::User { source, .. } | Claimant::Group { source, .. } => Some(source.clone()),
                Claimant::Service { .. } => None,
            })
            .collect()
    }

    /// Memberships that a request gave and gives no more: their end is no removal that a guard withholds.
    pub(crate) fn ended_extras(
        &self,
        target: &TargetName,
        now: OffsetDateTime,
    ) -> BTreeSet<(SqlName, SqlName)> {
        let Some(watched) = self.targets.get(target) else { return BTreeSet::new() };
        self.requests.ended(now).flat_map(|request| watched.evaluator.given_by(request)).collect()
    }

    /// What these people are called in the target, or were before they were deleted; with everybody else's names who left it since it was
    /// settled last. None where nothing was ever decided for it.
    pub(crate) fn called(
        &self,
        target: &TargetName,
        people: &BTreeSet<UserId>,
    ) -> Option<impl Iterator<Item = SqlName>> {
        let Watched { evaluator, gone, trace, .. } = self.targets.get(target)?;
        let named = people.iter().filter_map(|user| evaluator.principal_of(*user));
        Some(named.chain(gone.iter().copied()).chain(trace.gone.keys().copied()))
    }

    /// The record that last touched whoever has or had this name in the target.
    pub fn traced(&self, target: &TargetName, name: SqlName) -> Option<RecordSeq> {
        let watched = self.targets.get(target)?;
        let living = watched.evaluator.claimants(name).filter_map(|claimant| match claimant {
            Claimant::User { id, .. } => watched.trace.users.get(id).copied(),
            Claimant::Group { .. } | Claimant::Service { .. } => None,
        });
        living.max().or_else(|| watched.trace.gone.get(&name).copied())
    }

    /// The chains behind a step: rule, role, group, and the record that brought the membership.
    pub fn because(&self, target: &TargetName, step: &Step, now: OffsetDateTime) -> Vec<Cause> {
        let Some(watched) = self.targets.get(target) else { return Vec::new() };
        let behind = watched.evaluator.because(&self.directory, step, now);
        behind.into_iter().filter_map(recorded).collect()
    }

    /// The causes up to `position` have had their effect. What came later, also by another target's tick, has not.
    pub fn settled(&mut self, target: &TargetName, position: RecordSeq) {
        if let Some(watched) = self.targets.get_mut(target) {
            watched.trace.users.retain(|_, seq| *seq > position);
            watched.trace.gone.retain(|_, seq| *seq > position);
        }
    }
}
