//! The proof: the text is read, evaluated over the directory and planned against the catalog, and nothing is to be done.

use std::collections::BTreeMap;
use std::sync::Arc;

use axon_model::{MapVersion, SqlName};
use axon_reconcile::classifier::{name_of, put_into};
use axon_reconcile::{Classified, Graph, Sides, plan};
use serde::Serialize;

use super::draft::Draft;
use super::{Adopting, NotAdopted};
use crate::check::{self, Finding};
use crate::desired::{Surroundings, desired};
use crate::map::RoleMap;
use crate::view::classifiers;

/// What was proved, and what is worth looking at nevertheless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// The hash of the text.
    pub version: MapVersion,
    /// What no step can bring about and stays as it is.
    pub findings: Vec<String>,
    /// What the map asks for and waits.
    pub pending: Vec<String>,
    /// What the lints say of it: the pool is as it was found.
    pub lints: Vec<Finding>,
}

/// Proves that the text changes nothing in the pool, and gives nobody anything that they do not have.
pub(super) fn prove(of: Adopting<'_>, text: &str, draft: &Draft) -> Result<Proof, NotAdopted> {
    let unreadable = |faults: String| NotAdopted::Unreadable { target: of.target.clone(), faults };
    let unproved = |what: String| NotAdopted::Unproved { target: of.target.clone(), what };
    let parsed = RoleMap::parse_in(&[("adopted.yaml", text)], &BTreeMap::new(), &of.map.registry);
    let map = Arc::new(parsed.map_err(|faults| unreadable(faults.to_string()))?);
    let mut untouchable: std::collections::BTreeSet<_> =
        draft.protect.iter().map(|(principal, _)| *principal).collect();
    if untouchable != map.guards.protected(of.now) {
        return Err(unproved("it does not protect those who stay as they are".into()));
    }
    untouchable.insert(of.own);
    let around = Surroundings {
        shape: of.shape.clone(),
        known: of.known.clone(),
        untouchable,
        identity: of.identity.clone(),
        ..Surroundings::default()
    };
    let wanted = desired(&map, of.target, of.directory, &around, of.now)
        .map_err(|unknown| unreadable(unknown.to_string()))?;
    if let Some(more) = more_than(&wanted.graph, of.actual) {
        return Err(unproved(format!("it would give {more}, which is not there")));
    }
    let sides = Sides { desired: wanted.graph, actual: of.actual.clone(), scope: wanted.scope };
    let mut planned = plan(&sides);
    let classified = map.targets.get(of.target).map(|spec| classifiers(&map, spec)).unwrap_or_default();
    let is_there = |(role, does): &(SqlName, Classified)| {
        let name = name_of(*role, does.group);
        let mut there = of.classifiers.iter().filter(|there| Some(there.name) == name);
        there.any(|there| there.member == *role && there.does == Some(*does))
    };
    if let Some((role, does)) = classified.iter().find(|wanted| !is_there(wanted)) {
        return Err(unproved(format!("it would run requests of {role} in {does}, and no classifier does")));
    }
    put_into(&mut planned, &classified, of.classifiers, &sides.scope);
    if let Some(first) = planned.steps.first() {
        let more = match planned.steps.len() - 1 {
            0 => String::new(),
            n => format!(", and {n} steps more"),
        };
        return Err(unproved(format!("it would {}{more}", first.step)));
    }
    Ok(Proof {
        version: map.version().clone(),
        findings: planned.findings.iter().map(ToString::to_string).collect(),
        pending: wanted.pending.iter().map(ToString::to_string).collect(),
        lints: check::check(&map, Some(of.directory), of.now),
    })
}

/// Something that is wanted and not there, if there is anything: a plan may leave such a thing as a finding.
fn more_than(wanted: &Graph, actual: &Graph) -> Option<String> {
    let principal = wanted.principals.keys().find(|name| !actual.principals.contains_key(name));
    let role = wanted.roles.keys().find(|name| !actual.roles.contains_key(name));
    let member = wanted.members.iter().find(|membership| !actual.members.contains(membership));
    let grant = wanted
        .grants
        .iter()
        .find(|(key, grant)| actual.grants.get(key).is_none_or(|there| there.state != grant.state));
    principal
        .map(|name| format!("principal {name}"))
        .or_else(|| role.map(|name| format!("role {name}")))
        .or_else(|| member.map(|m| format!("{} in role {}", m.member, m.role)))
        .or_else(|| {
            grant.map(|(key, grant)| {
                format!("{} {} on {} to {}", grant.state, key.permission, key.securable, key.grantee)
            })
        })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axon_model::{Directory, SqlName};
    use axon_reconcile::{Classifier, Connect, Importance, Principal, PrincipalKind, Role, Shape, Sid};
    use time::macros::datetime;

    use super::*;
    use crate::identity::Identity;

    const HEAD: &str = "axon: 1\ntargets:\n  dw: { kind: synapse-dedicated, host: h, database: d, auth: { token-file: t }, mode: observe, role_name: \"{role}\", manage: { roles: [readers, writers], principals: external } }\n";

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    /// What is said of a text that is not what the pool holds: one person in one role.
    fn said(text: &str, protect: &[&str]) -> String {
        said_beside(text, protect, &[])
    }

    fn said_beside(text: &str, protect: &[&str], classifiers: &[Classifier]) -> String {
        let mut actual = Graph::default();
        let there = Principal {
            kind: PrincipalKind::External,
            sid: Sid::from_object_id("00000000-0000-4000-8000-000000000001"),
            connect: Connect::Granted,
            created: None,
        };
        actual.principals.insert(name("ana@acme.com"), there);
        for role in ["readers", "writers"] {
            actual.roles.insert(name(role), Role { fixed: false, owner: Some(name("dbo")) });
        }
        let map = Arc::new(RoleMap::parse(&[("m.yaml", HEAD)]).unwrap_or_else(|faults| panic!("{faults}")));
        let (target, directory) = ("dw".parse().unwrap(), Directory::default());
        let of = Adopting {
            map: &map,
            target: &target,
            actual: &actual,
            shape: &Arc::new(Shape::default()),
            classifiers,
            own: name("axon"),
            known: &BTreeSet::new(),
            directory: &directory,
            identity: &Arc::new(Identity::default()),
            now: datetime!(2026-11-22 12:00 UTC),
            owner: "dba@acme.com",
            until: datetime!(2027-05-22 12:00 UTC),
        };
        let protect = protect.iter().map(|text| (name(text), String::new())).collect();
        let draft = Draft { protect, ..Draft::default() };
        prove(of, &format!("{HEAD}{text}"), &draft).expect_err(text).to_string()
    }

    #[test]
    fn what_is_not_proved_says_what_would_change() {
        let readers = "roles: { readers: { grants: { dw: [] } } }\n";
        let service = "services: { bot: { principal: bot } }\nroles: { readers: {} }\nmappings: [{ service: bot, roles: [readers] }]\n";
        let classified = "roles: { readers: { grants: { dw: [classifier in largerc] } } }\n";
        let kept = "roles: { readers: { grants: { dw: [] } }, writers: { grants: { dw: [] } } }\nguards: { protect: [{ principal: ana@acme.com, owner: o, until: 2027-05-22T12:00:00Z }] }\n";
        let does = Classified {
            group: name("largerc"),
            importance: Importance::High,
            label: None,
            context: None,
            hours: None,
        };
        let there = ["loads", "readers:largerc"];
        let there = there.map(|named| Classifier {
            name: name(named),
            member: name("readers"),
            does: Some(does),
            unread: false,
        });
        let told = [
            ("a text that cannot be read", said("roles: { readers: { grant: {} } }\n", &[])),
            ("somebody who is not protected", said(readers, &["ana@acme.com"])),
            ("a principal too many", said(service, &[])),
            ("a person who would be dropped", said(readers, &[])),
            ("a classifier too many", said(classified, &[])),
            ("a classifier that would be dropped", said_beside(kept, &["ana@acme.com"], &there)),
        ];
        let told: Vec<String> = told.iter().map(|(case, said)| format!("## {case}\n{said}\n")).collect();
        insta::assert_snapshot!("unproved", told.join("\n"));
    }
}
