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
        || matches!(kind, Kind::Query(_) | Kind::Change(_) | Kind::Begin | Kind::Commit | Kind::Execute { .. } | Kind::ExecuteText(_));
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
