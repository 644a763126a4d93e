//! The records of one person in several sources, and what they come to together.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use axon_model::SourceId;

use crate::names::RoleName;
use crate::pending::Claimant;
use crate::standing::Standing;

/// By the joining attribute's value. Sources choose the values, and many records may share one: nothing here looks at all of
/// them for one that changes.
#[derive(Debug, Clone, Default)]
pub(super) struct Joins(HashMap<Arc<str>, Records>);

#[derive(Debug, Clone, Default)]
struct Records {
    all: BTreeSet<Claimant>,
    /// For each source, how many of its records are not strangers, and how many of those are not active.
    sources: BTreeMap<SourceId, (usize, usize)>,
    /// How many of all are shut out by a request.
    offboarded: usize,
    /// Roles of rules of separation, with how many records that are not strangers hold each.
    separable: BTreeMap<RoleName, usize>,
}

impl Records {
    /// Whether a source, or a request, says that the person is not active. A source with several records of one person (an old
    /// account and a new one) says so if all of them are not.
    fn inactive(&self) -> bool {
        self.offboarded > 0 || self.sources.values().any(|(known, inactive)| known == inactive)
    }
}

impl Joins {
    /// Takes in a record; whether the names of the others are concerned.
    pub fn insert(&mut self, key: &Arc<str>, who: &Claimant, standing: &Standing) -> bool {
        let records = self.0.entry(key.clone()).or_default();
        let before = (records.inactive(), records.separable.len());
        records.all.insert(who.clone());
        records.offboarded += usize::from(standing.offboarded.is_some());
        // A stranger waits, and is in nobody's way meanwhile.
        if !standing.stranger {
            if let Claimant::User { source, .. } = who {
                let (known, inactive) = records.sources.entry(source.clone()).or_default();
                *known += 1;
                *inactive += usize::from(standing.inactive);
            }
            for role in &standing.separable {
                *records.separable.entry(role.clone()).or_default() += 1;
            }
        }
        before != (records.inactive(), records.separable.len())
    }

    /// Takes a record out; whether the names of the others are concerned.
    pub fn remove(&mut self, key: &Arc<str>, who: &Claimant, standing: &Standing) -> bool {
        let Some(records) = self.0.get_mut(key) else { return false };
        let before = (records.inactive(), records.separable.len());
        let known = records.all.remove(who);
        records.offboarded -= usize::from(known && standing.offboarded.is_some());
        if known && !standing.stranger {
            if let Claimant::User { source, .. } = who
                && let Some((known, inactive)) = records.sources.get_mut(source)
            {
                *known -= 1;
                *inactive -= usize::from(standing.inactive);
                if *known == 0 {
                    records.sources.remove(source);
                }
            }
            for role in &standing.separable {
                if let Some(count) = records.separable.get_mut(role) {
                    *count -= 1;
                    if *count == 0 {
                        records.separable.remove(role);
                    }
                }
            }
        }
        let concerned = before != (records.inactive(), records.separable.len());
        if records.all.is_empty() {
            self.0.remove(key);
        }
        concerned
    }

    /// The records with this value.
    pub fn of(&self, key: &Arc<str>) -> impl Iterator<Item = &Claimant> {
        self.0.get(key).into_iter().flat_map(|records| &records.all)
    }

    /// Whether a source that has this person says that the person is not active.
    pub fn inactive(&self, key: &Arc<str>) -> bool {
        self.0.get(key).is_some_and(Records::inactive)
    }

    /// The roles of rules of separation that any record of this person holds.
    pub fn separable(&self, key: &Arc<str>) -> impl Iterator<Item = &RoleName> {
        self.0.get(key).into_iter().flat_map(|records| records.separable.keys())
    }
}
