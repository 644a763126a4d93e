//! What a new map asks for and would give nothing yet, or withhold, where the old one did not.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Compared;
use super::sides::Both;
use crate::map::RoleMap;
use crate::names::TargetName;
use crate::pending::Pending;
use crate::place::Place;
use crate::selection::users_under;

/// Something that would wait for a person, or be withheld.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wait {
    /// What, and why.
    #[serde(flatten)]
    pub pending: Pending,
    /// The same in words.
    pub text: String,
    /// How many people it keeps something from.
    pub people: usize,
}

impl Wait {
    /// Whether somebody gains something as soon as it is released.
    pub fn would_give(&self) -> bool {
        matches!(self.pending, Pending::GroupHeld { .. }) && self.people > 0
    }
}

/// What waits on the new side and did not on the old one, that which keeps something from most people first.
pub(super) fn waits(target: &TargetName, both: &Both, compared: Compared<'_>) -> Vec<Wait> {
    let before: BTreeSet<Pending> = both.old.pending().into_iter().map(without_place).collect();
    let here = mappings_of(compared.new, target);
    let after = both.new.pending().into_iter().filter(|pending| {
        place_of_mapping(pending).is_none_or(|place| here.contains(place))
            && !before.contains(&without_place(pending.clone()))
    });
    let mut waits: Vec<Wait> = after
        .map(|pending| {
            let text = pending.to_string();
            let people = people(&pending, compared);
            Wait { pending, text, people }
        })
        .collect();
    waits.sort_by(|a, b| b.people.cmp(&a.people).then_with(|| a.pending.cmp(&b.pending)));
    waits
}

fn people(pending: &Pending, compared: Compared<'_>) -> usize {
    match pending {
        Pending::GroupHeld { group, .. } => {
            let mut people = BTreeSet::new();
            users_under(compared.directory, *group, &mut people);
            people.len()
        }
        Pending::GroupAmbiguous { groups, .. } => {
            let mut people = BTreeSet::new();
            for group in groups {
                users_under(compared.directory, *group, &mut people);
            }
            people.len()
        }
        Pending::MissingSecurable { .. }
        | Pending::MissingFilter { .. }
        | Pending::ExclusionUnknown { .. } => 0,
        _ => 1,
    }
}

/// The mappings that may give a role which exists in the target, and the lines by which its views name groups.
fn mappings_of<'m>(map: &'m RoleMap, target: &TargetName) -> BTreeSet<&'m Place> {
    let exists = |role: &crate::names::RoleName| {
        map.roles.get(role).is_some_and(|spec| spec.held.contains_key(target))
    };
    let mappings = map.mappings.iter().filter(|m| m.possible().any(exists)).map(|m| &m.place);
    let views = map.views.iter().filter(|view| view.targets.contains(target));
    mappings.chain(views.flat_map(|view| view.groups().map(|group| &group.place))).collect()
}

fn place_of_mapping(pending: &Pending) -> Option<&Place> {
    match pending {
        Pending::GroupAmbiguous { mapping, .. }
        | Pending::GroupHeld { mapping, .. }
        | Pending::ExclusionUnknown { mapping, .. } => Some(mapping),
        _ => None,
    }
}

/// A line that moved down in its file waits for the same thing.
fn without_place(mut pending: Pending) -> Pending {
    let nowhere = || Place { file: "".into(), line: 0, column: 0 };
    match &mut pending {
        Pending::MissingSecurable { place, .. }
        | Pending::MissingFilter { place, .. }
        | Pending::GroupAmbiguous { mapping: place, .. }
        | Pending::GroupHeld { mapping: place, .. }
        | Pending::ExclusionUnknown { mapping: place, .. }
        | Pending::Separated { rule: place, .. } => *place = nowhere(),
        _ => {}
    }
    pending
}
