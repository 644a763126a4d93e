//! Bulk loads: `INSERT BULK`, and the rows of the message after it. All of them come to stand, or none.

use std::sync::Arc;

use super::{Flow, Run, Variables};
use crate::answer::{Answer, ServerError, SqlType};
use crate::catalog::name::same;
use crate::errors;
use crate::faults::Fault;
use crate::query::{self, BulkPlace};
use crate::session::Session;
use crate::session_port::BulkRows;

/// What faults look at while rows are put in.
const TEXT: &str = "BULK LOAD";

/// A bulk load whose rows are to come.
#[derive(Debug, Clone)]
pub(crate) struct Bulk {
    place: BulkPlace,
    columns: Vec<(String, SqlType)>,
}

impl Run<'_> {
    pub(super) fn insert_bulk(
        &mut self,
        table: &[String],
        columns: &[(String, SqlType)],
    ) -> Result<(), ServerError> {
        let names: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
        let place = query::bulk_place(&self.context(), table, &names)?;
        self.session.bulk = Some(Bulk { place, columns: columns.to_vec() });
        self.done(None);
        Ok(())
    }

    fn load(&mut self, bulk: Option<&Bulk>, given: BulkRows) -> Result<Flow, ServerError> {
        let Some(Bulk { place, columns }) = bulk else { return Err(errors::no_bulk()) };
        let alike = |(name, ty): &(String, SqlType), (own, sent): &(String, SqlType)| {
            same(name, own) && std::mem::discriminant(ty) == std::mem::discriminant(sent)
        };
        let same = columns.iter().zip(&given.columns).take_while(|(own, sent)| alike(own, sent)).count();
        if same != columns.len() || same != given.columns.len() {
            return Err(errors::bulk_column(same + 1));
        }
        let struck = self.strike();
        if self.session.closed() {
            return Ok(Flow::Stop);
        }
        if self.session.cancel.asked() {
            return Err(errors::cancelled());
        }
        match &struck {
            Some(Fault::Statement { error, applied: false }) => return Err(error.clone()),
            Some(Fault::Hangup { applied: false }) => return Ok(Flow::Stop),
            _ => {}
        }
        self.still_a_user()?;
        let types: Vec<SqlType> = given.columns.iter().map(|(_, ty)| *ty).collect();
        let count = given.rows.len() as u64;
        let rows = {
            let context = self.context();
            let table = context.catalog.object(place.table).ok_or_else(errors::no_bulk)?;
            context.rights.check(table, &[], crate::catalog::permission::Action::Insert)?;
            query::bulk_rows(&context, table, &place.places, &types, given.rows)?
        };
        self.append(place.table, rows)?;
        match struck {
            Some(Fault::Statement { error, .. }) => Err(error),
            Some(Fault::Hangup { .. }) => Ok(Flow::Stop),
            _ => {
                self.done(Some(count));
                Ok(Flow::Next)
            }
        }
    }

    /// Puts rows behind those that the table has, which are not copied unless somebody still reads them.
    fn append(&mut self, table: i32, rows: Vec<Vec<crate::answer::Value>>) -> Result<(), ServerError> {
        let mut state = self.session.pool.lock();
        if state.locks.get(&table).is_some_and(|holder| *holder != self.session.number) {
            return Err(errors::lock_timeout());
        }
        let catalog = state.catalog_mut(self.session.database);
        let Some(mut object) = catalog.object(table).cloned() else { return Err(errors::no_bulk()) };
        if let Some(transaction) = &mut self.session.transaction {
            transaction.before.entry(table).or_insert_with(|| Arc::clone(&object.rows));
        }
        let mut held = std::mem::take(&mut object.rows);
        // What stands in the catalog's own place is a second hold on the rows: let go of first.
        catalog.put_object(object.clone());
        Arc::make_mut(&mut held).extend(rows);
        object.rows = held;
        catalog.put_object(object);
        if self.session.transaction.is_some() {
            state.locks.insert(table, self.session.number);
        }
        Ok(())
    }
}

/// Runs the message that holds the rows.
pub(crate) fn load(session: &mut Session, bulk: Option<&Bulk>, rows: BulkRows) -> Vec<Answer> {
    let mut run = Run {
        session,
        answers: Vec::new(),
        variables: Variables::default(),
        text: TEXT,
        nesting: 0,
        caught: None,
    };
    let outcome = run.load(bulk, rows);
    if outcome.is_err() {
        super::transaction::doom(run.session);
    }
    run.finish(outcome);
    run.answers
}

#[cfg(test)]
mod tests {
    use crate::answer::{SqlType, Value};
    use crate::session::{Session, first_error};
    use crate::session_port::BulkRows;
    use crate::testing::{number, ok, pool, sa};

    fn rows(values: &[&str]) -> BulkRows {
        let columns = vec![("a".to_owned(), SqlType::NVarChar(20)), ("b".to_owned(), SqlType::Int)];
        let row = |value: &&str| vec![Value::Text((*value).to_owned()), Value::Int(1)];
        BulkRows { columns, rows: values.iter().map(row).collect() }
    }

    fn count(session: &mut Session) -> usize {
        session
            .batch("SELECT a FROM t")
            .iter()
            .filter(|answer| matches!(answer, crate::Answer::Row(_)))
            .count()
    }

    fn failed(session: &mut Session, given: BulkRows) -> Option<i32> {
        first_error(&session.load(given)).map(|error| error.number)
    }

    const BEGIN: &str = "INSERT BULK [t] ([a] nvarchar(20), [b] int) WITH (TABLOCK)";

    #[test]
    fn rows_come_to_stand_all_or_none() {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(&mut admin, &["CREATE TABLE t (a nvarchar(5) NOT NULL, b int NULL)", BEGIN]);
        assert_eq!(failed(&mut admin, rows(&["one", "it's"])), None);
        assert_eq!(count(&mut admin), 2);
        ok(&mut admin, &[BEGIN]);
        assert_eq!(failed(&mut admin, rows(&["three", "too long for it"])), Some(2628));
        let mut null = rows(&["four"]);
        null.rows[0][0] = Value::Null;
        ok(&mut admin, &[BEGIN]);
        assert_eq!(failed(&mut admin, null), Some(515));
        assert_eq!(count(&mut admin), 2);
    }

    #[test]
    fn rows_that_nobody_announced_are_refused() {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(&mut admin, &["CREATE TABLE t (a nvarchar(5) NOT NULL, b int NULL)"]);
        assert_eq!(failed(&mut admin, rows(&["one"])), Some(4022));
        // Another batch in between ends it.
        ok(&mut admin, &[BEGIN, "SELECT 1 AS x"]);
        assert_eq!(failed(&mut admin, rows(&["one"])), Some(4022));
        ok(&mut admin, &[BEGIN]);
        let mut other = rows(&["one"]);
        other.columns.pop();
        assert_eq!(failed(&mut admin, other), Some(4816));
        assert_eq!(number(&mut admin, "INSERT BULK gone (a int)"), 208);
        assert_eq!(number(&mut admin, "INSERT BULK t (c int)"), 207);
        assert_eq!(number(&mut admin, "INSERT BULK t (a int) WITH (ALL)"), 103_010);
        assert_eq!(count(&mut admin), 0);
    }

    #[test]
    fn it_is_rolled_back_with_its_transaction() {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(&mut admin, &["CREATE TABLE t (a nvarchar(5) NOT NULL, b int NULL)", "BEGIN TRANSACTION", BEGIN]);
        assert_eq!(failed(&mut admin, rows(&["one"])), None);
        ok(&mut admin, &["ROLLBACK"]);
        assert_eq!(count(&mut admin), 0);
    }
}
