//! Roles of a target that the new map leaves to people (`manage.except`): nothing is taken away there, and whoever is in one stays
//! in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use axon_model::{Directory, SqlName};
use serde::Serialize;

use super::in_target::people;
use super::report::plural;
use super::sides::Both;
use crate::effect::Holding;
use crate::grant::GrantLine;
use crate::names::TargetName;
use crate::target::Words;

/// A role that people keep, as it is left to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stay {
    /// The role.
    pub role: SqlName,
    /// How many principals were put into it.
    pub members: usize,
    /// How many people stand behind these.
    pub people: usize,
    /// How many of the members are shut out by the new map, as it gives them nothing else: they are in it still when they
    /// come back.
    pub shut_out: usize,
    /// The same in words, with what to do.
    pub text: String,
}

impl fmt::Display for Stay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The roles that the old map puts people into and the new one leaves to people.
pub(super) struct Stays {
    /// By the numbers that the old side has for them.
    roles: BTreeMap<usize, SqlName>,
    words: Words,
}

impl Stays {
    pub fn of(both: &Both) -> Self {
        let Some(spec) = both.new.spec() else {
            // A target that the new map does not have is told as one.
            return Self { roles: BTreeMap::new(), words: Words::Sql };
        };
        let names = both.old.role_names().iter().copied().enumerate();
        let roles = names.filter(|(_, role)| spec.manage.except.contains(role));
        Self { roles: roles.collect(), words: spec.kind.words() }
    }

    /// Whether a principal is shut out of the target: a user of a pool to whom the new map gives nothing at all.
    pub fn is_shut_out(&self, both: &Both, principal: SqlName) -> bool {
        self.words == Words::Sql && !both.new.graph().principals.contains_key(&principal)
    }

    /// What somebody who was in these roles still has by those that stay. Who is shut out is in them, and can use none.
    pub fn keep(&self, holding: &mut Holding, had: &[usize], shut_out: bool) {
        for role in had.iter().filter_map(|number| self.roles.get(number)) {
            holding.take(&if shut_out { GrantLine::Assigned(*role) } else { GrantLine::MemberOf(*role) });
        }
    }

    /// Each role that stays and is not empty.
    pub fn told(&self, target: &TargetName, both: &Both, directory: &Directory) -> Vec<Stay> {
        let told = self.roles.values().filter_map(|role| {
            let members: Vec<SqlName> = both.old.graph().members_of(*role).collect();
            let mut behind = BTreeSet::new();
            for member in &members {
                behind.extend(people(both, *member, directory).1);
            }
            let shut_out = members.iter().filter(|member| self.is_shut_out(both, **member)).count();
            let text = Self::text(*role, target, members.len(), shut_out);
            let told = Stay { role: *role, members: members.len(), people: behind.len(), shut_out, text };
            (!members.is_empty()).then_some(told)
        });
        told.collect()
    }

    fn text(role: SqlName, target: &TargetName, members: usize, shut_out: usize) -> String {
        let role = axon_model::name::shown(role.as_str());
        let keep = if members == 1 { "keeps" } else { "keep" };
        let members = plural(members, "member", "members");
        let shut = match shut_out {
            0 => String::new(),
            n => format!(" ({n} shut out of {target} now, and in it again when they come back)"),
        };
        format!(
            "stays: manage.except of {target} leaves {role} to people; its {members} {keep} it{shut}, until somebody takes it \
             from them by hand"
        )
    }
}
