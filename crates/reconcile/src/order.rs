//! The order of steps by effect.

use crate::plan::Planned;
use crate::scope::Sides;
use crate::step::{Step, StepKind};

/// Orders the steps.
pub(crate) fn order(_sides: &Sides, mut steps: Vec<Step>) -> Vec<Planned> {
    steps.sort_by_key(|step| match step.kind() {
        StepKind::DenyConnect => 0,
        StepKind::DropPrincipal => 2,
        StepKind::CreatePrincipal | StepKind::CreateRole => 3,
        StepKind::Deny | StepKind::Grant => 4,
        StepKind::AddMember => 5,
        StepKind::DropMember => 6,
        StepKind::Revoke => 7,
        StepKind::GrantConnect => 8,
        StepKind::KillSessions => 1,
        StepKind::DropRole => 9,
    });
    steps.into_iter().map(Planned::from).collect()
}
