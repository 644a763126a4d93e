//! What ought to be done: the desired side, the plan, and what guards and refusals withhold of it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use axon_mapping::target::Words;
use axon_mapping::{Claimant, Pending, RoleMap, Surroundings};
use axon_model::{Actor, PlanId, RecordSeq, RunId, SqlName};
use axon_reconcile::admit::Admitted;
use axon_reconcile::builtin::SYSTEM_PRINCIPALS;
use axon_reconcile::{
    Connect, Grant, GrantKey, Graph, Membership, Plan, Principal, Sides, Step, plan, plan_assigned,
};
use axon_store::Act;
use time::OffsetDateTime;

use super::Ticker;
use super::counted::Lifted;
use super::holding;
use super::renew::MadeFor;
use super::weigh::Weighing;
use crate::blocked::leave_out_impostors;
use crate::error::ControllerError;
use crate::record::{Decision, Recorder};
use crate::world::{Kept, Wanted, World};

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
    pub(super) position: RecordSeq,
    pub(super) next_change: Option<OffsetDateTime>,
    /// Whether somebody's principal is dropped to be made anew.
    pub(super) renews: bool,
}

/// A name that several active people claim is given nothing new, and keeps of what it has what one of them would get: a second
/// source that names somebody can neither gain by it nor shut that person out.
fn keep_contested(desired: &mut Graph, actual: &Graph, wanted: &Contested<'_>) {
    for (name, roles) in wanted.roles {
        let Some((spelled, there)) = actual.principals.get_key_value(name) else { continue };
        if there.connect != Connect::Granted {
            continue;
        }
        desired.principals.insert(*spelled, Principal { created: None, ..there.clone() });
        let kept = roles.iter().map(|role| Membership { role: *role, member: *spelled });
        desired.members.extend(kept.filter(|membership| actual.members.contains(membership)));
        let stands = wanted.grants.iter().filter(|(key, _)| key.grantee == *name);
        let there =
            stands.filter(|(key, grant)| actual.grants.get(key).is_some_and(|g| g.state == grant.state));
        desired.grants.extend(there.map(|(key, grant)| (*key, grant.clone())));
    }
}

/// What those who claim contested names would get, were each of them alone.
struct Contested<'a> {
    roles: &'a BTreeMap<SqlName, BTreeSet<SqlName>>,
    grants: &'a BTreeMap<GrantKey, Grant>,
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
        let no_target = || ControllerError::NoSuchTarget(self.name.to_string());
        let spec = map.targets.get(&self.name).ok_or_else(no_target)?;
        let known = self.actual.as_ref().ok_or_else(no_target)?;
        let facts = &known.inspection.facts;
        let actual = &known.inspection.graph;
        let mut untouchable = BTreeSet::from([facts.own_principal]);
        untouchable.extend(SYSTEM_PRINCIPALS.iter().filter_map(|name| SqlName::parse(name).ok()));
        untouchable.extend(map.guards.protected(now));
        let remembered = self.remembered.union(&self.unkept).copied().collect();
        let around = Surroundings {
            shape: known.shape.clone(),
            known: remembered,
            untouchable,
            ..Surroundings::default()
        };
        let (wanted, inactive, may) = {
            let mut world = self.world.lock().await;
            world.follow(self.store.as_ref(), now).await?;
            let (wanted, may) = self.wanted(&mut world, map, around, may, now).await?;
            let unmet =
                actual.principals.keys().filter(|n| !self.remembered.contains(n) && !self.unkept.contains(n));
            let inactive: BTreeSet<SqlName> =
                unmet.copied().filter(|name| world.says_inactive(&self.name, *name)).collect();
            (wanted, inactive, may)
        };
        // Where principals are known by another id, names may stand for others than when the target was read.
        if self.target.introduce(&wanted.desired.graph).await? {
            self.inspect(now).await?;
        }
        let known =
            self.actual.as_ref().ok_or_else(|| ControllerError::NoSuchTarget(self.name.to_string()))?;
        let (facts, actual) = (&known.inspection.facts, &known.inspection.graph);
        // There people are found anew by what they are, and none is made or dropped.
        let assigned = spec.kind.words() == Words::Roles;
        // Whoever is given something and is there now stays managed, whatever becomes of the person and of this process.
        let there = actual
            .principals
            .keys()
            .copied()
            .filter(|name| wanted.desired.graph.principals.contains_key(name));
        self.unkept.extend(wanted.gone.into_iter().chain(there).filter(|n| !self.remembered.contains(n)));
        let mut desired = wanted.desired;
        // Before anything is left out: what the map asks for under a name is no act of others, whoever stands there.
        self.made.adopt(&desired.graph, actual);
        let contested = Contested { roles: &wanted.contested, grants: &wanted.contested_grants };
        keep_contested(&mut desired.graph, actual, &contested);
        let stale = if assigned {
            BTreeSet::new()
        } else {
            self.made_for.look(wanted.behind);
            self.made_for.leave_out(&wanted.released, &mut desired.graph, actual)
        };
        self.blocked.leave_out(&mut desired.graph, actual, now);
        leave_out_impostors(&mut desired.graph, actual);
        let sides = Sides { desired: desired.graph, actual: actual.clone(), scope: desired.scope };
        let mut planned = if assigned { plan_assigned(&sides) } else { plan(&sides) };
        self.leaving.put_into(&mut planned, &sides.desired, &sides.actual);
        MadeFor::put_into(&mut planned, &stale);
        let guards = map.guards.for_target(spec.mode, facts, now);
        let unseen = known.inspection.unseen.clone();
        let (guards, sides, inactive) = (&guards, &sides, &inactive);
        let weighed = self.weigh(Weighing { map, may, guards, sides, plan: &planned, inactive, now }).await;
        let expires = weighed.expires;
        let mut decided = Decided {
            lifted: weighed.lifted,
            leavers: weighed.leavers,
            foreign: weighed.foreign,
            plan: planned,
            admitted: weighed.admitted,
            pending: desired.pending.iter().map(ToString::to_string).collect(),
            unseen,
            position: wanted.position,
            next_change: desired.next_change,
            renews: !stale.is_empty(),
        };
        if may == May::Look {
            return Ok(decided);
        }
        let people = if map.guards.two_release_steps { 2 } else { 1 };
        self.keep_holds(&mut decided, people, expires, now).await;
        self.made.keep(self.store.as_ref(), self.name.as_str()).await;
        self.tell_outsiders(&desired.pending);
        self.keep_managed().await;
        self.made_for.keep(self.store.as_ref(), self.name.as_str()).await;
        Ok(decided)
    }

    /// Reads what this or another process kept of the target.
    async fn load_kept(&mut self) -> Result<(), ControllerError> {
        if !self.remembered_loaded {
            self.remembered.extend(self.store.remembered_principals(self.name.as_str()).await?);
            self.remembered_loaded = true;
        }
        self.leaving.load(self.store.as_ref(), self.name.as_str()).await?;
        self.made_for.load(self.store.as_ref(), self.name.as_str()).await?;
        self.made.load(self.store.as_ref(), self.name.as_str()).await?;
        self.brakes.load(self.store.as_ref(), self.name.as_str()).await?;
        self.holding.follow(self.store.as_ref(), self.name.as_str()).await?;
        self.load_history().await?;
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
        around: Surroundings,
        may: May,
        now: OffsetDateTime,
    ) -> Result<(Wanted, May), ControllerError> {
        let wanted = |world: &mut World| {
            let asked = world.wanted(map, &self.name, around.clone(), now);
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
                        sooner(&mut found.desired.next_change, expires);
                    }
                    if more {
                        sooner(&mut found.desired.next_change, now + time::Duration::seconds(1));
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
                    sooner(&mut found.desired.next_change, now + time::Duration::seconds(5));
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
        let recorder = Recorder { ids: &self.ids, target: self.name.as_str(), run, plan };
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
            // What only takes away goes on without its decision's record, which is owed.
            if steps.is_empty() || steps.iter().any(|step| step.gives()) {
                return Err(ControllerError::Unrecorded(error));
            }
            self.owed.extend(records);
        }
        self.last_decision = Some((hash, Some(plan)));
        Ok((run, plan))
    }
}
