//! Laws about names: following pins, strangers and claims equals computing anew; nothing comes through a group that a name is
//! not bound to, to a stranger, to a name outside the claims, or to a person whom a joined source calls inactive.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_mapping::identity::{Breach, GroupPin, Holder, NameKey, SourceClaims};
use axon_mapping::{Evaluator, Identity, RoleMap, Surroundings, TargetName, Touched, desired};
use axon_model::{Delta, Directory, GroupEntry, GroupId, MemberKind, RecordSeq, SqlName, UserEntry, UserId};
use proptest::prelude::*;
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
roles:
  a: { grants: { dw: [select on database] } }
  b: { grants: { dw: [insert on database] } }
rules: { separate: [[a, b]] }
mappings:
  - { groups: { any: [g0, g1] }, source: s0, roles: [a] }
  - { groups: { all: [g1, g2] }, source: s0, roles: [b] }
  - { groups: { match: "^t.*$" }, source: s0, roles: [b] }
  - { groups: { match: "^v.*$" }, source: s1, roles: [b], trust: true }
  - { groups: { any: [g0], none: [g3] }, source: s1, roles: [a] }
"#;

fn map() -> Arc<RoleMap> {
    Arc::new(RoleMap::parse(&[("m.yaml", MAP)]).unwrap_or_else(|e| panic!("{e}")))
}

fn dw() -> TargetName {
    "dw".parse().unwrap()
}

fn user_id(n: u8) -> UserId {
    format!("00000000-0000-0000-0000-{n:012x}").parse().unwrap()
}

fn group_id(n: u8) -> GroupId {
    format!("00000000-0000-0000-1111-{n:012x}").parse().unwrap()
}

/// The source of the user or group with this number: an id never changes its source.
fn source_of(n: u8) -> &'static str {
    if n.is_multiple_of(2) { "s0" } else { "s1" }
}

fn claims() -> BTreeMap<axon_model::SourceId, SourceClaims> {
    let read = |patterns: &[&str]| {
        let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        SourceClaims::read(Some(&patterns), Some("nickName")).unwrap()
    };
    [("s0".parse().unwrap(), read(&["u*"])), ("s1".parse().unwrap(), read(&["u0", "u1", "v*"]))].into()
}

/// A change of the directory, or of what is known of names.
#[derive(Debug, Clone)]
enum Move {
    Delta(Delta),
    /// A name is bound to a group, perhaps with another externalId, or to nobody.
    Pin(usize, Option<(u8, Option<u8>)>, bool),
    Renamed(u8),
    Stranger(u8, bool),
    /// A breach of separation by this person is let be, or not any more.
    Excused(u8, bool),
}

const NAMES: [&str; 6] = ["g0", "g1", "g2", "g3", "t1", "v1"];

fn moves() -> impl Strategy<Value = Move> {
    let user =
        (0..8u8, 0..4u8, any::<bool>(), prop::option::of(0..3u8)).prop_map(|(n, name, active, nick)| {
            Delta::UserPut {
                user: UserEntry {
                    id: user_id(n),
                    source: source_of(n).parse().unwrap(),
                    user_name: format!("u{name}").into(),
                    external_id: None,
                    active,
                    document: nick.map_or("{}".into(), |k| format!(r#"{{"nickName":"{k}"}}"#).into()),
                },
            }
        });
    let group =
        (0..8u8, 0..NAMES.len(), prop::option::of(0..3u8)).prop_map(|(n, name, external)| Delta::GroupPut {
            group: GroupEntry {
                id: group_id(n),
                source: source_of(n).parse().unwrap(),
                display_name: NAMES[name].into(),
                external_id: external.map(|e| format!("e{e}").into()),
                document: "{}".into(),
            },
        });
    let both = (0..8u8, 0..8u8).prop_map(|(g, u)| (group_id(g), MemberKind::User(user_id(u))));
    prop_oneof![
        5 => user.prop_map(Move::Delta),
        5 => group.prop_map(Move::Delta),
        8 => both.clone().prop_map(|(group, member)| Move::Delta(Delta::MemberAdded { group, member })),
        2 => both.prop_map(|(group, member)| Move::Delta(Delta::MemberRemoved { group, member })),
        1 => (0..8u8).prop_map(|n| Move::Delta(Delta::UserRemoved { id: user_id(n) })),
        1 => (0..8u8).prop_map(|n| Move::Delta(Delta::GroupRemoved { id: group_id(n) })),
        4 => (0..NAMES.len(), prop::option::of((0..8u8, prop::option::of(0..3u8))), any::<bool>())
            .prop_map(|(name, holder, cleared)| Move::Pin(name, holder, cleared)),
        1 => (0..8u8).prop_map(Move::Renamed),
        2 => (0..8u8, any::<bool>()).prop_map(|(n, is)| Move::Stranger(n, is)),
        2 => (0..8u8, any::<bool>()).prop_map(|(n, is)| Move::Excused(n, is)),
    ]
}

fn fits(directory: &Directory, delta: &Delta) -> bool {
    let Delta::MemberAdded { group, member: MemberKind::User(user) } = delta else { return true };
    directory.group(*group).is_some() && directory.user(*user).is_some()
}

fn change(identity: &mut Identity, what: &Move, seq: RecordSeq) {
    match what {
        Move::Delta(_) => {}
        Move::Pin(name, holder, cleared) => {
            for source in ["s0", "s1"] {
                let key = NameKey::of(&source.parse().unwrap(), NAMES[*name]);
                let holder = holder.map(|(group, external)| Holder {
                    external_id: external.map(|e| format!("e{e}")),
                    id: group_id(group).to_string(),
                });
                identity.groups.insert(key, GroupPin { holder, cleared: *cleared, since: seq });
            }
        }
        Move::Renamed(group) => {
            identity.renamed.insert(group_id(*group), seq);
        }
        Move::Excused(user, is) => {
            let roles = ["a", "b"].map(|role| role.parse().unwrap()).into();
            let breach = Breach { target: dw(), users: BTreeSet::from([user_id(*user)]), roles };
            if *is {
                identity.excused.insert(breach);
            } else {
                identity.excused.remove(&breach);
            }
        }
        Move::Stranger(user, true) => {
            identity.strangers.insert(user_id(*user));
        }
        Move::Stranger(user, false) => {
            identity.strangers.remove(&user_id(*user));
        }
    }
}

/// Whether one mapped name, where it is bound, lets this person in only by the group that it is bound to.
fn reaches(directory: &Directory, identity: &Identity, user: UserId) -> bool {
    directory.groups().any(|group| {
        let inside = directory.members(group.id).any(|(member, _)| member == MemberKind::User(user));
        let key = NameKey::of(&group.source, &group.display_name);
        let pin = identity.groups.get(&key).and_then(|pin| pin.holder.as_ref());
        inside && pin.is_none_or(|holder| holder.is(&Holder::of_group(group)))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn following_names_equals_computing_anew(moves in prop::collection::vec(moves(), 1..50), size in 1..5usize) {
        let map = map();
        let mut directory = Directory::default();
        let mut identity = Arc::new(Identity { sources: claims(), ..Identity::default() });
        let around = Surroundings { identity: identity.clone(), ..Surroundings::default() };
        let mut evaluator = Evaluator::new(map.clone(), &dw(), around).unwrap();
        evaluator.full(&directory, NOW);
        let mut known: BTreeSet<SqlName> = BTreeSet::new();
        let mut seq = 0;
        for wave in moves.chunks(size) {
            let mut touched = Touched::default();
            let mut next = Identity::clone(&identity);
            for what in wave {
                seq += 1;
                if let Move::Delta(delta) = what
                    && fits(&directory, delta)
                {
                    touched.note(&directory, delta);
                    directory.apply(delta, RecordSeq(seq));
                }
                change(&mut next, what, RecordSeq(seq));
            }
            identity = Arc::new(next);
            touched.merge(evaluator.set_identity(&identity));
            known.extend(evaluator.apply(&directory, &touched, NOW));
            let around = Surroundings { known: known.clone(), identity: identity.clone(), ..Surroundings::default() };
            let mut fresh = Evaluator::new(map.clone(), &dw(), around.clone()).unwrap();
            fresh.full(&directory, NOW);
            prop_assert_eq!(evaluator.desired(), desired(&map, &dw(), &directory, &around, NOW).unwrap());
            prop_assert_eq!(evaluator.sights(), fresh.sights());
            for user in directory.users() {
                prop_assert_eq!(evaluator.principal_of(user.id), fresh.principal_of(user.id));
            }
        }
    }

    #[test]
    fn whoever_gets_something_may_have_it(moves in prop::collection::vec(moves(), 1..60)) {
        let mut directory = Directory::default();
        let mut identity = Identity { sources: claims(), ..Identity::default() };
        for (seq, what) in moves.iter().enumerate() {
            let seq = RecordSeq(seq as u64 + 1);
            if let Move::Delta(delta) = what
                && fits(&directory, delta)
            {
                directory.apply(delta, seq);
            }
            change(&mut identity, what, seq);
        }
        let around = Surroundings { identity: Arc::new(identity.clone()), ..Surroundings::default() };
        let found = desired(&map(), &dw(), &directory, &around, NOW).unwrap();
        let may = |user: &UserEntry, name: SqlName| identity.may_name(&user.source, name);
        let nick = |user: &UserEntry| user.document.contains("nickName").then(|| user.document.clone());
        for name in found.graph.principals.keys() {
            let roles = found.graph.members.iter().filter(|m| m.member == *name).count();
            let excused = |user: &&UserEntry| identity.excused.iter().any(|breach| breach.users.contains(&user.id));
            let let_be = directory.users().filter(|u| SqlName::parse(&u.user_name) == Ok(*name)).any(|u| excused(&u));
            prop_assert!(roles < 2 || let_be, "{} holds what is separate", name);
            let named: Vec<&UserEntry> = directory
                .users()
                .filter(|u| SqlName::parse(&u.user_name) == Ok(*name) && may(u, *name))
                .filter(|u| !identity.strangers.contains(&u.id))
                .collect();
            prop_assert!(!named.is_empty(), "{name} is nobody's");
            prop_assert!(named.iter().all(|u| u.active), "{name}: {named:?}");
            prop_assert!(named.iter().any(|u| reaches(&directory, &identity, u.id)), "{name} came through a group in doubt");
            let sources: BTreeSet<&str> = named.iter().map(|u| u.source.as_str()).collect();
            prop_assert_eq!(sources.len(), named.len(), "two records of one source share {}", name);
            if named.len() > 1 {
                prop_assert!(named.iter().all(|u| nick(u).is_some() && nick(u) == nick(named[0])), "{named:?} are not joined");
            }
            // A joined source whose every record of the person is inactive shuts the person out, under whatever name.
            let Some(key) = nick(named[0]) else { continue };
            for source in ["s0", "s1"] {
                let mut records = directory.users().filter(|u| {
                    let own = SqlName::parse(&u.user_name).is_ok_and(|name| may(u, name));
                    u.source.as_str() == source && nick(u) == Some(key.clone()) && own && !identity.strangers.contains(&u.id)
                }).peekable();
                prop_assert!(records.peek().is_none() || records.any(|u| u.active), "{source} says that {name} is inactive");
            }
        }
    }
}
