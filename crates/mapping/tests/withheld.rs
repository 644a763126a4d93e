//! Who is given nothing because of an object id, another source, or what became of a group's name: told word for word.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::sync::Arc;

use axon_mapping::explain::{Explainer, Known};
use axon_mapping::identity::{GroupPin, Holder, NameKey, SourceClaims};
use axon_mapping::{Beside, Identity, RoleMap, check};
use axon_model::{Delta, Directory, GroupEntry, GroupId, MemberKind, RecordSeq, UserEntry, UserId};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

const MAP: &str = r#"axon: 1
targets:
  dw: { kind: synapse-dedicated, host: h, database: d, auth: { token-file: t }, object_id: "{externalId}" }
roles:
  reader: { grants: { dw: [select on sales.orders] } }
mappings:
  - { groups: { any: [Readers] }, source: entra, roles: [reader] }
"#;

/// A directory, and whom its names belong to.
#[derive(Default)]
struct Town {
    directory: Directory,
    identity: Identity,
    seq: u64,
}

impl Town {
    fn apply(&mut self, delta: &Delta) {
        self.seq += 1;
        self.directory.apply(delta, RecordSeq(self.seq));
    }

    fn group(&mut self, n: u32, text: &str, external: Option<&str>) -> GroupEntry {
        let group = GroupEntry {
            id: format!("00000000-0000-0000-1111-{n:012x}").parse().unwrap(),
            source: "entra".parse().unwrap(),
            display_name: text.into(),
            external_id: external.map(Into::into),
            document: "{}".into(),
        };
        self.apply(&Delta::GroupPut { group: group.clone() });
        group
    }

    /// A person with an object id of this number, in this group.
    fn person(
        &mut self,
        n: u32,
        (source, text): (&str, &str),
        active: bool,
        id: u32,
        group: Option<GroupId>,
    ) {
        let user: UserId = format!("00000000-0000-0000-0000-{n:012x}").parse().unwrap();
        let entry = UserEntry {
            id: user,
            source: source.parse().unwrap(),
            user_name: text.into(),
            external_id: Some(format!("00000000-0000-4000-8000-{id:012x}").into()),
            active,
            document: "{}".into(),
        };
        self.apply(&Delta::UserPut { user: entry });
        if let Some(group) = group {
            self.apply(&Delta::MemberAdded { group, member: MemberKind::User(user) });
        }
    }

    fn pin(&mut self, text: &str, holder: Option<Holder>) {
        let pin = GroupPin { holder, cleared: true, since: RecordSeq(1) };
        self.identity.groups.insert(NameKey::of(&"entra".parse().unwrap(), text), pin);
    }

    /// What is said of these people, and of what one of them lacks.
    fn told(&self, people: &[&str]) -> String {
        let map = Arc::new(RoleMap::parse(&[("map.yaml", MAP)]).unwrap_or_else(|faults| panic!("{faults}")));
        let (identity, around) = (Arc::new(self.identity.clone()), BTreeMap::new());
        let beside = Arc::new(Beside::default());
        let known = Known { target: None, identity: &identity, around: &around, beside: &beside };
        let explainer = Explainer::new(&map, &self.directory, known, NOW);
        let said = people.iter().map(|who| {
            let lacks = explainer.missing(who, "select on sales.orders").unwrap();
            format!("{}\n{lacks}\n", explainer.person(who))
        });
        said.collect()
    }
}

#[test]
fn one_object_id_under_two_names() {
    let mut town = Town::default();
    let readers = town.group(1, "Readers", None).id;
    town.person(1, ("entra", "kim@acme.com"), true, 7, Some(readers));
    town.person(2, ("entra", "kim.lee@acme.com"), true, 7, Some(readers));
    insta::assert_snapshot!("one_object_id_under_two_names", town.told(&["kim@acme.com"]));
}

#[test]
fn not_active_in_another_source() {
    let mut town = Town::default();
    let readers = town.group(1, "Readers", None).id;
    town.person(1, ("entra", "kim@acme.com"), true, 7, Some(readers));
    town.person(2, ("okta", "kim@acme.com"), false, 7, None);
    for source in ["entra", "okta"] {
        let claims = SourceClaims::read(None, Some("externalId")).unwrap();
        town.identity.sources.insert(source.parse().unwrap(), claims);
    }
    insta::assert_snapshot!("not_active_in_another_source", town.told(&["kim@acme.com"]));
}

#[test]
fn groups_whose_name_or_id_changed() {
    let mut town = Town::default();
    let readers = town.group(1, "Readers", Some("now"));
    town.person(1, ("entra", "kim@acme.com"), true, 7, Some(readers.id));
    let then = GroupEntry { external_id: Some("then".into()), ..readers.clone() };
    town.pin("Readers", Some(Holder::of_group(&then)));
    let other_id = town.told(&["kim@acme.com"]);
    assert!(other_id.contains("says another externalId"), "{other_id}");
    // A mapping used the name before any group had it.
    town.pin("Readers", None);
    town.identity.renamed.insert(readers.id, RecordSeq(5));
    let renamed = town.told(&["kim@acme.com"]);
    assert!(renamed.contains("was renamed to a name"), "{renamed}");
    town.pin("Readers", Some(Holder::of_group(&readers)));
    town.group(2, "Readers", Some("second"));
    town.identity.groups.clear();
    let several = town.told(&["kim@acme.com"]);
    assert!(several.contains("several groups had this name"), "{several}");
    insta::assert_snapshot!("groups_whose_name_or_id_changed", [other_id, renamed, several].join("---\n"));
}

#[test]
fn a_pattern_that_every_group_of_the_source_fits() {
    let mut town = Town::default();
    for (n, name) in (1..).zip(["team-a", "team-b", "team-c"]) {
        town.group(n, name, None);
    }
    let found = |roles: &str| {
        let text = MAP.replace("any: [Readers]", "match: \"^team-.*$\"").replace("roles: [reader]", roles);
        let map = RoleMap::parse(&[("map.yaml", &text)]).unwrap_or_else(|faults| panic!("{faults}"));
        let found = check(&map, Some(&town.directory), NOW);
        found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!("a_pattern_that_every_group_fits", found("roles: [reader], trust: true"));
    // Groups that wait to be released fit all the same.
    assert!(found("roles: [reader]").contains("[match-everything]"));
}
