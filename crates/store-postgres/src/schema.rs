//! The schema of a store: looked at, made, brought up to date.

use std::borrow::Cow;

use axon_store::StoreError;
use axon_store_sql::schema::{STEPS, latest};
use sqlx::migrate::{Migrate as _, MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Executor as _, PgConnection, SqlSafeStr as _};

use crate::address::Address;
use crate::connect::{forbidden, refused};

/// All migrations, in order.
fn migrator() -> Migrator {
    let migrations = STEPS.iter().map(|step| {
        let sql = AssertSqlSafe(step.postgres()).into_sql_str();
        Migration::new(step.version, Cow::Borrowed(step.name), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
}

/// What is there: a schema, tables in it, a table of migrations.
async fn look(connection: &mut PgConnection, schema: &str) -> Result<(bool, bool, bool), sqlx::Error> {
    sqlx::query_as(
        "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1), \
                EXISTS (SELECT FROM pg_tables WHERE schemaname = $1), \
                EXISTS (SELECT FROM pg_tables WHERE schemaname = $1 AND tablename = '_sqlx_migrations')",
    )
    .bind(schema)
    .fetch_one(connection)
    .await
}

/// Makes the schema where it is not there, and brings it up to date. A schema with other tables is left alone.
pub(crate) async fn prepare(connection: &mut PgConnection, address: &Address) -> Result<(), StoreError> {
    let schema = &address.schema;
    let looked = look(connection, schema).await.map_err(|e| refused(address, e))?;
    if matches!(looked, (_, true, false)) {
        return Err(StoreError::NotAStore {
            file: address.shown().to_owned(),
            reason: format!(
                "its schema {schema} holds tables that another program made; name a schema of Axon's own: ?schema=NAME"
            ),
        });
    }
    if !looked.0 {
        let make = format!("CREATE SCHEMA IF NOT EXISTS {schema}");
        if let Err(error) = connection.execute(sqlx::raw_sql(AssertSqlSafe(make))).await {
            // Another replica may have made it in the same moment.
            let again = look(connection, schema).await.map_err(|e| refused(address, e))?;
            if !again.0 {
                return Err(forbidden(address, error));
            }
        }
    }
    let mut migrated = migrator().run_direct(None, connection, false).await;
    if matches!(migrated, Err(MigrateError::Execute(_) | MigrateError::ExecuteMigration(..))) {
        // The same, for the table of migrations.
        migrated = migrator().run_direct(None, connection, false).await;
    }
    migrated.map_err(|error| match error {
        MigrateError::VersionMissing(found) => {
            StoreError::NewerSchema { file: address.shown().to_owned(), found, known: latest() }
        }
        MigrateError::VersionMismatch(version) => StoreError::NotAStore {
            file: address.shown().to_owned(),
            reason: format!("its schema {version} is not the one that this version made"),
        },
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => forbidden(address, error),
        other => StoreError::unavailable("bring its schema up to date", other),
    })
}

/// The versions that are applied; none where there is no store yet.
pub(crate) async fn applied(
    connection: &mut PgConnection,
    address: &Address,
) -> Result<Vec<i64>, StoreError> {
    let looked = look(connection, &address.schema).await.map_err(|e| refused(address, e))?;
    if !looked.2 {
        return Ok(Vec::new());
    }
    let applied = connection.list_applied_migrations("_sqlx_migrations").await;
    let applied = applied.map_err(|e| StoreError::unavailable("read its schema's version", e))?;
    Ok(applied.into_iter().map(|migration| migration.version).collect())
}
