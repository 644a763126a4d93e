//! `enforce: native`: what the language refuses, what views cannot agree on, and what the plan of a map comes to.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use axon_mapping::preview::{Tables, TablesOf, sides, steps};
use axon_mapping::views::{Compiled, of_target};
use axon_mapping::{Compared, Evaluator, RoleMap, Surroundings};
use axon_model::{Directory, SqlName};
use axon_reconcile::secure::{BaseTable, ManagedTable};
use axon_reconcile::{ColumnType, ObjectFacts, ObjectKind, ObjectName, Shape, ViewsThere};
use time::macros::datetime;

const NOW: time::OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

const MAP: &str = r#"
axon: 1
targets:
  dw: { kind: synapse-dedicated, host: h, database: d, auth: { token-file: t }, mode: authoritative, manage: { roles: ["axon_*"], schemas: [secure] } }
roles:
  reader: {}
  finance: { description: Money }
  loader: { grants: { dw: [select on sales.orders] } }
mappings:
  - { groups: { any: [Readers] }, source: entra, roles: [reader] }
  - { groups: { any: [Finance] }, source: entra, roles: [finance] }
"#;

const VIEW: &str = r"
views:
  secure.orders:
    targets: dw
    enforce: native
    unfiltered: [db_owner, etl]
    from: sales.orders
    readers: [reader, finance]
    columns: { id: show, region: show, mail: { mask: email, unless: [finance] }, amount: { mask: round(100) } }
    rows: [{ role: finance }, { where: 'region in user.title and placed last 90 days' }]
";

fn name(text: &str) -> SqlName {
    SqlName::parse(text).unwrap()
}

fn object(schema: &str, table: &str) -> ObjectName {
    ObjectName { schema: name(schema), name: name(table) }
}

fn text(changes: &[(&str, &str)]) -> String {
    let mut text = format!("{MAP}{VIEW}");
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    text
}

fn map(text: &str) -> Arc<RoleMap> {
    Arc::new(RoleMap::parse(&[("m.yaml", text)]).unwrap_or_else(|e| panic!("{e}")))
}

/// The table, in a pool that is all set up.
fn there() -> ViewsThere {
    let text = ColumnType::Text { national: true, fixed: false, length: Some(64) };
    let columns = [
        ("id", ColumnType::Int),
        ("region", text),
        ("mail", text),
        ("amount", ColumnType::Decimal(9, 2)),
        ("placed", ColumnType::Date),
    ];
    let columns = columns.map(|(column, ty)| (name(column), ty)).to_vec();
    let owner = Some(name("axon_owner"));
    ViewsThere {
        tables: BTreeMap::from([(object("sales", "orders"), BaseTable { owner, columns })]),
        owner: Some(true),
        managed: ManagedTable::ALL.into(),
        result_set_caching: Some(false),
        ..ViewsThere::default()
    }
}

fn schemas() -> BTreeMap<SqlName, Option<SqlName>> {
    ["sales", "secure", "axon"].map(|schema| (name(schema), Some(name("axon_owner")))).into()
}

fn compiled(text: &str) -> Compiled {
    let map = map(text);
    of_target(&map, &map.targets["dw"], &there(), &schemas())
}

#[test]
fn what_cannot_be_native_is_refused_at_its_place() {
    let rows = "    rows: [{ role: finance }, { where: 'region in user.title and placed last 90 days' }]\n";
    let cases: [&[(&str, &str)]; 9] = [
        &[(rows, "")],
        &[("mode: authoritative", "mode: additive")],
        &[("secure.orders:", "secure.*:"), ("from: sales.orders", "from: sales.*")],
        &[("[db_owner, etl]", "[public]")],
        &[("[db_owner, etl]", "[axon_reader]")],
        &[("[db_owner, etl]", "[axon_boss]"), ("  loader: {", "  boss: { includes: [reader] }\n  loader: {")],
        &[("reader: {}", "reader: { grants: { dw: [member of etl] } }")],
        &[("    enforce: native\n", "")],
        &[("enforce: native", "enforce: nativ"), ("    unfiltered: [db_owner, etl]\n", "")],
    ];
    let said = cases
        .iter()
        .map(|changes| RoleMap::parse(&[("m.yaml", &text(changes))]).expect_err("it is refused").to_string());
    insta::assert_snapshot!("refused", said.collect::<Vec<_>>().join("\n\n"));
}

#[test]
fn a_filter_holds_the_rows_of_the_view_and_opens_what_is_clear_to_each_role() {
    let Compiled { filters, faults, kept, .. } = compiled(&text(&[]));
    assert!(faults.is_empty() && kept.is_empty(), "{faults:?}");
    let [filter] = filters.as_slice() else { panic!("{filters:?}") };
    let columns: Vec<&str> = filter.columns.iter().map(|(column, _)| column.as_str()).collect();
    assert_eq!(columns, ["region", "placed"]);
    let open = |role: &str| -> BTreeSet<&str> {
        filter.open[&name(role)].iter().map(|column| column.as_str()).collect()
    };
    assert_eq!(open("axon_reader"), BTreeSet::from(["id", "region"]));
    assert_eq!(open("axon_finance"), BTreeSet::from(["id", "mail", "region"]), "clear to this role");
    assert!(!filter.open.contains_key(&name("axon_loader")), "who reads no view is opened nothing");
    // Whoever may act as others acts through views alone.
    let acting = text(&[(
        "  loader: {",
        "  helper: { impersonate: { dw: { roles: [reader], for: 1h } } }\n  loader: {",
    )]);
    let filters = compiled(&acting).filters;
    assert!(filters[0].open.values().all(|columns| !columns.contains(&name("mail"))), "{filters:?}");
    // A rule that compares no column has a parameter all the same.
    let plain = text(&[("{ where: 'region in user.title and placed last 90 days' }", "{ role: reader }")]);
    assert_eq!(compiled(&plain).filters[0].columns, [(name("id"), ColumnType::Int)]);
}

#[test]
fn views_of_one_table_that_disagree_show_nothing_and_what_filters_stays() {
    let more = "  secure.more: { targets: dw, from: sales.orders, columns: { id: show }, rows: [{ role: finance }] }\n";
    let native = more.replace("from:", "enforce: native, unfiltered: [db_owner, etl], from:");
    let same = native.replace(
        "rows: [{ role: finance }]",
        "rows: [{ role: finance }, { where: 'region in user.title and placed last 90 days' }]",
    );
    let mut told = String::new();
    for more in [more, &native, &same.replace("[db_owner, etl]", "[db_owner]")] {
        let Compiled { bodies, filters, kept, faults, .. } = compiled(&format!("{}{more}", text(&[])));
        assert!(bodies.is_empty() && filters.is_empty(), "{bodies:?}");
        assert_eq!(kept, BTreeSet::from([object("sales", "orders")]));
        for fault in faults {
            writeln!(told, "{fault}").unwrap();
        }
    }
    insta::assert_snapshot!("disagree", told);
    let agreed = compiled(&format!("{}{same}", text(&[])));
    assert_eq!((agreed.bodies.len(), agreed.filters.len()), (2, 1), "{:?}", agreed.faults);
    // A view that cannot be says nothing of its filter.
    let gone = compiled(&text(&[("{ id: show,", "{ id: show, gone: show,")]));
    assert!(gone.filters.is_empty() && gone.kept.contains(&object("sales", "orders")));
    // Nor does the other view for it: the columns of both hang on one filter.
    let typo = same.replace("{ id: show }", "{ id: show, gone: show }");
    let one = compiled(&format!("{}{typo}", text(&[])));
    assert_eq!(one.bodies.len(), 1, "{:?}", one.faults);
    assert!(one.filters.is_empty() && one.kept.contains(&object("sales", "orders")));
}

#[test]
fn in_a_database_that_an_integration_made_ready_no_table_is_filtered() {
    let found = compiled(&text(&[])).of_integration();
    assert!(found.bodies.is_empty() && found.filters.is_empty(), "{:?}", found.bodies);
    assert_eq!(found.kept, BTreeSet::from([object("sales", "orders")]));
    let because = &found.closed[&object("secure", "orders")];
    assert!(because.contains("an integration made this database ready"), "{because}");
}

#[test]
fn who_loses_rows_is_told_loudly() {
    let lints = |text: &str| -> String {
        let found = axon_mapping::check(&map(text), None, NOW);
        found
            .iter()
            .map(ToString::to_string)
            .filter(|line| line.contains("loses-rows"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let nobody = text(&[("    unfiltered: [db_owner, etl]\n", "")]);
    let loader = text(&[("[db_owner, etl]", "[db_owner, axon_loader]")]);
    assert_eq!(lints(&loader), "");
    insta::assert_snapshot!("lints", format!("{}\n--\n{}", lints(&text(&[])), lints(&nobody)));
}

#[test]
fn columns_of_the_table_are_given_while_it_is_filtered_and_not_before() {
    let map = map(&text(&[]));
    let columns = ["id", "region", "mail", "amount", "placed"].map(name).to_vec();
    let facts = |kind, columns| ObjectFacts { kind, owner: None, columns };
    let mut shape = Shape {
        schemas: schemas(),
        objects: BTreeMap::from([
            (object("sales", "orders"), facts(ObjectKind::Table, columns.clone())),
            (object("secure", "orders"), facts(ObjectKind::View, columns)),
        ]),
        ..Shape::default()
    };
    let evaluator = |shape: &Shape| {
        let around = Surroundings { shape: Arc::new(shape.clone()), ..Surroundings::default() };
        let mut evaluator = Evaluator::new(map.clone(), &"dw".parse().unwrap(), around).unwrap();
        evaluator.full(&Directory::default(), NOW);
        evaluator
    };
    let on_columns = |evaluator: &Evaluator| {
        let grants = evaluator.graph().grants.keys();
        let columns = grants.filter(|key| matches!(key.securable, axon_reconcile::Securable::Column(..)));
        columns.map(|key| format!("{} to {}", key.securable, key.grantee)).collect::<Vec<_>>().join("\n")
    };
    let before = evaluator(&shape);
    assert_eq!(on_columns(&before), "");
    let waits: Vec<String> = before.pending().iter().map(ToString::to_string).collect();
    shape.filtered.insert(object("sales", "orders"));
    let after = evaluator(&shape);
    insta::assert_snapshot!("given", format!("{}\n--\n{}", waits.join("\n"), on_columns(&after)));
    assert!(after.pending().is_empty());
}

fn told(old: &Arc<RoleMap>, new: &Arc<RoleMap>) -> String {
    let (directory, identity, beside) = (Directory::default(), Arc::default(), Arc::default());
    let compared = Compared {
        old: Some(old),
        new,
        directory: &directory,
        identity: &identity,
        beside: &beside,
        now: NOW,
    };
    let both = sides(compared);
    let tables = TablesOf::from([("dw".parse().unwrap(), Ok(Tables { there: there(), schemas: schemas() }))]);
    let found = steps(compared, &both, &tables, &|_, _, _| Vec::new(), usize::MAX);
    let mut lines = Vec::new();
    for target in &found {
        lines.extend(target.steps.iter().map(|told| told.step.clone()));
        lines.extend(target.findings.iter().map(|finding| format!("! {finding}")));
    }
    lines.join("\n")
}

#[test]
fn a_preview_tells_filter_before_columns_and_the_other_way_round_when_it_goes() {
    let plain = text(&[("    enforce: native\n    unfiltered: [db_owner, etl]\n", "")]);
    let (plain, native) = (map(&plain), map(&text(&[])));
    let other = map(&text(&[("last 90 days", "last 30 days")]));
    let all = [("comes", &plain, &native), ("changes", &native, &other), ("goes", &native, &plain)];
    let all = all.map(|(what, old, new)| format!("## {what}\n{}", told(old, new)));
    insta::assert_snapshot!("preview", all.join("\n\n"));
    let said: Vec<String> =
        axon_mapping::diff::diff(&plain, &native).iter().map(ToString::to_string).collect();
    assert!(said.join("\n").contains("filters sales.orders itself"), "{said:?}");
}
