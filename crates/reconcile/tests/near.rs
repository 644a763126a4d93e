//! What the controller rests on: a plan over those that moved since the last plan, and those that it was about, is the next
//! whole plan; what is counted for budgets is what is there; and what is admitted of the part is what is admitted of the whole.

#[path = "laws/worlds.rs"]
#[expect(dead_code, reason = "the laws of whole plans use the rest")]
mod worlds;

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::admit::{Known, Tally, admit_with};
use axon_reconcile::{
    Concerned, Graph, Guards, History, Membership, Mode, Plan, RemovalBudget, Securable, Sides, Step,
    StepKind, Tied, Ties, admit, apply_step, focus_on, plan,
};
use proptest::prelude::*;
use time::{Duration, OffsetDateTime};
use worlds::{name, sides};

/// Everything of these names is as in another graph.
fn exchanged(graph: &Graph, other: &Graph, names: &BTreeSet<SqlName>) -> Graph {
    let mut next = graph.clone();
    next.principals.retain(|name, _| !names.contains(name));
    next.roles.retain(|name, _| !names.contains(name));
    next.members.retain(|m| !names.contains(&m.member));
    next.grants.retain(|key, _| !names.contains(&key.grantee));
    let principals = other.principals.iter().filter(|(name, _)| names.contains(name));
    next.principals.extend(principals.map(|(name, principal)| (*name, principal.clone())));
    let roles = other.roles.iter().filter(|(name, _)| names.contains(name));
    next.roles.extend(roles.map(|(name, role)| (*name, role.clone())));
    next.members.extend(other.members.iter().filter(|m| names.contains(&m.member)));
    let grants = other.grants.iter().filter(|(key, _)| names.contains(&key.grantee));
    next.grants.extend(grants.map(|(key, grant)| (*key, grant.clone())));
    // A catalog holds no membership of a role that is not there, no circle of roles, and no row of nobody or on nobody.
    for Membership { role, member } in std::mem::take(&mut next.members) {
        let _ = apply_step(&mut next, &Step::AddMember { role, member });
    }
    let there: BTreeSet<SqlName> =
        next.principals.keys().chain(next.roles.keys()).copied().chain([name("public")]).collect();
    next.grants.retain(|key, _| {
        let on = match key.securable {
            Securable::Principal(on) => there.contains(&on),
            _ => true,
        };
        on && there.contains(&key.grantee)
    });
    next
}

/// Whoever is another in one graph than in the other.
fn moved(before: &Graph, after: &Graph) -> BTreeSet<SqlName> {
    let mut names = BTreeSet::new();
    let principals = before.principals.keys().chain(after.principals.keys());
    names.extend(principals.filter(|n| before.principals.get(n) != after.principals.get(n)));
    let roles = before.roles.keys().chain(after.roles.keys());
    names.extend(roles.filter(|n| before.roles.get(n) != after.roles.get(n)));
    names.extend(before.members.symmetric_difference(&after.members).map(|m| m.member));
    let grants = before.grants.keys().chain(after.grants.keys());
    names.extend(grants.filter(|k| before.grants.get(k) != after.grants.get(k)).map(|k| k.grantee));
    names
}

/// The plan over a part, with names asked for that only became steps, as the controller asks.
fn near(sides: &Sides, mut concerned: Concerned) -> Option<(Sides, Plan, Concerned)> {
    let [wanted, there] = [&sides.desired, &sides.actual].map(Ties::of);
    for _ in 0..3 {
        let desired = Tied { graph: &sides.desired, ties: &wanted };
        let actual = Tied { graph: &sides.actual, ties: &there };
        let part = focus_on(desired, actual, &sides.scope, &concerned);
        let plan = plan(&part);
        let subjects = plan.steps.iter().map(|planned| planned.step.subject());
        let more: Vec<SqlName> = subjects.filter(|name| !concerned.differ.contains(name)).collect();
        if more.is_empty() {
            return Some((part, plan, concerned));
        }
        if more.iter().any(|name| !concerned.told.contains(name)) {
            return None;
        }
        concerned.differ.extend(more);
    }
    None
}

fn sentences(plan: &Plan) -> Vec<(String, bool)> {
    plan.steps.iter().map(|p| (p.step.to_string(), p.interrupts.is_some())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_over_what_moved_is_the_next_whole_plan(
        before in sides(),
        other in sides(),
        wanted in prop::collection::btree_set(prop::sample::select([&worlds::PEOPLE[..], &worlds::ROLES[..]].concat()), 0..4),
        there in prop::collection::btree_set(prop::sample::select([&worlds::PEOPLE[..], &worlds::ROLES[..]].concat()), 0..4),
        mode in prop::sample::select(vec![Mode::Observe, Mode::Additive, Mode::Authoritative]),
        hold_steps in prop::collection::vec(prop::sample::select(StepKind::ALL.to_vec()), 0..3),
        most in 0..60_u32,
    ) {
        let [wanted, there] = [wanted, there].map(|names| names.into_iter().map(name).collect());
        let after = Sides {
            desired: exchanged(&before.desired, &other.desired, &wanted),
            actual: exchanged(&before.actual, &other.actual, &there),
            scope: before.scope.clone(),
        };
        let Some(mut concerned) = plan(&before).concerned() else { return Ok(()) };
        concerned.differ.extend(moved(&before.desired, &after.desired));
        concerned.differ.extend(moved(&before.actual, &after.actual));
        let whole = plan(&after);
        let Some((part, near, concerned)) = near(&after, concerned.clone()) else {
            // Rare, and then all is looked at.
            return Ok(());
        };
        prop_assert_eq!(sentences(&whole), sentences(&near), "asked for {:?}", concerned);
        prop_assert_eq!(&whole.findings, &near.findings, "asked for {:?}", concerned);

        let mut tally = Tally::of(&before);
        tally.recount(&part, |name| concerned.differ.contains(&name), concerned.differ.iter().copied());
        prop_assert_eq!(&tally, &Tally::of(&after));

        let budget = RemovalBudget { window: Duration::hours(1), most_percent: most, floor: 1 };
        let guards = Guards {
            mode,
            removals: Some(budget),
            leavers: Some(budget),
            protect: BTreeSet::new(),
            hold_steps,
            administrators: BTreeSet::new(),
            own: name("axon"),
        };
        let (history, now) = (History::default(), OffsetDateTime::UNIX_EPOCH);
        let all = admit(whole, &after, &guards, &history, now);
        let known = Known { against: &|_| None, released: &|_, _| false, standing: &|_, _| false, announced: 0, totals: Some(tally.totals()), closed: &|_| false };
        let some = admit_with(near, &part, &guards, &history, now, &known);
        let steps = |admitted: &axon_reconcile::Admitted| -> Vec<String> {
            admitted.steps().iter().map(|p| p.step.to_string()).collect()
        };
        prop_assert_eq!(steps(&all), steps(&some));
        for (all, some) in all.withheld().iter().zip(some.withheld()) {
            prop_assert_eq!(&all.reasons, &some.reasons, "{}", all.planned);
        }
    }
}
