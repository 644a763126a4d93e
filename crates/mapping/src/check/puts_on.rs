//! Lines of a map by which their holder becomes somebody else by EXECUTE AS, or enters as `dbo`: views take the one for the other.
//! A map has no lines about single users, so whoever may put on one of them may put on all.

use super::powers::administrator;
use super::{Findings, Lint};
use crate::map::RoleMap;
use crate::role::Definitions;
use crate::target::TargetKind;

/// Tells them in targets whose views tell people apart.
pub(super) fn all(map: &RoleMap, defined: &Definitions<'_>, findings: &mut Findings) {
    for spec in map.targets.values().filter(|spec| spec.kind == TargetKind::SynapseDedicated) {
        let views = map.views.iter().any(|view| view.targets.contains(&spec.name));
        if !views && spec.metadata.impersonation.is_none() {
            continue;
        }
        for role in map.roles.values() {
            for grant in role.grants.get(&spec.name).into_iter().flatten() {
                let Some(by) = administrator(&grant.line, spec, defined) else { continue };
                let message = format!(
                    "role `{}` could become anybody by EXECUTE AS and read views so: {by}",
                    role.name
                );
                findings.add(Lint::PutsOnAnother, &grant.place, message, None);
            }
        }
    }
}
