//! The groups that lines of `rows` name: found in one source, by what the name is bound to, and held as those of mappings are.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_mapping::explain::{Explainer, Known};
use axon_mapping::identity::{GroupPin, Holder, NameKey};
use axon_mapping::views::{Delimiters, GROUPS, Needs, in_one_line, out_of_line};
use axon_mapping::{Evaluator, Identity, Pending, RoleMap, Surroundings, Touched};
use axon_model::{Delta, Directory, GroupEntry, GroupId, MemberKind, RecordSeq, SqlName, UserEntry, UserId};
use axon_reconcile::ProfileRow;
use proptest::prelude::*;
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);

const MAP: &str = r"axon: 1
targets:
  dw: { kind: synapse-dedicated, host: h, database: d, auth: { token-file: t }, manage: { schemas: [secure] } }
roles:
  analyst: {}
mappings:
  - { groups: { any: [Analysts] }, source: entra, roles: [analyst] }
views:
  secure.orders:
    targets: dw
    from: sales.orders
    readers: [analyst]
    columns: { id: show }
    rows:
      - { group: SG-Sales, source: entra }
      - where: region in user.addresses.region
";

fn map(text: &str) -> Arc<RoleMap> {
    Arc::new(RoleMap::parse(&[("map.yaml", text)]).unwrap_or_else(|faults| panic!("{faults}")))
}

/// A directory, and whom its names belong to.
#[derive(Default)]
struct Town {
    directory: Directory,
    identity: Identity,
    seq: u64,
}

fn group_id(n: usize) -> GroupId {
    format!("00000000-0000-0000-1111-{n:012x}").parse().unwrap()
}

fn user_id(n: usize) -> UserId {
    format!("00000000-0000-0000-0000-{n:012x}").parse().unwrap()
}

impl Town {
    fn apply(&mut self, delta: &Delta) {
        self.seq += 1;
        self.directory.apply(delta, RecordSeq(self.seq));
    }

    fn put(&mut self, n: usize, source: &str, name: &str, external: &str) -> Holder {
        let group = GroupEntry {
            id: group_id(n),
            source: source.parse().unwrap(),
            display_name: name.into(),
            external_id: Some(external.into()),
            document: "{}".into(),
        };
        self.apply(&Delta::GroupPut { group: group.clone() });
        Holder::of_group(&group)
    }

    /// The same with one person in it, who is called `u` and the number.
    fn group(&mut self, n: usize, source: &str, name: &str) -> Holder {
        let holder = self.put(n, source, name, &format!("e{n}"));
        self.join(n, n, source);
        holder
    }

    fn join(&mut self, group: usize, person: usize, source: &str) {
        let user = UserEntry {
            id: user_id(person),
            source: source.parse().unwrap(),
            user_name: format!("u{person}").into(),
            external_id: None,
            active: true,
            document: "{}".into(),
        };
        self.apply(&Delta::UserPut { user });
        let (group, member) = (group_id(group), MemberKind::User(user_id(person)));
        self.apply(&Delta::MemberAdded { group, member });
    }

    fn pin(&mut self, holder: Option<Holder>) {
        let pin = GroupPin { holder, cleared: true, since: RecordSeq(self.seq) };
        self.identity.groups.insert(NameKey::of(&"entra".parse().unwrap(), "SG-Sales"), pin);
    }

    fn evaluator(&self) -> Evaluator {
        let identity = Arc::new(self.identity.clone());
        let around = Surroundings { identity, ..Surroundings::default() };
        let mut evaluator = Evaluator::new(map(MAP), &"dw".parse().unwrap(), around).unwrap();
        evaluator.full(&self.directory, NOW);
        evaluator
    }

    /// The numbers of those who see every row by being in the group.
    fn seen_by(&self) -> Vec<usize> {
        seen_by(&self.evaluator(), &self.directory)
    }
}

fn seen_by(evaluator: &Evaluator, directory: &Directory) -> Vec<usize> {
    let values = BTreeSet::from([(GROUPS.to_owned(), "entra SG-Sales".to_owned())]);
    let needs = evaluator.profile_needs(&Needs { values, ..Needs::default() });
    let rows = |n: &usize| {
        let name = SqlName::parse(&format!("u{n}")).unwrap();
        !evaluator.profile(directory, name, &needs).rows.is_empty()
    };
    (0..9).filter(rows).collect()
}

fn told(evaluator: &Evaluator) -> Vec<String> {
    let about =
        |pending: &Pending| matches!(pending, Pending::GroupHeld { .. } | Pending::GroupAmbiguous { .. });
    evaluator.pending().into_iter().filter(about).map(|pending| pending.to_string()).collect()
}

#[test]
fn another_source_s_group_of_the_name_shows_nobody_a_row() {
    let mut town = Town::default();
    town.group(1, "contractors", "SG-Sales");
    assert!(town.seen_by().is_empty(), "entra has not pushed it yet");
    let sales = town.group(2, "entra", "sg-sales");
    assert_eq!(town.seen_by(), [2], "case is nothing, and the other one is in nobody's way");
    town.pin(Some(sales));
    town.put(2, "entra", "SG-Sales-EU", "e2");
    assert!(town.seen_by().is_empty(), "called otherwise now");
    town.apply(&Delta::GroupRemoved { id: group_id(2) });
    assert!(town.seen_by().is_empty(), "gone");
}

#[test]
fn who_takes_the_name_waits_and_who_has_it_keeps_the_rows() {
    let mut town = Town::default();
    let sales = town.group(1, "entra", "SG-Sales");
    assert_eq!(town.evaluator().sights().bound.len(), 1, "bound at first sight");
    town.pin(Some(sales));
    town.group(2, "entra", "SG-Sales");
    assert_eq!(town.seen_by(), [1]);
    let mut words = told(&town.evaluator());
    town.apply(&Delta::GroupRemoved { id: group_id(1) });
    assert!(town.seen_by().is_empty(), "its successor waits");
    words.extend(told(&town.evaluator()));
    assert_eq!(town.evaluator().sights().held.len(), 1);
    town.apply(&Delta::GroupRemoved { id: group_id(2) });

    // The name was asked for while nobody had it.
    town.pin(None);
    town.group(3, "entra", "Others");
    town.put(3, "entra", "SG-Sales", "e3");
    town.identity.renamed.insert(group_id(3), RecordSeq(town.seq));
    assert!(town.seen_by().is_empty(), "renamed to the name");
    words.extend(told(&town.evaluator()));
    insta::assert_snapshot!("who_takes_the_name_waits", words.join("\n"));
}

#[test]
fn of_two_that_have_the_name_at_first_sight_none_counts() {
    let mut town = Town::default();
    town.group(1, "entra", "SG-Sales");
    town.group(2, "entra", "SG-Sales");
    assert!(town.seen_by().is_empty());
    insta::assert_snapshot!("of_two_none_counts", told(&town.evaluator()).join("\n"));
}

#[test]
fn a_group_that_comes_later_and_a_release_are_followed() {
    let mut town = Town::default();
    let mut evaluator = town.evaluator();
    let key = NameKey::of(&"entra".parse().unwrap(), "SG-Sales");
    assert!(evaluator.sights().reserved.contains(&key), "a rename to it waits from now on");
    let mut directory = town.directory.clone();
    let sales = town.group(1, "entra", "SG-Sales");
    let mut touched = Touched::default();
    for delta in [
        Delta::UserPut { user: town.directory.user(user_id(1)).unwrap().clone() },
        Delta::GroupPut { group: town.directory.group(group_id(1)).unwrap().clone() },
        Delta::MemberAdded { group: group_id(1), member: MemberKind::User(user_id(1)) },
    ] {
        touched.note(&directory, &delta);
        directory.apply(&delta, RecordSeq(9));
    }
    evaluator.apply(&directory, &touched, NOW);
    assert_eq!(seen_by(&evaluator, &directory), [1]);
    // Bound to one that is not there: this one waits, until it is released.
    town.pin(Some(Holder { external_id: Some("e7".into()), id: group_id(7).to_string() }));
    let other = Arc::new(town.identity.clone());
    let touched = evaluator.set_identity(&other);
    evaluator.apply(&directory, &touched, NOW);
    assert!(seen_by(&evaluator, &directory).is_empty());
    town.pin(Some(sales));
    let released = Arc::new(town.identity.clone());
    let touched = evaluator.set_identity(&released);
    evaluator.apply(&directory, &touched, NOW);
    assert_eq!(seen_by(&evaluator, &directory), [1]);
}

#[test]
fn the_source_is_asked_for_where_mappings_speak_of_several_or_of_none() {
    let bare = MAP.replace(", source: entra }\n      - where", " }\n      - where");
    let map = map(&bare);
    assert_eq!(map.views[0].groups().map(|group| group.source.as_str()).collect::<Vec<_>>(), ["entra"]);
    let two = bare.replace(
        "views:",
        "  - { groups: { any: [Guests] }, source: contractors, roles: [analyst] }\nviews:",
    );
    let none =
        bare.replace("  - { groups: { any: [Analysts] }, source: entra, roles: [analyst] }\n", "  []\n");
    let odd = MAP.replace("source: entra }\n      - where", "source: \"a b\" }\n      - where");
    let alone = MAP.replace("where: region in user.addresses.region", "{ role: analyst, source: entra }");
    let said = [two, none, odd, alone].map(|text| match RoleMap::parse(&[("map.yaml", &text)]) {
        Ok(_) => panic!("{text}"),
        Err(faults) => faults.to_string(),
    });
    insta::assert_snapshot!("the_source_is_asked_for", said.join("\n"));
}

#[test]
fn what_a_reader_sees_by_a_group_is_said_with_its_source() {
    let mut town = Town::default();
    town.group(1, "entra", "Analysts");
    let (identity, around, beside) = (Arc::default(), BTreeMap::new(), Arc::default());
    let map = map(MAP);
    let known = Known { target: None, identity: &identity, around: &around, beside: &beside };
    let said = Explainer::new(&map, &town.directory, known, NOW).person("u1").to_string();
    insta::assert_snapshot!("what_a_reader_sees", said);
}

/// The rows that are kept of `u0`, whose name two sources say.
fn kept(town: &Town, by: Option<Delimiters>, there: &[(&str, &str)]) -> Vec<String> {
    let evaluator = town.evaluator();
    let values = BTreeSet::from([(GROUPS.to_owned(), "entra SG-Sales".to_owned())]);
    let attributes = BTreeSet::from(["addresses.region".to_owned()]);
    let needs = evaluator.profile_needs(&Needs { values, attributes, ..Needs::default() });
    let principal = SqlName::parse("u0").unwrap();
    let row = |(attribute, value): &(&str, &str)| ProfileRow {
        principal,
        attribute: (*attribute).to_owned(),
        value: (*value).to_owned(),
    };
    let there = there.iter().map(row).collect();
    let kept = evaluator.kept_profile(&town.directory, principal, (&needs, by), &there).unwrap();
    kept.rows.into_iter().map(|row| format!("{}={}", row.attribute, row.value)).collect()
}

#[test]
fn who_says_another_s_name_takes_no_row_from_them_and_comes_by_none() {
    let mut town = Town::default();
    let sales = town.group(0, "entra", "SG-Sales");
    town.pin(Some(sales));
    let user = |n: usize, source: &str, region: &str| UserEntry {
        id: user_id(n),
        source: source.parse().unwrap(),
        user_name: "u0".into(),
        external_id: None,
        active: true,
        document: serde_json::json!({ "addresses": [{ "region": region }] }).to_string().into(),
    };
    town.put(8, "entra", "Analysts", "e8");
    town.apply(&Delta::UserPut { user: user(0, "entra", "north") });
    town.apply(&Delta::UserPut { user: user(5, "contractors", "south") });
    let member = MemberKind::User(user_id(0));
    town.apply(&Delta::MemberAdded { group: group_id(8), member });
    assert!(town.evaluator().shared_names().any(|name| name.as_str() == "u0"), "contested");

    let north = ("addresses.region", "north");
    let sales = (GROUPS, "entra SG-Sales");
    assert_eq!(kept(&town, None, &[north, sales]), ["@group=entra SG-Sales", "addresses.region=north"]);
    assert_eq!(kept(&town, None, &[north]), ["addresses.region=north"], "nothing comes");
    assert_eq!(
        kept(&town, None, &[("addresses.region", "east")]),
        [""; 0],
        "what none of them would have goes"
    );
    let by = Delimiters::new('|', ':', ',');
    let line = |text: &str| kept(&town, by, &[("@line", text)]);
    let whole = "@group:entra SG-Sales|addresses.region:north";
    assert_eq!(line(whole), [format!("@line={whole}")]);
    assert_eq!(line("addresses.region:east,north"), ["@line=addresses.region:north"]);
    assert_eq!(line("addresses.region:east"), [""; 0]);
}

proptest! {
    /// A string says what it was made of.
    #[test]
    fn a_profile_is_read_out_of_its_string(
        rows in prop::collection::btree_set(("(region|title)", "[a-z ]{1,4}[a-z]"), 0..5),
    ) {
        let principal = SqlName::parse("u0").unwrap();
        let rows: BTreeSet<ProfileRow> =
            rows.into_iter().map(|(attribute, value)| ProfileRow { principal, attribute, value }).collect();
        let by = Delimiters::new('|', ':', ',').unwrap();
        let line = in_one_line(&rows, by).unwrap();
        let read: BTreeSet<ProfileRow> = line.iter().flat_map(|line| out_of_line(line, by)).collect();
        prop_assert_eq!(read, rows);
    }

    /// Whatever groups come, are renamed or made anew in whatever source: every row is seen by people of the bound group alone, and by
    /// all of them.
    #[test]
    fn only_people_of_the_bound_group_see_every_row(
        groups in prop::collection::vec((any::<bool>(), 0..3_usize, 0..3_usize), 1..5),
    ) {
        let mut town = Town::default();
        town.pin(Some(Holder { external_id: Some("e0".into()), id: group_id(0).to_string() }));
        let (mut may, mut must) = (Vec::new(), Vec::new());
        for (n, (entra, name, external)) in groups.iter().enumerate() {
            let name = ["SG-Sales", "SG-SALES", "SG-Sales-EU"][*name];
            let source = if *entra { "entra" } else { "contractors" };
            town.put(n, source, name, &format!("e{external}"));
            town.join(n, n, source);
            if *entra && name.len() == 8 && *external == 0 {
                may.push(n);
                must.extend((n == 0).then_some(n));
            }
        }
        let seen = town.seen_by();
        prop_assert!(seen.iter().all(|n| may.contains(n)), "{seen:?} {may:?}");
        prop_assert!(must.iter().all(|n| seen.contains(n)), "{seen:?} {must:?}");
        prop_assert!(seen.len() < 2);
    }
}
