//! What one map says and another does not, entry by entry: the order of files, keys and lines does not matter.

mod says;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::map::RoleMap;
use crate::names::RoleName;
use crate::place::Place;

pub(crate) use says::{ACCEPTS, atom_says, mapping_says, view_says};
use says::{guards_say, of_token, role_says, target_says, test_says};

/// Which map says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    /// Only the old one.
    Removed,
    /// Only the new one.
    Added,
}

/// Before a place that is not in the new map: both may have files of one name.
pub(crate) const IN_OLD: &str = "in the old map: ";

/// One thing that only one of two maps says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// What it belongs to, such as `role sales-reader`.
    pub of: String,
    /// Which map says it.
    pub said: Said,
    /// What is said.
    pub what: String,
    /// Where it stands in that map.
    pub place: Option<Place>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, said, what, place } = self;
        let sign = match said {
            Said::Removed => '-',
            Said::Added => '+',
        };
        write!(f, "{sign} {of}: {what}")?;
        let of = if *said == Said::Removed { IN_OLD } else { "" };
        place.as_ref().map_or(Ok(()), |place| write!(f, "  ({of}{place})"))
    }
}

/// A thing that is said, what it belongs to, how often, and where first.
type Entries = BTreeMap<(String, String), (usize, Option<Place>)>;

/// Everything that only one of two maps says.
pub fn diff(old: &RoleMap, new: &RoleMap) -> Vec<Difference> {
    let (before, after) = (entries(old), entries(new));
    let keys: BTreeSet<&(String, String)> = before.keys().chain(after.keys()).collect();
    let mut out = Vec::new();
    for key in keys {
        let count = |entries: &Entries| entries.get(key).map_or(0, |(n, _)| *n);
        let (was, is) = (count(&before), count(&after));
        let (said, from) = if was > is { (Said::Removed, &before) } else { (Said::Added, &after) };
        for _ in 0..was.abs_diff(is) {
            let place = from.get(key).and_then(|(_, place)| place.clone());
            out.push(Difference { of: key.0.clone(), said, what: key.1.clone(), place });
        }
    }
    out.extend(other_ways_in(old, new));
    // What became of one thing stands together: what it was, then what it is.
    out.sort_by_cached_key(|one| {
        let begins = match one.what.split_once(if one.of == "mapping" { " gives " } else { " " }) {
            Some((begins, _)) => begins.to_owned(),
            None => one.what.clone(),
        };
        (one.of.clone(), begins, one.said, one.what.clone())
    });
    out
}

/// Targets that are entered in the same manner as somebody else. Who, and by which secret, is not told.
fn other_ways_in(old: &RoleMap, new: &RoleMap) -> Vec<Difference> {
    let mut out = Vec::new();
    for (name, is) in &new.targets {
        let Some(was) = old.targets.get(name) else { continue };
        let (Some(by), Some(is_by)) = (&was.auth, &is.auth) else { continue };
        if by != is_by && by.name() == is_by.name() {
            for (said, place) in [(Said::Removed, &was.place), (Said::Added, &is.place)] {
                let what = format!("auth {}, with other words", by.name());
                out.push(Difference { of: format!("target {name}"), said, what, place: Some(place.clone()) });
            }
        }
    }
    out
}

/// All that a map says.
fn entries(map: &RoleMap) -> Entries {
    let mut out = Entries::new();
    let mut add = |of: String, what: String, place: Option<&Place>| {
        let entry = out.entry((of, what)).or_insert_with(|| (0, place.cloned()));
        entry.0 += 1;
    };
    for target in map.targets.values() {
        for what in target_says(target) {
            add(format!("target {}", target.name), what, Some(&target.place));
        }
    }
    for role in map.roles.values() {
        role_says(role, &mut add);
    }
    for mapping in &map.mappings {
        add("mapping".to_owned(), mapping_says(mapping), Some(&mapping.place));
    }
    for (name, service) in &map.services {
        let id = |what: &str, id: Option<&axon_reconcile::Sid>| {
            id.map(|id| format!(", {what} {id}")).unwrap_or_default()
        };
        let sid = id("client id", service.sid.as_ref()) + &id("object id", service.object_id.as_ref());
        add(
            format!("service {name}"),
            format!("principal {}{sid}{}", service.principal, of_token(service)),
            Some(&service.place),
        );
    }
    for rule in &map.rules.separate {
        let names: Vec<&str> = rule.roles.iter().map(RoleName::as_str).collect();
        add("rules".to_owned(), format!("separate {}", names.join(", ")), Some(&rule.place));
    }
    for rule in &map.rules.forbid {
        add("rules".to_owned(), format!("forbid {}", rule.line), Some(&rule.place));
    }
    for (what, place) in guards_say(&map.guards) {
        add("guards".to_owned(), what, place);
    }
    for view in &map.views {
        for what in view_says(view) {
            add(format!("view {}", view.name), what, Some(&view.place));
        }
    }
    for (tag, patterns) in &map.tags {
        for pattern in patterns {
            add(format!("tag {tag}"), format!("columns {pattern}"), None);
        }
    }
    for test in &map.tests {
        add(format!("test of {}", test.who.name()), test_says(test), Some(&test.place));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "axon: 1\ntargets:\n  dw: { kind: synapse-dedicated, host: h, database: d, auth: { sql: { user: a, password: \"${env:HIDDEN}\" } } }\nroles:\n  r: { grants: { dw: [\"select, insert on a.b\"] } }\nmappings:\n  - { groups: { any: [g, h] }, source: s, roles: [r] }\n";

    fn between(old: &str, new: &str) -> Vec<String> {
        let map = |text: &str| RoleMap::parse(&[("m.yaml", text)]).unwrap_or_else(|e| panic!("{e}"));
        diff(&map(old), &map(new)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_says_the_same_in_other_words_is_no_difference() {
        let other = MAP
            .replace("select, insert on a.b", "insert on a.b\", \"select on a.b")
            .replace("[g, h]", "[h, g]");
        assert_eq!(between(MAP, &other), [""; 0]);
    }

    #[test]
    fn each_difference_says_what_and_where_and_no_secret() {
        let other = MAP
            .replace("insert on a.b", "update on a.b")
            .replace("any: [g, h]", "any: [g]")
            .replace("source: s,", "source: s, until: 2027-01-01T00:00:00Z,")
            .replace("HIDDEN", "OTHER");
        let told = between(MAP, &other);
        assert_eq!(
            told,
            [
                "- mapping: s: any of [g, h] gives r  (in the old map: m.yaml:7:7)",
                "+ mapping: s: any of [g] gives r until 2027-01-01T00:00:00Z  (m.yaml:7:7)",
                "- role r: insert on a.b in dw  (in the old map: m.yaml:5:23)",
                "+ role r: update on a.b in dw  (m.yaml:5:23)",
                "- target dw: auth sql, with other words  (in the old map: m.yaml:3:3)",
                "+ target dw: auth sql, with other words  (m.yaml:3:3)",
            ]
        );
    }

    #[test]
    fn every_part_is_told_in_words() {
        let parts = [
            "guards:\n  removals: { window: 24h, most: 5%, floor: 20 }\n  steps: { hold: [drop role] }\n  protect: [{ principal: dba, owner: sec, until: 2027-01-01T00:00:00Z }]\n",
            "rules: { separate: [[r, t]], forbid: [control on database] }\n",
            "services: { ci: { principal: axon-ci } }\n",
            "tests:\n  - { user: { userName: kim, groups: [g], title: Lead, active: false }, at: 2026-01-01T00:00:00Z, roles: [r], has: { dw: [select on a.b] }, lacks: { dw: [select on a.c] } }\n  - { service: ci, roles: [] }\n",
            "tags: { pii: [email, \"a.*.phone\"] }\n",
            "views:\n  s.v: { targets: dw, from: a.b, columns: { x: show, y: { mask: email, unless: [r] }, z: hide }, rows: [{ role: t }, { where: x eq user.title }] }\n",
        ]
        .concat();
        let base = MAP.replace("roles:\n", "roles:\n  t: {}\n").replace(
            "password: \"${env:HIDDEN}\" } } }",
            "password: \"${env:HIDDEN}\" } }, manage: { schemas: [s] } }",
        );
        let parts = format!("{base}  - {{ service: ci, roles: [r] }}\n{parts}").replace(
            "  t: {}\n",
            "  t: { description: Others, includes: [], impersonate: { dw: { roles: [r], for: 1h } } }\n",
        );
        let told = between(&base, &parts).join("\n");
        insta::assert_snapshot!(told);
        assert!(!told.contains("{ ") && !told.contains("Some("), "{told}");
    }
}
