//! Lints: what a map that parses may still have wrong.

use std::collections::BTreeSet;
use std::fmt;

use axon_model::{Directory, SourceId};
use axon_reconcile::{GrantState, Mode, Permission, Securable};
use serde::Serialize;

use crate::grant::GrantLine;
use crate::identity::{GroupDoubt, Identity};
use crate::map::RoleMap;
use crate::nearest::nearest;
use crate::pending::Pending;
use crate::place::Place;
use crate::role::RoleSpec;
use crate::rule::{Gives, GroupName, Mapping, Who};
use crate::selection::Selection;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Most likely not what was meant.
    Warning,
    /// Worth knowing.
    Note,
}

/// Something that a reviewer should look at. It does not keep the map from being used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// How much it matters.
    pub severity: Severity,
    /// What it is.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, severity, message, help } = self;
        let word = match severity {
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        write!(f, "{place}: {word}: {message}")?;
        help.as_ref().map_or(Ok(()), |help| write!(f, " ({help})"))
    }
}

/// Looks for what is most likely a mistake: in the map alone, or also against a directory.
pub fn check(map: &RoleMap, directory: Option<&Directory>) -> Vec<Finding> {
    let mut findings = Vec::new();
    unreachable_roles(map, &mut findings);
    unbounded_removals(map, &mut findings);
    for role in map.roles.values() {
        powerful_lines(role, &mut findings);
        contradictions(role, &mut findings);
    }
    if let Some(directory) = directory {
        let selection = Selection::of(map, directory, &Identity::default());
        for (number, mapping) in map.mappings.iter().enumerate() {
            groups_of(mapping, number, &selection, directory, &mut findings);
        }
    }
    findings.sort();
    findings.dedup();
    findings
}

fn finding(place: &Place, severity: Severity, message: String, help: Option<String>) -> Finding {
    Finding { place: place.clone(), severity, message, help }
}

/// Targets from which a mistake in the IdP could take everything at once.
fn unbounded_removals(map: &RoleMap, findings: &mut Vec<Finding>) {
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
        let help = "guards: { removals: { window: 24h, most: 5%, floor: 20 }, leavers: { window: 24h, most: 5%, floor: 50 } }";
        findings.push(finding(&target.place, Severity::Warning, message, Some(help.to_owned())));
    }
}

/// Roles that nobody can get.
fn unreachable_roles(map: &RoleMap, findings: &mut Vec<Finding>) {
    let given: BTreeSet<_> = map.mappings.iter().flat_map(Mapping::possible).collect();
    let included: BTreeSet<_> = map.roles.values().flat_map(|r| &r.includes).collect();
    for role in map.roles.values() {
        if !given.contains(&role.name) && !included.contains(&role.name) {
            let message = format!("no mapping gives role `{}`: nobody can get it", role.name);
            findings.push(finding(&role.place, Severity::Note, message, None));
        }
        if given.contains(&role.name) && role.held.values().all(Vec::is_empty) {
            let message = format!("role `{}` is given, but holds nothing in any target", role.name);
            findings.push(finding(&role.place, Severity::Note, message, None));
        }
    }
}

/// Lines that give away the keys.
fn powerful_lines(role: &RoleSpec, findings: &mut Vec<Finding>) {
    for grant in role.grants.values().flatten() {
        let what = match &grant.line {
            GrantLine::MemberOf(name)
                if matches!(name.folded(), "db_owner" | "db_securityadmin" | "db_accessadmin") =>
            {
                format!("member of {name}")
            }
            GrantLine::Permissions {
                state: GrantState::Grant, permissions, on: Securable::Database, ..
            } => {
                let keys = [
                    Permission::Control,
                    Permission::TakeOwnership,
                    Permission::AlterAnyUser,
                    Permission::AlterAnyRole,
                ];
                match permissions.iter().find(|p| keys.contains(p)) {
                    Some(permission) => format!("{permission} on the database"),
                    None => continue,
                }
            }
            _ => continue,
        };
        let message = format!("{what} lets people give themselves everything else");
        findings.push(finding(
            &grant.place,
            Severity::Warning,
            message,
            Some("give what is needed instead".into()),
        ));
    }
}

/// The same permission given and denied to one role: the DENY wins.
fn contradictions(role: &RoleSpec, findings: &mut Vec<Finding>) {
    for held in role.held.values() {
        let atoms = |state: GrantState| {
            held.iter().filter_map(move |h| match &h.grant.line {
                GrantLine::Permissions { state: s, .. } if *s == state => {
                    Some((&h.grant, h.grant.line.atoms()))
                }
                _ => None,
            })
        };
        for (denied, denied_atoms) in atoms(GrantState::Deny) {
            for (granted, granted_atoms) in atoms(GrantState::Grant) {
                if denied_atoms.iter().any(|atom| granted_atoms.contains(atom)) {
                    let message =
                        format!("role `{}` is also given what this denies, at {}", role.name, granted.place);
                    findings.push(finding(
                        &denied.place,
                        Severity::Note,
                        message,
                        Some("the DENY wins".into()),
                    ));
                }
            }
        }
    }
}

/// Groups that no source knows, names that several groups hold, patterns that fit nothing.
fn groups_of(
    mapping: &Mapping,
    number: usize,
    selection: &Selection,
    directory: &Directory,
    findings: &mut Vec<Finding>,
) {
    let Who::Groups { groups, source } = &mapping.who else { return };
    let names: Vec<&str> =
        directory.groups().filter(|g| g.source == *source).map(|g| &*g.display_name).collect();
    if names.is_empty() {
        let message = format!("source {source} has pushed no group yet");
        findings.push(finding(&mapping.place, Severity::Note, message, other_source(directory, source)));
        return;
    }
    let found = &selection.found[number];
    let ambiguous =
        |name: &GroupName| selection.ambiguous.iter().any(|a| a.mapping == number && a.name == *name);
    for name in groups.any.iter().chain(&groups.all).chain(&groups.none) {
        let known = directory.groups().filter(|g| g.source == *source).any(|g| match name {
            GroupName::Display(_) => axon_scim::compare::fold(&g.display_name) == name.key(),
            GroupName::External(id) => g.external_id.as_deref() == Some(id),
        });
        if ambiguous(name) {
            let message = format!("several groups of {source} are named {name}: none of them counts");
            let help = "name the group by its externalId".to_owned();
            findings.push(finding(&mapping.place, Severity::Warning, message, Some(help)));
        } else if !known {
            let near = match name {
                GroupName::Display(text) => nearest(text, names.iter().copied()),
                GroupName::External(_) => None,
            };
            let help = near.map(|near| format!("did you mean {}?", axon_model::name::shown(near)));
            let message = format!("source {source} knows no group {name}");
            findings.push(finding(&mapping.place, Severity::Warning, message, help));
        }
    }
    if let (Some(pattern), true) = (&groups.matching, found.open.is_empty()) {
        let message = format!("no group of {source} fits {}", axon_model::name::shown(pattern.as_str()));
        findings.push(finding(&mapping.place, Severity::Note, message, None));
    }
    if let Gives::Captured { .. } = &mapping.gives {
        for group in
            found.open.iter().filter(|(_, role)| role.is_none()).filter_map(|(id, _)| directory.group(*id))
        {
            let shown = axon_model::name::shown(&group.display_name);
            let message = format!("group {shown} fits, but names no role that `only` allows");
            findings.push(finding(&mapping.place, Severity::Note, message, None));
        }
    }
}

fn other_source(directory: &Directory, source: &SourceId) -> Option<String> {
    let others: BTreeSet<&str> = directory.groups().map(|g| g.source.as_str()).collect();
    nearest(source.as_str(), others).map(|near| format!("did you mean {near}?"))
}

/// What keeps mappings from knowing their groups.
pub(crate) fn group_problems(map: &RoleMap, selection: &Selection) -> Vec<Pending> {
    let mut pending = Vec::new();
    for problem in &selection.ambiguous {
        pending.push(Pending::GroupAmbiguous {
            mapping: map.mappings[problem.mapping].place.clone(),
            name: problem.name.to_string(),
            groups: problem.groups.clone(),
        });
    }
    // Several without a pin are told above.
    for (number, held) in selection.held.iter().filter(|(_, held)| held.doubt != GroupDoubt::Several) {
        pending.push(Pending::GroupHeld {
            mapping: map.mappings[*number].place.clone(),
            source: held.name.source.clone(),
            name: held.name.name.clone(),
            group: held.group,
            doubt: held.doubt,
        });
    }
    for (mapping, found) in map.mappings.iter().zip(&selection.found) {
        let Who::Groups { groups, .. } = &mapping.who else { continue };
        for (name, _) in groups.none.iter().zip(&found.none).filter(|(_, found)| found.is_none()) {
            pending
                .push(Pending::ExclusionUnknown { mapping: mapping.place.clone(), name: name.to_string() });
        }
    }
    pending
}
