//! What somebody lacks for a grant, and the smallest changes that would give it: `explain --not`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use axon_model::name::shown;
use axon_model::{SourceId, UserEntry, UserId};
use axon_reconcile::GrantState;
use serde::Serialize;

use super::holders::gives;
use super::{Explainer, TargetExplained};
use crate::chain::Ways;
use crate::effect::{Extent, Holding};
use crate::evaluator::Evaluator;
use crate::given::{Given, Person};
use crate::grant::{GrantError, GrantLine};
use crate::names::{RoleName, TargetName};
use crate::pending::Pending;
use crate::place::Place;
use crate::rule::{GroupName, Groups, Mapping, Who};
use crate::selection::{Found, Judgement, Within};
use crate::target::{TargetSpec, Via};

/// What is missing for a grant, for all people with one user name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Who was asked about.
    pub who: String,
    /// The line that was asked for.
    pub grant: String,
    /// By person and target.
    pub targets: Vec<MissingIn>,
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
            for (number, line) in &lines {
                let (spec, evaluator) = &self.targets[*number];
                targets.push(self.missing_in(spec, evaluator, user, line));
            }
        }
        Ok(Missing { who: who.to_owned(), grant: grant.to_owned(), targets })
    }

    fn missing_in(
        &self,
        spec: &TargetSpec,
        evaluator: &Evaluator,
        user: &UserEntry,
        line: &GrantLine,
    ) -> MissingIn {
        let explained: TargetExplained = self.asked(spec, evaluator, user).explain();
        let held: Vec<&RoleName> = explained.roles.iter().map(|role| &role.role).collect();
        let lines_of = |role: &RoleName| {
            self.map.roles.get(role).and_then(|r| r.held.get(&spec.name)).into_iter().flatten()
        };
        let holding = Holding::of(held.iter().flat_map(|role| lines_of(role)).map(|held| &held.grant.line));
        let extent = holding.extent_of(line);
        let has = match extent {
            Extent::Whole => "whole",
            Extent::Part => "part",
            Extent::None => "none",
        };
        let mut changes = Vec::new();
        if extent != Extent::Whole {
            let denying: Vec<String> = held
                .iter()
                .flat_map(|role| lines_of(role).map(move |held| (role, held)))
                .filter(|(_, held)| takes_away(&held.grant.line, line))
                .map(|(role, held)| {
                    format!(
                        "lose role {role}, whose line `{}` ({}) denies it",
                        shown(&held.grant.text),
                        held.grant.place
                    )
                })
                .collect();
            let of_role =
                |role: &RoleName| Holding::of(lines_of(role).map(|held| &held.grant.line)).extent_of(line);
            let giving = self.map.roles.keys().filter(|role| gives(self.map, spec, role, line));
            // A role that takes away with one line what it gives with another is no way to it.
            for role in giving.filter(|role| of_role(role) > Extent::None) {
                let whole = of_role(role) == Extent::Whole;
                self.by_role(spec, evaluator, user, (role, whole), &denying, &mut changes);
            }
            if changes.is_empty() {
                let step = format!("a role with a line that gives `{line}` in {}", spec.name);
                changes.push(Change { role: None, mapping: None, whole: true, steps: vec![step] });
            }
            changes.sort_by_key(|change| (!change.whole, change.mapping.is_none(), change.steps.len()));
            changes.truncate(MOST);
        }
        MissingIn {
            id: user.id,
            source: user.source.clone(),
            user_name: user.user_name.clone(),
            target: spec.name.clone(),
            has,
            withheld: explained.withheld,
            changes,
        }
    }

    /// The changes that would give a role.
    fn by_role(
        &self,
        spec: &TargetSpec,
        evaluator: &Evaluator,
        user: &UserEntry,
        (role, whole): (&RoleName, bool),
        denying: &[String],
        into: &mut Vec<Change>,
    ) {
        let wanted = |mapping: &Mapping| mapping.possible().any(|possible| possible == role);
        let ways = Ways::of(self.directory, user.id);
        let groups = ways.groups();
        let person = Person::new(user);
        let selection = evaluator.selection();
        let all = Given::to(self.map, selection, &person, &groups, self.now, |_, _| true);
        let mut any = false;
        for (number, mapping) in self.map.mappings.iter().enumerate().filter(|(_, m)| wanted(m)) {
            let Who::Groups { groups: named, source } = &mapping.who else { continue };
            any = true;
            let judged = selection.judge(mapping, number, &person, &groups, self.now);
            let mut steps = Vec::new();
            let as_group = self.map.via(mapping, spec) == Via::Group;
            if !user.active && !as_group {
                steps.push("the person must be active".to_owned());
            }
            missing_groups(named, &selection.found[number], &groups, source, &mut steps);
            if let Some(until) = mapping.until.filter(|until| *until <= self.now) {
                steps.push(format!("the mapping must not have ended at {until}"));
            }
            if let Some(condition) = &mapping.when {
                let verdict = condition.over_resource(person.resource());
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
            if judged == Judgement::NothingNamed {
                steps.push("the group's name must capture a role that `only` allows".to_owned());
            }
            for rule in &self.map.rules.separate {
                let concerned = self.map.roles.get(role).is_some_and(|r| !r.whole.is_disjoint(&rule.roles));
                let others: BTreeSet<&RoleName> = all
                    .ways
                    .iter()
                    .map(|(_, _, role)| *role)
                    .filter(|other| {
                        *other != role
                            && self.map.roles.get(*other).is_some_and(|o| !o.whole.is_disjoint(&rule.roles))
                    })
                    .collect();
                if concerned && !others.is_empty() {
                    let told: Vec<&str> = others.iter().map(|r| r.as_str()).collect();
                    steps.push(format!(
                        "lose role {}, which {} separates from it",
                        told.join(", "),
                        rule.place
                    ));
                }
            }
            steps.extend(denying.iter().cloned());
            if steps.is_empty() {
                steps.push("what withholds the person's name must be cleared up".to_owned());
            }
            into.push(Change {
                role: Some(role.clone()),
                mapping: Some(mapping.place.clone()),
                whole,
                steps,
            });
        }
        if !any {
            let mut steps = vec![format!("a mapping that gives role {role} to one of the person's groups")];
            steps.extend(denying.iter().cloned());
            into.push(Change { role: Some(role.clone()), mapping: None, whole, steps });
        }
    }
}

/// What is missing of a mapping's groups.
fn missing_groups(
    named: &Groups,
    found: &Found,
    within: &Within,
    source: &SourceId,
    steps: &mut Vec<String>,
) {
    let list = |names: &[GroupName]| -> String {
        let told: Vec<String> = names.iter().take(5).map(ToString::to_string).collect();
        told.join(", ")
    };
    if found.needs_open && !found.open.keys().any(|g| within.contains(g)) {
        let mut any = Vec::new();
        if !named.any.is_empty() {
            any.push(list(&named.any));
        }
        if let Some(pattern) = &named.matching {
            any.push(format!("one whose name fits {}", shown(pattern.as_str())));
        }
        let one = if named.any.len() > 1 || any.len() > 1 { "one of " } else { "" };
        steps.push(format!("be in {one}{} ({source})", any.join(" or ")));
    }
    for (name, group) in named.all.iter().zip(&found.all) {
        if group.is_none_or(|group| !within.contains(&group)) {
            steps.push(format!("be in {name} ({source})"));
        }
    }
    for (name, group) in named.none.iter().zip(&found.none) {
        match group {
            Some(group) if within.contains(group) => {
                steps.push(format!("not be in {name} ({source})"));
            }
            Some(_) => {}
            None => {
                steps.push(format!("source {source} must know group {name}, which the mapping leaves out"));
            }
        }
    }
}

/// Whether a line denies any of what another one would give.
fn takes_away(denying: &GrantLine, wanted: &GrantLine) -> bool {
    let GrantLine::Permissions { state: GrantState::Deny, .. } = denying else { return false };
    let wanted = wanted.atoms();
    denying.atoms().iter().any(|denied| {
        wanted.iter().any(|power| {
            crate::effect::covers(denied, power)
                || (denied.0 == power.0 && crate::effect::contains(&power.1, &denied.1))
        })
    })
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { who, grant, targets } = self;
        if targets.is_empty() {
            return writeln!(f, "no source knows {}: nothing is given", shown(who));
        }
        for one in targets {
            let MissingIn { id: _, source, user_name, target, has, withheld, changes } = one;
            let (name, grant) = (shown(user_name), shown(grant));
            let said = match *has {
                "whole" => "has",
                "part" => "has only a part of",
                _ => "does not have",
            };
            writeln!(f, "{name} (source {source}) {said} `{grant}` in {target}")?;
            withheld.iter().try_for_each(|pending| writeln!(f, "  WITHHELD: {pending}"))?;
            for change in changes {
                let Change { role, mapping, whole, steps } = change;
                let part = if *whole { "" } else { " (a part of it)" };
                match (role, mapping) {
                    (Some(role), Some(mapping)) => {
                        writeln!(f, "  by role {role}{part}, mapping {mapping}:")?;
                    }
                    (Some(role), None) => writeln!(f, "  by role {role}{part}, which no mapping gives:")?,
                    _ => writeln!(f, "  no role gives it:")?,
                }
                steps.iter().try_for_each(|step| writeln!(f, "    - {step}"))?;
            }
        }
        Ok(())
    }
}
