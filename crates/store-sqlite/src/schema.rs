//! The migrations, as SQLite takes them.

use std::borrow::Cow;

use axon_store_sql::schema::STEPS;
use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

pub(crate) use axon_store_sql::schema::latest;

/// `AXON`: what the file's header says it belongs to.
pub(crate) const APPLICATION_ID: i64 = 0x4158_4f4e;

/// How many there are.
pub(crate) const fn steps() -> usize {
    STEPS.len()
}

/// All migrations, in order.
pub(crate) fn migrator() -> Migrator {
    let migrations = STEPS.iter().map(|step| {
        let sql = step.sqlite.into_sql_str();
        Migration::new(step.version, Cow::Borrowed(step.name), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_application_id_in_the_migration_is_the_one_that_is_checked() {
        assert!(STEPS[0].sqlite.contains(&format!("PRAGMA application_id = {APPLICATION_ID};")));
    }
}
