//! Where steps about views stand among those about permissions.

use std::collections::BTreeSet;

use axon_model::SqlName;

use crate::effect::denies_by_definition;
use crate::finding::Finding;
use crate::graph::{GrantState, Graph};
use crate::plan::{Plan, Planned};
use crate::step::{Step, StepKind};

use super::SecureStep;

/// Puts them into a plan about permissions, whose own order stays what it is.
///
/// What closes comes right after those who leave: a view that is altered waits for whoever reads it. What gives comes before the first step that gives a permission: whoever is let in by this plan finds
/// the text that the map means. So does whoever leaves a role that keeps its members from something. A view, and a filter, is dropped when every permission was taken that stood on it.
pub fn put_into(plan: &mut Plan, steps: Vec<SecureStep>, findings: Vec<Finding>, actual: &Graph) {
    plan.findings.extend(findings);
    plan.findings.sort();
    plan.findings.dedup();
    if steps.is_empty() {
        return;
    }
    let planned = |step: SecureStep| Planned::from(Step::Secure(step));
    let (drops, steps): (Vec<_>, Vec<_>) =
        steps.into_iter().partition(|step| matches!(step.kind(), StepKind::DropView | StepKind::DropFilter));
    // A function stands on what is made before.
    let late = |step: &SecureStep| step.gives() || matches!(step, SecureStep::SetFilter { make: true, .. });
    let (gives, takes): (Vec<_>, Vec<_>) = steps.into_iter().partition(late);
    let first = first_that_opens(plan, actual).unwrap_or(plan.steps.len());
    let rest = plan.steps.split_off(first);
    let leaving = std::mem::take(&mut plan.steps);
    plan.steps = leaving
        .into_iter()
        .chain(takes.into_iter().map(planned))
        .chain(gives.into_iter().map(planned))
        .chain(rest)
        .chain(drops.into_iter().map(planned))
        .collect();
}

/// The first step by which somebody may come to read something.
fn first_that_opens(plan: &Plan, actual: &Graph) -> Option<usize> {
    let steps = || plan.steps.iter().map(|planned| &planned.step);
    // Whoever is shut out comes by nothing.
    let gone: BTreeSet<SqlName> =
        steps().filter(|step| matches!(step, Step::KillSessions { .. })).map(Step::subject).collect();
    let left = |step: &Step| match step {
        Step::DropMember { role, member } if !gone.contains(member) => Some(*role),
        _ => None,
    };
    let denying = if steps().any(|step| left(step).is_some()) { denying(actual) } else { BTreeSet::new() };
    steps().position(|step| step.gives() || left(step).is_some_and(|role| denying.contains(&role)))
}

/// The roles that keep their members from something, by themselves or by a role that they are in.
fn denying(actual: &Graph) -> BTreeSet<SqlName> {
    let denied = actual.grants.iter().filter(|(_, grant)| grant.state == GrantState::Deny);
    let by_definition = actual.roles.keys().copied().filter(|role| denies_by_definition(*role));
    let mut open: Vec<SqlName> = denied.map(|(key, _)| key.grantee).chain(by_definition).collect();
    let mut found = BTreeSet::new();
    while let Some(role) = open.pop() {
        if actual.roles.contains_key(&role) && found.insert(role) {
            open.extend(actual.members_of(role));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Connect, Grant, GrantKey, Membership, Principal, PrincipalKind, Role};
    use crate::permission::Permission;
    use crate::shape::{ObjectName, Securable};

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    /// The order in which a role is left and a view is closed.
    fn order(role: &str, shut_out: bool) -> Vec<String> {
        let mut actual = Graph::default();
        let kind = PrincipalKind::External;
        let there = Principal { kind, sid: None, connect: Connect::Granted, created: None };
        actual.principals.insert(name("kim"), there);
        for role in ["plain", "denies", "inner", "db_denydatareader"] {
            actual.roles.insert(name(role), Role::default());
        }
        actual.members.insert(Membership { role: name("denies"), member: name("inner") });
        actual.members.insert(Membership { role: name(role), member: name("kim") });
        let view = ObjectName { schema: name("secure"), name: name("orders") };
        let (securable, permission) = (Securable::Object(view), Permission::Select);
        for (grantee, state) in [("denies", GrantState::Deny), ("plain", GrantState::Grant)] {
            let key = GrantKey { grantee: name(grantee), securable, permission };
            actual.grants.insert(key, Grant::wanted(state));
        }
        let kill = shut_out.then(|| Step::KillSessions { principal: name("kim") });
        let leave = Step::DropMember { role: name(role), member: name("kim") };
        let steps = kill.into_iter().chain([leave]).map(Planned::from).collect();
        let mut plan = Plan { steps, findings: Vec::new() };
        let close = SecureStep::CloseView { view, because: "gone".into(), unseen: false };
        put_into(&mut plan, vec![close], Vec::new(), &actual);
        plan.steps.iter().map(|planned| planned.step.to_string()).collect()
    }

    #[test]
    fn a_role_that_keeps_its_people_from_a_view_is_left_when_the_view_is_closed() {
        for role in ["denies", "inner", "db_denydatareader"] {
            let leave = format!("remove kim from role {role}");
            assert_eq!(order(role, false), ["close view secure.orders: gone", leave.as_str()]);
            let kill = "kill the sessions of kim";
            assert_eq!(order(role, true), [kill, leave.as_str(), "close view secure.orders: gone"]);
        }
        let plain = ["remove kim from role plain", "close view secure.orders: gone"];
        assert_eq!(order("plain", false), plain, "what takes waits for nothing");
    }
}
