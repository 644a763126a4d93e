//! Catalog queries in the style of SSMS, DBeaver, sqlalchemy and audit scripts.

use std::time::{Duration, Instant};

use axon_emulator::catalog::permission::{Action, PermissionKey, Securable, State};

use crate::fixture::{ALICE, expect, login, pool_with, query_in, result, said};

#[test]
fn tools_list_schemas_tables_and_columns() {
    expect(
        1,
        &[
            (
                "SELECT s.name, t.name FROM sys.tables AS t INNER JOIN sys.schemas AS s ON s.schema_id = t.schema_id \
                 ORDER BY s.name, t.name",
                "hr|people\nsales|customers\nsales|orders",
            ),
            (
                "SELECT [TABLE_NAME] FROM [INFORMATION_SCHEMA].[TABLES] WHERE TABLE_SCHEMA = N'sales' AND TABLE_TYPE = 'VIEW' \
                 ORDER BY TABLE_NAME DESC",
                "totals\nstaff\nbig",
            ),
            (
                "SELECT COLUMN_NAME, DATA_TYPE, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, IS_NULLABLE \
                 FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA + '.' + TABLE_NAME = 'SALES.Orders' \
                 ORDER BY ORDINAL_POSITION",
                "id|int|NULL|10|0|NO\ncustomer_id|int|NULL|10|0|YES\namount|decimal|NULL|10|2|NO\n\
                 placed|date|NULL|NULL|NULL|NO\nnote|varchar|20|NULL|NULL|YES",
            ),
            (
                "SELECT c.name, t.name, c.max_length FROM sys.columns c JOIN sys.types t ON t.user_type_id = c.user_type_id \
                 WHERE c.object_id = OBJECT_ID('sales.customers') ORDER BY c.column_id",
                "id|int|4\nname|nvarchar|100\ncountry|char|2",
            ),
            (
                "SELECT CASE WHEN EXISTS (SELECT * FROM sys.objects WHERE object_id = OBJECT_ID(N'[sales].[orders]') \
                 AND type IN (N'U')) THEN 1 ELSE 0 END",
                "1",
            ),
            ("SELECT OBJECT_ID('sales.nothing'), OBJECT_ID('sales.totals', 'U')", "NULL|NULL"),
            ("SELECT OBJECT_NAME(1001), OBJECT_SCHEMA_NAME(1003), COL_NAME(1001, 3)", "orders|hr|amount"),
            ("SELECT SCHEMA_ID('SALES'), SCHEMA_NAME(6), TYPE_NAME(231)", "5|hr|nvarchar"),
            (
                "SELECT v.name, LEN(m.definition) FROM sys.views v LEFT JOIN sys.sql_modules m ON m.object_id = v.object_id \
                 WHERE v.name LIKE 's%'",
                "staff|73",
            ),
            ("SELECT type, COUNT(*) FROM sys.objects GROUP BY type ORDER BY type", "U |3\nV |3"),
            ("SELECT COUNT(*) FROM sys.all_objects WHERE schema_id = SCHEMA_ID('INFORMATION_SCHEMA')", "4"),
            (
                "SELECT name FROM sys.all_columns WHERE object_id = OBJECT_ID('sys.schemas') ORDER BY column_id",
                "name\nschema_id\nprincipal_id",
            ),
            (
                "SELECT o.name, p.distribution_policy_desc FROM sys.pdw_table_distribution_properties p \
                 JOIN sys.objects o ON o.object_id = p.object_id WHERE o.name = 'people'",
                "people|ROUND_ROBIN",
            ),
            ("SELECT * FROM dw.sys.schemas WHERE name = 'hr'", "hr|6|18"),
            ("SELECT * FROM otherdb.sys.schemas", "error 208"),
            ("SELECT * FROM sys.no_such_view", "error 208"),
            ("SELECT * FROM database_principals", "error 208"),
        ],
    );
}

#[test]
fn audit_scripts_join_principals_members_and_permissions() {
    expect(
        1,
        &[
            (
                "SELECT r.name AS role_name, m.name AS member_name FROM sys.database_role_members rm \
                 INNER JOIN sys.database_principals r ON r.principal_id = rm.role_principal_id \
                 INNER JOIN sys.database_principals m ON m.principal_id = rm.member_principal_id ORDER BY 1, 2",
                "analysts|Alice\nreaders|analysts",
            ),
            (
                "SELECT pr.name, pe.state_desc + ' ' + pe.permission_name + COALESCE(' ON ' + s.name, '') AS what \
                 FROM sys.database_permissions AS pe \
                 JOIN sys.database_principals AS pr ON pe.grantee_principal_id = pr.principal_id \
                 LEFT JOIN sys.schemas s ON pe.class = 3 AND s.schema_id = pe.major_id \
                 WHERE pr.name NOT IN ('dbo', 'public') AND pe.class <> 1 ORDER BY pr.name",
                "Alice|GRANT CONNECT\nbob@example.com|GRANT CONNECT\nreaders|GRANT SELECT ON sales\nTeam|GRANT CONNECT",
            ),
            (
                "SELECT type, type_desc, COUNT(*) n FROM sys.database_principals WHERE principal_id BETWEEN 17 AND 21 \
                 GROUP BY type, type_desc ORDER BY n DESC, type",
                "R|DATABASE_ROLE|2\nE|EXTERNAL_USER|1\nS|SQL_USER|1\nX|EXTERNAL_GROUPS|1",
            ),
            (
                "SELECT CAST(CAST(sid AS uniqueidentifier) AS varchar(36)) FROM sys.database_principals WHERE type = 'e'",
                "01234567-89AB-CDEF-0123-456789ABCDEF",
            ),
            (
                "SELECT name FROM sys.database_principals WHERE sid = \
                 CAST(CAST('01234567-89ab-cdef-0123-456789abcdef' AS uniqueidentifier) AS varbinary(16))",
                "bob@example.com",
            ),
            (
                "SELECT USER_NAME(grantee_principal_id), OBJECT_NAME(major_id), COL_NAME(major_id, minor_id), type \
                 FROM sys.database_permissions WHERE class = 1",
                "Alice|people|name|SL  ",
            ),
            (
                "SELECT name FROM sys.database_principals p WHERE is_fixed_role = 0 AND type = 'R' AND NOT EXISTS \
                 (SELECT 1 FROM sys.database_role_members m WHERE m.role_principal_id = p.principal_id) \
                 AND name NOT LIKE '%rc%' AND name <> 'public'",
                "",
            ),
            (
                "SELECT p.name, (SELECT COUNT(*) FROM sys.database_role_members m WHERE m.role_principal_id = p.principal_id) \
                 FROM sys.database_principals p WHERE p.name IN ('analysts', 'readers', 'db_owner') ORDER BY p.name",
                "analysts|1\ndb_owner|0\nreaders|1",
            ),
            (
                "SELECT COUNT(*) FROM sys.database_principals WHERE name LIKE '%rc[0-9]%' OR name LIKE '[slmx]%rc'",
                "12",
            ),
            ("SELECT name FROM sysusers WHERE uid = 17", "Alice"),
            (
                "SELECT status, login_name, app_name FROM sys.dm_pdw_exec_sessions WHERE session_id = SESSION_ID()",
                "ACTIVE|sa|tests",
            ),
            ("SELECT COUNT(*) FROM sys.workload_management_workload_classifiers", "0"),
        ],
    );
}

#[test]
fn roles_are_asked_for_by_name() {
    expect(
        ALICE,
        &[
            (
                "SELECT IS_ROLEMEMBER('analysts'), IS_ROLEMEMBER('readers'), IS_ROLEMEMBER('db_owner')",
                "1|1|0",
            ),
            ("SELECT IS_ROLEMEMBER('no such role')", "NULL"),
            ("SELECT IS_ROLEMEMBER('analysts', 'bob@example.com')", "NULL"),
            ("SELECT HAS_PERMS_BY_NAME('sales', 'SCHEMA', 'SELECT')", "1"),
            ("SELECT HAS_PERMS_BY_NAME('hr.people', 'OBJECT', 'DELETE')", "0"),
            ("SELECT HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'CREATE TABLE')", "0"),
            ("SELECT HAS_DBACCESS('dw'), HAS_DBACCESS('nowhere')", "1|NULL"),
            ("SELECT USER_NAME(), USER_ID('ANALYSTS'), DATABASE_PRINCIPAL_ID()", "Alice|20|17"),
        ],
    );
}

#[test]
fn the_text_of_a_view_is_for_whoever_may_see_or_change_it_and_a_deny_hides_it() {
    let pool = pool_with(|_| ());
    let (mut admin, mut alice) = (login(&pool, 1), login(&pool, ALICE));
    let on = "OBJECT::sales.totals";
    for (statements, seen) in [
        (vec![], false),
        (vec![format!("GRANT VIEW DEFINITION ON {on} TO Alice")], true),
        (vec![format!("REVOKE VIEW DEFINITION ON {on} FROM Alice")], false),
        (vec![format!("GRANT ALTER ON {on} TO Alice")], true),
        (
            vec![
                format!("REVOKE ALTER ON {on} FROM Alice"),
                format!("GRANT TAKE OWNERSHIP ON {on} TO Alice"),
            ],
            true,
        ),
        (vec!["GRANT CONTROL ON DATABASE::dw TO Alice".into()], true),
        (vec![format!("DENY VIEW DEFINITION ON {on} TO public")], false),
        (vec!["EXEC sp_addrolemember 'db_owner', 'Alice'".into()], true),
    ] {
        for statement in &statements {
            result(&admin.batch(statement)).unwrap_or_else(|error| panic!("{statement}: {}", error.message));
        }
        let given = query_in(
            &mut alice,
            "SELECT COUNT(*), COUNT(m.definition) FROM sys.views v LEFT JOIN sys.sql_modules m ON m.object_id = v.object_id \
             WHERE v.name = 'totals'",
        );
        assert_eq!(said(&given), if seen { "1|1" } else { "1|0" }, "{statements:?}");
    }
}

#[test]
fn a_hundred_thousand_permissions_are_joined_soon() {
    let pool = pool_with(|catalog| {
        for major in 0..100_000 {
            let key = PermissionKey {
                grantee: 17 + major % 5,
                securable: Securable::object(10_000 + major),
                action: Action::Select,
                grantor: 1,
            };
            catalog.put_permission(key, State::Grant);
        }
    });
    let mut session = login(&pool, 1);
    let begin = Instant::now();
    let result = query_in(
        &mut session,
        "SELECT p.name, COUNT(*) FROM sys.database_permissions d JOIN sys.database_principals p \
         ON p.principal_id = d.grantee_principal_id WHERE d.class_desc = 'OBJECT_OR_COLUMN' AND d.major_id >= 10000 \
         GROUP BY p.name ORDER BY p.name",
    )
    .unwrap();
    assert_eq!(result.rows.len(), 5);
    assert_eq!(result.rows[0][1], axon_emulator::Value::Int(20_000));
    // A second in a release build; tests run without optimisation and beside others.
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}
