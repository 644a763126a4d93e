//! Who may write anew what is there and read it, where `rules.forbid` names data: if it is a view or a function, whoever writes it anew
//! reads all that its owner owns. What an object is the map does not say.

use axon_reconcile::{Permission, Securable};

use super::{Findings, Lint};
use crate::effect::{Holding, contains};
use crate::grant::GrantLine;
use crate::map::RoleMap;
use crate::role::{HeldGrant, RoleSpec};
use crate::rules::together::is_of_data;
use crate::target::Words;
use crate::together::Together;

/// Lines that alter what the same person can read.
pub(super) fn all(map: &RoleMap, together: &Together<'_>, findings: &mut Findings) {
    let Some(rule) = map.rules.forbid.iter().find(|rule| is_of_data(&rule.line)) else { return };
    for target in map.targets.values().filter(|target| target.kind.words() == Words::Sql) {
        let holders: Vec<(&RoleSpec, &[HeldGrant])> = map
            .roles_in(&target.name)
            .filter_map(|role| Some((role, role.held.get(&target.name)?.as_slice())))
            .collect();
        let reading: Vec<Vec<_>> = holders.iter().map(|(_, lines)| of(lines, reading)).collect();
        for (role, lines) in &holders {
            for (altered, held) in of(lines, altering) {
                let read = holders.iter().zip(&reading).find_map(|((reader, _), read)| {
                    let read =
                        read.iter().find(|(on, _)| contains(on, &altered) || contains(&altered, on))?;
                    together.can(&role.name, &reader.name).then_some((*reader, read.1))
                });
                let Some((reader, read)) = read else { continue };
                let text = crate::yaml::shown(&read.grant.text);
                let by = if reader.name == role.name {
                    format!("role `{}` alters {altered} and reads it (`{text}`)", role.name)
                } else {
                    format!(
                        "role `{}` alters {altered}, and role `{}` reads it (`{text}`)",
                        role.name, reader.name
                    )
                };
                let message = format!(
                    "{by}: a view there could be made to show `{}`, which {} forbids",
                    crate::yaml::shown(&rule.text),
                    rule.place
                );
                findings.add(Lint::RewritesViews, &held.grant.place, message, None);
            }
        }
    }
}

/// What lines give of some permissions.
fn of(lines: &[HeldGrant], which: impl Fn(Permission) -> bool) -> Vec<(Securable, &HeldGrant)> {
    let mut out = Vec::new();
    for held in lines.iter().filter(|held| matches!(held.grant.line, GrantLine::Permissions { .. })) {
        let holding = Holding::of([&held.grant.line]);
        let given = holding.given().iter().filter(|(permission, _)| which(*permission));
        out.extend(given.map(|(_, on)| (*on, held)));
    }
    out
}

fn altering(permission: Permission) -> bool {
    matches!(permission, Permission::Alter | Permission::Control | Permission::TakeOwnership)
}

fn reading(permission: Permission) -> bool {
    matches!(permission, Permission::Select | Permission::Control)
}
