use super::*;
use axon_model::{Delta, RecordSeq};

fn source() -> SourceId {
    "entra".parse().unwrap()
}

fn id(n: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(n)
}

fn user(n: u128, name: &str, external: Option<&str>, active: bool) -> UserEntry {
    UserEntry {
        id: UserId::from_uuid(id(n)),
        source: source(),
        user_name: name.into(),
        external_id: external.map(Into::into),
        active,
        document: "{}".into(),
    }
}

fn group() -> GroupEntry {
    GroupEntry {
        id: GroupId::from_uuid(id(100)),
        source: source(),
        display_name: "SG-Data".into(),
        external_id: Some("g-1".into()),
        document: "{}".into(),
    }
}

/// Kim and Ana are in the group; Bo is known and is not; Eve is in it and inactive.
fn directory() -> Directory {
    let mut directory = Directory::default();
    let people = [
        user(1, "kim@x.org", Some("o-1"), true),
        user(2, "Ana@x.org", None, true),
        user(3, "bo@x.org", Some("o-3"), true),
        user(4, "eve@x.org", Some("o-4"), false),
    ];
    let deltas = people.into_iter().map(|user| Delta::UserPut { user });
    let members = [1, 2, 4].map(|n| Delta::MemberAdded {
        group: group().id,
        member: MemberKind::User(UserId::from_uuid(id(n))),
    });
    for delta in deltas.chain([Delta::GroupPut { group: group() }]).chain(members) {
        directory.apply(&delta, RecordSeq(1));
    }
    directory
}

fn person(id: &str, name: &str) -> PersonThere {
    PersonThere { id: id.into(), names: vec![name.into()], enabled: true }
}

fn there(name: &str, people: Vec<PersonThere>) -> GroupSeen {
    let members = people.into_iter().map(MemberThere::Person).collect();
    GroupSeen::There(GroupThere { id: "g-1".into(), name: name.into(), members })
}

fn told(found: &Found) -> String {
    let line = |d: &Difference| {
        let holds = if d.removal.is_some() { " [a removal]" } else { "" };
        format!("{}: {}; lost: {}{holds}", d.kind.as_str(), d.what, d.lost)
    };
    found.differences.iter().map(line).chain(found.notes.iter().cloned()).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_same_on_both_sides_is_no_difference() {
    let directory = directory();
    let index = Index::of(&directory, &source(), "Microsoft Graph");
    let eve = PersonThere { enabled: false, ..person("o-4", "eve@x.org") };
    let seen = there("sg-data", vec![person("O-1", "kim@x.org"), person("o-2", "ana@X.org"), eve]);
    assert_eq!(index.group(&group(), &seen), Found::default());
    let other = Index::of(&directory, &"okta".parse().unwrap(), "Okta");
    assert_eq!(told(&other.group(&group(), &seen)).matches("never pushed").count(), 3, "sources do not mix");
}

#[test]
fn each_difference_is_named_with_the_request_that_was_likely_lost() {
    let directory = directory();
    let index = Index::of(&directory, &source(), "Microsoft Graph");
    let disabled = PersonThere { enabled: false, ..person("o-3", "bo@x.org") };
    let people = vec![
        person("o-1", "kim.new@x.org"),
        disabled,
        person("o-4", "eve@x.org"),
        person("o-9", "new@x.org"),
    ];
    let mut seen = there("SG-Data-2", people);
    if let GroupSeen::There(there) = &mut seen {
        there.members.push(MemberThere::Group { id: "g-9".into(), name: "Inner".into() });
        there.members.push(MemberThere::Other);
    }
    insta::assert_snapshot!(told(&index.group(&group(), &seen)));
}

#[test]
fn a_group_or_person_that_is_gone_is_a_removal_and_several_of_a_name_are_nothing() {
    let directory = directory();
    let index = Index::of(&directory, &source(), "Microsoft Graph");
    let (kim, eve) = (user(1, "kim@x.org", Some("o-1"), true), user(4, "eve@x.org", Some("o-4"), false));
    let found = [
        index.group(&group(), &GroupSeen::Deleted(Some("2026-11-20T10:00:00Z".into()))),
        index.group(&group(), &GroupSeen::Missing),
        index.group(&group(), &GroupSeen::Several(vec!["g-1".into(), "g-2".into()])),
        index.person(&kim, &PersonSeen::Missing),
        index.person(&kim, &PersonSeen::Deleted(None)),
        index.person(&kim, &PersonSeen::There(PersonThere { enabled: false, ..person("o-1", "kim@x.org") })),
    ];
    assert_eq!(index.person(&eve, &PersonSeen::Missing), Found::default(), "who is inactive has nothing");
    let there = PersonSeen::There(person("o-4", "eve@x.org"));
    assert_eq!(
        index.person(&eve, &there),
        Found::default(),
        "may have been taken out of what is provisioned"
    );
    insta::assert_snapshot!(found.iter().map(told).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_name_that_two_have_names_nobody() {
    let mut directory = directory();
    // Two groups of one name in one source: Entra allows it.
    let twin = GroupEntry { id: GroupId::from_uuid(id(101)), external_id: Some("g-2".into()), ..group() };
    directory.apply(&Delta::GroupPut { group: twin }, RecordSeq(2));
    let index = Index::of(&directory, &source(), "Microsoft Graph");
    assert!(index.groups.find("g-7", [String::from("SG-Data")].iter()).is_none());
    assert_eq!(index.groups.find("G-2", std::iter::empty()).unwrap().id, GroupId::from_uuid(id(101)));
}

#[test]
fn a_group_of_the_role_map_that_is_there_and_was_never_pushed_is_named() {
    let directory = directory();
    let index = Index::of(&directory, &source(), "Microsoft Graph");
    let key = Key { external_id: None, name: "SG-New".into() };
    let found = |ids: &[&str]| -> Vec<GroupFound> {
        ids.iter().map(|id| GroupFound { id: (*id).into(), name: "SG-New".into() }).collect()
    };
    assert_eq!(index.never_sent(&source(), &key, &[]), None, "nobody made it yet");
    assert_eq!(index.never_sent(&source(), &key, &found(&["G-1"])), None, "it was pushed under another name");
    let one = index.never_sent(&source(), &key, &found(&["g-7"])).unwrap();
    assert_eq!((one.kind, one.removal), (DifferenceKind::GroupMissing, None));
    assert_eq!(
        one.what,
        "group SG-New is in Microsoft Graph, the role map gives it something, and it was never pushed"
    );
    assert!(one.lost.starts_with("POST /Groups"), "{}", one.lost);
    let two = index.never_sent(&source(), &key, &found(&["g-7", "g-8"])).unwrap();
    assert!(two.what.contains("(2 times: g-7, g-8)"), "{}", two.what);
    assert_eq!((two.key, two.subject), (one.key.clone(), one.subject), "the same difference");
    let other = Subject::mapped(&"okta".parse().unwrap(), &key);
    assert_ne!(other, one.subject, "sources do not mix");
}
