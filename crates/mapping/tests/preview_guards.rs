//! A preview withholds what planning a target of that kind would withhold, and tells of roles that the map itself makes.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;

use axon_mapping::preview::{MOST, TablesOf, TargetSteps, sides, steps};
use axon_mapping::{Compared, Identity, RoleMap};
use axon_model::{Delta, Directory, GroupEntry, GroupId, MemberKind, RecordSeq, UserEntry, UserId};
use time::macros::datetime;

const SQL: &str =
    "  reader: { grants: { t: [select on a.b] } }\n  loader: { grants: { t: [insert on a.b] } }\n";
const AZURE: &str = "  reader: { grants: { t: [Reader] } }
  loader: { define: { t: { name: Loader, actions: [Microsoft.DataFactory/factories/read] } }, grants: { t: [Loader] } }
";

/// Ann is a reader and a loader.
fn directory() -> Directory {
    let user: UserId = "00000000-0000-0000-0000-000000000001".parse().unwrap();
    let entry = UserEntry {
        id: user,
        source: "entra".parse().unwrap(),
        user_name: "ann".into(),
        external_id: None,
        active: true,
        document: "{}".into(),
    };
    let mut directory = Directory::default();
    directory.apply(&Delta::UserPut { user: entry }, RecordSeq(1));
    for (n, name) in ["Readers", "Loaders"].into_iter().enumerate() {
        let id: GroupId = format!("00000000-0000-0000-1111-{n:012x}").parse().unwrap();
        let group = GroupEntry {
            id,
            source: "entra".parse().unwrap(),
            display_name: name.into(),
            external_id: None,
            document: "{}".into(),
        };
        directory.apply(&Delta::GroupPut { group }, RecordSeq(2));
        let member = MemberKind::User(user);
        directory.apply(&Delta::MemberAdded { group: id, member }, RecordSeq(3));
    }
    directory
}

/// Maps without any guard: with all roles, and without the loaders.
fn maps(target: &str, roles: &str) -> (Arc<RoleMap>, Arc<RoleMap>) {
    let map = |roles: &str, mappings: &str| {
        let text = format!("axon: 1\ntargets:\n  t: {{ {target} }}\nroles:\n{roles}mappings:\n{mappings}");
        Arc::new(RoleMap::parse(&[("m.yaml", &text)]).unwrap_or_else(|e| panic!("{e}")))
    };
    let readers = "  - { groups: { any: [Readers] }, source: entra, roles: [reader] }\n";
    let loaders = "  - { groups: { any: [Loaders] }, source: entra, roles: [loader] }\n";
    let (few, _) = roles.split_at(roles.find("  loader").unwrap());
    (map(roles, &format!("{readers}{loaders}")), map(few, readers))
}

fn previewed(old: &Arc<RoleMap>, new: &Arc<RoleMap>) -> TargetSteps {
    let (directory, identity) = (directory(), Arc::<Identity>::default());
    let compared = Compared {
        old: Some(old),
        new,
        directory: &directory,
        identity: &identity,
        beside: &Arc::default(),
        now: datetime!(2026-11-22 12:00 UTC),
    };
    let found = steps(compared, &sides(compared), &TablesOf::new(), &|_, _, _| Vec::new(), MOST);
    let [one] = found.try_into().unwrap();
    one
}

#[test]
fn a_role_that_goes_waits_only_where_there_is_no_engine() {
    let sql = "host: h, database: d, auth: { token-file: t }";
    let azure = "kind: azure-rbac, scope: /subscriptions/s/resourceGroups/g, auth: managed-identity";
    for (target, roles, withheld) in [
        (format!("kind: synapse-dedicated, {sql}"), SQL, None),
        (format!("kind: synapse-serverless, {sql}"), SQL, None),
        ("kind: script, dialect: dedicated, database: d, out: o".to_owned(), SQL, None),
        ("kind: script, dialect: serverless, database: d, out: o".to_owned(), SQL, None),
        (format!("{azure}, manage: {{ roles: [Loader] }}"), AZURE, Some("drop role Loader")),
    ] {
        let (old, new) = maps(&target, roles);
        let found = previewed(&old, &new);
        let told: Vec<&str> = found.withheld.iter().map(|held| held.step.as_str()).collect();
        assert_eq!(told, withheld.into_iter().collect::<Vec<_>>(), "{target}");
        let goes = found.steps.iter().any(|told| told.step == "drop role axon_loader");
        assert_eq!(goes, withheld.is_none(), "{target}: {:?}", found.steps);
    }
}

#[test]
fn a_role_that_the_map_makes_is_told_before_people_get_it() {
    let azure = "kind: azure-rbac, scope: /subscriptions/s/resourceGroups/g, auth: managed-identity";
    let (new, old) = maps(&format!("{azure}, manage: {{ roles: [Loader] }}"), AZURE);
    let found = previewed(&old, &new);
    let told: Vec<&str> = found.steps.iter().map(|told| told.step.as_str()).collect();
    assert_eq!((told, found.to_do), (vec!["create role Loader", "assign Loader to Loaders"], 2));
}
