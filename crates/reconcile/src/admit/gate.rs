//! The reasons against one step after another: first those of modes and guards, then those of steps that need a
//! withheld one, found by trying what is left on the state that it would meet.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use time::OffsetDateTime;

use super::{Class, Guards, History, Known, Mode, Reason, Tally, Totals};
use crate::graph::{GrantState, Graph};
use crate::order::Board;
use crate::permission::Permission;
use crate::plan::{Plan, Planned};
use crate::scope::Sides;
use crate::secure::SecureStep;
use crate::shape::{ObjectName, Securable};
use crate::step::{Step, StepKind};

/// The reasons against each step of the plan, in its order.
pub(super) fn reasons(
    plan: &Plan,
    sides: &Sides,
    guards: &Guards,
    history: &History,
    now: OffsetDateTime,
    known: &Known<'_>,
) -> Vec<Vec<Reason>> {
    let mut gate = Gate::new(plan, guards);
    let mut reasons: Vec<Vec<Reason>> = plan.steps.iter().map(|planned| gate.against(planned)).collect();
    for (planned, reasons) in plan.steps.iter().zip(&mut reasons) {
        reasons.extend((known.against)(&planned.step));
        reasons.retain(|reason| reason.class().is_none_or(|class| !(known.released)(&planned.step, class)));
    }
    gate.budgets(plan, &mut reasons, history, now, known, || {
        known.totals.unwrap_or_else(|| Tally::of(sides).totals())
    });
    let some = reasons.iter().any(|r| !r.is_empty());
    let all = reasons.iter().all(|r| !r.is_empty());
    if some && !(all && guards.mode == Mode::Observe) {
        while let Some(at) = follow(plan, sides, &mut reasons, known.closed) {
            let needs = Reason::Needs { step: plan.steps[at].step.to_string() };
            let Some(fence) = fence_of(plan, at).filter(|fence| reasons[*fence].is_empty()) else { break };
            // Who could not be let in again is not shut out for a while either: once more without that.
            for reasons in &mut reasons {
                reasons.retain(|reason| !matches!(reason, Reason::Needs { .. }));
            }
            reasons[fence].push(needs);
        }
    }
    reasons
}

/// The step that shuts somebody out until the step at `at` lets them in again.
fn fence_of(plan: &Plan, at: usize) -> Option<usize> {
    let Step::GrantConnect { principal } = &plan.steps[at].step else { return None };
    let fence = Step::DenyConnect { principal: *principal };
    plan.steps[..at].iter().rposition(|planned| planned.step == fence && planned.interrupts.is_some())
}

/// Tries what is not withheld. Gives back the first GRANT CONNECT that ends a fence and must be withheld itself.
fn follow(
    plan: &Plan,
    sides: &Sides,
    reasons: &mut [Vec<Reason>],
    closed: &dyn Fn(ObjectName) -> bool,
) -> Option<usize> {
    let mut board = Board::new(sides, &plan.steps);
    let mut withheld: Vec<usize> = Vec::new();
    let mut unlifted = None;
    let above = Above::of(plan, sides);
    for (at, Planned { step, interrupts }) in plan.steps.iter().enumerate() {
        let spares = matches!(step, Step::Deny { .. })
            && reasons[at] == [Reason::Additive]
            && board.ready(step)
            && board.takes_nothing(step);
        if spares {
            // A DENY that hurts nobody belongs to what is added.
            reasons[at].clear();
        }
        if reasons[at].is_empty() {
            let earlier = || withheld.iter().map(|other| &plan.steps[*other].step);
            if let Some(other) = earlier().find(|other| stands_on(step, other, &above, closed)) {
                reasons[at].push(Reason::Needs { step: other.to_string() });
                withheld.push(at);
                if unlifted.is_none() && fence_of(plan, at).is_some_and(|fence| reasons[fence].is_empty()) {
                    unlifted = Some(at);
                }
                continue;
            }
            let fits = board.ready(step) && board.attempt(step, interrupts.is_some(), false).is_ok();
            if fits || outlived(step, sides) {
                continue;
            }
            let needed = needed(plan, reasons, &withheld, step);
            reasons[at].push(Reason::Needs { step: needed });
        }
        withheld.push(at);
        if unlifted.is_none() && fence_of(plan, at).is_some_and(|fence| reasons[fence].is_empty()) {
            unlifted = Some(at);
        }
    }
    unlifted
}

/// Whether a step makes a view of Axon's own show no more than it ought to: that takes nothing from what somebody else gave.
fn keeps_a_view(step: &Step) -> bool {
    matches!(
        step,
        Step::Secure(
            SecureStep::CloseView { .. }
                | SecureStep::WriteProfile { .. }
                | SecureStep::DropProfiles { .. }
                | SecureStep::StopActing { .. }
        )
    )
}

/// Whether a step ends sessions that outlived their user: it goes whatever else waits, since no step could make it ready.
fn outlived(step: &Step, sides: &Sides) -> bool {
    match step {
        Step::KillSessions { principal } => !sides.actual.principals.contains_key(principal),
        Step::KillFormer { .. } => true,
        _ => false,
    }
}

/// Whether a step about views, or one that lets somebody read a view, must not be done without the other, which is about views. Nor is
/// anybody dropped whose sessions are not ended first: nobody would find them any more.
fn stands_on(step: &Step, other: &Step, above: &Above<'_>, closed: &dyn Fn(ObjectName) -> bool) -> bool {
    if let (Step::DropPrincipal { name, .. }, Step::KillSessions { principal }) = (step, other) {
        return name == principal;
    }
    let Step::Secure(other) = other else { return false };
    if let Step::Secure(step) = step {
        return step.needs(other);
    }
    // A text that is wider than the map's gets no new readers.
    let Some(view) = other.view().filter(|_| other.kind() != StepKind::DropView) else { return false };
    let about = |on: &Securable| match on {
        Securable::Object(object) | Securable::Column(object, _) => *object == view,
        Securable::Schema(schema) => *schema == view.schema,
        Securable::Database => true,
        Securable::Principal(_) | Securable::Server | Securable::Credential(_) | Securable::Other(_) => false,
    };
    match step {
        Step::Grant { on, .. } | Step::Revoke { was: GrantState::Deny, on, .. } => about(on),
        Step::AddMember { role, .. } => above.reads(*role, about),
        Step::GrantConnect { principal } => above.reads(*principal, about),
        // It comes with what everybody has, and nothing else.
        Step::CreatePrincipal { .. } => {
            above.everybody.is_some_and(|everybody| above.reads(everybody, about))
        }
        // To take a membership away gives something only where the role kept its members from reading. It waits for the steps that
        // would make a text narrower or put a filter there, and for no other: not for rows of profiles, keys or tables, nor for a view
        // that is not made yet, or closed, and shows nobody anything. Whether another text of now is wider than the map's is not known here.
        Step::DropMember { role, member } => {
            let shows_nothing = || match other.kind() {
                StepKind::CreateView => true,
                StepKind::AlterView => closed(view),
                _ => false,
            };
            above.denies(*role, about)
                && !above.leaves.contains(member)
                && above.reads_without(*role, *member, about)
                && !shows_nothing()
        }
        _ => false,
    }
}

/// Roles whose members read everything, by what the server says of them.
const READ_ALL: [&str; 2] = ["db_owner", "db_datareader"];
/// The one whose members read nothing.
const READ_NOTHING: &str = "db_denydatareader";

/// Whether whoever is denied this does not read. What this version does not know may be such.
fn reads_by(permission: Permission) -> bool {
    use Permission::{Connect, Control, Other, Select};
    matches!(permission, Select | Control | Connect | Other(_))
}

/// By which roles somebody reads something now: asked only where a step about a view is withheld.
struct Above<'a> {
    actual: &'a Graph,
    everybody: Option<SqlName>,
    /// The roles that roles are in, and those that this plan lets in or takes out of a role.
    roles: BTreeMap<SqlName, Vec<SqlName>>,
    /// Who is shut out for good.
    leaves: BTreeSet<SqlName>,
}

impl<'a> Above<'a> {
    fn of(plan: &Plan, sides: &'a Sides) -> Self {
        let actual = &sides.actual;
        let mut above = Self {
            actual,
            everybody: SqlName::parse("public").ok(),
            roles: BTreeMap::new(),
            leaves: BTreeSet::new(),
        };
        let steps = || plan.steps.iter().map(|planned| &planned.step);
        if !steps().any(|step| matches!(step, Step::Secure(step) if step.view().is_some())) {
            return above;
        }
        let asked = |step: &Step| match step {
            Step::GrantConnect { principal } => Some(*principal),
            Step::DropMember { member, .. } => Some(*member),
            _ => None,
        };
        let asked: BTreeSet<SqlName> = steps().filter_map(asked).collect();
        let matter = |name: &SqlName| actual.roles.contains_key(name) || asked.contains(name);
        for membership in actual.members.iter().filter(|membership| matter(&membership.member)) {
            above.roles.entry(membership.member).or_default().push(membership.role);
        }
        let left = steps().filter(|step| matches!(step, Step::KillSessions { .. }));
        above.leaves.extend(left.map(Step::subject));
        above
    }

    /// Whether whoever is this, or is in this role, may read it but for what is denied: by whatever role in a role, or as everybody.
    fn reads(&self, name: SqlName, about: impl Fn(&Securable) -> bool) -> bool {
        self.any_above(self.everybody.into_iter().chain([name]).collect(), |name| self.gives(name, &about))
    }

    /// The same of a member, by anything but this role that it leaves: what it had by that goes with it.
    fn reads_without(&self, role: SqlName, member: SqlName, about: impl Fn(&Securable) -> bool) -> bool {
        let others = self.roles.get(&member).into_iter().flatten().copied().filter(|other| *other != role);
        let above = self.everybody.into_iter().chain(others).collect();
        self.gives(member, &about) || self.any_above(above, |name| self.gives(name, &about))
    }

    /// Whether this one itself holds what lets read it.
    fn gives(&self, name: SqlName, about: impl Fn(&Securable) -> bool) -> bool {
        let mut grants = self.actual.grants_of(name);
        READ_ALL.contains(&name.folded())
            || grants.any(|(key, grant)| grant.state != GrantState::Deny && about(&key.securable))
    }

    /// Whether a role keeps its members from reading it, by itself or by a role that it is in.
    fn denies(&self, role: SqlName, about: impl Fn(&Securable) -> bool) -> bool {
        self.any_above(vec![role], |role| {
            let mut grants = self.actual.grants_of(role);
            role.folded() == READ_NOTHING
                || grants.any(|(key, grant)| {
                    grant.state == GrantState::Deny && reads_by(key.permission) && about(&key.securable)
                })
        })
    }

    /// Whether something is so of one of these, or of a role that they are in by whatever roles.
    fn any_above(&self, mut open: Vec<SqlName>, is: impl Fn(SqlName) -> bool) -> bool {
        let mut seen = BTreeSet::new();
        while let Some(name) = open.pop() {
            if !seen.insert(name) {
                continue;
            }
            if is(name) {
                return true;
            }
            open.extend(self.roles.get(&name).into_iter().flatten().copied());
        }
        false
    }
}

/// The withheld step that this one most likely needs: of those that speak of the same names one that has a reason of
/// its own, so that people release what matters.
fn needed(plan: &Plan, reasons: &[Vec<Reason>], withheld: &[usize], step: &Step) -> String {
    let akin = || withheld.iter().rev().filter(|other| akin(&plan.steps[**other].step, step));
    let own = |other: &&usize| !matches!(reasons[**other].as_slice(), [Reason::Needs { .. }]);
    let needed = akin().find(own).or_else(|| akin().next()).or(withheld.last());
    needed.map_or_else(|| step.to_string(), |other| plan.steps[*other].step.to_string())
}

/// Whether the steps speak of one name.
fn akin(a: &Step, b: &Step) -> bool {
    let b: Vec<SqlName> = names(b).collect();
    names(a).any(|name| b.contains(&name))
}

/// All users and roles that a step names.
fn names(step: &Step) -> impl Iterator<Item = SqlName> {
    let other = match step {
        Step::AddMember { role, .. } | Step::DropMember { role, .. } => Some(*role),
        Step::Grant { on: Securable::Principal(name), .. }
        | Step::Deny { on: Securable::Principal(name), .. }
        | Step::Revoke { on: Securable::Principal(name), .. } => Some(*name),
        _ => None,
    };
    std::iter::once(step.subject()).chain(other)
}

struct Gate<'a> {
    guards: &'a Guards,
    /// Shut out for good, or dropped to be made anew.
    gone: BTreeSet<SqlName>,
    /// Those of them who are shut out already: they are of no wave.
    out: BTreeSet<SqlName>,
    /// Roles and principals that the plan makes.
    made: BTreeSet<SqlName>,
    /// Administrators that no step has taken anything from.
    administrators: BTreeSet<SqlName>,
}

impl<'a> Gate<'a> {
    fn new(plan: &Plan, guards: &'a Guards) -> Self {
        let steps = || plan.steps.iter().map(|planned| &planned.step);
        let of_kind = |kind| steps().filter(move |step| step.kind() == kind).map(Step::subject);
        // Who had a name once says nothing of whose it is now.
        let killed = steps().filter(|step| matches!(step, Step::KillSessions { .. }));
        let gone: BTreeSet<SqlName> = killed.map(Step::subject).collect();
        let shuts: BTreeSet<SqlName> = of_kind(StepKind::DenyConnect).collect();
        Self {
            guards,
            out: gone.difference(&shuts).copied().collect(),
            gone,
            made: of_kind(StepKind::CreateRole).chain(of_kind(StepKind::CreatePrincipal)).collect(),
            // Whoever enters as dbo is not in the catalog: what is there beside it is counted.
            administrators: guards.administrators.iter().copied().filter(|n| n.folded() != "dbo").collect(),
        }
    }

    /// Adds the reasons of the budgets. They are about what would be done else: what waits for another reason takes nothing from
    /// anybody, and must not make others wait.
    fn budgets(
        &self,
        plan: &Plan,
        reasons: &mut [Vec<Reason>],
        history: &History,
        now: OffsetDateTime,
        known: &Known<'_>,
        totals: impl Fn() -> Totals,
    ) {
        // A mode shows what budgets would say.
        let goes =
            |reasons: &[Reason]| reasons.iter().all(|r| matches!(r, Reason::Observe | Reason::Additive));
        let judged = |class: Class, reasons: &[Vec<Reason>]| -> Vec<(usize, bool)> {
            let all = plan.steps.iter().zip(reasons).enumerate();
            let open = all.filter(|(_, (planned, reasons))| {
                goes(reasons) && !(known.released)(&planned.step, class) && self.class(planned) == Some(class)
            });
            open.map(|(at, (planned, _))| (at, (known.standing)(&planned.step, class))).collect()
        };
        if let Some(budget) = &self.guards.removals {
            let judged = judged(Class::Removals, reasons);
            let of = totals().possessions;
            let left = budget.left(of, &history.removals, now);
            let sum = |of: &[usize]| of.iter().map(|at| self.takes(&plan.steps[*at])).sum();
            against_waves(&judged, left, sum, |wanted| Reason::Removals { wanted, left, of }, reasons);
        }
        if let Some(budget) = &self.guards.leavers {
            let judged = judged(Class::Leavers, reasons);
            let of = totals().entrants;
            let left = budget.left_and(of, known.announced, &history.leavers, now);
            let sum = |of: &[usize]| {
                let steps = of.iter().map(|at| &plan.steps[*at].step);
                let shut = steps.filter(|step| step.kind() == StepKind::DenyConnect).map(Step::subject);
                shut.collect::<BTreeSet<_>>().len() as u64
            };
            // A single leaver always goes.
            against_waves(&judged, left.max(1), sum, |wanted| Reason::Leavers { wanted, left, of }, reasons);
        }
    }

    /// By which budget a step is judged.
    fn class(&self, planned: &Planned) -> Option<Class> {
        let (step, subject) = (&planned.step, planned.step.subject());
        // Whose user is not there any more is of no wave.
        if self.gone.contains(&subject) && !matches!(step, Step::KillFormer { .. }) {
            return (!self.out.contains(&subject)).then_some(Class::Leavers);
        }
        (self.takes(planned) > 0).then_some(Class::Removals)
    }

    /// What the removal budget counts of a step: memberships and permissions of those who stay.
    fn takes(&self, planned: &Planned) -> u64 {
        let Planned { step, interrupts } = planned;
        if self.gone.contains(&step.subject()) {
            return 0;
        }
        match step {
            Step::DropMember { .. } => 1,
            Step::Deny { grantee, .. } if self.made.contains(grantee) => 0,
            Step::Revoke { was: GrantState::Deny, .. }
            | Step::CreatePrincipal { .. }
            | Step::CreateRole { .. }
            | Step::AddMember { .. }
            | Step::Grant { .. }
            | Step::GrantConnect { .. }
            // What these take is counted by the steps that empty them.
            | Step::DropRole { .. }
            | Step::DropPrincipal { .. }
            // A classifier gives nothing that could be taken.
            | Step::Classify(_)
            | Step::KillSessions { .. }
            | Step::KillFormer { .. } => 0,
            // A view that goes takes the permissions on it along; a profile goes with its owner, and what is taken out of that of
            // somebody who reads on counts.
            Step::Secure(step) => u64::from(step.kind() == StepKind::DropView) + step.losers(),
            Step::Deny { columns, .. } | Step::Revoke { columns, .. } => columns.len().max(1) as u64,
            Step::DenyConnect { .. } => u64::from(interrupts.is_none()),
        }
    }

    /// What modes and guards have against a step.
    fn against(&mut self, planned: &Planned) -> Vec<Reason> {
        let step = &planned.step;
        let subject = step.subject();
        let mut reasons = Vec::new();
        match self.guards.mode {
            Mode::Observe => reasons.push(Reason::Observe),
            Mode::Additive if step.takes() && !keeps_a_view(step) => reasons.push(Reason::Additive),
            Mode::Additive | Mode::Authoritative => {}
        }
        if names(step).any(|name| name == self.guards.own) {
            reasons.push(Reason::OwnPrincipal { principal: self.guards.own });
        }
        if names(step).any(|name| name.folded() == "dbo") {
            reasons.push(Reason::Dbo);
        }
        if step.takes() {
            let shielded = names(step).find(|name| self.guards.protect.contains(name));
            reasons.extend(shielded.map(|principal| Reason::Protected { principal }));
            if self.administrators.contains(&subject) {
                if self.administrators.len() == 1 {
                    reasons.push(Reason::LastAdministrator { principal: subject });
                } else if strips(step) {
                    self.administrators.remove(&subject);
                }
            }
        }
        if self.guards.hold_steps.contains(&step.kind()) {
            reasons.push(Reason::HeldKind { kind: step.kind() });
        }
        reasons
    }
}

/// Withholds a wave. What a person was asked about already (`true`) waits on, and what came since is judged without it, so that an
/// unanswered question makes nobody else wait.
fn against_waves(
    judged: &[(usize, bool)],
    most: u64,
    sum: impl Fn(&[usize]) -> u64,
    reason: impl Fn(u64) -> Reason,
    reasons: &mut [Vec<Reason>],
) {
    let all: Vec<usize> = judged.iter().map(|(at, _)| *at).collect();
    let wanted = sum(&all);
    if wanted <= most {
        return;
    }
    let [asked, fresh] = [true, false].map(|asked| -> Vec<usize> {
        judged.iter().filter(|(_, standing)| *standing == asked).map(|(at, _)| *at).collect()
    });
    let held = if sum(&fresh) <= most { asked } else { all };
    for at in held {
        reasons[at].push(reason(wanted));
    }
}

/// Roles whose holders administer: a pool, a workspace, a scope of Azure. By folded name.
const ADMINISTER: [&str; 7] = [
    "db_owner",
    "sysadmin",
    "synapse administrator",
    "workspace admin",
    "owner",
    "user access administrator",
    "role based access control administrator",
];

/// Whether an administrator is none any more after the step.
fn strips(step: &Step) -> bool {
    match step {
        Step::DenyConnect { .. } | Step::DropPrincipal { .. } | Step::DropRole { .. } => true,
        Step::DropMember { role, .. } => ADMINISTER.contains(&role.folded()),
        _ => false,
    }
}
