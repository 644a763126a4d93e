//! The roles that the mappings give to one person, and those of them that `rules.separate` withholds.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use axon_model::{GroupId, UserEntry, UserId};
use axon_scim::resource::Resource;
use time::OffsetDateTime;

use crate::condition;
use crate::evaluator::Evaluator;
use crate::identity::Breach;
use crate::map::RoleMap;
use crate::names::RoleName;
use crate::rule::Mapping;
use crate::rules::Separation;
use crate::selection::{Judgement, Selection, Within};

/// A user whose document is read once, and only if a condition asks for it.
pub(crate) struct Person<'u> {
    pub user: &'u UserEntry,
    resource: OnceCell<Resource>,
}

impl<'u> Person<'u> {
    pub fn new(user: &'u UserEntry) -> Self {
        Self { user, resource: OnceCell::new() }
    }

    /// The document as conditions look at it.
    pub fn resource(&self) -> &Resource {
        self.resource.get_or_init(|| condition::resource(self.user))
    }
}

/// What mappings give to somebody.
#[derive(Debug, Default)]
pub(crate) struct Given<'m> {
    /// Number of the mapping, the group through which it gives, and the role.
    pub ways: Vec<(usize, GroupId, &'m RoleName)>,
    /// Roles that are withheld, because together they break a rule.
    pub withheld: BTreeSet<&'m RoleName>,
    /// The rules that they break.
    pub broken: Vec<&'m Separation>,
}

impl<'m> Given<'m> {
    /// What the mappings that `wanted` lets through give to an active person in these groups. Rules of separation see only
    /// what was let through.
    pub fn to(
        map: &'m RoleMap,
        selection: &'m Selection,
        person: &Person<'_>,
        groups: &Within,
        now: OffsetDateTime,
        wanted: impl Fn(usize, &Mapping) -> bool,
    ) -> Self {
        let mut given = Self::default();
        for number in selection.candidates(groups) {
            let mapping = &map.mappings[number];
            if !wanted(number, mapping) {
                continue;
            }
            if let Judgement::Gives(roles) = selection.judge(mapping, number, person, groups, now) {
                given.ways.extend(roles.into_iter().map(|(group, role)| (number, group, role)));
            }
        }
        given.separate(map);
        given
    }

    /// Takes back what rules of separation withhold, where a person let that be in this target.
    pub fn excuse(mut self, evaluator: &Evaluator, user: UserId) -> Self {
        if !self.withheld.is_empty() {
            let target = evaluator.target().name.clone();
            let roles = self.withheld.iter().map(|role| (*role).clone()).collect();
            if evaluator.excuses(&Breach { target, users: BTreeSet::from([user]), roles }) {
                self.withheld.clear();
                self.broken.clear();
            }
        }
        self
    }

    fn separate(&mut self, map: &'m RoleMap) {
        if map.rules.separate.is_empty() {
            return;
        }
        let roles: BTreeSet<&RoleName> = self.ways.iter().map(|(_, _, role)| *role).collect();
        (self.withheld, self.broken) = map.rules.withheld(&map.roles, &roles);
    }
}
