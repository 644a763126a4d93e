//! Roles that nobody gets, mappings that ended, removals that nothing bounds, parts that cannot be put in force.

use std::collections::BTreeSet;

use axon_reconcile::Mode;
use time::OffsetDateTime;

use super::{Findings, Lint};
use crate::chain::instant;
use crate::map::RoleMap;
use crate::names::RoleName;
use crate::rule::Mapping;
use crate::target::Via;

/// Roles that nobody can get, and roles that are given and hold nothing.
pub(super) fn roles(map: &RoleMap, findings: &mut Findings) {
    let given: BTreeSet<_> = map.mappings.iter().flat_map(Mapping::possible).collect();
    let mut used: BTreeSet<_> = map.roles.values().flat_map(|r| &r.includes).collect();
    // A view names roles by what people see, whatever they may do.
    for view in &map.views {
        used.extend(view.roles());
    }
    for role in map.roles.values() {
        let is_given = given.contains(&role.name);
        if !is_given && !used.contains(&role.name) {
            let message = format!("no mapping gives role `{}`: nobody can get it", role.name);
            findings.add(Lint::UnreachableRole, &role.place, message, None);
        }
        let holds = role.held.values().any(|held| !held.is_empty()) || !role.impersonate.is_empty();
        if is_given && !holds && !used.contains(&role.name) {
            let message = format!("role `{}` is given, but holds nothing in any target", role.name);
            findings.add(Lint::EmptyRole, &role.place, message, None);
        }
    }
}

/// Ends that are over.
pub(super) fn ends(map: &RoleMap, now: OffsetDateTime, findings: &mut Findings) {
    for mapping in &map.mappings {
        if let Some(until) = mapping.until.filter(|until| *until <= now) {
            let message = format!("this mapping ended at {}: it gives nothing", instant(until));
            findings.add(Lint::PastUntil, &mapping.place, message, None);
        }
    }
    for protection in map.guards.protect.iter().filter(|p| p.until <= now) {
        let message =
            format!("the protection of {} ended at {}", protection.principal, instant(protection.until));
        findings.add(Lint::PastUntil, &protection.place, message, None);
    }
}

/// Targets from which a mistake in the IdP could take everything at once.
pub(super) fn unbounded_removals(map: &RoleMap, findings: &mut Findings) {
    let missing: Vec<&str> =
        [("removals", map.guards.removals.is_none()), ("leavers", map.guards.leavers.is_none())]
            .into_iter()
            .filter_map(|(name, missing)| missing.then_some(name))
            .collect();
    if missing.is_empty() {
        return;
    }
    for target in map.targets.values().filter(|target| target.mode == Mode::Authoritative) {
        let message = format!(
            "nothing limits how much may be taken from target `{}` at once: no guards.{}",
            target.name,
            missing.join(" and no guards.")
        );
        findings.add(Lint::UnboundedRemovals, &target.place, message, None);
    }
}

/// What this version cannot put in force.
pub(super) fn not_carried_out(map: &RoleMap, findings: &mut Findings) {
    for missing in map.not_carried_out() {
        let message = format!("{} is not supported yet", missing.what);
        findings.add(Lint::NotCarriedOut, &missing.place, message, None);
    }
}

/// Mappings that go person by person into a target that lets groups in as a whole, without saying so.
pub(super) fn person_by_person(map: &RoleMap, findings: &mut Findings) {
    for mapping in map.mappings.iter().filter(|m| m.via.is_none()) {
        let Some(why) = mapping.personal() else { continue };
        for target in map.targets.values().filter(|t| t.via == Via::Group) {
            let exists = |r: &RoleName| map.roles.get(r).is_some_and(|r| r.held.contains_key(&target.name));
            if mapping.possible().any(exists) {
                let message = format!(
                    "target `{}` lets groups in as a whole; this mapping goes person by person there: it has {why}",
                    target.name
                );
                findings.add(Lint::PersonByPerson, &mapping.place, message, None);
            }
        }
    }
}
