//! Each reason for which a view has no body, word for word.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use axon_mapping::secure_view::{Operand, RowLine};
use axon_mapping::views::{
    BaseTable, Delimiters, ProfileRow, Surroundings, ViewFault, compile_all, in_one_line, of_tables,
};
use axon_mapping::{RoleMap, SecureView};
use axon_model::SqlName;
use axon_reconcile::{ColumnType, ObjectName};

fn name(text: &str) -> SqlName {
    SqlName::parse(text).unwrap()
}

fn object(schema: &str, table: &str) -> ObjectName {
    ObjectName { schema: name(schema), name: name(table) }
}

/// The views of a map.
fn views(text: &str) -> Vec<SecureView> {
    let text = format!(
        "axon: 1\ntargets:\n  dw: {{ kind: synapse-dedicated, host: h, database: d, auth: {{ token-file: t }}, manage: {{ schemas: [secure, open] }} }}\nviews:\n{text}\n"
    );
    RoleMap::parse(&[("role-map.yaml", &text)]).unwrap_or_else(|faults| panic!("{faults}\n{text}")).views
}

fn table(columns: Vec<(SqlName, ColumnType)>) -> BaseTable {
    BaseTable { owner: Some(name("axon_owner")), columns }
}

/// The faults of these views beside two tables: one with a column of each sort, and a wide one.
fn faults(views: &[SecureView]) -> Vec<ViewFault> {
    let text = |national, fixed, length| ColumnType::Text { national, fixed, length };
    let columns = [
        ("id", ColumnType::Int),
        ("flag", ColumnType::Bit),
        ("ratio", ColumnType::Float),
        ("share", ColumnType::Decimal(38, 38)),
        ("day", ColumnType::Date),
        ("clock", ColumnType::Time(7)),
        ("guid", ColumnType::UniqueIdentifier),
        ("code", text(false, true, Some(4))),
        ("mail", text(true, false, Some(20))),
        ("body", text(true, false, None)),
        ("tiny", text(false, false, Some(3))),
        ("odd", ColumnType::Other),
    ];
    let columns = columns.map(|(column, ty)| (name(column), ty)).to_vec();
    let wide = (0..1_025).map(|n| (name(&format!("c{n}")), ColumnType::Int)).collect();
    let orders = object("sales", "orders");
    let (bodies, faults) = compile_all(
        views,
        &Surroundings {
            tables: &BTreeMap::from([(orders, table(columns)), (object("sales", "wide"), table(wide))]),
            schemas: &BTreeMap::from([
                (name("secure"), Some(name("axon_owner"))),
                (name("open"), Some(name("dbo"))),
            ]),
            roles: &BTreeMap::new(),
            tags: &BTreeMap::from([("pii".to_owned(), BTreeSet::from([(orders, name("mail"))]))]),
        },
    );
    assert!(bodies.len() < views.len(), "every view has a body");
    faults
}

fn told<'c>(cases: impl IntoIterator<Item = (&'c str, Vec<SecureView>)>) -> String {
    let mut told = String::new();
    for (case, views) in cases {
        let faults = faults(&views);
        assert!(!faults.is_empty(), "{case} has no fault");
        writeln!(told, "## {case}").unwrap();
        for fault in faults {
            writeln!(told, "{fault}").unwrap();
        }
        told.push('\n');
    }
    told
}

fn of(columns: &str) -> Vec<SecureView> {
    views(&format!("  secure.orders: {{ targets: dw, from: sales.orders, columns: {{ {columns} }} }}"))
}

#[test]
fn of_views_and_their_columns() {
    let one = of("id: show");
    // A map in which a view hides all it names is refused; a pattern may fit nothing.
    let nothing = of("\"zz*\": { mask: \"null\" }");
    let other = views("  secure.ORDERS: { targets: dw, from: sales.orders, columns: { id: show } }");
    let nested = views("  secure.more: { targets: dw, from: secure.orders, columns: { id: show } }");
    let from = |from: &str| {
        let of = of("\"*\": { mask: \"null\" }");
        of.into_iter().map(|view| SecureView { from: object("sales", from), ..view }).collect::<Vec<_>>()
    };
    let cases = [
        ("a table that is not there", from("gone")),
        ("two owners", views("  open.orders: { targets: dw, from: sales.orders, columns: { id: show } }")),
        ("one name twice", [one.clone(), other].concat()),
        ("a view of a view", [one, nested].concat()),
        ("no column", nothing),
        ("too many columns", from("wide")),
        ("a column that is not there", of("gone: show")),
        ("a tag that is not there", of("\"tag:secret\": { mask: \"null\" }")),
        ("a pattern that shows", of("\"*\": show")),
        ("a tag that shows", of("\"tag:pii\": show")),
        ("two masks for one column", of("\"ma*\": { mask: \"null\" }, \"tag:pii\": { mask: email }")),
    ];
    insta::assert_snapshot!("of_views_and_their_columns", told(cases));
}

#[test]
fn of_masks() {
    let masks = [
        ("null", "odd"),
        ("redact", "clock"),
        ("constant('too long')", "code"),
        ("constant('ü')", "code"),
        ("constant('2021-02-29')", "day"),
        ("constant('x')", "id"),
        ("hash", "body"),
        ("hash", "code"),
        ("hash", "id"),
        ("email", "code"),
        ("last(18)", "mail"),
        ("first(2)", "code"),
        ("last(1)", "tiny"),
        ("digits", "id"),
        ("round(10)", "ratio"),
        ("bucket(1000)", "share"),
        ("year", "clock"),
        ("month", "id"),
    ];
    let cases = masks.iter().map(|(mask, column)| (*mask, of(&format!("{column}: {{ mask: \"{mask}\" }}"))));
    insta::assert_snapshot!("of_masks", told(cases));
}

#[test]
fn of_rows() {
    let conditions = [
        "gone eq 1",
        "id eq 'x'",
        "id eq 1.5",
        "id eq 99999999999",
        "id eq true",
        "id in (1, 'x')",
        "flag eq 2",
        "guid eq 'x'",
        "day eq '2021-02-29'",
        "odd eq 'x'",
        "id ne user.title",
        "day eq user.title",
        "id last 90 days",
        "day eq '1800-01-01'",
        "mail gt 'm'",
    ];
    let cases = conditions.iter().map(|condition| {
        let view = format!(
            "  secure.orders: {{ targets: dw, from: sales.orders, columns: {{ id: show }}, rows: [{{ where: \"{condition}\" }}] }}"
        );
        (*condition, views(&view))
    });
    // No text of a map says this: whoever makes a view otherwise is told as well.
    let mut odd = views(
        "  secure.orders: { targets: dw, from: sales.orders, columns: { id: show }, rows: [{ where: \"day last 9 days\" }] }",
    );
    for row in &mut odd[0].rows {
        if let RowLine::Where { all, .. } = row {
            all[0].operand = Operand::Text("9".into());
        }
    }
    insta::assert_snapshot!("of_rows", told(cases.chain([("day last '9' days", odd)])));
}

#[test]
fn of_names_and_profiles() {
    let (_, collide) = of_tables([object("a", "b_c"), object("a_b", "c")]);
    let collide = &collide[0];
    let by = Delimiters::new('|', ':', ',').unwrap();
    let row =
        |value: &str| ProfileRow { principal: name("kim"), attribute: "region".into(), value: value.into() };
    let holds = in_one_line(&BTreeSet::from([row("a,b")]), by).unwrap_err();
    let rows = (0..4).map(|n| row(&format!("{n}{}", "x".repeat(1_000)))).collect();
    let long = in_one_line(&rows, by).unwrap_err();
    insta::assert_snapshot!("of_names_and_profiles", format!("{collide}\n{holds}\n{long}"));
}

#[test]
fn a_view_names_no_role_that_is_not_there() {
    const MAP: &str = r"
axon: 1
targets:
  dw: { kind: synapse-dedicated, host: h.example.org, database: dw, auth: managed-identity, manage: { schemas: [secure] } }
roles:
  reader: {}
views:
  secure.v:
    targets: dw
    from: base.t
    readers: [READERS]
    columns: { id: show, name: { mask: redact, unless: [UNLESS], for: [FOR] } }
    rows: [{ role: ROWS }, { where: id eq 1, for: [LINE] }]
";
    let places = ["READERS", "UNLESS", "FOR", "ROWS", "LINE"];
    let map = |wrong: Option<&str>| {
        let name = |place: &str| if Some(place) == wrong { "raeder" } else { "reader" };
        let text = places.iter().fold(MAP.to_owned(), |text, place| text.replace(place, name(place)));
        RoleMap::parse(&[("map.yaml", text.as_str())]).map(|_| ()).map_err(|faults| faults.to_string())
    };
    // One role on both sides of a mask is a fault of its own, which is not what is asked here.
    let right = map(None).err().unwrap_or_default();
    assert!(!right.contains("no role is named"), "{right}");
    for place in places {
        let said = map(Some(place)).unwrap_err();
        assert!(said.contains("no role is named `raeder`"), "{place}: {said}");
    }
}

#[test]
fn a_pool_whose_readers_reach_the_files_and_a_file_of_steps_hold_no_views() {
    for (target, because) in [
        (
            "kind: synapse-serverless, host: h, database: d, auth: { token-file: t }",
            "who reads a serverless pool reads files, and reaches them past any view by storage access, by REFERENCES on a \
             credential, or by ADMINISTER DATABASE BULK OPERATIONS",
        ),
        (
            "kind: script, dialect: dedicated, database: d, out: x.sql",
            "profiles change with people, and keys must not stand in a file",
        ),
    ] {
        let map = |views: &str| {
            format!(
                "axon: 1\ntargets:\n  lake: {{ {target}, manage: {{ schemas: [secure] }} }}\n\
                 roles:\n  analyst: {{ grants: {{ lake: [select on sales.orders] }} }}\n{views}"
            )
        };
        let without = map("");
        RoleMap::parse(&[("m.yaml", &without)]).unwrap_or_else(|faults| panic!("{faults}\n{without}"));
        let with =
            map("views:\n  secure.orders: { targets: lake, from: sales.orders, columns: { id: clear } }\n");
        let faults = RoleMap::parse(&[("m.yaml", &with)]).map(|_| ()).unwrap_err().to_string();
        assert!(faults.contains(&format!("target `lake` holds no secure views: {because}")), "{faults}");
    }
}

#[test]
fn views_of_different_pools_are_no_circle() {
    let pool = |name: &str| {
        format!(
            "  {name}: {{ kind: synapse-dedicated, host: h, database: {name}, auth: {{ token-file: t }}, manage: {{ schemas: [secure] }} }}\n"
        )
    };
    let view = |name: &str, targets: &str, from: &str| {
        format!("  secure.{name}: {{ targets: [{targets}], from: secure.{from}, columns: {{ id: show }} }}\n")
    };
    let read = |views: &[String]| {
        let text =
            format!("axon: 1\ntargets:\n{}{}{}views:\n{}", pool("p"), pool("q"), pool("r"), views.concat());
        RoleMap::parse(&[("role-map.yaml", &text)])
    };
    // In each pool the last of them names something that is no view there.
    let apart = [view("a", "p, r", "b"), view("b", "p, q", "c"), view("c", "q, r", "a")];
    assert!(read(&apart).is_ok());
    let together = [view("a", "p, r", "b"), view("b", "p, q", "c"), view("c", "p", "a")];
    let told = read(&together).unwrap_err().to_string();
    assert!(told.contains("circle: secure.a -> secure.b -> secure.c -> secure.a"), "{told}");
}
