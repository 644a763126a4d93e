//! What ought to be done: the desired side, the plan, and what guards and refusals withhold of it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use axon_mapping::target::{TargetSpec, Words};
use axon_mapping::{Claimant, Pending, RoleMap, TargetKind};
use axon_model::{Actor, PlanId, RecordSeq, RunId, SqlName};
use axon_reconcile::admit::Admitted;
use axon_reconcile::builtin::SYSTEM_PRINCIPALS;
use axon_reconcile::{Glob, Graph, Hides, Plan, Role, Step};
use axon_store::{Act, Notes};
use time::OffsetDateTime;

use super::Ticker;
use super::counted::Lifted;
use super::draft::Drafted;
use super::holding;
use super::tombstones::Burying;
use super::weigh::Weighing;
use crate::error::ControllerError;
use crate::record::{Decision, Recorder};
use crate::spool::Frame;
use crate::world::{Around, Kept, Wanted, World};

/// What a tick may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum May {
    /// All that the guards let through.
    All,
    /// Only what takes away: the journal takes no records.
    Take,
    /// Nothing: it is only looked at, and nothing is kept.
    Look,
}

/// What is to be done, from which position of the directory.
pub(super) struct Decided {
    /// What guards do not count.
    pub(super) lifted: Lifted,
    /// Who is shut out.
    pub(super) leavers: BTreeSet<SqlName>,
    /// Steps that take away what Axon never made, as people read them.
    pub(super) foreign: BTreeSet<String>,
    pub(super) plan: Plan,
    pub(super) admitted: Admitted,
    pub(super) pending: Vec<String>,
    pub(super) unseen: Vec<String>,
    /// Which rows may be in the catalog without being seen.
    pub(super) hides: Hides,
    pub(super) position: RecordSeq,
    pub(super) next_change: Option<OffsetDateTime>,
    /// Whether somebody's principal is dropped to be made anew.
    pub(super) renews: bool,
    /// Whether somebody left of whom only another look tells that no session is open.
    pub(super) suspects: bool,
    /// Whether other tables count as filtered since people were looked at than those by which this was decided.
    pub(super) refiltered: bool,
}

/// The desired side with the roles that `manage` speaks of, so that the target tells those by their ids and calls them as the map
/// does, whatever the service calls them by now.
fn with_roles_of<'d>(spec: &TargetSpec, desired: &'d Graph) -> Cow<'d, Graph> {
    let globs = match spec.kind {
        TargetKind::SynapseWorkspace => spec.manage.roles.as_slice(),
        // A name there may be that of a role which the map made: what is left of that one is taken away, and not kept.
        _ => &[],
    };
    let named: Vec<SqlName> =
        spec.manage.except.iter().copied().chain(globs.iter().filter_map(Glob::as_name)).collect();
    if spec.kind.words() == Words::Sql || named.is_empty() {
        return Cow::Borrowed(desired);
    }
    let mut with = desired.clone();
    with.roles.extend(named.into_iter().map(|name| (name, Role { fixed: true, owner: None })));
    Cow::Owned(with)
}

/// Another look is due at `at` at the latest.
fn sooner(next: &mut Option<OffsetDateTime>, at: OffsetDateTime) {
    *next = Some(next.map_or(at, |next| next.min(at)));
}

impl Ticker {
    pub(super) async fn decide(
        &mut self,
        map: &Arc<RoleMap>,
        may: May,
        now: OffsetDateTime,
    ) -> Result<Decided, ControllerError> {
        self.load_kept().await?;
        self.made.look_under(map.version());
        let name = self.name.clone();
        let no_target = || ControllerError::NoSuchTarget(name.to_string());
        let spec = map.targets.get(&self.name).ok_or_else(no_target)?;
        self.read_views(map, spec).await?;
        let known = self.actual.as_ref().ok_or_else(no_target)?;
        let mut untouchable = BTreeSet::from([known.inspection.facts.own_principal]);
        untouchable.extend(SYSTEM_PRINCIPALS.iter().filter_map(|name| SqlName::parse(name).ok()));
        untouchable.extend(map.guards.protected(now));
        let shape = known.shape.clone();
        // There people are found anew by what they are, and none is made or dropped.
        let assigned = spec.kind.words() == Words::Roles;
        let shared = self.world.clone();
        let mut world = shared.lock().await;
        world.follow(self.store.as_ref(), now).await?;
        let (mut wanted, may) = {
            let known = || self.remembered.union(&self.unkept).copied().collect();
            let around = Around { shape: &shape, untouchable: &untouchable, known: &known };
            self.wanted(&mut world, map, &around, may, now).await?
        };
        let names_upto = world.names_upto();
        let suspects = may != May::Look && self.heed_gone(&wanted.gone);
        let settled: Vec<SqlName> = wanted.behind.keys().copied().collect();
        let near = if assigned { None } else { self.draft_near(&mut world, &mut wanted, now) };
        let drafted = if let Some(near) = near {
            drop(world);
            near
        } else {
            let whole = self.whole(&mut world)?;
            drop(world);
            // Where principals are known by another id, names may stand for others than when the target was read.
            if self.target.introduce(&with_roles_of(spec, &whole.desired)).await? {
                self.inspect(now).await?;
            }
            self.draft_whole(whole, &mut wanted, (assigned, &spec.manage.except), now)?
        };
        let Drafted { sides, mut plan, stale, totals } = drafted;
        self.add_views(map, spec, &mut plan, may, now).await?;
        let now_there = self.actual.as_ref().map(|known| &known.shape);
        let refiltered = now_there
            .is_some_and(|there| there.filtered != shape.filtered || there.standing != shape.standing);
        let unread = self.add_classifiers(map, spec, &sides.scope, &mut plan).await?;
        let buries = self.bury(Burying { map, spec, sides: &sides, may, now }, &mut plan).await;
        let known = self.actual.as_ref().ok_or_else(no_target)?;
        let guards = map.guards.for_target(spec.mode, &known.inspection.facts, now);
        let unseen = known.inspection.unseen.clone();
        // Of assigned roles all are listed: their notes are about who is behind an id.
        let hides = if assigned { Hides::default() } else { known.inspection.hides() };
        let (guards, sides) = (&guards, &sides);
        let weighed = self.weigh(Weighing { map, may, guards, sides, plan: &plan, totals, now }).await;
        let expires = weighed.expires;
        let mut decided = Decided {
            lifted: weighed.lifted,
            leavers: weighed.leavers,
            foreign: weighed.foreign,
            plan,
            admitted: weighed.admitted,
            pending: wanted.pending.iter().map(ToString::to_string).chain(unread).collect(),
            unseen,
            hides,
            position: wanted.position,
            next_change: wanted.next_change,
            renews: !stale.is_empty(),
            suspects,
            refiltered,
        };
        let buries_on = self.buries_on(&decided.admitted, now);
        for at in [buries, buries_on].into_iter().flatten() {
            sooner(&mut decided.next_change, at);
        }
        if may == May::Look {
            return Ok(decided);
        }
        let people = if map.guards.two_release_steps { 2 } else { 1 };
        self.keep_holds(&mut decided, people, expires, now).await;
        let told = self.time_leavers(&settled, &decided, now).await;
        self.made.keep(self.store.as_ref(), self.name.as_str()).await;
        self.tell_outsiders(&wanted.pending);
        self.keep_managed().await;
        if !assigned {
            self.keep_borne(&decided.plan).await;
        }
        if told {
            self.made_for.keep(self.store.as_ref(), self.name.as_str()).await;
        }
        self.names_seen = names_upto;
        Ok(decided)
    }

    /// Reads what this or another process kept of the target.
    async fn load_kept(&mut self) -> Result<(), ControllerError> {
        self.load_remembered().await?;
        self.leaving.load(self.store.as_ref(), self.name.as_str()).await?;
        self.made_for.load(self.store.as_ref(), self.name.as_str()).await?;
        self.made.load(self.store.as_ref(), self.name.as_str()).await?;
        self.brakes.load(self.store.as_ref(), self.name.as_str()).await?;
        self.holding.follow(self.store.as_ref(), self.name.as_str()).await?;
        self.load_history().await?;
        let look = self.actual.as_ref().map(|known| known.at);
        self.probing.follow(self.store.as_ref(), self.name.as_str(), look).await?;
        Ok(())
    }

    /// Opens and ends holds of steps. Where the store does not take them the steps are withheld all the same, and the holds are
    /// opened by a later look.
    async fn keep_holds(
        &mut self,
        decided: &mut Decided,
        people: u8,
        expires: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) {
        let act = Act { actor: Actor::Axon, request: None, now, ids: self.ids.clone() };
        let (plan, withheld) = (&decided.plan, decided.admitted.withheld());
        let steps = holding::Decided { plan, withheld, people, expires };
        match self.holding.keep(self.store.as_ref(), self.name.as_str(), steps, &act).await {
            Ok(next) => {
                if let Some(next) = next {
                    sooner(&mut decided.next_change, next);
                }
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "steps that wait could not be kept");
                sooner(&mut decided.next_change, now + time::Duration::seconds(5));
            }
        }
    }

    /// What the target ought to hold, with the names bound on which it rests. Where these cannot be kept nothing is given, and
    /// nothing is taken for their sake either: they count as they were seen.
    async fn wanted(
        &self,
        world: &mut World,
        map: &Arc<RoleMap>,
        around: &Around<'_>,
        may: May,
        now: OffsetDateTime,
    ) -> Result<(Wanted, May), ControllerError> {
        let wanted = |world: &mut World| {
            let asked = world.wanted(map, &self.name, around, now);
            asked.map_err(|_| ControllerError::NoSuchTarget(self.name.to_string()))
        };
        let mut found = wanted(world)?;
        if may == May::Look {
            return Ok((found, may));
        }
        let act = Act { actor: Actor::Axon, request: None, now, ids: self.ids.clone() };
        if let Err(error) = world.end_requests(self.store.as_ref(), &act).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the end of a request has no record yet"
            );
        }
        // Another replica may have bound a name to another group meanwhile: then what stands there counts.
        for _ in 0..3 {
            match world.keep_sights(self.store.as_ref(), &self.name, &found.sights, &act).await {
                Ok(Kept { bound: false, more, expires }) => {
                    if let Some(expires) = expires {
                        sooner(&mut found.next_change, expires);
                    }
                    if more {
                        sooner(&mut found.next_change, now + time::Duration::seconds(1));
                    }
                    return Ok((found, may));
                }
                Ok(Kept { bound: true, .. }) => {
                    let (gone, behind) = (std::mem::take(&mut found.gone), std::mem::take(&mut found.behind));
                    found = wanted(world)?;
                    found.gone.splice(0..0, gone);
                    for (name, behind) in behind {
                        found.behind.entry(name).or_insert(behind);
                    }
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "what was found out about names could not be kept: nothing is given meanwhile"
                    );
                    sooner(&mut found.next_change, now + time::Duration::seconds(5));
                    return Ok((found, May::Take));
                }
            }
        }
        Ok((found, May::Take))
    }

    /// Says in the log who is newly given nothing because of a source's claims. Ids only: names are in the status.
    fn tell_outsiders(&mut self, pending: &[Pending]) {
        let outside: BTreeSet<Claimant> = pending
            .iter()
            .filter_map(|pending| match pending {
                Pending::OutsideClaims { who, .. } => Some(who.clone()),
                _ => None,
            })
            .collect();
        let newly: Vec<&Claimant> = outside.difference(&self.outsiders).collect();
        if let Some(first) = newly.first() {
            tracing::warn!(
                count = newly.len(),
                first = %first,
                "a source names principals that it may not speak for (may_name): nothing is given to them"
            );
        }
        self.outsiders = outside;
    }

    /// Keeps who stays managed. What the store cannot take now stays known here, and is offered again at the next decision.
    async fn keep_managed(&mut self) {
        if self.unkept.is_empty() {
            return;
        }
        let names: Vec<SqlName> = self.unkept.iter().copied().collect();
        match self.store.remember_principals(self.name.as_str(), names).await {
            Ok(()) => self.remembered.append(&mut self.unkept),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "principals that stay managed could not be kept"
                );
            }
        }
    }

    /// Principals that are about to be made or to be given something stay managed when their people are gone.
    pub(super) async fn remember(&mut self, wave: &[&Step]) -> Result<(), ControllerError> {
        let names: Vec<SqlName> = wave
            .iter()
            .filter_map(|step| match step {
                Step::CreatePrincipal { name, .. } | Step::AddMember { member: name, .. } => Some(*name),
                _ => None,
            })
            .filter(|name| !self.remembered.contains(name))
            .collect();
        if !names.is_empty() {
            self.store
                .remember_principals(self.name.as_str(), names.clone())
                .await
                .map_err(ControllerError::Unrecorded)?;
            self.remembered.extend(names);
        }
        Ok(())
    }

    /// Records a decision when it is another one than the last. Gives the ids of the run and of the recorded plan.
    pub(super) async fn record_decision(
        &mut self,
        decided: &Decided,
        map: &RoleMap,
        may: May,
        now: OffsetDateTime,
    ) -> Result<(RunId, PlanId), ControllerError> {
        let run = RunId::from_uuid(self.ids.uuid(now));
        let plan = PlanId::from_uuid(self.ids.uuid(now));
        let mut hasher = DefaultHasher::new();
        decided.plan.to_string().hash(&mut hasher);
        for withheld in decided.admitted.withheld() {
            for reason in &withheld.reasons {
                reason.to_string().hash(&mut hasher);
            }
        }
        let hash = hasher.finish();
        match self.last_decision {
            // Steps of a decision that is made again belong to the plan that was recorded.
            Some((last, made)) if last == hash => return Ok((run, made.unwrap_or(plan))),
            _ => {}
        }
        let empty = decided.plan.is_empty() && decided.plan.findings.is_empty();
        if empty {
            self.last_decision = self.last_decision.map(|_| (hash, None));
            return Ok((run, plan));
        }
        let steps: Vec<&Step> = decided.admitted.steps().iter().map(|p| &p.step).collect();
        let recorder = Recorder { ids: &self.ids, actor: Actor::Axon, target: self.name.as_str(), run, plan };
        let records = recorder.decision(
            Decision {
                directory: decided.position,
                map: map.version(),
                steps: &steps,
                withheld: decided.admitted.withheld(),
                findings: decided.plan.findings.iter().map(ToString::to_string).collect(),
            },
            now,
        )?;
        if let Err(error) = self.store.append(records.clone(), None).await {
            // What only takes away goes on without its decision's record, which is owed; so is the word of what waits.
            let goes_on = may == May::Take || !steps.is_empty();
            if !goes_on || steps.iter().any(|step| step.gives()) {
                return Err(ControllerError::Unrecorded(error));
            }
            let notes = Notes { target: self.name.to_string(), ..Notes::default() };
            self.spool.put_aside(&Frame { records: records.clone(), notes });
            self.owed.extend(records);
        }
        self.last_decision = Some((hash, Some(plan)));
        Ok((run, plan))
    }
}
