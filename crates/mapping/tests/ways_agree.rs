//! `axon map check` knows each way past a view that a target's own check knows, as far as lines of a map can open it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_mapping::views::of_target;
use axon_mapping::{Lint, RoleMap, Surroundings, check, desired};
use axon_model::{Delta, Directory, GroupEntry, GroupId, MemberKind, RecordSeq, SqlName, UserEntry, UserId};
use axon_reconcile::secure::{Around, BaseTable, ManagedTable, Ways};
use axon_reconcile::{
    ColumnType, ObjectFacts, ObjectKind, ObjectName, Permission, Shape, ViewBody, ViewsThere,
};
use time::macros::datetime;

const NOW: time::OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

fn name(text: &str) -> SqlName {
    SqlName::parse(text).unwrap()
}

fn object(schema: &str, table: &str) -> ObjectName {
    ObjectName { schema: name(schema), name: name(table) }
}

/// Readers of a view, and a role that has a line more: held by itself, or beside the other one.
fn text(line: &str, same_role: bool, native: bool) -> String {
    let roles = if same_role {
        format!("  reader: {{ grants: {{ dw: [\"{line}\"] }} }}\n  other: {{}}\n")
    } else {
        format!("  reader: {{}}\n  other: {{ grants: {{ dw: [\"{line}\"] }} }}\n")
    };
    let native = if native { "    enforce: native\n    unfiltered: [db_owner, etl]\n" } else { "" };
    format!(
        "axon: 1
targets:
  dw: {{ kind: synapse-dedicated, host: h, database: d, auth: {{ token-file: t }}, mode: authoritative, manage: {{ roles: [\"axon_*\"], schemas: [secure] }} }}
roles:
{roles}mappings:
  - {{ groups: {{ any: [Readers] }}, source: entra, roles: [reader] }}
  - {{ groups: {{ any: [Others] }}, source: entra, roles: [other] }}
views:
  secure.orders:
    targets: dw
{native}    from: sales.orders
    readers: [reader]
    columns: {{ id: show }}
    rows: [{{ where: id ge 1 }}]
"
    )
}

/// Ann is in both groups.
fn directory() -> Directory {
    let mut directory = Directory::default();
    let user_id = UserId::from_uuid(uuid::Uuid::from_u128(1));
    let user = UserEntry {
        id: user_id,
        source: "entra".parse().unwrap(),
        user_name: "ann".into(),
        external_id: None,
        active: true,
        document: "{}".into(),
    };
    directory.apply(&Delta::UserPut { user }, RecordSeq(1));
    for (n, group) in [(2, "Readers"), (3, "Others")] {
        let id = GroupId::from_uuid(uuid::Uuid::from_u128(n));
        let group = GroupEntry {
            id,
            source: "entra".parse().unwrap(),
            display_name: group.into(),
            external_id: None,
            document: "{}".into(),
        };
        directory.apply(&Delta::GroupPut { group }, RecordSeq(1));
        let member = MemberKind::User(user_id);
        directory.apply(&Delta::MemberAdded { group: id, member }, RecordSeq(1));
    }
    directory
}

/// A target in which all is as the map says.
struct Pool {
    shape: Arc<Shape>,
    there: ViewsThere,
}

fn pool() -> Pool {
    let owner = Some(name("axon_owner"));
    let schemas = [("sales", owner), ("secure", owner), ("axon", owner), ("hr", Some(name("dbo")))];
    let schemas: BTreeMap<_, _> = schemas.map(|(schema, owner)| (name(schema), owner)).into();
    let mut objects = BTreeMap::new();
    for (schema, table, kind) in [
        ("sales", "orders", ObjectKind::Table),
        ("sales", "other", ObjectKind::Table),
        ("sales", "load", ObjectKind::Procedure),
        ("axon", "profile", ObjectKind::Table),
        ("axon", "mask_keys", ObjectKind::Table),
        ("secure", "orders", ObjectKind::View),
        ("hr", "report", ObjectKind::View),
    ] {
        let owner = schemas[&name(schema)];
        objects.insert(object(schema, table), ObjectFacts { kind, owner, columns: vec![name("id")] });
    }
    let columns = vec![(name("id"), ColumnType::Int)];
    let there = ViewsThere {
        tables: BTreeMap::from([(object("sales", "orders"), BaseTable { owner, columns })]),
        owner: Some(true),
        managed: ManagedTable::ALL.into(),
        ..ViewsThere::default()
    };
    Pool { shape: Arc::new(Shape { schemas, objects, ..Shape::default() }), there }
}

/// Why the target would close the view, with what the map gives in it.
fn closed(map: &Arc<RoleMap>, pool: &Pool) -> Option<String> {
    let target = "dw".parse().unwrap();
    let spec = &map.targets["dw"];
    let around = Surroundings { shape: pool.shape.clone(), ..Surroundings::default() };
    let graph = desired(map, &target, &directory(), &around, NOW).unwrap().graph;
    let compiled = of_target(map, spec, &pool.there, &pool.shape.schemas);
    let body: &ViewBody = &compiled.bodies[0];
    let ours = BTreeSet::from([body.name]);
    let own = BTreeSet::new();
    let around = Around {
        metadata: &spec.metadata,
        schemas: &pool.shape.schemas,
        objects: &pool.shape.objects,
        ours: &ours,
        own: &own,
    };
    let filter = compiled.filters.iter().find(|filter| filter.table == body.from);
    Ways::of(&graph, around).past(body, filter)
}

fn lines() -> Vec<String> {
    let places = [
        "database",
        "schema::sales",
        "schema::secure",
        "schema::axon",
        "schema::hr",
        "sales.orders",
        "sales.other",
        "sales.load",
        "secure.orders",
        "axon.profile",
        "axon.mask_keys",
        "hr.report",
    ];
    // A map does not tell what an object is: what is executed is code, and what is read is a table.
    let told = |permission: Permission, on: &str| match on {
        "sales.load" => permission == Permission::Execute,
        on => permission != Permission::Execute || !on.contains('.'),
    };
    let all = Permission::ALL.iter().flat_map(|permission| places.map(|on| (*permission, on)));
    let all = all.filter(|(permission, on)| told(*permission, on));
    let mut lines: Vec<String> = all.map(|(permission, on)| format!("{permission} on {on}")).collect();
    lines.push("select on sales.orders (id)".into());
    lines.push("update on axon.profile (id)".into());
    for role in [
        "db_owner",
        "db_datareader",
        "db_datawriter",
        "db_ddladmin",
        "db_securityadmin",
        "db_accessadmin",
        "db_exporter",
        "db_backupoperator",
        "etl",
    ] {
        lines.push(format!("per person: member of {role}"));
    }
    lines
}

#[test]
fn what_would_close_a_view_in_its_target_is_told_of_the_map() {
    let pool = pool();
    let (mut closing, mut open) = (0, 0);
    for native in [false, true] {
        for (line, same_role) in lines().into_iter().flat_map(|line| [(line.clone(), true), (line, false)]) {
            let text = text(&line, same_role, native);
            // What no pool takes stands in no map.
            let Ok(map) = RoleMap::parse(&[("m.yaml", &text)]) else { continue };
            let map = Arc::new(map);
            let found = check(&map, None, NOW);
            let past = found.iter().find(|finding| finding.lint == Lint::PastView);
            let writes = found.iter().any(|finding| finding.lint == Lint::WritesView);
            if let Some(because) = closed(&map, &pool) {
                assert!(past.is_some() || writes, "{line}, by itself: {same_role}: {because}");
                closing += 1;
            } else {
                // Members of db_owner are kept from nothing, and no view is closed for them.
                let administers = line.ends_with("db_owner");
                // A column that the filter opens by itself has no line of its own.
                let opened = native && line.ends_with("(id)");
                assert!(past.is_none() || administers || opened, "{line}, by itself: {same_role}: {past:?}");
                open += 1;
            }
        }
    }
    assert!(closing > 100 && open > 50, "{closing} close it, {open} do not");
}

#[test]
fn what_another_role_denies_opens_no_view_in_its_target_either() {
    let denied = text("select on sales.orders", true, false)
        .replace("  other: {}\n", "  other: { grants: { dw: [deny select on sales.orders] } }\n");
    let map = Arc::new(RoleMap::parse(&[("m.yaml", &denied)]).unwrap());
    assert!(closed(&map, &pool()).is_some());
    assert!(check(&map, None, NOW).iter().any(|finding| finding.lint == Lint::PastView));
}
