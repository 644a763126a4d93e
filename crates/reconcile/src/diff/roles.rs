//! Roles: made, and dropped when they are managed and wanted no more.

use axon_model::SqlName;

use super::Known;
use super::names::{Holder, Names};
use super::obstacles::Obstacles;
use crate::finding::{Finding, Obstacle};
use crate::scope::Sides;
use crate::step::Step;

pub(super) fn diff(sides: &Sides, names: &Names, obstacles: &Obstacles, known: &mut Known) {
    let Sides { desired, actual, scope } = sides;
    for (name, wanted) in &desired.roles {
        if actual.roles.contains_key(name) {
            continue;
        }
        let finding = if actual.principals.contains_key(name) || desired.principals.contains_key(name) {
            Finding::NameTaken { name: *name }
        } else if names.holder(*name) != Holder::ManagedRole {
            if wanted.fixed || !scope.untouchable.contains(name) {
                Finding::Missing { name: *name, needed_for: *name }
            } else {
                Finding::OutOfScope { name: *name }
            }
        } else {
            known.made.insert(*name);
            known.need(Step::CreateRole { name: *name });
            continue;
        };
        known.findings.insert(finding);
        known.frozen.insert(*name);
    }
    for name in actual.roles.keys() {
        known.made.insert(*name);
        if !desired.roles.contains_key(name) && names.holder(*name) == Holder::ManagedRole {
            retire(sides, obstacles, known, *name);
        }
    }
}

/// A role that nobody wants is dropped, unless that would touch something outside the scope.
fn retire(sides: &Sides, obstacles: &Obstacles, known: &mut Known, name: SqlName) {
    let untouched = sides.actual.members_of(name).find(|member| sides.scope.untouchable.contains(member));
    if let Some(member) = untouched {
        // What such a member has through the role is left to it.
        known.roles_left.insert(name);
        known.findings.insert(Finding::CannotDropRole { role: name, because: Obstacle::Member { member } });
    } else if let Some(because) = obstacles.of(name) {
        known.findings.insert(Finding::CannotDropRole { role: name, because });
    } else {
        known.roles_dropped.insert(name);
        known.need(Step::DropRole { name });
    }
}
