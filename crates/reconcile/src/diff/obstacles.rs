//! What stands in the way of dropping somebody: looked for once, when first asked.

use std::cell::OnceCell;

use axon_model::SqlName;
use axon_model::name::NameMap;

use super::names::Names;
use crate::finding::Obstacle;
use crate::scope::Sides;
use crate::shape::Securable;

pub(crate) struct Obstacles<'a> {
    sides: &'a Sides,
    names: &'a Names<'a>,
    found: OnceCell<NameMap<Obstacle>>,
}

impl<'a> Obstacles<'a> {
    pub(crate) fn new(sides: &'a Sides, names: &'a Names<'a>) -> Self {
        Self { sides, names, found: OnceCell::new() }
    }

    /// What a drop would be refused for, or would take from somebody outside the scope.
    pub(crate) fn of(&self, name: SqlName) -> Option<Obstacle> {
        self.found.get_or_init(|| self.find()).get(&name).cloned()
    }

    fn find(&self) -> NameMap<Obstacle> {
        let actual = &self.sides.actual;
        let mut found = NameMap::default();
        for (role, facts) in &actual.roles {
            if let Some(owner) = facts.owner {
                found.entry(owner).or_insert(Obstacle::Owns { role: *role });
            }
        }
        for (key, row) in &actual.grants {
            for grantor in row.foreign_grantors.iter().filter(|grantor| **grantor != key.grantee) {
                found.entry(*grantor).or_insert(Obstacle::Granted { to: key.grantee });
            }
            if let Securable::Principal(name) = key.securable
                && !self.names.manages(key.grantee)
            {
                found.entry(name).or_insert(Obstacle::HeldBy { grantee: key.grantee });
            }
        }
        for membership in actual.members.iter().filter(|m| !self.names.manages_membership(**m)) {
            found.entry(membership.member).or_insert(Obstacle::MemberOf { role: membership.role });
        }
        found
    }
}
