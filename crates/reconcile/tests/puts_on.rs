//! Who may put on another person by `EXECUTE AS` is told, by whatever grant.

use axon_model::SqlName;
use axon_reconcile::secure::puts_on;
use axon_reconcile::{
    Connect, Grant, GrantKey, GrantState, Graph, Permission, Principal, PrincipalKind, Securable,
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
    let mut told: Vec<String> = puts_on(&graph).iter().map(ToString::to_string).collect();
    told.sort();
    let says =
        |who| format!("{who} may become kim by EXECUTE AS and reads views so: take that permission away");
    assert_eq!(told, [says("bob"), says("lee")]);
}
