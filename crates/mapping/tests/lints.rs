//! Each lint finds what it is for, names the line, and is silent where a comment says why.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeSet;

use axon_mapping::{Lint, RoleMap, check};
use axon_model::{Delta, Directory, GroupEntry, MemberKind, RecordSeq, UserEntry};
use time::macros::datetime;

const NOW: time::OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

/// One fault of each kind, at least.
const MAP: &str = r#"
axon: 1
targets:
  dw: { kind: synapse-dedicated, host: h, database: d, auth: { token-file: t }, mode: authoritative, manage: { schemas: [secure] } }
  ws: { kind: synapse-workspace, endpoint: "https://acme.dev.azuresynapse.net", auth: managed-identity, via: group }
  rg: { kind: azure-rbac, scope: /subscriptions/x/resourceGroups/y, auth: managed-identity, via: group }
  df: { kind: azure-rbac, scope: /subscriptions/x/resourceGroups/y/providers/Microsoft.DataFactory/factories/z, auth: managed-identity }
roles:
  nobody: { grants: { dw: [select on x.y] } }
  nothing: {}
  void:
    grants:
      dw:
        - select on hr.people
        - deny select on schema::hr
        - select on sales.orders
        - select on schema::sales
        - deny select on pay.slips
        - select on pay.slips (month)
  keys: { grants: { dw: ["per person: member of db_owner"], ws: [Synapse Administrator], rg: [Contributor], df: [Contributor] } }
  writer: { grants: { ws: [Synapse Contributor, Synapse Credential User, Reader, Synapse Artefact User], df: [Synapse User] } }
  viewer: { grants: { dw: [select on secure.orders, select on base.orders, execute on schema::base] } }
  # lint: allow unreachable-role: kept for the audit in May
  kept: { grants: { dw: [select on x.y] } }
  # lint: allow powerful-grant: nothing powerful is here any more
  tame: { impersonate: { dw: { roles: [viewer], for: 1h } }, grants: { dw: [select on x.z] } }
  odd: { direct: true, grants: { dw: [classifier in largerc] } }
mappings:
  - { groups: { any: [Engineer] }, source: entra, roles: [nothing, void, writer, viewer, tame] }
  - { groups: { any: [Engineers] }, source: entra, roles: [keys] }
  - { groups: { any: [Twins] }, source: entra, roles: [void] }
  - { groups: { any: [Anybody] }, source: okta, roles: [void] }
  - { groups: { match: "^none-.*$" }, source: entra, roles: [void], trust: true }
  - { groups: { match: ".*" }, source: entra, roles: "{role}", only: [void], trust: true }
  - { groups: { match: "^(?<role>Eng).*$" }, source: entra, roles: "{role}", only: [void], trust: true }
  - { groups: { any: [Engineers] }, source: entra, when: userType pr, roles: [writer], until: 2026-01-01T00:00:00Z }
views:
  secure.orders: { targets: dw, from: base.orders, columns: { id: show }, rows: [{ where: region in user.regoin }] }
tests:
  - { user: { userName: a, groups: [Anybdy], source: okta }, lacks: { dw: [select on x.y] } }
"#;

/// A table whose rows nobody sees whole.
const FILTERED: &str = r"
axon: 1
targets:
  dw: { kind: synapse-dedicated, host: h, database: d, auth: { token-file: t }, mode: authoritative, manage: { schemas: [secure] } }
roles:
  viewer: { grants: { dw: [select on secure.orders] } }
mappings:
  - { groups: { any: [Engineers] }, source: entra, roles: [viewer] }
views:
  secure.orders: { targets: dw, enforce: native, from: base.orders, columns: { id: show }, rows: [{ where: region in user.userType }] }
";

/// Who may write views anew, by one role and by two.
const FORBIDS: &str = r"
axon: 1
targets:
  dw: { kind: synapse-dedicated, host: h, database: d, auth: { token-file: t } }
roles:
  cuts: { grants: { dw: [alter on sales.orders, select on sales.orders] } }
  shapes: { grants: { dw: [control on stage.load] } }
  moves: { grants: { dw: [alter on schema::pay] } }
  reads: { grants: { dw: [select on pay.slips (month)] } }
  # lint: allow rewrites-views: nothing but tables is there
  alters: { grants: { dw: [alter on schema::tables, select on schema::tables] } }
  elsewhere: { grants: { dw: [alter on schema::other] } }
mappings:
  - { groups: { any: [Engineers] }, source: entra, roles: [cuts, shapes, moves, alters, elsewhere] }
  - { groups: { any: [Others] }, source: entra, roles: [reads] }
rules: { forbid: [select on hr.salaries] }
";

fn directory() -> Directory {
    let mut directory = Directory::default();
    let groups = ["Engineers", "Twins", "twins", "Others"];
    for (n, name) in groups.iter().enumerate() {
        let group = GroupEntry {
            id: format!("00000000-0000-0000-1111-{n:012x}").parse().unwrap(),
            source: "entra".parse().unwrap(),
            display_name: (*name).into(),
            external_id: None,
            document: "{}".into(),
        };
        directory.apply(&Delta::GroupPut { group }, RecordSeq(1));
    }
    let user = UserEntry {
        id: "00000000-0000-0000-0000-000000000001".parse().unwrap(),
        source: "entra".parse().unwrap(),
        user_name: r"ACME\kim".into(),
        external_id: None,
        active: true,
        document: r#"{"userType":"Employee"}"#.into(),
    };
    let id = user.id;
    directory.apply(&Delta::UserPut { user }, RecordSeq(2));
    let group = "00000000-0000-0000-1111-000000000000".parse().unwrap();
    directory.apply(&Delta::MemberAdded { group, member: MemberKind::User(id) }, RecordSeq(3));
    directory
}

#[test]
fn every_lint_finds_its_fault() {
    let text = MAP.replace(
        "\"{role}\", only: [void], trust: true }\n  - { groups: { match: \"^(",
        "[void], trust: true }\n  - { groups: { match: \"^(",
    );
    let map = RoleMap::parse(&[("role-map.yaml", &text)]).unwrap_or_else(|e| panic!("{e}"));
    let mut found = check(&map, Some(&directory()), NOW);
    // A map with rules of what nobody may have cannot hold what the first one does.
    let forbids = RoleMap::parse(&[("forbids.yaml", FORBIDS)]).unwrap_or_else(|e| panic!("{e}"));
    found.extend(check(&forbids, Some(&directory()), NOW));
    let filtered = RoleMap::parse(&[("filtered.yaml", FILTERED)]).unwrap_or_else(|e| panic!("{e}"));
    found.extend(check(&filtered, Some(&directory()), NOW));
    let told: Vec<String> = found.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("every_lint", told.join("\n"));
    let lints: BTreeSet<Lint> = found.iter().map(|finding| finding.lint).collect();
    let missing: Vec<&str> = Lint::ALL.iter().filter(|l| !lints.contains(l)).map(|l| l.name()).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn a_silenced_lint_is_silent_on_its_own_line_only() {
    let map = |comment: &str| {
        let text = format!(
            "axon: 1\ntargets:\n  dw: {{ kind: synapse-dedicated, host: h, database: d, auth: {{ token-file: t }} }}\nroles:\n{comment}  a: {{ grants: {{ dw: [select on x.y] }} }}\n  b: {{ grants: {{ dw: [select on x.y] }} }}\n"
        );
        let map = RoleMap::parse(&[("m.yaml", &text)]).unwrap_or_else(|e| panic!("{e}"));
        check(&map, None, NOW)
            .iter()
            .map(|f| format!("{}:{}", f.place.line, f.lint.name()))
            .collect::<Vec<_>>()
    };
    assert_eq!(map(""), ["5:unreachable-role", "6:unreachable-role"]);
    assert_eq!(map("  # lint: allow unreachable-role: by hand\n"), ["7:unreachable-role"]);
    assert_eq!(
        map("  # lint: allow unreachable-role: by hand\n  # and another word\n\n"),
        ["9:unreachable-role"]
    );
}
