//! A group that is one principal is called as its source likes: where the map does not write the name itself, the source must be
//! allowed to speak for it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeSet;
use std::sync::Arc;

use axon_mapping::identity::SourceClaims;
use axon_mapping::{Desired, Evaluator, Identity, Pending, RoleMap, Surroundings};
use axon_model::{Delta, Directory, GroupEntry, MemberKind, RecordSeq, SqlName, UserEntry, UserId};
use axon_reconcile::{Connect, Principal, PrincipalKind, Sid};
use time::macros::datetime;

const MAP: &str = r#"
axon: 1
targets:
  dw:
    kind: synapse-dedicated
    host: 127.0.0.1
    database: dw
    auth: { token-file: t }
    mode: authoritative
roles:
  a: { grants: { dw: [select on database] } }
mappings:
  - { groups: { any: [{ externalId: e1 }] }, source: entra, roles: [a], via: group }
  - { groups: { match: "^team-.*$" }, source: entra, roles: [a], via: group, trust: true }
  - { groups: { any: [Whole] }, source: entra, roles: [a], via: group }
"#;

fn desired(name: &str, external_id: &str) -> Desired {
    let mut directory = Directory::default();
    let group = GroupEntry {
        id: "00000000-0000-0000-1111-000000000001".parse().unwrap(),
        source: "entra".parse().unwrap(),
        display_name: name.into(),
        external_id: Some(external_id.into()),
        document: "{}".into(),
    };
    directory.apply(&Delta::GroupPut { group }, RecordSeq(1));
    let claims = SourceClaims::read(Some(&["*@acme.com".to_owned(), "acme *".to_owned()]), None).unwrap();
    let identity = Identity { sources: [("entra".parse().unwrap(), claims)].into(), ..Identity::default() };
    let around = Surroundings { identity: Arc::new(identity), ..Surroundings::default() };
    let map = Arc::new(RoleMap::parse(&[("m.yaml", MAP)]).unwrap_or_else(|e| panic!("{e}")));
    let mut evaluator = Evaluator::new(map, &"dw".parse().unwrap(), around).unwrap();
    evaluator.full(&directory, datetime!(2026-11-22 12:00 UTC));
    evaluator.desired()
}

#[test]
fn a_group_outside_its_source_s_claims_is_no_principal() {
    for (name, external_id) in [("kim@other.com", "e1"), ("db_owners", "e1"), ("team-red", "e2")] {
        let desired = desired(name, external_id);
        assert!(desired.graph.principals.is_empty(), "{name}: {:?}", desired.graph.principals);
        assert!(desired.graph.members.is_empty(), "{name}");
        let told = desired.pending.iter().any(|p| matches!(p, Pending::OutsideClaims { .. }));
        assert!(told, "{name}: {:?}", desired.pending);
    }
}

#[test]
fn a_name_inside_the_claims_or_written_in_the_map_is_one() {
    for (name, external_id) in [("Acme readers", "e1"), ("whole", "e2")] {
        let desired = desired(name, external_id);
        assert_eq!(desired.graph.principals.len(), 1, "{name}: {:?}", desired.pending);
        assert_eq!(desired.graph.members.len(), 1, "{name}");
    }
}

/// Who is in a group of the pool by what these sources say of groups, each with one person of its own; `entra` may speak for names
/// that begin with `acme`.
fn who(principal: &str, sid: Option<Sid>, groups: &[(&str, &str, Option<&str>)]) -> Option<BTreeSet<UserId>> {
    let mut directory = Directory::default();
    for (n, (source, name, external_id)) in groups.iter().enumerate() {
        let user = UserEntry {
            id: person(n),
            source: source.parse().unwrap(),
            user_name: format!("{n}@acme.com").into(),
            external_id: None,
            active: true,
            document: "{}".into(),
        };
        let group = GroupEntry {
            id: format!("00000000-0000-0000-1111-00000000000{n}").parse().unwrap(),
            source: source.parse().unwrap(),
            display_name: (*name).into(),
            external_id: external_id.map(Into::into),
            document: "{}".into(),
        };
        let added = Delta::MemberAdded { group: group.id, member: MemberKind::User(user.id) };
        for delta in [Delta::UserPut { user }, Delta::GroupPut { group }, added] {
            directory.apply(&delta, RecordSeq(n as u64 + 1));
        }
    }
    let claims = |patterns: &[&str]| {
        let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        SourceClaims::read(Some(&patterns), None).unwrap()
    };
    let sources = [("entra", claims(&["acme *"])), ("okta", claims(&["*@okta.example"]))];
    let sources = sources.into_iter().map(|(source, claims)| (source.parse().unwrap(), claims)).collect();
    let around = Surroundings {
        identity: Arc::new(Identity { sources, ..Identity::default() }),
        ..Surroundings::default()
    };
    let map = Arc::new(RoleMap::parse(&[("m.yaml", MAP)]).unwrap_or_else(|e| panic!("{e}")));
    let mut evaluator = Evaluator::new(map, &"dw".parse().unwrap(), around).unwrap();
    evaluator.full(&directory, datetime!(2026-11-22 12:00 UTC));
    let there =
        Principal { kind: PrincipalKind::ExternalGroup, sid, connect: Connect::Granted, created: None };
    evaluator.who(&directory, SqlName::parse(principal).unwrap(), &there)
}

fn person(n: usize) -> UserId {
    format!("00000000-0000-0000-2222-00000000000{n}").parse().unwrap()
}

#[test]
fn who_is_in_a_group_of_the_pool_is_believed_of_sources_that_may_speak_for_it() {
    const ID: &str = "01234567-89ab-cdef-0123-456789abcdef";
    let ours = Some(BTreeSet::from([person(0)]));
    let sid = || Sid::from_object_id(ID);
    // By its name and by its id.
    assert_eq!(who("acme builders", None, &[("entra", "Acme builders", None)]), ours);
    assert_eq!(who("acme builders", None, &[("okta", "Acme builders", None)]), None);
    assert_eq!(who("acme builders", sid(), &[("okta", "Builders", Some(ID))]), None);
    // Another source's group of the name, or of the id, neither adds to it nor makes it unknown.
    let both = [("entra", "Acme builders", None), ("okta", "Acme builders", None)];
    assert_eq!(who("acme builders", None, &both), ours);
    let both = [("entra", "Builders", Some(ID)), ("okta", "Acme builders", Some(ID))];
    assert_eq!(who("acme builders", sid(), &both), ours);
    // The map writes the name itself: the source that it names may speak for that group, and no other one.
    assert_eq!(who("whole", None, &[("entra", "Whole", None), ("okta", "Whole", None)]), ours);
    assert_eq!(who("whole", None, &[("okta", "Whole", None)]), None);
    // A source that says nothing of whom it may speak for is believed.
    assert_eq!(who("acme builders", None, &[("hr", "Acme builders", None)]), ours);
}
