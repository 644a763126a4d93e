//! A target driven as the controller drives it: introduced, looked at, planned, applied, read back.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::{
    Glob, Graph, Guards, History, InspectScope, Inspection, ManagedPrincipals, Mode, Outcome, Plan, Scope,
    Seen, Sides, Step, Target as _, Wave, admit, plan_assigned, simulate,
};

use crate::assigned::AssignedTarget;

/// What the controller would see and plan.
pub(crate) async fn planned(
    target: &AssignedTarget,
    desired: &Graph,
    manage: &[&str],
) -> (Plan, Vec<String>) {
    let (plan, _, seen) = compared(target, desired, manage).await;
    (plan, seen.unseen)
}

/// What the guards let through of that, and what they withhold.
pub(crate) async fn admitted(target: &AssignedTarget, desired: &Graph, manage: &[&str]) -> String {
    let (plan, sides, seen) = compared(target, desired, manage).await;
    let guards = Guards {
        mode: Mode::Authoritative,
        removals: None,
        leavers: None,
        protect: BTreeSet::new(),
        hold_steps: Vec::new(),
        administrators: seen.facts.administrators.into_iter().collect(),
        own: seen.facts.own_principal,
    };
    let now = time::macros::datetime!(2026-11-22 10:00 UTC);
    let admitted = admit(plan, &sides, &guards, &History::default(), now);
    let done = admitted.steps().iter().map(ToString::to_string);
    let withheld = admitted.withheld().iter().map(|w| {
        let why: Vec<String> = w.reasons.iter().map(ToString::to_string).collect();
        format!("{} WITHHELD: {}", w.planned, why.join("; "))
    });
    done.chain(withheld).collect::<Vec<_>>().join("\n")
}

async fn compared(target: &AssignedTarget, desired: &Graph, manage: &[&str]) -> (Plan, Sides, Inspection) {
    let first = target.inspect(InspectScope::Full).await.unwrap();
    target.introduce(desired).await.unwrap();
    let seen = target.inspect(InspectScope::Full).await.unwrap();
    assert_eq!(first.facts.version, seen.facts.version);
    let named: BTreeSet<SqlName> = desired.members.iter().map(|m| m.role).collect();
    let known: BTreeSet<SqlName> =
        desired.principals.keys().chain(seen.graph.principals.keys()).copied().collect();
    let scope = Scope {
        roles: manage.iter().map(|m| Glob::new(m)).collect(),
        named_roles: named,
        given: BTreeSet::new(),
        schemas: Vec::new(),
        principals: ManagedPrincipals::Mapped(known),
        untouchable: [seen.facts.own_principal].into(),
    };
    let sides = Sides { desired: desired.clone(), actual: seen.graph.clone(), scope };
    let plan = plan_assigned(&sides);
    simulate(&sides.actual, &plan).unwrap();
    (plan, sides, seen)
}

pub(crate) fn steps(plan: &Plan) -> Vec<Step> {
    plan.steps.iter().map(|planned| planned.step.clone()).collect()
}

/// Applies steps and reads them back; outcomes in words.
pub(crate) async fn applied(target: &AssignedTarget, steps: Vec<Step>) -> Vec<String> {
    let wave = Wave::for_test(steps);
    let outcomes = target.apply(&wave).await;
    let seen = target.read_back(&wave).await;
    let told = wave.steps().iter().zip(&outcomes).enumerate().map(|(n, (step, outcome))| {
        let word = match outcome {
            Outcome::Done { .. } => "done".to_owned(),
            Outcome::Refused { refusal, .. } => format!("refused, {:?}: {}", refusal.kind, refusal.message),
            Outcome::Unknown { reason, statements } => {
                format!("unknown after {}: {reason}", statements.len())
            }
            Outcome::NotTried => "not tried".to_owned(),
        };
        let there = seen.as_ref().map(|seen| if seen[n] == Seen::InForce { "there" } else { "not there" });
        format!("{step} -> {word}; {}", there.unwrap_or("not read back"))
    });
    told.collect()
}
