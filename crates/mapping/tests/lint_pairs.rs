//! Each lint beside the same map without its fault: it fires on one, is silent on the other, and a comment with a reason silences
//! it in place.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeSet;

use axon_mapping::{Lint, RoleMap, check};
use axon_model::{Delta, Directory, GroupEntry, MemberKind, RecordSeq, UserEntry};
use time::macros::datetime;

const NOW: time::OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

const TARGETS: &str = "axon: 1
targets:
  dw: { kind: synapse-dedicated, host: h, database: d, auth: { token-file: t }, manage: { schemas: [secure] } }
  ws: { kind: synapse-workspace, endpoint: \"https://acme.dev.azuresynapse.net\", auth: managed-identity, via: group }
  rg: { kind: azure-rbac, scope: /subscriptions/x/resourceGroups/y, auth: managed-identity, via: group }
";

/// Groups, one name that two of them have, and a person whose name no pool holds.
fn directory() -> Directory {
    let mut directory = Directory::default();
    for (n, name) in ["Engineers", "Twins", "twins", "Others"].into_iter().enumerate() {
        let group = GroupEntry {
            id: format!("00000000-0000-0000-1111-{n:012x}").parse().unwrap(),
            source: "entra".parse().unwrap(),
            display_name: name.into(),
            external_id: None,
            document: "{}".into(),
        };
        directory.apply(&Delta::GroupPut { group }, RecordSeq(1));
    }
    let user = UserEntry {
        id: "00000000-0000-0000-0000-000000000001".parse().unwrap(),
        source: "entra".parse().unwrap(),
        user_name: r"ACME\kim".into(),
        external_id: Some("kim".into()),
        active: true,
        document: "{}".into(),
    };
    let member = MemberKind::User(user.id);
    directory.apply(&Delta::UserPut { user }, RecordSeq(2));
    let group = "00000000-0000-0000-1111-000000000000".parse().unwrap();
    directory.apply(&Delta::MemberAdded { group, member }, RecordSeq(3));
    directory
}

fn found(text: &str) -> Vec<(Lint, u32)> {
    let map = RoleMap::parse(&[("m.yaml", text)]).unwrap_or_else(|e| panic!("{e}\n{text}"));
    check(&map, Some(&directory()), NOW)
        .into_iter()
        .map(|finding| (finding.lint, finding.place.line))
        .collect()
}

/// A lint, a map with the fault, and the part of it that is the fault with what should stand there.
type Case = (&'static str, &'static str, &'static str, &'static str);

const ROLE_A: &str = "roles: { a: { grants: { dw: [select on x.y] } } }\n";
const GIVES_A: &str = "mappings:\n  - { groups: { any: [Others] }, source: entra, roles: [a] }\n";

#[expect(clippy::too_many_lines, reason = "a list of cases")]
fn cases() -> Vec<Case> {
    vec![
        (
            "unreachable-role",
            "roles: { a: { grants: { dw: [select on x.y] } }, b: { grants: { dw: [select on x.z] } } }\nmappings:\n  - { groups: { any: [Others] }, source: entra, roles: [a] }\n",
            "roles: [a]",
            "roles: [a, b]",
        ),
        ("empty-role", "roles: { a: {} }\nGIVES", "a: {}", "a: { grants: { dw: [select on x.y] } }"),
        (
            "unknown-group",
            "ROLE_Amappings:\n  - { groups: { any: [Engineer] }, source: entra, roles: [a] }\n",
            "[Engineer]",
            "[Others]",
        ),
        (
            "unknown-group",
            "ROLE_AGIVESviews:\n  secure.o: { targets: dw, from: x.y, readers: [a], columns: { id: show }, rows: [{ group: Engineer }] }\n",
            "group: Engineer",
            "group: Others",
        ),
        (
            "ambiguous-group",
            "ROLE_AGIVESviews:\n  secure.o: { targets: dw, from: x.y, readers: [a], columns: { id: show }, rows: [{ group: Twins }] }\n",
            "Twins",
            "Others",
        ),
        (
            "no-groups-yet",
            "ROLE_AGIVESviews:\n  secure.o: { targets: dw, from: x.y, readers: [a], columns: { id: show }, rows: [{ group: Others, source: okta }] }\n",
            "okta",
            "entra",
        ),
        (
            "ambiguous-group",
            "ROLE_Amappings:\n  - { groups: { any: [Twins] }, source: entra, roles: [a] }\n",
            "[Twins]",
            "[Others]",
        ),
        (
            "no-groups-yet",
            "ROLE_Amappings:\n  - { groups: { any: [Others] }, source: okta, roles: [a] }\n",
            "okta",
            "entra",
        ),
        (
            "match-nothing",
            "ROLE_Amappings:\n  - { groups: { match: \"^none-.*$\" }, source: entra, roles: [a], trust: true }\n",
            "none-",
            "Oth",
        ),
        (
            "match-everything",
            "ROLE_Amappings:\n  - { groups: { match: \".*\" }, source: entra, roles: [a], trust: true }\n",
            ".*\" }",
            "Oth.*\" }",
        ),
        (
            "capture-names-nothing",
            "roles: { a: { grants: { dw: [select on x.y] } }, Oth: { grants: { dw: [select on x.z] } } }\nmappings:\n  - { groups: { match: \"^(?<role>Oth).*$\" }, source: entra, roles: \"{role}\", only: [a], trust: true }\n",
            "only: [a]",
            "only: [Oth]",
        ),
        (
            "void-grant",
            "roles:\n  a:\n    grants:\n      dw:\n        - select on hr.people\n        - deny select on schema::hr\nGIVES",
            "deny select on schema::hr",
            "deny select on schema::pay",
        ),
        (
            "covered-grant",
            "roles:\n  a:\n    grants:\n      dw:\n        - select on hr.people\n        - select on schema::hr\nGIVES",
            "select on schema::hr",
            "insert on schema::hr",
        ),
        (
            "defeated-deny",
            "roles:\n  a:\n    grants:\n      dw:\n        - deny select on hr.people\n        - select on hr.people (name)\nGIVES",
            "select on hr.people (name)",
            "select on hr.rooms (name)",
        ),
        (
            "powerful-grant",
            "roles:\n  a: { grants: { dw: [\"per person: member of db_owner\"] } }\nmappings:\n  - { groups: { any: [Others] }, source: entra, roles: [a], when: userType pr }\n",
            "db_owner",
            "db_datareader",
        ),
        (
            "administrator-without-when",
            "roles:\n  a: { grants: { dw: [\"per person: member of db_owner\"] } }\nmappings:\n  - { groups: { any: [Others] }, source: entra, roles: [a] }\n",
            "roles: [a] }",
            "roles: [a], when: userType pr }",
        ),
        (
            "past-view",
            "roles:\n  a: { grants: { dw: [select on secure.orders, select on base.orders] } }\nGIVESVIEW",
            ", select on base.orders",
            "",
        ),
        (
            "past-view",
            "roles:\n  a: { grants: { dw: [select on secure.orders] } }\n  b: { grants: { dw: [select on schema::base] } }\nGIVES  - { groups: { any: [Engineers], none: [Twins] }, source: entra, roles: [b] }\nVIEW",
            "none: [Twins]",
            "none: [Others]",
        ),
        (
            "past-view",
            "roles:\n  a: { grants: { dw: [select on secure.orders] } }\n  b: { grants: { dw: [select on base.orders] } }\nGIVES  - { groups: { any: [Engineers] }, source: entra, roles: [b] }\nVIEWrules: { separate: [] }\n",
            "separate: []",
            "separate: [[a, b]]",
        ),
        (
            "writes-view",
            "roles:\n  a: { grants: { dw: [alter on schema::base] } }\nGIVESVIEW",
            "alter on schema::base",
            "select on schema::other",
        ),
        (
            "puts-on-another",
            "roles:\n  a: { grants: { dw: [\"per person: member of db_owner\"] } }\nGIVESVIEW",
            "db_owner",
            "db_denydatareader",
        ),
        (
            "puts-on-another",
            "roles:\n  a: { grants: { dw: [control on database] } }\n  b: { impersonate: { dw: { roles: [c], for: 1h } } }\n  c: {}\nGIVES",
            "control on database",
            "select on x.y",
        ),
        // Where no view tells people apart there is nothing to put on.
        (
            "puts-on-another",
            "roles:\n  a: { grants: { dw: [alter any role on database] } }\nGIVESVIEW",
            "views:\n  secure.orders: { targets: dw, from: base.orders, columns: { id: show } }\n",
            "",
        ),
        (
            "rewrites-views",
            "roles:\n  a: { grants: { dw: [alter on schema::s, select on schema::s] } }\nGIVESrules: { forbid: [select on hr.people] }\n",
            "alter on schema::s, ",
            "",
        ),
        (
            "around-sql",
            "roles:\n  a: { grants: { ws: [Synapse Administrator] } }\nGIVES",
            "Synapse Administrator",
            "Synapse User",
        ),
        ("around-sql", "roles:\n  a: { grants: { rg: [Contributor] } }\nGIVES", "[Contributor]", "[Reader]"),
        (
            "credential-around-sql",
            "roles:\n  a: { grants: { ws: [Synapse Contributor, Synapse Credential User] } }\nGIVES",
            ", Synapse Credential User",
            "",
        ),
        (
            "credential-around-sql",
            "roles:\n  a: { grants: { ws: [Synapse Contributor] } }\n  b: { grants: { ws: [Synapse Credential User] } }\nGIVES  - { groups: { any: [Engineers] }, source: entra, roles: [b] }\nrules: { separate: [] }\n",
            "separate: []",
            "separate: [[a, b]]",
        ),
        ("misplaced-role", "roles:\n  a: { grants: { ws: [Reader] } }\nGIVES", "[Reader]", "[Synapse User]"),
        (
            "misplaced-role",
            "roles:\n  a: { grants: { rg: [Synapse User] } }\nGIVES",
            "[Synapse User]",
            "[Reader]",
        ),
        (
            "unknown-workspace-role",
            "roles:\n  a: { grants: { ws: [Synapse Artefact User] } }\nGIVES",
            "Artefact",
            "Artifact",
        ),
        (
            "past-until",
            "ROLE_Amappings:\n  - { groups: { any: [Others] }, source: entra, roles: [a], until: 2026-01-01T00:00:00Z }\n",
            "2026",
            "2027",
        ),
        (
            "past-until",
            "ROLE_AGIVESguards:\n  protect:\n    - { principal: dba@acme.com, owner: s@acme.com, until: 2026-01-01T00:00:00Z }\n",
            "2026",
            "2027",
        ),
        (
            "unbounded-removals",
            "  live: { kind: synapse-dedicated, host: h, database: e, auth: { token-file: t }, mode: authoritative }\nroles: { a: { grants: { live: [select on x.y] } } }\nGIVES",
            "mode: authoritative",
            "mode: additive",
        ),
        (
            "refused-name",
            "ROLE_Amappings:\n  - { groups: { any: [Engineers] }, source: entra, roles: [a] }\n",
            "[Engineers]",
            "[Others]",
        ),
        (
            "unknown-row-attribute",
            "roles: { a: { grants: { dw: [select on secure.orders] } } }\nGIVESviews:\n  secure.orders: { targets: dw, from: base.orders, columns: { id: show }, rows: [{ where: region in user.regoin }] }\n",
            "user.regoin",
            "user.userType",
        ),
        (
            "loses-rows",
            "roles: { a: { grants: { dw: [select on secure.orders] } } }\nGIVESviews:\n  secure.orders: { targets: dw, from: base.orders, enforce: native, columns: { id: show }, rows: [{ where: region in user.userType }] }\n",
            "enforce: native,",
            "enforce: native, unfiltered: [db_owner],",
        ),
        (
            "test-of-unknown-group",
            "ROLE_AGIVEStests:\n  - { user: { userName: a, groups: [Othrs], source: entra }, lacks: { dw: [select on z.z] } }\n",
            "[Othrs]",
            "[Others]",
        ),
        (
            "person-by-person",
            "roles: { a: { grants: { rg: [Reader] } } }\nmappings:\n  - { groups: { any: [Others] }, source: entra, roles: [a], when: userType pr }\n",
            "when: userType pr",
            "when: userType pr, via: person",
        ),
        (
            "not-carried-out",
            "roles:\n  a: { grants: { dw: [select on x.y] } }\n  b: { direct: true, grants: { dw: [select on x.z, classifier in largerc] } }\nmappings:\n  - { groups: { any: [Others] }, source: entra, roles: [a, b] }\n",
            "direct: true, ",
            "",
        ),
        (
            "stale-silence",
            "roles:\n  # lint: allow powerful-grant: it was once\n  a: { grants: { dw: [select on x.y] } }\nGIVES",
            "# lint: allow powerful-grant: it was once",
            "# nothing",
        ),
    ]
}

fn whole(text: &str) -> String {
    let view = "views:\n  secure.orders: { targets: dw, from: base.orders, columns: { id: show } }\n";
    let text = text.replace("ROLE_A", ROLE_A).replace("GIVES", GIVES_A).replace("VIEW", view);
    format!("{TARGETS}{text}")
}

#[test]
fn each_lint_fires_on_its_fault_and_not_beside_it() {
    let mut seen = BTreeSet::new();
    for (name, text, fault, mended) in cases() {
        let lint = Lint::parse(name).unwrap();
        let text = whole(text);
        assert!(text.contains(fault), "{name}: {fault}");
        assert!(
            found(&text).iter().any(|(other, _)| *other == lint),
            "{name} does not fire on\n{text}{:?}",
            found(&text)
        );
        let right = text.replacen(fault, mended, 1);
        assert!(!found(&right).iter().any(|(other, _)| *other == lint), "{name} fires on\n{right}");
        seen.insert(lint);
    }
    let missing: Vec<&str> =
        Lint::ALL.iter().filter(|lint| !seen.contains(lint)).map(|lint| lint.name()).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn each_lint_is_silenced_in_place_with_a_reason() {
    for (name, text, ..) in cases().into_iter().filter(|(name, ..)| *name != "stale-silence") {
        let lint = Lint::parse(name).unwrap();
        let text = whole(text);
        let of_lint = |text: &str| -> Vec<u32> {
            found(text).iter().filter(|(other, _)| *other == lint).map(|(_, line)| *line).collect()
        };
        let lines: Vec<u32> = of_lint(&text);
        let comment = format!("# lint: allow {name}: reviewed in May");
        let mut silenced = String::new();
        for (number, line) in (1..).zip(text.lines()) {
            if lines.contains(&number) {
                let indent = &line[..line.len() - line.trim_start().len()];
                silenced.push_str(indent);
                silenced.push_str(&comment);
                silenced.push('\n');
            }
            silenced.push_str(line);
            silenced.push('\n');
        }
        assert_eq!(of_lint(&silenced), [0_u32; 0], "{silenced}");
        assert!(!found(&silenced).iter().any(|(other, _)| *other == Lint::StaleSilence), "{silenced}");
        let without = silenced.replace(&format!("{name}: reviewed in May"), &format!("{name}:"));
        let refused = RoleMap::parse(&[("m.yaml", &without)]).expect_err("a silence says why");
        assert!(refused.to_string().contains("without a reason"), "{refused}");
    }
}
