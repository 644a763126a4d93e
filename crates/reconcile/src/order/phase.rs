//! The order in which steps are tried. A heuristic only: each step is checked before it takes its place.

use axon_model::SqlName;
use axon_model::name::NameSet;

use crate::graph::GrantState;
use crate::plan::Planned;
use crate::step::{Step, StepKind};

/// The places of steps, before which no step of a later one is tried.
const PLACES: usize = 17;
/// Of these the one where steps are tried person by person.
const GONE: u8 = 2;

/// The numbers of the steps in the order in which they are tried; those of one place keep the order of the diff.
pub(super) fn likely(steps: &[Planned], denies: impl Fn(SqlName) -> bool) -> Vec<u32> {
    let phases = Phases::new(steps);
    let mut gone: Vec<(SqlName, u8, u32)> = Vec::new();
    let mut places: Vec<u8> = Vec::with_capacity(steps.len());
    let mut counts = [0_usize; PLACES];
    for (planned, number) in steps.iter().zip(0..) {
        let (place, whose) = phases.place(&planned.step, &denies);
        gone.extend(whose.map(|(name, rank)| (name, rank, number)));
        counts[usize::from(place)] += 1;
        places.push(place);
    }
    gone.sort();
    let mut next = [0_usize; PLACES];
    for place in 1..PLACES {
        next[place] = next[place - 1] + counts[place - 1];
    }
    let mut order = vec![0; steps.len()];
    let mut gone = gone.into_iter().map(|(.., number)| number);
    for (place, number) in places.into_iter().zip(0..) {
        let at = &mut next[usize::from(place)];
        order[*at] = if place == GONE { gone.next().unwrap_or(number) } else { number };
        *at += 1;
    }
    order
}

/// What the place of one step depends on.
struct Phases {
    /// Shut out for good or dropped: all that concerns them comes first, one person after the other.
    gone: NameSet,
    /// Roles and principals that get permissions or roles.
    growing: NameSet,
    /// Roles that get members.
    filling: NameSet,
}

impl Phases {
    fn new(steps: &[Planned]) -> Self {
        let mut phases =
            Self { gone: NameSet::default(), growing: NameSet::default(), filling: NameSet::default() };
        for planned in steps {
            match &planned.step {
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

    /// The smaller the earlier. For the place of those who go: whose step it is, and which of theirs.
    fn place(&self, step: &Step, denies: impl Fn(SqlName) -> bool) -> (u8, Option<(SqlName, u8)>) {
        let subject = step.subject();
        if self.gone.contains(&subject) {
            let rank = match step.kind() {
                StepKind::DenyConnect => return (0, None),
                StepKind::DropMember => Some(0),
                StepKind::Revoke => Some(1),
                StepKind::KillSessions => Some(2),
                StepKind::DropPrincipal => Some(3),
                StepKind::CreatePrincipal => Some(4),
                _ => None,
            };
            if let Some(rank) = rank {
                return (GONE, Some((subject, rank)));
            }
        }
        let place = match step {
            Step::KillSessions { .. } | Step::KillFormer { .. } | Step::DropPrincipal { .. } => 1,
            Step::CreateRole { .. } => 3,
            Step::CreatePrincipal { .. } => 4,
            Step::DenyConnect { .. } => 5,
            Step::Deny { .. } => 6,
            // Whoever leaves a role that grows leaves first, where that costs nothing; likewise rows of a role that fills.
            Step::DropMember { role, .. } if denies(*role) => 13,
            Step::DropMember { role, .. } if self.growing.contains(role) => 7,
            Step::DropMember { .. } => 11,
            Step::Revoke { was: GrantState::Deny, .. } => 13,
            Step::Revoke { grantee, .. } if self.filling.contains(grantee) => 7,
            Step::Revoke { .. } => 12,
            Step::Grant { .. } => 8,
            Step::AddMember { role, .. } if denies(*role) => 9,
            Step::AddMember { .. } => 10,
            Step::GrantConnect { .. } => 14,
            Step::DropRole { .. } => 15,
            // They are put in when the order of the others is found.
            Step::Secure(_) | Step::Classify(_) => 16,
        };
        (place, None)
    }
}
