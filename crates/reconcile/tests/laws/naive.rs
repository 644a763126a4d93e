//! What somebody may do, decided atom by atom from the rules as they are written, without any of the crate's own code
//! for it.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::{Connect, GrantState, Graph, ObjectName, Permission, Securable};

use crate::worlds::{name, object};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Atom {
    May(Permission, Securable),
    In(SqlName),
}

fn leaves() -> Vec<Securable> {
    let mut leaves = vec![Securable::Database];
    for schema in ["s", "s2", "unnamed"] {
        let schema = name(schema);
        leaves.push(Securable::Schema(schema));
        leaves.push(Securable::Object(ObjectName { schema, name: name("unnamed") }));
    }
    for table in ["t", "v"] {
        leaves.push(Securable::Object(object(table)));
        for column in ["c1", "c2", "unnamed"] {
            leaves.push(Securable::Column(object(table), name(column)));
        }
    }
    leaves.push(Securable::Principal(name("ann")));
    leaves
}

const PERMISSIONS: [Permission; 8] = [
    Permission::Select,
    Permission::Insert,
    Permission::Update,
    Permission::Delete,
    Permission::Control,
    Permission::CreateTable,
    Permission::Impersonate,
    Permission::ViewDefinition,
];

fn covers(wide: &Securable, leaf: &Securable) -> bool {
    match (wide, leaf) {
        (Securable::Database, _) => true,
        (Securable::Schema(s), Securable::Schema(l)) => s == l,
        (Securable::Schema(s), Securable::Object(o) | Securable::Column(o, _)) => *s == o.schema,
        (Securable::Object(o), Securable::Object(l) | Securable::Column(l, _)) => o == l,
        (a, b) => a == b,
    }
}

fn is_data(leaf: &Securable) -> bool {
    !matches!(leaf, Securable::Principal(_))
}

fn token(graph: &Graph, who: SqlName) -> BTreeSet<SqlName> {
    let mut token = BTreeSet::from([who, name("public")]);
    loop {
        let more: Vec<SqlName> = graph
            .members
            .iter()
            .filter(|m| token.contains(&m.member) && !token.contains(&m.role))
            .map(|m| m.role)
            .collect();
        if more.is_empty() {
            return token;
        }
        token.extend(more);
    }
}

fn allowed(graph: &Graph, token: &BTreeSet<SqlName>, permission: Permission, leaf: &Securable) -> bool {
    let is = |role: &str| token.contains(&name(role));
    let writes = matches!(permission, Permission::Insert | Permission::Update | Permission::Delete);
    let mut given = is("db_owner")
        || is("db_datareader") && permission == Permission::Select && is_data(leaf)
        || is("db_datawriter") && writes && is_data(leaf);
    let mut denied = is("db_denydatareader") && permission == Permission::Select && is_data(leaf)
        || is("db_denydatawriter") && writes && is_data(leaf);
    let (mut object_denied, mut column_given) = (false, false);
    for (key, row) in &graph.grants {
        let concerns = token.contains(&key.grantee)
            && covers(&key.securable, leaf)
            && (key.permission == permission || key.permission == Permission::Control);
        if !concerns {
            continue;
        }
        let on_object =
            matches!(key.securable, Securable::Object(_)) && key.permission != Permission::Control;
        match row.state {
            GrantState::Deny if on_object => object_denied = true,
            GrantState::Deny => denied = true,
            GrantState::Grant | GrantState::GrantWithOption => {
                given = true;
                column_given |= matches!(key.securable, Securable::Column(..));
            }
        }
    }
    given && !denied && (!object_denied || column_given)
}

/// All that this principal may do.
pub fn may(graph: &Graph, who: SqlName) -> BTreeSet<Atom> {
    match graph.principals.get(&who) {
        None => return BTreeSet::new(),
        Some(principal) if principal.connect == Connect::Denied => return BTreeSet::new(),
        Some(_) => {}
    }
    of_token(graph, &token(graph, who))
}

/// What everybody may do who may enter.
pub fn public(graph: &Graph) -> BTreeSet<Atom> {
    of_token(graph, &BTreeSet::from([name("public")]))
}

fn of_token(graph: &Graph, token: &BTreeSet<SqlName>) -> BTreeSet<Atom> {
    let leaves = leaves();
    let mut may: BTreeSet<Atom> = token
        .iter()
        .filter(|role| graph.roles.get(role).is_some_and(|role| role.fixed))
        .map(|role| Atom::In(*role))
        .collect();
    for permission in PERMISSIONS {
        for leaf in &leaves {
            if allowed(graph, token, permission, leaf) {
                may.insert(Atom::May(permission, *leaf));
            }
        }
    }
    may
}
