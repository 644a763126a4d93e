//! The texts that make a database ready for Axon, and that take away what was made.
//!
//! Each is a batch that can be run again: it looks before it does something. The statements about logins cannot look, since they must
//! stand alone in their batch: run again they answer a number that says that there was nothing to do.

use axon_model::SqlName;
use axon_reconcile::secure::ManagedTable;
use secrecy::{ExposeSecret as _, SecretString};

use super::Sql;
use super::metadata::create_table;
use super::query::{Query, batch};
use super::quote::{Bracketed, Literal, Value};
use super::view::MARK;

/// Stands for a password that whoever runs a script gives to their program (`sqlcmd -v AxonPassword=…`).
pub(crate) const PASSWORD_VARIABLE: &str = "$(AxonPassword)";

/// `IF DB_NAME() = … AND … EXEC (N'…')`: in another database than the one that was meant nothing is done.
fn guarded(database: SqlName, condition: &str, statement: &str) -> Sql {
    Sql(format!("IF DB_NAME() = {} AND {condition}\n    EXEC ({})", Literal(database), Value(statement)))
}

fn principal(name: SqlName) -> String {
    format!("EXISTS (SELECT 1 FROM sys.database_principals u WHERE u.name = {})", Literal(name))
}

fn schema_there(name: SqlName) -> String {
    format!("EXISTS (SELECT 1 FROM sys.schemas s WHERE s.name = {})", Literal(name))
}

fn table_there(schema: SqlName, table: ManagedTable) -> String {
    format!(
        "EXISTS (SELECT 1 FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id \
         WHERE s.name = {} AND o.name = '{table}')",
        Literal(schema)
    )
}

/// What is made, and in which form it is there already.
pub(crate) fn owner(database: SqlName, name: SqlName) -> Sql {
    let statement = format!("CREATE USER {} WITHOUT LOGIN", Bracketed(name));
    guarded(database, &format!("NOT {}", principal(name)), &statement)
}

pub(crate) fn schema(database: SqlName, name: SqlName, owner: SqlName) -> Sql {
    let statement = super::create_schema(name, owner);
    guarded(database, &format!("NOT {}", schema_there(name)), statement.as_str())
}

pub(crate) fn table(database: SqlName, schema: SqlName, table: ManagedTable) -> Sql {
    let there = table_there(schema, table);
    guarded(database, &format!("NOT {there}"), create_table(schema, table).as_str())
}

pub(crate) fn role(database: SqlName, name: SqlName, owner: SqlName) -> Sql {
    let statement = format!("CREATE ROLE {} AUTHORIZATION {}", Bracketed(name), Bracketed(owner));
    guarded(database, &format!("NOT {}", principal(name)), &statement)
}

pub(crate) fn external_user(database: SqlName, name: SqlName) -> Sql {
    let statement = format!("CREATE USER {} FROM EXTERNAL PROVIDER", Bracketed(name));
    guarded(database, &format!("NOT {}", principal(name)), &statement)
}

/// Alone in its batch; 15023 on a second run.
pub(crate) fn user_of_login(name: SqlName) -> Sql {
    Sql(format!("CREATE USER {0} FOR LOGIN {0}", Bracketed(name)))
}

/// In `master`, alone in its batch; 15025 on a second run. Without a password it stands for a script's variable.
pub(crate) fn login(name: SqlName, password: Option<&SecretString>) -> Sql {
    let password = password.map_or(PASSWORD_VARIABLE, |password| password.expose_secret());
    Sql(format!("CREATE LOGIN {} WITH PASSWORD = '{}'", Bracketed(name), password.replace('\'', "''")))
}

/// In `master`, alone in its batch.
pub(crate) fn new_password(name: SqlName, password: &SecretString) -> Sql {
    let password = password.expose_secret().replace('\'', "''");
    Sql(format!("ALTER LOGIN {} WITH PASSWORD = '{password}'", Bracketed(name)))
}

/// In `master`, alone in its batch; 15151 on a second run.
pub(crate) fn drop_login(name: SqlName) -> Sql {
    Sql(format!("DROP LOGIN {}", Bracketed(name)))
}

/// The database is named in it, so that it does nothing in another one.
pub(crate) fn grant_on_database(database: SqlName, permission: &str, to: SqlName) -> Sql {
    Sql(format!("GRANT {permission} ON DATABASE::{} TO {}", Bracketed(database), Bracketed(to)))
}

pub(crate) fn control_of_schema(database: SqlName, schema: SqlName, to: SqlName) -> Sql {
    let statement = format!("GRANT CONTROL ON SCHEMA::{} TO {}", Bracketed(schema), Bracketed(to));
    guarded(database, &schema_there(schema), &statement)
}

/// All views that Axon wrote, one after another: `MIN` finds the next one.
pub(crate) fn drop_views(database: SqlName, owner: SqlName) -> Sql {
    let next = format!(
        "(SELECT MIN(N'DROP VIEW [' + REPLACE(s.name, N']', N']]') + N'].[' + REPLACE(o.name, N']', N']]') + N']') \
         FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id \
         JOIN sys.sql_modules m ON m.object_id = o.object_id \
         JOIN sys.database_principals p ON p.principal_id = s.principal_id \
         WHERE o.type = 'V' AND p.name = {} AND CHARINDEX({}, m.definition) > 0)",
        Literal(owner),
        Value(MARK)
    );
    each(database, &next)
}

/// Views in any schema of the owner that bear no mark of Axon's: somebody else wrote or altered them.
pub(crate) fn other_views(owner: SqlName) -> Sql {
    Sql(format!(
        "SELECT s.name AS schema_name, o.name AS view_name FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id \
         JOIN sys.database_principals p ON p.principal_id = s.principal_id \
         LEFT JOIN sys.sql_modules m ON m.object_id = o.object_id \
         WHERE o.type = 'V' AND p.name = {} AND (m.definition IS NULL OR CHARINDEX({}, m.definition) = 0)",
        Literal(owner),
        Value(MARK)
    ))
}

/// What stands in a database: the schema of the views, who asks, what that one may, who is there, whose schemas are, views that are
/// not Axon's in schemas of its owner, and which of these hold tables.
pub(crate) fn standing(views: SqlName, owner: SqlName) -> Query {
    let selects = [
        "SELECT SCHEMA_NAME, CATALOG_NAME, SCHEMA_OWNER, DEFAULT_CHARACTER_SET_NAME \
         FROM INFORMATION_SCHEMA.SCHEMATA WHERE SCHEMA_NAME = @P1"
            .to_owned(),
        "SELECT USER_NAME() AS name, IS_MEMBER(N'db_owner') AS owns, IS_MEMBER(N'db_securityadmin') AS secures, \
         CAST(SERVERPROPERTY('EngineEdition') AS int) AS edition, \
         CAST(DATABASEPROPERTYEX(DB_NAME(), 'Collation') AS nvarchar(128)) AS collation"
            .to_owned(),
        "SELECT p.permission_name, s.name FROM sys.database_permissions p \
         JOIN sys.database_principals u ON u.principal_id = p.grantee_principal_id \
         LEFT JOIN sys.schemas s ON p.class = 3 AND s.schema_id = p.major_id \
         WHERE u.name = USER_NAME() AND p.class IN (0, 3) AND p.state IN ('G', 'W')"
            .to_owned(),
        "SELECT u.name, u.type, o.name, CAST(u.authentication_type AS int) AS authentication, u.sid, u.create_date \
         FROM sys.database_principals u \
         LEFT JOIN sys.database_principals o ON o.principal_id = u.owning_principal_id"
            .to_owned(),
        "SELECT s.name, p.name FROM sys.schemas s \
         LEFT JOIN sys.database_principals p ON p.principal_id = s.principal_id"
            .to_owned(),
        other_views(owner).into_string(),
        format!(
            "SELECT DISTINCT s.name FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id \
             JOIN sys.database_principals p ON p.principal_id = s.principal_id WHERE o.type = 'U' AND p.name = {}",
            Literal(owner)
        ),
    ];
    batch(&selects, vec![views])
}

/// In `master`: whether there is a login of this name, for those who may see it.
pub(crate) fn login_there(name: SqlName) -> Query {
    batch(&["SELECT l.name FROM sys.sql_logins l WHERE l.name = @P1".to_owned()], vec![name])
}

/// Runs what this gives, until it gives nothing any more.
fn each(database: SqlName, next: &str) -> Sql {
    Sql(format!(
        "DECLARE @sql nvarchar(max);\nDECLARE @turn int;\nSET @turn = 0;\nSET @sql = {next};\n\
         WHILE DB_NAME() = {} AND @sql IS NOT NULL AND @turn < {MOST}\nBEGIN\n    EXEC (@sql);\n    \
         SET @turn = @turn + 1;\n    SET @sql = {next};\nEND;",
        Literal(database)
    ))
}

/// The most views, and the most members, that one run takes away.
const MOST: u32 = 100_000;

pub(crate) fn drop_table(database: SqlName, schema: SqlName, table: ManagedTable) -> Sql {
    let statement = format!("DROP TABLE {}.[{table}]", Bracketed(schema));
    guarded(database, &table_there(schema, table), &statement)
}

/// What is true of a role that a set-up made: it belongs to Axon's owner, whom nobody else gives roles to.
fn own_role(name: SqlName, owner: SqlName) -> String {
    format!(
        "r.type = 'R' AND r.is_fixed_role = 0 AND r.name = {} AND o.name = {}",
        Literal(name),
        Literal(owner)
    )
}

/// Members go before their role can.
pub(crate) fn empty_role(database: SqlName, name: SqlName, owner: SqlName) -> Sql {
    let next = format!(
        "(SELECT MIN(u.name) FROM sys.database_role_members m \
         JOIN sys.database_principals r ON r.principal_id = m.role_principal_id \
         JOIN sys.database_principals o ON o.principal_id = r.owning_principal_id \
         JOIN sys.database_principals u ON u.principal_id = m.member_principal_id WHERE {})",
        own_role(name, owner)
    );
    Sql(format!(
        "DECLARE @member nvarchar(128);\nDECLARE @turn int;\nSET @turn = 0;\nSET @member = {next};\n\
         WHILE DB_NAME() = {} AND @member IS NOT NULL AND @turn < {MOST}\nBEGIN\n    \
         EXEC sp_droprolemember {}, @member;\n    SET @turn = @turn + 1;\n    SET @member = {next};\nEND;",
        Literal(database),
        Literal(name)
    ))
}

pub(crate) fn drop_role(database: SqlName, name: SqlName, owner: SqlName) -> Sql {
    let there = format!(
        "EXISTS (SELECT 1 FROM sys.database_principals r \
         JOIN sys.database_principals o ON o.principal_id = r.owning_principal_id WHERE {})",
        own_role(name, owner)
    );
    guarded(database, &there, &format!("DROP ROLE {}", Bracketed(name)))
}

/// Only one that the owner owns, and that holds nothing any more.
pub(crate) fn drop_schema(database: SqlName, name: SqlName, owner: SqlName) -> Sql {
    let condition = format!(
        "EXISTS (SELECT 1 FROM sys.schemas s JOIN sys.database_principals p ON p.principal_id = s.principal_id \
         WHERE s.name = {0} AND p.name = {1}) AND NOT EXISTS (SELECT 1 FROM sys.objects o \
         JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE s.name = {0})",
        Literal(name),
        Literal(owner)
    );
    guarded(database, &condition, &format!("DROP SCHEMA {}", Bracketed(name)))
}

/// Roles that belong to a user, which could not be dropped else (15421). Who is in them and what they hold stays.
pub(crate) fn give_roles_back(database: SqlName, user: SqlName) -> Sql {
    let next = format!(
        "(SELECT MIN(N'ALTER AUTHORIZATION ON ROLE::[' + REPLACE(r.name, N']', N']]') + N'] TO [dbo]') \
         FROM sys.database_principals r JOIN sys.database_principals u ON u.principal_id = r.owning_principal_id \
         WHERE r.type = 'R' AND u.name = {})",
        Literal(user)
    );
    each(database, &next)
}

pub(crate) fn drop_user(database: SqlName, name: SqlName) -> Sql {
    let there = format!(
        "EXISTS (SELECT 1 FROM sys.database_principals u WHERE u.type <> 'R' AND u.name = {})",
        Literal(name)
    );
    guarded(database, &there, &format!("DROP USER {}", Bracketed(name)))
}

/// Only where nothing belongs to it: schemas of tables were given to it by people, and to give them to somebody else could open them.
pub(crate) fn drop_owner(database: SqlName, name: SqlName) -> Sql {
    let condition = format!(
        "EXISTS (SELECT 1 FROM sys.database_principals u WHERE u.type = 'S' AND u.authentication_type = 0 AND u.name = {0}) \
         AND NOT EXISTS (SELECT 1 FROM sys.schemas s JOIN sys.database_principals p ON p.principal_id = s.principal_id \
         WHERE p.name = {0}) AND NOT EXISTS (SELECT 1 FROM sys.objects o JOIN sys.database_principals p \
         ON p.principal_id = o.principal_id WHERE p.name = {0}) AND NOT EXISTS (SELECT 1 FROM sys.database_principals r \
         JOIN sys.database_principals p ON p.principal_id = r.owning_principal_id WHERE r.type = 'R' AND p.name = {0})",
        Literal(name)
    );
    guarded(database, &condition, &format!("DROP USER {}", Bracketed(name)))
}
