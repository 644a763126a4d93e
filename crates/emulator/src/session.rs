//! One login: its identity, its transaction, its session context, and the calls that a connection makes.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::answer::{Answer, ServerError, SqlType, Value};
use crate::catalog::name::same;
use crate::execute::{self, Bulk, Transaction};
use crate::identity::Caller;
use crate::pool::sessions::spid;
use crate::pool::{Database, Pool};
use crate::session_port::{BulkRows, Cancel, LoginRequest, Param, SessionPort};

/// One value of the session context.
#[derive(Debug, Clone)]
pub(crate) struct ContextEntry {
    pub(crate) ty: SqlType,
    pub(crate) value: Value,
    pub(crate) read_only: bool,
}

/// A session that is in.
pub struct Session {
    pub(crate) pool: Arc<Pool>,
    pub(crate) number: u32,
    pub(crate) killed: watch::Receiver<bool>,
    pub(crate) cancel: Cancel,
    pub(crate) database: Database,
    pub(crate) request: LoginRequest,
    pub(crate) original: Caller,
    /// `EXECUTE AS USER`, innermost last; true for those without REVERT.
    pub(crate) impersonated: Vec<(Caller, bool)>,
    pub(crate) context: BTreeMap<String, ContextEntry>,
    pub(crate) transaction: Option<Transaction>,
    /// The bulk load whose rows are to come next.
    pub(crate) bulk: Option<Bulk>,
    pub(crate) implicit_transactions: bool,
    pub(crate) no_count: bool,
    /// Kept results may be given, where the database keeps any.
    pub(crate) caching: bool,
    pub(crate) last_error: i32,
    pub(crate) row_count: i64,
}

impl Session {
    pub(crate) fn new(
        pool: Arc<Pool>,
        number: u32,
        killed: watch::Receiver<bool>,
        database: Database,
        caller: Caller,
        request: LoginRequest,
    ) -> Self {
        Self {
            pool,
            number,
            killed,
            cancel: Cancel::default(),
            database,
            request,
            original: caller,
            impersonated: Vec::new(),
            context: BTreeMap::new(),
            transaction: None,
            bulk: None,
            implicit_transactions: false,
            no_count: false,
            caching: true,
            last_error: 0,
            row_count: 0,
        }
    }

    /// Who acts: the innermost impersonated user, else who logged in.
    pub fn caller(&self) -> &Caller {
        self.impersonated.last().map_or(&self.original, |(caller, _)| caller)
    }

    /// As whom the session acts, where that is not who logged in: security id and login.
    fn acts_as(&self) -> Option<(Vec<u8>, String)> {
        self.impersonated.last().map(|(caller, _)| (caller.sid.clone(), caller.login_name.clone()))
    }

    /// Whether the session was cut.
    pub fn closed(&self) -> bool {
        *self.killed.borrow()
    }

    /// Takes the rows of the bulk load that was begun.
    pub fn load(&mut self, rows: BulkRows) -> Vec<Answer> {
        let bulk = self.bulk.take();
        self.request(|session| execute::load(session, bulk.as_ref(), rows))
    }

    /// Runs a batch.
    pub fn batch(&mut self, sql: &str) -> Vec<Answer> {
        self.request(|session| execute::batch(session, sql, Vec::new()))
    }

    /// Runs a batch with parameters, as RPC `sp_executesql` does; output parameters come back at the end.
    pub fn execute_sql(&mut self, sql: &str, params: Vec<Param>) -> Vec<Answer> {
        self.request(|session| {
            let mut answers = execute::batch(session, sql, params);
            if !failed(&answers) {
                answers.push(Answer::ReturnStatus(0));
            }
            answers
        })
    }

    /// Calls a procedure by name.
    pub fn call(&mut self, procedure: &str, params: Vec<Param>) -> Vec<Answer> {
        if same(procedure.trim_start_matches("sys."), "sp_reset_connection") {
            self.reset();
            return vec![Answer::ReturnStatus(0), Answer::Done { rows: None }];
        }
        self.request(|session| execute::procedure_call(session, procedure, params))
    }

    fn request(&mut self, work: impl FnOnce(&mut Self) -> Vec<Answer>) -> Vec<Answer> {
        if self.closed() {
            return vec![Answer::Hangup];
        }
        // Rows that do not come next do not come any more.
        self.bulk = None;
        self.pool.lock().sessions.begin_request(self.number);
        let answers = work(self);
        let mut state = self.pool.lock();
        state.sessions.end_request(self.number, self.transaction.is_some());
        state.sessions.act_as(self.number, self.acts_as());
        drop(state);
        if self.closed() && !answers.contains(&Answer::Hangup) {
            return vec![Answer::Hangup];
        }
        answers
    }

    /// The name of the database.
    pub fn database_name(&self) -> String {
        self.pool.lock().catalog(self.database).database().to_owned()
    }

    /// Forgets everything but the login.
    pub fn reset(&mut self) {
        execute::transaction::roll_back(self);
        self.impersonated.clear();
        self.pool.lock().sessions.act_as(self.number, None);
        self.context.clear();
        self.bulk = None;
        self.implicit_transactions = false;
        self.no_count = false;
        self.caching = true;
        self.last_error = 0;
        self.row_count = 0;
    }
}

/// Whether an answer holds an error.
fn failed(answers: &[Answer]) -> bool {
    answers.iter().any(|answer| matches!(answer, Answer::Error(_) | Answer::Hangup))
}

impl Drop for Session {
    fn drop(&mut self) {
        execute::transaction::roll_back(self);
        self.pool.lock().sessions.close(self.number);
    }
}

impl SessionPort for Session {
    fn batch(&mut self, sql: &str) -> Vec<Answer> {
        Self::batch(self, sql)
    }

    fn execute_sql(&mut self, sql: &str, params: Vec<Param>) -> Vec<Answer> {
        Self::execute_sql(self, sql, params)
    }

    fn call(&mut self, procedure: &str, params: Vec<Param>) -> Vec<Answer> {
        Self::call(self, procedure, params)
    }

    fn load(&mut self, rows: BulkRows) -> Vec<Answer> {
        Self::load(self, rows)
    }

    fn database(&self) -> String {
        self.database_name()
    }

    fn spid(&self) -> u16 {
        spid(self.number)
    }

    fn in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    fn reset(&mut self) {
        Self::reset(self);
    }

    fn killed(&self) -> watch::Receiver<bool> {
        self.killed.clone()
    }

    fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }
}

/// The error of an answer, for those who only want to know whether it failed.
pub fn first_error(answers: &[Answer]) -> Option<&ServerError> {
    answers.iter().find_map(|answer| match answer {
        Answer::Error(error) => Some(error),
        _ => None,
    })
}
