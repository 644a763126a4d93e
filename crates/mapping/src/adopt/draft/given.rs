//! Who gets the roles of a draft: by groups, as whole groups, as services, and one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_model::SourceId;

use super::{Draft, DraftMapping, DraftService, DraftWho, Names};
use crate::adopt::cover;
use crate::adopt::people::{Stands, Survey};
use crate::names::RoleName;

/// The most people that one condition lists, and the most bytes of it: a condition holds 100 comparisons and 8,192 bytes.
const MOST_NAMED: usize = 50;
const MOST_BYTES: usize = 6_000;

/// A person by number and by `userName`.
type Listed = (u32, Arc<str>);

/// Identities that the directory does not know.
pub(super) fn services(survey: &Survey, draft: &mut Draft) {
    let mut names = Names::default();
    for subject in survey.subjects.values().filter(|s| s.stands == Stands::Service) {
        let Some(name) = names.next(subject.name.as_str()) else { continue };
        draft.services.push(DraftService { name, principal: subject.name, pin: subject.pin.clone() });
    }
}

/// Who has which roles, those who have the same together.
pub(super) fn mappings(survey: &Survey, draft: &mut Draft) {
    let mut groups: BTreeMap<(SourceId, Vec<u32>), Vec<RoleName>> = BTreeMap::new();
    let mut alone: BTreeMap<u32, Vec<RoleName>> = BTreeMap::new();
    let mut whole: BTreeMap<u32, Vec<RoleName>> = BTreeMap::new();
    for role in &draft.roles {
        let mut by_source: BTreeMap<SourceId, Vec<u32>> = BTreeMap::new();
        for number in &role.by.groups {
            by_source.entry(survey.groups[*number as usize].source.clone()).or_default().push(*number);
        }
        for (source, numbers) in by_source {
            groups.entry((source, numbers)).or_default().push(role.name.clone());
        }
        for person in &role.by.left {
            alone.entry(*person).or_default().push(role.name.clone());
        }
        for number in &role.subjects {
            if survey.subjects.get(number).is_some_and(|s| !matches!(s.stands, Stands::Person(_))) {
                whole.entry(*number).or_default().push(role.name.clone());
            }
        }
    }
    let name = |number: &u32| survey.groups[*number as usize].name.clone();
    for ((source, numbers), roles) in groups {
        let who = DraftWho::Groups { source, groups: numbers.iter().map(name).collect() };
        draft.mappings.push(DraftMapping { who, roles });
    }
    for (number, roles) in whole {
        let Some(subject) = survey.subjects.get(&number) else { continue };
        let who = match &subject.stands {
            Stands::Group(group) => {
                let group = &survey.groups[*group];
                DraftWho::Whole { source: group.source.clone(), group: group.name.clone() }
            }
            Stands::Service => {
                let service = draft.services.iter().find(|s| s.principal == subject.name);
                let Some(service) = service else { continue };
                DraftWho::Service(service.name.clone())
            }
            Stands::Person(_) => continue,
        };
        draft.mappings.push(DraftMapping { who, roles });
    }
    one_by_one(survey, alone, draft);
}

/// People whom no group explains, together with those who have the same.
fn one_by_one(survey: &Survey, alone: BTreeMap<u32, Vec<RoleName>>, draft: &mut Draft) {
    let mut same: BTreeMap<(Vec<RoleName>, SourceId), Vec<Listed>> = BTreeMap::new();
    for (number, roles) in alone {
        let Some(subject) = survey.subjects.get(&number) else { continue };
        let Stands::Person(records) = &subject.stands else { continue };
        let groups = survey.within.get(number as usize).into_iter().flatten();
        let sources: BTreeSet<&SourceId> = groups.map(|g| &survey.groups[*g as usize].source).collect();
        if let Some((source, user_name)) = records.iter().find(|(source, _)| sources.contains(source)) {
            same.entry((roles, source.clone())).or_default().push((number, user_name.clone()));
        }
    }
    for ((roles, source), people) in same {
        let mut people = people.into_iter().peekable();
        while people.peek().is_some() {
            let (mut numbers, mut listed, mut bytes) = (Vec::new(), Vec::new(), 0);
            while let Some((number, user_name)) = people.next_if(|(_, name)| {
                listed.is_empty() || listed.len() < MOST_NAMED && bytes + cost(name) <= MOST_BYTES
            }) {
                bytes += cost(&user_name);
                numbers.push(number);
                listed.push(user_name);
            }
            let around = cover::around(survey, &source, &numbers);
            let groups = around.iter().map(|n| survey.groups[*n as usize].name.clone()).collect();
            let who = DraftWho::People { source: source.clone(), groups, people: listed };
            draft.mappings.push(DraftMapping { who, roles: roles.clone() });
        }
    }
}

/// How long a comparison with this name is, escapes put in.
fn cost(user_name: &str) -> usize {
    user_name.len() * 2 + 24
}
