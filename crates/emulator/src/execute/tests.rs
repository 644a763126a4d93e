use std::time::Duration;

use proptest::prelude::*;

use crate::answer::Answer;
use crate::catalog::permission::Action;
use crate::errors;
use crate::faults::{Armed, Fault};
use crate::testing::{enter, error_of, fails, may, number, ok, pool, rows, sa};

#[test]
fn faults_strike_before_or_after_the_effect() {
    let pool = pool();
    let mut admin = sa(&pool);
    pool.arm(Fault::Statement { error: errors::busy(10), applied: false });
    assert_eq!(number(&mut admin, "CREATE ROLE a"), 40501);
    assert!(pool.snapshot().principal_named("a").is_none());
    pool.arm(Fault::Statement { error: errors::resource_share(), applied: true });
    assert_eq!(number(&mut admin, "CREATE ROLE a"), 10929);
    assert!(pool.snapshot().principal_named("a").is_some());
    pool.arm_for(Armed {
        fault: Fault::Hangup { applied: true },
        times: 1,
        matching: Some("create role".into()),
    });
    ok(&mut admin, &["SELECT 1 AS a"]);
    assert_eq!(admin.batch("CREATE ROLE b").last(), Some(&Answer::Hangup));
    assert!(pool.snapshot().principal_named("b").is_some());
    pool.arm(Fault::Hangup { applied: false });
    assert_eq!(admin.batch("CREATE ROLE c"), [Answer::Hangup]);
    assert!(pool.snapshot().principal_named("c").is_none());
    assert_eq!(pool.faults_waiting(), 0);
}

#[test]
fn a_late_statement_is_cut_short_by_a_kill() {
    let pool = pool();
    let mut late = sa(&pool);
    pool.arm(Fault::Latency(Duration::from_mins(10)));
    std::thread::scope(|scope| {
        let running = scope.spawn(move || late.batch("SELECT 1 AS a"));
        while pool.faults_waiting() > 0 {
            std::thread::yield_now();
        }
        pool.cut_sessions();
        assert_eq!(running.join().unwrap(), [Answer::Hangup]);
    });
}

#[test]
fn the_first_error_ends_the_batch_unless_it_is_caught() {
    let pool = pool();
    let mut admin = sa(&pool);
    assert_eq!(number(&mut admin, "CREATE ROLE a; DROP ROLE nope; CREATE ROLE b"), 15151);
    let catalog = pool.snapshot();
    assert!(catalog.principal_named("a").is_some() && catalog.principal_named("b").is_none());
    ok(&mut admin, &["BEGIN TRY DROP ROLE nope END TRY BEGIN CATCH CREATE ROLE b END CATCH"]);
    assert!(pool.snapshot().principal_named("b").is_some());
    assert_eq!(number(&mut admin, "BEGIN TRY DROP ROLE nope END TRY BEGIN CATCH THROW END CATCH"), 15151);
    // A batch is parsed whole before any of it runs.
    assert_eq!(number(&mut admin, "CREATE ROLE c; FROB"), 103_010);
    assert!(pool.snapshot().principal_named("c").is_none());
}

#[test]
fn messages_throws_and_loops() {
    let pool = pool();
    let mut admin = sa(&pool);
    let answers = admin.batch("PRINT 'hello'");
    assert!(
        matches!(&answers[0], Answer::Info(info) if info.message == "hello" && info.class == 0),
        "{answers:?}"
    );
    assert_eq!(fails(&mut admin, "THROW 50001, 'mine', 2"), (50001, "mine".to_owned()));
    assert_eq!(number(&mut admin, "THROW 100001, 'mine', 2"), 35100);
    assert_eq!(number(&mut admin, "RAISERROR('x', 16, 1)"), 50000);
    ok(
        &mut admin,
        &[
            "RAISERROR('x', 10, 1)",
            "DECLARE @i int = 0; WHILE @i < 3 BEGIN SET @i = @i + 1 END; IF @i <> 3 THROW 50000, 'loop', 1",
            "WHILE 1 = 1 BREAK",
            "SET NOCOUNT ON; SET ANSI_NULLS, QUOTED_IDENTIFIER ON",
            "USE dw",
        ],
    );
    assert_eq!(number(&mut admin, "USE master"), 40508);
}

#[test]
fn views_chain_to_tables_of_the_same_owner() {
    let pool = pool();
    let mut admin = sa(&pool);
    ok(
        &mut admin,
        &[
            "CREATE SCHEMA base",
            "CREATE SCHEMA secure",
            "CREATE TABLE base.orders (id int, region nvarchar(10))",
            "INSERT INTO base.orders (id, region) VALUES (1, N'north')",
            "CREATE VIEW secure.orders AS SELECT id, region FROM base.orders",
            "CREATE USER u WITHOUT LOGIN",
            "GRANT SELECT ON secure.orders TO u",
            "EXECUTE AS USER = 'u'",
            "SELECT id FROM secure.orders",
        ],
    );
    assert_eq!(
        fails(&mut admin, "SELECT id FROM base.orders"),
        (
            229,
            "The SELECT permission was denied on the object 'orders', database 'dw', schema 'base'."
                .to_owned()
        )
    );
    ok(
        &mut admin,
        &[
            "REVERT",
            "CREATE USER other WITHOUT LOGIN",
            "ALTER AUTHORIZATION ON SCHEMA::base TO other",
            "EXECUTE AS USER = 'u'",
        ],
    );
    assert_eq!(number(&mut admin, "SELECT id FROM secure.orders"), 229);
}

#[test]
fn altered_views_keep_permissions_and_text() {
    let pool = pool();
    let mut admin = sa(&pool);
    ok(
        &mut admin,
        &[
            "CREATE VIEW v AS SELECT 1 AS a, 2 AS b",
            "CREATE ROLE r",
            "GRANT SELECT ON v(b) TO r",
            "GRANT UPDATE ON v(a) TO r",
            "ALTER VIEW v AS SELECT 2 AS b, 3 AS c",
        ],
    );
    assert_eq!(rows(&pool, "r"), ["G SELECT on v.b by dbo"]);
    let catalog = pool.snapshot();
    let view = catalog.objects().next().unwrap();
    assert_eq!(view.definition.as_deref(), Some("CREATE VIEW v AS SELECT 2 AS b, 3 AS c"));
    assert_eq!(view.column("b").unwrap().id, 1);
    assert_eq!(number(&mut admin, "ALTER VIEW nope AS SELECT 1 AS a"), 208);
    assert_eq!(number(&mut admin, "CREATE VIEW v AS SELECT 1 AS a"), 2714);
    assert_eq!(number(&mut admin, "CREATE VIEW nowhere.v AS SELECT 1 AS a"), 2760);
    assert_eq!(number(&mut admin, "DROP TABLE v"), 3705);
    ok(&mut admin, &["DROP VIEW v", "DROP VIEW IF EXISTS v"]);
    assert_eq!(number(&mut admin, "DROP VIEW v"), 3701);
}

#[test]
fn tables_need_two_permissions() {
    let pool = pool();
    let mut admin = sa(&pool);
    ok(
        &mut admin,
        &["CREATE SCHEMA s", "CREATE USER u WITHOUT LOGIN WITH DEFAULT_SCHEMA = s", "EXECUTE AS USER = 'u'"],
    );
    assert_eq!(
        fails(&mut admin, "CREATE TABLE t (a int)"),
        (262, "CREATE TABLE permission denied in database 'dw'.".to_owned())
    );
    ok(&mut admin, &["REVERT", "GRANT CREATE TABLE TO u", "EXECUTE AS USER = 'u'"]);
    assert_eq!(
        fails(&mut admin, "CREATE TABLE t (a int)"),
        (
            2760,
            "The specified schema name \"s\" either does not exist or you do not have permission to use it."
                .to_owned()
        )
    );
    ok(
        &mut admin,
        &[
            "REVERT",
            "GRANT ALTER ON SCHEMA::s TO u",
            "EXECUTE AS USER = 'u'",
            "CREATE TABLE t (a int)",
            "REVERT",
        ],
    );
    assert_eq!(pool.snapshot().schema(pool.snapshot().objects().next().unwrap().schema).unwrap().name, "s");
    assert_eq!(number(&mut admin, "CREATE TABLE s.t (a int)"), 2714);
    assert_eq!(number(&mut admin, "CREATE TABLE s.d (a int, A int)"), 2705);
    assert_eq!(number(&mut admin, "DROP SCHEMA s"), 3729);
    assert_eq!(fails(&mut admin, "DROP SCHEMA dbo"), (15150, "Cannot drop the schema 'dbo'.".to_owned()));
    ok(
        &mut admin,
        &[
            "ALTER TABLE s.t ADD b int NULL, c int NULL",
            "CREATE ROLE r",
            "GRANT SELECT ON s.t(b) TO r",
            "ALTER TABLE s.t DROP COLUMN b",
            "CREATE TABLE s.t2 WITH (DISTRIBUTION = ROUND_ROBIN) AS SELECT a, c FROM s.t",
            "RENAME OBJECT s.t2 TO t3",
            "TRUNCATE TABLE s.t3",
            "DROP TABLE s.t3",
        ],
    );
    assert!(rows(&pool, "r").is_empty());
}

#[test]
fn a_transfer_drops_the_objects_permissions() {
    let pool = pool();
    let mut admin = sa(&pool);
    ok(
        &mut admin,
        &[
            "CREATE SCHEMA a",
            "CREATE SCHEMA b",
            "CREATE TABLE a.t (x int)",
            "CREATE USER u WITHOUT LOGIN",
            "GRANT SELECT ON a.t TO u",
            "ALTER SCHEMA b TRANSFER a.t",
        ],
    );
    assert!(!may(&pool, "u", Action::Select, Some("t")));
    ok(&mut admin, &["SELECT x FROM b.t", "DROP SCHEMA a"]);
    assert_eq!(number(&mut admin, "ALTER SCHEMA nope TRANSFER b.t"), 15151);
}

#[test]
fn classifiers_are_for_those_who_control_the_database() {
    let pool = pool();
    let mut admin = sa(&pool);
    let create = "CREATE WORKLOAD CLASSIFIER c WITH (WORKLOAD_GROUP = 'mediumrc', MEMBERNAME = 'u', IMPORTANCE = HIGH)";
    ok(&mut admin, &["CREATE USER u WITHOUT LOGIN", create]);
    assert_eq!(pool.snapshot().classifier_named("C").unwrap().importance, "high");
    assert!(error_of(&admin.batch(create)).is_some());
    assert!(
        error_of(&admin.batch("CREATE WORKLOAD CLASSIFIER d WITH (WORKLOAD_GROUP = 'x', MEMBERNAME = 'u')"))
            .is_some()
    );
    ok(&mut admin, &["DROP WORKLOAD CLASSIFIER c", "EXECUTE AS USER = 'u'"]);
    assert_eq!(number(&mut admin, create), 15247);
}

#[test]
fn an_unprivileged_caller_sees_its_own_part_of_the_catalog() {
    let pool = pool();
    let mut admin = enter(&pool, "admin@x.org");
    ok(
        &mut admin,
        &[
            "CREATE USER [ann@x.org] FROM EXTERNAL PROVIDER",
            "CREATE USER [cy@x.org] FROM EXTERNAL PROVIDER",
            "CREATE ROLE mine",
            "CREATE ROLE theirs",
            "EXEC sp_addrolemember 'mine', 'ann@x.org'",
            "CREATE TABLE seen (a int)",
            "CREATE TABLE hidden (a int)",
            "GRANT SELECT ON seen TO mine",
        ],
    );
    let mut ann = enter(&pool, "ann@x.org");
    let names = |session: &mut crate::session::Session, sql: &str| -> Vec<String> {
        let answers = session.batch(sql);
        assert_eq!(error_of(&answers), None);
        answers
            .into_iter()
            .filter_map(|answer| match answer {
                Answer::Row(row) => Some(format!("{:?}", row[0])),
                _ => None,
            })
            .collect()
    };
    let principals = "SELECT name FROM sys.database_principals WHERE name IN ('ann@x.org', 'cy@x.org', 'mine', 'theirs', 'db_owner') ORDER BY name";
    assert_eq!(names(&mut ann, principals).len(), 3);
    assert_eq!(names(&mut ann, "SELECT name FROM sys.tables"), ["Text(\"seen\")"]);
    ok(&mut admin, &["GRANT VIEW DEFINITION TO mine"]);
    assert_eq!(names(&mut ann, principals).len(), 5);
    assert_eq!(names(&mut ann, "SELECT name FROM sys.tables").len(), 2);
}

#[test]
fn a_session_whose_user_is_dropped_can_do_nothing_more() {
    let pool = pool();
    let mut admin = enter(&pool, "admin@x.org");
    ok(&mut admin, &["CREATE USER [ann@x.org] FROM EXTERNAL PROVIDER"]);
    let mut ann = enter(&pool, "ann@x.org");
    ok(&mut ann, &["SELECT 1 AS a"]);
    ok(&mut admin, &["DROP USER [ann@x.org]"]);
    assert_eq!(number(&mut ann, "SELECT 1 AS a"), 916);
}

/// Statements over a handful of names, so that they meet one another's leavings.
fn statement() -> impl Strategy<Value = String> {
    let name =
        prop::sample::select(vec!["a", "b", "c", "[d e]", "guest", "dbo", "public", "db_owner", "nobody"]);
    let thing = prop::sample::select(vec![
        "s.t",
        "t",
        "s.v",
        "SCHEMA::s",
        "SCHEMA::dbo",
        "ROLE::a",
        "USER::b",
        "t(x)",
        "s.v(x, y)",
    ]);
    let action =
        prop::sample::select(vec!["SELECT", "INSERT", "CONTROL", "ALTER", "IMPERSONATE", "TAKE OWNERSHIP"]);
    let verb = prop::sample::select(vec!["GRANT", "DENY", "REVOKE"]);
    let tail = prop::sample::select(vec!["", " WITH GRANT OPTION", " CASCADE"]);
    let bare = |name: &str| name.trim_matches(['[', ']']).to_owned();
    prop_oneof![
        name.clone().prop_map(|name| format!("CREATE USER {name} WITHOUT LOGIN")),
        name.clone().prop_map(|name| format!("CREATE ROLE {name}")),
        name.clone().prop_map(|name| format!("DROP USER {name}")),
        name.clone().prop_map(|name| format!("DROP ROLE {name}")),
        (name.clone(), name.clone()).prop_map(|(name, to)| format!("ALTER ROLE {name} WITH NAME = {to}")),
        (name.clone(), name.clone(), prop::bool::ANY).prop_map(move |(role, member, add)| format!(
            "EXEC {} N'{}', N'{}'",
            if add { "sp_addrolemember" } else { "sp_droprolemember" },
            bare(role),
            bare(member)
        )),
        (verb, action, thing, name.clone(), tail).prop_map(|(verb, action, thing, name, tail)| format!(
            "{verb} {action} ON {thing} TO {name}{tail}"
        )),
        name.clone().prop_map(|name| format!("ALTER AUTHORIZATION ON SCHEMA::s TO {name}")),
        name.prop_map(|name| format!("EXECUTE AS USER = '{}'", name.trim_matches(['[', ']']))),
        prop::sample::select(vec![
            "REVERT",
            "CREATE SCHEMA s",
            "DROP SCHEMA s",
            "CREATE TABLE s.t (x int, y int)",
            "CREATE TABLE t (x int, y int)",
            "DROP TABLE s.t",
            "ALTER TABLE t DROP COLUMN x",
            "CREATE VIEW s.v AS SELECT x, y FROM t",
            "ALTER VIEW s.v AS SELECT y FROM t",
            "DROP VIEW s.v",
            "ALTER SCHEMA s TRANSFER t",
            "INSERT INTO t (x, y) VALUES (1, 2)",
            "BEGIN TRANSACTION",
            "ROLLBACK",
        ])
        .prop_map(str::to_owned),
    ]
}

/// Nothing in the catalog refers to what is not there, and no role is in itself.
fn assert_sound(catalog: &crate::catalog::Catalog) {
    let known = |id| catalog.principal(id).is_some();
    assert!(catalog.members().all(|(role, member)| known(role) && known(member)));
    assert!(catalog.schemas().all(|schema| known(schema.owner)));
    assert!(catalog.principals().all(|principal| principal.owner.is_none_or(known)));
    for row in catalog.permissions() {
        let on = row.key.securable;
        assert!(known(row.key.grantee) && known(row.key.grantor), "{row:?}");
        assert!(
            match on.class {
                crate::catalog::permission::Class::Database | crate::catalog::permission::Class::Other(_) =>
                    true,
                crate::catalog::permission::Class::Schema => catalog.schema(on.major).is_some(),
                crate::catalog::permission::Class::Principal => known(on.major),
                crate::catalog::permission::Class::Credential => {
                    catalog.credentials().any(|(id, _)| id == on.major)
                }
                crate::catalog::permission::Class::Object => catalog.object(on.major).is_some_and(|object| {
                    on.minor == 0 || object.columns.iter().any(|column| column.id == on.minor)
                }),
            },
            "{row:?}"
        );
    }
    for role in catalog.principals() {
        let mut open: Vec<i32> = catalog.roles_of(role.id).collect();
        let mut seen = std::collections::BTreeSet::new();
        while let Some(id) = open.pop() {
            assert_ne!(id, role.id, "{} is in itself", role.name);
            if seen.insert(id) {
                open.extend(catalog.roles_of(id));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn a_refused_statement_changes_nothing_and_the_catalog_stays_sound(
        statements in prop::collection::vec(statement(), 1..60)
    ) {
        let pool = pool();
        let mut admin = sa(&pool);
        for statement in &statements {
            let before = pool.snapshot().revision();
            let in_transaction = admin.transaction.is_some();
            let answers = admin.batch(statement);
            if error_of(&answers).is_some() && !in_transaction {
                prop_assert_eq!(pool.snapshot().revision(), before, "{}", statement);
            }
            assert_sound(&pool.snapshot());
        }
    }
}

/// A serverless endpoint with a database beside the pool's own.
fn endpoint(sessions_at_server: bool) -> std::sync::Arc<crate::pool::Pool> {
    let mut config = crate::testing::pool_of(crate::pool::config::PoolKind::Serverless).config().clone();
    config.beside = vec!["hr".to_owned()];
    config.sessions_at_server = sessions_at_server;
    crate::pool::Pool::new(config)
}

fn enter_in(pool: &std::sync::Arc<crate::pool::Pool>, database: &str, upn: &str) -> crate::session::Session {
    use crate::testing::{person, request};
    pool.login(request(person(upn), Some(database))).unwrap()
}

/// The texts of one column.
fn column(session: &mut crate::session::Session, query: &str) -> Vec<String> {
    let answers = session.batch(query);
    assert_eq!(error_of(&answers), None, "{query}");
    let text = |answer| match answer {
        Answer::Row(row) => Some(row.iter().map(|v| format!("{v:?}")).collect::<Vec<_>>().concat()),
        _ => None,
    };
    answers.into_iter().filter_map(text).collect()
}

#[test]
fn databases_of_one_endpoint_share_logins_and_nothing_else() {
    let pool = endpoint(false);
    let (mut own, mut hr) = (enter_in(&pool, "dw", "admin@x.org"), enter_in(&pool, "HR", "admin@x.org"));
    ok(&mut own, &["CREATE USER [ann@x.org] FROM EXTERNAL PROVIDER", "CREATE ROLE r", "CREATE SCHEMA s"]);
    ok(&mut hr, &["CREATE USER [bob@x.org] FROM EXTERNAL PROVIDER"]);
    ok(&mut hr, &["CREATE VIEW dbo.v AS SELECT 1 AS a", "SELECT a FROM hr.dbo.v"]);
    assert_eq!(number(&mut own, "SELECT a FROM dbo.v"), 208);
    assert_eq!(number(&mut own, "SELECT a FROM hr.dbo.v"), 208, "not over the border");
    let beside = pool.snapshot_of("hr").unwrap();
    assert!(beside.principal_named("r").is_none() && beside.schema_named("s").is_none());
    assert!(pool.snapshot().principal_named("bob@x.org").is_none() && pool.snapshot_of("other").is_none());
    assert!(pool.login(crate::testing::request(crate::testing::person("ann@x.org"), Some("hr"))).is_err());
    drop(enter_in(&pool, "hr", "bob@x.org"));

    let mut master = enter_in(&pool, "master", "admin@x.org");
    ok(&mut master, &["CREATE LOGIN [cy@x.org] FROM EXTERNAL PROVIDER"]);
    ok(&mut master, &["GRANT CONNECT ANY DATABASE TO [cy@x.org]"]);
    for database in ["dw", "hr"] {
        assert_eq!(enter_in(&pool, database, "cy@x.org").database_name(), database);
    }
    ok(&mut master, &["DENY CONNECT SQL TO [cy@x.org]"]);
    for database in ["dw", "hr"] {
        let request = crate::testing::request(crate::testing::person("cy@x.org"), Some(database));
        assert!(pool.login(request).is_err(), "{database}");
    }

    // Who is where, by the ids that names have everywhere.
    let ids = "SELECT CAST(database_id AS int) FROM sys.databases ORDER BY database_id";
    for session in [&mut own, &mut hr, &mut master] {
        assert_eq!(column(session, ids), ["Int(1)", "Int(5)", "Int(6)"]);
        assert_eq!(column(session, "SELECT DB_NAME(6) AS a"), ["Text(\"hr\")"]);
        assert_eq!(column(session, "SELECT CAST(DB_ID('dw') AS int) AS a"), ["Int(5)"]);
    }
    let here = "SELECT CAST(database_id AS int) FROM sys.dm_exec_sessions WHERE session_id = @@SPID";
    assert_eq!(column(&mut hr, here), ["Int(6)"]);
    ok(&mut hr, &["USE dw"]);
    assert_eq!((hr.database_name().as_str(), column(&mut hr, here)), ("dw", vec!["Int(5)".to_owned()]));

    let saved = pool.save();
    let other = endpoint(false);
    other.load(saved).unwrap();
    assert!(other.snapshot_of("hr").unwrap().principal_named("bob@x.org").is_some());
}

#[test]
fn where_it_is_said_view_server_state_alone_shows_the_sessions_of_others() {
    for at_server in [false, true] {
        let pool = endpoint(at_server);
        let mut admin = enter(&pool, "admin@x.org");
        ok(&mut admin, &["CREATE USER [ann@x.org] FROM EXTERNAL PROVIDER"]);
        ok(&mut admin, &["ALTER ROLE db_owner ADD MEMBER [ann@x.org]"]);
        let mut ann = enter(&pool, "ann@x.org");
        let seen = |session: &mut crate::session::Session| {
            column(session, "SELECT login_name FROM sys.dm_exec_sessions WHERE is_user_process = 1").len()
        };
        assert_eq!(seen(&mut ann), if at_server { 1 } else { 2 });
        assert_eq!(seen(&mut admin), 2, "an administrator of the server");
        let held = "SELECT HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'VIEW DATABASE STATE') AS a";
        assert_eq!(column(&mut ann, held), ["Int(1)"], "which tells nothing");
        ok(&mut admin, &["CREATE LOGIN [ann@x.org] FROM EXTERNAL PROVIDER"]);
        ok(&mut admin, &["USE master", "GRANT VIEW SERVER STATE TO [ann@x.org]"]);
        let mut ann = enter(&pool, "ann@x.org");
        assert_eq!(seen(&mut ann), 3);
    }
}

/// What a statement costs must not hang on how many people there are.
#[test]
fn thousands_of_people_are_set_up_in_seconds() {
    const MANY: usize = 10_000;
    let mut config = pool().config().clone();
    let person = |n: usize| crate::directory::DirectoryUser {
        upn: format!("person{n}@x.org"),
        object_id: format!("dddddddd-0000-0000-0000-{n:012x}"),
        display_name: None,
        account_enabled: true,
        user_type: None,
        mail: None,
        on_premises_immutable_id: None,
    };
    config.directory.users.extend((0..MANY).map(person));
    let pool = crate::pool::Pool::new(config);
    let mut admin = enter(&pool, "admin@x.org");
    ok(&mut admin, &["CREATE ROLE r"]);
    let began = std::time::Instant::now();
    for n in 0..MANY {
        ok(&mut admin, &[&format!("CREATE USER [person{n}@x.org] FROM EXTERNAL PROVIDER")]);
        ok(&mut admin, &[&format!("EXEC sp_addrolemember 'r', 'person{n}@x.org'")]);
    }
    let took = began.elapsed();
    assert!(took < Duration::from_mins(1), "{took:?}");
    println!("{MANY} people and their memberships: {took:?}");
}
