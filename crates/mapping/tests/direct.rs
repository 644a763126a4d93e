//! `direct: true`: a role that is no role of the pool; what its lines say stands on each principal that has it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::sync::Arc;

use axon_mapping::{Cause, Evaluator, RoleMap, Surroundings, TargetName, Touched, desired};
use axon_model::{Delta, Directory, GroupEntry, GroupId, MemberKind, RecordSeq, SqlName, UserEntry, UserId};
use axon_reconcile::{
    GrantKey, GrantState, Membership, ObjectFacts, ObjectKind, ObjectName, Permission, Securable, Shape,
    Sides, Step, plan,
};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

const MAP: &str = r#"
axon: 1
targets:
  dw: { kind: synapse-dedicated, host: 127.0.0.1, database: dw, auth: { token-file: t }, mode: authoritative }
roles:
  pool: { grants: { dw: [select on sales.regions] } }
  own:
    direct: true
    grants: { dw: [select on sales.orders, "deny update on sales.orders (region)", "per person: member of mediumrc"] }
  enters: { direct: true, grants: { dw: [] } }
mappings:
  - { groups: { any: [Own] }, source: s, roles: [own] }
  - { groups: { any: [Enters] }, source: s, roles: [enters] }
  - { groups: { any: [Both] }, source: s, roles: [own, pool] }
"#;

fn name(text: &str) -> SqlName {
    SqlName::parse(text).unwrap()
}

fn dw() -> TargetName {
    "dw".parse().unwrap()
}

fn map() -> Arc<RoleMap> {
    Arc::new(RoleMap::parse(&[("m.yaml", MAP)]).unwrap_or_else(|e| panic!("{e}")))
}

fn orders() -> ObjectName {
    ObjectName { schema: name("sales"), name: name("orders") }
}

fn shape(objects: &[&str]) -> Arc<Shape> {
    let mut shape = Shape::default();
    shape.schemas.insert(name("sales"), None);
    for object in objects {
        let facts = ObjectFacts { kind: ObjectKind::Table, owner: None, columns: vec![name("region")] };
        shape.objects.insert(ObjectName { schema: name("sales"), name: name(object) }, facts);
    }
    Arc::new(shape)
}

fn user(n: u32) -> UserId {
    format!("00000000-0000-0000-0000-{n:012x}").parse().unwrap()
}

fn group(n: u32) -> GroupId {
    format!("00000000-0000-0000-1111-{n:012x}").parse().unwrap()
}

/// `u1` is in Own, `u2` in Enters, `u3` in Both.
fn directory() -> Directory {
    let mut deltas = Vec::new();
    for (n, title) in [(1, "Own"), (2, "Enters"), (3, "Both")] {
        let user = UserEntry {
            id: user(n),
            source: "s".parse().unwrap(),
            user_name: format!("u{n}").into(),
            external_id: None,
            active: true,
            document: "{}".into(),
        };
        let entry = GroupEntry {
            id: group(n),
            source: "s".parse().unwrap(),
            display_name: title.into(),
            external_id: None,
            document: "{}".into(),
        };
        deltas.push(Delta::MemberAdded { group: entry.id, member: MemberKind::User(user.id) });
        deltas.splice(0..0, [Delta::UserPut { user }, Delta::GroupPut { group: entry }]);
    }
    let mut directory = Directory::default();
    deltas.iter().zip(1..).for_each(|(delta, seq)| directory.apply(delta, RecordSeq(seq)));
    directory
}

#[test]
fn its_lines_stand_on_the_people_and_there_is_no_role_of_the_pool() {
    let around = Surroundings { shape: shape(&["orders", "regions"]), ..Surroundings::default() };
    let wanted = desired(&map(), &dw(), &directory(), &around, NOW).unwrap();
    let roles: Vec<&str> = wanted.graph.roles.keys().map(|n| n.as_str()).collect();
    assert_eq!(roles, ["axon_pool"]);
    let people: Vec<&str> = wanted.graph.principals.keys().map(|n| n.as_str()).collect();
    assert_eq!(people, ["u1", "u2", "u3"], "whoever has an empty one may enter");
    let members: Vec<(&str, &str)> = wanted
        .graph
        .members
        .iter()
        .map(|Membership { role, member }| (role.as_str(), member.as_str()))
        .collect();
    assert_eq!(members, [("axon_pool", "u3"), ("mediumrc", "u1"), ("mediumrc", "u3")]);
    let stands: BTreeMap<GrantKey, GrantState> =
        wanted.graph.grants.iter().map(|(key, grant)| (*key, grant.state)).collect();
    let mut expected = BTreeMap::new();
    for person in ["u1", "u3"] {
        let key = |securable, permission| GrantKey { grantee: name(person), securable, permission };
        expected.insert(key(Securable::Object(orders()), Permission::Select), GrantState::Grant);
        expected
            .insert(key(Securable::Column(orders(), name("region")), Permission::Update), GrantState::Deny);
    }
    let regions = ObjectName { schema: name("sales"), name: name("regions") };
    let of_role = GrantKey {
        grantee: name("axon_pool"),
        securable: Securable::Object(regions),
        permission: Permission::Select,
    };
    expected.insert(of_role, GrantState::Grant);
    assert_eq!(stands, expected);
    // What is as wanted needs no step.
    let sides = Sides { desired: wanted.graph.clone(), actual: wanted.graph, scope: wanted.scope };
    assert!(plan(&sides).is_empty());
}

#[test]
fn following_people_and_the_catalog_equals_computing_anew() {
    let mut directory = directory();
    let around = Surroundings { shape: shape(&["regions"]), ..Surroundings::default() };
    let mut evaluator = Evaluator::new(map(), &dw(), around).unwrap();
    evaluator.full(&directory, NOW);
    assert!(
        evaluator.graph().grants.keys().all(|key| key.grantee == name("axon_pool")),
        "orders is not there"
    );
    assert!(!evaluator.pending().is_empty());
    evaluator.set_shape(shape(&["orders", "regions"]));
    let moves = [
        Delta::MemberRemoved { group: group(1), member: MemberKind::User(user(1)) },
        Delta::MemberAdded { group: group(3), member: MemberKind::User(user(2)) },
    ];
    for (delta, seq) in moves.into_iter().zip(100..) {
        let mut touched = Touched::default();
        touched.note(&directory, &delta);
        directory.apply(&delta, RecordSeq(seq));
        evaluator.apply(&directory, &touched, NOW);
        let around = Surroundings { shape: shape(&["orders", "regions"]), ..Surroundings::default() };
        let anew = desired(&map(), &dw(), &directory, &around, NOW).unwrap();
        assert_eq!(evaluator.graph(), &anew.graph);
    }
    let held: Vec<&str> = evaluator.graph().grants.keys().map(|key| key.grantee.as_str()).collect();
    assert_eq!(held, ["axon_pool", "u2", "u2", "u3", "u3"]);
}

#[test]
fn a_step_on_a_person_is_traced_to_the_mapping_and_the_line() {
    let around = Surroundings { shape: shape(&["orders", "regions"]), ..Surroundings::default() };
    let mut evaluator = Evaluator::new(map(), &dw(), around).unwrap();
    let directory = directory();
    evaluator.full(&directory, NOW);
    let step = Step::Grant {
        grantee: name("u1"),
        permission: Permission::Select,
        on: Securable::Object(orders()),
        columns: vec![],
    };
    let causes = evaluator.because(&directory, &step, NOW);
    assert!(
        matches!(&causes[..], [Cause::Mapping { group: Some(of), .. }, Cause::Line { role, .. }]
            if *of == group(1) && role.as_str() == "own"),
        "{causes:?}"
    );
}

#[test]
fn a_view_cannot_tell_who_has_it() {
    let text = MAP.to_owned()
        + "views:\n  secure.v: { targets: dw, from: sales.orders, columns: { region: show }, rows: [{ role: own }] }\n";
    let text = text.replace(
        "mode: authoritative }",
        "mode: authoritative, manage: { roles: [\"axon_*\"], schemas: [secure] } }",
    );
    let told = RoleMap::parse(&[("m.yaml", &text)]).unwrap_err().to_string();
    assert!(told.contains("role `own` is direct, so that view secure.v cannot tell who has it"), "{told}");
}
