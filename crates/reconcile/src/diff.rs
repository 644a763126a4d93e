//! Which steps are needed within the scope, in no order yet, and what no step can do.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_model::name::NameSet;

use crate::finding::Finding;
use crate::graph::{Graph, Membership};
use crate::plan::Planned;
use crate::scope::Sides;
use crate::step::Step;

mod grants;
mod members;
pub(crate) mod names;
pub(crate) mod obstacles;
mod owners;
mod principals;
mod roles;

use names::{Holder, Names};
use obstacles::Obstacles;
pub use owners::{owned, owners};

/// What lies between the sides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needed {
    /// Steps in the order of names, not of effect. A plan is these very ones, put in order where they stand.
    pub steps: Vec<Planned>,
    /// What no step can bring about, in order, each once.
    pub findings: Vec<Finding>,
}

/// What one part of the diff learns and the next ones need.
#[derive(Debug, Default)]
struct Known {
    steps: Vec<Planned>,
    findings: BTreeSet<Finding>,
    /// Names that are given nothing: they collide, are of another kind, or cannot be made.
    frozen: NameSet,
    /// Principals that are dropped: their memberships and rows go without further steps.
    dropped: NameSet,
    /// Principals of the actual side that are shut out for good: all that they hold in scope goes.
    leavers: BTreeSet<SqlName>,
    /// Principals and roles that are there at the end, or are made.
    made: NameSet,
    /// Roles that are dropped, so that rows of other grantors go too.
    roles_dropped: NameSet,
    /// Roles whose own rows stay as they are.
    roles_left: NameSet,
}

/// The steps that are needed. Outside the scope there are none.
pub fn diff(sides: &Sides) -> Needed {
    let names = Names::new(sides);
    let obstacles = Obstacles::new(sides, &names);
    let mut known = Known { steps: Vec::with_capacity(at_least(sides)), ..Known::default() };
    principals::diff(sides, &names, &obstacles, &mut known);
    roles::diff(sides, &names, &obstacles, &mut known);
    members::diff(sides, &names, &mut known);
    grants::diff(sides, &names, &mut known);
    leave(&mut known);
    Needed { steps: known.steps, findings: known.findings.into_iter().collect() }
}

/// Memberships of the actual side that are outside of what the scope manages, and of nobody and nothing untouchable.
pub fn unmanaged_members(sides: &Sides) -> Vec<Membership> {
    let names = Names::new(sides);
    let Sides { actual, scope, .. } = sides;
    let untouchable = |name: &SqlName| scope.untouchable.contains(name);
    let mut outside = Vec::new();
    // Role by role, as they are in order: those of roles that are managed whole are not looked at one by one.
    let mut whole: Option<(SqlName, bool)> = None;
    for membership in &actual.members {
        let Membership { role, member } = *membership;
        let skipped = match whole {
            Some((last, skipped)) if last == role => skipped,
            _ => names.holder(role) == Holder::ManagedRole || untouchable(&role),
        };
        whole = Some((role, skipped));
        if !skipped && !untouchable(&member) && !names.manages_membership(*membership) {
            outside.push(*membership);
        }
    }
    outside
}

/// About so many steps a first fill needs: room that grew by doubling would be held twice while it grows.
fn at_least(sides: &Sides) -> usize {
    let Sides { desired, actual, .. } = sides;
    let count =
        |graph: &Graph| graph.principals.len() + graph.roles.len() + graph.members.len() + graph.grants.len();
    count(desired).saturating_sub(count(actual))
}

impl Known {
    fn need(&mut self, step: Step) {
        self.steps.push(Planned::from(step));
    }
}

/// Whoever is shut out or stripped by this plan may have sessions that were let in before.
fn leave(known: &mut Known) {
    if known.leavers.is_empty() {
        return;
    }
    let touched: BTreeSet<SqlName> = known
        .steps
        .iter()
        .map(|planned| planned.step.subject())
        .filter(|name| known.leavers.contains(name))
        .collect();
    for principal in touched {
        known.need(Step::KillSessions { principal });
    }
}
