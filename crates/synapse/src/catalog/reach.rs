//! Who administers the database, and whether our own principal sees all of it.
//!
//! A reader without VIEW DEFINITION gets silently partial rows, and dedicated pools list no HAS_PERMS_BY_NAME. But every
//! principal sees its own rows, so the catalog itself tells.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::{Connect, GrantState, Graph, Permission, Securable};

fn name(text: &str) -> Option<SqlName> {
    SqlName::parse(text).ok()
}

/// `dbo` and everyone who is in `db_owner`, also through roles in it; those roles as well.
pub(super) fn administrators(graph: &Graph) -> BTreeSet<SqlName> {
    let mut found: BTreeSet<SqlName> = name("dbo").into_iter().collect();
    let mut roles: Vec<SqlName> = name("db_owner").into_iter().collect();
    while let Some(role) = roles.pop() {
        for member in graph.members_of(role) {
            if found.insert(member) && graph.roles.contains_key(&member) {
                roles.push(member);
            }
        }
    }
    found
}

/// The roles that this name is in, also through other roles, and `public`.
fn all_roles_of(graph: &Graph, who: SqlName) -> BTreeSet<SqlName> {
    let mut by_member: BTreeMap<SqlName, Vec<SqlName>> = BTreeMap::new();
    for membership in &graph.members {
        by_member.entry(membership.member).or_default().push(membership.role);
    }
    let mut found: BTreeSet<SqlName> = name("public").into_iter().collect();
    let mut open = vec![who];
    while let Some(next) = open.pop() {
        for role in by_member.get(&next).into_iter().flatten() {
            if found.insert(*role) {
                open.push(*role);
            }
        }
    }
    found
}

/// Why `own` may not see all rows of the catalog; `None` where it does.
pub(super) fn blind(graph: &Graph, own: SqlName, administrators: &BTreeSet<SqlName>) -> Option<String> {
    if administrators.contains(&own) {
        return None;
    }
    let mut grantees = all_roles_of(graph, own);
    if name("db_securityadmin").is_some_and(|role| grantees.contains(&role)) {
        return None;
    }
    grantees.insert(own);
    let states = |permission| {
        grantees
            .iter()
            .flat_map(|who| graph.grants_of(*who))
            .filter(move |(key, _)| key.securable == Securable::Database && key.permission == permission)
            .map(|(_, grant)| grant.state)
            .collect::<Vec<_>>()
    };
    let (view, control) = (states(Permission::ViewDefinition), states(Permission::Control));
    let denied = view.iter().chain(&control).any(|state| *state == GrantState::Deny);
    let granted = !view.is_empty() || !control.is_empty();
    if granted && !denied {
        return None;
    }
    let entered = graph.principals.get(&own).is_some_and(|p| p.connect != Connect::Denied);
    Some(if entered {
        format!("{own} may not see all of the catalog: grant it VIEW DEFINITION on the database")
    } else {
        format!(
            "{own} has no row of its own in the catalog (it enters through a group), so what it may see is not known: \
             give it a database user with VIEW DEFINITION on the database"
        )
    })
}
