use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;

use super::{Around, Ways};
use crate::ColumnType;
use crate::graph::{Connect, Grant, GrantKey, GrantState, Graph, Membership, Principal, PrincipalKind, Role};
use crate::permission::Permission;
use crate::secure::{Metadata, TableFilter};
use crate::shape::{ObjectFacts, ObjectKind, ObjectName, Securable};
use crate::view_body::{Cell, RowRule, Rows, ShownColumn, Test, ViewBody, Who};

fn name(text: &str) -> SqlName {
    SqlName::parse(text).unwrap()
}

fn object(schema: &str) -> ObjectName {
    ObjectName { schema: name(schema), name: name("orders") }
}

fn in_schema(schema: &str, object: &str) -> ObjectName {
    ObjectName { schema: name(schema), name: name(object) }
}

fn body(rows: Rows) -> ViewBody {
    ViewBody {
        name: object("secure"),
        from: object("sales"),
        columns: vec![ShownColumn { name: name("id"), ty: ColumnType::Int, cell: Cell::Clear }],
        rows,
    }
}

/// In a target with a table, a view and a procedure of the owner beside what the view shows.
fn asking<T>(graph: &Graph, ask: impl FnOnce(&Ways<'_>) -> T) -> T {
    let owner = Some(name("axon_owner"));
    let schemas = [("sales", owner), ("secure", owner), ("axon", owner), ("hr", Some(name("dbo")))];
    let schemas: BTreeMap<_, _> = schemas.map(|(schema, owner)| (name(schema), owner)).into();
    let mut objects = BTreeMap::new();
    for (schema, object, kind) in [
        ("sales", "orders", ObjectKind::Table),
        ("sales", "other", ObjectKind::Table),
        ("sales", "report", ObjectKind::View),
        ("sales", "load", ObjectKind::Procedure),
        ("secure", "orders", ObjectKind::View),
        ("hr", "report", ObjectKind::View),
    ] {
        let owner = schemas[&name(schema)];
        let facts = ObjectFacts { kind, owner, columns: Vec::new() };
        objects.insert(ObjectName { schema: name(schema), name: name(object) }, facts);
    }
    let around = Around {
        metadata: &Metadata::new(name("axon"), name("axon_owner")),
        schemas: &schemas,
        objects: &objects,
        ours: &[object("secure")].into(),
        own: &[name("keeper")].into(),
    };
    ask(&Ways::of(graph, around))
}

fn give(graph: &mut Graph, grantee: &str, permission: Permission, securable: Securable) {
    let key = GrantKey { grantee: name(grantee), securable, permission };
    graph.grants.insert(key, Grant::wanted(GrantState::Grant));
}

fn put(graph: &mut Graph, role: &str, member: &str) {
    graph.members.insert(Membership { role: name(role), member: name(member) });
}

fn told(permission: Permission, on: Securable, grantee: &str) -> Option<String> {
    told_beside(None, permission, on, grantee)
}

fn told_beside(
    filter: Option<&TableFilter>,
    permission: Permission,
    on: Securable,
    grantee: &str,
) -> Option<String> {
    let mut graph = people_and_roles();
    give(&mut graph, "reader", Permission::Select, Securable::Object(object("secure")));
    give(&mut graph, grantee, permission, on);
    asking(&graph, |ways| ways.past(&body(Rows::All), filter))
}

/// Kim reads and is in another role, where Lee is, too.
fn people_and_roles() -> Graph {
    let mut graph = Graph::default();
    for role in ["reader", "other", "db_datareader"] {
        graph.roles.insert(name(role), Role::default());
    }
    for person in ["kim", "lee", "keeper"] {
        let connect = Connect::Granted;
        let principal = Principal { kind: PrincipalKind::External, sid: None, connect, created: None };
        graph.principals.insert(name(person), principal);
    }
    graph.members.insert(Membership { role: name("reader"), member: name("kim") });
    graph.members.insert(Membership { role: name("other"), member: name("kim") });
    graph.members.insert(Membership { role: name("other"), member: name("lee") });
    graph
}

#[test]
fn whoever_reads_the_view_must_not_reach_past_it_by_any_way() {
    let schema = |text| Securable::Schema(name(text));
    for (permission, on) in [
        (Permission::Select, Securable::Object(object("sales"))),
        (Permission::Select, schema("sales")),
        (Permission::Select, schema("axon")),
        (Permission::Select, Securable::Database),
        (Permission::Alter, schema("secure")),
        (Permission::Control, Securable::Object(object("secure"))),
        (Permission::Execute, schema("sales")),
        (Permission::Impersonate, Securable::Principal(name("axon_owner"))),
        (Permission::AlterAnySchema, Securable::Database),
        (Permission::AlterAnyRole, Securable::Database),
        (Permission::AlterAnyUser, Securable::Database),
        (Permission::Impersonate, Securable::Database),
        (Permission::Execute, Securable::Database),
        // What views believe.
        (Permission::Insert, schema("axon")),
        (Permission::Update, Securable::Object(in_schema("axon", "mask_keys"))),
        (Permission::Update, Securable::Column(in_schema("axon", "profile"), name("value"))),
        (Permission::Delete, Securable::Object(in_schema("axon", "acting"))),
        (Permission::Insert, Securable::Database),
        // Whatever else the owner has, and no one compared with a map.
        (Permission::Select, Securable::Object(in_schema("sales", "report"))),
        (Permission::Alter, Securable::Object(in_schema("sales", "load"))),
        (Permission::Execute, Securable::Object(in_schema("sales", "load"))),
        (Permission::Select, Securable::Object(in_schema("secure", "unknown"))),
    ] {
        let words = told(permission, on, "other").unwrap_or_else(|| panic!("{permission} on {on}"));
        assert!(words.contains("kim, who reads it,") && words.contains("by role other"), "{words}");
    }
    assert!(told(Permission::Select, schema("sales"), "public").is_some(), "everybody is in public");
    assert!(told(Permission::Select, schema("sales"), "lee").is_none(), "lee reads no view");
    assert!(told(Permission::Select, Securable::Database, "lee").is_some(), "now lee does");
    for (permission, on) in [
        (Permission::Select, schema("hr")),
        (Permission::Insert, Securable::Object(object("sales"))),
        (Permission::ViewDefinition, Securable::Database),
        (Permission::Select, schema("secure")),
        (Permission::Select, Securable::Object(in_schema("sales", "other"))),
        (Permission::Control, Securable::Object(in_schema("sales", "other"))),
        (Permission::Select, Securable::Object(in_schema("hr", "report"))),
        (Permission::Insert, schema("hr")),
        (Permission::Alter, Securable::Principal(name("lee"))),
        (Permission::Impersonate, Securable::Principal(name("lee"))),
        (Permission::AlterAnySecurityPolicy, Securable::Database),
    ] {
        assert!(told(permission, on, "other").is_none(), "{permission} on {on}");
    }
}

#[test]
fn an_account_as_which_axon_works_keeps_the_views_and_is_no_reader() {
    for schema in ["secure", "sales", "axon"] {
        let on = Securable::Schema(name(schema));
        assert_eq!(told(Permission::Control, on, "keeper"), None, "{schema}");
    }
    // Another one of the same permissions is one, and so is whoever is in a role that has them.
    let on = || Securable::Schema(name("secure"));
    assert!(told(Permission::Control, on(), "lee").is_some_and(|words| words.contains("lee")));
    assert!(told(Permission::Control, on(), "other").is_some_and(|words| words.contains("kim")));
}

#[test]
fn columns_that_a_filter_opens_to_a_role_are_no_way_past_and_all_else_is() {
    let column = |text| Securable::Column(object("sales"), name(text));
    let filter = |unfiltered: &[&str]| TableFilter {
        table: object("sales"),
        columns: vec![(name("id"), ColumnType::Int)],
        rows: Rows::Nothing,
        unfiltered: unfiltered.iter().map(|role| name(role)).collect(),
        open: [(name("reader"), [name("id")].into())].into(),
    };
    let plain = filter(&["db_owner", "loads"]);
    let told = |filter, on, grantee| told_beside(Some(filter), Permission::Select, on, grantee);
    assert_eq!(told(&plain, column("id"), "reader"), None);
    for (on, grantee) in [
        (column("mail"), "reader"),
        (column("id"), "other"),
        (Securable::Object(object("sales")), "reader"),
        (Securable::Column(ObjectName { name: name("id"), ..object("axon") }, name("id")), "reader"),
    ] {
        assert!(told(&plain, on, grantee).is_some(), "{on} to {grantee}");
    }
    assert!(told_beside(None, Permission::Select, column("id"), "reader").is_some(), "without its filter");
    let through = told(&filter(&["other"]), column("id"), "reader").unwrap();
    assert!(through.contains("by role other"), "who sees every row is no reader: {through}");
    assert!(
        told_beside(Some(&plain), Permission::AlterAnySecurityPolicy, Securable::Database, "other").is_some(),
        "the policy can be turned off"
    );
}

#[test]
fn columns_are_kept_from_whoever_gets_past_the_filter_by_anything() {
    let filter = |unfiltered: &[&str]| TableFilter {
        table: object("sales"),
        columns: vec![(name("id"), ColumnType::Int)],
        rows: Rows::Nothing,
        unfiltered: unfiltered.iter().map(|role| name(role)).collect(),
        open: [(name("reader"), [name("id")].into())].into(),
    };
    let plain = filter(&["db_owner", "loads"]);
    let through = |graph: &Graph, filter: &TableFilter| {
        asking(graph, |ways| ways.through(filter, &[body(Rows::Nothing)]))
    };
    let mut graph = people_and_roles();
    assert!(!through(&graph, &plain));
    assert!(through(&graph, &filter(&["other"])), "kim is in both");
    for (permission, on) in [
        (Permission::AlterAnySecurityPolicy, Securable::Database),
        (Permission::Select, Securable::Column(object("sales"), name("mail"))),
        (Permission::Control, Securable::Schema(name("axon"))),
        (Permission::AlterAnyRole, Securable::Database),
    ] {
        let mut graph = people_and_roles();
        give(&mut graph, "other", permission, on);
        assert!(through(&graph, &plain), "{permission} on {on}");
    }
    // By a role in a role, too.
    put(&mut graph, "loads", "other");
    assert!(through(&graph, &plain));
    assert!(!through(&graph, &filter(&["db_owner"])));
}

#[test]
fn fixed_roles_that_write_or_give_are_ways_past() {
    for role in super::REACH {
        let mut graph = people_and_roles();
        give(&mut graph, "reader", Permission::Select, Securable::Object(object("secure")));
        put(&mut graph, role, "other");
        let words = asking(&graph, |ways| ways.past(&body(Rows::All), None)).unwrap();
        assert!(words.contains(&format!("by role {role}")), "{words}");
    }
}

#[test]
fn a_key_to_somebody_who_sees_more_is_a_way_past() {
    let rules = |test| Rows::Any(vec![RowRule::All(vec![test])]);
    let to_boss = || Rows::Any(vec![RowRule::To(Who::Role(name("boss")))]);
    let by_region =
        || rules(Test::Attribute { column: name("id"), ty: ColumnType::Int, attribute: "region".into() });
    let key = |rows: Rows, permission, to: &str, change: &dyn Fn(&mut Graph)| {
        let mut graph = people_and_roles();
        for role in ["boss", "outer", "db_owner"] {
            graph.roles.insert(name(role), Role::default());
        }
        give(&mut graph, "reader", Permission::Select, Securable::Object(object("secure")));
        give(&mut graph, "kim", permission, Securable::Principal(name(to)));
        change(&mut graph);
        asking(&graph, |ways| ways.past(&body(rows), None))
    };
    let nothing = |_: &mut Graph| {};
    for permission in [Permission::Alter, Permission::Control, Permission::TakeOwnership] {
        assert!(key(to_boss(), permission, "boss", &nothing).is_some(), "{permission}");
        assert!(key(to_boss(), permission, "outer", &nothing).is_none(), "a role that no view asks for");
    }
    assert!(key(Rows::All, Permission::Alter, "db_owner", &nothing).is_some());
    let boss = |graph: &mut Graph| put(graph, "boss", "lee");
    assert!(key(to_boss(), Permission::Impersonate, "lee", &boss).is_some(), "lee sees every row");
    assert!(key(to_boss(), Permission::Impersonate, "lee", &nothing).is_none());
    let table = |graph: &mut Graph| {
        give(graph, "outer", Permission::Select, Securable::Object(object("sales")));
        put(graph, "outer", "lee");
    };
    assert!(key(Rows::All, Permission::Impersonate, "lee", &table).is_some(), "lee reads the table");
    assert!(key(Rows::All, Permission::Alter, "lee", &table).is_none(), "a user that is altered stays one");
    assert!(key(Rows::All, Permission::Alter, "outer", &table).is_some(), "kim could join outer");
    // Over a third one.
    let over = |graph: &mut Graph| {
        give(graph, "keeper", Permission::Impersonate, Securable::Principal(name("lee")));
        table(graph);
    };
    assert!(key(Rows::All, Permission::Impersonate, "keeper", &over).is_some());
    // Another reader's rows are another's.
    let reads = |graph: &mut Graph| put(graph, "reader", "lee");
    assert!(key(by_region(), Permission::Impersonate, "lee", &reads).is_some());
    assert!(key(Rows::All, Permission::Impersonate, "lee", &reads).is_none(), "both see the same");
}

#[test]
fn whoever_owns_a_role_that_a_view_asks_for_puts_into_it_whom_they_like() {
    let to_boss = || Rows::Any(vec![RowRule::To(Who::Role(name("boss")))]);
    let owned_by = |owner: &str, rows: Rows| {
        let mut graph = people_and_roles();
        graph.roles.insert(name("boss"), Role { fixed: false, owner: Some(name(owner)) });
        give(&mut graph, "reader", Permission::Select, Securable::Object(object("secure")));
        asking(&graph, |ways| ways.past(&body(rows), None))
    };
    let words = owned_by("kim", to_boss()).unwrap();
    assert!(
        words.starts_with("kim, who reads it,") && words.contains("by ownership of role boss"),
        "{words}"
    );
    let words = owned_by("other", to_boss()).unwrap();
    assert!(words.contains("kim") && words.contains("by role other, by ownership of role boss"), "{words}");
    assert_eq!(owned_by("kim", Rows::All), None, "a role that no view asks for");
    for owner in ["lee", "dbo", "keeper", "axon_owner", "boss"] {
        assert_eq!(owned_by(owner, to_boss()), None, "{owner}");
    }
    // A role by which somebody reaches the table is one, too.
    let mut graph = people_and_roles();
    graph.roles.insert(name("loads"), Role { fixed: false, owner: Some(name("kim")) });
    give(&mut graph, "reader", Permission::Select, Securable::Object(object("secure")));
    give(&mut graph, "loads", Permission::Select, Securable::Object(object("sales")));
    assert!(asking(&graph, |ways| ways.past(&body(Rows::All), None)).is_some());
}

/// Kim reads the view; the group of engineers reads its table.
fn beside_engineers() -> Graph {
    let mut graph = people_and_roles();
    let group = Principal { kind: PrincipalKind::ExternalGroup, ..graph.principals[&name("lee")].clone() };
    graph.principals.insert(name("engineers"), group.clone());
    graph.principals.insert(name("analysts"), group);
    give(&mut graph, "engineers", Permission::Select, Securable::Schema(name("sales")));
    give(&mut graph, "reader", Permission::Select, Securable::Object(object("secure")));
    graph
}

#[test]
fn a_group_that_reaches_the_table_closes_the_view_unless_it_is_known_or_said_that_no_reader_is_in_it() {
    let told = |graph: &Graph, accepted: &[&str], known: &[(&str, &[u8])]| {
        let accepted = accepted.iter().map(|group| name(group)).collect();
        let known: BTreeMap<SqlName, &[u8]> = known.iter().map(|(who, are)| (name(who), *are)).collect();
        let who = |name: SqlName| known.get(&name).map(|are| are.iter().copied().collect::<BTreeSet<u8>>());
        asking(graph, |ways| {
            let filter = |open: &str| TableFilter {
                table: object("sales"),
                columns: vec![(name("id"), ColumnType::Int)],
                rows: Rows::Nothing,
                unfiltered: [name("db_owner")].into(),
                open: [(name(open), [name("id")].into())].into(),
            };
            let past = ways.past_by_group(&body(Rows::All), None, &accepted, &who);
            let through = ways.through_by_group(&filter("reader"), &[body(Rows::All)], &accepted, &who);
            assert_eq!(past.is_some(), through, "{past:?}");
            past.unwrap_or_default()
        })
    };
    let graph = beside_engineers();
    let doubt = |what: &str| {
        format!(
            "group engineers reaches sales.orders past it, and {what}: take that from the group, or name it under `metadata.accept_groups`"
        )
    };
    assert_eq!(told(&graph, &[], &[]), doubt("who is in it is not known here"));
    assert_eq!(told(&graph, &["engineers"], &[]), "", "somebody sees to it");
    assert_eq!(
        told(&graph, &["analysts"], &[("engineers", &[1])]),
        doubt("whether kim, who reads the view, is in it is not known here")
    );
    assert_eq!(told(&graph, &[], &[("engineers", &[1, 2]), ("kim", &[3])]), "");
    assert_eq!(
        told(&graph, &[], &[("engineers", &[1, 3]), ("kim", &[3])]),
        doubt("kim, who reads the view, is in it")
    );
    // Readers who enter by a group.
    let mut by_group = graph.clone();
    put(&mut by_group, "reader", "analysts");
    let both: &[(&str, &[u8])] = &[("engineers", &[1]), ("kim", &[3]), ("analysts", &[1, 4])];
    assert_eq!(told(&by_group, &[], both), doubt("some of its people are in analysts, which reads the view"));
    assert_eq!(
        told(&by_group, &[], &both[..2]),
        doubt("whether analysts, who reads the view, is in it is not known here")
    );
    assert_eq!(told(&by_group, &[], &[both[0], both[1], ("analysts", &[4])]), "");
    // A user of SQL is in no group of the directory.
    let mut of_sql = graph.clone();
    if let Some(kim) = of_sql.principals.get_mut(&name("kim")) {
        kim.kind = PrincipalKind::Sql;
    }
    assert_eq!(told(&of_sql, &[], &[("engineers", &[1])]), "");
    // A group that reads the view is a reader like others.
    let mut reads = graph.clone();
    put(&mut reads, "reader", "engineers");
    assert!(asking(&reads, |ways| ways.past(&body(Rows::All), None)).unwrap().contains("engineers"));
    // And where nobody reads the view nobody passes it.
    let mut unread = people_and_roles();
    unread.principals = graph.principals.clone();
    give(&mut unread, "engineers", Permission::Select, Securable::Schema(name("sales")));
    let past =
        asking(&unread, |ways| ways.past_by_group::<u8>(&body(Rows::All), None, &BTreeSet::new(), &|_| None));
    assert_eq!(past, None);
}

#[test]
fn whoever_is_known_to_be_in_a_group_that_reads_must_not_reach_the_table_by_their_own_user() {
    let known = |who: &[(&str, &[u8])]| -> BTreeMap<SqlName, BTreeSet<u8>> {
        who.iter().map(|(who, are)| (name(who), are.iter().copied().collect())).collect()
    };
    let told = |graph: &Graph, unfiltered: &str, known: &BTreeMap<SqlName, BTreeSet<u8>>| {
        let filter = TableFilter {
            table: object("sales"),
            columns: vec![(name("id"), ColumnType::Int)],
            rows: Rows::Nothing,
            unfiltered: [name(unfiltered)].into(),
            open: [(name("reader"), [name("id")].into())].into(),
        };
        let who = |name: SqlName| known.get(&name).cloned();
        asking(graph, |ways| {
            let past = ways.past_by_group(&body(Rows::All), Some(&filter), &BTreeSet::new(), &who);
            let through = ways.through_by_group(&filter, &[body(Rows::All)], &BTreeSet::new(), &who);
            assert_eq!(past.is_some(), through, "{past:?}");
            (ways.asks_who(&body(Rows::All), Some(&filter)), past.unwrap_or_default())
        })
    };
    let mut graph = people_and_roles();
    graph.members.clear();
    let group = Principal { kind: PrincipalKind::ExternalGroup, ..graph.principals[&name("lee")].clone() };
    graph.principals.insert(name("analysts"), group);
    put(&mut graph, "reader", "analysts");
    put(&mut graph, "other", "kim");
    give(&mut graph, "reader", Permission::Select, Securable::Object(object("secure")));
    let both = known(&[("analysts", &[1, 3]), ("kim", &[3]), ("keeper", &[1])]);
    assert_eq!(told(&graph, "db_owner", &both), (false, String::new()), "nobody reaches past it");

    // By a permission, by a role that reads everything, by what views believe, and by a role that sees every row.
    let words = |by: &str| {
        format!(
            "kim is in analysts, which reads it, and reaches sales.orders past it{by}: take that away, or let the group not read the view"
        )
    };
    let mut by_grant = graph.clone();
    give(&mut by_grant, "kim", Permission::Select, Securable::Schema(name("sales")));
    assert_eq!(told(&by_grant, "db_owner", &both), (true, words("")));
    let mut believed = graph.clone();
    give(&mut believed, "other", Permission::Update, Securable::Schema(name("axon")));
    assert_eq!(told(&believed, "db_owner", &both), (true, words(" by role other")));
    let mut fixed = graph.clone();
    put(&mut fixed, "db_datareader", "kim");
    assert_eq!(told(&fixed, "db_owner", &both), (true, words(" by role db_datareader")));
    assert_eq!(told(&graph, "other", &both), (true, words(" by role other")));

    // Who is in no group that reads, or of whom that is not known, closes nothing.
    for known in [
        known(&[("analysts", &[1]), ("kim", &[3])]),
        known(&[("analysts", &[1, 3])]),
        known(&[("kim", &[3])]),
    ] {
        assert_eq!(told(&by_grant, "db_owner", &known), (true, String::new()));
    }
    // Nor does an account as which Axon works.
    let mut own = graph.clone();
    give(&mut own, "keeper", Permission::Select, Securable::Schema(name("sales")));
    assert_eq!(told(&own, "db_owner", &both), (false, String::new()));
}
