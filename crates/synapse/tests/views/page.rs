//! The worked example of docs/VIEWS.md: its map against its table gives its statement, which the emulator takes.

use std::collections::BTreeMap;

use axon_emulator::Value;
use axon_mapping::RoleMap;
use axon_mapping::views::of_target;
use axon_reconcile::secure::BaseTable;
use axon_reconcile::{ColumnType, ObjectName, ViewsThere};
use axon_synapse::render::{ViewVerb, secure_view};

use crate::policy::{OWNER, name};
use crate::pool::Running;

const PAGE: &str = include_str!("../../../../docs/VIEWS.md");

/// What the example takes for granted.
const BASE: &str = r"
axon: 1
targets:
  warehouse:
    kind: synapse-dedicated
    host: 127.0.0.1
    database: dw
    auth: { token-file: pool.token }
    tls: off
    manage: { schemas: [secure] }
roles: { analyst: {}, finance: {} }
mappings:
  - { groups: { any: [Analysts] }, source: entra, roles: [analyst] }
  - { groups: { any: [Finance] }, source: entra, roles: [finance] }
";

fn block(kind: &str) -> &'static str {
    let begin = format!("```{kind}\n");
    let at = PAGE.find(&begin).unwrap_or_else(|| panic!("no block {kind}")) + begin.len();
    let end = PAGE[at..].find("```").expect("the block is closed");
    PAGE[at..at + end].trim_end()
}

#[test]
fn the_example_of_the_page_is_what_the_map_comes_to() {
    let mut pool = Running::empty();
    pool.run(&format!("CREATE USER {OWNER} WITHOUT LOGIN"));
    for schema in ["sales", "secure"] {
        pool.run(&format!("CREATE SCHEMA {schema} AUTHORIZATION {OWNER}"));
    }
    for statement in axon_synapse::render::managed_schema(name("axon"), name(OWNER)) {
        pool.run(statement.as_str());
    }
    pool.run(block("sql table"));
    let columns = pool.run(
        "SELECT c.name, y.name, c.max_length, c.precision, c.scale FROM sys.columns c \
         JOIN sys.objects o ON o.object_id = c.object_id JOIN sys.types y ON y.user_type_id = c.user_type_id \
         WHERE o.name = 'customers' ORDER BY c.column_id",
    );
    let columns = columns.iter().map(|row| match row.as_slice() {
        [
            Value::Text(column),
            Value::Text(ty),
            Value::Int(length),
            Value::Int(precision),
            Value::Int(scale),
        ] => {
            let byte = |n: &i64| u8::try_from(*n).unwrap();
            let length = i16::try_from(*length).unwrap();
            (name(column), ColumnType::from_catalog(ty, length, byte(precision), byte(scale)))
        }
        other => panic!("{other:?}"),
    });
    let table = ObjectName { schema: name("sales"), name: name("customers") };
    let owner = Some(name(OWNER));
    let there = ViewsThere {
        tables: BTreeMap::from([(table, BaseTable { owner, columns: columns.collect() })]),
        ..ViewsThere::default()
    };
    let map = RoleMap::parse(&[("base.yaml", BASE), ("views.yaml", block("yaml views"))])
        .unwrap_or_else(|faults| panic!("{faults}"));
    let target = map.targets.values().next().unwrap();
    let compiled = of_target(&map, target, &there, &BTreeMap::from([(name("secure"), owner)]));
    assert!(compiled.faults.is_empty(), "{:?}", compiled.faults);
    let text = secure_view(&compiled.bodies[0], ViewVerb::Create, axon_synapse::managed(&target.metadata));
    // The second line holds the digest of the rest.
    let written: Vec<&str> = text.as_str().lines().filter(|line| !line.starts_with("/*")).collect();
    if std::env::var_os("AXON_WRITE_PAGE").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/VIEWS.md");
        std::fs::write(path, PAGE.replace(block("sql view"), &written.join("\n"))).unwrap();
        return;
    }
    assert_eq!(written.join("\n"), block("sql view"));
    pool.run(text.as_str());
}
