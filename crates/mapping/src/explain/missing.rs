//! What somebody lacks for a grant, and the smallest changes that would give it: `explain --not`.

use std::collections::BTreeSet;
use std::sync::Arc;

use axon_model::name::shown;
use axon_model::{GroupId, SourceId, UserEntry, UserId};
use axon_reconcile::GrantState;
use serde::Serialize;

use super::asked::Asked;
use super::holders::gives;
use super::in_target::InTarget;
use super::lacking::{missing_groups, missing_open, needed};
use super::{Explainer, RoleExplained, Way};
use crate::chain::instant;
use crate::effect::{Extent, Holding};
use crate::grant::{GrantError, GrantLine};
use crate::names::{RoleName, TargetName};
use crate::pending::Pending;
use crate::place::Place;
use crate::rule::{Gives, Groups, Mapping, Who};
use crate::rules::{Separation, amounts_to};
use crate::target::{Via, Words};

/// What is missing for a grant, for all people with one user name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Who was asked about.
    pub who: String,
    /// The line that was asked for.
    pub grant: String,
    /// By person and target.
    pub targets: Vec<MissingIn>,
    /// Where a service identity of that name is declared, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Place>,
}

/// What one person lacks in one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissingIn {
    /// The person.
    pub id: UserId,
    /// Whose.
    pub source: SourceId,
    /// The user name, as spelled.
    pub user_name: Arc<str>,
    /// The target.
    pub target: TargetName,
    /// `whole` if it is had already, `part`, or `none`.
    pub has: &'static str,
    /// What withholds everything under the person's name there.
    pub withheld: Vec<Pending>,
    /// The rule that forbids that anybody has it.
    pub forbidden: Option<Place>,
    /// Changes that would give it, the smallest first.
    pub changes: Vec<Change>,
}

/// One change that would give it: all of its steps are needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The role by which it would come, if one gives it.
    pub role: Option<RoleName>,
    /// The mapping that would give that role.
    pub mapping: Option<Place>,
    /// Whether it would give all of it, or a part.
    pub whole: bool,
    /// What would have to be.
    pub steps: Vec<String>,
}

/// How many changes are told.
const MOST: usize = 5;

impl Explainer<'_> {
    /// What the people with this user name lack for a grant.
    pub fn missing(&self, who: &str, grant: &str) -> Result<Missing, GrantError> {
        let lines = self.lines(grant)?;
        let mut targets = Vec::new();
        for user in self.people(who) {
            targets.extend(lines.iter().map(|(target, line)| Lack::of(target, user, line).missing()));
        }
        let service = super::service::called(self.map, who).next();
        let service =
            service.and_then(|name| self.map.services.get(name)).map(|service| service.place.clone());
        Ok(Missing { who: who.to_owned(), grant: grant.to_owned(), targets, service })
    }
}

/// One person, one target, one line.
struct Lack<'a> {
    target: &'a InTarget<'a>,
    asked: Asked<'a>,
    line: &'a GrantLine,
    /// What keeps everything back under the person's name.
    withheld: Vec<Pending>,
    /// The roles that come to the person.
    held: Vec<RoleExplained>,
}

impl<'a> Lack<'a> {
    fn of(target: &'a InTarget<'a>, user: &'a UserEntry, line: &'a GrantLine) -> Self {
        let asked = Asked::of(target, user);
        let (withheld, _) = asked.pending();
        let (held, _) = asked.roles();
        Self { target, asked, line, withheld, held }
    }

    /// What these roles amount to.
    fn holding<'r>(&self, roles: impl IntoIterator<Item = &'r RoleName>) -> Holding {
        let lines = roles.into_iter().flat_map(|role| self.target.lines(role));
        Holding::of(lines.map(|held| &held.grant.line))
    }

    /// Whether a role comes on a way that nothing keeps back.
    fn has(&self, role: &RoleExplained) -> bool {
        let by_name = || self.withheld.is_empty();
        let by = |way: &Way| if way.as_group { way.withheld.is_empty() } else { by_name() };
        role.ways.iter().any(by) || (!role.requests.is_empty() && by_name())
    }

    fn missing(&self) -> MissingIn {
        let had: Vec<&RoleName> = self.held.iter().filter(|r| self.has(r)).map(|r| &r.role).collect();
        let holding = self.holding(had.iter().copied());
        let extent = holding.extent_of(self.line);
        let forbidden = forbidden(self.target, self.line);
        let mut changes = Vec::new();
        if extent != Extent::Whole && forbidden.is_none() {
            self.changes(&had, &holding, &mut changes);
            changes.sort_by_key(|change| (!change.whole, change.mapping.is_none(), change.steps.len()));
            changes.truncate(MOST);
        }
        let user = self.asked.user;
        MissingIn {
            id: user.id,
            source: user.source.clone(),
            user_name: user.user_name.clone(),
            target: self.target.spec.name.clone(),
            has: match extent {
                Extent::Whole => "whole",
                Extent::Part => "part",
                Extent::None => "none",
            },
            withheld: self.withheld.clone(),
            forbidden,
            changes,
        }
    }

    fn changes(&self, had: &[&RoleName], holding: &Holding, into: &mut Vec<Change>) {
        // Clearing up what keeps all back may be enough.
        let all: Vec<&RoleName> = self.held.iter().map(|role| &role.role).collect();
        if all.len() > had.len() && self.holding(all.iter().copied()).extent_of(self.line) == Extent::Whole {
            let role = self.held.iter().find(|r| gives(self.target, &r.role, self.line));
            into.push(Change {
                role: role.map(|role| role.role.clone()),
                mapping: role.and_then(|role| role.ways.first()).map(|way| way.mapping.clone()),
                whole: true,
                steps: self.clearing(false),
            });
            return;
        }
        let denying: Vec<(&RoleName, String)> = had
            .iter()
            .flat_map(|role| self.target.lines(role).iter().map(move |held| (*role, held)))
            .filter(|(_, held)| takes_away(&held.grant.line, self.line))
            .map(|(role, held)| {
                let (text, place) = (shown(&held.grant.text), &held.grant.place);
                (role, format!("lose role {role}, whose line `{text}` ({place}) denies it"))
            })
            .collect();
        let kept = || had.iter().copied().filter(|role| denying.iter().all(|(denies, _)| denies != role));
        let lost: Vec<String> = denying.iter().map(|(_, step)| step.clone()).collect();
        for role in self.target.map.roles.keys().filter(|role| gives(self.target, role, self.line)) {
            let after = self.holding(kept().chain([role])).extent_of(self.line);
            let more = self.target.lines(role).iter().any(|held| {
                speaks_of(&held.grant.line, self.line) && holding.extent_of(&held.grant.line) != Extent::Whole
            });
            // A role that takes away with one line what it gives with another is no way to it.
            if after == Extent::None || !more || denying.iter().any(|(denies, _)| *denies == role) {
                continue;
            }
            self.by_role(role, after == Extent::Whole, &lost, into);
        }
        if into.is_empty() {
            let step = format!("a role with a line that gives `{}` in {}", self.line, self.target.spec.name);
            let steps = std::iter::once(step).chain(lost).collect();
            into.push(Change { role: None, mapping: None, whole: true, steps });
        }
    }

    /// What has to be cleared up before anything is given under the person's name.
    fn clearing(&self, as_group: bool) -> Vec<String> {
        let withheld = self.withheld.iter().filter(|_| !as_group);
        withheld.map(|pending| format!("clear up what withholds everything: {pending}")).collect()
    }

    /// The changes that would give a role.
    fn by_role(&self, role: &RoleName, whole: bool, lost: &[String], into: &mut Vec<Change>) {
        let wanted = |mapping: &Mapping| mapping.possible().any(|possible| possible == role);
        let map = self.target.map;
        let mut any = false;
        for (number, mapping) in map.mappings.iter().enumerate().filter(|(_, m)| wanted(m)) {
            let Who::Groups { groups, source } = &mapping.who else { continue };
            // Groups of a source are of its own people.
            if *source != self.asked.user.source {
                continue;
            }
            any = true;
            let mut steps = self.of_mapping((number, mapping), role, groups, source);
            steps.extend(self.separated_from(role));
            steps.extend(lost.iter().cloned());
            into.push(Change {
                role: Some(role.clone()),
                mapping: Some(mapping.place.clone()),
                whole,
                steps,
            });
        }
        if !any {
            let mut steps = vec![format!("a mapping that gives role {role} to one of the person's groups")];
            steps.extend(lost.iter().cloned());
            into.push(Change { role: Some(role.clone()), mapping: None, whole, steps });
        }
    }

    /// What a mapping asks for that is not so, before it gives this role.
    fn of_mapping(
        &self,
        (number, mapping): (usize, &Mapping),
        role: &RoleName,
        named: &Groups,
        source: &SourceId,
    ) -> Vec<String> {
        let InTarget { map, spec, evaluator, now, .. } = self.target;
        let selection = evaluator.selection();
        let as_group = map.via(mapping, spec) == Via::Group;
        let mut steps = self.clearing(as_group);
        if !self.asked.user.active && !as_group {
            steps.push("the person must be active".to_owned());
        }
        // Where captures name the role, a group of another one is no way to this one.
        let captures_it = |id: &GroupId| {
            let (Some(pattern), Gives::Captured { .. }) = (&named.matching, &mapping.gives) else {
                return true;
            };
            let group = self.target.directory.group(*id);
            let captures = group.and_then(|group| pattern.captures(&group.display_name));
            captures.and_then(|captures| mapping.gives.captured(&captures)) == Some(role)
        };
        let held =
            selection.held.iter().filter(|(n, held)| *n == number && self.asked.groups.contains(&held.group));
        let held: Vec<String> = held
            .filter(|(_, held)| captures_it(&held.group))
            .map(|(_, held)| {
                let name = crate::selection::group_name(self.target.directory, held.group);
                format!("release group {name} (`axon holds list`): {}", held.doubt)
            })
            .collect();
        let found = &selection.found[number];
        // A group that a pattern finds anew gives nothing before somebody releases it.
        let released = named.matching.as_ref().filter(|_| !mapping.trust).map(|pattern| {
            let groups = found.open.keys().filter(|id| captures_it(id));
            let mut groups = groups.filter_map(|id| self.target.directory.group(*id));
            groups.any(|group| pattern.captures(&group.display_name).is_some())
        });
        let is_in = found.open.keys().any(|id| self.asked.groups.contains(id) && captures_it(id));
        if found.needs_open && !is_in {
            let there = || {
                let groups = found.open.keys().filter_map(|id| self.target.directory.group(*id));
                groups.map(|group| group.display_name.to_string())
            };
            let fits = named.matching.as_ref().map(|pattern| {
                let needed = needed(pattern, &mapping.gives, role, there());
                format!("{}{needed}", shown(pattern.as_str()))
            });
            missing_open(named, fits, (source, released), held, &mut steps);
        }
        missing_groups(named, found, &self.asked.groups, source, &mut steps);
        if let Some(until) = mapping.until.filter(|until| until <= now) {
            steps.push(format!("the mapping must not have ended at {}", instant(until)));
        }
        if let Some(condition) = &mapping.when {
            let verdict = condition.over_resource(self.asked.person.resource());
            if verdict.truth != axon_scim::filter::Truth::True {
                let seen: Vec<String> = verdict.seen.iter().map(ToString::to_string).collect();
                steps.push(format!(
                    "`{}` must be true, but is {}: {}",
                    condition.as_str(),
                    verdict.truth,
                    seen.join("; ")
                ));
            }
        }
        steps
    }

    /// The roles that a rule separates from a wanted one, and that the person has.
    fn separated_from(&self, role: &RoleName) -> Vec<String> {
        let map = self.target.map;
        let concerned = |role: &RoleName, rule: &Separation| {
            map.roles.get(role).is_some_and(|spec| !spec.whole.is_disjoint(&rule.roles))
        };
        let given = self.asked.given();
        let mut steps = Vec::new();
        for rule in map.rules.separate.iter().filter(|rule| concerned(role, rule)) {
            let given = given.ways.iter().map(|(_, _, other)| *other);
            let others: BTreeSet<&RoleName> =
                given.filter(|other| *other != role && concerned(other, rule)).collect();
            if !others.is_empty() {
                let told: Vec<&str> = others.iter().map(|r| r.as_str()).collect();
                steps.push(format!("lose role {}, which {} separates from it", told.join(", "), rule.place));
            }
        }
        steps
    }
}

/// The rule that forbids that anybody has this.
fn forbidden(target: &InTarget<'_>, line: &GrantLine) -> Option<Place> {
    let rules = target.map.rules.forbid.iter().filter(|_| target.spec.kind.words() == Words::Sql);
    rules.into_iter().find(|rule| amounts_to(line, &rule.line).is_some()).map(|rule| rule.place.clone())
}

/// Whether a line gives what was asked for, or a part of it.
pub(super) fn speaks_of(line: &GrantLine, wanted: &GrantLine) -> bool {
    Holding::of([line]).extent_of(wanted) != Extent::None
}

/// Whether a line denies any of what another one would give.
pub(super) fn takes_away(denying: &GrantLine, wanted: &GrantLine) -> bool {
    let GrantLine::Permissions { state: GrantState::Deny, .. } = denying else { return false };
    let wanted = wanted.atoms();
    denying.atoms().iter().any(|denied| {
        wanted.iter().any(|power| {
            crate::effect::covers(denied, power)
                || (denied.0 == power.0 && crate::effect::contains(&power.1, &denied.1))
        })
    })
}
