//! The order in which steps are tried. A heuristic only: each step is checked before it takes its place.

use axon_model::SqlName;
use axon_model::name::NameSet;

use crate::graph::GrantState;
use crate::step::{Step, StepKind};

/// What the place of one step depends on.
pub(super) struct Phases {
    /// Shut out for good or dropped: all that concerns them comes first, one person after the other.
    gone: NameSet,
    /// Roles and principals that get permissions or roles.
    growing: NameSet,
    /// Roles that get members.
    filling: NameSet,
}

impl Phases {
    pub(super) fn new(steps: &[Step]) -> Self {
        let mut phases =
            Self { gone: NameSet::default(), growing: NameSet::default(), filling: NameSet::default() };
        for step in steps {
            match step {
                Step::KillSessions { principal } => drop(phases.gone.insert(*principal)),
                Step::Grant { grantee, .. } => drop(phases.growing.insert(*grantee)),
                Step::AddMember { role, member } => {
                    phases.filling.insert(*role);
                    phases.growing.insert(*member);
                }
                _ => {}
            }
        }
        phases
    }

    /// Smaller is earlier; steps of one place keep the order of the diff.
    pub(super) fn place(&self, step: &Step, denies: impl Fn(SqlName) -> bool) -> (u8, Option<SqlName>, u8) {
        let subject = step.subject();
        if self.gone.contains(&subject) {
            let rank = match step.kind() {
                StepKind::DenyConnect => return (0, None, 0),
                StepKind::DropMember => Some(0),
                StepKind::Revoke => Some(1),
                StepKind::KillSessions => Some(2),
                StepKind::DropPrincipal => Some(3),
                StepKind::CreatePrincipal => Some(4),
                _ => None,
            };
            if let Some(rank) = rank {
                return (1, Some(subject), rank);
            }
        }
        let phase = match step {
            Step::KillSessions { .. } | Step::DropPrincipal { .. } => 1,
            Step::CreateRole { .. } => 2,
            Step::CreatePrincipal { .. } => 3,
            Step::DenyConnect { .. } => return (3, None, 1),
            Step::Deny { .. } => 4,
            // Whoever leaves a role that grows leaves first, where that costs nothing; likewise rows of a role that fills.
            Step::DropMember { role, .. } if denies(*role) => 11,
            Step::DropMember { role, .. } if self.growing.contains(role) => 5,
            Step::DropMember { .. } => 9,
            Step::Revoke { was: GrantState::Deny, .. } => 11,
            Step::Revoke { grantee, .. } if self.filling.contains(grantee) => 5,
            Step::Revoke { .. } => 10,
            Step::Grant { .. } => 6,
            Step::AddMember { role, .. } if denies(*role) => 7,
            Step::AddMember { .. } => 8,
            Step::GrantConnect { .. } => 12,
            Step::DropRole { .. } => 13,
            // They are put in when the order of the others is found.
            Step::Secure(_) | Step::Classify(_) => 14,
        };
        (phase, None, 0)
    }
}
