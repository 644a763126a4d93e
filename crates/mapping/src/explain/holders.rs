//! Who has a grant, and why: `explain --grant`.

use std::collections::BTreeSet;
use std::fmt;

use axon_model::name::shown;
use axon_model::{SqlName, UserId};
use serde::Serialize;

use super::{Explainer, RoleExplained};
use crate::effect::{Extent, Holding};
use crate::evaluator::Evaluator;
use crate::grant::{GrantError, GrantLine};
use crate::names::{RoleName, TargetName};
use crate::pending::Claimant;
use crate::selection::users_under;
use crate::target::TargetSpec;

/// Everybody who has a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holders {
    /// The line that was asked for.
    pub grant: String,
    /// Those who have it, by target and name.
    pub holders: Vec<HolderExplained>,
}

/// One principal that has a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HolderExplained {
    /// Where.
    pub target: TargetName,
    /// The principal's name there.
    pub principal: SqlName,
    /// Who has that name.
    pub who: Vec<Claimant>,
    /// Whether it has the whole of it, or a part.
    pub whole: bool,
    /// The roles of the map that give it.
    pub roles: Vec<RoleName>,
    /// For people: the ways on which these roles come, and the lines.
    pub ways: Vec<RoleExplained>,
    /// For a group that is one principal: its people.
    pub people: Vec<String>,
}

impl Explainer<'_> {
    /// Everybody who has this grant in any of the targets. The line is read in each target's words.
    pub fn holders(&self, grant: &str) -> Result<Holders, GrantError> {
        let mut holders = Vec::new();
        for (number, line) in self.lines(grant)? {
            let (spec, evaluator) = &self.targets[number];
            self.in_target(spec, evaluator, &line, &mut holders);
        }
        Ok(Holders { grant: grant.to_owned(), holders })
    }

    fn in_target(
        &self,
        spec: &TargetSpec,
        evaluator: &Evaluator,
        line: &GrantLine,
        into: &mut Vec<HolderExplained>,
    ) {
        // Roles that give it, or a part of it, by themselves; a DENY of another role may still take it away.
        let giving: BTreeSet<usize> = (0..evaluator.view().roles.len())
            .filter(|n| gives(self.map, spec, &evaluator.view().roles[*n].role, line))
            .collect();
        for (principal, roles) in evaluator.roles_of_principals() {
            let by: Vec<RoleName> = roles
                .iter()
                .filter(|n| giving.contains(n))
                .map(|n| evaluator.view().roles[*n].role.clone())
                .collect();
            if by.is_empty() {
                continue;
            }
            let held = roles
                .iter()
                .filter_map(|n| self.map.roles.get(&evaluator.view().roles[*n].role)?.held.get(&spec.name));
            let extent = Holding::of(held.flatten().map(|held| &held.grant.line)).extent_of(line);
            if extent == Extent::None {
                continue;
            }
            let who: Vec<Claimant> = evaluator.claimants(principal).cloned().collect();
            let (mut ways, mut people) = (Vec::new(), Vec::new());
            for claimant in &who {
                match claimant {
                    Claimant::User { id, .. } => {
                        if let Some(user) = self.directory.user(*id) {
                            let (roles, _) = self.asked(spec, evaluator, user).roles();
                            ways.extend(roles.into_iter().filter(|r| by.contains(&r.role)).map(
                                |mut role| {
                                    role.grants.retain(|grant| speaks_of(&grant.line, spec, line));
                                    role
                                },
                            ));
                        }
                    }
                    Claimant::Group { id, .. } => {
                        let mut ids: BTreeSet<UserId> = BTreeSet::new();
                        users_under(self.directory, *id, &mut ids);
                        let users = ids.into_iter().filter_map(|id| self.directory.user(id));
                        people.extend(users.map(|user| user.user_name.to_string()));
                    }
                    Claimant::Service { .. } => {}
                }
            }
            into.push(HolderExplained {
                target: spec.name.clone(),
                principal,
                who,
                whole: extent == Extent::Whole,
                roles: by,
                ways,
                people,
            });
        }
    }
}

/// Whether a line of a role gives what was asked for, or a part of it.
fn speaks_of(text: &str, spec: &TargetSpec, wanted: &GrantLine) -> bool {
    GrantLine::parse_for(text, spec.kind.words())
        .is_ok_and(|line| Holding::of([&line]).extent_of(wanted) != Extent::None)
}

/// Whether a role gives a line, or a part of it, by itself.
pub(super) fn gives(map: &crate::map::RoleMap, spec: &TargetSpec, role: &RoleName, line: &GrantLine) -> bool {
    let held = map.roles.get(role).and_then(|r| r.held.get(&spec.name));
    held.into_iter().flatten().any(|held| Holding::of([&held.grant.line]).extent_of(line) != Extent::None)
}

impl fmt::Display for Holders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { grant, holders } = self;
        if holders.is_empty() {
            return writeln!(f, "nobody has `{}`", shown(grant));
        }
        writeln!(f, "{} have `{}`", holders.len(), shown(grant))?;
        holders.iter().try_for_each(|holder| holder.fmt(f))
    }
}

impl fmt::Display for HolderExplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, principal, who, whole, roles, ways, people } = self;
        let part = if *whole { "" } else { ", a part of it" };
        let roles: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
        writeln!(f, "\n  {principal} in {target}{part}, by role {}", roles.join(", "))?;
        if ways.is_empty() {
            let who: Vec<String> = who.iter().map(ToString::to_string).collect();
            writeln!(f, "    {}", who.join(", "))?;
        }
        ways.iter().try_for_each(|role| role.fmt(f))?;
        if !people.is_empty() {
            let told: Vec<String> = people.iter().take(20).map(|name| shown(name)).collect();
            let more = if people.len() > told.len() {
                format!(", and {} more", people.len() - told.len())
            } else {
                String::new()
            };
            writeln!(f, "    its people: {}{more}", told.join(", "))?;
        }
        Ok(())
    }
}
