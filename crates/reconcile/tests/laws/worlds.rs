//! Generators: small worlds in which everything collides.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::simulate::grantable;
use axon_reconcile::{
    Connect, Glob, Grant, GrantKey, GrantState, Graph, ManagedPrincipals, Membership, ObjectName, Permission,
    Principal, PrincipalKind, Role, Scope, Securable, Sid, Sides,
};
use proptest::prelude::*;
use proptest::sample::select;

pub fn name(text: &str) -> SqlName {
    SqlName::parse(text).expect("a plain name")
}

/// Managed people, a managed group, somebody unmanaged, a SQL user, Axon itself.
pub const PEOPLE: [&str; 8] = ["ann", "bob", "cem", "dee", "group x", "stranger", "sqluser", "axon"];
pub const MANAGED_PEOPLE: [&str; 5] = ["ann", "bob", "cem", "dee", "group x"];
pub const ROLES: [&str; 8] =
    ["axon_a", "axon_b", "axon_c", "axon_d", "other", "mediumrc", "db_datareader", "db_denydatareader"];
const FIXED: [&str; 3] = ["mediumrc", "db_datareader", "db_denydatareader"];

pub fn object(text: &str) -> ObjectName {
    ObjectName { schema: name("s"), name: name(text) }
}

fn securables() -> Vec<Securable> {
    vec![
        Securable::Database,
        Securable::Schema(name("s")),
        Securable::Schema(name("s2")),
        Securable::Object(object("t")),
        Securable::Object(object("v")),
        Securable::Column(object("t"), name("c1")),
        Securable::Column(object("t"), name("c2")),
        Securable::Column(object("t"), name("c1")),
        Securable::Object(object("t")),
        Securable::Principal(name("ann")),
    ]
}

fn permissions() -> Vec<Permission> {
    vec![
        Permission::Select,
        Permission::Select,
        Permission::Select,
        Permission::Update,
        Permission::Control,
        Permission::CreateTable,
        Permission::Impersonate,
    ]
}

pub fn scope() -> Scope {
    Scope {
        roles: vec![Glob::new("axon_*")],
        named_roles: FIXED.iter().map(|n| name(n)).collect(),
        given: BTreeSet::new(),
        schemas: Vec::new(),
        principals: ManagedPrincipals::Mapped(
            MANAGED_PEOPLE.iter().chain(&["sqluser"]).map(|n| name(n)).collect(),
        ),
        untouchable: ["axon", "dbo", "public"].iter().map(|n| name(n)).collect(),
    }
}

fn sid(who: &str, which: u8) -> Option<Sid> {
    (which > 0).then(|| {
        let mut bytes = [which; 16];
        bytes[..who.len().min(15)].copy_from_slice(&who.as_bytes()[..who.len().min(15)]);
        Sid::from_bytes(&bytes)
    })
}

type PersonSeed = (bool, u8, u8, bool);
type GrantSeed = (usize, Securable, Permission, GrantState, bool, bool);

#[derive(Debug, Clone)]
pub struct Seed {
    people: Vec<PersonSeed>,
    roles: Vec<bool>,
    members: Vec<(usize, usize)>,
    grants: Vec<GrantSeed>,
}

fn state() -> impl Strategy<Value = GrantState> {
    prop_oneof![
        10 => Just(GrantState::Grant),
        5 => Just(GrantState::Deny),
        1 => Just(GrantState::GrantWithOption),
    ]
}

fn seed() -> impl Strategy<Value = Seed> {
    let grantees = ROLES.len() + PEOPLE.len() + 1;
    let grantee = prop_oneof![8 => 0..5_usize, 2 => 0..grantees];
    (
        prop::collection::vec(
            (
                prop::bool::weighted(0.8),
                prop_oneof![Just(0_u8), Just(1), Just(2)],
                0..12_u8,
                prop::bool::weighted(0.05),
            ),
            PEOPLE.len(),
        ),
        prop::collection::vec(prop::bool::weighted(0.7), ROLES.len()),
        prop::collection::vec((0..ROLES.len(), 0..PEOPLE.len() + 5), 0..14),
        prop::collection::vec(
            (
                grantee,
                select(securables()),
                select(permissions()),
                state(),
                prop::bool::weighted(0.05),
                prop::bool::weighted(0.3),
            ),
            0..12,
        ),
    )
        .prop_map(|(people, roles, members, grants)| Seed { people, roles, members, grants })
}

/// A graph that a catalog could hold.
fn build(seed: &Seed, desired: bool) -> Graph {
    let mut graph = Graph::default();
    for (who, (there, which, connect, other_kind)) in PEOPLE.iter().zip(&seed.people) {
        if !there || (desired && !MANAGED_PEOPLE.contains(who)) {
            continue;
        }
        let kind = match *who {
            "sqluser" => PrincipalKind::Sql,
            _ if (*who == "group x") != *other_kind => PrincipalKind::ExternalGroup,
            _ => PrincipalKind::External,
        };
        let connect = match (desired, connect) {
            (_, 0 | 1) => Connect::Denied,
            (false, 2) => Connect::Absent,
            _ => Connect::Granted,
        };
        graph.principals.insert(name(who), Principal { kind, sid: sid(who, *which), connect, created: None });
    }
    for (role, there) in ROLES.iter().zip(&seed.roles) {
        let fixed = FIXED.contains(role);
        if fixed || (*there && !(desired && *role == "other")) {
            graph.roles.insert(name(role), Role { fixed, owner: None });
        }
    }
    for (role, member) in &seed.members {
        let role = name(ROLES[*role]);
        let member = name(PEOPLE.get(*member).copied().unwrap_or_else(|| ROLES[*member - PEOPLE.len()]));
        join(&mut graph, Membership { role, member });
    }
    for (grantee, on, permission, state, foreign, own) in &seed.grants {
        let grantee = ROLES.iter().chain(&PEOPLE).copied().chain(["public"]).nth(*grantee).expect("in range");
        if grantee == "public" && desired {
            continue;
        }
        let key = GrantKey { grantee: name(grantee), securable: *on, permission: *permission };
        let foreign = *foreign && !desired;
        let grantor = if *own { "stranger" } else { "sqluser" };
        let row = Grant {
            state: if desired && *state == GrantState::GrantWithOption { GrantState::Grant } else { *state },
            foreign_grantors: if foreign { vec![name(grantor)] } else { Vec::new() },
            own_row: !foreign || *own,
            // A column of it was taken out by hand.
            leaves_out: !desired && !foreign && *own && matches!(on, Securable::Object(_)),
        };
        give(&mut graph, key, row);
    }
    graph
}

fn join(graph: &mut Graph, membership: Membership) {
    let step = axon_reconcile::Step::AddMember { role: membership.role, member: membership.member };
    // Refused ones (a circle, somebody who is not there) are left out.
    let _ = axon_reconcile::apply_step(graph, &step);
}

fn give(graph: &mut Graph, key: GrantKey, row: Grant) {
    let fixed = graph.roles.get(&key.grantee).map(|r| r.fixed);
    let there =
        fixed == Some(false) || graph.principals.contains_key(&key.grantee) || key.grantee == name("public");
    let on = match key.securable {
        Securable::Principal(name) => graph.principals.contains_key(&name) && name != key.grantee,
        _ => true,
    };
    if there && on && grantable(key.permission, &key.securable) {
        graph.grants.insert(key, row);
    }
}

/// Two sides that share a good part, as they do in life.
pub fn sides() -> impl Strategy<Value = Sides> {
    (seed(), seed(), prop::collection::vec(prop::bool::weighted(0.7), 64)).prop_map(|(old, new, keep)| {
        let actual = build(&old, false);
        let mut desired = build(&new, true);
        let mut scope = scope();
        let mut keep = keep.into_iter().cycle();
        for (who, there) in &actual.principals {
            if MANAGED_PEOPLE.iter().any(|m| name(m) == *who) && keep.next() == Some(true) {
                let connect = Connect::Granted;
                desired.principals.insert(*who, Principal { connect, ..there.clone() });
            }
        }
        for role in actual.roles.keys().filter(|role| scope.manages_role(**role)) {
            if keep.next() == Some(true) {
                desired.roles.insert(*role, Role::default());
            }
        }
        for membership in &actual.members {
            let managed = scope.manages_role(membership.role) || scope.named_roles.contains(&membership.role);
            if managed && keep.next() == Some(true) && !scope.untouchable.contains(&membership.member) {
                join(&mut desired, *membership);
            }
        }
        for (key, row) in &actual.grants {
            if scope.manages_role(key.grantee) && keep.next() == Some(true) {
                let state = if row.state == GrantState::Deny { GrantState::Deny } else { GrantState::Grant };
                give(&mut desired, *key, Grant::wanted(state));
            }
        }
        // Of what is outside Axon gave some, when a line named the role.
        let untouchable = |n: &SqlName| scope.untouchable.contains(n);
        let others = actual.members.iter().filter(|m| m.role == name("other") && !untouchable(&m.member));
        scope.given = others.filter(|_| keep.next() == Some(true)).copied().collect();
        Sides { desired, actual, scope }
    })
}

/// The names of all people and roles of both sides.
pub fn people(sides: &Sides) -> BTreeSet<SqlName> {
    sides.actual.principals.keys().chain(sides.desired.principals.keys()).copied().collect()
}
