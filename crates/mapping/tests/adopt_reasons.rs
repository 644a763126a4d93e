//! The report of a pool in which everything is that a map cannot say: each reason once, word for word.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeSet;
use std::sync::Arc;

use axon_mapping::adopt::{Adopted, Adopting, Left, LeftKind, NotAdopted, adopt};
use axon_mapping::{Identity, RoleMap, TargetName};
use axon_model::{Delta, Directory, GroupEntry, GroupId, MemberKind, RecordSeq, SqlName, UserEntry, UserId};
use axon_reconcile::{
    Classified, Classifier, Connect, Grant, GrantKey, GrantState, Graph, Importance, Membership, ObjectFacts,
    ObjectKind, ObjectName, OtherThing, Permission, Principal, PrincipalKind, Role, Securable, Shape, Sid,
};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

const MAP: &str = r#"axon: 1
targets:
  dw:
    kind: synapse-dedicated
    host: h
    database: dw
    auth: { token-file: t }
    object_id: "{externalId}"
  ws: { kind: synapse-workspace, endpoint: "https://acme.dev.azuresynapse.net", auth: managed-identity }
"#;

fn name(text: &str) -> SqlName {
    SqlName::parse(text).unwrap()
}

fn object_id(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012x}")
}

fn orders() -> ObjectName {
    ObjectName { schema: name("sales"), name: name("orders") }
}

/// A pool and the directory beside it, as a story is told of them.
#[derive(Default)]
struct World {
    actual: Graph,
    directory: Directory,
    classifiers: Vec<Classifier>,
    seq: u64,
    users: usize,
    groups: usize,
}

impl World {
    fn apply(&mut self, delta: &Delta) {
        self.seq += 1;
        self.directory.apply(delta, RecordSeq(self.seq));
    }

    /// A person of the directory with an object id of this number.
    fn user(&mut self, source: &str, text: &str, active: bool, id: usize) -> UserId {
        self.users += 1;
        let user = UserEntry {
            id: format!("00000000-0000-0000-0000-{:012x}", self.users).parse().unwrap(),
            source: source.parse().unwrap(),
            user_name: text.into(),
            external_id: Some(object_id(id).into()),
            active,
            document: format!(r#"{{"userName":"{text}"}}"#).into(),
        };
        self.apply(&Delta::UserPut { user: user.clone() });
        user.id
    }

    fn group(&mut self, text: &str, id: usize, people: &[UserId]) {
        self.groups += 1;
        let group: GroupId = format!("00000000-0000-0000-1111-{:012x}", self.groups).parse().unwrap();
        let entry = GroupEntry {
            id: group,
            source: "entra".parse().unwrap(),
            display_name: text.into(),
            external_id: Some(object_id(id).into()),
            document: "{}".into(),
        };
        self.apply(&Delta::GroupPut { group: entry });
        for person in people {
            self.apply(&Delta::MemberAdded { group, member: MemberKind::User(*person) });
        }
    }

    /// A principal of the pool.
    fn is(&mut self, text: &str, kind: PrincipalKind, connect: Connect, id: usize) {
        let sid = Sid::from_object_id(&object_id(id));
        self.actual.principals.insert(name(text), Principal { kind, sid, connect, created: None });
    }

    fn person(&mut self, text: &str, id: usize) {
        self.is(text, PrincipalKind::External, Connect::Granted, id);
    }

    fn role(&mut self, text: &str, owner: &str, members: &[&str]) {
        let fixed = text.starts_with("db_");
        self.actual.roles.insert(name(text), Role { fixed, owner: Some(name(owner)) });
        for member in members {
            self.actual.members.insert(Membership { role: name(text), member: name(member) });
        }
    }

    fn holds(&mut self, grantee: &str, state: GrantState, permission: Permission, securable: Securable) {
        let key = GrantKey { grantee: name(grantee), securable, permission };
        self.actual.grants.insert(key, Grant::wanted(state));
    }
}

fn shape() -> Arc<Shape> {
    let mut shape = Shape::default();
    shape.schemas.insert(name("sales"), Some(name("dbo")));
    shape.schemas.insert(name("lab"), Some(name("ana@acme.com")));
    let facts = |owner: &str| ObjectFacts {
        kind: ObjectKind::Table,
        owner: Some(name(owner)),
        columns: ["id", "region"].map(name).to_vec(),
    };
    shape.objects.insert(orders(), facts("dbo"));
    shape.objects.insert(ObjectName { schema: name("sales"), name: name("own") }, facts("ben@acme.com"));
    Arc::new(shape)
}

/// People and groups of the directory, as the pool has them.
fn principals(world: &mut World) {
    let people: Vec<UserId> = ["ana", "ben", "denied", "absent", "holds", "twisted"]
        .iter()
        .enumerate()
        .map(|(n, text)| {
            let id = world.user("entra", &format!("{text}@acme.com"), true, n);
            world.person(&format!("{text}@acme.com"), n);
            id
        })
        .collect();
    let other = world.user("entra", "other-id@acme.com", true, 20);
    world.person("other-id@acme.com", 21);
    let shared = world.user("entra", "shared@acme.com", true, 22);
    world.user("okta", "shared@acme.com", true, 23);
    world.person("shared@acme.com", 22);
    let inactive = world.user("entra", "inactive@acme.com", false, 24);
    world.person("inactive@acme.com", 24);
    let both = world.user("entra", "both", true, 25);
    let called = world.user("entra", "called@acme.com", true, 26);
    let elsewhere = world.user("entra", "elsewhere@acme.com", true, 27);
    world.user("okta", "elsewhere@acme.com", false, 27);
    world.person("elsewhere@acme.com", 27);
    world.user("entra", "alone@acme.com", true, 28);
    world.person("alone@acme.com", 28);
    world.group(
        "Everybody",
        40,
        &[&people[..], &[other, shared, inactive, both, called, elsewhere]].concat(),
    );
    world.group("Whole", 41, &[]);
    world.group("Other id", 42, &[]);
    let group = |world: &mut World, text: &str, id| {
        world.is(text, PrincipalKind::ExternalGroup, Connect::Granted, id);
    };
    group(world, "Whole", 41);
    group(world, "Other id", 43);
    group(world, "Nobody's group", 44);
    group(world, "both", 25);
    world.is("denied@acme.com", PrincipalKind::External, Connect::Denied, 2);
    world.is("absent@acme.com", PrincipalKind::External, Connect::Absent, 3);
    world.is("loader", PrincipalKind::Sql, Connect::Granted, 50);
    // The object of somebody whom the directory calls otherwise.
    world.person("was-called@acme.com", 26);
    world.person("axon_robot", 51);
    world.person("left@acme.com", 52);
    world.person("app", 53);
    world.person("sa", 54);
}

/// Roles and permissions.
fn rights(world: &mut World) {
    use Permission::{Control, Insert, Other, Select, Update};
    let table = Securable::Object(orders());
    world.role("db_owner", "dbo", &["ana@acme.com"]);
    world.role("readers", "ana@acme.com", &["ana@acme.com", "ben@acme.com"]);
    world.holds("readers", GrantState::Grant, Select, table);
    for (role, permission, state, on) in [
        ("options", Insert, GrantState::GrantWithOption, table),
        ("on_people", Control, GrantState::Grant, Securable::Principal(name("ana@acme.com"))),
        ("of_gone", Select, GrantState::Grant, Securable::Schema(name("gone"))),
        ("flies", Other(name("FLY")), GrantState::Grant, Securable::Database),
        ("signs", Control, GrantState::Grant, Securable::Other(OtherThing { class: 25, id: 257 })),
        ("odd_class", Control, GrantState::Grant, Securable::Other(OtherThing { class: 77, id: 1 })),
        ("shut", Permission::Connect, GrantState::Deny, Securable::Database),
        ("again", Update, GrantState::Grant, table),
    ] {
        world.role(role, "dbo", &["ben@acme.com"]);
        world.holds(role, state, permission, on);
    }
    world.holds("again", GrantState::Grant, Update, Securable::Column(orders(), name("id")));
    world.role("r]; DROP", "dbo", &["ben@acme.com"]);
    world.role("axon_x", "dbo", &[]);
    world.role("idle", "dbo", &[]);
    world.holds("idle", GrantState::GrantWithOption, Select, table);
    world.role("##MS_DatabaseConnector##", "dbo", &[]);
    world.role("outer", "dbo", &["inner", "ana@acme.com"]);
    world.role("inner", "dbo", &["ben@acme.com"]);
    world.holds("public", GrantState::Grant, Select, table);
    world.holds("loader", GrantState::Grant, Insert, table);
    world.holds("holds@acme.com", GrantState::GrantWithOption, Select, table);
    world.holds("twisted@acme.com", GrantState::Deny, Other(name("FLY")), Securable::Database);
    let key = GrantKey { grantee: name("app"), securable: table, permission: Select };
    let foreign = Grant {
        state: GrantState::Grant,
        foreign_grantors: vec![name("dba")],
        own_row: false,
        leaves_out: false,
    };
    world.actual.grants.insert(key, foreign);
}

fn adopted(world: &World, target: &str) -> String {
    made(world, target, MAP).map_or_else(|refused| refused.to_string(), |adopted| adopted.report.to_string())
}

fn made(world: &World, target: &str, text: &str) -> Result<Adopted, NotAdopted> {
    let map = Arc::new(RoleMap::parse(&[("m.yaml", text)]).unwrap_or_else(|faults| panic!("{faults}")));
    let target: TargetName = target.parse().unwrap();
    adopt(Adopting {
        map: &map,
        target: &target,
        actual: &world.actual,
        shape: &shape(),
        classifiers: &world.classifiers,
        own: name("axon"),
        known: &BTreeSet::from([name("left@acme.com")]),
        directory: &world.directory,
        identity: &Arc::new(Identity::default()),
        now: NOW,
        owner: "dba@acme.com",
        until: datetime!(2027-05-22 12:00 UTC),
    })
}

#[test]
fn each_reason_for_which_something_stays_as_it_is() {
    let mut world = World::default();
    principals(&mut world);
    rights(&mut world);
    insta::assert_snapshot!("adopt_reasons", adopted(&world, "dw"));
}

/// A classifier: its name, whose requests, and the workload group; more than a line says, where that is none.
fn classifier(named: &str, member: &str, group: Option<&str>) -> Classifier {
    let does = group.map(|group| Classified {
        group: name(group),
        importance: Importance::High,
        label: Some(name("nightly: load")),
        context: None,
        hours: None,
    });
    Classifier { name: name(named), member: name(member), does, unread: false }
}

#[test]
fn classifiers_become_lines_of_their_roles_or_say_why_not() {
    let mut world = World::default();
    principals(&mut world);
    for role in ["loads", "hours", "odd"] {
        world.role(role, "dbo", &["ana@acme.com"]);
        world.holds(role, GrantState::Grant, Permission::Select, Securable::Object(orders()));
    }
    world.classifiers = vec![
        classifier("Loads:largerc", "loads", Some("largerc")),
        classifier("loads:[my group]", "loads", Some("[my group]")),
        classifier("by hand", "loads", Some("smallrc")),
        classifier("loads:xlargerc", "ana@acme.com", Some("xlargerc")),
        classifier("hours:largerc", "hours", None),
        classifier("odd:nightly", "odd", Some("largerc")),
        classifier("staticrc10", "staticrc10", Some("staticrc10")),
    ];
    let adopted = made(&world, "dw", MAP).unwrap();
    let roles =
        adopted.text.split("\nroles:\n").nth(1).and_then(|text| text.split("\nmappings:").next()).unwrap();
    let why: Vec<_> = adopted.classifiers.iter().map(|(name, why)| format!("{name}: {why}\n")).collect();
    let why = why.concat();
    let not_own = adopted.report.left.iter().filter(|left| left.kind == LeftKind::Role);
    let not_own: Vec<_> = not_own.map(|left| format!("{}: {}\n", left.what, left.why)).collect();
    let not_own = not_own.concat();
    assert_eq!(adopted.report.counts.own_classifiers, 2);
    let report = adopted.report.to_string();
    let counted = report.lines().find(|line| line.contains("workload")).unwrap();
    let told = format!("{roles}\nleft:\n{why}\nroles:\n{not_own}\ncounted:\n{counted}");
    insta::assert_snapshot!("adopted_classifiers", told);
}

#[test]
fn what_is_not_adopted_says_what_can_be() {
    let world = World::default();
    let told = format!("{}\n{}", adopted(&world, "dww"), adopted(&world, "ws"));
    insta::assert_snapshot!("not_adopted", told);
}

#[test]
fn the_text_says_who_is_left_as_they_are_and_why() {
    let mut world = World::default();
    principals(&mut world);
    rights(&mut world);
    // Two groups of one name are told apart by their ids.
    let (ana, ben) =
        (world.user("entra", "cy@acme.com", true, 60), world.user("entra", "dee@acme.com", true, 61));
    world.person("cy@acme.com", 60);
    world.person("dee@acme.com", 61);
    world.group("Twins", 62, &[ana, ben]);
    world.group("twins", 63, &[]);
    world.role("twinned", "dbo", &["cy@acme.com", "dee@acme.com"]);
    let map = MAP.replacen("    auth:", "    tls: { ca: ca.pem }\n    auth:", 1);
    let adopted = made(&world, "dw", &map).unwrap();
    insta::assert_snapshot!("adopted_text", adopted.text);
    let who: Vec<&str> = adopted.report.mappings.iter().map(|mapping| mapping.who.as_str()).collect();
    insta::assert_snapshot!("adopted_mappings", who.join("\n"));
}

#[test]
fn a_long_report_says_what_it_leaves_out() {
    let mut world = World::default();
    principals(&mut world);
    let mut report = made(&world, "dw", MAP).unwrap().report;
    report.fewest = false;
    report.left = (0..50)
        .map(|n| Left {
            kind: LeftKind::Untold,
            what: format!("certificate {n}"),
            why: "it is no permission".into(),
        })
        .collect();
    let told = report.to_string();
    let lines: Vec<&str> = told
        .lines()
        .filter(|line| !line.contains("certificate") || line.ends_with(" 0: it is no permission"))
        .collect();
    insta::assert_snapshot!("a_long_report", lines.join("\n"));
}
