//! The part of two sides that a plan about some names depends on: themselves, the roles above them, whoever is below a role
//! among them, and what else would stand in their way.
//!
//! A plan over the part is the whole plan as long as nothing else differs: so the names that differed at the last plan belong
//! to those that are asked for. What the part leaves out is in neither graph of it, so it cannot be taken for a difference.

use std::collections::BTreeSet;

use axon_model::SqlName;

use crate::graph::{GrantKey, Graph, Membership};
use crate::scope::{ManagedPrincipals, Scope, Sides};
use crate::shape::Securable;
use crate::ties::Ties;

/// A graph and its index.
#[derive(Debug, Clone, Copy)]
pub struct Tied<'a> {
    /// The graph.
    pub graph: &'a Graph,
    /// Its ties.
    pub ties: &'a Ties,
}

/// The names that a part is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Concerned {
    /// Whoever may differ: whoever is below a role among them belongs to the part too.
    pub differ: BTreeSet<SqlName>,
    /// Whoever differs in what no step can or may change: only they themselves are looked at.
    pub told: BTreeSet<SqlName>,
}

/// The part of both sides that concerns these names.
pub fn focus(desired: Tied, actual: Tied, scope: &Scope, names: &BTreeSet<SqlName>) -> Sides {
    part(desired, actual, scope, names, &BTreeSet::new())
}

/// The same, where some of the names differ only in what no step changes.
pub fn focus_on(desired: Tied, actual: Tied, scope: &Scope, concerned: &Concerned) -> Sides {
    part(desired, actual, scope, &concerned.differ, &concerned.told)
}

fn part(
    desired: Tied,
    actual: Tied,
    scope: &Scope,
    names: &BTreeSet<SqlName>,
    told: &BTreeSet<SqlName>,
) -> Sides {
    let around = Around::new(desired, actual, names, told);
    let Scope { roles, named_roles, given, schemas, principals, untouchable } = scope;
    let (wanted, there) = (around.part(desired), around.part(actual));
    // Of a hundred thousand managed names only those are copied that occur.
    let principals = match principals {
        ManagedPrincipals::External => ManagedPrincipals::External,
        ManagedPrincipals::Mapped(managed) => {
            let among = wanted.principals.keys().chain(there.principals.keys()).chain(names).chain(told);
            ManagedPrincipals::Mapped(among.filter(|name| managed.contains(name)).copied().collect())
        }
    };
    let scope = Scope {
        roles: roles.clone(),
        named_roles: named_roles.clone(),
        given: given.iter().filter(|membership| there.members.contains(membership)).copied().collect(),
        schemas: schemas.clone(),
        principals,
        untouchable: untouchable.clone(),
    };
    Sides { desired: wanted, actual: there, scope }
}

/// Whoever belongs to the part.
struct Around {
    /// With all that they hold, and the roles that they are in.
    nodes: BTreeSet<SqlName>,
    /// Only that they are there.
    beside: BTreeSet<SqlName>,
    /// Rows of others about the nodes.
    rows: BTreeSet<GrantKey>,
}

impl Around {
    fn new(desired: Tied, actual: Tied, names: &BTreeSet<SqlName>, told: &BTreeSet<SqlName>) -> Self {
        let mut nodes = with_those_below(desired.graph, actual.graph, names);
        nodes.extend(told);
        for name in names.iter().chain(told) {
            let wanted = desired.graph.principals.get(name).and_then(|principal| principal.sid.as_ref());
            nodes.extend(wanted.into_iter().flat_map(|sid| actual.ties.holders_of(sid)));
        }
        nodes.extend(SqlName::parse("public"));
        let mut open: Vec<SqlName> = nodes.iter().copied().collect();
        while let Some(member) = open.pop() {
            for side in [desired, actual] {
                open.extend(side.ties.roles_of(side.graph, member).filter(|role| nodes.insert(*role)));
            }
        }
        let (mut beside, mut rows) = (BTreeSet::new(), BTreeSet::new());
        for Tied { graph, ties } in [desired, actual] {
            for name in &nodes {
                beside.extend(ties.roles_owned(*name));
                rows.extend(ties.rows_about(*name).copied());
                beside.extend(graph.grants_of(*name).filter_map(|(key, _)| match key.securable {
                    Securable::Principal(on) => Some(on),
                    _ => None,
                }));
            }
        }
        beside.extend(rows.iter().map(|key| key.grantee));
        Self { nodes, beside, rows }
    }

    fn part(&self, whole: Tied) -> Graph {
        let Tied { graph, ties } = whole;
        let mut part = Graph::default();
        for name in self.nodes.iter().chain(&self.beside) {
            let principal = graph.principals.get_key_value(name);
            part.principals.extend(principal.map(|(name, principal)| (*name, principal.clone())));
            let role = graph.roles.get_key_value(name);
            part.roles.extend(role.map(|(name, role)| (*name, role.clone())));
        }
        for name in &self.nodes {
            // As the graph spells them: names that compare equal may be spelled in several ways.
            let memberships = ties.roles_of(graph, *name).map(|role| Membership { role, member: *name });
            part.members.extend(memberships.filter_map(|membership| graph.members.get(&membership)));
        }
        // In the order of keys already, so that the tree is built at once and not row by row.
        let held = self.nodes.iter().flat_map(|name| graph.grants_of(*name));
        part.grants = held.map(|(key, row)| (*key, row.clone())).collect();
        let rows = self.rows.iter().filter_map(|key| graph.grants.get_key_value(key));
        part.grants.extend(rows.map(|(key, row)| (*key, row.clone())));
        part
    }
}

/// The names, and whoever is in a role among them on either side.
pub(crate) fn with_those_below(
    desired: &Graph,
    actual: &Graph,
    names: &BTreeSet<SqlName>,
) -> BTreeSet<SqlName> {
    let below = names.iter().flat_map(|name| [below(desired, *name), below(actual, *name)]).flatten();
    below.chain(names.iter().copied()).collect()
}

/// Everybody in a role, through nested ones.
fn below(graph: &Graph, role: SqlName) -> BTreeSet<SqlName> {
    let mut found = BTreeSet::new();
    let mut open = vec![role];
    while let Some(role) = open.pop() {
        open.extend(graph.members_of(role).filter(|member| found.insert(*member)));
    }
    found
}
