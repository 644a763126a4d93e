//! Lints: what a map that parses may still have wrong.

use crate::map::RoleMap;
use crate::pending::Pending;
use crate::rule::Who;
use crate::selection::Selection;

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
    for (mapping, found) in map.mappings.iter().zip(&selection.found) {
        let Who::Groups { groups, .. } = &mapping.who else { continue };
        for (name, _) in groups.none.iter().zip(&found.none).filter(|(_, found)| found.is_none()) {
            pending
                .push(Pending::ExclusionUnknown { mapping: mapping.place.clone(), name: name.to_string() });
        }
    }
    pending
}
