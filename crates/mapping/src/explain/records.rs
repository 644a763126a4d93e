//! The records that an explanation names, and what they say where somebody looked them up.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::RecordSeq;

use super::{Explanation, Holders, RoleExplained};
use crate::chain::{Brought, Link};

fn links(roles: &[RoleExplained]) -> impl Iterator<Item = &Link> {
    roles.iter().flat_map(|role| &role.ways).flat_map(|way| &way.groups)
}

fn tell(roles: &mut [RoleExplained], known: &BTreeMap<RecordSeq, Brought>) {
    for link in roles.iter_mut().flat_map(|role| &mut role.ways).flat_map(|way| &mut way.groups) {
        link.brought = known.get(&link.record).cloned();
    }
}

impl Explanation {
    /// The records of people and memberships that it names.
    pub fn records(&self) -> BTreeSet<RecordSeq> {
        let people = self.people.iter().filter_map(|person| person.record);
        let targets = self.people.iter().flat_map(|person| &person.targets);
        people.chain(targets.flat_map(|target| links(&target.roles)).map(|link| link.record)).collect()
    }

    /// Puts what records say beside their numbers.
    pub fn tell(&mut self, known: &BTreeMap<RecordSeq, Brought>) {
        for person in &mut self.people {
            person.changed = person.record.and_then(|record| known.get(&record)).cloned();
            for target in &mut person.targets {
                tell(&mut target.roles, known);
            }
        }
    }
}

impl Holders {
    /// The records of memberships that it names.
    pub fn records(&self) -> BTreeSet<RecordSeq> {
        self.holders.iter().flat_map(|holder| links(&holder.ways)).map(|link| link.record).collect()
    }

    /// Puts what records say beside their numbers.
    pub fn tell(&mut self, known: &BTreeMap<RecordSeq, Brought>) {
        for holder in &mut self.holders {
            tell(&mut holder.ways, known);
        }
    }
}
