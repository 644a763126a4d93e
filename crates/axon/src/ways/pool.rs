//! Ways in a pool: who is its owner, and who can make themselves that.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::{GrantState, Inspection, Permission, Securable};

use super::{Way, WayKind};

/// Fixed roles whose members can give themselves everything. `db_ddladmin` writes procedures and views in schemas of dbo, which
/// read by ownership chaining.
const LEADING: [(&str, &str); 2] = [
    ("db_securityadmin", "member of db_securityadmin: grants any permission"),
    ("db_ddladmin", "member of db_ddladmin: writes views and procedures that read as their owner"),
];

/// What a pool's catalog shows.
pub fn of_pool(target: &str, seen: &Inspection) -> Vec<Way> {
    let own = seen.facts.own_principal;
    let administrators: BTreeSet<SqlName> = seen.facts.administrators.iter().copied().collect();
    let mut ways = Vec::new();
    for who in &administrators {
        // Roles in db_owner are told by their members.
        if *who == own || seen.graph.roles.contains_key(who) {
            continue;
        }
        let by = if who.folded() == "dbo" {
            "dbo: the Entra administrator and the SQL administrator enter as it".to_owned()
        } else {
            "member of db_owner".to_owned()
        };
        ways.push(Way::new(target, WayKind::DatabaseOwner, who.to_string(), by));
    }
    let mut add = |who: SqlName, by: String| {
        if who != own && !administrators.contains(&who) && who.folded() != "dbo" {
            ways.push(Way::new(target, WayKind::DatabaseControl, who.to_string(), by));
        }
    };
    for (role, by) in LEADING {
        let Ok(role) = SqlName::parse(role) else { continue };
        for member in seen.graph.members_of(role) {
            add(member, by.to_owned());
        }
    }
    for (key, grant) in &seen.graph.grants {
        let leads = match key.permission {
            Permission::Control | Permission::TakeOwnership | Permission::Alter => {
                key.securable == Securable::Database
            }
            Permission::AlterAnyUser | Permission::AlterAnyRole | Permission::Impersonate => true,
            _ => false,
        };
        if leads && grant.state != GrantState::Deny {
            add(key.grantee, format!("{} on {}", key.permission.name(), key.securable));
        }
    }
    ways
}

#[cfg(test)]
mod tests {
    use axon_reconcile::{Grant, GrantKey, Graph, Membership, Role, Shape, TargetFacts};

    use super::*;

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    #[test]
    fn owners_and_who_can_become_one_are_told_and_axon_is_not() {
        let mut graph = Graph::default();
        for role in ["db_owner", "db_securityadmin", "admins", "axon_reader"] {
            graph.roles.insert(name(role), Role::default());
        }
        for (role, member) in [("db_securityadmin", "sec@acme.com"), ("axon_reader", "kim@acme.com")] {
            graph.members.insert(Membership { role: name(role), member: name(member) });
        }
        for (who, permission, state) in [
            ("ops@acme.com", Permission::Control, GrantState::Grant),
            ("ben@acme.com", Permission::AlterAnyUser, GrantState::GrantWithOption),
            ("ana@acme.com", Permission::Control, GrantState::Deny),
            ("kim@acme.com", Permission::Select, GrantState::Grant),
            ("axon@acme.com", Permission::AlterAnyUser, GrantState::Grant),
        ] {
            let key = GrantKey { grantee: name(who), securable: Securable::Database, permission };
            graph.grants.insert(key, Grant::wanted(state));
        }
        let facts = TargetFacts {
            version: String::new(),
            engine_edition: 6,
            own_principal: name("axon@acme.com"),
            administrators: ["dbo", "dba@acme.com", "admins"].map(name).to_vec(),
        };
        let seen = Inspection { graph, shape: Shape::default(), facts, unseen: Vec::new() };
        let told: Vec<(WayKind, String)> =
            of_pool("dw", &seen).into_iter().map(|way| (way.kind, way.who)).collect();
        let expected = [
            (WayKind::DatabaseOwner, "dba@acme.com"),
            (WayKind::DatabaseOwner, "dbo"),
            (WayKind::DatabaseControl, "sec@acme.com"),
            (WayKind::DatabaseControl, "ben@acme.com"),
            (WayKind::DatabaseControl, "ops@acme.com"),
        ];
        let expected = expected.map(|(kind, who)| (kind, who.to_owned()));
        assert_eq!(BTreeSet::from_iter(told), BTreeSet::from(expected));
    }
}
