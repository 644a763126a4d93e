//! Laws: the same inputs give the same bytes, following deltas equals computing anew, and nobody gets what no line gives.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_mapping::preview::{Both, Side};
use axon_mapping::{Evaluator, Pending, RoleMap, Surroundings, TargetName, desired};
use axon_model::{Delta, Directory, GroupEntry, GroupId, MemberKind, RecordSeq, SqlName, UserEntry, UserId};
use axon_reconcile::Graph;
use proptest::prelude::*;
use time::OffsetDateTime;
use time::macros::datetime;

const START: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

/// Every shape of mapping: any, all, none, match with and without captures, a condition, an end, a group as a whole.
const MAP: &str = r#"
axon: 1
targets:
  dw:
    kind: synapse-dedicated
    host: 127.0.0.1
    database: dw
    auth: { token-file: t }
    mode: authoritative
    principal: "{userName.lower()}"
    object_id: "{externalId}"
roles:
  a: { grants: { dw: [select on database] } }
  b: { grants: { dw: ["per person: member of mediumrc", insert on database] } }
  c: { includes: [a, b] }
  nowhere: {}
  d: { grants: { dw: [update on database] } }
  e: { grants: { dw: [delete on database] } }
rules: { separate: [[d, e]] }
mappings:
  - { groups: { any: [g0, g1] }, source: s0, roles: [a, nowhere] }
  - { groups: { all: [g1, g2] }, source: s0, roles: [b] }
  - { groups: { any: [g2, g3], none: [g4] }, source: s0, roles: [c] }
  - { groups: { match: "^team-(?<role>.*)$" }, source: s0, roles: "{role}", only: [a, b], trust: true }
  - { groups: { any: [g3] }, source: s0, when: userType eq "x", roles: [b] }
  - { groups: { any: [g4] }, source: s0, roles: [c], until: 2026-11-22T12:00:03Z }
  - { groups: { any: [g0, g5], match: "^w.*" }, source: s0, roles: [b], via: group, trust: true }
  - { groups: { any: [g1] }, source: s1, roles: [a] }
  - { groups: { any: [g0, g3] }, source: s0, roles: [d] }
  - { groups: { any: [g1, g3] }, source: s0, roles: [e] }
"#;

fn map() -> Arc<RoleMap> {
    Arc::new(RoleMap::parse(&[("m.yaml", MAP)]).unwrap_or_else(|e| panic!("{e}")))
}

/// The same map without patterns: then only names that it uses make it look for its groups anew.
fn map_of_names() -> Arc<RoleMap> {
    let lines: Vec<String> = MAP
        .lines()
        .filter(|line| !line.contains("team-"))
        .map(|line| line.replace(r#", match: "^w.*""#, "").replace(", trust: true", ""))
        .collect();
    let text = lines.join("\n");
    assert!(!text.contains("match"));
    Arc::new(RoleMap::parse(&[("m.yaml", &text)]).unwrap_or_else(|e| panic!("{e}")))
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

fn source() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just("s0"), 1 => Just("s1")]
}

fn user() -> impl Strategy<Value = Delta> {
    let names = prop_oneof![
        4 => (0..6u8).prop_map(|n| format!("u{n}")),
        1 => (0..6u8).prop_map(|n| format!("U{n}")),
        1 => prop_oneof![Just("dbo"), Just("axon_a"), Just(" x"), Just("w1"), Just("g0")].prop_map(str::to_owned),
    ];
    let documents = prop_oneof![Just("{}"), Just(r#"{"userType":"X"}"#), Just(r#"{"userType":"y"}"#)];
    let outside = prop::option::of((0..3u8).prop_map(|n| format!("00000000-0000-0000-0000-{n:012x}")));
    (0..6u8, source(), names, any::<bool>(), documents, outside).prop_map(
        |(n, source, name, active, document, outside)| Delta::UserPut {
            user: UserEntry {
                id: user_id(n),
                source: source.parse().unwrap(),
                user_name: name.into(),
                external_id: outside.map(Into::into),
                active,
                document: document.into(),
            },
        },
    )
}

fn group() -> impl Strategy<Value = Delta> {
    let names = prop_oneof![
        6 => (0..6u8).prop_map(|n| format!("g{n}")),
        1 => (0..6u8).prop_map(|n| format!("G{n}")),
        2 => prop_oneof![Just("team-a"), Just("team-b"), Just("team-c"), Just("w1"), Just("w2"), Just("u1")].prop_map(str::to_owned),
    ];
    (0..8u8, source(), names).prop_map(|(n, source, name)| Delta::GroupPut {
        group: GroupEntry {
            id: group_id(n),
            source: source.parse().unwrap(),
            display_name: name.into(),
            external_id: None,
            document: "{}".into(),
        },
    })
}

fn delta() -> impl Strategy<Value = Delta> {
    let member = prop_oneof![
        3 => (0..6u8).prop_map(|n| MemberKind::User(user_id(n))),
        1 => (0..8u8).prop_map(|n| MemberKind::Group(group_id(n))),
    ];
    let both = (0..8u8, member).prop_map(|(g, member)| (group_id(g), member));
    prop_oneof![
        4 => user(),
        4 => group(),
        1 => (0..6u8).prop_map(|n| Delta::UserRemoved { id: user_id(n) }),
        1 => (0..8u8).prop_map(|n| Delta::GroupRemoved { id: group_id(n) }),
        8 => both.clone().prop_map(|(group, member)| Delta::MemberAdded { group, member }),
        2 => both.prop_map(|(group, member)| Delta::MemberRemoved { group, member }),
    ]
}

/// A delta that a store could have written: members and groups exist.
fn fits(directory: &Directory, delta: &Delta) -> bool {
    let Delta::MemberAdded { group, member } = delta else { return true };
    directory.group(*group).is_some()
        && match member {
            MemberKind::User(user) => directory.user(*user).is_some(),
            MemberKind::Group(inner) => directory.group(*inner).is_some(),
        }
}

fn built(deltas: &[Delta]) -> Directory {
    let mut directory = Directory::default();
    for (seq, delta) in deltas.iter().enumerate() {
        if fits(&directory, delta) {
            directory.apply(delta, RecordSeq(seq as u64 + 1));
        }
    }
    directory
}

/// Whether a user reaches a group that is named so, found naively by walking all edges again and again.
fn is_in(directory: &Directory, user: UserId, source: &str, name: &str) -> bool {
    let mut reached: BTreeSet<GroupId> = BTreeSet::new();
    loop {
        let before = reached.len();
        for group in directory.groups() {
            let inside = directory.members(group.id).any(|(member, _)| match member {
                MemberKind::User(u) => u == user,
                MemberKind::Group(g) => reached.contains(&g),
            });
            if inside {
                reached.insert(group.id);
            }
        }
        if reached.len() == before {
            break;
        }
    }
    reached
        .iter()
        .filter_map(|g| directory.group(*g))
        .any(|g| g.source.as_str() == source && g.display_name.to_lowercase() == name)
}

/// Whether no second group of the first source has this name.
fn has_one_holder(directory: &Directory, name: &str) -> bool {
    let holds = |g: &&GroupEntry| g.source.as_str() == "s0" && g.display_name.to_lowercase() == name;
    directory.groups().filter(holds).count() <= 1
}

/// The roles that the map's lines give to a person, read off the lines by hand. Upper bound: duplicates may withhold more.
fn lines_give(directory: &Directory, user: &UserEntry, now: OffsetDateTime) -> BTreeSet<&'static str> {
    let is = |name: &str| is_in(directory, user.id, "s0", name);
    let mut roles = BTreeSet::new();
    if !user.active {
        return roles;
    }
    if is("g0") || is("g1") || is("team-a") || is_in(directory, user.id, "s1", "g1") {
        roles.insert("axon_a");
    }
    if (is("g1") && is("g2")) || is("team-b") || (is("g3") && user.document.contains("\"X\"")) {
        roles.insert("axon_b");
    }
    let (maker, approver) = (is("g0") || is("g3"), is("g1") || is("g3"));
    // Whoever would get both gets neither. A name that two groups have gives nothing, so it separates nobody.
    let both = maker && approver && ["g0", "g1", "g3"].iter().all(|name| has_one_holder(directory, name));
    if maker && !both {
        roles.insert("axon_d");
    }
    if approver && !both {
        roles.insert("axon_e");
    }
    let known =
        directory.groups().any(|g| g.source.as_str() == "s0" && g.display_name.to_lowercase() == "g4");
    if ((is("g2") || is("g3")) && known && !is("g4"))
        || (is("g4") && now < datetime!(2026-11-22 12:00:03 UTC))
    {
        roles.insert("axon_c");
    }
    if roles.contains("axon_b") || roles.contains("axon_c") {
        roles.insert("mediumrc");
    }
    roles
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn following_deltas_equals_computing_anew(
        deltas in prop::collection::vec(delta(), 1..40),
        size in 1..6usize,
        patterns in any::<bool>(),
    ) {
        let map = if patterns { map() } else { map_of_names() };
        let mut directory = Directory::default();
        let mut evaluator = Evaluator::new(map.clone(), &dw(), Surroundings::default()).unwrap();
        evaluator.full(&directory, START);
        let mut known: BTreeSet<SqlName> = BTreeSet::new();
        let mut seq = 0;
        for (tick, wave) in deltas.chunks(size).enumerate() {
            let now = START + time::Duration::seconds(tick.try_into().unwrap());
            let mut numbered = Vec::new();
            let mut probe = directory.clone();
            for delta in wave {
                seq += 1;
                if fits(&probe, delta) {
                    probe.apply(delta, RecordSeq(seq));
                    numbered.push((delta.clone(), RecordSeq(seq)));
                }
            }
            known.extend(evaluator.follow(&mut directory, &numbered, now));
            let around = Surroundings { known: known.clone(), ..Surroundings::default() };
            let anew = desired(&map, &dw(), &directory, &around, now).unwrap();
            let followed = evaluator.desired();
            prop_assert_eq!(&followed, &anew);
            // Names compare without case: the spelling must be the same too.
            let spelled = |d: &axon_mapping::Desired| format!("{:?}", d.graph);
            prop_assert_eq!(spelled(&followed), spelled(&anew));
        }
    }

    #[test]
    fn nobody_gets_what_no_line_gives(deltas in prop::collection::vec(delta(), 1..40), later in 0..6i64) {
        let mut directory = Directory::default();
        for (seq, delta) in deltas.iter().enumerate() {
            if fits(&directory, delta) {
                directory.apply(delta, RecordSeq(seq as u64 + 1));
            }
        }
        let now = START + time::Duration::seconds(later);
        let found = desired(&map(), &dw(), &directory, &Surroundings::default(), now).unwrap();
        for membership in &found.graph.members {
            let users: Vec<&UserEntry> = directory
                .users()
                .filter(|u| SqlName::parse(&u.user_name.to_lowercase()) == Ok(membership.member))
                .collect();
            let groups: Vec<&GroupEntry> = directory
                .groups()
                .filter(|g| SqlName::parse(&g.display_name) == Ok(membership.member))
                .collect();
            let allowed = users.iter().any(|u| lines_give(&directory, u, now).contains(membership.role.as_str()))
                || groups.iter().any(|g| {
                    let name = g.display_name.to_lowercase();
                    g.source.as_str() == "s0"
                        && (name == "g0" || name == "g5" || g.display_name.starts_with('w'))
                        && ["axon_b", "mediumrc"].contains(&membership.role.as_str())
                });
            prop_assert!(allowed, "{:?}", membership);
            prop_assert!(users.len() <= 1, "shared: {:?}", membership);
            prop_assert!(!["dbo", "axon_a"].contains(&membership.member.as_str()));
            let holds = |role: &str| {
                found.graph.members.iter().any(|m| m.member == membership.member && m.role.as_str() == role)
            };
            prop_assert!(!(holds("axon_d") && holds("axon_e")), "not separated: {:?}", membership);
        }
        for name in found.graph.principals.keys() {
            prop_assert!(found.graph.members.iter().any(|m| m.member == *name), "{:?} has no role", name);
        }
    }

    #[test]
    fn the_order_of_history_leaves_no_trace(deltas in prop::collection::vec(delta(), 1..30)) {
        let mut first = Directory::default();
        let mut second = Directory::default();
        for (seq, delta) in deltas.iter().enumerate() {
            if fits(&first, delta) {
                first.apply(delta, RecordSeq(seq as u64 + 1));
            }
        }
        // The same directory, built from what it holds.
        let users = first.users().map(|u| Delta::UserPut { user: u.clone() });
        let groups = first.groups().map(|g| Delta::GroupPut { group: g.clone() });
        let members = first.groups().flat_map(|g| {
            let first = &first;
            first.members(g.id).map(move |(member, _)| Delta::MemberAdded { group: g.id, member })
        });
        for delta in groups.chain(users).chain(members) {
            second.apply(&delta, RecordSeq(1));
        }
        let of = |d: &Directory| format!("{:?}", desired(&map(), &dw(), d, &Surroundings::default(), START).unwrap());
        prop_assert_eq!(of(&first), of(&second));
    }

    #[test]
    fn the_order_of_files_and_keys_does_not_matter(
        deltas in prop::collection::vec(delta(), 1..30),
        order in Just((0..10usize).collect::<Vec<_>>()).prop_shuffle(),
        parts in Just((0..4usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let (head, mappings) = MAP.split_once("mappings:\n").unwrap();
        let (targets, rest) = head.split_once("roles:\n").unwrap();
        let (roles, rules) = rest.split_once("rules:").unwrap();
        let lines: Vec<&str> = mappings.lines().collect();
        prop_assert_eq!(lines.len(), order.len());
        let shuffled: Vec<&str> = order.iter().map(|n| lines[*n]).collect();
        let mut reversed: Vec<&str> = roles.lines().collect();
        reversed.reverse();
        let files = [
            ("a.yaml", targets.to_owned()),
            ("b.yaml", format!("roles:\n{}\n", reversed.join("\n"))),
            ("c.yaml", format!("rules:{rules}")),
            ("d.yaml", format!("mappings:\n{}\n", shuffled.join("\n"))),
        ];
        let files: Vec<(&str, &str)> = parts.iter().map(|n| (files[*n].0, files[*n].1.as_str())).collect();
        let other = Arc::new(RoleMap::parse(&files).unwrap_or_else(|e| panic!("{e}")));
        let directory = built(&deltas);
        let of = |map: &Arc<RoleMap>| {
            let found = desired(map, &dw(), &directory, &Surroundings::default(), START).unwrap();
            format!("{:?} {:?}", found.graph, found.next_change)
        };
        prop_assert_eq!(of(&map()), of(&other));
    }

    #[test]
    fn the_clock_is_an_argument(deltas in prop::collection::vec(delta(), 1..40)) {
        let (map, directory) = (map(), built(&deltas));
        let at = |seconds: i64| {
            let now = START + time::Duration::seconds(seconds);
            desired(&map, &dw(), &directory, &Surroundings::default(), now).unwrap()
        };
        // The map ends one mapping at the third second: until then, and from then on, every instant gives the same.
        let (before, after) = (at(0), at(3));
        prop_assert_eq!(before.next_change, Some(START + time::Duration::seconds(3)));
        prop_assert_eq!(after.next_change, None);
        for seconds in [-100_000_000, 1, 2] {
            prop_assert_eq!(&at(seconds), &before);
        }
        prop_assert_eq!(&at(100_000_000), &after);
        // What ends gives nobody anything, but for those who were withheld because somebody else of the same identity had it.
        let shared: BTreeSet<SqlName> = before.pending.iter().filter_map(|pending| match pending {
            Pending::NameShared { name, .. } | Pending::IdentityShared { name, .. } => Some(*name),
            _ => None,
        }).collect();
        for membership in after.graph.members.difference(&before.graph.members) {
            prop_assert!(shared.contains(&membership.member), "{:?} is new", membership);
        }
    }

    #[test]
    fn who_has_a_grant_is_everybody_whose_explanation_says_so(deltas in prop::collection::vec(delta(), 1..40)) {
        let (map, directory) = (map(), built(&deltas));
        let (identity, beside, around) = (Arc::default(), Arc::default(), std::collections::BTreeMap::new());
        let known = axon_mapping::explain::Known { target: None, identity: &identity, beside: &beside, around: &around };
        let explainer = axon_mapping::explain::Explainer::new(&map, &directory, known, START);
        for grant in ["select on database", "insert on database", "update on database"] {
            let mut told = BTreeSet::new();
            for holder in explainer.holders(grant).unwrap().holders {
                let by = |role: &axon_mapping::explain::RoleExplained| holder.roles.contains(&role.role);
                prop_assert!(holder.whole && holder.ways.iter().all(by));
                prop_assert!(holder.ways.iter().flat_map(|role| &role.grants).all(|line| line.line.contains(&grant[..6])));
                if !holder.people.is_empty() || holder.who.iter().any(|who| !matches!(who, axon_mapping::Claimant::User { .. })) {
                    continue;
                }
                told.extend(holder.ways.into_iter().map(|role| (holder.principal, role.role.clone(), format!("{:?}", role.ways))));
            }
            let mut said = BTreeSet::new();
            for user in directory.users() {
                let explained = explainer.person(&user.id.to_string());
                for target in explained.people.iter().filter(|p| p.id == user.id).flat_map(|person| &person.targets) {
                    let gives = |role: &&axon_mapping::explain::RoleExplained| role.grants.iter().any(|line| &*line.line == grant);
                    let personal = |role: &&axon_mapping::explain::RoleExplained| role.ways.iter().any(|way| !way.as_group);
                    let Some(name) = target.principal.filter(|_| target.withheld.is_empty()) else { continue };
                    let roles = target.roles.iter().filter(gives).filter(personal);
                    said.extend(roles.map(|role| (name, role.role.clone(), format!("{:?}", role.ways))));
                }
            }
            prop_assert_eq!(told, said);
        }
    }

    #[test]
    fn a_preview_is_the_difference_of_the_two_desired_states(
        deltas in prop::collection::vec(delta(), 1..40),
        kept in prop::collection::vec(any::<bool>(), 10),
        lines in any::<bool>(),
    ) {
        let (head, mappings) = MAP.split_once("mappings:\n").unwrap();
        let some: Vec<&str> = mappings.lines().zip(kept).filter(|(_, kept)| *kept).map(|(line, _)| line).collect();
        let head = if lines { head.replace("select on database", "select on database, execute on database") } else { head.to_owned() };
        let text = format!("{head}mappings:\n{}\n", some.join("\n"));
        let new = Arc::new(RoleMap::parse(&[("m.yaml", &text)]).unwrap_or_else(|e| panic!("{e}")));
        let (old, directory) = (map(), built(&deltas));
        let identity = Arc::default();
        let compared =
            axon_mapping::Compared { old: Some(&old), new: &new, directory: &directory, identity: &identity, beside: &Arc::default(), now: START };
        let found = axon_mapping::preview(compared);
        let side = |map: &Arc<RoleMap>| holdings(&desired(map, &dw(), &directory, &Surroundings::default(), START).unwrap().graph);
        let (before, after) = (side(&old), side(&new));
        let (mut gained, mut lost) = (Held::new(), Held::new());
        for principal in found.targets.iter().flat_map(|target| &target.principals) {
            gained.extend(principal.gained.iter().map(|item| (principal.principal, item.to_string())));
            lost.extend(principal.lost.iter().map(|item| (principal.principal, item.to_string())));
        }
        let sides = axon_mapping::preview::sides(compared);
        let Both { old: was, new: is } = &sides[&dw()];
        if was.groups().chain(is.groups()).next().is_none() {
            prop_assert_eq!(gained, after.difference(&before).cloned().collect::<Held>());
            prop_assert_eq!(lost, before.difference(&after).cloned().collect::<Held>());
            return Ok(());
        }
        // Where whole groups are principals, what counts is what people have by all their names together.
        let mut people = BTreeMap::new();
        for user in directory.users().map(|user| user.id) {
            let (names_before, names_after) = (names_of(was, &directory, user), names_of(is, &directory, user));
            let had = held_by(&before, &names_before);
            let has = held_by(&after, &names_after);
            let names: BTreeSet<SqlName> = names_before.union(&names_after).copied().collect();
            people.insert(user, (names, had, has));
        }
        for (gains, told, from, to) in [(true, &gained, &before, &after), (false, &lost, &after, &before)] {
            for (name, item) in told {
                let mut behind = people.values().filter(|(names, ..)| names.contains(name)).peekable();
                let nobody = behind.peek().is_none();
                let so = behind.any(|(_, had, has)| {
                    let (from, to) = if gains { (had, has) } else { (has, had) };
                    to.contains(item) && !from.contains(item)
                });
                let key = (*name, item.clone());
                prop_assert!(so || nobody && to.contains(&key) && !from.contains(&key), "{name}: {item}, which nobody behind it sees");
            }
            for (user, (names, had, has)) in &people {
                let (from, to) = if gains { (had, has) } else { (has, had) };
                for item in to.difference(from) {
                    let said = names.iter().any(|name| told.contains(&(*name, item.clone())));
                    prop_assert!(said, "{user}: {item} changes, and nothing says so");
                }
            }
        }
    }
}

/// Who has what.
type Held = BTreeSet<(SqlName, String)>;

/// What each member of a role has by it.
fn holdings(graph: &Graph) -> Held {
    let mut held = Held::new();
    for member in &graph.members {
        if !graph.roles.contains_key(&member.role) {
            held.insert((member.member, member.role.to_string()));
        }
        for (key, _) in graph.grants.iter().filter(|(key, _)| key.grantee == member.role) {
            held.insert((
                member.member,
                format!("{} on {}", key.permission.name().to_lowercase(), key.securable),
            ));
        }
    }
    held
}

fn held_by(held: &Held, names: &BTreeSet<SqlName>) -> BTreeSet<String> {
    held.iter().filter(|(name, _)| names.contains(name)).map(|(_, item)| item.clone()).collect()
}

/// A user's own name and the names of the groups that are principals, found naively.
fn names_of(side: &Side, directory: &Directory, user: UserId) -> BTreeSet<SqlName> {
    let own = side.principal_of(user).filter(|name| !side.is_withheld(*name));
    let groups = side.groups().filter(|(group, _)| reaches(directory, user, *group)).map(|(_, name)| name);
    own.into_iter().chain(groups).collect()
}

/// Whether a user is in this very group, through nested ones or not.
fn reaches(directory: &Directory, user: UserId, group: GroupId) -> bool {
    let mut inside = BTreeSet::from([group]);
    loop {
        let before = inside.len();
        let nested: Vec<GroupId> = inside
            .iter()
            .flat_map(|group| directory.members(*group))
            .filter_map(|(member, _)| match member {
                MemberKind::Group(group) => Some(group),
                MemberKind::User(_) => None,
            })
            .collect();
        inside.extend(nested);
        if inside.len() == before {
            return inside
                .iter()
                .any(|group| directory.members(*group).any(|(member, _)| member == MemberKind::User(user)));
        }
    }
}
