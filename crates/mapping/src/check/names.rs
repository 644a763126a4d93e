//! Names of people and groups that a target would refuse.

use std::collections::BTreeSet;

use axon_model::{Directory, MemberKind};
use time::OffsetDateTime;

use super::{Findings, Lint};
use crate::given::{Given, Person};
use crate::map::RoleMap;
use crate::selection::{Selection, closure};
use crate::standing::principal_name;
use crate::target::{TargetSpec, Via, Words};

/// How many names are told for a target.
const TOLD: usize = 5;

/// Names of those who would get something in a target, and which it cannot hold.
pub(super) fn refused(
    map: &RoleMap,
    selection: &Selection,
    directory: &Directory,
    now: OffsetDateTime,
    findings: &mut Findings,
) {
    for target in map.targets.values().filter(|t| t.kind.words() == Words::Sql) {
        let mut told: Vec<String> = Vec::new();
        let mut count = 0_usize;
        let mut add = |text: &str, reason: &str| {
            count += 1;
            if told.len() < TOLD {
                told.push(format!("`{}` ({reason})", crate::yaml::shown(text)));
            }
        };
        for user in directory.users().filter(|u| u.active) {
            // Most names are good: only for the others it matters whether they would get anything.
            let Err((text, reason)) = principal_name(target.principal.over_user(user)) else { continue };
            let groups = closure(directory, MemberKind::User(user.id));
            let person = Person::new(user);
            let here = |_: usize, m: &crate::rule::Mapping| map.via(m, target) == Via::Person;
            let given = Given::to(map, selection, &person, &groups, now, here);
            if given.ways.iter().any(|(_, _, role)| exists(map, target, role)) {
                add(&text, &reason);
            }
        }
        let mut seen = BTreeSet::new();
        for (mapping, found) in map.mappings.iter().zip(&selection.found) {
            if map.via(mapping, target) != Via::Group
                || mapping.personal().is_some()
                || !mapping.possible().any(|role| exists(map, target, role))
            {
                continue;
            }
            for group in found.open.keys().filter(|id| seen.insert(**id)) {
                let Some(group) = directory.group(*group) else { continue };
                if let Err((text, reason)) = principal_name(Ok(group.display_name.to_string())) {
                    add(&text, &reason);
                }
            }
        }
        if count > 0 {
            let more =
                if count > told.len() { format!(" and {} more", count - told.len()) } else { String::new() };
            let message = format!(
                "target `{}` cannot hold {count} of the names that would get in: {}{more}",
                target.name,
                told.join(", ")
            );
            findings.add(Lint::RefusedName, &target.place, message, None);
        }
    }
}

fn exists(map: &RoleMap, target: &TargetSpec, role: &crate::names::RoleName) -> bool {
    map.roles.get(role).is_some_and(|r| r.held.contains_key(&target.name))
}
