//! SELECT, INSERT, UPDATE and DELETE: handed to the query engine, answered or stored.

use std::sync::Arc;

use super::Run;
use crate::answer::{Answer, ServerError};
use crate::catalog::Catalog;
use crate::catalog::name::same;
use crate::catalog::permission::{PermissionKey, Securable};
use crate::errors;
use crate::pool::Database;
use crate::query::{self, Change, Query};

/// How often a change is computed again because another session was faster.
const ATTEMPTS: usize = 16;

impl Run<'_> {
    pub(super) fn query(&mut self, query: &Query) -> Result<(), ServerError> {
        let context = self.context();
        // What an open transaction reads is not yet so.
        let caches = self.session.caching
            && context.catalog.result_set_caching()
            && self.session.transaction.is_none();
        let cache = caches.then_some(&self.session.pool.cache);
        let result = query::run_cached(&context, query, cache)?;
        drop(context);
        let count = u64::try_from(result.rows.len()).unwrap_or(u64::MAX);
        self.answers.push(Answer::Columns(result.columns));
        self.answers.extend(result.rows.into_iter().map(Answer::Row));
        self.session.row_count = i64::try_from(count).unwrap_or(i64::MAX);
        self.answers.push(Answer::Done { rows: Some(count) });
        Ok(())
    }

    /// ALTER DATABASE … SET RESULT_SET_CACHING: from `master`, by who administers the server.
    pub(super) fn database_caching(&mut self, database: &str, on: bool) -> Result<(), ServerError> {
        self.with_work(|work| {
            if work.database != Database::Master {
                return Err(errors::not_in_master());
            }
            if !work.caller.administrator || !same(database, work.state.catalog(Database::Pool).database()) {
                return Err(errors::cannot_alter_database(database));
            }
            work.state.catalog_mut(Database::Pool).set_result_set_caching(on);
            Ok(())
        })?;
        self.session.pool.cache.clear();
        self.done(None);
        Ok(())
    }

    pub(super) fn change(&mut self, change: &Change) -> Result<(), ServerError> {
        for _ in 0..ATTEMPTS {
            let context = self.context();
            let changed = query::change(&context, change)?;
            let was = context.catalog.object(changed.object_id).map(|object| Arc::clone(&object.rows));
            // Held on, the snapshot would have to be copied by the write.
            drop(context);
            if self.store(changed.object_id, was.as_ref(), changed.rows)? {
                self.done(Some(changed.count));
                return Ok(());
            }
        }
        Err(errors::lock_timeout())
    }

    /// Puts the new rows in place unless the table changed meanwhile; remembers the old ones for a rollback.
    fn store(&mut self, table: i32, was: Option<&TableRows>, rows: TableRows) -> Result<bool, ServerError> {
        let mut state = self.session.pool.lock();
        if state.locks.get(&table).is_some_and(|holder| *holder != self.session.number) {
            return Err(errors::lock_timeout());
        }
        let catalog = state.catalog_mut(self.session.database);
        let Some(mut object) = catalog.object(table).cloned() else { return Ok(false) };
        if !was.is_some_and(|was| Arc::ptr_eq(was, &object.rows)) {
            return Ok(false);
        }
        let old = std::mem::replace(&mut object.rows, rows);
        catalog.put_object(object);
        if let Some(transaction) = &mut self.session.transaction {
            transaction.before.entry(table).or_insert(old);
            state.locks.insert(table, self.session.number);
        }
        Ok(true)
    }
}

type TableRows = Arc<Vec<Vec<crate::answer::Value>>>;

/// Removes the permission rows of columns that are gone.
pub(super) fn forget_columns(catalog: &mut Catalog, object: i32, kept: &[i32]) {
    let same: Vec<(i32, i32)> = kept.iter().map(|id| (*id, *id)).collect();
    renumber_columns(catalog, object, &same);
}

/// Moves the permission rows of columns to their new numbers; those of columns that are gone go.
pub(super) fn renumber_columns(catalog: &mut Catalog, object: i32, numbers: &[(i32, i32)]) {
    let on_columns: Vec<_> = catalog
        .permissions()
        .filter(|permission| {
            permission.key.securable.minor != 0
                && Securable { minor: 0, ..permission.key.securable } == Securable::object(object)
        })
        .collect();
    for permission in &on_columns {
        catalog.remove_permission(&permission.key);
    }
    for permission in on_columns {
        let moved = numbers.iter().find(|(old, _)| *old == permission.key.securable.minor);
        if let Some((_, new)) = moved {
            let key = PermissionKey { securable: Securable::column(object, *new), ..permission.key };
            catalog.put_permission(key, permission.state);
        }
    }
}
