//! Adopting a large pool: 100,000 people who are all principals of it, 10,000 groups, 1,000,000 memberships, 500 roles that groups
//! explain, grants on people that groups explain, and some that nothing does. One run; figures of one core.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use axon_mapping::adopt::{Adopting, adopt};
use axon_mapping::{Identity, RoleMap};
use axon_model::{Delta, Directory, GroupEntry, GroupId, MemberKind, RecordSeq, SqlName, UserEntry, UserId};
use axon_reconcile::{
    Connect, Grant, GrantKey, GrantState, Graph, Membership, ObjectFacts, ObjectKind, ObjectName, Permission,
    Principal, PrincipalKind, Role, Securable, Shape,
};
use time::macros::datetime;

const USERS: u32 = 100_000;
const GROUPS: u32 = 10_000;
const MEMBERSHIPS: u32 = 1_000_000;
const ROLES: u32 = 500;
/// Groups whose people hold something themselves, and people who hold something that no group explains.
const DIRECT_GROUPS: u32 = 200;
const ODD_PEOPLE: u32 = 1_000;
const TABLES: u32 = 400;

const MAP: &str =
    "axon: 1\ntargets:\n  dw: { kind: synapse-dedicated, host: h, database: d, auth: { token-file: t } }\n";

fn user_id(n: u32) -> UserId {
    format!("00000000-0000-0000-0000-{n:012x}").parse().unwrap()
}

fn group_id(n: u32) -> GroupId {
    format!("00000000-0000-0000-1111-{n:012x}").parse().unwrap()
}

fn person(n: u32) -> SqlName {
    SqlName::parse(&format!("u{n}@acme.example")).unwrap()
}

fn table(n: u32) -> ObjectName {
    ObjectName { schema: SqlName::parse("s").unwrap(), name: SqlName::parse(&format!("t{n}")).unwrap() }
}

/// A number that looks random and is the same each time.
fn mixed(n: u32) -> u32 {
    let n = (n ^ 0x9e37_79b9).wrapping_mul(0x85eb_ca6b);
    (n ^ (n >> 13)).wrapping_mul(0xc2b2_ae35) >> 4
}

/// The directory, and who is in each group.
fn directory() -> (Directory, BTreeMap<u32, BTreeSet<u32>>) {
    let mut directory = Directory::default();
    let mut apply = |delta: &Delta| directory.apply(delta, RecordSeq(1));
    for n in 0..USERS {
        let user_name = format!("u{n}@acme.example");
        let user = UserEntry {
            id: user_id(n),
            source: "s".parse().unwrap(),
            document: format!(r#"{{"userName":"{user_name}"}}"#).into(),
            user_name: user_name.into(),
            external_id: None,
            active: true,
        };
        apply(&Delta::UserPut { user });
    }
    for n in 0..GROUPS {
        let group = GroupEntry {
            id: group_id(n),
            source: "s".parse().unwrap(),
            display_name: format!("SG-{n}").into(),
            external_id: None,
            document: "{}".into(),
        };
        apply(&Delta::GroupPut { group });
    }
    let mut people: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for n in 0..MEMBERSHIPS {
        let (group, user) = (n % GROUPS, mixed(n) % USERS);
        people.entry(group).or_default().insert(user);
        apply(&Delta::MemberAdded { group: group_id(group), member: MemberKind::User(user_id(user)) });
    }
    (directory, people)
}

fn pool(people: &BTreeMap<u32, BTreeSet<u32>>) -> (Graph, Shape) {
    let mut graph = Graph::default();
    let mut shape = Shape::default();
    let schema = SqlName::parse("s").unwrap();
    shape.schemas.insert(schema, None);
    for n in 0..TABLES {
        let facts = ObjectFacts { kind: ObjectKind::Table, owner: None, columns: Vec::new() };
        shape.objects.insert(table(n), facts);
    }
    for n in 0..USERS {
        let principal =
            Principal { kind: PrincipalKind::External, sid: None, connect: Connect::Granted, created: None };
        graph.principals.insert(person(n), principal);
    }
    let mut give = |grantee: SqlName, on: u32, permission: Permission| {
        let key = GrantKey { grantee, securable: Securable::Object(table(on % TABLES)), permission };
        graph.grants.insert(key, Grant::wanted(GrantState::Grant));
    };
    for n in 0..DIRECT_GROUPS {
        for one in &people[&(n * 7 + 3)] {
            give(person(*one), n, Permission::Select);
            give(person(*one), n + 1, Permission::Insert);
        }
    }
    for n in 0..ODD_PEOPLE {
        give(person(mixed(n) % USERS), mixed(n + 9), Permission::Update);
    }
    for n in 0..ROLES {
        give(SqlName::parse(&format!("r{n}")).unwrap(), n, Permission::Select);
    }
    for n in 0..ROLES {
        let role = SqlName::parse(&format!("r{n}")).unwrap();
        graph.roles.insert(role, Role { fixed: false, owner: None });
        for group in 0..4 {
            for one in &people[&((n * 4 + group) * 5 % GROUPS)] {
                graph.members.insert(Membership { role, member: person(*one) });
            }
        }
    }
    (graph, shape)
}

fn main() {
    let map = Arc::new(RoleMap::parse(&[("m.yaml", MAP)]).unwrap());
    let (directory, people) = directory();
    let (actual, shape) = pool(&people);
    println!(
        "{} principals, {} roles, {} memberships, {} permissions; {MEMBERSHIPS} memberships of groups",
        actual.principals.len(),
        actual.roles.len(),
        actual.members.len(),
        actual.grants.len()
    );
    let began = Instant::now();
    let adopted = adopt(Adopting {
        map: &map,
        target: &"dw".parse().unwrap(),
        actual: &actual,
        shape: &Arc::new(shape),
        classifiers: &[],
        own: SqlName::parse("axon").unwrap(),
        known: &BTreeSet::new(),
        directory: &directory,
        identity: &Arc::new(Identity::default()),
        now: datetime!(2026-11-22 12:00 UTC),
        owner: "bench",
        until: datetime!(2027-05-22 00:00 UTC),
    })
    .unwrap_or_else(|e| panic!("{e}"));
    println!(
        "adopted and proved in {:.1} s, {} bytes of map",
        began.elapsed().as_secs_f64(),
        adopted.text.len()
    );
    println!("{:?}", adopted.report.counts);
}
