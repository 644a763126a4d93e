//! Which roles one person can hold at once, through whatever mappings.
//!
//! Whoever manages the groups decides who is in which: any two roles that mappings give may come together in one person, unless
//! a rule separates them or one mapping leaves out the group through which the other one gives.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::RoleName;
use crate::rule::{GroupName, Groups, Mapping, Who};
use crate::rules::Separation;

/// The roles that mappings give, by what they can come together with.
pub(crate) struct Together<'m> {
    /// For each role, the mappings that may give it.
    given: BTreeMap<&'m RoleName, Vec<&'m Mapping>>,
    /// For each role that a rule separates from others, the rules with those of their roles that it holds.
    separated: BTreeMap<&'m RoleName, Vec<(usize, BTreeSet<&'m RoleName>)>>,
}

impl<'m> Together<'m> {
    /// `whole` is a role with all that it includes.
    pub fn of<'w>(
        mappings: impl Iterator<Item = &'m Mapping>,
        separate: &'m [Separation],
        whole: impl Fn(&RoleName) -> Option<&'w BTreeSet<RoleName>>,
    ) -> Self {
        let mut given: BTreeMap<&RoleName, Vec<&Mapping>> = BTreeMap::new();
        for mapping in mappings {
            let roles: BTreeSet<&RoleName> = mapping.possible().collect();
            for role in roles {
                given.entry(role).or_default().push(mapping);
            }
        }
        let mut separated: BTreeMap<&RoleName, Vec<(usize, BTreeSet<&RoleName>)>> = BTreeMap::new();
        for role in given.keys() {
            let Some(whole) = whole(role) else { continue };
            for (number, rule) in separate.iter().enumerate() {
                let held: BTreeSet<&RoleName> =
                    rule.roles.iter().filter(|one| whole.contains(*one)).collect();
                if !held.is_empty() {
                    separated.entry(*role).or_default().push((number, held));
                }
            }
        }
        Self { given, separated }
    }

    /// The roles that anybody can hold.
    pub fn roles(&self) -> impl Iterator<Item = &'m RoleName> {
        self.given.keys().copied()
    }

    /// Whether one person can hold both.
    pub fn can(&self, a: &RoleName, b: &RoleName) -> bool {
        if a == b {
            return self.given.contains_key(a);
        }
        let of = |role: &RoleName| self.given.get(role).map_or(&[][..], Vec::as_slice);
        !self.separate(a, b) && of(a).iter().any(|one| of(b).iter().any(|other| can_meet(one, other)))
    }

    fn separate(&self, a: &RoleName, b: &RoleName) -> bool {
        let of = |role: &RoleName| self.separated.get(role).map_or(&[][..], Vec::as_slice);
        of(a).iter().any(|(rule, held)| {
            of(b).iter().any(|(other, theirs)| rule == other && held.union(theirs).count() > 1)
        })
    }
}

/// Whether two mappings can give something to the same person or service identity.
fn can_meet(a: &Mapping, b: &Mapping) -> bool {
    match (&a.who, &b.who) {
        (Who::Service(a), Who::Service(b)) => a == b,
        (Who::Groups { groups: one, source: of }, Who::Groups { groups: other, source }) => {
            of != source || !(leaves_out(one, other) || leaves_out(other, one))
        }
        _ => false,
    }
}

/// Whether everybody whom `a` lets in is in a group that `b` leaves out.
fn leaves_out(a: &Groups, b: &Groups) -> bool {
    let out: BTreeSet<(bool, String)> = b.none.iter().map(key).collect();
    let is_out = |name: &GroupName| out.contains(&key(name));
    !out.is_empty()
        && (a.all.iter().any(is_out)
            || (!a.any.is_empty() && a.matching.is_none() && a.any.iter().all(is_out)))
}

fn key(name: &GroupName) -> (bool, String) {
    (matches!(name, GroupName::External(_)), name.key())
}

#[cfg(test)]
mod tests {
    use crate::map::RoleMap;

    use super::*;

    #[test]
    fn roles_come_together_unless_a_rule_or_a_mapping_keeps_them_apart() {
        let text = "axon: 1
roles: { a: {}, b: {}, c: {}, wide: { includes: [c] }, d: {}, e: {}, s: {}, nobody: {} }
services: { ci: { principal: ci } }
rules: { separate: [[a, c]] }
mappings:
  - { groups: { any: [A] }, source: x, roles: [a] }
  - { groups: { any: [B] }, source: y, roles: [b] }
  - { groups: { any: [C] }, source: x, roles: [wide] }
  - { groups: { any: [D], none: [a] }, source: x, roles: [d] }
  - { groups: { all: [E, B], none: [Z] }, source: x, roles: [e] }
  - { service: ci, roles: [s] }
";
        let map = RoleMap::parse(&[("m.yaml", text)]).unwrap_or_else(|e| panic!("{e}"));
        let whole = |role: &RoleName| map.roles.get(role).map(|role| &role.whole);
        let together = Together::of(map.mappings.iter(), &map.rules.separate, whole);
        let can = |a: &str, b: &str| {
            let (a, b): (RoleName, RoleName) = (a.parse().unwrap(), b.parse().unwrap());
            assert_eq!(together.can(&a, &b), together.can(&b, &a));
            together.can(&a, &b)
        };
        for (a, b) in [("a", "b"), ("a", "e"), ("b", "wide"), ("d", "e"), ("wide", "d"), ("s", "s")] {
            assert!(can(a, b), "{a} {b}");
        }
        for (a, b) in [("a", "wide"), ("a", "d"), ("a", "s"), ("nobody", "a"), ("nobody", "nobody")] {
            assert!(!can(a, b), "{a} {b}");
        }
    }
}
