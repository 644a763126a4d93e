//! Views of a pattern or a tag that stand in a target: which go, which are closed, and that one fault is not everybody's.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_mapping::views::{BaseTable, Compiled, of_target};
use axon_mapping::{Evaluator, RoleMap, Surroundings};
use axon_model::{Directory, SqlName};
use axon_reconcile::secure::{FoundView, ManagedTable, ViewsWanted, diff};
use axon_reconcile::{
    ColumnType, ObjectFacts, ObjectKind, ObjectName, Securable, Shape, ViewText, ViewsThere,
};

fn name(text: &str) -> SqlName {
    SqlName::parse(text).unwrap()
}

fn object(text: &str) -> ObjectName {
    let (schema, object) = text.split_once('.').unwrap();
    ObjectName { schema: name(schema), name: name(object) }
}

/// A map with one view of each table that `from` speaks of.
fn map(from: &str) -> Arc<RoleMap> {
    map_with(from, "")
}

fn map_with(from: &str, more: &str) -> Arc<RoleMap> {
    let text = format!(
        "axon: 1\ntargets:\n  dw: {{ kind: synapse-dedicated, host: h, database: d, auth: {{ token-file: t }}, manage: {{ schemas: [every, secure] }} }}\nroles: {{ reader: {{}} }}\ntags: {{ pii: [\"a.*.mail\", \"x*.*.mail\"] }}\nviews:\n  \"every.*\": {{ targets: dw, from: \"{from}\", readers: [reader], columns: {{ id: show }} }}\n{more}"
    );
    Arc::new(RoleMap::parse(&[("role-map.yaml", &text)]).unwrap_or_else(|faults| panic!("{faults}\n{text}")))
}

struct Pool {
    there: ViewsThere,
    schemas: BTreeMap<SqlName, Option<SqlName>>,
}

impl Pool {
    /// These tables, each of one owner's with two columns, and the managed schema.
    fn of(tables: &[&str]) -> Self {
        let owner = Some(name("axon_owner"));
        let table = BaseTable {
            owner,
            columns: vec![(name("id"), ColumnType::Int), (name("mail"), ColumnType::Int)],
        };
        let there = ViewsThere {
            tables: tables.iter().map(|text| (object(text), table.clone())).collect(),
            owner: Some(true),
            managed: ManagedTable::ALL.into(),
            result_set_caching: Some(false),
            ..ViewsThere::default()
        };
        let mut pool = Self { there, schemas: BTreeMap::new() };
        for schema in ["a", "a_b", "x", "axon", "every", "secure"] {
            pool.schemas.insert(name(schema), owner);
        }
        pool
    }

    /// The views of this map stand, as the map says.
    fn with_views_of(mut self, map: &RoleMap) -> Self {
        for body in self.compiled(map).bodies {
            self.stands(&body.name.to_string(), Some(digest(ViewText::Body(&body)).unwrap()), true);
        }
        self
    }

    fn stands(&mut self, view: &str, digest: Option<String>, made: bool) {
        self.there.views.insert(object(view), FoundView { digest, made, intact: made, owner: None });
    }

    fn without(mut self, table: &str) -> Self {
        self.there.tables.remove(&object(table)).unwrap();
        self
    }

    fn with(mut self, table: &str) -> Self {
        let like = self.there.tables.values().next().unwrap().clone();
        self.there.tables.insert(object(table), like);
        self
    }

    fn compiled(&self, map: &RoleMap) -> Compiled {
        of_target(map, &map.targets["dw"], &self.there, &self.schemas)
    }

    /// The steps and findings of this map.
    fn told(&self, map: &RoleMap) -> Vec<String> {
        let compiled = self.compiled(map);
        let wanted = ViewsWanted {
            metadata: map.targets["dw"].metadata,
            bodies: &compiled.bodies,
            closed: &compiled.closed,
            schemas: &self.schemas,
            taken: &|_| false,
            past: &|_| None,
            digest: &digest,
            refused: &|_| None,
            keys: &BTreeMap::new(),
            filters: &[],
            kept: &BTreeSet::new(),
            shown: &|_| None,
            opened: &|_| false,
        };
        let (steps, findings) = diff(&wanted, &self.there);
        steps.iter().map(ToString::to_string).chain(findings.iter().map(|f| format!("! {f}"))).collect()
    }

    /// The views that the map's reader is to hold SELECT on.
    fn granted(&self, map: &Arc<RoleMap>) -> BTreeSet<String> {
        let facts = |kind| ObjectFacts { kind, owner: None, columns: Vec::new() };
        let tables = self.there.tables.keys().map(|table| (*table, facts(ObjectKind::Table)));
        let views = self.there.views.keys().map(|view| (*view, facts(ObjectKind::View)));
        let shape = Shape {
            schemas: self.schemas.clone(),
            objects: tables.chain(views).collect(),
            standing: self.compiled(map).standing,
            ..Shape::default()
        };
        let around = Surroundings { shape: Arc::new(shape), ..Surroundings::default() };
        let mut evaluator = Evaluator::new(map.clone(), &"dw".parse().unwrap(), around).unwrap();
        evaluator.full(&Directory::default(), time::OffsetDateTime::UNIX_EPOCH);
        let on = evaluator.graph().grants.keys().filter_map(|key| match key.securable {
            Securable::Object(on) => Some(on.to_string()),
            _ => None,
        });
        on.collect()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a target may have no words for a view")]
fn digest(text: ViewText<'_>) -> Option<String> {
    Some(match text {
        ViewText::Body(body) => format!("{body}"),
        ViewText::Closed(name) => format!("closed {name}"),
    })
}

/// The steps, without what is only told.
fn steps(told: &[String]) -> Vec<&str> {
    told.iter().map(String::as_str).filter(|line| !line.starts_with('!')).collect()
}

#[test]
fn a_table_whose_view_would_have_anothers_name_closes_that_name_and_no_other() {
    for from in ["a*.*", "*.*"] {
        let map = map(from);
        let tables: Vec<String> = (0..50).map(|n| format!("a.t{n}")).chain(["a_b.c".to_owned()]).collect();
        let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
        let pool = Pool::of(&tables).with_views_of(&map);
        assert_eq!(pool.there.views.len(), 51);
        assert_eq!(pool.told(&map), [""; 0]);
        let pool = pool.with("a.b_c");
        let told = pool.told(&map);
        let because = "the views of a.b_c and a_b.c would both be named a_b_c (rename one of the tables, or part them by two \
                       entries with schemas of their own; role-map.yaml:7:3)";
        assert_eq!(
            told,
            [
                format!("close view every.a_b_c: {because}"),
                format!("! view every.a_b_c is to show nothing, and is open until it is closed: {because}"),
            ]
        );
        assert_eq!(pool.granted(&map).len(), 51, "readers keep what they hold");
        // Where none stands, none is made.
        let pool = Pool::of(&["a.b_c", "a_b.c", "a.t"]);
        let told = pool.told(&map);
        assert_eq!(steps(&told), ["create view every.a_t of a.t (id), every row"]);
        // It is as it was when one of the tables has another name.
        assert_eq!(pool.without("a.b_c").compiled(&map).bodies.len(), 2);
    }
}

#[test]
fn a_view_whose_table_is_gone_for_a_moment_is_closed_and_keeps_its_readers() {
    let long = format!("a.{}", "t".repeat(128));
    for from in ["a.*", "*.*", "tag:pii"] {
        let map = map(from);
        for table in ["a.orders", "a.old_orders", &long] {
            let pool = Pool::of(&["a.customers", table]).with_views_of(&map);
            let granted = pool.granted(&map);
            assert_eq!(granted.len(), 2, "{granted:?}");
            let pool = pool.without(table);
            let told = pool.told(&map);
            let view = pool.there.views.keys().find(|view| view.name != name("a_customers")).unwrap();
            let view = *view;
            let because = if table == long {
                "the table that its name was made of is not in the target".to_owned()
            } else {
                format!("table {table} is not in the target")
            };
            assert_eq!(told.len(), 2, "{told:#?}");
            assert!(told[0].starts_with(&format!("close view {view}: {because} (")), "{told:#?}");
            assert!(told[1].starts_with(&format!("! view {view} is to show nothing")), "{told:#?}");
            assert_eq!(pool.granted(&map), granted, "{from} {table}");
            // Closed, it stays so, and opens when the table is back.
            let mut pool = pool;
            pool.stands(&view.to_string(), digest(ViewText::Closed(view)), true);
            let told = pool.told(&map);
            assert_eq!(steps(&told), [""; 0]);
            assert!(told[0].starts_with(&format!("! view {view} shows nothing: {because}")), "{told:#?}");
            let told = pool.with(table).told(&map);
            assert_eq!(told.len(), 1, "{told:#?}");
            assert!(told[0].starts_with(&format!("alter view {view}")), "{told:#?}");
        }
    }
}

#[test]
fn the_views_of_an_entry_whose_tag_is_not_declared_are_closed() {
    let tagged = map("tag:pii");
    let mut pool = Pool::of(&["a.orders", "x.orders", "a_b.orders"]).with_views_of(&tagged);
    assert_eq!(pool.there.views.len(), 2, "{:?}", pool.there.views.keys());
    // None of these is that entry's.
    pool.stands("every.left", Some("older".into()), true);
    pool.stands("every.by_hand", Some("older".into()), false);
    let granted = pool.granted(&tagged);
    let other =
        map_with("tag:pio", "  secure.orders: { targets: dw, from: a.orders, columns: { id: show } }\n");
    let told = pool.told(&other);
    let because = "no tag is named pio (declare it under `tags`; role-map.yaml:7:3)";
    assert_eq!(
        told,
        [
            "create view secure.orders of a.orders (id), every row".to_owned(),
            format!("close view every.a_orders: {because}"),
            format!("close view every.x_orders: {because}"),
            "drop view every.left".to_owned(),
            format!("! view every.[*] shows nothing: {because}"),
            format!("! view every.a_orders is to show nothing, and is open until it is closed: {because}"),
            format!("! view every.x_orders is to show nothing, and is open until it is closed: {because}"),
            "! view every.by_hand stands in a schema of Axon's own and is neither in the map nor Axon's: drop it, or move it"
                .to_owned(),
        ]
    );
    assert_eq!(pool.granted(&other), granted);
}

#[test]
fn a_view_goes_when_the_map_asks_for_it_no_more() {
    let every = map("a*.*");
    let long = format!("a.{}", "t".repeat(128));
    let pool = || Pool::of(&["a.orders", "a.old_orders", "x.orders", "a_b.d", &long]).with_views_of(&every);
    let dropped = |pool: &Pool, map: &RoleMap| -> Vec<String> {
        let told = pool.told(map);
        steps(&told)
            .iter()
            .filter_map(|step| step.strip_prefix("drop view every."))
            .map(str::to_owned)
            .collect()
    };
    let cut =
        pool().there.views.keys().map(|view| view.name.to_string()).find(|view| view.len() == 128).unwrap();
    // The tables are there, and the pattern covers them no more.
    assert_eq!(dropped(&pool(), &map("a.o*")), ["a_b_d", &cut]);
    assert_eq!(dropped(&pool(), &map("x.*")), ["a_b_d", "a_old_orders", "a_orders", &cut]);
    // Nor is it asked for when its table comes back.
    assert_eq!(
        dropped(&pool().without("a.orders"), &map("x.*")),
        ["a_b_d", "a_old_orders", "a_orders", &cut]
    );
    // The tag left the column. `a_b_d` may be the view of a table `a.b_d`, which would have the tag.
    let mut untagged = pool();
    untagged.there.tables.get_mut(&object("a.old_orders")).unwrap().columns.pop();
    assert_eq!(dropped(&untagged, &map("tag:pii")), ["a_old_orders"]);
    // The entry left.
    let text = "axon: 1\ntargets:\n  dw: { kind: synapse-dedicated, host: h, database: d, auth: { token-file: t }, manage: { schemas: [every, secure] } }\n";
    let none = RoleMap::parse(&[("role-map.yaml", text)]).unwrap();
    assert_eq!(dropped(&pool().without("a.orders"), &none).len(), 4);
}

#[test]
fn a_name_that_may_be_a_lost_tables_is_kept_and_says_of_which() {
    // `a_b.c` may have been there, and nobody knows whether the view was that one's: it is closed, which takes nothing from anybody.
    let pool = Pool::of(&["a.b_c", "a_b.d"]).with_views_of(&map("a.*"));
    let told = pool.told(&map("a_b.*"));
    assert_eq!(
        steps(&told)[1..],
        [
            "close view every.a_b_c: table a_b.c is not in the target (its readers keep their permission until the table is back; role-map.yaml:7:3)"
        ]
    );
    // A schema that nobody ever saw is no reason.
    let pool = Pool::of(&["x.b_c", "a_b.d"]).with_views_of(&map("x.*"));
    assert_eq!(steps(&pool.told(&map("*b.*")))[1..], ["drop view every.x_b_c"]);
    let mut both = Pool::of(&["a.x"]).with_views_of(&map("*.*"));
    both.stands("every.a_b_c", Some("older".into()), true);
    assert!(
        both.told(&map("*.*"))[0]
            .starts_with("close view every.a_b_c: table a.b_c or a_b.c is not in the target (")
    );
}
