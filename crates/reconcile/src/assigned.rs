//! The plan of a target whose roles are only assigned: memberships, and roles of the role map's own. People are in the directory
//! behind it whatever a plan says, so none is made, shut out or dropped, and no role is in another one.
//!
//! Each assignment stands alone, so any order is safe; what takes away goes first, as where a rule forbids holding both.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;

use crate::finding::{Finding, Obstacle};
use crate::graph::{Connect, Membership, PrincipalKind};
use crate::plan::{Plan, Planned};
use crate::scope::{Scope, Sides};
use crate::step::Step;

/// The steps that bring actual to desired. A principal of the actual side whose CONNECT is denied is one that the directory does
/// not have any more: what is left of it is collected in roles that are managed.
pub fn plan_assigned(sides: &Sides) -> Plan {
    let Sides { desired, actual, .. } = sides;
    let mut findings: BTreeSet<Finding> = BTreeSet::new();
    let mut missing: BTreeMap<SqlName, SqlName> = BTreeMap::new();
    let (mut makes, mut takes, mut gives) = (Vec::new(), Vec::new(), Vec::new());
    for name in desired.roles.keys().filter(|name| !actual.roles.contains_key(name)) {
        makes.push(Step::CreateRole { name: *name });
    }
    for membership in actual.members.difference(&desired.members) {
        if manages(sides, *membership) {
            takes.push(Step::DropMember { role: membership.role, member: membership.member });
        }
    }
    for membership in desired.members.difference(&actual.members) {
        let Membership { role, member } = *membership;
        let (Some(wanted), Some(there)) = (desired.principals.get(&member), actual.principals.get(&member))
        else {
            missing.entry(member).or_insert(role);
            continue;
        };
        if wanted.kind != there.kind {
            findings.insert(Finding::KindDiffers {
                principal: member,
                desired: wanted.kind,
                actual: there.kind,
            });
        } else if !actual.roles.contains_key(&role) && !desired.roles.contains_key(&role) {
            missing.entry(role).or_insert(member);
        } else if manages(sides, *membership) {
            gives.push(Step::AddMember { role, member });
        } else {
            findings.insert(Finding::OutOfScope { name: member });
        }
    }
    findings.extend(missing.into_iter().map(|(name, needed_for)| Finding::Missing { name, needed_for }));
    let retired = actual.roles.keys().copied().filter(|name| is_retired(sides, *name));
    let drops: Vec<Step> = retired
        .filter_map(|name| {
            let leaves = |member| takes.contains(&Step::DropMember { role: name, member });
            match actual.members_of(name).find(|member| !leaves(*member)) {
                Some(member) => {
                    let because = Obstacle::Member { member };
                    findings.insert(Finding::CannotDropRole { role: name, because });
                    None
                }
                None => Some(Step::DropRole { name }),
            }
        })
        .collect();
    let steps = makes.into_iter().chain(takes).chain(gives).chain(drops).map(Planned::from).collect();
    Plan { steps, findings: findings.into_iter().collect() }
}

/// A role of a role map's own that the map does not have any more. No other one is dropped.
fn is_retired(sides: &Sides, role: SqlName) -> bool {
    let own = sides.actual.roles.get(&role).is_some_and(|there| !there.fixed);
    own && !sides.desired.roles.contains_key(&role)
        && !sides.scope.named_roles.contains(&role)
        && !sides.scope.untouchable.contains(&role)
}

/// Assignments of the actual side that are outside of what the scope manages, and of nobody and nothing untouchable.
pub fn unmanaged_assignments(sides: &Sides) -> Vec<Membership> {
    let Scope { untouchable, .. } = &sides.scope;
    let free = |m: &&Membership| !untouchable.contains(&m.role) && !untouchable.contains(&m.member);
    let outside = sides.actual.members.iter().filter(free).filter(|m| !manages(sides, **m));
    outside.copied().collect()
}

/// An assignment is in scope if a line names its role, or `manage.roles` does, and its holder is managed; and so is what is left
/// of what Axon gave.
fn manages(sides: &Sides, membership: Membership) -> bool {
    let Sides { actual, desired, scope } = sides;
    let Membership { role, member } = membership;
    if scope.untouchable.contains(&role) || scope.untouchable.contains(&member) {
        return false;
    }
    if scope.given.contains(&membership) {
        return true;
    }
    let role = scope.named_roles.contains(&role) || scope.manages_role(role) || is_retired(sides, role);
    let there = actual.principals.get(&member);
    let deleted = there.is_some_and(|principal| principal.connect == Connect::Denied);
    let known = there.or_else(|| desired.principals.get(&member));
    let person = known.is_some_and(|principal| principal.kind != PrincipalKind::Sql);
    role && (deleted || (person && scope.manages_principal(member, actual)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Graph, Principal, Role};
    use crate::scope::{Glob, ManagedPrincipals};
    use crate::simulate::simulate;

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn graph(people: &[(&str, Connect)], members: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::default();
        for (who, connect) in people {
            let principal =
                Principal { kind: PrincipalKind::External, sid: None, connect: *connect, created: None };
            graph.principals.insert(name(who), principal);
        }
        for (role, member) in members {
            graph.members.insert(Membership { role: name(role), member: name(member) });
        }
        graph
    }

    fn sides(mut desired: Graph, mut actual: Graph) -> Sides {
        for role in ["Reader", "Owner", "axon_operator"] {
            actual.roles.insert(name(role), Role { fixed: true, owner: None });
        }
        desired.roles.clear();
        let scope = Scope {
            roles: vec![Glob::new("axon_*")],
            named_roles: [name("Reader")].into(),
            given: BTreeSet::new(),
            schemas: Vec::new(),
            principals: ManagedPrincipals::Mapped([name("kim"), name("ana"), name("axon")].into()),
            untouchable: [name("axon")].into(),
        };
        Sides { desired, actual, scope }
    }

    const IN: Connect = Connect::Granted;

    fn told(sides: &Sides) -> String {
        let plan = plan_assigned(sides);
        simulate(&sides.actual, &plan).unwrap();
        plan.to_string()
    }

    #[test]
    fn only_what_a_line_or_manage_names_is_given_and_taken_and_only_with_those_who_are_known() {
        let sides = sides(
            graph(
                &[("kim", IN), ("nobody", IN)],
                &[("Reader", "kim"), ("Reader", "nobody"), ("Gone", "kim")],
            ),
            graph(
                &[("kim", IN), ("ana", IN), ("stranger", IN), ("axon", IN), ("deleted 1", Connect::Denied)],
                &[
                    ("Reader", "ana"),
                    ("axon_operator", "ana"),
                    ("Owner", "ana"),
                    ("Reader", "stranger"),
                    ("Reader", "axon"),
                    ("Reader", "deleted 1"),
                    ("Owner", "deleted 1"),
                ],
            ),
        );
        insta::assert_snapshot!(told(&sides), @r"
        1. remove ana from role axon_operator
        2. remove ana from role Reader
        3. remove deleted 1 from role Reader
        4. add kim to role Reader
        ! Gone is not there and Axon does not make it; kim needs it
        ! nobody is not there and Axon does not make it; Reader needs it
        ");
    }

    #[test]
    fn what_axon_gave_goes_though_nothing_names_its_role_any_more() {
        let people = [("kim", IN), ("ana", IN), ("0000-1", IN), ("axon", IN)];
        let owners = [("Owner", "kim"), ("Owner", "ana"), ("Owner", "0000-1"), ("Owner", "axon")];
        let mut sides = sides(graph(&[], &[]), graph(&people, &owners));
        let of = |who: &str| Membership { role: name("Owner"), member: name(who) };
        assert_eq!(unmanaged_assignments(&sides), [of("0000-1"), of("ana"), of("kim")]);
        // Of one of them the name is not known any more.
        sides.scope.given = ["kim", "0000-1", "axon"].map(of).into();
        insta::assert_snapshot!(told(&sides), @r"
        1. remove 0000-1 from role Owner
        2. remove kim from role Owner
        ");
        assert_eq!(unmanaged_assignments(&sides), [of("ana")]);
    }

    #[test]
    fn a_role_of_the_map_s_own_is_made_first_and_nobody_is_shut_out() {
        let mut sides =
            sides(graph(&[("kim", IN)], &[("axon_new", "kim")]), graph(&[("kim", IN), ("ana", IN)], &[]));
        sides.desired.roles.insert(name("axon_new"), Role::default());
        insta::assert_snapshot!(told(&sides), @r"
        1. create role axon_new
        2. add kim to role axon_new
        ");
    }

    #[test]
    fn equal_sides_need_nothing() {
        let there = graph(&[("kim", IN), ("ana", IN)], &[("Reader", "kim")]);
        let sides = sides(there.clone(), there);
        assert_eq!(plan_assigned(&sides), Plan::default());
    }

    #[test]
    fn a_role_that_left_the_map_is_emptied_and_then_dropped_unless_somebody_stays_in_it() {
        let own = |members: &[(&str, &str)]| {
            let people = ["kim", "ana", "zoe"].map(|who| (who, Connect::Granted));
            let mut sides = sides(graph(&[], &[]), graph(&people, members));
            sides.actual.roles.insert(name("Operator"), Role { fixed: false, owner: None });
            sides
        };
        let sides = own(&[("Operator", "kim"), ("Operator", "ana")]);
        let plan = plan_assigned(&sides);
        let told: Vec<String> = plan.steps.iter().map(|planned| planned.step.to_string()).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!(told[2], "drop role Operator");
        assert!(simulate(&sides.actual, &plan).is_ok());
        // Zoe is nobody whom the map knows.
        let plan = plan_assigned(&own(&[("Operator", "kim"), ("Operator", "zoe")]));
        assert!(plan.steps.iter().all(|planned| !matches!(planned.step, Step::DropRole { .. })), "{plan}");
        assert!(matches!(plan.findings[..], [Finding::CannotDropRole { .. }]), "{plan}");
    }
}
