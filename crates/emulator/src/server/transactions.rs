//! Transactions as clients see them: descriptors that come and go.

use crate::answer::{Answer, ServerError};
use crate::session_port::SessionPort;
use crate::tds::request::Transaction;
use crate::tds::response::{Response, Shape};

/// Keeps the client informed of transactions that begin and end.
#[derive(Debug, Clone, Copy)]
pub struct Transactions {
    open: Option<u64>,
    next: u64,
}

impl Default for Transactions {
    fn default() -> Self {
        Self { open: None, next: 1 }
    }
}

impl Transactions {
    /// Compare with the session; `sql` tells a roll-back from a commit.
    pub fn notice(&mut self, session: &dyn SessionPort, sql: &str, response: &mut Response) {
        match (self.open, session.in_transaction()) {
            (None, true) => {
                response.transaction(8, self.next);
                self.open = Some(self.next);
                self.next += 1;
            }
            (Some(descriptor), false) => {
                let rolled_back = sql.to_ascii_lowercase().contains("rollback");
                response.transaction(if rolled_back { 10 } else { 9 }, descriptor);
                self.open = None;
            }
            _ => {}
        }
    }
}

/// A transaction manager request, run as the batch that says the same.
pub fn transact(
    session: &mut dyn SessionPort,
    wanted: Transaction,
    transactions: &mut Transactions,
    response: &mut Response,
) {
    let (batches, begin): (Vec<&str>, bool) = match wanted {
        Transaction::Begin { isolation } => (isolation_batch(isolation).into_iter().collect(), true),
        Transaction::Commit { begin } => (vec!["COMMIT TRANSACTION"], begin),
        Transaction::Rollback { begin } => (vec!["ROLLBACK TRANSACTION"], begin),
        Transaction::Save | Transaction::Distributed => {
            let message = "Save points and distributed transactions are not supported by this server.";
            response.error(&ServerError::new(104_409, message));
            return;
        }
    };
    for sql in batches.into_iter().chain(begin.then_some("BEGIN TRANSACTION")) {
        let answers = session.batch(sql);
        transactions.notice(session, sql, response);
        // Only one DONE ends such a request.
        let told = answers.into_iter().filter(|answer| !matches!(answer, Answer::Done { .. })).collect();
        response.add(told, Shape::Batch);
        if response.any_failed() {
            return;
        }
    }
}

fn isolation_batch(level: u8) -> Option<&'static str> {
    match level {
        1 => Some("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED"),
        2 => Some("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"),
        3 => Some("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"),
        4 => Some("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"),
        5 => Some("SET TRANSACTION ISOLATION LEVEL SNAPSHOT"),
        _ => None,
    }
}
