//! A group that is one principal is called as its source likes: where the map does not write the name itself, the source must be
//! allowed to speak for it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;

use axon_mapping::identity::SourceClaims;
use axon_mapping::{Desired, Evaluator, Identity, Pending, RoleMap, Surroundings};
use axon_model::{Delta, Directory, GroupEntry, RecordSeq};
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
