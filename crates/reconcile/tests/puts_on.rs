//! Who may put on another person by `EXECUTE AS` is told, by whatever grant or role.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::secure::puts_on;
use axon_reconcile::{
    Connect, Grant, GrantKey, GrantState, Graph, Membership, Permission, Principal, PrincipalKind, Securable,
};

fn name(text: &str) -> SqlName {
    SqlName::parse(text).expect("a name")
}

#[test]
fn who_may_become_somebody_that_enters_is_told() {
    let mut graph = Graph::default();
    for (who, kind) in [("kim", PrincipalKind::External), ("axon_owner", PrincipalKind::Sql)] {
        let principal = Principal { kind, sid: None, connect: Connect::Granted, created: None };
        graph.principals.insert(name(who), principal);
    }
    for (who, permission, whom, state) in [
        ("lee", Permission::Impersonate, "kim", GrantState::Grant),
        ("bob", Permission::Control, "kim", GrantState::Grant),
        ("ann", Permission::Impersonate, "kim", GrantState::Deny),
        ("zoe", Permission::ViewDefinition, "kim", GrantState::Grant),
        // The owner of views reads no view: that it can be put on closes them, which is told elsewhere.
        ("ann", Permission::Impersonate, "axon_owner", GrantState::Grant),
    ] {
        let key = GrantKey { grantee: name(who), securable: Securable::Principal(name(whom)), permission };
        graph.grants.insert(key, Grant::wanted(state));
    }
    let mut told: Vec<String> = puts_on(&graph, &BTreeSet::new()).iter().map(ToString::to_string).collect();
    told.sort();
    let says =
        |who| format!("{who} may become kim by EXECUTE AS and reads views so: take that permission away");
    assert_eq!(told, [says("bob"), says("lee")]);
}

#[test]
fn who_may_become_anybody_is_told_but_for_axon() {
    let mut graph = Graph::default();
    for member in ["kim", "axon", "dbo"] {
        graph.members.insert(Membership { role: name("db_owner"), member: name(member) });
    }
    for (who, permission) in
        [("lee", Permission::Control), ("axon", Permission::Control), ("zoe", Permission::Select)]
    {
        let key = GrantKey { grantee: name(who), securable: Securable::Database, permission };
        graph.grants.insert(key, Grant::wanted(GrantState::Grant));
    }
    let told: Vec<String> = puts_on(&graph, &[name("axon")].into()).iter().map(ToString::to_string).collect();
    let says = |who, by| {
        format!(
            "{who} may become anybody by EXECUTE AS and reads views so, by {by}: take that away, or know that views keep nothing from them"
        )
    };
    assert_eq!(told, [says("lee", "CONTROL on the database"), says("kim", "membership of db_owner")]);
}
