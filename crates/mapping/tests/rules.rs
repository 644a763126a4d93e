//! Separation, tests of a map, whole groups and roles that are assigned, told as stories.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axon_mapping::explain::{Explainer, Known};
use axon_mapping::{Identity, RoleMap, Surroundings, desired, map_test};
use axon_model::{Delta, Directory, GroupEntry, GroupId, MemberKind, RecordSeq, UserEntry, UserId};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

const MAP: &str = r#"
axon: 1
targets:
  dw: { kind: synapse-dedicated, host: h, database: d, auth: { token-file: t }, manage: { schemas: [secure] } }
  ws: { kind: synapse-workspace, endpoint: "https://acme.dev.azuresynapse.net", auth: managed-identity, via: group }
  rg: { kind: azure-rbac, scope: /subscriptions/x/resourceGroups/y, auth: managed-identity, via: group }
roles:
  reader: { grants: { dw: [select on secure.orders, "select on sales.regions (id, name)"], ws: [Synapse Artifact User] } }
  engineer:
    includes: [reader]
    grants: { dw: ["per person: member of mediumrc", deny select on sales.regions], rg: [Reader] }
  maker: { grants: { dw: [insert on pay.orders] } }
  approver: { grants: { dw: [update on pay.orders] } }
  finance: {}
mappings:
  - { groups: { any: [Readers] }, source: entra, roles: [reader] }
  - { groups: { any: [Engineers] }, source: entra, when: userType eq "Employee", roles: [engineer] }
  - { groups: { any: [Makers] }, source: entra, roles: [maker] }
  - { groups: { any: [Approvers], none: [Interns] }, source: entra, roles: [approver] }
  - { groups: { any: [Finance] }, source: entra, roles: [finance] }
  - { service: ci, roles: [maker] }
services: { ci: { principal: axon-ci } }
rules: { separate: [[maker, approver]] }
views:
  secure.orders:
    targets: dw
    from: sales.orders
    columns: { id: show, amount: { mask: round(100), unless: [finance] } }
    rows: [{ role: finance }, { where: region in user.title }]
"#;

fn map(text: &str) -> Arc<RoleMap> {
    Arc::new(RoleMap::parse(&[("m.yaml", text)]).unwrap_or_else(|e| panic!("{e}")))
}

fn user_id(n: u32) -> UserId {
    format!("00000000-0000-0000-0000-{n:012x}").parse().unwrap()
}

fn group_id(n: u32) -> GroupId {
    format!("00000000-0000-0000-1111-{n:012x}").parse().unwrap()
}

const GROUPS: [&str; 7] = ["Readers", "Engineers", "Makers", "Approvers", "Interns", "Finance", "All"];

/// People with the names of the groups that they are in, each by the word that is in them.
fn town(people: &[(&str, &str, &[&str])]) -> Directory {
    let mut directory = Directory::default();
    for (n, name) in (0..).zip(GROUPS) {
        let group = GroupEntry {
            id: group_id(n),
            source: "entra".parse().unwrap(),
            display_name: name.into(),
            external_id: None,
            document: "{}".into(),
        };
        directory.apply(&Delta::GroupPut { group }, RecordSeq(1));
    }
    // Readers are in All, which nobody is asked about: nested groups count.
    for (n, (name, document, groups)) in (0..).zip(people) {
        let user = UserEntry {
            id: user_id(n),
            source: "entra".parse().unwrap(),
            user_name: (*name).into(),
            external_id: None,
            active: true,
            document: (*document).into(),
        };
        directory.apply(&Delta::UserPut { user }, RecordSeq(2));
        for group in *groups {
            let number = u32::try_from(GROUPS.iter().position(|g| g == group).unwrap()).unwrap();
            let delta = Delta::MemberAdded { group: group_id(number), member: MemberKind::User(user_id(n)) };
            directory.apply(&delta, RecordSeq(3));
        }
    }
    directory
}

fn members(map: &Arc<RoleMap>, target: &str, directory: &Directory) -> Vec<String> {
    let found = desired(map, &target.parse().unwrap(), directory, &Surroundings::default(), NOW).unwrap();
    found.graph.members.iter().map(|m| format!("{} < {}", m.role.as_str(), m.member.as_str())).collect()
}

#[test]
fn a_breach_of_separation_withholds_both_and_says_so() {
    let map = map(MAP);
    let directory = town(&[
        ("ann", "{}", &["Makers"]),
        ("bob", "{}", &["Makers", "Approvers", "Readers"]),
        ("cid", "{}", &["Approvers"]),
    ]);
    let found = members(&map, "dw", &directory);
    assert_eq!(
        found,
        ["axon_approver < cid", "axon_maker < ann", "axon_maker < axon-ci", "axon_reader < bob"]
    );
    let found = desired(&map, &"dw".parse().unwrap(), &directory, &Surroundings::default(), NOW).unwrap();
    let told: Vec<String> = found.pending.iter().map(ToString::to_string).collect();
    assert!(
        told.iter().any(|t| t.starts_with("m.yaml:23:21: bob would hold several of approver, maker")),
        "{told:?}"
    );
}

#[test]
fn whole_groups_and_single_people_are_assigned_roles_where_roles_are_assigned() {
    let map = map(MAP);
    let directory = town(&[
        ("ann", r#"{"userType":"Employee"}"#, &["Engineers", "Readers"]),
        ("bob", r#"{"userType":"Guest"}"#, &["Engineers"]),
        ("cid", "{}", &["Engineers"]),
    ]);
    // The readers come as a group; engineers one by one, since the mapping asks each for something.
    assert_eq!(
        members(&map, "ws", &directory),
        ["Synapse Artifact User < ann", "Synapse Artifact User < Readers"]
    );
    assert_eq!(members(&map, "rg", &directory), ["Reader < ann"]);
    assert_eq!(
        members(&map, "dw", &directory),
        ["axon_engineer < ann", "axon_maker < axon-ci", "axon_reader < ann", "mediumrc < ann"]
    );
}

fn failures(tests: &str) -> Vec<String> {
    let map = map(&format!("{MAP}tests:\n{tests}"));
    map_test::run(&map, NOW).iter().map(ToString::to_string).collect()
}

#[test]
fn tests_that_hold_are_silent() {
    let good = r#"
  - user: { userName: ann, groups: [Readers] }
    roles: [reader]
    has: { dw: [select on secure.orders, select on sales.regions (id)], ws: [Synapse Artifact User] }
    lacks: { dw: [select on sales.orders, select on schema::pay], rg: [Reader] }
  - user: { userName: ann, groups: [Engineers], userType: Employee }
    has: { dw: [deny select on sales.regions, "per person: member of mediumrc"] }
  - { user: { userName: ann, groups: [Engineers], userType: Guest }, roles: [] }
  - { user: { userName: ann, groups: [Engineers] }, roles: [] }
  - { user: { userName: ann, groups: [Makers, Approvers] }, lacks: { dw: [insert on pay.orders, update on pay.orders] } }
  - { user: { userName: ann, groups: [Approvers] }, roles: [approver] }
  - { user: { userName: ann, groups: [Approvers, Interns] }, roles: [] }
  - { user: { userName: ann, groups: [Readers], active: false }, roles: [] }
  - { service: ci, roles: [maker], has: { dw: [insert on pay.orders] } }
"#;
    assert_eq!(failures(good), [""; 0]);
}

#[test]
fn a_test_that_fails_says_what_came_out_and_why() {
    let bad = r"
  - user: { userName: ann, groups: [Engineers], userType: Guest }
    has: { dw: [select on secure.orders] }
  - user: { userName: ann, groups: [Readers] }
    has: { dw: [select on sales.regions] }
    lacks: { dw: [select on secure.orders] }
  - { user: { userName: ann, groups: [Makers, Approvers] }, roles: [maker, approver] }
";
    insta::assert_snapshot!("failing_tests", failures(bad).join("\n"));
}

#[test]
fn who_has_a_grant_and_what_is_missing_for_it() {
    let map = map(MAP);
    let directory = town(&[
        ("ann", r#"{"userType":"Employee"}"#, &["Engineers"]),
        ("bob", r#"{"userType":"Guest"}"#, &["Engineers"]),
        ("cid", "{}", &["Makers", "Approvers", "Interns"]),
        ("dan", "{}", &["Makers", "Approvers"]),
    ]);
    let identity: Arc<Identity> = Arc::default();
    let around = BTreeMap::new();
    let beside = Arc::default();
    let known = Known { target: None, identity: &identity, around: &around, beside: &beside };
    let explainer = Explainer::new(&map, &directory, known, NOW);
    let mut told = String::new();
    for grant in ["select on secure.orders", "Synapse Artifact User", "insert on pay.orders", "select on x.y"]
    {
        writeln!(told, "# {grant}\n{}", explainer.holders(grant).unwrap()).unwrap();
    }
    for (who, grant) in [
        ("ann", "select on secure.orders"),
        ("bob", "select on secure.orders"),
        ("cid", "update on pay.orders"),
        ("dan", "update on pay.orders"),
        ("ann", "select on sales.regions"),
        ("ann", "select on x.y"),
        ("eve", "select on x.y"),
    ] {
        writeln!(told, "# {who} --not {grant}\n{}", explainer.missing(who, grant).unwrap()).unwrap();
    }
    insta::assert_snapshot!("holders_and_missing", told);
    assert!(explainer.holders("per person: nothing").is_err());
}
