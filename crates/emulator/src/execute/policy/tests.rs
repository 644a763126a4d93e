use std::sync::Arc;

use proptest::prelude::*;

use crate::answer::{Answer, Value};
use crate::pool::Pool;
use crate::pool::config::PoolKind;
use crate::session::Session;
use crate::testing::{error_of, fails, number, ok, pool, pool_of, sa};

const FUNCTION: &str = "CREATE FUNCTION rls.may_read (@rep AS sysname) RETURNS TABLE WITH SCHEMABINDING AS \
     RETURN SELECT 1 AS ok WHERE @rep = USER_NAME() \
     OR EXISTS (SELECT m.region FROM axon.managers AS m WHERE m.person = USER_NAME() AND m.region = @rep)";
const POLICY: &str = "CREATE SECURITY POLICY rls.orders ADD FILTER PREDICATE rls.may_read (rep) ON sales.orders WITH (STATE = ON)";

/// Six orders of two people, a manager of one of them, and nobody yet filtered.
fn start() -> (Arc<Pool>, Session) {
    let pool = pool();
    let mut admin = sa(&pool);
    ok(
        &mut admin,
        &[
            "CREATE SCHEMA sales",
            "CREATE SCHEMA axon",
            "CREATE SCHEMA rls",
            "CREATE SCHEMA secure",
            "CREATE TABLE sales.orders (id int NOT NULL, rep sysname, amount int)",
            "CREATE TABLE axon.managers (person sysname, region sysname)",
            "INSERT INTO axon.managers VALUES (N'mary', N'one')",
            "INSERT INTO sales.orders VALUES (1, N'one', 10)",
            "INSERT INTO sales.orders VALUES (2, N'one', 20)",
            "INSERT INTO sales.orders VALUES (3, N'two', 30)",
        ],
    );
    for user in ["one", "two", "mary"] {
        ok(
            &mut admin,
            &[
                &format!("CREATE USER {user} WITHOUT LOGIN"),
                &format!("GRANT SELECT ON sales.orders TO {user}"),
            ],
        );
    }
    ok(&mut admin, &[FUNCTION]);
    (pool, admin)
}

fn filtered() -> (Arc<Pool>, Session) {
    let (pool, mut admin) = start();
    ok(&mut admin, &[POLICY]);
    (pool, admin)
}

/// Rows as `1|one`, or `error N`.
fn said(session: &mut Session, sql: &str) -> String {
    let answers = session.batch(sql);
    if let Some(error) = error_of(&answers) {
        return format!("error {}", error.number);
    }
    let row = |row: &Vec<Value>| {
        let cell = |value: &Value| match value {
            Value::Text(text) => text.clone(),
            Value::Int(number) => number.to_string(),
            Value::Bool(bit) => u8::from(*bit).to_string(),
            Value::Null => "NULL".to_owned(),
            other => format!("{other:?}"),
        };
        row.iter().map(cell).collect::<Vec<_>>().join("|")
    };
    let rows = answers.iter().filter_map(|answer| match answer {
        Answer::Row(values) => Some(row(values)),
        _ => None,
    });
    rows.collect::<Vec<_>>().join(" ")
}

fn as_user(admin: &mut Session, user: &str, sql: &str) -> String {
    ok(admin, &[&format!("EXECUTE AS USER = '{user}'")]);
    let given = said(admin, sql);
    ok(admin, &["REVERT"]);
    given
}

const IDS: &str = "SELECT id FROM sales.orders ORDER BY id";

#[test]
fn everybody_reads_the_rows_for_whom_the_function_gives_one_dbo_too() {
    let (_pool, mut admin) = start();
    assert_eq!(said(&mut admin, IDS), "1 2 3");
    ok(&mut admin, &[POLICY]);
    assert_eq!(as_user(&mut admin, "one", IDS), "1 2");
    assert_eq!(as_user(&mut admin, "two", IDS), "3");
    assert_eq!(as_user(&mut admin, "mary", IDS), "1 2");
    assert_eq!(said(&mut admin, IDS), "");
    assert_eq!(said(&mut admin, "SELECT COUNT(*) AS n, SUM(amount) AS s FROM sales.orders"), "0|NULL");
    assert_eq!(
        as_user(&mut admin, "one", "SELECT COUNT(*) AS n, SUM(amount) AS s FROM sales.orders"),
        "2|30"
    );
    ok(&mut admin, &["ALTER SECURITY POLICY rls.orders WITH (STATE = OFF)"]);
    assert_eq!(said(&mut admin, IDS), "1 2 3");
    ok(&mut admin, &["ALTER SECURITY POLICY rls.orders WITH (STATE = ON)"]);
    assert_eq!(said(&mut admin, IDS), "");
    ok(&mut admin, &["DROP SECURITY POLICY rls.orders", "DROP SECURITY POLICY IF EXISTS rls.orders"]);
    assert_eq!(said(&mut admin, IDS), "1 2 3");
    assert_eq!(number(&mut admin, "DROP SECURITY POLICY rls.orders"), 3701);
}

#[test]
fn a_table_is_filtered_wherever_it_is_named() {
    let (_pool, mut admin) = filtered();
    let cases = [
        ("SELECT o.id FROM sales.orders AS o JOIN sales.orders AS p ON p.id = o.id ORDER BY o.id", "1 2"),
        (
            "SELECT v.n, o.id FROM (VALUES (1), (3)) AS v (n) LEFT JOIN sales.orders AS o ON o.id = v.n ORDER BY v.n",
            "1|1 3|NULL",
        ),
        ("SELECT (SELECT MAX(id) FROM sales.orders) AS m", "2"),
        ("WITH c AS (SELECT * FROM sales.orders) SELECT COUNT(*) AS n FROM c", "2"),
        ("SELECT id FROM sales.orders UNION SELECT id FROM sales.orders ORDER BY id", "1 2"),
        ("IF EXISTS (SELECT 1 FROM sales.orders WHERE id = 3) SELECT 1 AS a ELSE SELECT 0 AS a", "0"),
        ("SELECT rep, COUNT(*) AS n FROM sales.orders GROUP BY rep", "one|2"),
    ];
    for (sql, expected) in cases {
        assert_eq!(as_user(&mut admin, "one", sql), expected, "{sql}");
    }
}

#[test]
fn through_a_view_the_reader_is_still_the_caller() {
    let (_pool, mut admin) = filtered();
    ok(
        &mut admin,
        &[
            "CREATE VIEW secure.orders AS SELECT id, amount FROM sales.orders",
            "REVOKE SELECT ON sales.orders FROM one",
            "GRANT SELECT ON secure.orders TO one",
            "GRANT SELECT ON secure.orders TO two",
        ],
    );
    assert_eq!(as_user(&mut admin, "one", "SELECT id FROM secure.orders ORDER BY id"), "1 2");
    assert_eq!(as_user(&mut admin, "two", "SELECT id FROM secure.orders ORDER BY id"), "3");
    assert_eq!(as_user(&mut admin, "one", IDS), "error 229");
    // What the predicate reads asks nobody for a permission.
    assert_eq!(as_user(&mut admin, "one", "SELECT person FROM axon.managers"), "error 229");
}

#[test]
fn changes_touch_the_rows_that_one_sees_and_new_rows_are_not_asked() {
    let (_pool, mut admin) = filtered();
    ok(
        &mut admin,
        &[
            "GRANT INSERT ON sales.orders TO one",
            "GRANT UPDATE ON sales.orders TO one",
            "GRANT DELETE ON sales.orders TO one",
        ],
    );
    assert_eq!(as_user(&mut admin, "one", "UPDATE sales.orders SET amount = amount + 1"), "");
    assert_eq!(as_user(&mut admin, "one", "DELETE FROM sales.orders WHERE id IN (2, 3)"), "");
    // A filter does not keep anybody from writing what will be hidden.
    assert_eq!(as_user(&mut admin, "one", "INSERT INTO sales.orders VALUES (4, N'two', 40)"), "");
    assert_eq!(as_user(&mut admin, "one", "UPDATE sales.orders SET rep = N'two' WHERE id = 1"), "");
    assert_eq!(as_user(&mut admin, "one", IDS), "");
    assert_eq!(
        as_user(&mut admin, "two", "SELECT id, amount FROM sales.orders ORDER BY id"),
        "1|11 3|30 4|40"
    );
    ok(&mut admin, &["CREATE TABLE sales.copy (id int)", "GRANT INSERT ON sales.copy TO two"]);
    assert_eq!(
        as_user(&mut admin, "two", "INSERT INTO sales.copy SELECT id FROM sales.orders WHERE id < 4"),
        ""
    );
    assert_eq!(said(&mut admin, "SELECT id FROM sales.copy ORDER BY id"), "1 3");
    ok(&mut admin, &["CREATE TABLE sales.all_of_it AS SELECT id FROM sales.orders"]);
    assert_eq!(said(&mut admin, "SELECT COUNT(*) AS n FROM sales.all_of_it"), "0");
}

#[test]
fn the_predicate_asks_the_session_and_the_roles_of_the_caller() {
    let (_pool, mut admin) = start();
    ok(
        &mut admin,
        &[
            "CREATE ROLE analysts",
            "EXEC sp_addrolemember 'analysts', 'two'",
            "CREATE FUNCTION rls.ctx (@id int, @least int) RETURNS TABLE WITH SCHEMABINDING AS RETURN (SELECT 1 AS ok \
             WHERE IS_ROLEMEMBER('analysts') = 1 AND @id >= @least \
             OR DATABASE_PRINCIPAL_ID() = DATABASE_PRINCIPAL_ID('one') AND CAST(SESSION_CONTEXT(N'order') AS int) = @id)",
            "CREATE SECURITY POLICY rls.p ADD FILTER PREDICATE rls.ctx (id, 1 + 1) ON sales.orders",
        ],
    );
    assert_eq!(as_user(&mut admin, "two", IDS), "2 3");
    assert_eq!(as_user(&mut admin, "one", IDS), "");
    ok(&mut admin, &["EXEC sys.sp_set_session_context @key = N'order', @value = 3"]);
    assert_eq!(as_user(&mut admin, "one", IDS), "3");
    assert_eq!(said(&mut admin, IDS), "");
    // A caller's variable is none of the function's, whatever it is called.
    assert_eq!(
        as_user(&mut admin, "two", "DECLARE @least int = 0; SELECT COUNT(*) AS n FROM sales.orders"),
        "2"
    );
}

#[test]
fn grants_on_columns_stand_beside_the_filter() {
    let (_pool, mut admin) = filtered();
    ok(&mut admin, &["REVOKE SELECT ON sales.orders FROM one", "GRANT SELECT ON sales.orders (id) TO one"]);
    // The predicate reads `rep`, the reader need not be allowed to.
    assert_eq!(as_user(&mut admin, "one", IDS), "1 2");
    assert_eq!(as_user(&mut admin, "one", "SELECT COUNT(*) AS n FROM sales.orders"), "2");
    assert_eq!(as_user(&mut admin, "one", "SELECT id, amount FROM sales.orders"), "error 230");
    assert_eq!(as_user(&mut admin, "one", "SELECT id FROM sales.orders WHERE rep = N'one'"), "error 230");
    assert_eq!(as_user(&mut admin, "one", "SELECT * FROM sales.orders"), "error 230");
}

#[test]
fn an_error_over_a_hidden_row_tells_of_it() {
    let (_pool, mut admin) = filtered();
    assert_eq!(
        as_user(&mut admin, "one", "SELECT id FROM sales.orders WHERE 1 / (amount - 30) > 5"),
        "error 8134"
    );
    assert_eq!(
        as_user(&mut admin, "one", "SELECT 1 / (amount - 30) AS a FROM sales.orders WHERE rep = N'two'"),
        "error 8134"
    );
    assert_eq!(
        as_user(&mut admin, "one", "SELECT 1 / (amount - 31) AS a FROM sales.orders WHERE rep = N'two'"),
        ""
    );
    // A fault of the whole answer is judged by the rows that are there.
    assert_eq!(as_user(&mut admin, "two", "SELECT (SELECT id FROM sales.orders) AS a"), "3");
    assert_eq!(as_user(&mut admin, "one", "SELECT (SELECT id FROM sales.orders) AS a"), "error 512");
}

#[test]
fn what_is_bound_stays_as_it_is() {
    let (_pool, mut admin) = filtered();
    let held = |admin: &mut Session, sql: &str| fails(admin, sql);
    assert_eq!(
        held(&mut admin, "DROP TABLE sales.orders"),
        (
            3729,
            "Cannot DROP TABLE 'sales.orders' because it is being referenced by object 'orders'.".to_owned()
        )
    );
    assert_eq!(held(&mut admin, "DROP FUNCTION rls.may_read").0, 3729);
    assert_eq!(held(&mut admin, &FUNCTION.replace("CREATE", "ALTER")).0, 3729);
    assert_eq!(held(&mut admin, "DROP TABLE axon.managers").0, 3729);
    assert_eq!(
        held(&mut admin, "ALTER TABLE axon.managers DROP COLUMN region"),
        (5074, "The object 'may_read' is dependent on column 'region'.".to_owned())
    );
    assert_eq!(held(&mut admin, "ALTER TABLE sales.orders DROP COLUMN rep").0, 5074);
    assert_eq!(held(&mut admin, "RENAME OBJECT sales.orders TO other").0, 15336);
    assert_eq!(held(&mut admin, "ALTER SCHEMA secure TRANSFER sales.orders").0, 15348);
    assert_eq!(held(&mut admin, "DROP SCHEMA rls").0, 3729);
    // Columns that no predicate names can go, and new ones come.
    ok(&mut admin, &["ALTER TABLE sales.orders DROP COLUMN amount", "ALTER TABLE sales.orders ADD more int"]);
    ok(
        &mut admin,
        &[
            "DROP SECURITY POLICY rls.orders",
            &FUNCTION.replace("CREATE", "ALTER"),
            "DROP FUNCTION rls.may_read",
            "DROP TABLE sales.orders",
            "DROP TABLE axon.managers",
        ],
    );
}

#[test]
fn a_policy_has_one_filter_on_a_table_and_a_table_one_policy_in_force() {
    let (_pool, mut admin) = filtered();
    assert_eq!(
        number(
            &mut admin,
            "ALTER SECURITY POLICY rls.orders ADD FILTER PREDICATE rls.may_read (rep) ON sales.orders"
        ),
        33262
    );
    assert_eq!(
        fails(&mut admin, &POLICY.replace("rls.orders ADD", "rls.again ADD")),
        (
            33264,
            "The security policy 'again' cannot be enabled with a predicate on table 'orders'. Table 'orders' is already \
             referenced by the enabled security policy 'orders'."
                .to_owned()
        )
    );
    let off = POLICY.replace("rls.orders ADD", "rls.again ADD").replace("= ON", "= OFF, SCHEMABINDING = ON");
    ok(&mut admin, &[&off]);
    assert_eq!(number(&mut admin, "ALTER SECURITY POLICY rls.again WITH (STATE = ON)"), 33264);
    ok(
        &mut admin,
        &[
            "ALTER SECURITY POLICY rls.orders DROP FILTER PREDICATE ON sales.orders, \
             ADD FILTER PREDICATE rls.may_read (person) ON axon.managers",
            "ALTER SECURITY POLICY rls.again WITH (STATE = ON)",
        ],
    );
    assert_eq!(
        number(&mut admin, "ALTER SECURITY POLICY rls.orders DROP FILTER PREDICATE ON sales.orders"),
        33261
    );
    assert_eq!(
        number(
            &mut admin,
            "ALTER SECURITY POLICY rls.orders ALTER FILTER PREDICATE rls.may_read (N'one') ON sales.orders"
        ),
        33261
    );
    // The managers' own table is filtered by a function that reads it.
    assert_eq!(as_user(&mut admin, "one", IDS), "error 33272");
}

#[test]
fn what_a_policy_cannot_be_made_of() {
    let (_pool, mut admin) = start();
    let policy = |function: &str, table: &str| {
        format!("CREATE SECURITY POLICY rls.p ADD FILTER PREDICATE {function} ON {table}")
    };
    ok(
        &mut admin,
        &[
            "CREATE VIEW secure.v AS SELECT id, rep FROM sales.orders",
            "CREATE FUNCTION rls.loose (@x int) RETURNS TABLE AS RETURN SELECT 1 AS ok WHERE @x = 1",
        ],
    );
    let cases = [
        (policy("rls.nope (rep)", "sales.orders"), 33270),
        (policy("secure.v (rep)", "sales.orders"), 33270),
        (policy("rls.may_read (rep)", "sales.nope"), 33268),
        (policy("rls.may_read (rep)", "secure.v"), 33263),
        (policy("rls.may_read (rep)", "orders"), 4512),
        (policy("rls.may_read (nope)", "sales.orders"), 207),
        (policy("rls.may_read ()", "sales.orders"), 313),
        (policy("rls.may_read (rep, id)", "sales.orders"), 8144),
        (policy("rls.may_read ((SELECT 1 AS a))", "sales.orders"), 1046),
        (policy("rls.may_read ((SELECT MAX(person) FROM axon.managers))", "sales.orders"), 1046),
        (policy("rls.loose (id)", "sales.orders"), 4513),
        (policy("rls.may_read (rep)", "sales.orders AFTER INSERT"), 103_010),
        (policy("rls.may_read (rep)", "sales.orders").replace("FILTER", "BLOCK"), 103_010),
        (policy("rls.may_read (rep)", "sales.orders").replace("rls.p ADD", "nowhere.p ADD"), 2760),
        (policy("rls.may_read (rep)", "sales.orders").replace("rls.p ADD", "sales.orders ADD"), 2714),
        ("ALTER SECURITY POLICY rls.nope WITH (STATE = ON)".to_owned(), 15151),
        ("ALTER SECURITY POLICY rls.may_read WITH (STATE = ON)".to_owned(), 33271),
        (
            "CREATE FUNCTION rls.f () RETURNS TABLE WITH SCHEMABINDING AS RETURN SELECT id FROM secure.v"
                .to_owned(),
            4513,
        ),
        (
            "CREATE FUNCTION sales.f () RETURNS TABLE WITH SCHEMABINDING AS RETURN SELECT id FROM orders"
                .to_owned(),
            4512,
        ),
        (
            "CREATE FUNCTION rls.f () RETURNS TABLE WITH SCHEMABINDING AS RETURN SELECT * FROM sales.orders"
                .to_owned(),
            1054,
        ),
        ("CREATE FUNCTION rls.f () RETURNS TABLE WITH SCHEMABINDING AS RETURN SELECT 1".to_owned(), 4511),
        (
            "CREATE FUNCTION rls.f () RETURNS TABLE WITH SCHEMABINDING AS RETURN SELECT @x AS a".to_owned(),
            137,
        ),
        ("CREATE FUNCTION rls.f (@x int, @X int) RETURNS TABLE AS RETURN SELECT @x AS a".to_owned(), 134),
        ("CREATE FUNCTION rls.may_read () RETURNS TABLE AS RETURN SELECT 1 AS a".to_owned(), 2714),
        ("ALTER FUNCTION rls.f () RETURNS TABLE AS RETURN SELECT 1 AS a".to_owned(), 208),
        ("SELECT 1 AS a; CREATE FUNCTION rls.f () RETURNS TABLE AS RETURN SELECT 1 AS a".to_owned(), 111),
        ("DROP TABLE rls.may_read".to_owned(), 3705),
    ];
    for (sql, expected) in cases {
        assert_eq!(number(&mut admin, &sql), expected, "{sql}");
    }
}

#[test]
fn policies_are_for_those_who_may_alter_any() {
    let (_pool, mut admin) = start();
    let try_it = |admin: &mut Session| as_user(admin, "one", POLICY);
    assert_eq!(try_it(&mut admin), "error 15247");
    ok(&mut admin, &["GRANT ALTER ANY SECURITY POLICY TO one"]);
    assert_eq!(try_it(&mut admin), "error 2760");
    ok(&mut admin, &["GRANT ALTER ON SCHEMA::rls TO one"]);
    assert_eq!(try_it(&mut admin), "error 229");
    ok(&mut admin, &["GRANT SELECT ON rls.may_read TO one", "GRANT REFERENCES ON rls.may_read TO one"]);
    assert_eq!(try_it(&mut admin), "error 229");
    ok(&mut admin, &["GRANT REFERENCES ON sales.orders (rep) TO one"]);
    assert_eq!(try_it(&mut admin), "");
    assert_eq!(
        as_user(&mut admin, "two", "ALTER SECURITY POLICY rls.orders WITH (STATE = OFF)"),
        "error 15151"
    );
    assert_eq!(as_user(&mut admin, "two", "DROP SECURITY POLICY rls.orders"), "error 3701");
    assert_eq!(as_user(&mut admin, "two", "SELECT COUNT(*) AS n FROM sys.security_policies"), "0");
    assert_eq!(as_user(&mut admin, "one", "SELECT COUNT(*) AS n FROM sys.security_policies"), "1");
    assert_eq!(as_user(&mut admin, "one", "DROP SECURITY POLICY rls.orders"), "");
    // A function reads only what its maker may refer to.
    ok(&mut admin, &["GRANT CREATE FUNCTION TO one"]);
    let other = FUNCTION.replace("may_read", "mine");
    assert_eq!(as_user(&mut admin, "one", &other), "error 229");
    ok(&mut admin, &["GRANT REFERENCES ON axon.managers TO one"]);
    assert_eq!(as_user(&mut admin, "one", &other), "");
}

#[test]
fn without_schema_binding_the_reader_needs_a_right_on_everything() {
    let (pool, mut admin) = start();
    ok(&mut admin, &[&POLICY.replace("= ON", "= ON, SCHEMABINDING = OFF")]);
    assert_eq!(as_user(&mut admin, "one", IDS), "error 229");
    ok(&mut admin, &["GRANT SELECT ON rls.may_read TO one"]);
    assert_eq!(as_user(&mut admin, "one", IDS), "error 229");
    ok(&mut admin, &["GRANT SELECT ON axon.managers TO one"]);
    assert_eq!(as_user(&mut admin, "one", IDS), "1 2");
    // Nobody holds on to the function; without it nothing is read. The state of that is kept as it is.
    ok(&mut admin, &["DROP FUNCTION rls.may_read"]);
    assert_eq!(as_user(&mut admin, "one", IDS), "error 33272");
    ok(&mut admin, &["DROP TABLE sales.orders"]);
    assert!(crate::catalog::Catalog::load(pool.snapshot().save()).is_ok());
}

#[test]
fn functions_can_be_asked_like_tables() {
    let (_pool, mut admin) = start();
    ok(
        &mut admin,
        &[
            "CREATE FUNCTION secure.of_rep (@rep sysname) RETURNS TABLE AS RETURN SELECT id, amount FROM sales.orders WHERE rep = @rep",
            "GRANT SELECT ON secure.of_rep TO one",
            "REVOKE SELECT ON sales.orders FROM one",
        ],
    );
    assert_eq!(as_user(&mut admin, "one", "SELECT f.id FROM secure.of_rep(N'two') AS f"), "3");
    assert_eq!(
        as_user(
            &mut admin,
            "one",
            "DECLARE @r sysname = N'one'; SELECT SUM(amount) AS s FROM secure.of_rep(@r)"
        ),
        "30"
    );
    assert_eq!(as_user(&mut admin, "two", "SELECT id FROM secure.of_rep(N'two')"), "error 229");
    assert_eq!(said(&mut admin, "SELECT id FROM secure.of_rep()"), "error 313");
    assert_eq!(said(&mut admin, "SELECT id FROM secure.nope(1)"), "error 208");
    assert_eq!(said(&mut admin, "SELECT value FROM STRING_SPLIT(N'a,b', N',')"), "error 103010");
    ok(&mut admin, &[POLICY]);
    assert_eq!(as_user(&mut admin, "one", "SELECT id FROM secure.of_rep(N'two')"), "");
}

#[test]
fn catalogs_show_functions_and_policies() {
    let (_pool, mut admin) = filtered();
    assert_eq!(
        said(
            &mut admin,
            "SELECT o.name, o.type, o.type_desc, m.is_schema_bound FROM sys.objects AS o JOIN sys.sql_modules AS m ON m.object_id = o.object_id"
        ),
        "may_read|IF|SQL_INLINE_TABLE_VALUED_FUNCTION|1"
    );
    assert_eq!(
        said(
            &mut admin,
            "SELECT s.name, p.name, p.type, p.type_desc, p.is_enabled, p.is_schemabinding_enabled FROM sys.security_policies AS p JOIN sys.schemas AS s ON s.schema_id = p.schema_id"
        ),
        "rls|orders|SP|SECURITY_POLICY|1|1"
    );
    assert_eq!(
        said(
            &mut admin,
            "SELECT p.security_predicate_id, OBJECT_NAME(p.target_object_id) AS t, p.predicate_definition, p.predicate_type_desc, p.operation_desc FROM sys.security_predicates AS p"
        ),
        "1|orders|[rls].[may_read]([rep])|FILTER|NULL"
    );
    assert_eq!(said(&mut admin, "SELECT name FROM sys.objects WHERE type = 'SP'"), "orders");
    assert_eq!(
        said(&mut admin, "SELECT c.name FROM sys.columns AS c WHERE c.object_id = OBJECT_ID('rls.may_read')"),
        "ok"
    );
}

#[test]
fn a_state_file_keeps_functions_and_policies() {
    let (kept, _admin) = filtered();
    let text = serde_json::to_string(&kept.save()).unwrap();
    let other = pool();
    other.load(serde_json::from_str(&text).unwrap()).unwrap();
    let mut admin = sa(&other);
    assert_eq!(as_user(&mut admin, "one", IDS), "1 2");
    assert_eq!(said(&mut admin, IDS), "");
    assert_eq!(number(&mut admin, "DROP TABLE sales.orders"), 3729);
    // A policy about a table that is not there would filter nothing.
    let id = kept.snapshot().objects().find(|object| object.name == "managers").unwrap().id;
    let function = kept.snapshot().objects().find(|object| object.name == "may_read").unwrap().id;
    assert_ne!(id, function);
    let broken = text.replace(&format!("\"function\":{function}"), "\"function\":7");
    assert!(other.load(serde_json::from_str(&broken).unwrap()).is_err());
}

#[test]
fn definitions_do_not_run_in_a_transaction_and_serverless_pools_have_none() {
    let (_pool, mut admin) = start();
    ok(&mut admin, &["BEGIN TRAN"]);
    assert_eq!(number(&mut admin, POLICY), 111_212);
    ok(&mut admin, &["ROLLBACK"]);
    let mut other = sa(&pool_of(PoolKind::Serverless));
    for verb in [
        "CREATE SECURITY POLICY p ADD FILTER PREDICATE dbo.f (a) ON dbo.t",
        "ALTER SECURITY POLICY p WITH (STATE = ON)",
        "DROP SECURITY POLICY p",
    ] {
        assert_eq!(number(&mut other, verb), 15871, "{verb}");
    }
    assert_eq!(number(&mut other, "SELECT name FROM sys.security_policies"), 208);
}

#[test]
fn parameters_reach_into_every_part_of_the_text() {
    let (_pool, mut admin) = start();
    let texts = [
        "SELECT d.person AS ok FROM (SELECT person FROM axon.managers WHERE region = @rep) AS d WHERE d.person = USER_NAME()",
        "SELECT 1 AS ok WHERE @rep IN (SELECT region FROM axon.managers WHERE person = USER_NAME())",
        "SELECT TOP 1 person AS ok FROM axon.managers WHERE person = USER_NAME() AND region = @rep ORDER BY person",
        "SELECT region AS ok FROM axon.managers WHERE person = USER_NAME() GROUP BY region HAVING MAX(region) = @rep",
        "SELECT 1 AS ok WHERE 0 < (SELECT COUNT(*) FROM axon.managers WHERE person = USER_NAME() AND region = @rep)",
        "SELECT person AS ok FROM axon.managers WHERE person = USER_NAME() AND region = @rep \
         UNION ALL SELECT N'x' AS ok WHERE @rep = N'nobody'",
        "WITH m AS (SELECT region FROM axon.managers WHERE person = USER_NAME() AND region = @rep) SELECT 1 AS ok FROM m",
        "SELECT CASE WHEN @rep = N'x' THEN 1 ELSE 0 END AS ok FROM axon.managers AS m \
         JOIN axon.managers AS n ON n.person = m.person AND n.region = @rep WHERE m.person = USER_NAME()",
    ];
    for (place, text) in texts.iter().enumerate() {
        let head =
            format!("CREATE FUNCTION rls.f{place} (@rep sysname) RETURNS TABLE WITH SCHEMABINDING AS RETURN");
        ok(
            &mut admin,
            &[
                &format!("{head} {text}"),
                &format!(
                    "CREATE SECURITY POLICY rls.p ADD FILTER PREDICATE rls.f{place} ([rep]) ON sales.orders"
                ),
            ],
        );
        assert_eq!(as_user(&mut admin, "mary", IDS), "1 2", "{text}");
        assert_eq!(as_user(&mut admin, "two", IDS), "", "{text}");
        ok(&mut admin, &["DROP SECURITY POLICY rls.p"]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// What a reader gets of a filtered table is what the rule says, told again in a few lines of Rust.
    #[test]
    fn the_rows_of_a_reader_are_those_of_the_rule(
        orders in prop::collection::vec((0..3_usize, 0..50_i64), 0..12),
        managers in prop::collection::vec((0..3_usize, 0..3_usize), 0..4),
        reader in 0..3_usize,
        least in 0..50_i64,
    ) {
        const NAMES: [&str; 3] = ["one", "two", "mary"];
        let (_pool, mut admin) = start();
        ok(&mut admin, &["DELETE FROM sales.orders", "DELETE FROM axon.managers"]);
        for (id, (rep, amount)) in orders.iter().enumerate() {
            ok(&mut admin, &[&format!("INSERT INTO sales.orders VALUES ({id}, N'{}', {amount})", NAMES[*rep])]);
        }
        for (person, region) in &managers {
            ok(&mut admin, &[&format!("INSERT INTO axon.managers VALUES (N'{}', N'{}')", NAMES[*person], NAMES[*region])]);
        }
        ok(&mut admin, &["CREATE VIEW secure.v AS SELECT id, rep, amount FROM sales.orders", POLICY]);
        ok(&mut admin, &["GRANT SELECT ON secure.v TO one", "GRANT SELECT ON secure.v TO two", "GRANT SELECT ON secure.v TO mary"]);
        let seen = |rep: usize| rep == reader || managers.contains(&(reader, rep));
        let rows: Vec<(usize, i64)> = orders.iter().enumerate().filter(|(_, (rep, _))| seen(*rep)).map(|(id, (_, amount))| (id, *amount)).collect();
        let ids = |keep: &dyn Fn(i64) -> bool| {
            rows.iter().filter(|(_, amount)| keep(*amount)).map(|(id, _)| id.to_string()).collect::<Vec<_>>().join(" ")
        };
        let name = NAMES[reader];
        prop_assert_eq!(as_user(&mut admin, name, IDS), ids(&|_| true));
        let some = format!("SELECT v.id FROM secure.v AS v JOIN sales.orders AS o ON o.id = v.id WHERE o.amount >= {least} ORDER BY v.id");
        prop_assert_eq!(as_user(&mut admin, name, &some), ids(&|amount| amount >= least));
        prop_assert_eq!(as_user(&mut admin, name, "SELECT COUNT(*) AS n FROM secure.v"), rows.len().to_string());
    }
}
