//! What waits in one target, by whom it concerns: looked up for many people, collected once.

use std::collections::HashMap;

use axon_model::{AccessRequestId, GroupId};

use crate::evaluator::Evaluator;
use crate::pending::{Claimant, Pending};

/// All that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    of: HashMap<Claimant, Vec<Pending>>,
    held: HashMap<GroupId, Vec<Pending>>,
    requests: HashMap<AccessRequestId, Pending>,
}

impl Waiting {
    pub fn of(evaluator: &Evaluator) -> Self {
        let mut waiting = Self { of: HashMap::new(), held: HashMap::new(), requests: HashMap::new() };
        for pending in evaluator.pending() {
            match &pending {
                Pending::NameRefused { who, .. }
                | Pending::OutsideClaims { who, .. }
                | Pending::Stranger { who, .. }
                | Pending::Offboarded { who, .. } => {
                    waiting.of.entry(who.clone()).or_default().push(pending);
                }
                Pending::NameReserved { who, .. }
                | Pending::NameShared { who, .. }
                | Pending::IdentityShared { who, .. }
                | Pending::Separated { who, .. }
                | Pending::InactiveElsewhere { who, .. } => {
                    for one in who {
                        waiting.of.entry(one.clone()).or_default().push(pending.clone());
                    }
                }
                Pending::GroupHeld { group, .. } => {
                    waiting.held.entry(*group).or_default().push(pending);
                }
                Pending::RequestSeparated { request, .. } => {
                    waiting.requests.insert(*request, pending);
                }
                Pending::GroupAmbiguous { groups, .. } => {
                    for group in groups {
                        waiting.held.entry(*group).or_default().push(pending.clone());
                    }
                }
                Pending::MissingSecurable { .. }
                | Pending::MissingFilter { .. }
                | Pending::ExclusionUnknown { .. } => {}
            }
        }
        waiting
    }

    /// What concerns one claimant.
    pub fn concerning(&self, who: &Claimant) -> &[Pending] {
        self.of.get(who).map_or(&[], Vec::as_slice)
    }

    /// Why a group gives nothing yet, by each mapping that asks for its name.
    pub fn held(&self, group: GroupId) -> &[Pending] {
        self.held.get(&group).map_or(&[], Vec::as_slice)
    }

    /// Why a request gives nothing.
    pub fn request(&self, request: AccessRequestId) -> Option<&Pending> {
        self.requests.get(&request)
    }
}

/// Whether it keeps everything back that would be given under a name, and not a part of it.
pub(super) fn keeps_all(pending: &Pending) -> bool {
    !matches!(
        pending,
        Pending::GroupHeld { .. }
            | Pending::GroupAmbiguous { .. }
            | Pending::Separated { .. }
            | Pending::RequestSeparated { .. }
    )
}
