//! Users of people who left: dropped once the directory has confirmed for long enough that nobody has the name any more.
//!
//! ```text
//!  full look ─> shut out by Axon, not wanted, nobody active has the name ─> since when (kept) ─┐
//!  guards.tombstones is over ─> does anything let them in again? ─ yes ─> it stays, and why    │
//!                                        └─ no ─> KILL, DROP behind the plan  <────────────────┘
//! ```
//!
//! The time begins anew when somebody active has the name at any decision, or had it between two by the journal, when the person is let
//! in or shut out again, and when the name is another object's.

mod back;
mod grounds;
mod kept;

use std::collections::{BTreeMap, BTreeSet};

use axon_audit::payload::Cause;
use axon_mapping::target::{TargetSpec, Words};
use axon_mapping::{RoleMap, TargetKind};
use axon_model::SqlName;
use axon_reconcile::admit::{Admitted, Reason};
use axon_reconcile::{
    Burial, Connect, Finding, Graph, Plan, PrincipalKind, Sid, Sides, Step, doors, tombstones,
};
use axon_store::StoreError;
use axon_store::stored::shown_instant;
use time::{Duration, OffsetDateTime};

use super::Ticker;
use super::decide::May;
use crate::behind::Behind;
pub(super) use kept::Keeping;
pub use kept::{Tombstone, Tombstones, tombstones_key};

/// So many are kept of one target, and so many who may enter a server's databases. Beyond that people stay shut out.
const MOST: usize = 50_000;
/// So many are dropped by one plan, beside those whom a person just released.
const AT_ONCE: usize = 500;

/// What a decision knows already.
#[derive(Clone, Copy)]
pub(super) struct Burying<'a> {
    pub map: &'a RoleMap,
    pub spec: &'a TargetSpec,
    pub sides: &'a Sides,
    pub may: May,
    pub now: OffsetDateTime,
}

/// Who may enter although nothing is asked for.
fn open(desired: &Graph, actual: &Graph) -> impl Iterator<Item = SqlName> {
    let enters = |kind, connect| kind != PrincipalKind::Sql && connect != Connect::Denied;
    let there = actual.principals.iter();
    there
        .filter(move |(name, p)| enters(p.kind, p.connect) && !desired.principals.contains_key(name))
        .map(|(name, _)| *name)
}

impl Ticker {
    /// Puts the drop of whoever left long ago behind the plan. Gives when another look is due.
    pub(super) async fn bury(&mut self, about: Burying<'_>, plan: &mut Plan) -> Option<OffsetDateTime> {
        (self.tombs.burying, self.tombs.more) = (BTreeSet::new(), false);
        if about.spec.kind.words() == Words::Roles {
            return None;
        }
        match self.try_bury(about, plan).await {
            Ok(next) => next,
            // Whoever is shut out is shut out: a later look drops them.
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "who is to be dropped could not be looked at"
                );
                None
            }
        }
    }

    async fn try_bury(
        &mut self,
        about: Burying<'_>,
        plan: &mut Plan,
    ) -> Result<Option<OffsetDateTime>, StoreError> {
        let Burying { map, spec, sides, may, now } = about;
        let (store, name) = (self.store.clone(), self.name.clone());
        self.tombs.wait = map.guards.tombstones.after();
        self.tombs.load(store.as_ref(), name.as_str()).await?;
        self.note_who_is_back().await;
        self.note_who_leaves(plan).await;
        let Some(at) = self.actual.as_ref().map(|known| known.at) else { return Ok(None) };
        let looked = self.tombs.looked != Some(at);
        if !looked && self.tombs.over(now).next().is_some() {
            self.note_who_was_back(spec, now).await?;
        }
        if looked {
            self.look_at_tombstones(spec, now).await?;
            let over: BTreeSet<SqlName> = self.tombs.over(now).map(|(name, _)| name).collect();
            let mut stay = self.who_stays(map, spec, &over, now).await?;
            for name in over.iter().filter(|name| self.tombs.was_refused(**name, now)) {
                let said =
                    self.blocked.last_words(*name).map(|words| format!(" ({words})")).unwrap_or_default();
                let words =
                    || format!("the target refused it lately{said}; it is tried again within the hour");
                stay.entry(*name).or_insert_with(words);
            }
            self.tombs.stay(&over, &stay);
            self.tombs.looked = Some(at);
        }
        let due: BTreeSet<SqlName> = self.tombs.due(now).collect();
        let (mut steps, mut dropped) = self.drop_due(&due, sides, plan);
        // What stands in the way is a reason to stay like any other. Nobody has more by it than was asked for: nothing is behind.
        let obstacles: BTreeMap<SqlName, String> = std::mem::take(&mut steps.findings)
            .into_iter()
            .filter_map(|finding| match finding {
                Finding::TombstoneStays { principal, because } => Some((principal, because.to_string())),
                _ => None,
            })
            .collect();
        self.tombs.stay(&obstacles.keys().copied().collect(), &obstacles);
        if !looked && !dropped.is_empty() {
            // What came up since the full look.
            let stay = self.who_stays(map, spec, &dropped, now).await?;
            self.tombs.stay(&dropped, &stay);
            dropped.retain(|name| !stay.contains_key(name));
            steps.steps.retain(|planned| dropped.contains(&planned.step.subject()));
        }
        plan.steps.append(&mut steps.steps);
        self.tell_causes(&dropped).await;
        if may != May::Look {
            let shared = spec.kind == TargetKind::SynapseServerless;
            self.tombs.keep(store.as_ref(), name.as_str(), shared, now).await;
            self.tombs.measure(name.as_str());
        }
        // What a plan over a few names left out is in the next one.
        let there = self.actual.as_ref().map(|known| &known.inspection.graph.principals);
        let is_left = |name: &SqlName| {
            !sides.actual.principals.contains_key(name) && there.is_some_and(|there| there.contains_key(name))
        };
        let others = dropped.difference(&self.tombs.held).count();
        self.tombs.more = due.iter().any(is_left) || others >= AT_ONCE;
        self.tombs.burying = dropped;
        Ok([self.tombs.resumes(now), self.tombs.next(now)].into_iter().flatten().min())
    }

    /// Whom the plan would drop, and who is not dropped by what of it may be done.
    pub(super) fn kept_back(&self, admitted: &Admitted) -> BTreeSet<SqlName> {
        let withheld = admitted.withheld().iter().map(|withheld| &withheld.planned.step);
        let drops = withheld.filter(|step| matches!(step, Step::DropPrincipal { .. })).map(Step::subject);
        drops.filter(|name| self.tombs.buries(*name)).collect()
    }

    /// When the next of them are dropped, where this plan drops some, or found out of some that they wait: those give their places to
    /// others.
    pub(super) fn buries_on(&mut self, admitted: &Admitted, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let kept_back = self.kept_back(admitted);
        let found_out = !kept_back.is_subset(&self.tombs.held);
        self.tombs.held = kept_back;
        let drops =
            |step: &Step| matches!(step, Step::DropPrincipal { name, .. } if self.tombs.buries(*name));
        let drops = admitted.steps().iter().any(|planned| drops(&planned.step));
        (self.tombs.more && (drops || found_out)).then_some(now + Duration::seconds(1))
    }

    /// How much of what waits is about dropping people who left long ago, who are out whatever becomes of it.
    pub(super) fn drops_waiting(&self, admitted: &Admitted, now: OffsetDateTime) -> usize {
        let about = |step: &Step| match step {
            Step::DropPrincipal { name, .. } | Step::KillSessions { principal: name } => {
                (self.tombs.buries(*name) || self.tombs.was_refused(*name, now))
                    && !self.leaving.is_leaving(*name)
            }
            _ => false,
        };
        let withheld = admitted.withheld().iter().filter(|withheld| withheld.reasons != [Reason::Refused]);
        let withheld = withheld.filter(|withheld| about(&withheld.planned.step)).count();
        withheld + self.blocked.waiting(now).filter(|blocked| about(&blocked.step)).count()
    }

    /// Somebody may be back for less time than lies between two full looks, and without a role nothing is done for them.
    async fn note_who_is_back(&mut self) {
        if self.tombs.kept.there.is_empty() {
            return;
        }
        let world = self.world.lock().await;
        self.tombs.begin_anew(|name| world.is_somebodys(&self.name, name));
    }

    /// By which record people leave is known as long as it has not had its effect.
    async fn note_who_leaves(&mut self, plan: &Plan) {
        let steps = || plan.steps.iter().map(|planned| &planned.step);
        steps().for_each(|step| self.tombs.heed(step));
        let shut = || steps().filter(|step| matches!(step, Step::DenyConnect { .. }));
        if shut().next().is_none() {
            return;
        }
        let world = self.world.lock().await;
        for step in shut() {
            if let Some(record) = world.traced(&self.name, step.subject())
                && self.tombs.left_by.len() < MOST
            {
                self.tombs.left_by.insert(step.subject(), record);
            }
        }
    }

    /// Takes in what a full look shows.
    async fn look_at_tombstones(&mut self, spec: &TargetSpec, now: OffsetDateTime) -> Result<(), StoreError> {
        let store = self.store.clone();
        // Another process may have seen somebody come back meanwhile.
        self.tombs.forget();
        self.tombs.load(store.as_ref(), self.name.as_str()).await?;
        self.note_who_was_back(spec, now).await?;
        let Some(known) = &self.actual else { return Ok(()) };
        let actual = &known.inspection.graph;
        let (unseen, upto) = (!known.inspection.unseen.is_empty(), self.tombs.kept.upto);
        let mut seen = Tombstones { unseen, upto, ..Tombstones::default() };
        let mut new: Vec<(SqlName, Option<Sid>)> = Vec::new();
        if self.tombs.wait.is_some() {
            let world = self.world.clone();
            let world = world.lock().await;
            let Some((desired, scope)) = world.desired(&self.name) else { return Ok(()) };
            for (name, there) in tombstones(desired, actual, scope) {
                let owed = self.leaving.is_owed_a_kill(name);
                // Who ran which line of a script is not known: whoever runs the next one reviews it.
                let scripted = self.target.script().is_some() && self.made.has_principal(name);
                let ours = scripted || self.made.shut_out(name);
                if owed || !ours || world.is_somebodys(&self.name, name) {
                    continue;
                }
                match self.tombs.kept.there.get(&name).filter(|kept| kept.sid == there.sid) {
                    Some(kept) => drop(seen.there.insert(name, kept.clone())),
                    None => new.push((name, there.sid.clone())),
                }
            }
            // Also those that are about to be let in.
            seen.doors.extend(doors(actual).chain(doors(desired)));
            if spec.kind == TargetKind::SynapseServerless {
                seen.open.extend(open(desired, actual).take(MOST));
                seen.unseen |= seen.open.len() >= MOST;
            }
        }
        if !new.is_empty() {
            let holders = store.principal_holders(self.name.as_str()).await?;
            for (name, sid) in new.into_iter().take(MOST.saturating_sub(seen.there.len())) {
                // Of whom nobody knows who it was, no directory says that they are gone.
                let Some(behind) = holders.get(name.folded()) else { continue };
                if Behind::people(behind).is_none() {
                    continue;
                }
                let (record, behind) = (self.tombs.left_by.remove(&name), behind.clone());
                seen.there.insert(name, Tombstone { since: now, record, sid, behind, stays: None });
            }
        }
        // Since `seen` has the position of `kept`, that alone writes nothing.
        self.tombs.moved |= seen != self.tombs.kept;
        self.tombs.kept = seen;
        Ok(())
    }

    /// What comes behind the plan, and who is dropped by it.
    fn drop_due(&self, due: &BTreeSet<SqlName>, sides: &Sides, plan: &Plan) -> (Plan, BTreeSet<SqlName>) {
        let Some(known) = self.actual.as_ref().filter(|_| !due.is_empty()) else {
            return (Plan::default(), BTreeSet::new());
        };
        let burial = Burial {
            due,
            reopens: doors(&known.inspection.graph).chain(doors(&sides.desired)).next().is_some(),
            shape: &known.shape,
            classifiers: self.classified.there(),
            held: &self.tombs.held,
            most: AT_ONCE,
        };
        burial.behind(plan, sides)
    }

    /// What the records of the drops say of why.
    async fn tell_causes(&self, dropped: &BTreeSet<SqlName>) {
        if dropped.is_empty() {
            return;
        }
        let cause = |name: &SqlName| {
            let there = self.tombs.kept.there.get(name)?;
            let since = shown_instant(there.since);
            let line = Some(format!("shut out, and nobody's in the directory, since {since}"));
            Some((*name, Cause { line, membership: there.record, ..Cause::default() }))
        };
        let causes: BTreeMap<SqlName, Cause> = dropped.iter().filter_map(cause).collect();
        self.world.lock().await.tell_buried(&self.name, causes);
    }

    /// Who stays although their time has come, by reason.
    pub(super) fn notes_of_tombstones(&self) -> impl Iterator<Item = String> {
        let mut by_reason: BTreeMap<&str, Vec<SqlName>> = BTreeMap::new();
        for (name, there) in &self.tombs.kept.there {
            if let Some(reason) = &there.stays {
                by_reason.entry(reason.as_str()).or_default().push(*name);
            }
        }
        let notes: Vec<String> = by_reason
            .into_iter()
            .filter_map(|(reason, names)| {
                let (first, others) = names.split_first()?;
                let who = match others.len() {
                    0 => format!("{first}, who left, is"),
                    1 => format!("{first} and one other, who left, are"),
                    n => format!("{first} and {n} others, who left, are"),
                };
                Some(format!("{who} shut out and not dropped: {reason}"))
            })
            .collect();
        notes.into_iter()
    }
}
