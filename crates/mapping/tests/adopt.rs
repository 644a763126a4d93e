//! Laws of adopting, over random pools and directories: the map changes nothing, gives nobody anything that they do not have,
//! and says of all that there is that it has it or why not.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_mapping::adopt::{Adopted, Adopting, LeftKind, adopt};
use axon_mapping::{Desired, Identity, RoleMap, Surroundings, TargetName, classifiers, desired};
use axon_model::{Delta, Directory, GroupEntry, GroupId, MemberKind, RecordSeq, SqlName, UserEntry, UserId};
use axon_reconcile::classifier::{name_of, put_into};
use axon_reconcile::{
    Classified, Classifier, Connect, Grant, GrantKey, GrantState, Graph, Importance, Membership, ObjectFacts,
    ObjectKind, ObjectName, Permission, Principal, PrincipalKind, Role, Securable, Shape, Sid, Sides, plan,
};
use proptest::prelude::*;
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);
const UNTIL: OffsetDateTime = datetime!(2027-05-22 12:00 UTC);

const MAP: &str = r#"
axon: 1
targets:
  dw:
    kind: synapse-dedicated
    host: 127.0.0.1
    database: dw
    auth: { sql: { user: axon, password: "${env:AXON_PASSWORD}" } }
    tls: off
    manage: { principals: PRINCIPALS }
    OBJECT_ID
"#;

fn name(text: &str) -> SqlName {
    SqlName::parse(text).unwrap()
}

fn dw() -> TargetName {
    "dw".parse().unwrap()
}

fn user_id(n: usize) -> UserId {
    format!("00000000-0000-0000-0000-{n:012x}").parse().unwrap()
}

fn group_id(n: usize) -> GroupId {
    format!("00000000-0000-0000-1111-{n:012x}").parse().unwrap()
}

fn object_id(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012x}")
}

/// Principals of the pool: people of the directory, people that it does not have, groups, a SQL user.
const PRINCIPALS: [(&str, PrincipalKind); 12] = [
    ("p0", PrincipalKind::External),
    ("P1", PrincipalKind::External),
    ("p2", PrincipalKind::External),
    ("p3", PrincipalKind::External),
    ("p4", PrincipalKind::External),
    ("p5", PrincipalKind::External),
    ("odd ${name}", PrincipalKind::External),
    ("app", PrincipalKind::External),
    ("gone", PrincipalKind::External),
    ("g0", PrincipalKind::ExternalGroup),
    ("g1", PrincipalKind::ExternalGroup),
    ("loader", PrincipalKind::Sql),
];
const ROLES: [(&str, bool); 9] = [
    ("readers", false),
    ("writers", false),
    ("Sales Team", false),
    ("axon_x", false),
    ("r]; DROP", false),
    ("db_datareader", true),
    ("db_owner", true),
    ("mediumrc", true),
    ("public", true),
];
const USERS: [&str; 9] = ["p0", "p1", "p2", "p3", "p4", "p5", "odd ${name}", "p7\\x", "g1"];
const GROUPS: [&str; 7] = ["g0", "g1", "SG \"Sales\": (EU)", "G3", "g3", "${g}", "g6"];

fn orders() -> ObjectName {
    ObjectName { schema: name("sales"), name: name("orders") }
}

fn securables() -> Vec<Securable> {
    let odd = ObjectName { schema: name("sales"), name: name("odd: [table]") };
    let gone = ObjectName { schema: name("sales"), name: name("gone") };
    vec![
        Securable::Database,
        Securable::Schema(name("sales")),
        Securable::Object(orders()),
        Securable::Column(orders(), name("id")),
        Securable::Column(orders(), name("region")),
        Securable::Object(odd),
        Securable::Object(gone),
        Securable::Principal(name("p0")),
    ]
}

fn shape() -> Arc<Shape> {
    let mut shape = Shape::default();
    shape.schemas.insert(name("sales"), Some(name("dbo")));
    for object in ["orders", "odd: [table]"] {
        let facts = ObjectFacts {
            kind: ObjectKind::Table,
            owner: Some(name("dbo")),
            columns: ["id", "region", "amount"].map(name).to_vec(),
        };
        shape.objects.insert(ObjectName { schema: name("sales"), name: name(object) }, facts);
    }
    Arc::new(shape)
}

const PERMISSIONS: [Permission; 6] = [
    Permission::Select,
    Permission::Insert,
    Permission::Update,
    Permission::ViewDefinition,
    Permission::Control,
    Permission::CreateTable,
];

/// A pool and a directory.
#[derive(Debug, Clone)]
struct World {
    actual: Graph,
    classifiers: Vec<Classifier>,
    directory: Directory,
    known: BTreeSet<SqlName>,
    own: SqlName,
    every_external: bool,
    ids: bool,
}

fn pool() -> impl Strategy<Value = Graph> {
    let connect = prop_oneof![
        8 => Just(Connect::Granted), 1 => Just(Connect::Denied), 1 => Just(Connect::Absent)
    ];
    let principals = prop::collection::vec(prop::option::weighted(0.8, (connect, 0_u8..8)), PRINCIPALS.len());
    let members = prop::collection::btree_set((0..ROLES.len(), 0..PRINCIPALS.len() + 5), 0..24);
    let state = prop_oneof![
        12 => Just(GrantState::Grant), 3 => Just(GrantState::Deny), 1 => Just(GrantState::GrantWithOption)
    ];
    let grants = prop::collection::vec(
        (0..PRINCIPALS.len() + ROLES.len(), 0..8_usize, 0..PERMISSIONS.len(), state, 0_u8..10),
        0..30,
    );
    let weird = prop::option::weighted(0.1, 0..PRINCIPALS.len() + 5);
    (principals, members, grants, weird).prop_map(|(principals, members, grants, weird)| {
        let mut graph = Graph::default();
        for (n, ((text, kind), there)) in PRINCIPALS.iter().zip(principals).enumerate() {
            let Some((connect, id)) = there else { continue };
            // Some ids are unknown, and some are of another object.
            let sid = match id {
                0 => None,
                1 => Sid::from_object_id(&object_id(n + 50)),
                _ => Sid::from_object_id(&object_id(n)),
            };
            graph.principals.insert(name(text), Principal { kind: *kind, sid, connect, created: None });
        }
        for (text, fixed) in ROLES {
            graph.roles.insert(name(text), Role { fixed, owner: Some(name("dbo")) });
        }
        let there = |graph: &Graph, n: usize| {
            let name = match n.checked_sub(PRINCIPALS.len()) {
                None => name(PRINCIPALS[n].0),
                Some(role) => name(ROLES[role].0),
            };
            (graph.principals.contains_key(&name) || graph.roles.contains_key(&name)).then_some(name)
        };
        for (role, member) in members {
            let role = name(ROLES[role].0);
            if let Some(member) = there(&graph, member).filter(|m| *m != role && role != name("public")) {
                graph.members.insert(Membership { role, member });
            }
        }
        let securables = securables();
        for (grantee, on, permission, state, by) in grants {
            let Some(grantee) = there(&graph, grantee) else { continue };
            let (securable, permission) = (securables[on], PERMISSIONS[permission]);
            let fits = match (securable, permission) {
                (Securable::Column(..), p) => matches!(p, Permission::Select | Permission::Update),
                (Securable::Principal(_), p) => matches!(p, Permission::Control | Permission::ViewDefinition),
                (Securable::Database, _) => true,
                (_, p) => p != Permission::CreateTable,
            };
            // The catalog shows no permissions of fixed roles, but those of public.
            let fixed = graph.roles.get(&grantee).is_some_and(|r| r.fixed) && grantee != name("public");
            if fits && !fixed {
                let foreign = by == 0;
                let grant = Grant {
                    state,
                    foreign_grantors: if foreign { vec![name("dba")] } else { Vec::new() },
                    own_row: !foreign,
                    leaves_out: false,
                };
                graph.grants.insert(GrantKey { grantee, securable, permission }, grant);
            }
        }
        if let Some(grantee) =
            weird.and_then(|n| there(&graph, n)).filter(|n| graph.roles.get(n).is_none_or(|r| !r.fixed))
        {
            let key = GrantKey {
                grantee,
                securable: Securable::Database,
                permission: Permission::Other(name("FLY")),
            };
            graph.grants.insert(key, Grant::wanted(GrantState::Grant));
        }
        graph
    })
}

fn directory() -> impl Strategy<Value = Directory> {
    let users =
        prop::collection::vec((prop::bool::weighted(0.9), prop::bool::weighted(0.85), 0_u8..12), USERS.len());
    let members = prop::collection::btree_set((0..GROUPS.len(), 0..USERS.len() + GROUPS.len() + 2), 0..30);
    let groups =
        prop::collection::vec((prop::bool::weighted(0.9), prop::bool::ANY, prop::bool::ANY), GROUPS.len());
    (users, groups, members, prop::bool::weighted(0.2)).prop_map(|(users, groups, members, twice)| {
        let mut deltas = Vec::new();
        let user = |n: usize, text: &str, active: bool, source: &str, external: Option<String>| UserEntry {
            id: user_id(n),
            source: source.parse().unwrap(),
            user_name: text.into(),
            external_id: external.map(Into::into),
            active,
            document: format!(r#"{{"userName":{}}}"#, serde_json::Value::from(text)).into(),
        };
        let mut there = BTreeSet::new();
        for (n, (text, (is, active, id))) in USERS.iter().zip(users).enumerate() {
            let external = (id > 2).then(|| object_id(n));
            if is {
                there.insert(MemberKind::User(user_id(n)));
                deltas.push(Delta::UserPut { user: user(n, text, active, "s0", external) });
            }
        }
        // Another source names one of them too.
        if twice {
            there.insert(MemberKind::User(user_id(USERS.len())));
            deltas.push(Delta::UserPut { user: user(USERS.len(), "p4", true, "s1", None) });
        }
        for (n, (text, (is, other, id))) in GROUPS.iter().zip(groups).enumerate() {
            if is {
                let group = GroupEntry {
                    id: group_id(n),
                    source: if other && n > 1 { "s1" } else { "s0" }.parse().unwrap(),
                    display_name: (*text).into(),
                    external_id: id.then(|| format!("e{n}").into()),
                    document: "{}".into(),
                };
                there.insert(MemberKind::Group(group.id));
                deltas.push(Delta::GroupPut { group });
            }
        }
        for (group, member) in members {
            let member = match member {
                n if n <= USERS.len() => MemberKind::User(user_id(n)),
                n => MemberKind::Group(group_id(n - USERS.len() - 1)),
            };
            let group = group_id(group);
            if there.contains(&MemberKind::Group(group))
                && there.contains(&member)
                && member != MemberKind::Group(group)
            {
                deltas.push(Delta::MemberAdded { group, member });
            }
        }
        let mut directory = Directory::default();
        deltas.iter().zip(1..).for_each(|(delta, seq)| directory.apply(delta, RecordSeq(seq)));
        directory
    })
}

/// Classifiers of roles and of single principals, called as Axon would call them, nearly so, and otherwise.
fn workload() -> impl Strategy<Value = Vec<Classifier>> {
    let members: Vec<&str> = ROLES.iter().map(|(role, _)| *role).chain(["p0", "app", "nobody"]).collect();
    let groups = prop::sample::select(vec!["largerc", "my group", "odd: [rc]"]);
    let importance = prop::sample::select(Importance::ALL.to_vec());
    let label = prop::option::of(prop::sample::select(vec!["nightly", "${x}", "it's \"so\": #1"]));
    let one = (prop::sample::select(members), groups, importance, label, 0_u8..8);
    prop::collection::vec(one, 0..6).prop_map(|all| {
        let mut by_name = BTreeMap::new();
        for (n, (member, group, importance, label, how)) in all.into_iter().enumerate() {
            let named = match how {
                0 => format!("by hand {n}"),
                1 => format!("{member}:{n}"),
                2 => format!("{}:{group}", member.to_uppercase()),
                _ => format!("{member}:{group}"),
            };
            let does = Classified {
                group: name(group),
                importance,
                label: label.map(name),
                context: None,
                hours: None,
            };
            let does = (how != 3).then_some(does);
            let one = Classifier { name: name(&named), member: name(member), does, unread: false };
            by_name.insert(one.name, one);
        }
        by_name.into_values().collect()
    })
}

fn worlds() -> impl Strategy<Value = World> {
    let known = prop::collection::btree_set(prop::sample::select(vec!["p0", "gone", "app"]), 0..2);
    (pool(), workload(), directory(), known, 0..6_usize, prop::bool::weighted(0.2), prop::bool::weighted(0.3))
        .prop_map(|(actual, classifiers, directory, known, own, every_external, ids)| World {
            actual,
            classifiers,
            directory,
            known: known.into_iter().map(name).collect(),
            own: if own == 0 { name("p0") } else { name("axon") },
            every_external,
            ids,
        })
}

impl World {
    fn map(&self) -> Arc<RoleMap> {
        let principals = if self.every_external { "external" } else { "mapped" };
        let ids = if self.ids { "object_id: \"{externalId}\"" } else { "" };
        let text = MAP.replace("PRINCIPALS", principals).replace("OBJECT_ID", ids);
        Arc::new(RoleMap::parse(&[("m.yaml", &text)]).unwrap_or_else(|e| panic!("{e}")))
    }

    fn adopted(&self) -> Adopted {
        adopt(Adopting {
            map: &self.map(),
            target: &dw(),
            actual: &self.actual,
            classifiers: &self.classifiers,
            shape: &shape(),
            own: self.own,
            known: &self.known,
            directory: &self.directory,
            identity: &Arc::new(Identity::default()),
            now: NOW,
            owner: "dba@acme.com",
            until: UNTIL,
        })
        .unwrap_or_else(|e| panic!("{e}"))
    }

    /// What the text asks for, evaluated as the reconciler does it.
    fn wanted(&self, text: &str) -> (Arc<RoleMap>, Desired) {
        let map = RoleMap::parse(&[("adopted.yaml", text)]).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let mut untouchable: BTreeSet<SqlName> = ["dbo", "public", "guest", "sys"].map(name).into();
        untouchable.insert(self.own);
        untouchable.extend(map.guards.protected(NOW));
        let around = Surroundings {
            shape: shape(),
            known: self.known.clone(),
            untouchable,
            ..Surroundings::default()
        };
        let map = Arc::new(map);
        let wanted = desired(&map, &dw(), &self.directory, &around, NOW).unwrap();
        (map, wanted)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn adopting_and_applying_changes_nothing(world in worlds()) {
        let adopted = world.adopted();
        let (map, wanted) = world.wanted(&adopted.text);
        // By the naive look: everything that is wanted is there already.
        for (key, grant) in &wanted.graph.grants {
            prop_assert_eq!(world.actual.grants.get(key).map(|g| g.state), Some(grant.state), "{:?}\n{}", key, adopted.text);
        }
        prop_assert!(wanted.graph.members.is_subset(&world.actual.members), "{}", adopted.text);
        for (name, principal) in &wanted.graph.principals {
            let there = &world.actual.principals[name];
            prop_assert_eq!((there.kind, there.connect), (principal.kind, principal.connect));
        }
        let sides = Sides { desired: wanted.graph, actual: world.actual.clone(), scope: wanted.scope };
        let mut planned = plan(&sides);
        put_into(&mut planned, &classifiers(&map, &map.targets["dw"]), &world.classifiers, &sides.scope);
        prop_assert!(planned.is_empty(), "{planned}\n{}", adopted.text);
    }

    #[test]
    fn what_there_is_is_said_or_told_with_its_reason(world in worlds()) {
        let adopted = world.adopted();
        let (map, wanted) = world.wanted(&adopted.text);
        let told = |kinds: &[LeftKind], what: &str| {
            adopted.report.left.iter().any(|left| kinds.contains(&left.kind) && left.what == what && !left.why.is_empty())
        };
        let outside = |name: SqlName| {
            name == world.own || told(&[LeftKind::Protected, LeftKind::Principal], &name.to_string())
        };
        for membership in &world.actual.members {
            let Membership { role, member } = *membership;
            let said = wanted.graph.members.contains(membership)
                || outside(member)
                || told(&[LeftKind::Nested], &format!("role {member} in role {role}"));
            prop_assert!(said, "{member} in {role}\n{}\n{}", adopted.report, adopted.text);
        }
        for (key, grant) in &world.actual.grants {
            let what = format!("{} {} on {} to {}", grant.state, key.permission, key.securable, key.grantee);
            let said = wanted.graph.grants.get(key).is_some_and(|g| g.state == grant.state)
                || told(&[LeftKind::Permission], &what);
            prop_assert!(said, "{what}\n{}\n{}", adopted.report, adopted.text);
        }
        for name in world.actual.principals.keys() {
            prop_assert!(wanted.graph.principals.contains_key(name) || outside(*name), "{name}");
        }
        let classified = classifiers(&map, &map.targets["dw"]);
        for there in &world.classifiers {
            let said = classified.iter().any(|(role, does)| {
                *role == there.member && Some(*does) == there.does && name_of(*role, does.group) == Some(there.name)
            });
            let told = adopted.classifiers.get(&there.name).is_some_and(|why| !why.is_empty());
            prop_assert_ne!(said, told, "{:?}\n{}", there, adopted.text);
        }
        prop_assert_eq!(classified.len(), world.classifiers.len() - adopted.classifiers.len());
        for protected in &map.guards.protect {
            prop_assert!(told(&[LeftKind::Protected], &protected.principal.to_string()));
        }
        prop_assert_eq!(adopted.report.counts.memberships, world.actual.members.len());
    }

    #[test]
    fn the_same_pool_gives_the_same_map(world in worlds()) {
        prop_assert_eq!(world.adopted().text, world.adopted().text);
    }
}

/// People in groups, and what each holds in the pool.
fn story(groups: &[(&str, &[&str])], holds: &[(&str, &[&str], &[Permission])]) -> World {
    let mut directory = Directory::default();
    let mut seq = 0;
    let mut apply = |delta: Delta| {
        seq += 1;
        directory.apply(&delta, RecordSeq(seq));
    };
    let mut ids: BTreeMap<&str, UserId> = BTreeMap::new();
    for (n, (group, people)) in groups.iter().enumerate() {
        let entry = GroupEntry {
            id: group_id(n),
            source: "entra".parse().unwrap(),
            display_name: (*group).into(),
            external_id: None,
            document: "{}".into(),
        };
        apply(Delta::GroupPut { group: entry });
        for person in *people {
            let next = user_id(ids.len());
            let id = *ids.entry(person).or_insert(next);
            let user = UserEntry {
                id,
                source: "entra".parse().unwrap(),
                user_name: (*person).into(),
                external_id: None,
                active: true,
                document: format!(r#"{{"userName":"{person}"}}"#).into(),
            };
            apply(Delta::UserPut { user });
            apply(Delta::MemberAdded { group: group_id(n), member: MemberKind::User(id) });
        }
    }
    let mut actual = Graph::default();
    for (person, roles, permissions) in holds {
        let principal =
            Principal { kind: PrincipalKind::External, sid: None, connect: Connect::Granted, created: None };
        actual.principals.insert(name(person), principal);
        for role in *roles {
            let fixed = role.ends_with("rc");
            actual.roles.insert(name(role), Role { fixed, owner: Some(name("dbo")) });
            actual.members.insert(Membership { role: name(role), member: name(person) });
        }
        for permission in *permissions {
            let key = GrantKey {
                grantee: name(person),
                securable: Securable::Object(orders()),
                permission: *permission,
            };
            actual.grants.insert(key, Grant::wanted(GrantState::Grant));
        }
    }
    let key = GrantKey {
        grantee: name("readers"),
        securable: Securable::Schema(name("sales")),
        permission: Permission::Select,
    };
    if actual.roles.contains_key(&name("readers")) {
        actual.grants.insert(key, Grant::wanted(GrantState::Grant));
    }
    World {
        actual,
        classifiers: Vec::new(),
        directory,
        known: BTreeSet::new(),
        own: name("axon"),
        every_external: false,
        ids: false,
    }
}

#[test]
fn a_pool_is_told_by_its_roles_and_by_what_people_share() {
    use Permission::{Insert, Select, Update};
    let world = story(
        &[
            ("SG-Sales", &["ana", "ben", "cleo"]),
            ("SG-Load", &["dan", "eve"]),
            ("SG-All", &["ana", "ben", "cleo", "dan", "eve", "fay"]),
        ],
        &[
            ("ana", &["readers"], &[]),
            ("ben", &["readers"], &[]),
            ("cleo", &["readers"], &[Update]),
            ("dan", &["mediumrc"], &[Select, Insert]),
            ("eve", &["mediumrc"], &[Select, Insert]),
            ("gil", &["readers"], &[]),
        ],
    );
    let adopted = world.adopted();
    insta::assert_snapshot!("story", format!("{}\n---\n{}", adopted.text, adopted.report));
}

#[test]
fn somebody_in_a_group_who_lacks_the_role_keeps_the_group_from_giving_it() {
    let world = story(
        &[("SG-Sales", &["ana", "ben", "cleo"])],
        &[("ana", &["readers"], &[]), ("ben", &["readers"], &[])],
    );
    let adopted = world.adopted();
    assert!(adopted.text.contains(r#"when: 'userName eq "ana" or userName eq "ben"'"#), "{}", adopted.text);
    assert_eq!(adopted.report.roles[0].groups, Vec::<String>::new());
    assert_eq!(adopted.report.roles[0].one_by_one, [name("ana"), name("ben")]);
}
