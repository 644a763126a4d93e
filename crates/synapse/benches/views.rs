//! 1,000 views of 50 columns, masked and with rows by attribute, from the map's value to their texts and digests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use axon_mapping::RoleMap;
use axon_mapping::views::of_target;
use axon_model::SqlName;
use axon_reconcile::secure::BaseTable;
use axon_reconcile::{ColumnType, ObjectName, ViewsThere};
use axon_synapse::render::{ViewVerb, secure_view, shown_text};

const TABLES: usize = 1_000;
const COLUMNS: usize = 50;
/// What the compilation may take.
const MOST: Duration = Duration::from_secs(1);

fn name(text: &str) -> SqlName {
    SqlName::parse(text).expect("a name")
}

fn map() -> RoleMap {
    let mut text =
        "axon: 1\ntargets:\n  dw:\n    kind: synapse-dedicated\n    host: 127.0.0.1\n    database: dw\n    \
                    auth: { token-file: t }\n    tls: off\n    manage: { schemas: [secure] }\n\
                    roles: { analyst: {}, finance: {} }\ntags: { pii: [\"c*5\"] }\nviews:\n"
            .to_owned();
    let rest: String = [0, 1, 2, 3, 4, 6, 7, 8, 9]
        .map(|digit| format!("\"c*{digit}\": {{ mask: first(2), for: [analyst] }}\n      "))
        .concat();
    let rest = format!("{}\n", rest.trim_end());
    for table in 0..TABLES {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  secure.t{table}:\n    targets: dw\n    from: sales.t{table}\n    readers: [analyst]\n    columns:\n      \
             \"tag:pii\": {{ mask: hash, unless: [finance] }}\n      {rest}    \
             rows:\n      - role: finance\n      - where: c0 in user.title"
        );
    }
    RoleMap::parse(&[("map.yaml", &text)]).unwrap_or_else(|faults| panic!("{faults}"))
}

#[expect(clippy::print_stdout, reason = "a bench tells its figures")]
fn main() {
    let owner = Some(name("axon_owner"));
    let text = ColumnType::Text { national: true, fixed: false, length: Some(64) };
    let columns: Vec<_> = (0..COLUMNS).map(|n| (name(&format!("c{n}")), text)).collect();
    let object = |n: usize| ObjectName { schema: name("sales"), name: name(&format!("t{n}")) };
    let tables = (0..TABLES).map(|n| (object(n), BaseTable { owner, columns: columns.clone() }));
    let there = ViewsThere { tables: tables.collect(), ..ViewsThere::default() };
    let schemas = BTreeMap::from([(name("secure"), owner)]);
    let map = map();
    let target = map.targets.values().next().expect("the target");
    let mut best = Duration::MAX;
    let mut bytes = 0;
    for _ in 0..5 {
        let began = Instant::now();
        let compiled = of_target(&map, target, &there, &schemas);
        assert!(
            compiled.faults.is_empty() && compiled.bodies.len() == TABLES,
            "{:?}",
            compiled.faults.first()
        );
        let managed = axon_synapse::managed(&target.metadata);
        let texts = compiled.bodies.iter().map(|body| secure_view(body, ViewVerb::Create, managed));
        let digests: BTreeSet<String> = texts
            .map(|text| {
                bytes += text.as_str().len();
                shown_text(text.as_str()).digest
            })
            .collect();
        assert_eq!(digests.len(), TABLES);
        best = best.min(began.elapsed());
    }
    println!(
        "views: {TABLES} of {COLUMNS} columns, {} bytes of text, compiled, written and digested in {best:?}",
        bytes / 5
    );
    assert!(best < MOST, "it took {best:?}, wanted is {MOST:?}");
}
