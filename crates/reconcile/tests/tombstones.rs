//! The laws of dropping whoever left, on worlds where everything collides.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[expect(dead_code, reason = "the laws of plans use the rest")]
#[path = "laws/naive.rs"]
mod naive;
#[path = "laws/worlds.rs"]
mod worlds;

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::{
    Burial, Connect, Finding, Graph, Guards, History, Mode, Plan, PrincipalKind, Shape, Sides, Step,
    StepKind, Tied, Ties, admit, apply_step, doors, focus, plan, simulate, tombstones,
};
use proptest::prelude::*;
use time::OffsetDateTime;
use worlds::{name, sides};

/// The sides once the plan is done: whoever is not wanted is shut out and stripped.
fn done(sides: Sides) -> Sides {
    let plan = plan(&sides);
    Sides { actual: simulate(&sides.actual, &plan).unwrap(), ..sides }
}

/// The burial of everybody whom it may concern.
fn bury(sides: &Sides, reopens: bool) -> (Plan, BTreeSet<SqlName>) {
    let due: BTreeSet<SqlName> = worlds::people(sides);
    let shape = Shape::default();
    let mut buried = plan(sides);
    let held = BTreeSet::new();
    let burial = Burial { due: &due, reopens, shape: &shape, classifiers: &[], held: &held, most: 100 };
    let (behind, dropped) = burial.behind(&buried, sides);
    buried.steps.extend(behind.steps);
    buried.findings.extend(behind.findings);
    (buried, dropped)
}

fn opens(sides: &Sides) -> bool {
    doors(&sides.actual).chain(doors(&sides.desired)).next().is_some()
}

/// What somebody may do there who may be in any group, as the server sees it: by the own user, which may be shut out, else by groups.
fn may_as_member(graph: &Graph, who: SqlName) -> BTreeSet<naive::Atom> {
    if graph.principals.contains_key(&who) {
        return naive::may(graph, who);
    }
    let groups = graph.principals.iter().filter(|(_, p)| p.kind == PrincipalKind::ExternalGroup);
    groups.flat_map(|(group, _)| naive::may(graph, *group)).collect()
}

proptest! {
    #[test]
    fn nobody_gets_anything_by_being_dropped_in_whatever_group_they_are(sides in sides()) {
        let sides = done(sides);
        let (buried, dropped) = bury(&sides, opens(&sides));
        let mut now = sides.actual.clone();
        for planned in &buried.steps {
            apply_step(&mut now, &planned.step).map_err(|e| TestCaseError::fail(e.to_string()))?;
        }
        for who in dropped {
            prop_assert!(!now.principals.contains_key(&who));
            prop_assert_eq!(may_as_member(&now, who), BTreeSet::new(), "{} after\n{}", who, buried);
        }
        // The rest of the plan gives what is wanted; what comes behind it gives nothing.
        let before = simulate(&sides.actual, &plan(&sides)).map_err(|e| TestCaseError::fail(e.to_string()))?;
        for who in worlds::people(&sides) {
            let (before, after) = (naive::may(&before, who), naive::may(&now, who));
            prop_assert!(after.is_subset(&before), "{} after\n{}", who, buried);
        }
    }

    #[test]
    fn only_who_is_shut_out_and_not_wanted_is_dropped_and_only_behind_the_end_of_the_sessions(sides in sides()) {
        let sides = done(sides);
        let (buried, dropped) = bury(&sides, false);
        let steps: Vec<&Step> = buried.steps.iter().map(|planned| &planned.step).collect();
        for who in &dropped {
            let there = &sides.actual.principals[who];
            prop_assert_eq!((there.connect, there.kind), (Connect::Denied, PrincipalKind::External));
            prop_assert!(!sides.desired.principals.contains_key(who));
            prop_assert!(!sides.scope.untouchable.contains(who));
            let at = |step: &Step| steps.iter().position(|planned| *planned == step);
            let kill = at(&Step::KillSessions { principal: *who });
            let drop = at(&Step::drop_of(*who, &sides.actual));
            prop_assert!(kill.is_some() && kill < drop, "{}", buried);
        }
        let named = buried.findings.iter().filter(|f| matches!(f, Finding::TombstoneStays { .. })).count();
        let all = tombstones(&sides.desired, &sides.actual, &sides.scope).count();
        let busy: BTreeSet<SqlName> = plan(&sides).steps.iter().map(|p| p.step.subject()).collect();
        let quiet = tombstones(&sides.desired, &sides.actual, &sides.scope).filter(|(n, _)| !busy.contains(n));
        prop_assert!(dropped.len() + named <= all);
        prop_assert_eq!(dropped.len() + named, quiet.count(), "each is dropped, or named: {}", buried);
        // Done, it is done: the next one has nothing to drop.
        let end = simulate(&sides.actual, &buried).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let (_, again) = bury(&Sides { actual: end, ..sides }, false);
        prop_assert!(again.is_disjoint(&dropped), "{:?}", again);
    }

    #[test]
    fn nobody_is_dropped_whose_sessions_a_guard_keeps(
        sides in sides(),
        hold_steps in prop::collection::vec(
            prop::sample::select(vec![StepKind::KillSessions, StepKind::DropPrincipal, StepKind::DropMember]), 0..3),
    ) {
        let sides = done(sides);
        let (buried, _) = bury(&sides, false);
        let guards = Guards {
            mode: Mode::Authoritative,
            removals: None,
            leavers: None,
            protect: BTreeSet::new(),
            hold_steps,
            administrators: BTreeSet::new(),
            own: name("axon"),
        };
        let admitted = admit(buried, &sides, &guards, &History::default(), OffsetDateTime::UNIX_EPOCH);
        let steps: Vec<&Step> = admitted.steps().iter().map(|planned| &planned.step).collect();
        for step in &steps {
            if let Step::DropPrincipal { name, .. } = step {
                let kill = Step::KillSessions { principal: *name };
                prop_assert!(steps.contains(&&kill));
            }
        }
    }

    #[test]
    fn a_part_about_those_who_are_due_says_what_the_whole_says_of_them(sides in sides()) {
        let sides = done(sides);
        let due: BTreeSet<SqlName> =
            tombstones(&sides.desired, &sides.actual, &sides.scope).map(|(name, _)| name).collect();
        let [wanted, there] = [&sides.desired, &sides.actual].map(Ties::of);
        let part = focus(
            Tied { graph: &sides.desired, ties: &wanted },
            Tied { graph: &sides.actual, ties: &there },
            &sides.scope,
            &due,
        );
        let shape = Shape::default();
        let held = BTreeSet::new();
        let burial =
            Burial { due: &due, reopens: false, shape: &shape, classifiers: &[], held: &held, most: 100 };
        let (whole, near) = (burial.behind(&Plan::default(), &sides), burial.behind(&Plan::default(), &part));
        prop_assert_eq!(whole.0.to_string(), near.0.to_string());
    }
}
