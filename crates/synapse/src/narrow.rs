//! A graph cut down to some principals and roles.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::Graph;

/// Leaves the named principals and roles, memberships of which one side is named, permissions of which the grantee is.
pub(crate) fn narrowed(graph: &mut Graph, names: &BTreeSet<SqlName>) {
    graph.principals.retain(|name, _| names.contains(name));
    graph.roles.retain(|name, _| names.contains(name));
    graph.members.retain(|m| names.contains(&m.role) || names.contains(&m.member));
    graph.grants.retain(|key, _| names.contains(&key.grantee));
}
