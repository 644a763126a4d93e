//! Whether a mapping gives anybody anything that other mappings do not give already.

use std::collections::HashMap;

use crate::condition::Condition;
use crate::map::RoleMap;
use crate::names::RoleName;
use crate::rule::{Gives, Groups, Mapping, Who};

/// The mappings of a map by the roles that they can give.
pub(super) struct Giving<'m>(HashMap<&'m RoleName, Vec<&'m Mapping>>);

impl<'m> Giving<'m> {
    pub fn of(map: &'m RoleMap) -> Self {
        let mut by_role: HashMap<&RoleName, Vec<&Mapping>> = HashMap::new();
        for mapping in &map.mappings {
            for role in mapping.possible() {
                by_role.entry(role).or_default().push(mapping);
            }
        }
        Self(by_role)
    }

    /// Whether each role that a mapping can give is given by one of these at least as widely.
    pub fn give_all_of(&self, mapping: &Mapping) -> bool {
        mapping.possible().all(|role| {
            self.0.get(role).is_some_and(|others| others.iter().any(|other| within(mapping, other)))
        })
    }
}

/// Whether whoever has a role by one mapping has it by the other one.
fn within(inner: &Mapping, outer: &Mapping) -> bool {
    let Mapping { place: _, who, when, gives, until, trust, via, separated: _ } = inner;
    let whose = match (who, &outer.who) {
        (Who::Service(inner), Who::Service(outer)) => inner == outer,
        (Who::Groups { groups, source }, Who::Groups { groups: outer, source: of }) => {
            source == of && groups_within(groups, outer)
        }
        (Who::Groups { .. }, Who::Service(_)) | (Who::Service(_), Who::Groups { .. }) => false,
    };
    let given = match (gives, &outer.gives) {
        (_, Gives::Roles(_)) => true,
        (Gives::Captured { template, .. }, Gives::Captured { template: outer, .. }) => {
            template.to_string() == outer.to_string()
        }
        (Gives::Roles(_), Gives::Captured { .. }) => false,
    };
    whose
        && given
        && (outer.when.is_none()
            || when.as_ref().map(Condition::as_str) == outer.when.as_ref().map(Condition::as_str))
        && outer.until.is_none_or(|end| until.is_some_and(|until| until <= end))
        && (!trust || outer.trust)
        && *via == outer.via
        && inner.personal() == outer.personal()
}

fn groups_within(inner: &Groups, outer: &Groups) -> bool {
    let Groups { any, all, none, matching } = inner;
    let open = |groups: &Groups| groups.any.is_empty() && groups.matching.is_none();
    let fits = match (matching, &outer.matching) {
        (None, _) => true,
        (Some(inner), Some(outer)) => inner.as_str() == outer.as_str(),
        (Some(_), None) => false,
    };
    let named = all.iter().any(|name| outer.any.contains(name));
    let let_in =
        open(outer) || named || !open(inner) && fits && any.iter().all(|name| outer.any.contains(name));
    let_in
        && outer.all.iter().all(|name| all.contains(name))
        && outer.none.iter().all(|name| none.contains(name))
}
