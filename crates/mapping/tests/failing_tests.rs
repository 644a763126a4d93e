//! What a test of a map that does not hold says: what was expected, what came out, and what kept it away.

use axon_mapping::{RoleMap, map_test};
use time::macros::datetime;

const MAP: &str = r#"axon: 1
targets:
  dw: { kind: synapse-dedicated, host: h, database: d, auth: { token-file: t } }
roles:
  reader: { grants: { dw: [select on sales.orders, "select on sales.regions (id)"] } }
  maker: { grants: { dw: [insert on pay.orders] } }
  approver: { grants: { dw: [update on pay.orders] } }
mappings:
  - { groups: { any: [Readers], none: [Interns] }, source: entra, roles: [reader] }
  - { groups: { any: [Employees] }, source: entra, when: userType eq "Employee", roles: [reader] }
  - { groups: { any: [Summer] }, source: entra, until: 2026-01-01T00:00:00Z, roles: [reader] }
  - { groups: { match: "^team-(?<role>[a-z]+)$" }, source: entra, roles: "{role}", only: [maker, approver] }
  - { service: ci, roles: [maker] }
services: { ci: { principal: axon-ci } }
rules: { separate: [[maker, approver]] }
tests:
  - { user: { userName: kim, source: entra, groups: [Readers, Interns] }, has: { dw: [select on sales.orders] } }
  - { user: { userName: guest, source: entra, groups: [Employees], userType: Guest }, roles: [reader] }
  - { user: { userName: untold, source: entra, groups: [Employees] }, roles: [reader] }
  - { user: { userName: late, source: entra, groups: [Summer] }, has: { dw: [select on sales.orders] } }
  - { user: { userName: noname, source: entra, groups: [team-none] }, roles: [maker] }
  - { user: { userName: gone, source: entra, groups: [Readers], active: false }, roles: [reader] }
  - { user: { userName: both, source: entra, groups: [team-maker, team-approver] }, roles: [maker, approver] }
  - { user: { userName: holds, source: entra, groups: [Readers] }, roles: [], lacks: { dw: [select on sales.orders, select on sales.regions] } }
  - { user: { userName: part, source: entra, groups: [Readers] }, has: { dw: [select on sales.regions] } }
  - { service: ci, roles: [reader], has: { dw: [select on sales.orders] }, lacks: { dw: [insert on pay.orders] } }
"#;

#[test]
fn a_test_that_does_not_hold_says_what_keeps_it_from_holding() {
    let map = RoleMap::parse(&[("role-map.yaml", MAP)]).unwrap_or_else(|faults| panic!("{faults}"));
    let failures = map_test::run(&map, datetime!(2026-11-22 12:00 UTC));
    let told: Vec<String> = failures.iter().map(ToString::to_string).collect();
    for test in &map.tests {
        let name = test.who.name();
        assert!(failures.iter().any(|failure| failure.message.starts_with(&name)), "{name} holds");
    }
    insta::assert_snapshot!("failing_tests", told.join("\n"));
}
