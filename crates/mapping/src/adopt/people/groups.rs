//! The groups of the directory that a mapping can name, and who is in them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axon_model::{Directory, GroupEntry, SourceId, UserId};
use axon_reconcile::{Glob, Mode};

use super::{NamedGroup, Survey};
use crate::adopt::Adopting;
use crate::evaluator::Evaluator;
use crate::map::RoleMap;
use crate::names::RoleName;
use crate::role::RoleSpec;
use crate::rule::{Gives, GroupName, Groups, Mapping, Who};
use crate::selection::users_under;
use crate::target::{TargetSpec, Via};

/// A map in which every group of the directory lets its people in, and gives them nothing: who can be named at all is who
/// gets in by it, under the very rules that the real map is evaluated by.
pub(super) fn bare(of: Adopting<'_>, spec: &TargetSpec) -> RoleMap {
    let mut target = spec.clone();
    target.via = Via::Person;
    target.mode = Mode::Observe;
    let own_roles = of.actual.roles.iter().filter(|(_, role)| !role.fixed);
    target.manage.roles = own_roles
        .filter(|(name, _)| name.as_str().parse::<RoleName>().is_ok())
        .map(|(name, _)| Glob::new(name.as_str()))
        .collect();
    let mut map = (**of.map).clone();
    map.services.clear();
    map.views.clear();
    map.tests.clear();
    map.rules = crate::rules::Rules::default();
    map.guards = crate::guards::GuardRules::default();
    map.roles.clear();
    map.mappings.clear();
    if let Ok(name) = "enters".parse::<RoleName>() {
        let role = RoleSpec {
            name: name.clone(),
            place: spec.place.clone(),
            description: None,
            includes: Vec::new(),
            grants: BTreeMap::new(),
            held: [(of.target.clone(), Vec::new())].into(),
            direct: true,
            define: BTreeMap::new(),
            impersonate: BTreeMap::new(),
            whole: [name.clone()].into(),
        };
        map.roles.insert(name.clone(), role);
        for (source, names) in group_names(of.directory) {
            map.mappings.push(Mapping {
                place: spec.place.clone(),
                who: Who::Groups { groups: Groups { any: names, ..Groups::default() }, source },
                when: None,
                gives: Gives::Roles(vec![name.clone()]),
                until: None,
                trust: false,
                via: Some(Via::Person),
                separated: false,
            });
        }
    }
    map.targets = [(of.target.clone(), target)].into();
    map
}

/// How many groups of a source have each display name.
type Displayed<'d> = HashMap<(&'d SourceId, String), usize>;

fn displayed(directory: &Directory) -> Displayed<'_> {
    let mut displayed: Displayed<'_> = HashMap::new();
    for group in directory.groups() {
        let key = GroupName::Display(group.display_name.to_string()).key();
        *displayed.entry((&group.source, key)).or_default() += 1;
    }
    displayed
}

/// How a mapping can name each group: by its display name where that is one group's alone, else by its externalId.
fn group_names(directory: &Directory) -> BTreeMap<SourceId, Vec<GroupName>> {
    let displayed = displayed(directory);
    let mut names: BTreeMap<SourceId, Vec<GroupName>> = BTreeMap::new();
    for group in directory.groups() {
        if let Some(name) = name_of(group, &displayed) {
            names.entry(group.source.clone()).or_default().push(name);
        }
    }
    names
}

fn name_of(group: &GroupEntry, displayed: &Displayed<'_>) -> Option<GroupName> {
    let by_name = GroupName::Display(group.display_name.to_string());
    let alone = displayed.get(&(&group.source, by_name.key())).is_some_and(|n| *n == 1);
    if alone && !group.display_name.is_empty() {
        return Some(by_name);
    }
    let id = group.external_id.as_deref().filter(|id| !id.is_empty())?;
    Some(GroupName::External(id.to_owned()))
}

/// The groups that stand for somebody, with their people.
pub(super) fn named(of: Adopting<'_>, evaluator: &Evaluator, survey: &mut Survey) -> Vec<NamedGroup> {
    let displayed = displayed(of.directory);
    let mut number_of: HashMap<UserId, Option<u32>> = HashMap::new();
    for user in of.directory.users().filter(|user| user.active) {
        let name = evaluator.principal_of(user.id);
        number_of.insert(user.id, name.and_then(|name| survey.number(name)));
    }
    let mut found: Vec<NamedGroup> = Vec::new();
    // Found under the same rules as by the real map: ambiguous, doubted and renamed ones are not among them.
    for id in evaluator.selection().found.iter().flat_map(|found| found.open.keys()) {
        let Some(entry) = of.directory.group(*id) else { continue };
        let Some(name) = name_of(entry, &displayed) else { continue };
        let mut users = BTreeSet::new();
        users_under(of.directory, *id, &mut users);
        let (mut people, mut wider) = (Vec::new(), false);
        // Whoever is not active is given nothing by any group.
        for number in users.iter().filter_map(|user| number_of.get(user)) {
            match number {
                Some(number) => people.push(*number),
                None => wider = true,
            }
        }
        people.sort_unstable();
        people.dedup();
        found.push(NamedGroup { id: *id, source: entry.source.clone(), name, people, wider });
    }
    // By name, so that the same directory gives the same map whatever ids it was given.
    found.sort_by(|a, b| (&a.source, &a.name).cmp(&(&b.source, &b.name)));
    for (number, group) in found.iter().enumerate() {
        let Ok(number) = u32::try_from(number) else { break };
        for person in &group.people {
            if let Some(within) = survey.within.get_mut(*person as usize) {
                within.push(number);
            }
        }
    }
    found
}
