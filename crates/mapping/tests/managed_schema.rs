//! No view shows the managed schema, whatever pattern or tag its tables fit.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;

use axon_mapping::RoleMap;
use axon_mapping::views::{BaseTable, of_target};
use axon_model::SqlName;
use axon_reconcile::{ColumnType, ObjectName, ViewsThere};

fn name(text: &str) -> SqlName {
    SqlName::parse(text).unwrap()
}

fn object(schema: &str, table: &str) -> ObjectName {
    ObjectName { schema: name(schema), name: name(table) }
}

/// The views of a map that there are in a target with two tables of the same columns.
fn made(from: &str) -> Vec<String> {
    let text = format!(
        "axon: 1\ntargets:\n  dw: {{ kind: synapse-dedicated, host: h, database: d, auth: {{ token-file: t }}, manage: {{ schemas: [secure] }} }}\ntags: {{ all: [\"*.*.value\"] }}\nviews:\n  \"secure.*\": {{ targets: dw, from: \"{from}\", columns: {{ value: show }} }}\n"
    );
    let map = RoleMap::parse(&[("role-map.yaml", &text)]).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
    let columns = vec![(name("value"), ColumnType::Int)];
    let table = BaseTable { owner: Some(name("axon_owner")), columns };
    let there = ViewsThere {
        tables: [object("acme", "orders"), object("axon", "profile")].map(|t| (t, table.clone())).into(),
        ..ViewsThere::default()
    };
    let owner = Some(name("axon_owner"));
    let schemas: BTreeMap<_, _> = ["acme", "axon", "secure"].map(|schema| (name(schema), owner)).into();
    let compiled = of_target(&map, &map.targets["dw"], &there, &schemas);
    compiled.bodies.iter().map(|body| body.from.to_string()).collect()
}

#[test]
fn a_table_whose_files_lie_elsewhere_has_no_view() {
    let text = "axon: 1\ntargets:\n  dw: { kind: synapse-dedicated, host: h, database: d, auth: { token-file: t }, manage: { schemas: [secure] } }\nviews:\n  secure.orders: { targets: dw, from: lake.orders, columns: { value: show } }\n";
    let map = RoleMap::parse(&[("role-map.yaml", text)]).unwrap();
    let columns = vec![(name("value"), ColumnType::Int)];
    let table = BaseTable { owner: Some(name("axon_owner")), columns };
    let mut there =
        ViewsThere { tables: [(object("lake", "orders"), table)].into(), ..ViewsThere::default() };
    let owner = Some(name("axon_owner"));
    let schemas: BTreeMap<_, _> = ["lake", "axon", "secure"].map(|schema| (name(schema), owner)).into();
    let bodies = |there: &ViewsThere| of_target(&map, &map.targets["dw"], there, &schemas);
    assert_eq!(bodies(&there).bodies.len(), 1);
    there.external.insert(object("lake", "orders"));
    let compiled = bodies(&there);
    assert!(compiled.bodies.is_empty());
    let because = &compiled.closed[&object("secure", "orders")];
    assert!(because.starts_with("lake.orders is an external table"), "{because}");
}

#[test]
fn patterns_and_tags_leave_out_what_views_believe() {
    for from in ["a*.*", "*.*", "tag:all"] {
        assert_eq!(made(from), ["acme.orders"], "{from}");
    }
}
