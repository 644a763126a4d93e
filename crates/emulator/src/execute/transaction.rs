//! User transactions: over rows only, one at a time, doomed by the first error.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::answer::{ServerError, Value};
use crate::errors;
use crate::session::Session;
use crate::sql::ast::Kind;

/// An open transaction.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    /// Nothing but ROLLBACK works any more.
    pub(crate) doomed: bool,
    /// The rows of each table before the transaction wrote to it.
    pub(crate) before: BTreeMap<i32, Arc<Vec<Vec<Value>>>>,
}

/// Whether a statement may run in the present state of the transaction.
pub(super) fn allow(session: &Session, kind: &Kind) -> Result<(), ServerError> {
    let Some(transaction) = &session.transaction else { return Ok(()) };
    let works = kind.is_definition()
        || matches!(
            kind,
            Kind::Query(_)
                | Kind::Change(_)
                | Kind::InsertBulk { .. }
                | Kind::Begin
                | Kind::Commit
                | Kind::Execute { .. }
                | Kind::ExecuteText(_)
        );
    if transaction.doomed && works {
        return Err(errors::doomed());
    }
    if kind.is_definition() || matches!(kind, Kind::Begin) {
        return Err(errors::in_transaction());
    }
    Ok(())
}

/// With `SET IMPLICIT_TRANSACTIONS ON` work opens a transaction by itself.
pub(super) fn begin_implicitly(session: &mut Session, kind: &Kind) {
    let opens = kind.is_definition() || matches!(kind, Kind::Query(_) | Kind::Change(_));
    if session.implicit_transactions && opens && session.transaction.is_none() {
        session.transaction = Some(Transaction::default());
    }
}

/// BEGIN TRANSACTION
pub(super) fn begin(session: &mut Session) -> Result<(), ServerError> {
    if session.transaction.is_some() {
        return Err(errors::in_transaction());
    }
    session.transaction = Some(Transaction::default());
    Ok(())
}

/// COMMIT
pub(super) fn commit(session: &mut Session) -> Result<(), ServerError> {
    if session.transaction.is_none() {
        return if session.implicit_transactions { Ok(()) } else { Err(errors::no_transaction()) };
    }
    release(session);
    session.transaction = None;
    Ok(())
}

/// ROLLBACK
pub(super) fn end_by_rollback(session: &mut Session) -> Result<(), ServerError> {
    if session.transaction.is_none() && !session.implicit_transactions {
        return Err(errors::no_transaction());
    }
    roll_back(session);
    Ok(())
}

/// Undoes and ends the transaction, if there is one.
pub(crate) fn roll_back(session: &mut Session) {
    undo(session);
    session.transaction = None;
}

/// An error inside a transaction: its changes are undone, and only ROLLBACK is left.
pub(super) fn doom(session: &mut Session) {
    undo(session);
    if let Some(transaction) = &mut session.transaction {
        transaction.doomed = true;
    }
}

fn undo(session: &mut Session) {
    let Some(transaction) = &mut session.transaction else { return };
    let before = std::mem::take(&mut transaction.before);
    if !before.is_empty() {
        let mut state = session.pool.lock();
        let catalog = state.catalog_mut(session.database);
        for (table, rows) in before {
            if let Some(mut object) = catalog.object(table).cloned() {
                object.rows = rows;
                catalog.put_object(object);
            }
        }
    }
    release(session);
}

/// Gives back the tables that the transaction held.
fn release(session: &Session) {
    session.pool.lock().locks.retain(|_, holder| *holder != session.number);
}

#[cfg(test)]
mod tests {
    use crate::answer::{Answer, Value};
    use crate::session::Session;
    use crate::testing::{fails, number, ok, pool, sa};

    fn count(session: &mut Session) -> i64 {
        let answers = session.batch("SELECT COUNT(*) AS n FROM t");
        let row = answers.iter().find_map(|answer| match answer {
            Answer::Row(row) => Some(row[0].clone()),
            _ => None,
        });
        match row {
            Some(Value::Int(count)) => count,
            other => panic!("{other:?} in {answers:?}"),
        }
    }

    #[test]
    fn definitions_in_a_transaction_fail_and_doom_it() {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(&mut admin, &["CREATE TABLE t (a int)", "CREATE ROLE r", "CREATE USER u WITHOUT LOGIN"]);
        for definition in [
            "CREATE ROLE x",
            "GRANT SELECT ON t TO r",
            "CREATE USER x WITHOUT LOGIN",
            "EXEC sp_addrolemember 'r', 'u'",
            "CREATE VIEW v AS SELECT 1 AS a",
            "BEGIN TRANSACTION",
        ] {
            ok(&mut admin, &["BEGIN TRAN", "INSERT INTO t (a) VALUES (1)"]);
            assert_eq!(
                fails(&mut admin, definition),
                (111_212, "111212;Operation cannot be performed within a transaction.".to_owned()),
                "{definition}"
            );
            let (number, text) = fails(&mut admin, "SELECT a FROM t");
            assert_eq!(number, 111_233);
            assert!(text.starts_with(
                "111233;The current transaction has aborted, and any pending changes have been rolled back."
            ));
            assert_eq!(fails(&mut admin, "COMMIT").0, 111_233);
            ok(&mut admin, &["ROLLBACK"]);
            assert_eq!(count(&mut admin), 0);
        }
        assert!(pool.snapshot().principal_named("x").is_none());
    }

    #[test]
    fn rows_are_committed_or_undone() {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(&mut admin, &["CREATE TABLE t (a int)", "BEGIN TRAN", "INSERT INTO t (a) VALUES (1)", "COMMIT"]);
        ok(&mut admin, &["BEGIN TRAN", "DELETE FROM t", "ROLLBACK TRANSACTION"]);
        assert_eq!(count(&mut admin), 1);
        assert_eq!(
            fails(&mut admin, "COMMIT TRANSACTION"),
            (
                111_214,
                "111214;An attempt to complete a transaction has failed. No corresponding transaction found."
                    .to_owned()
            )
        );
        assert_eq!(number(&mut admin, "ROLLBACK"), 111_214);
    }

    #[test]
    fn an_open_transaction_holds_its_tables_until_it_ends() {
        let pool = pool();
        let (mut one, mut other) = (sa(&pool), sa(&pool));
        ok(&mut one, &["CREATE TABLE t (a int)", "BEGIN TRAN", "INSERT INTO t (a) VALUES (1)"]);
        // Reading is uncommitted, writing waits; here it gives up at once.
        assert_eq!(count(&mut other), 1);
        assert_eq!(number(&mut other, "INSERT INTO t (a) VALUES (2)"), 1222);
        assert_eq!(number(&mut other, "DROP TABLE t"), 1222);
        drop(one);
        assert_eq!(count(&mut other), 0);
        ok(&mut other, &["INSERT INTO t (a) VALUES (2)", "DROP TABLE t"]);
    }

    #[test]
    fn implicit_transactions_make_definitions_fail() {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(&mut admin, &["SET IMPLICIT_TRANSACTIONS ON"]);
        assert_eq!(number(&mut admin, "CREATE ROLE r"), 111_212);
        ok(&mut admin, &["ROLLBACK", "SET IMPLICIT_TRANSACTIONS OFF", "CREATE ROLE r"]);
    }
}
