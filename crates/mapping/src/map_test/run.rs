//! Running the tests of a map, each against a directory of its own that holds no more than the test says.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::{Delta, Directory, GroupEntry, GroupId, MemberKind, RecordSeq, UserEntry, UserId};
use time::OffsetDateTime;

use super::{Expected, Failure, MapTest, Subject};
use crate::chain::instant;
use crate::effect::{Extent, Holding};
use crate::given::{Given, Person};
use crate::identity::{GroupPin, Holder, Identity, NameKey};
use crate::map::{RoleMap, is_service};
use crate::names::{RoleName, TargetName};
use crate::place::Place;
use crate::rule::{GroupName, Mapping, Who};
use crate::selection::{Judgement, Selection, closure, group_name};

/// Every test that does not hold. `now` is the instant of those that say none.
pub fn run(map: &RoleMap, now: OffsetDateTime) -> Vec<Failure> {
    map.tests.iter().flat_map(|test| Trial::of(map, test, now).failures(test)).collect()
}

/// One test, carried out.
struct Trial<'m> {
    map: &'m RoleMap,
    /// Every role that is given, and the places of the mappings that give it.
    roles: BTreeMap<&'m RoleName, BTreeSet<&'m Place>>,
    /// What the mappings say that would have given something.
    missing: Vec<String>,
}

impl<'m> Trial<'m> {
    fn of(map: &'m RoleMap, test: &MapTest, now: OffsetDateTime) -> Self {
        let now = test.at.unwrap_or(now);
        match &test.who {
            Subject::Service(name) => {
                let mut trial = Self { map, roles: BTreeMap::new(), missing: Vec::new() };
                let mappings = map.mappings.iter().filter(|m| is_service(m, name) && m.holds_at(now));
                let ways: Vec<(&Place, &RoleName)> =
                    mappings.flat_map(|m| m.possible().map(move |role| (&m.place, role))).collect();
                let given: BTreeSet<&RoleName> = ways.iter().map(|(_, role)| *role).collect();
                let (withheld, broken) = map.rules.withheld(&map.roles, &given);
                trial.missing.extend(broken.iter().map(|rule| separated(&rule.place)));
                for (place, role) in ways.into_iter().filter(|(_, role)| !withheld.contains(role)) {
                    trial.roles.entry(role).or_default().insert(place);
                }
                trial
            }
            Subject::Person { .. } => Self::of_person(map, &test.who, now),
        }
    }

    fn of_person(map: &'m RoleMap, who: &Subject, now: OffsetDateTime) -> Self {
        let mut trial = Self { map, roles: BTreeMap::new(), missing: Vec::new() };
        let (directory, identity, id) = stage(map, who);
        let Some(user) = directory.user(id) else { return trial };
        if !user.active {
            trial.missing.push("the person is not active".to_owned());
            return trial;
        }
        let person = Person::new(user);
        let selection = Selection::of(map, &directory, &identity);
        let groups = closure(&directory, MemberKind::User(id));
        // Borrows of the selection end here: only what lives in the map is kept.
        let given = Given::to(map, &selection, &person, &groups, now, |_, _| true);
        let withheld: BTreeSet<RoleName> = given.withheld.iter().map(|role| (*role).clone()).collect();
        trial.missing.extend(given.broken.iter().map(|rule| separated(&rule.place)));
        for (number, _, role) in &given.ways {
            if withheld.contains(*role) {
                continue;
            }
            if let Some((role, _)) = map.roles.get_key_value(*role) {
                trial.roles.entry(role).or_default().insert(&map.mappings[*number].place);
            }
        }
        for number in selection.candidates(&groups) {
            let mapping = &map.mappings[number];
            let judged = selection.judge(mapping, number, &person, &groups, now);
            trial.missing.extend(refusal(mapping, &judged, &person, &directory));
        }
        trial
    }

    fn failures(&self, test: &MapTest) -> Vec<Failure> {
        let mut failures = Vec::new();
        if let Some(wanted) = &test.roles {
            let wanted: BTreeSet<&RoleName> = wanted.iter().collect();
            let found: BTreeSet<&RoleName> = self.roles.keys().copied().collect();
            if wanted != found {
                let list = |roles: &BTreeSet<&RoleName>| {
                    let names: Vec<&str> = roles.iter().map(|r| r.as_str()).collect();
                    match names[..] {
                        [] => "no role".to_owned(),
                        [one] => format!("the role {one}"),
                        _ => format!("the roles {}", names.join(", ")),
                    }
                };
                failures.push(Failure {
                    place: test.place.clone(),
                    message: format!(
                        "{} should have {}, but has {}",
                        test.who.name(),
                        list(&wanted),
                        list(&found)
                    ),
                    because: self.missing.clone(),
                });
            }
        }
        let mut holdings: BTreeMap<&TargetName, Holding> = BTreeMap::new();
        for (expected, must) in
            test.has.iter().map(|e| (e, true)).chain(test.lacks.iter().map(|e| (e, false)))
        {
            let holding = holdings.entry(&expected.target).or_insert_with(|| self.holding(&expected.target));
            let extent = holding.extent_of(&expected.grant.line);
            if (must && extent == Extent::Whole) || (!must && extent == Extent::None) {
                continue;
            }
            failures.push(self.failure(test, expected, extent, must));
        }
        failures
    }

    fn holding(&self, target: &TargetName) -> Holding {
        let held = self.roles.keys().filter_map(|r| self.map.roles.get(*r)?.held.get(target));
        Holding::of(held.flatten().map(|held| &held.grant.line))
    }

    fn failure(&self, test: &MapTest, expected: &Expected, extent: Extent, must: bool) -> Failure {
        let line = crate::yaml::shown(&expected.grant.text);
        let word = if must { "should have" } else { "should lack" };
        let found = match (must, extent) {
            (_, Extent::Part) => "has a part of it",
            (true, _) => "does not",
            (false, _) => "has it",
        };
        let mut because = Vec::new();
        if must {
            because.clone_from(&self.missing);
        }
        for (role, mappings) in &self.roles {
            let Some(held) = self.map.roles.get(*role).and_then(|r| r.held.get(&expected.target)) else {
                continue;
            };
            for held in held {
                let alone = Holding::of([&held.grant.line]);
                let denies = matches!(
                    &held.grant.line,
                    crate::grant::GrantLine::Permissions { state: axon_reconcile::GrantState::Deny, .. }
                );
                if must && !denies || !must && alone.extent_of(&expected.grant.line) == Extent::None {
                    continue;
                }
                let places: Vec<String> = mappings.iter().map(ToString::to_string).collect();
                because.push(format!(
                    "role {role} ({}) holds `{}` ({})",
                    places.join(", "),
                    crate::yaml::shown(&held.grant.text),
                    held.grant.place
                ));
            }
        }
        Failure {
            place: expected.grant.place.clone(),
            message: format!("{} {word} `{line}` in {}, but {found}", test.who.name(), expected.target),
            because,
        }
    }
}

fn separated(rule: &Place) -> String {
    format!("{rule} separates roles that would come together: all of them are withheld")
}

/// Why a mapping whose groups the person is in gives nothing.
fn refusal(
    mapping: &Mapping,
    judged: &Judgement<'_>,
    person: &Person<'_>,
    directory: &Directory,
) -> Option<String> {
    let why = match judged {
        // Every group that a mapping leaves out is known on a test's stage.
        Judgement::Gives(_) | Judgement::NotIn | Judgement::UnknownExclusion => return None,
        Judgement::LeftOut(group) => {
            format!("the person is in {}, which it leaves out", called(directory, *group))
        }
        Judgement::Ended(until) => format!("it ended at {}", instant(*until)),
        Judgement::NothingNamed => "the group's name captures no role that `only` allows".to_owned(),
        Judgement::Condition(truth) => {
            let seen = mapping.when.as_ref().map(|when| when.over_resource(person.resource()).seen);
            let seen: Vec<String> = seen.iter().flatten().map(ToString::to_string).collect();
            format!("its condition is {truth}: {}", seen.join("; "))
        }
    };
    Some(format!("mapping {} gives nothing: {why}", mapping.place))
}

/// A directory with the person, the groups of the test, and the groups that mappings leave out: those are known, so that an
/// exclusion does not hang on whether a test thinks of it. Every group counts as released, as a test speaks of what the map
/// gives once nothing waits.
fn stage(map: &RoleMap, who: &Subject) -> (Directory, Identity, UserId) {
    let mut directory = Directory::default();
    let mut identity = Identity::default();
    let id = UserId::from_uuid(uuid(1));
    let Subject::Person { user_name, source, groups, active, document } = who else {
        return (directory, identity, id);
    };
    let external = document.get("externalId").and_then(|v| v.as_str()).map(Into::into);
    let user = UserEntry {
        id,
        source: source.clone(),
        user_name: user_name.clone(),
        external_id: external,
        active: *active,
        document: serde_json::Value::Object(document.clone()).to_string().into(),
    };
    directory.apply(&Delta::UserPut { user }, RecordSeq(1));
    let mut names: BTreeMap<&GroupName, bool> = groups.iter().map(|name| (name, true)).collect();
    let mut keys: BTreeSet<String> = groups.iter().map(GroupName::key).collect();
    for mapping in &map.mappings {
        if let Who::Groups { groups, source: of } = &mapping.who
            && of == source
        {
            for name in groups.none.iter().filter(|name| keys.insert(name.key())) {
                names.entry(name).or_insert(false);
            }
        }
    }
    for (n, (name, member)) in (2_u128..).zip(names) {
        let (display_name, external_id) = match name {
            GroupName::Display(text) => (text.as_str().into(), None),
            GroupName::External(id) => (format!("group {n}").into(), Some(id.as_str().into())),
        };
        let group_id = GroupId::from_uuid(uuid(n));
        let group = GroupEntry {
            id: group_id,
            source: source.clone(),
            display_name,
            external_id,
            document: "{}".into(),
        };
        let pin = GroupPin { holder: Some(Holder::of_group(&group)), cleared: true, since: RecordSeq(1) };
        identity.groups.insert(NameKey::of(source, &group.display_name), pin);
        directory.apply(&Delta::GroupPut { group }, RecordSeq(1));
        if member {
            let delta = Delta::MemberAdded { group: group_id, member: MemberKind::User(id) };
            directory.apply(&delta, RecordSeq(1));
        }
    }
    (directory, identity, id)
}

/// A group as the map names it.
fn called(directory: &Directory, group: GroupId) -> String {
    match directory.group(group).and_then(|entry| entry.external_id.as_deref()) {
        Some(id) => GroupName::External(id.to_owned()).to_string(),
        None => group_name(directory, group),
    }
}

fn uuid(n: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(n)
}
