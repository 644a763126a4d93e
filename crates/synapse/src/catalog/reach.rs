//! Who administers the database, and whether our own principal sees all of it.
//!
//! A reader without VIEW DEFINITION gets silently partial rows, and dedicated pools list no HAS_PERMS_BY_NAME. But every
//! principal sees its own rows, so the catalog itself tells.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::{GrantState, Graph, Permission, Securable};

use crate::statement::Dialect;

fn name(text: &str) -> Option<SqlName> {
    SqlName::parse(text).ok()
}

/// `dbo` and everyone who is in `db_owner`, also through roles in it; those roles as well. Of a server it is `sysadmin`, and ourselves
/// where it says so: whoever administers the workspace needs no login of its own.
pub(super) fn administrators(graph: &Graph, at_server: Option<(SqlName, bool)>) -> BTreeSet<SqlName> {
    let (mut found, role): (BTreeSet<SqlName>, _) = match at_server {
        Some((own, administers)) => (administers.then_some(own).into_iter().collect(), "sysadmin"),
        None => (name("dbo").into_iter().collect(), "db_owner"),
    };
    let mut roles: Vec<SqlName> = name(role).into_iter().collect();
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

/// Whether one of these holds one of the permissions on the whole, and none is denied one of them.
fn holds(graph: &Graph, grantees: &BTreeSet<SqlName>, permissions: [Permission; 2]) -> bool {
    let states: Vec<GrantState> = grantees
        .iter()
        .flat_map(|who| graph.grants_of(*who))
        .filter(|(key, _)| {
            matches!(key.securable, Securable::Database | Securable::Server)
                && permissions.contains(&key.permission)
        })
        .map(|(_, grant)| grant.state)
        .collect();
    !states.is_empty() && !states.contains(&GrantState::Deny)
}

/// Why `own` may not see all rows of the catalog; `None` where it does.
pub(super) fn blind(
    graph: &Graph,
    own: SqlName,
    administrators: &BTreeSet<SqlName>,
    dialect: Dialect,
) -> Option<String> {
    if administrators.contains(&own) {
        return None;
    }
    let mut grantees = all_roles_of(graph, own);
    if name("db_securityadmin").is_some_and(|role| grantees.contains(&role)) {
        return None;
    }
    grantees.insert(own);
    if dialect == Dialect::Server {
        let sees = holds(graph, &grantees, [Permission::ViewAnyDefinition, Permission::ControlServer]);
        return (!sees).then(|| {
            format!("{own} may not see all logins and permissions of the server: grant it VIEW ANY DEFINITION there")
        });
    }
    if holds(graph, &grantees, [Permission::ViewDefinition, Permission::Control]) {
        return None;
    }
    Some(if graph.principals.contains_key(&own) {
        format!("{own} may not see all of the catalog: grant it VIEW DEFINITION on the database")
    } else {
        format!(
            "{own} has no row of its own in the catalog (it enters through a group), so what it may see is not known: \
             give it a database user with VIEW DEFINITION on the database"
        )
    })
}

/// Why `own` may not see the sessions of others; `None` where it does. A reader without the permission gets its own session
/// and no error, which must not be taken for "nobody is left".
pub(super) fn blind_to_sessions(
    graph: &Graph,
    own: SqlName,
    administrators: &BTreeSet<SqlName>,
    dialect: Dialect,
) -> Option<String> {
    let mut grantees = all_roles_of(graph, own);
    grantees.insert(own);
    let (needed, remedy) = match dialect {
        Dialect::Server => (
            [Permission::ViewServerState, Permission::ControlServer],
            "grant it VIEW SERVER STATE and ALTER ANY CONNECTION on the server",
        ),
        Dialect::Dedicated | Dialect::Serverless => (
            [Permission::ViewDatabaseState, Permission::Control],
            "grant it VIEW DATABASE STATE and KILL DATABASE CONNECTION on the database",
        ),
    };
    let sees = administrators.contains(&own) || holds(graph, &grantees, needed);
    (!sees).then(|| format!("{own} may not see the sessions of others: {remedy}"))
}
