//! The plan of one decision: over all of both sides, or, where only a few names moved since the last one, over what concerns
//! these and whoever was unsettled then. The second is the first (a law of `axon_reconcile::focus`), in milliseconds.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::admit::{Tally, Totals};
use axon_reconcile::{
    Concerned, Connect, Grant, GrantKey, Graph, Membership, Plan, Principal, Scope, Sid, Sides, Tied, Ties,
    focus_on, owned, owners, plan, plan_assigned, unmanaged_assignments, unmanaged_members,
};
use time::OffsetDateTime;

use super::Ticker;
use super::renew::{Absent, MadeFor};
use crate::blocked::leave_out_impostors;
use crate::error::ControllerError;
use crate::world::{Look, Wanted, World};

/// So many names, or one in so many: with more all is looked at.
const FEW: usize = 1_000;
const SHARE: usize = 8;
/// How often a part is looked at anew because what was only told of became a step.
const AGAIN: usize = 3;

/// A plan that was not weighed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Drafted {
    /// The sides, or the part of them that the plan depends on.
    pub sides: Sides,
    pub plan: Plan,
    /// Whose principals are dropped to be made anew.
    pub stale: BTreeSet<SqlName>,
    /// What budgets are percentages of.
    pub totals: Totals,
}

/// What a decision leaves to the next one.
#[derive(Debug)]
pub(super) struct Near {
    /// Whoever differs still, or may as soon as a refusal is over.
    concerned: Concerned,
    tally: Tally,
    /// The look at the desired side that it rests on.
    look: Look,
    /// Whoever moved since, on either side.
    moved: BTreeSet<SqlName>,
}

/// Everything that a target ought to hold, at one look.
pub(super) struct Whole {
    pub desired: Graph,
    scope: Scope,
    look: Look,
}

/// A name that several active people claim is given nothing new, and keeps of what it has what one of them would get: a second
/// source that names somebody can neither gain by it nor shut that person out.
fn keep_contested(desired: &mut Graph, actual: &Graph, wanted: &Wanted) {
    let Wanted { contested, contested_grants, .. } = wanted;
    for (name, roles) in contested {
        let Some((spelled, there)) = actual.principals.get_key_value(name) else { continue };
        if there.connect != Connect::Granted {
            continue;
        }
        desired.principals.insert(*spelled, Principal { created: None, ..there.clone() });
        let kept = roles.iter().map(|role| Membership { role: *role, member: *spelled });
        desired.members.extend(kept.filter(|membership| actual.members.contains(membership)));
        let stands = grants_of(contested_grants, *name);
        let there =
            stands.filter(|(key, grant)| actual.grants.get(key).is_some_and(|g| g.state == grant.state));
        desired.grants.extend(there.map(|(key, grant)| (*key, grant.clone())));
    }
}

/// What of the memberships is still there.
fn left_of(given: &BTreeSet<Membership>, actual: &Graph) -> BTreeSet<Membership> {
    given.iter().filter(|membership| actual.members.contains(membership)).copied().collect()
}

fn members_of(graph: &Graph, role: SqlName) -> impl Iterator<Item = Membership> {
    graph.members_of(role).map(move |member| Membership { role, member })
}

fn grants_of(all: &BTreeMap<GrantKey, Grant>, name: SqlName) -> impl Iterator<Item = (&GrantKey, &Grant)> {
    all.iter().filter(move |(key, _)| key.grantee == name)
}

impl Ticker {
    /// The plan over what moved, where that is known and little. It is made under the world's lock, so that no copy of the whole
    /// is needed.
    pub(super) fn draft_near(
        &mut self,
        world: &mut World,
        wanted: &mut Wanted,
        now: OffsetDateTime,
    ) -> Option<Drafted> {
        self.heed_moved(world)?;
        let concerned = self.concerned(wanted, now)?;
        #[cfg(debug_assertions)]
        let before = (self.kept_by_drafts(), wanted.clone());
        let drafted = self.draft_part(world, wanted, concerned, now)?;
        #[cfg(debug_assertions)]
        self.prove(before, world, &drafted, now);
        Some(drafted)
    }

    /// Takes in what moved on the desired side since the last decision. None where that may be anything.
    fn heed_moved(&mut self, world: &mut World) -> Option<()> {
        let known = self.actual.as_mut()?;
        let mut near = known.near.take()?;
        let (moved, look) = world.take_moved(&self.name, Some(&near.look))?;
        if moved.all {
            return None;
        }
        near.moved.extend(moved.names);
        near.look = look;
        known.near = Some(near);
        Some(())
    }

    /// Whoever may differ now. None where these are too many for a part to be quicker.
    fn concerned(&mut self, wanted: &Wanted, now: OffsetDateTime) -> Option<Concerned> {
        let known = self.actual.as_ref()?;
        let near = known.near.as_ref()?;
        let most = FEW.max(known.inspection.graph.principals.len() / SHARE);
        if near.concerned.differ.len() + near.moved.len() > most {
            return None;
        }
        let mut concerned = near.concerned.clone();
        concerned.differ.extend(&near.moved);
        concerned.differ.extend(wanted.behind.keys());
        concerned.differ.extend(self.made_for.unchecked());
        concerned.differ.extend(self.leaving.names());
        concerned.differ.extend(self.tombs.due(now));
        // A schema may have got another owner without anything else that moved.
        concerned.told.extend(owners(&known.shape));
        self.blocked.concern(&mut concerned, now);
        (concerned.differ.len() <= most).then_some(concerned)
    }

    fn draft_part(
        &mut self,
        world: &mut World,
        wanted: &mut Wanted,
        mut concerned: Concerned,
        now: OffsetDateTime,
    ) -> Option<Drafted> {
        for _ in 0..AGAIN {
            let known = self.actual.as_mut()?;
            let actual = &known.inspection.graph;
            let ties = known.ties.get_or_insert_with(|| Ties::of(actual));
            let (desired, scope) = world.tied(&self.name)?;
            if desired.graph.views != actual.views {
                return None;
            }
            let mut sides = focus_on(desired, Tied { graph: actual, ties }, scope, &concerned);
            sides.scope.given = left_of(&known.given, &sides.actual);
            // Before anything is left out: what the map asks for under a name is no act of others, whoever stands there.
            self.made.adopt(desired.graph, actual, &|m| self.target.row_of(m));
            let (sides, plan, stale) = self.finish(sides, wanted, false, now);
            let steps = || plan.steps.iter().map(|planned| planned.step.subject());
            let more: Vec<SqlName> = steps().filter(|name| !concerned.differ.contains(name)).collect();
            if more.is_empty() {
                return self.settle_near(sides, plan, stale, &concerned, now);
            }
            if more.iter().any(|name| !concerned.told.contains(name)) {
                // Nothing was known of it: all is looked at.
                return None;
            }
            concerned.differ.extend(more);
        }
        None
    }

    fn settle_near(
        &mut self,
        sides: Sides,
        plan: Plan,
        stale: BTreeSet<SqlName>,
        concerned: &Concerned,
        now: OffsetDateTime,
    ) -> Option<Drafted> {
        let known = self.actual.as_mut()?;
        let mut near = known.near.take()?;
        let differ = &concerned.differ;
        near.tally.recount(&sides, |name| differ.contains(&name), differ.iter().copied());
        let totals = near.tally.totals();
        near.moved.clear();
        known.near = self.blocked.left_by(&plan, &stale, now).map(|concerned| Near { concerned, ..near });
        Some(Drafted { sides, plan, stale, totals })
    }

    /// All that the target ought to hold. To be taken under the same lock under which it was brought up to date.
    pub(super) fn whole(&mut self, world: &mut World) -> Result<Whole, ControllerError> {
        let no_target = || ControllerError::NoSuchTarget(self.name.to_string());
        let (_, look) = world.take_moved(&self.name, None).ok_or_else(no_target)?;
        let (desired, scope) = world.desired(&self.name).ok_or_else(no_target)?;
        Ok(Whole { desired: desired.clone(), scope: scope.clone(), look })
    }

    /// The plan over all of both sides.
    pub(super) fn draft_whole(
        &mut self,
        whole: Whole,
        wanted: &mut Wanted,
        (assigned, excepted): (bool, &BTreeSet<SqlName>),
        now: OffsetDateTime,
    ) -> Result<Drafted, ControllerError> {
        let known =
            self.actual.as_mut().ok_or_else(|| ControllerError::NoSuchTarget(self.name.to_string()))?;
        known.near = None;
        let Whole { desired, scope, look } = whole;
        let mut sides = Sides { desired, actual: known.inspection.graph.clone(), scope };
        let rows = |membership| self.target.row_of(membership);
        self.made.adopt(&sides.desired, &sides.actual, &rows);
        self.made.leave(excepted.iter().flat_map(|role| members_of(&sides.actual, *role)), &rows);
        let outside = if assigned { unmanaged_assignments(&sides) } else { unmanaged_members(&sides) };
        sides.scope.given = outside.into_iter().filter(|m| self.made.gave(*m, &rows)).collect();
        known.given.clone_from(&sides.scope.given);
        let (sides, plan, stale) = self.finish(sides, wanted, assigned, now);
        let tally = Tally::of(&sides);
        let totals = tally.totals();
        if !assigned && let Some(known) = &mut self.actual {
            let concerned = self.blocked.left_by(&plan, &stale, now);
            known.near = concerned.map(|concerned| Near { concerned, tally, look, moved: BTreeSet::new() });
        }
        Ok(Drafted { sides, plan, stale, totals })
    }

    /// From what the map asks for to a plan: what is contested, inherited or refused is left out first.
    fn finish(
        &mut self,
        mut sides: Sides,
        wanted: &mut Wanted,
        assigned: bool,
        now: OffsetDateTime,
    ) -> (Sides, Plan, BTreeSet<SqlName>) {
        let hidden = self.actual.as_ref().is_some_and(|known| known.inspection.hides().principals);
        let Sides { desired, actual, .. } = &mut sides;
        // Whoever is given something and is there now stays managed, whatever becomes of the person and of this process.
        let there = actual.principals.keys().copied().filter(|name| desired.principals.contains_key(name));
        let stays = std::mem::take(&mut wanted.gone).into_iter().chain(there);
        self.unkept.extend(stays.filter(|name| !self.remembered.contains(name)));
        keep_contested(desired, actual, wanted);
        let stale = if assigned {
            BTreeSet::new()
        } else {
            self.made_for.look(std::mem::take(&mut wanted.behind));
            let absent = Absent { lingering: self.leaving.lingering(), hidden };
            self.made_for.leave_out(&wanted.released, absent, desired, actual)
        };
        self.blocked.leave_out(desired, actual, now);
        leave_out_impostors(desired, actual);
        let mut planned = if assigned { plan_assigned(&sides) } else { plan(&sides) };
        if let Some(known) = self.actual.as_ref().filter(|_| !assigned) {
            planned.findings.extend(owned(&sides, &known.shape));
            planned.findings.sort();
        }
        let (passed_on, borne) = (self.made_for.passed_on(), &self.borne);
        let past = |name: SqlName, sid: &Sid| passed_on.contains(&name) || borne.is_past(sid);
        self.leaving.put_into(&mut planned, &sides, hidden, past);
        MadeFor::put_into(&mut planned, &stale, &sides.actual);
        (sides, planned, stale)
    }
}

impl super::known::Known {
    /// A step took effect in the target. Whether what is known could be moved by it.
    pub(super) fn take_in(&mut self, step: &axon_reconcile::Step) -> bool {
        let graph = &mut self.inspection.graph;
        let Some(near) = &mut self.near else {
            self.ties = None;
            return axon_reconcile::apply_step(graph, step).is_ok();
        };
        let ties = self.ties.get_or_insert_with(|| Ties::of(graph));
        near.moved.extend(ties.changed_by(graph, step));
        let done = axon_reconcile::simulate::apply_step_tied(graph, ties, step).is_ok();
        ties.done(step);
        done
    }
}

/// The law, looked at wherever debug assertions are on: a plan over what moved is the whole plan.
#[cfg(debug_assertions)]
mod proof {
    use axon_reconcile::admit::Tally;
    use axon_reconcile::{Plan, Sides};
    use time::OffsetDateTime;

    use super::{Drafted, left_of};
    use crate::tick::Ticker;
    use crate::tick::leaving::Leaving;
    use crate::tick::renew::MadeFor;
    use crate::world::{Wanted, World};

    impl Ticker {
        /// What drafts change, as it is before one.
        pub(super) fn kept_by_drafts(&self) -> (MadeFor, Leaving) {
            (self.made_for.clone(), self.leaving.clone())
        }

        /// Makes the whole plan from the same beginning, and compares.
        pub(super) fn prove(
            &mut self,
            ((made_for, leaving), mut wanted): ((MadeFor, Leaving), Wanted),
            world: &World,
            near: &Drafted,
            now: OffsetDateTime,
        ) {
            let (Some((desired, scope)), Some(known)) = (world.desired(&self.name), &self.actual) else {
                return;
            };
            let actual = known.inspection.graph.clone();
            let mut sides = Sides { desired: desired.clone(), actual, scope: scope.clone() };
            sides.scope.given = left_of(&known.given, &sides.actual);
            let near_kept = (
                std::mem::replace(&mut self.made_for, made_for),
                std::mem::replace(&mut self.leaving, leaving),
            );
            let unkept = self.unkept.clone();
            let (sides, plan, stale) = self.finish(sides, &mut wanted, false, now);
            let sentences = |plan: &Plan| -> Vec<(String, bool)> {
                plan.steps.iter().map(|p| (p.step.to_string(), p.interrupts.is_some())).collect()
            };
            assert_eq!(
                sentences(&near.plan),
                sentences(&plan),
                "the plan over what moved is not the whole plan"
            );
            assert_eq!(near.plan.findings, plan.findings, "findings over what moved are not all findings");
            assert_eq!(near.totals, Tally::of(&sides).totals(), "what is counted is not what is there");
            assert_eq!((&near.stale, &unkept), (&stale, &self.unkept));
            assert_eq!(near_kept, self.kept_by_drafts());
        }
    }
}
