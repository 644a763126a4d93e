//! The laws of plans, on worlds where everything collides. The checker of effective permissions is not the planner's.

#[path = "laws/naive.rs"]
mod naive;
#[path = "laws/worlds.rs"]
mod worlds;

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::{
    Connect, Finding, GrantState, Graph, Guards, History, Membership, Mode, Plan, Planned, Securable, Sides,
    Step, StepKind, Tied, Ties, admit, apply_step, focus, plan, plan_among_all, simulate,
};
use proptest::prelude::*;
use time::OffsetDateTime;
use worlds::{name, sides};

fn config() -> ProptestConfig {
    ProptestConfig { max_shrink_iters: 20_000, ..ProptestConfig::default() }
}

/// The bounds of decision 5 for everybody.
struct Bounds<'a> {
    sides: &'a Sides,
    end: Graph,
}

impl Bounds<'_> {
    /// Whether the principal of this name is another object at the end than at the start, and which one it is now.
    fn remade(&self, now: &Graph, who: SqlName) -> Option<bool> {
        let sid = |graph: &Graph| graph.principals.get(&who).and_then(|p| p.sid.clone());
        match (sid(&self.sides.actual), sid(&self.end)) {
            (Some(old), Some(new)) if old != new => Some(sid(now) == Some(new)),
            _ => None,
        }
    }

    fn most(&self, now: &Graph, who: SqlName) -> BTreeSet<naive::Atom> {
        let old = naive::may(&self.sides.actual, who);
        let new = naive::may(&self.end, who);
        match self.remade(now, who) {
            // Whoever is made has what everybody has, from the first moment on.
            Some(true) => new.union(&naive::public(&self.sides.actual)).cloned().collect(),
            Some(false) => old,
            None => {
                let mut most: BTreeSet<_> = old.union(&new).cloned().collect();
                if !self.sides.actual.principals.contains_key(&who) {
                    most.extend(naive::public(&self.sides.actual));
                }
                most
            }
        }
    }

    fn least(&self, now: &Graph, who: SqlName) -> BTreeSet<naive::Atom> {
        if self.remade(now, who).is_some() {
            return BTreeSet::new();
        }
        let old = naive::may(&self.sides.actual, who);
        let mut least: BTreeSet<_> = old.intersection(&naive::may(&self.end, who)).cloned().collect();
        // What is held on somebody who is made anew is held on another object.
        least.retain(|atom| match atom {
            naive::Atom::May(_, Securable::Principal(on)) => self.remade(now, *on).is_none(),
            _ => true,
        });
        least
    }
}

/// Walks the plan and looks at everybody after each step.
fn check_prefixes(sides: &Sides, plan: &Plan) -> Result<(), TestCaseError> {
    check_steps(sides, plan, &plan.steps)
}

/// The same for what is left of the plan after admission: the bounds stay those of the whole.
fn check_steps(sides: &Sides, plan: &Plan, steps: &[Planned]) -> Result<(), TestCaseError> {
    let end = simulate(&sides.actual, plan).map_err(|e| TestCaseError::fail(e.to_string()))?;
    let bounds = Bounds { sides, end };
    let mut now = sides.actual.clone();
    let mut interrupted = false;
    for (at, planned) in steps.iter().enumerate() {
        apply_step(&mut now, &planned.step).map_err(|e| TestCaseError::fail(e.to_string()))?;
        interrupted |= planned.interrupts.is_some();
        for who in worlds::people(sides) {
            let may = naive::may(&now, who);
            let most = bounds.most(&now, who);
            prop_assert!(
                may.is_subset(&most),
                "after step {} {who} has too much: {:?}\n{plan}",
                at + 1,
                may.difference(&most).collect::<Vec<_>>()
            );
            let least = bounds.least(&now, who);
            prop_assert!(
                interrupted || least.is_subset(&may),
                "after step {} {who} lacks {:?}\n{plan}",
                at + 1,
                least.difference(&may).collect::<Vec<_>>()
            );
        }
    }
    Ok(())
}

/// The names that findings speak of: what concerns them may stay different.
fn excused(plan: &Plan) -> BTreeSet<SqlName> {
    let mut names = BTreeSet::new();
    for finding in &plan.findings {
        match finding {
            Finding::ForeignGrant { grantee, .. }
            | Finding::OtherClass { grantee, .. }
            | Finding::PassedOn { grantee, .. }
            | Finding::GrantOption { grantee, .. }
            | Finding::NotGrantable { grantee, .. } => names.extend([*grantee]),
            Finding::KindDiffers { principal, .. } | Finding::CannotRecreate { principal, .. } => {
                names.extend([*principal]);
            }
            Finding::NameTaken { name } | Finding::OutOfScope { name } | Finding::SidTaken { name, .. } => {
                names.extend([*name]);
            }
            Finding::Missing { name, needed_for } => names.extend([*name, *needed_for]),
            Finding::CannotDropRole { role, .. } => names.extend([*role]),
            Finding::UntouchableMember { membership } | Finding::Circle { membership } => {
                names.extend([membership.member]);
            }
            // Views have laws of their own, and worlds without them; what is outside the scope is no difference.
            Finding::Owner { .. }
            | Finding::LeaverStaysIn { .. }
            | Finding::TombstoneStays { .. }
            | Finding::NoSafeOrder { .. }
            | Finding::ClassifierUnread { .. }
            | Finding::ViewShowsNothing { .. }
            | Finding::ViewStillOpen { .. }
            | Finding::ViewUnseen { .. }
            | Finding::ViewAltered { .. }
            | Finding::ViewNotMade { .. }
            | Finding::ProfileRefused { .. }
            | Finding::ReadPastView { .. }
            | Finding::FilterAltered { .. }
            | Finding::FilterStays { .. }
            | Finding::ActsAsNobody { .. }
            | Finding::PutsOnAnother { .. }
            | Finding::PutsOnAnybody { .. }
            | Finding::MaskKey { .. }
            | Finding::ViewsUnsafe { .. }
            | Finding::LeftOutOfProfile { .. } => {}
        }
    }
    names
}

/// The differences within the scope, as sentences.
fn differences(sides: &Sides, plan: &Plan, end: &Graph) -> Vec<String> {
    let Sides { desired, actual, scope } = sides;
    let excused = excused(plan);
    let free = |names: &[SqlName]| !names.iter().any(|n| excused.contains(n));
    let managed_role = |n: SqlName| scope.manages_role(n) && !actual.roles.get(&n).is_some_and(|r| r.fixed);
    let managed_person =
        |n: SqlName| worlds::MANAGED_PEOPLE.iter().any(|m| name(m) == n) && end.principals.contains_key(&n);
    let leaver = |n: SqlName| managed_person(n) && !desired.principals.contains_key(&n);
    let mut found = Vec::new();
    for (who, wanted) in &desired.principals {
        if !free(&[*who]) {
            continue;
        }
        match end.principals.get(who) {
            None => found.push(format!("{who} is not there")),
            Some(there) => {
                if there.kind != wanted.kind || wanted.connect != there.connect {
                    found.push(format!("{who} is {there:?}, wanted {wanted:?}"));
                }
                if wanted.sid.is_some() && there.sid.is_some() && wanted.sid != there.sid {
                    found.push(format!("{who} is another object"));
                }
            }
        }
    }
    for (who, there) in &end.principals {
        if leaver(*who) && there.connect != Connect::Denied {
            found.push(format!("{who} may still enter"));
        }
    }
    let roles = |graph: &Graph| -> BTreeSet<SqlName> {
        graph.roles.keys().copied().filter(|r| managed_role(*r) && free(&[*r])).collect()
    };
    if roles(desired) != roles(end) {
        found.push(format!("roles {:?}, wanted {:?}", roles(end), roles(desired)));
    }
    let members = |graph: &Graph| -> BTreeSet<Membership> {
        let in_scope = |m: &Membership| {
            managed_role(m.role)
                || scope.named_roles.contains(&m.role) && (managed_person(m.member) || managed_role(m.member))
                || scope.given.contains(m)
        };
        graph.members.iter().copied().filter(|m| in_scope(m) && free(&[m.role, m.member])).collect()
    };
    if members(desired) != members(end) {
        found.push(format!("members {:?}, wanted {:?}", members(end), members(desired)));
    }
    let grants = |graph: &Graph| -> BTreeSet<String> {
        let rows = graph.grants.iter().filter(|(key, row)| {
            (managed_role(key.grantee) || managed_person(key.grantee))
                && free(&[key.grantee])
                && !(leaver(key.grantee) && row.state == GrantState::Deny)
        });
        rows.map(|(key, row)| format!("{key:?} {}", row.state)).collect()
    };
    if grants(desired) != grants(end) {
        found.push(format!("grants {:#?}, wanted {:#?}", grants(end), grants(desired)));
    }
    found
}

/// What is not Axon's, as text that must not change.
fn outside(sides: &Sides, graph: &Graph) -> Vec<String> {
    let managed_role = |n: SqlName| sides.scope.manages_role(n);
    let managed_person = |n: SqlName| worlds::MANAGED_PEOPLE.iter().any(|m| name(m) == n);
    let managed = |n: SqlName| managed_role(n) || managed_person(n);
    let mut found = Vec::new();
    found.extend(
        graph.principals.iter().filter(|(n, _)| !managed_person(**n)).map(|(n, p)| format!("{n} {p:?}")),
    );
    found.extend(graph.roles.iter().filter(|(n, _)| !managed_role(**n)).map(|(n, r)| format!("{n} {r:?}")));
    let foreign = graph.members.iter().filter(|m| {
        let named = sides.scope.named_roles.contains(&m.role) && managed(m.member);
        !(managed_role(m.role) || named || sides.scope.given.contains(m)) || m.member == name("axon")
    });
    found.extend(foreign.map(|m| format!("{m:?}")));
    found.extend(
        graph.grants.iter().filter(|(k, _)| !managed(k.grantee)).map(|(k, g)| format!("{k:?} {g:?}")),
    );
    found
}

/// Every name of which one side says something else than the other, rows outside the scope included.
fn differing(sides: &Sides) -> BTreeSet<SqlName> {
    let Sides { desired, actual, .. } = sides;
    let mut names = BTreeSet::new();
    let principals = desired.principals.keys().chain(actual.principals.keys());
    names.extend(principals.filter(|n| desired.principals.get(n) != actual.principals.get(n)));
    let roles = desired.roles.keys().chain(actual.roles.keys());
    names.extend(roles.filter(|n| desired.roles.get(n) != actual.roles.get(n)));
    names.extend(desired.members.symmetric_difference(&actual.members).map(|m| m.member));
    let grants = desired.grants.keys().chain(actual.grants.keys());
    names.extend(grants.filter(|k| desired.grants.get(k) != actual.grants.get(k)).map(|k| k.grantee));
    names
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn equal_sides_need_nothing(sides in sides()) {
        let mut sides = sides;
        // A map leaves no column out of what it asks for.
        for grant in sides.actual.grants.values_mut() {
            grant.leaves_out = false;
        }
        let equal = Sides { desired: sides.actual.clone(), ..sides };
        prop_assert_eq!(plan(&equal), Plan::default());
    }

    #[test]
    fn every_prefix_is_safe(sides in sides()) {
        check_prefixes(&sides, &plan(&sides))?;
    }

    #[test]
    fn what_is_admitted_is_as_safe_as_the_whole(
        sides in sides(),
        mode in prop_oneof![Just(Mode::Additive), Just(Mode::Authoritative)],
        hold_steps in prop::collection::vec(prop::sample::select(StepKind::ALL.to_vec()), 0..3),
        protect in prop::collection::btree_set(prop::sample::select(worlds::MANAGED_PEOPLE.map(name).to_vec()), 0..2),
    ) {
        let guards = Guards {
            mode,
            removals: None,
            leavers: None,
            protect,
            hold_steps,
            administrators: BTreeSet::new(),
            own: name("axon"),
        };
        let plan = plan(&sides);
        let admitted = admit(plan.clone(), &sides, &guards, &History::default(), OffsetDateTime::UNIX_EPOCH);
        prop_assert_eq!(admitted.steps().len() + admitted.withheld().len(), plan.steps.len());
        for planned in admitted.steps() {
            prop_assert!(!guards.hold_steps.contains(&planned.step.kind()));
        }
        check_steps(&sides, &plan, admitted.steps())?;
    }

    #[test]
    fn a_plan_ends_in_what_is_desired(sides in sides()) {
        let plan = plan(&sides);
        let end = simulate(&sides.actual, &plan).map_err(|e| TestCaseError::fail(e.to_string()))?;
        if !plan.findings.iter().any(|f| matches!(f, Finding::NoSafeOrder { .. })) {
            let found = differences(&sides, &plan, &end);
            prop_assert!(found.is_empty(), "{:#?}\n{}", found, plan);
            let again = axon_reconcile::plan(&Sides { actual: end, ..sides });
            prop_assert!(again.is_empty(), "after\n{}there is still\n{}", plan, again);
        }
    }

    #[test]
    fn equal_inputs_give_equal_bytes(sides in sides()) {
        let first = serde_json::to_vec(&plan(&sides)).unwrap();
        prop_assert_eq!(&first, &serde_json::to_vec(&plan(&sides.clone())).unwrap());
        let back: Plan = serde_json::from_slice(&first).unwrap();
        prop_assert_eq!(plan(&sides), back);
    }

    #[test]
    fn an_order_among_those_concerned_is_the_order_among_all(sides in sides()) {
        let (near, all) = (plan(&sides), plan_among_all(&sides));
        prop_assert_eq!(near.to_string(), all.to_string());
        check_prefixes(&sides, &all)?;
    }

    #[test]
    fn a_plan_about_those_that_differ_is_the_whole_plan(
        sides in sides(),
        more in prop::collection::btree_set(prop::sample::select(worlds::PEOPLE.map(name).to_vec()), 0..3),
    ) {
        let names = differing(&sides).into_iter().chain(more).collect();
        let [wanted, there] = [&sides.desired, &sides.actual].map(Ties::of);
        let desired = Tied { graph: &sides.desired, ties: &wanted };
        let actual = Tied { graph: &sides.actual, ties: &there };
        let part = focus(desired, actual, &sides.scope, &names);
        let (whole, part) = (plan(&sides), plan(&part));
        let sentences = |plan: &Plan| plan.steps.iter().map(|p| p.step.to_string()).collect::<Vec<_>>();
        prop_assert_eq!(sentences(&whole), sentences(&part));
        prop_assert_eq!(&whole.findings, &part.findings);
        check_prefixes(&sides, &part)?;
    }

    #[test]
    fn nothing_outside_the_scope_changes(sides in sides()) {
        let plan = plan(&sides);
        let end = simulate(&sides.actual, &plan).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(outside(&sides, &sides.actual), outside(&sides, &end), "{}", plan);
        let own = name("axon");
        for planned in &plan.steps {
            let touches = planned.step.subject() == own
                || matches!(&planned.step, Step::AddMember { role, .. } | Step::DropMember { role, .. } if *role == own);
            prop_assert!(!touches, "{}", plan);
        }
    }
}
