//! What of a plan may be done: guards, brakes, what persons released, and what the target or the journal refuses now.

use std::collections::BTreeSet;

use axon_mapping::RoleMap;
use axon_model::SqlName;
use axon_reconcile::admit::{Admitted, Class, Guards, Known, Reason, Totals, admit_with};
use axon_reconcile::{Membership, ObjectName, Plan, Sides, Step, ViewText};
use time::OffsetDateTime;

use super::Ticker;
use super::counted::Lifted;
use super::decide::May;

/// What is weighed.
#[derive(Clone, Copy)]
pub(super) struct Weighing<'a> {
    pub map: &'a RoleMap,
    pub may: May,
    pub guards: &'a Guards,
    pub sides: &'a Sides,
    pub plan: &'a Plan,
    /// What budgets are percentages of.
    pub totals: Totals,
    pub now: OffsetDateTime,
}

/// What came of it.
pub(super) struct Weighed {
    pub admitted: Admitted,
    /// What guards do not count.
    pub lifted: Lifted,
    /// Who is shut out.
    pub leavers: BTreeSet<SqlName>,
    /// Steps that take away what Axon never made, as people read them.
    pub foreign: BTreeSet<String>,
    /// When holds that nobody answers expire.
    pub expires: Option<OffsetDateTime>,
}

/// Who is shut out by a plan.
fn shut_out(plan: &Plan) -> BTreeSet<SqlName> {
    let kills = plan.steps.iter().filter(|planned| matches!(planned.step, Step::KillSessions { .. }));
    kills.map(|planned| planned.step.subject()).collect()
}

impl Ticker {
    /// Parts the plan into what may be done now and what is withheld.
    pub(super) async fn weigh(&mut self, weighing: Weighing<'_>) -> Weighed {
        let Weighing { map, may, guards, sides, plan, totals, now } = weighing;
        let leavers = shut_out(plan);
        let world = self.world.clone();
        let world = world.lock().await;
        // Whoever leaves loses all of it, whoever made it.
        let goes = |name: SqlName| leavers.contains(&name) || world.says_inactive(&self.name, name);
        let stays = plan.steps.iter().map(|planned| &planned.step).filter(|step| !goes(step.subject()));
        let target = self.target.clone();
        let rows = |membership| target.row_of(membership);
        let foreign: BTreeSet<String> =
            stays.filter(|step| self.made.is_foreign(step, &rows)).map(ToString::to_string).collect();
        let subjects = plan.steps.iter().map(|planned| planned.step.subject());
        // Of those to whom this store never gave anything.
        let inactive: BTreeSet<SqlName> =
            subjects.clone().filter(|name| world.says_inactive(&self.name, *name)).collect();
        let lifted = Lifted {
            released: self.holding.released(now),
            ended: world.ended_extras(&self.name, now),
            offboarded: subjects.filter(|name| world.is_offboarded(&self.name, *name)).collect(),
        };
        let behind = |name: SqlName| {
            let mut sources = world.sources_of(&self.name, name);
            sources.extend(self.made_for.sources_of(name));
            sources
        };
        let braked = self.brakes.look(&world, map, &self.name, plan, behind);
        if may != May::Look {
            let settled = braked.is_empty();
            self.brakes.keep(self.store.as_ref(), &world, map, &self.name, settled, now).await;
        }
        let expires = world.hold_for().map(|wait| now + wait);
        drop(world);
        let against = |kept_back: &BTreeSet<SqlName>, step: &Step| {
            let principal = step.subject();
            let met = self.remembered.contains(&principal) || self.unkept.contains(&principal);
            let taken = step.takes()
                && !matches!(step, Step::Secure(_) | Step::Classify(_))
                && sides.actual.principals.contains_key(&principal);
            // An empty store, or a source that has not pushed yet, is not the news that everybody left.
            // What Axon gave it knows by its marks, also under a name that it never heard.
            let given = match step {
                Step::DropMember { role, member } => {
                    let membership = Membership { role: *role, member: *member };
                    sides.scope.given.contains(&membership) || self.made.gave(membership, &rows)
                }
                _ => false,
            };
            let unmet = taken && !met && !given && !inactive.contains(&principal);
            // What the target cannot tell is not said to be somebody else's.
            let unsure = match step {
                Step::DropMember { role, member } => {
                    target.is_unsure_of(Membership { role: *role, member: *member })
                }
                _ => false,
            };
            let or_unsure = |why| if unsure { Reason::Unresolved { principal } } else { why };
            let unmade = !foreign.is_empty() && foreign.contains(&step.to_string());
            let reasons = [
                unmet.then(|| or_unsure(Reason::NeverGiven { principal })),
                braked.against(step).filter(|_| step.takes()),
                unmade.then(|| or_unsure(Reason::NeverMade)),
                self.blocked.holds(step, now).then_some(Reason::Refused),
                (may == May::Take && step.gives()).then_some(Reason::Unrecorded),
                self.probing.against(step, self.compiled_views().as_deref()),
                self.kept_with(step, kept_back),
            ];
            let counts = |reason: &Reason| reason.class().is_none_or(|class| !lifted.lifts(step, class));
            reasons.into_iter().flatten().find(counts)
        };
        let released = |step: &Step, class: Class| lifted.lifts(step, class);
        let standing = self.holding.standing(plan, now);
        let standing = |step: &Step, class: Class| standing.has(step, class);
        let announced = lifted.released.announced;
        let admit = |kept_back: &BTreeSet<SqlName>| {
            let against = |step: &Step| against(kept_back, step);
            let closed = |view| self.is_closed(view, map);
            let known = Known {
                against: &against,
                released: &released,
                standing: &standing,
                announced,
                totals: Some(totals),
                closed: &closed,
            };
            admit_with(plan.clone(), sides, guards, &self.history, now, &known)
        };
        let mut admitted = admit(&BTreeSet::new());
        let kept_back = self.kept_back(&admitted);
        if !kept_back.is_empty() {
            admitted = admit(&kept_back);
        }
        Weighed { admitted, lifted, leavers, foreign, expires }
    }

    /// Whether a view shows nobody anything, by its text of now: one that is not shown says nothing.
    fn is_closed(&self, view: ObjectName, map: &RoleMap) -> bool {
        let spec = map.targets.get(&self.name);
        let there = self.actual.as_ref().and_then(|known| known.views.as_ref());
        let (Some(spec), Some(there)) = (spec, there) else { return false };
        let shown = there.views.get(&view).and_then(|found| found.digest.as_ref());
        shown.is_some() && shown == self.target.view_digest(ViewText::Closed(view), &spec.metadata).as_ref()
    }

    /// Whose sessions are looked for before a drop only, they wait with it: else each tick would look for them.
    fn kept_with(&self, step: &Step, kept_back: &BTreeSet<SqlName>) -> Option<Reason> {
        let Step::KillSessions { principal } = step else { return None };
        let with = kept_back.contains(principal) && !self.leaving.is_leaving(*principal);
        with.then(|| Reason::Needs { step: Step::DropPrincipal { name: *principal, sid: None }.to_string() })
    }
}
