//! Stories of people and groups, and what a target ought to hold after each.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeSet;
use std::sync::Arc;

use axon_mapping::{
    Cause, Desired, Evaluator, Pending, Question, RoleMap, Surroundings, TargetName, check, desired, explain,
};
use axon_model::{Delta, Directory, GroupEntry, GroupId, MemberKind, RecordSeq, SqlName, UserEntry, UserId};
use axon_reconcile::{
    ManagedPrincipals, ObjectFacts, ObjectKind, ObjectName, Permission, PrincipalKind, Securable, Shape, Step,
};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

const MAP: &str = r#"
axon: 1
targets:
  dw:
    kind: synapse-dedicated
    host: 127.0.0.1
    database: dw
    auth: { token-file: t }
    mode: authoritative
    object_id: "{externalId}"
roles:
  reader:
    grants:
      dw:
        - select on sales.orders
        - select on sales.regions (region_id, name)
        - select on sales.later
  engineer:
    includes: [reader]
    grants:
      dw:
        - insert on schema::staging
        - deny select on sales.regions (secret)
        - per person: member of mediumrc
  contractor-free: { grants: { dw: [execute on schema::staging] } }
mappings:
  - groups: { any: [Readers] }
    source: entra
    roles: [reader]
  - groups: { match: "^team-(?<role>[a-z]+)$" }
    source: entra
    roles: "{role}"
    only: [engineer]
    trust: true
  - groups: { any: [Readers], none: [Contractors] }
    source: entra
    roles: [contractor-free]
  - groups: { all: [Readers, Night] }
    source: entra
    when: userType eq "Employee"
    roles: [engineer]
    until: 2027-01-01T00:00:00Z
  - groups: { any: [Whole] }
    source: entra
    roles: [reader]
    via: group
  - service: ci
    roles: [engineer]
services:
  ci: { principal: axon-ci, client_id: 01234567-89ab-cdef-0123-456789abcdef }
"#;

fn sql(text: &str) -> SqlName {
    SqlName::parse(text).unwrap()
}

fn map(text: &str) -> Arc<RoleMap> {
    Arc::new(RoleMap::parse(&[("role-map.yaml", text)]).unwrap_or_else(|e| panic!("{e}")))
}

fn dw() -> TargetName {
    "dw".parse().unwrap()
}

#[derive(Default)]
struct Town {
    directory: Directory,
    seq: u64,
}

impl Town {
    fn apply(&mut self, delta: &Delta) {
        self.seq += 1;
        self.directory.apply(delta, RecordSeq(self.seq));
    }

    fn user(&mut self, n: u128, name: &str) -> UserId {
        self.user_of("entra", n, name, true, "{}")
    }

    fn user_of(&mut self, source: &str, n: u128, name: &str, active: bool, document: &str) -> UserId {
        let user = UserEntry {
            id: format!("00000000-0000-0000-0000-{n:012x}").parse().unwrap(),
            source: source.parse().unwrap(),
            user_name: name.into(),
            external_id: Some(format!("00000000-0000-0000-0000-{n:012x}").into()),
            active,
            document: document.into(),
        };
        self.apply(&Delta::UserPut { user: user.clone() });
        user.id
    }

    fn group(&mut self, n: u128, name: &str) -> GroupId {
        let group = GroupEntry {
            id: format!("00000000-0000-0000-1111-{n:012x}").parse().unwrap(),
            source: "entra".parse().unwrap(),
            display_name: name.into(),
            external_id: Some(format!("00000000-0000-0000-1111-{n:012x}").into()),
            document: "{}".into(),
        };
        self.apply(&Delta::GroupPut { group: group.clone() });
        group.id
    }

    fn join(&mut self, group: GroupId, member: MemberKind) {
        self.apply(&Delta::MemberAdded { group, member });
    }

    fn desired(&self) -> Desired {
        self.desired_around(&around(), NOW)
    }

    fn desired_around(&self, around: &Surroundings, now: OffsetDateTime) -> Desired {
        desired(&map(MAP), &dw(), &self.directory, around, now).unwrap()
    }
}

fn shape() -> Shape {
    let mut shape = Shape::default();
    for schema in ["sales", "staging"] {
        shape.schemas.insert(sql(schema), None);
    }
    for (name, columns) in [("orders", &["id"][..]), ("regions", &["region_id", "name", "secret"])] {
        let columns = columns.iter().map(|c| sql(c)).collect();
        let facts = ObjectFacts { kind: ObjectKind::Table, owner: None, columns };
        shape.objects.insert(ObjectName { schema: sql("sales"), name: sql(name) }, facts);
    }
    shape
}

fn around() -> Surroundings {
    Surroundings { shape: Arc::new(shape()), ..Surroundings::default() }
}

fn roles_of(desired: &Desired, name: &str) -> Vec<String> {
    desired.graph.roles_of(sql(name)).map(|r| r.to_string()).collect()
}

#[test]
fn roles_exist_with_their_grants_before_anybody_has_them() {
    let desired = Town::default().desired();
    let roles: Vec<&str> = desired.graph.roles.keys().map(|r| r.as_str()).collect();
    assert_eq!(roles, ["axon_contractor-free", "axon_engineer", "axon_reader"]);
    let lines: Vec<String> = desired
        .graph
        .grants
        .iter()
        .map(|(key, grant)| {
            format!("{} {} on {} to {}", grant.state, key.permission, key.securable, key.grantee)
        })
        .collect();
    assert_eq!(
        lines,
        [
            "GRANT EXECUTE on schema::staging to axon_contractor-free",
            "GRANT INSERT on schema::staging to axon_engineer",
            "GRANT SELECT on sales.orders to axon_engineer",
            "GRANT SELECT on sales.regions (name) to axon_engineer",
            "GRANT SELECT on sales.regions (region_id) to axon_engineer",
            "DENY SELECT on sales.regions (secret) to axon_engineer",
            "GRANT SELECT on sales.orders to axon_reader",
            "GRANT SELECT on sales.regions (name) to axon_reader",
            "GRANT SELECT on sales.regions (region_id) to axon_reader",
        ]
    );
    assert!(
        desired.pending.iter().any(|p| p.to_string().contains("sales.later is not there")),
        "{:?}",
        desired.pending
    );
    assert_eq!(desired.next_change, Some(datetime!(2027-01-01 0:00 UTC)));
}

#[test]
fn a_service_identity_gets_its_roles_without_scim() {
    let desired = Town::default().desired();
    assert_eq!(roles_of(&desired, "axon-ci"), ["axon_engineer", "mediumrc"]);
    let sid = desired.graph.principals[&sql("axon-ci")].sid.clone().unwrap();
    assert_eq!(sid.to_string(), "0x67452301AB89EFCD0123456789ABCDEF");
}

#[test]
fn nested_groups_count_and_cycles_are_harmless() {
    let mut town = Town::default();
    let kim = town.user(1, "kim@acme.com");
    let (readers, inner, deep) = (town.group(1, "readers"), town.group(2, "inner"), town.group(3, "deep"));
    town.join(deep, MemberKind::User(kim));
    town.join(inner, MemberKind::Group(deep));
    town.join(readers, MemberKind::Group(inner));
    town.join(deep, MemberKind::Group(readers));
    assert_eq!(
        roles_of(&town.desired(), "kim@acme.com"),
        ["axon_reader"],
        "and Contractors is not known: no more"
    );
}

#[test]
fn a_group_that_is_left_out_must_be_known() {
    let mut town = Town::default();
    let (kim, lee) = (town.user(1, "kim"), town.user(2, "lee"));
    let readers = town.group(1, "Readers");
    town.join(readers, MemberKind::User(kim));
    town.join(readers, MemberKind::User(lee));
    assert!(town.desired().pending.iter().any(|p| matches!(p, Pending::ExclusionUnknown { .. })));
    let contractors = town.group(2, "Contractors");
    town.join(contractors, MemberKind::User(lee));
    let desired = town.desired();
    assert_eq!(roles_of(&desired, "kim"), ["axon_contractor-free", "axon_reader"]);
    assert_eq!(roles_of(&desired, "lee"), ["axon_reader"]);
    assert!(!desired.pending.iter().any(|p| matches!(p, Pending::ExclusionUnknown { .. })));
}

#[test]
fn captures_name_only_what_is_allowed() {
    let mut town = Town::default();
    let kim = town.user(1, "kim");
    for (n, name) in [(1, "team-reader"), (2, "xteam-engineer"), (3, "team-engineer\n")] {
        let group = town.group(n, name);
        town.join(group, MemberKind::User(kim));
    }
    assert_eq!(roles_of(&town.desired(), "kim"), Vec::<String>::new());
    let group = town.group(4, "team-engineer");
    town.join(group, MemberKind::User(kim));
    assert_eq!(roles_of(&town.desired(), "kim"), ["axon_engineer", "mediumrc"]);
}

#[test]
fn a_second_holder_of_a_group_s_name_gives_nothing_to_anybody() {
    let mut town = Town::default();
    let (kim, eve) = (town.user(1, "kim"), town.user(2, "eve"));
    let (one, two) = (town.group(1, "Readers"), town.group(2, "READERS"));
    town.join(one, MemberKind::User(kim));
    town.join(two, MemberKind::User(eve));
    let desired = town.desired();
    assert!(roles_of(&desired, "kim").is_empty() && roles_of(&desired, "eve").is_empty());
    assert!(
        desired
            .pending
            .iter()
            .any(|p| matches!(p, Pending::GroupAmbiguous { groups, .. } if groups.len() == 2))
    );
}

#[test]
fn a_condition_that_is_unknown_and_a_time_that_is_over_give_nothing() {
    let mut town = Town::default();
    let kim = town.user_of("entra", 1, "kim", true, r#"{"userType":"employee"}"#);
    let lee = town.user(2, "lee");
    let (readers, night) = (town.group(1, "Readers"), town.group(2, "Night"));
    for who in [kim, lee] {
        town.join(readers, MemberKind::User(who));
        town.join(night, MemberKind::User(who));
    }
    let before = town.desired_around(&around(), datetime!(2026-12-31 23:59:59.999 UTC));
    assert_eq!(roles_of(&before, "kim"), ["axon_engineer", "axon_reader", "mediumrc"]);
    assert_eq!(roles_of(&before, "lee"), ["axon_reader"]);
    let after = town.desired_around(&around(), datetime!(2027-01-01 0:00 UTC));
    assert_eq!(roles_of(&after, "kim"), ["axon_reader"]);
    assert_eq!(after.next_change, None);
}

#[test]
fn who_is_inactive_or_has_no_role_is_managed_and_is_no_principal() {
    let mut town = Town::default();
    let gone = town.user_of("entra", 1, "gone@acme.com", false, "{}");
    town.user(2, "idle@acme.com");
    let readers = town.group(1, "Readers");
    town.join(readers, MemberKind::User(gone));
    let known = BTreeSet::from([sql("former@acme.com"), sql("dbo"), sql("axon_reader")]);
    let desired = town.desired_around(&Surroundings { known, ..around() }, NOW);
    assert_eq!(desired.graph.principals.keys().map(|n| n.as_str()).collect::<Vec<_>>(), ["axon-ci"]);
    let ManagedPrincipals::Mapped(managed) = &desired.scope.principals else { panic!() };
    let names: Vec<&str> = managed.iter().map(|n| n.as_str()).collect();
    assert_eq!(names, ["axon-ci", "former@acme.com", "gone@acme.com", "idle@acme.com"]);
}

#[test]
fn hostile_names_are_withheld_with_a_reason_and_alter_nothing() {
    let mut town = Town::default();
    let readers = town.group(1, "Readers");
    let long = "x".repeat(129);
    let names = [
        "dbo",
        "DB_Owner",
        "ａｘｏｎ_reader",
        "axon_new",
        "mediumrc",
        "axon",
        "a\\b",
        " kim",
        "😀",
        &long,
        "a\u{1}b",
    ];
    for (n, name) in names.iter().enumerate() {
        let user = town.user(n as u128 + 1, name);
        town.join(readers, MemberKind::User(user));
    }
    let fine = town.user(100, "x]; DROP USER [dbo]--");
    town.join(readers, MemberKind::User(fine));
    let untouchable = BTreeSet::from([sql("axon")]);
    let desired = town.desired_around(&Surroundings { untouchable, ..around() }, NOW);
    let given: Vec<&str> = desired.graph.principals.keys().map(|n| n.as_str()).collect();
    assert_eq!(given, ["axon-ci", "x]; DROP USER [dbo]--"]);
    let told = desired
        .pending
        .iter()
        .filter(|p| matches!(p, Pending::NameRefused { .. } | Pending::NameReserved { .. }))
        .count();
    assert_eq!(told, names.len(), "{:#?}", desired.pending);
    let ManagedPrincipals::Mapped(managed) = &desired.scope.principals else { panic!() };
    assert_eq!(managed.len(), 2, "{managed:?}");
}

#[test]
fn two_people_with_one_name_are_both_withheld() {
    let mut town = Town::default();
    let readers = town.group(1, "Readers");
    let kim = town.user(1, "kim@acme.com");
    town.join(readers, MemberKind::User(kim));
    assert_eq!(roles_of(&town.desired(), "kim@acme.com"), ["axon_reader"]);
    // The other source's person has no role at all: whose principal it is cannot be told apart all the same.
    town.user_of("okta", 2, "KIM@acme.com", true, "{}");
    let desired = town.desired();
    assert!(roles_of(&desired, "kim@acme.com").is_empty());
    assert!(desired.pending.iter().any(|p| matches!(p, Pending::NameShared { who, .. } if who.len() == 2)));
}

#[test]
fn one_object_id_under_two_names_is_withheld_from_both() {
    let mut town = Town::default();
    let readers = town.group(1, "Readers");
    let kim = town.user(1, "kim");
    let twin = UserEntry {
        id: "00000000-0000-0000-0000-0000000000ff".parse().unwrap(),
        user_name: "kim2".into(),
        ..town.directory.user(kim).unwrap().clone()
    };
    town.apply(&Delta::UserPut { user: twin.clone() });
    town.join(readers, MemberKind::User(kim));
    assert_eq!(roles_of(&town.desired(), "kim"), ["axon_reader"], "the other one asks for nothing");
    town.join(readers, MemberKind::User(twin.id));
    let desired = town.desired();
    assert!(roles_of(&desired, "kim").is_empty() && roles_of(&desired, "kim2").is_empty());
    assert_eq!(desired.pending.iter().filter(|p| matches!(p, Pending::IdentityShared { .. })).count(), 2);
}

#[test]
fn a_whole_group_is_one_principal() {
    let mut town = Town::default();
    let kim = town.user(1, "kim");
    let whole = town.group(7, "Whole");
    town.join(whole, MemberKind::User(kim));
    let desired = town.desired();
    assert_eq!(roles_of(&desired, "Whole"), ["axon_reader"]);
    assert_eq!(desired.graph.principals[&sql("Whole")].kind, PrincipalKind::ExternalGroup);
    assert!(desired.graph.principals[&sql("Whole")].sid.is_some());
    assert!(!desired.graph.principals.contains_key(&sql("kim")));
}

#[test]
fn a_removed_person_stays_managed_and_is_told_to_the_caller() {
    let mut town = Town::default();
    let kim = town.user(1, "kim");
    let readers = town.group(1, "Readers");
    town.join(readers, MemberKind::User(kim));
    let mut evaluator = Evaluator::new(map(MAP), &dw(), around()).unwrap();
    evaluator.full(&town.directory, NOW);
    assert!(evaluator.graph().principals.contains_key(&sql("kim")));
    let gone = evaluator.follow(&mut town.directory, &[(Delta::UserRemoved { id: kim }, RecordSeq(99))], NOW);
    assert_eq!(gone, [sql("kim")]);
    assert!(!evaluator.graph().principals.contains_key(&sql("kim")));
    let ManagedPrincipals::Mapped(managed) = &evaluator.scope().principals else { panic!() };
    assert!(managed.contains(&sql("kim")));
    let step = Step::DropMember { role: sql("axon_reader"), member: sql("kim") };
    assert_eq!(evaluator.because(&town.directory, &step, NOW), [Cause::Unknown]);
}

#[test]
fn each_step_knows_its_lines_and_records() {
    let mut town = Town::default();
    let kim = town.user(1, "kim");
    let (readers, inner) = (town.group(1, "Readers"), town.group(2, "inner"));
    town.join(inner, MemberKind::User(kim));
    town.join(readers, MemberKind::Group(inner));
    let mut evaluator = Evaluator::new(map(MAP), &dw(), around()).unwrap();
    evaluator.full(&town.directory, NOW);
    let because =
        |step: &Step| serde_json::to_string_pretty(&evaluator.because(&town.directory, step, NOW)).unwrap();
    let object = Securable::Object(ObjectName { schema: sql("sales"), name: sql("regions") });
    let told = [
        Step::AddMember { role: sql("axon_reader"), member: sql("kim") },
        Step::AddMember { role: sql("mediumrc"), member: sql("axon-ci") },
        Step::DropMember { role: sql("axon_engineer"), member: sql("kim") },
        Step::CreateRole { name: sql("axon_engineer") },
        Step::DropRole { name: sql("axon_old") },
        Step::Grant {
            grantee: sql("axon_engineer"),
            permission: Permission::Select,
            on: object,
            columns: vec![sql("name"), sql("region_id")],
        },
    ]
    .map(|step| format!("{step}\n{}", because(&step)));
    insta::assert_snapshot!("because", told.join("\n\n"));
}

#[test]
fn an_explanation_names_every_link() {
    let mut town = Town::default();
    let kim = town.user_of("entra", 1, "kim@acme.com", true, r#"{"userType":"Guest"}"#);
    let (readers, inner, night) =
        (town.group(1, "Readers"), town.group(2, "inner\u{202e}"), town.group(3, "Night"));
    town.join(inner, MemberKind::User(kim));
    town.join(readers, MemberKind::Group(inner));
    town.join(night, MemberKind::User(kim));
    let asked = |who: &str, town: &Town| {
        let around = [(dw(), around())].into();
        let identity = Arc::default();
        let beside = Arc::default();
        let question = Question { who, target: None, identity: &identity, around: &around, beside: &beside };
        explain(&map(MAP), &town.directory, question, NOW)
    };
    let mut told = asked("KIM@acme.com", &town).to_string();
    town.user_of("okta", 2, "kim@acme.com", false, "{}");
    told.push_str("\n--- and with a second one of that name\n");
    told.push_str(&asked("kim@acme.com", &town).to_string());
    told.push_str(&asked("nobody", &town).to_string());
    insta::assert_snapshot!("explanation", told);
    assert!(serde_json::to_value(asked("kim@acme.com", &town)).is_ok());
}

#[test]
fn lints_see_what_no_parser_can() {
    let mut town = Town::default();
    town.group(1, "Reader");
    town.group(2, "team-reader");
    let text = MAP
        .replace("execute on schema::staging", "control on database")
        .replace("- per person: member of mediumrc", "- deny select on sales.orders");
    let found: Vec<String> = check(&map(&text), Some(&town.directory), datetime!(2026-11-22 12:00 UTC))
        .iter()
        .map(ToString::to_string)
        .collect();
    insta::assert_snapshot!("lints", found.join("\n"));
}
