//! What the map will say: roles, who has them by which mapping, and who is left as they are.

mod given;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_model::{SourceId, SqlName};
use axon_reconcile::Sid;

use super::Adopting;
use super::cover::{self, Cover};
use super::lines::{self, Line};
use super::mine::{Things, mine};
use super::people::{Stands, Survey};
use super::pool_roles::PoolRoles;
use crate::grant::GrantLine;
use crate::names::{RoleName, ServiceName};
use crate::rule::GroupName;

/// Everything that the text says.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub roles: Vec<DraftRole>,
    pub services: Vec<DraftService>,
    pub mappings: Vec<DraftMapping>,
    /// Principals that are left as they are until somebody decided about them, with the reason.
    pub protect: Vec<(SqlName, String)>,
    /// Whether it is known that fewer roles do not suffice for what stands on single principals.
    pub fewest: bool,
}

/// A role of the map.
#[derive(Debug)]
pub(super) struct DraftRole {
    pub name: RoleName,
    /// Whether it stands on principals themselves.
    pub direct: bool,
    pub lines: Vec<GrantLine>,
    /// Who of the map's subjects has it.
    pub subjects: Vec<u32>,
    /// How that is said.
    pub by: Cover,
}

/// An identity that the directory does not know.
#[derive(Debug)]
pub(super) struct DraftService {
    pub name: ServiceName,
    pub principal: SqlName,
    pub pin: Option<Sid>,
}

/// Whom a mapping is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DraftWho {
    /// Everybody in these groups.
    Groups { source: SourceId, groups: Vec<GroupName> },
    /// These people, who are found through groups.
    People { source: SourceId, groups: Vec<GroupName>, people: Vec<Arc<str>> },
    /// A group that is one principal.
    Whole { source: SourceId, group: GroupName },
    /// A service identity.
    Service(ServiceName),
}

/// A mapping.
#[derive(Debug)]
pub(super) struct DraftMapping {
    pub who: DraftWho,
    pub roles: Vec<RoleName>,
}

/// Something that a principal holds itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Line(Line),
    MemberOf(SqlName),
}

/// Drafts the map.
pub(super) fn draft(of: Adopting<'_>, survey: &Survey, pool: &PoolRoles) -> Draft {
    let mut draft = Draft { protect: protect(survey, pool), fewest: true, ..Draft::default() };
    let mut names = Names::default();
    for role in pool.managed.values() {
        names.taken.insert(role.name.as_str().to_ascii_lowercase());
        let mut lines = lines::lines(role.lines.iter().copied(), of.shape);
        lines.extend(role.classified.iter().copied().map(GrantLine::Classifier));
        draft.roles.push(DraftRole {
            name: role.name.clone(),
            direct: false,
            lines,
            by: cover::cover(survey, &people(survey, &role.subjects), &role.everybody),
            subjects: role.subjects.clone(),
        });
    }
    direct(of, survey, pool, &mut names, &mut draft);
    enters(survey, pool, &mut names, &mut draft);
    draft.roles.sort_by(|a, b| (a.direct, &a.name).cmp(&(b.direct, &b.name)));
    given::services(survey, &mut draft);
    given::mappings(survey, &mut draft);
    draft
}

/// Those of these subjects who are people.
fn people(survey: &Survey, subjects: &[u32]) -> Vec<u32> {
    let person = |n: &u32| survey.subjects.get(n).is_some_and(|s| matches!(s.stands, Stands::Person(_)));
    subjects.iter().copied().filter(person).collect()
}

/// Who would lose something if nothing protected them.
fn protect(survey: &Survey, pool: &PoolRoles) -> Vec<(SqlName, String)> {
    let in_managed: BTreeSet<u32> = pool.managed.values().flat_map(|r| r.everybody.iter().copied()).collect();
    let touched = survey
        .stays
        .iter()
        .filter(|(number, stays)| (stays.within && !stays.shut_out) || in_managed.contains(number));
    touched.map(|(_, stays)| (stays.name, stays.why.clone())).collect()
}

/// The roles of what stands on single principals.
fn direct(of: Adopting<'_>, survey: &Survey, pool: &PoolRoles, names: &mut Names, draft: &mut Draft) {
    // Whoever holds a thing, the map's subjects and all others.
    let mut held: BTreeMap<Thing, Vec<u32>> = BTreeMap::new();
    for subject in survey.subjects.values() {
        for line in &subject.lines {
            held.entry(Thing::Line(*line)).or_default();
        }
    }
    for (key, grant) in &of.actual.grants {
        if let Some(number) = survey.number(key.grantee)
            && let Some(holders) = held.get_mut(&Thing::Line((key.securable, key.permission, grant.state)))
        {
            holders.push(number);
        }
    }
    for (role, named) in &pool.named {
        held.insert(Thing::MemberOf(*role), named.clone());
    }
    for holders in held.values_mut() {
        holders.sort_unstable();
    }
    let things: Vec<(Thing, Vec<u32>)> = held.into_iter().collect();

    let mut rows: BTreeMap<u32, Things> = BTreeMap::new();
    for (number, (_, holders)) in (0_u32..).zip(&things) {
        for holder in holders.iter().filter(|n| survey.subjects.contains_key(n)) {
            rows.entry(*holder).or_default().insert(number);
        }
    }
    let everybody = |of: &Things| -> Vec<u32> {
        let mut holders = of.iter().filter_map(|n| things.get(*n as usize)).map(|(_, holders)| holders);
        let Some(first) = holders.next() else { return Vec::new() };
        let mut common = first.clone();
        for others in holders {
            common.retain(|one| others.binary_search(one).is_ok());
        }
        common
    };
    let subjects = |all: &[u32]| -> Vec<u32> {
        all.iter().copied().filter(|n| survey.subjects.contains_key(n)).collect()
    };
    let cost = |of: &Things| {
        let all = everybody(of);
        cover::cover(survey, &people(survey, &subjects(&all)), &all).left.len()
    };
    let kinds: BTreeSet<Things> = rows.values().cloned().collect();
    let mined = mine(&kinds, &cost);
    draft.fewest = mined.fewest;
    for of_role in mined.roles {
        let all = everybody(&of_role);
        let subjects = subjects(&all);
        let by = cover::cover(survey, &people(survey, &subjects), &all);
        let held: Vec<&Thing> =
            of_role.iter().filter_map(|n| things.get(*n as usize)).map(|(t, _)| t).collect();
        let said = held.iter().filter_map(|thing| match thing {
            Thing::Line(line) => Some(*line),
            Thing::MemberOf(_) => None,
        });
        let mut lines = lines::lines(said, of.shape);
        let into = held.iter().filter_map(|thing| match thing {
            Thing::Line(_) => None,
            Thing::MemberOf(role) => lines::member_of(*role),
        });
        lines.extend(into);
        let name = names.role(&title(survey, &held, &subjects, &by));
        draft.roles.push(DraftRole { name, direct: true, lines, subjects, by });
    }
}

/// What a role of single principals is called: by the one thing in it, by the one group or principal that has it, else by a number.
fn title(survey: &Survey, held: &[&Thing], subjects: &[u32], by: &Cover) -> String {
    if let [Thing::MemberOf(role)] = held {
        return format!("in-{role}");
    }
    match (&by.groups[..], subjects) {
        ([group], _) if by.left.is_empty() => match &survey.groups[*group as usize].name {
            GroupName::Display(name) => format!("of-{name}"),
            GroupName::External(_) => "shared".into(),
        },
        (_, [one]) => {
            let name = survey.principals[*one as usize].as_str();
            format!("of-{}", name.split('@').next().unwrap_or(name))
        }
        _ => "shared".into(),
    }
}

/// Whoever holds nothing may still enter.
fn enters(survey: &Survey, pool: &PoolRoles, names: &mut Names, draft: &mut Draft) {
    let holds: BTreeSet<u32> = draft.roles.iter().flat_map(|role| role.subjects.iter().copied()).collect();
    let subjects: Vec<u32> = survey.subjects.keys().copied().filter(|n| !holds.contains(n)).collect();
    if subjects.is_empty() {
        return;
    }
    // Whoever may enter anyway does not get more by it; who is shut out would.
    let protected: BTreeSet<SqlName> = protect(survey, pool).into_iter().map(|(name, _)| name).collect();
    let stays = survey.stays.iter().filter(|(_, s)| protected.contains(&s.name)).map(|(n, _)| *n);
    let mut everybody: Vec<u32> = survey.subjects.keys().copied().chain(stays).collect();
    everybody.sort_unstable();
    let by = cover::cover(survey, &people(survey, &subjects), &everybody);
    let name = names.role("enters");
    draft.roles.push(DraftRole { name, direct: true, lines: Vec::new(), subjects, by });
}

/// Names that are not taken yet.
#[derive(Default)]
struct Names {
    taken: BTreeSet<String>,
}

impl Names {
    /// A name like this text that the map's own things can have.
    fn next<N: std::str::FromStr>(&mut self, text: &str) -> Option<N> {
        let mut slug = String::new();
        for c in text.chars() {
            match c {
                c if c.is_ascii_alphanumeric() => slug.push(c.to_ascii_lowercase()),
                '_' | '.' if !slug.is_empty() => slug.push(c),
                _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
                _ => {}
            }
            if slug.len() >= 60 {
                break;
            }
        }
        let slug = slug.trim_end_matches(['-', '.']);
        let slug = if slug.is_empty() { "x" } else { slug };
        let numbered = (2_u32..).map(|n| format!("{slug}-{n}"));
        let free =
            std::iter::once(slug.to_owned()).chain(numbered).find(|name| !self.taken.contains(name))?;
        let name = free.parse().ok()?;
        self.taken.insert(free);
        Some(name)
    }

    fn role(&mut self, text: &str) -> RoleName {
        loop {
            // Every slug is a name; the number behind it makes it one that is free.
            if let Some(name) = self.next(text) {
                return name;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_what_people_call_things_and_never_twice() {
        let mut names = Names::default();
        let mut next = |text: &str| names.role(text).to_string();
        assert_eq!(next("of-SG Sales (EU)"), "of-sg-sales-eu");
        assert_eq!(next("of-SG-Sales/EU"), "of-sg-sales-eu-2");
        assert_eq!(next("日本"), "x");
        assert_eq!(next("..a"), "a");
        assert!(next(&"long ".repeat(60)).len() <= 64);
    }
}
