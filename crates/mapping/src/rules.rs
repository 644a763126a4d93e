//! `rules`: what nobody may have, however it would come about.

pub(crate) mod around;
pub(crate) mod together;

use std::collections::{BTreeMap, BTreeSet};

use axon_reconcile::GrantState;

use crate::diagnostic::Fault;
use crate::effect::{Holding, Power, contains, covers, leads_to_control};
use crate::grant::GrantLine;
use crate::names::{RoleName, TargetName};
use crate::place::Place;
use crate::read::Reader;
use crate::role::{PlacedGrant, ReadRole};
use crate::target::{TargetSpec, Words};
use crate::yaml::{Node, shown};

/// Roles of which nobody may hold two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Separation {
    /// The roles.
    pub roles: BTreeSet<RoleName>,
    /// Where it stands.
    pub place: Place,
}

/// What the map's `rules` say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Roles that nobody may hold together.
    pub separate: Vec<Separation>,
    /// What no role may amount to.
    pub forbid: Vec<PlacedGrant>,
}

/// Keys of `rules`.
pub(crate) const KEYS: &[&str] = &["separate", "forbid"];

/// Reads `rules`, merged from all files.
pub(crate) fn read(reader: &Reader<'_>, sections: &[(&str, &Node)], known: &BTreeSet<RoleName>) -> Rules {
    let mut rules = Rules::default();
    for (key, node) in sections {
        match *key {
            "separate" => {
                for item in reader.list(node, "`rules.separate`") {
                    rules.separate.extend(separation(reader, item, known));
                }
            }
            "forbid" => {
                for item in reader.list(node, "`rules.forbid`") {
                    rules.forbid.extend(forbidden(reader, item));
                }
            }
            _ => {}
        }
    }
    rules
}

fn separation(reader: &Reader<'_>, node: &Node, known: &BTreeSet<RoleName>) -> Option<Separation> {
    let before = reader.count();
    let mut roles = BTreeSet::new();
    for item in reader.list(node, "an entry of `rules.separate`") {
        let Some(text) = reader.text(item, "a role's name") else { continue };
        if let Some(role) = known.get(text.text.as_str()) {
            if !roles.insert(role.clone()) {
                reader.fault(Fault::Invalid, text.span, format!("role `{role}` is named twice"));
            }
        } else {
            let message = format!("no role is named `{}`", shown(&text.text));
            let names = known.iter().map(RoleName::as_str);
            reader.unknown(&text, message, names, "declare it under `roles`");
        }
    }
    if reader.count() == before && roles.len() < 2 {
        let message = "an entry of `rules.separate` names two roles or more";
        reader.fault_help(
            Fault::Invalid,
            node.span,
            message,
            "write it like [payments-maker, payments-approver]",
        );
    }
    (reader.count() == before).then(|| Separation { roles, place: reader.place(node.span) })
}

fn forbidden(reader: &Reader<'_>, node: &Node) -> Option<PlacedGrant> {
    let text = reader.text(node, "an entry of `rules.forbid`")?;
    let line = crate::role::grant(reader, &text, Words::Sql)?;
    if let GrantLine::Permissions { state: GrantState::Deny, .. } = line {
        reader.fault(
            Fault::Invalid,
            text.span,
            "`rules.forbid` names what nobody may have: leave out `deny`",
        );
        return None;
    }
    Some(PlacedGrant { line, text: text.text.as_str().into(), place: reader.place(text.span) })
}

/// Refuses roles that amount to what is forbidden, or that hold by themselves what is separate.
pub(crate) fn check(
    reader: &Reader<'_>,
    forbidden: &Rules,
    targets: &BTreeMap<TargetName, TargetSpec>,
    roles: &BTreeMap<RoleName, ReadRole>,
) {
    around::check(reader, forbidden, targets, roles);
    for role in roles.values() {
        for separation in &forbidden.separate {
            let both: Vec<&str> =
                role.spec.whole.intersection(&separation.roles).map(RoleName::as_str).collect();
            if both.len() > 1 {
                let message = format!(
                    "role `{}` holds {} at once, which {} separates",
                    role.spec.name,
                    both.join(" and "),
                    separation.place
                );
                reader.fault(Fault::Invalid, role.span, message);
            }
        }
        for (target, held) in &role.spec.grants {
            if targets.get(target).is_none_or(|spec| spec.kind.words() != Words::Sql) {
                continue;
            }
            let spans = role.spans.get(target).map_or(&[][..], Vec::as_slice);
            for (grant, text) in held.iter().zip(spans) {
                for rule in &forbidden.forbid {
                    let Some(how) = amounts_to(&grant.line, &rule.line) else { continue };
                    let message =
                        format!("this line gives `{}`, which {} forbids", shown(&rule.text), rule.place);
                    reader.fault_help(Fault::Invalid, text.span, message, how);
                }
            }
        }
    }
}

/// How a line gives what a rule forbids, or a part of it. A DENY elsewhere is no excuse: it may go at any time.
pub(crate) fn amounts_to(line: &GrantLine, forbidden: &GrantLine) -> Option<String> {
    if matches!(line, GrantLine::Permissions { state: GrantState::Deny, .. }) {
        return None;
    }
    if let GrantLine::MemberOf(role) | GrantLine::Assigned(role) = forbidden {
        let same = matches!(line, GrantLine::MemberOf(of) if of == role);
        return same.then(|| format!("it puts people into {role}"));
    }
    let wanted: Vec<Power> = forbidden.atoms();
    let holding = Holding::of([line]);
    for held in holding.given() {
        for wanted in &wanted {
            let inside = (wanted.0, held.1);
            if covers(held, wanted) || (contains(&wanted.1, &held.1) && covers(held, &inside)) {
                return Some(format!("{} on {} covers it", held.0, held.1));
            }
            if let Some((over, why)) = leads_to_control(held)
                && (contains(&over, &wanted.1) || contains(&wanted.1, &over))
            {
                return Some(format!("{} on {} leads to it: {why}", held.0, held.1));
            }
        }
    }
    None
}

impl Rules {
    /// Whether a rule of separation is about this role, or about one that it includes.
    pub(crate) fn concern(&self, roles: &BTreeMap<RoleName, crate::role::RoleSpec>, role: &RoleName) -> bool {
        let broken =
            |whole: &BTreeSet<RoleName>| self.separate.iter().any(|rule| !whole.is_disjoint(&rule.roles));
        !self.separate.is_empty() && roles.get(role).is_some_and(|spec| broken(&spec.whole))
    }

    /// The roles among `given` that are withheld because together they break a separation, and which ones they break.
    pub(crate) fn withheld<'m>(
        &'m self,
        roles: &BTreeMap<RoleName, crate::role::RoleSpec>,
        given: &BTreeSet<&'m RoleName>,
    ) -> (BTreeSet<&'m RoleName>, Vec<&'m Separation>) {
        let mut withheld = BTreeSet::new();
        let mut broken = Vec::new();
        for separation in &self.separate {
            let holds = |role: &RoleName| {
                roles.get(role).is_some_and(|spec| !spec.whole.is_disjoint(&separation.roles))
            };
            let concerned: BTreeSet<&RoleName> = given.iter().copied().filter(|role| holds(role)).collect();
            let held: BTreeSet<&RoleName> = concerned
                .iter()
                .filter_map(|role| roles.get(*role))
                .flat_map(|spec| spec.whole.intersection(&separation.roles))
                .collect();
            if held.len() > 1 {
                withheld.extend(concerned);
                broken.push(separation);
            }
        }
        (withheld, broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forbidden_is_forbidden_by_effect() {
        let amounts = |line: &str, rule: &str| {
            amounts_to(&GrantLine::parse(line).unwrap(), &GrantLine::parse(rule).unwrap()).is_some()
        };
        for line in [
            "control on database",
            "per person: member of db_owner",
            "per person: member of db_securityadmin",
            "per person: member of db_accessadmin",
            "take ownership on database",
            "alter any user on database",
            "alter any role on database",
            "alter on database",
            "per person: member of db_ddladmin",
        ] {
            assert!(amounts(line, "control on database"), "{line}");
        }
        for line in ["select on database", "deny control on database", "per person: member of db_datareader"]
        {
            assert!(!amounts(line, "control on database"), "{line}");
        }
        for line in [
            "select on hr.people (name)",
            "select on schema::hr",
            "take ownership on schema::hr",
            "control on hr.people",
            "per person: member of db_datareader",
        ] {
            assert!(amounts(line, "select on hr.people"), "{line}");
        }
        for line in ["select on hr.rooms", "insert on hr.people", "take ownership on schema::sales"] {
            assert!(!amounts(line, "select on hr.people"), "{line}");
        }
        assert!(amounts("member of xlargerc", "member of xlargerc"));
        assert!(!amounts("member of mediumrc", "member of xlargerc"));
    }
}
