//! What one map says and another does not, entry by entry: the order of files, keys and lines does not matter.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use serde::Serialize;

use crate::grant::GrantLine;
use crate::guards::GuardRules;
use crate::map::RoleMap;
use crate::names::RoleName;
use crate::place::Place;
use crate::role::RoleSpec;
use crate::rule::{Gives, GroupName, Mapping, Who};
use crate::secure_view::{RowLine, SecureView, Shown};
use crate::target::{TargetSpec, Via};

/// Which map says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    /// Only the old one.
    Removed,
    /// Only the new one.
    Added,
}

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
        place.as_ref().map_or(Ok(()), |place| write!(f, "  ({place})"))
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
        let sid = service.sid.as_ref().map(|sid| format!(", client id {sid}")).unwrap_or_default();
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
    for what in guards_say(&map.guards) {
        add("guards".to_owned(), what, None);
    }
    for protection in &map.guards.protect {
        let what = format!(
            "protect {} until {}, owner {}",
            protection.principal, protection.until, protection.owner
        );
        add("guards".to_owned(), what, Some(&protection.place));
    }
    for view in &map.views {
        for what in view_says(view) {
            add(format!("view {}", view.name), what, Some(&view.place));
        }
    }
    for test in &map.tests {
        let lines = |expected: &[crate::map_test::Expected]| {
            let all: Vec<String> =
                expected.iter().map(|e| format!("{} in {}", e.grant.line, e.target)).collect();
            all.join("; ")
        };
        let what = format!(
            "{:?} at {:?}: has {}; lacks {}",
            test.who,
            test.at,
            lines(&test.has),
            lines(&test.lacks)
        );
        add(format!("test of {}", test.who.name()), what, Some(&test.place));
    }
    out
}

fn via(via: Via) -> &'static str {
    match via {
        Via::Person => "person",
        Via::Group => "group",
    }
}

/// What a target says. Of secrets not even their references.
fn target_says(target: &TargetSpec) -> Vec<String> {
    let TargetSpec {
        name: _,
        place: _,
        kind,
        endpoint,
        workspace,
        auth,
        object_id,
        mode,
        via: way,
        principal,
        role_name,
        manage,
    } = target;
    let globs = |globs: &[axon_reconcile::Glob]| format!("{globs:?}");
    let mut said = vec![
        format!("kind {kind}"),
        format!("at {endpoint:?}"),
        format!("mode {mode:?}"),
        format!("via {}", via(*way)),
        format!("principal {principal}"),
        format!("role_name {role_name}"),
        format!("manages roles {}", globs(&manage.roles)),
        format!("manages schemas {}", globs(&manage.schemas)),
        format!("manages {} principals", if manage.every_external { "external" } else { "mapped" }),
    ];
    said.extend(workspace.as_ref().map(|name| format!("workspace {name}")));
    said.extend(auth.as_ref().map(|auth| format!("auth {}", auth.name())));
    said.extend(object_id.as_ref().map(|template| format!("object_id {template}")));
    said
}

fn role_says(role: &RoleSpec, add: &mut impl FnMut(String, String, Option<&Place>)) {
    let of = format!("role {}", role.name);
    add(of.clone(), "is there".to_owned(), Some(&role.place));
    if role.direct {
        add(of.clone(), "is direct: it is no role of the pool".to_owned(), Some(&role.place));
    }
    for (target, defined) in &role.define {
        let crate::role::DefinedRole {
            name,
            description: _,
            actions,
            not_actions,
            data_actions,
            not_data_actions,
            place,
        } = defined;
        for (word, actions) in [
            ("allows", actions),
            ("does not allow", not_actions),
            ("allows with data", data_actions),
            ("does not allow with data", not_data_actions),
        ] {
            for action in actions {
                add(of.clone(), format!("defines {name} in {target}: {word} {action}"), Some(place));
            }
        }
    }
    for included in &role.includes {
        add(of.clone(), format!("includes {included}"), Some(&role.place));
    }
    for (target, grants) in &role.grants {
        for grant in grants {
            // One line that lists several permissions is as many lines that list one each.
            let GrantLine::Permissions { state, .. } = &grant.line else {
                add(of.clone(), format!("{} in {target}", grant.line), Some(&grant.place));
                continue;
            };
            let word = if *state == axon_reconcile::GrantState::Deny { "deny " } else { "" };
            for (permission, on) in grant.line.atoms() {
                let what = format!("{word}{} on {on} in {target}", permission.name().to_lowercase());
                add(of.clone(), what, Some(&grant.place));
            }
        }
    }
    for (target, acting) in &role.impersonate {
        let names: Vec<&str> = acting.roles.iter().map(RoleName::as_str).collect();
        let reason = if acting.reason_required { "required" } else { "optional" };
        let what =
            format!("may act as {} in {target} for {}, reason {reason}", names.join(", "), acting.longest);
        add(of.clone(), what, Some(&acting.place));
    }
}

fn mapping_says(mapping: &Mapping) -> String {
    let names = |word: &str, names: &[GroupName]| -> String {
        let mut names: Vec<String> = names.iter().map(ToString::to_string).collect();
        names.sort();
        if names.is_empty() { String::new() } else { format!(" {word} of [{}]", names.join(", ")) }
    };
    // Writing to a String cannot fail.
    let mut text = match &mapping.who {
        Who::Service(name) => format!("service {name}"),
        Who::Groups { groups, source } => {
            let fits =
                groups.matching.as_ref().map(|p| format!(" match {:?}", p.as_str())).unwrap_or_default();
            format!(
                "{source}:{}{}{}{fits}",
                names("any", &groups.any),
                names("all", &groups.all),
                names("none", &groups.none)
            )
        }
    };
    match &mapping.gives {
        Gives::Roles(roles) => {
            let mut names: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
            names.sort_unstable();
            let _ = write!(text, " gives {}", names.join(", "));
        }
        Gives::Captured { template, only } => {
            let names: Vec<&str> = only.iter().map(RoleName::as_str).collect();
            let _ = write!(text, " gives {template:?} of [{}]", names.join(", "));
        }
    }
    if let Some(condition) = &mapping.when {
        let _ = write!(text, " when {}", condition.as_str());
    }
    if let Some(until) = mapping.until {
        let _ = write!(text, " until {until}");
    }
    if let Some(way) = mapping.via {
        let _ = write!(text, " via {}", via(way));
    }
    if mapping.trust {
        text.push_str(" trusting names");
    }
    text
}

fn guards_say(guards: &GuardRules) -> Vec<String> {
    let mut said = Vec::new();
    for (name, budget) in [("removals", guards.removals), ("leavers", guards.leavers)] {
        if let Some(b) = budget {
            said.push(format!("{name}: at most {}% or {} in {}", b.most_percent, b.floor, b.window));
        }
    }
    said.extend(guards.hold.iter().map(|kind| format!("hold {}", kind.name())));
    said
}

fn view_says(view: &SecureView) -> Vec<String> {
    let mut said = vec![format!("shows {}", view.from)];
    said.extend(view.targets.iter().map(|target| format!("in {target}")));
    for column in &view.columns {
        said.push(match &column.shown {
            Shown::Clear => format!("column {} clear", column.name),
            Shown::Hidden => format!("column {} hidden", column.name),
            Shown::Masked { mask, unless } => {
                let names: Vec<&str> = unless.iter().map(RoleName::as_str).collect();
                let but =
                    if names.is_empty() { String::new() } else { format!(" but for {}", names.join(", ")) };
                format!("column {} masked {mask}{but}", column.name)
            }
        });
    }
    for row in &view.rows {
        said.push(match row {
            RowLine::Role(role) => format!("every row for {role}"),
            RowLine::Where { text, .. } => format!("rows where {text}"),
        });
    }
    said
}

fn of_token(service: &crate::service::Service) -> String {
    let Some(crate::service::ServiceToken { issuer, audience, subject, claims }) = &service.token else {
        return String::new();
    };
    let claims: Vec<String> =
        claims.iter().map(|(claim, values)| format!("{claim} {}", values.join("|"))).collect();
    format!(
        ", tokens of {issuer} for {}, subject {}, claims {}",
        audience.join("|"),
        if subject.is_empty() { "any".to_owned() } else { subject.join("|") },
        if claims.is_empty() { "any".to_owned() } else { claims.join(", ") }
    )
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
                "- mapping: s: any of [g, h] gives r  (m.yaml:7:7)",
                "+ mapping: s: any of [g] gives r until 2027-01-01 0:00:00.0 +00:00:00  (m.yaml:7:7)",
                "- role r: insert on a.b in dw  (m.yaml:5:23)",
                "+ role r: update on a.b in dw  (m.yaml:5:23)",
            ]
        );
    }
}
