//! What Axon says to the pool over a connection: between the wire and the engine, so that nothing of the product tells of it.

use std::sync::Arc;

use axon_emulator::session::Session;
use axon_emulator::session_port::{BulkRows, Cancel, Engine, Param, SessionPort};
use axon_emulator::{Answer, Credentials, LoginRequest, Pool, ServerError, Value};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::effects::{Answered, Belongs, Effect, Effects, is_effect};
use crate::place::login;

/// The pool, with every statement that comes to it written down.
#[derive(Clone)]
pub struct Ear {
    pool: Arc<Pool>,
    effects: Arc<Effects>,
    runtime: Handle,
}

impl Ear {
    /// Before this pool.
    pub fn new(pool: &Arc<Pool>, effects: &Arc<Effects>) -> Self {
        Self { pool: pool.clone(), effects: effects.clone(), runtime: Handle::current() }
    }

    /// What those are called whose session a KILL is about to end: login, user, and the id of both.
    fn whose(&self, sql: &str) -> Vec<String> {
        let Some(id) = sql.strip_prefix("KILL ") else { return Vec::new() };
        let credentials = Credentials::Sql { user: "sa".to_owned(), password: "secret".to_owned() };
        let Ok(mut looks) = self.pool.login(login(credentials)) else { return Vec::new() };
        let answers = looks.batch(&format!(
            "SELECT login_name, security_id FROM sys.dm_pdw_exec_sessions WHERE session_id = {id}"
        ));
        let mut called = Vec::new();
        for answer in answers {
            let Answer::Row(values) = answer else { continue };
            let [Value::Text(login), Value::Bytes(sid)] = values.as_slice() else { continue };
            let catalog = self.pool.snapshot();
            called.extend(catalog.principal_with_sid(sid).map(|user| user.name.clone()));
            called.extend([login.clone(), axon_reconcile::Sid::from_bytes(sid).to_string()]);
        }
        called
    }

    fn hears(&self, sql: &str, says: impl FnOnce() -> Vec<Answer>) -> Vec<Answer> {
        if !is_effect(sql) {
            return says();
        }
        // Calls are made off the threads that the runtime is driven by.
        let written = self.runtime.block_on(self.effects.written(None));
        let belongs = Belongs::Unsaid(self.whose(sql));
        let before = self.pool.snapshot().revision();
        let answers = says();
        if !is_like_a_step(sql) && self.pool.snapshot().revision() == before {
            return answers;
        }
        let answered = Answered::of(&answers);
        self.effects.push(Effect { sql: sql.to_owned(), belongs, answered, written });
        answers
    }
}

/// Whether a statement is like one of a step. The probes of what a pool can do speak of a name that nothing has.
fn is_like_a_step(sql: &str) -> bool {
    const WORDS: [&str; 8] = ["CREATE ", "DROP ", "GRANT ", "DENY ", "REVOKE ", "KILL ", "EXEC sp_", "IF "];
    WORDS.iter().any(|word| sql.starts_with(word)) && !sql.contains("axon_probe_")
}

impl Engine for Ear {
    fn login(&self, request: LoginRequest) -> Result<Box<dyn SessionPort>, ServerError> {
        let session = self.pool.login(request)?;
        Ok(Box::new(Heard { session, ear: self.clone() }))
    }
}

/// A session that is listened to.
struct Heard {
    session: Session,
    ear: Ear,
}

impl SessionPort for Heard {
    fn batch(&mut self, sql: &str) -> Vec<Answer> {
        self.ear.hears(sql, || self.session.batch(sql))
    }

    fn execute_sql(&mut self, sql: &str, params: Vec<Param>) -> Vec<Answer> {
        self.ear.hears(sql, || self.session.execute_sql(sql, params))
    }

    fn call(&mut self, procedure: &str, params: Vec<Param>) -> Vec<Answer> {
        self.ear.hears(procedure, || self.session.call(procedure, params))
    }

    fn load(&mut self, rows: BulkRows) -> Vec<Answer> {
        self.session.load(rows)
    }

    fn database(&self) -> String {
        SessionPort::database(&self.session)
    }

    fn spid(&self) -> u16 {
        self.session.spid()
    }

    fn in_transaction(&self) -> bool {
        SessionPort::in_transaction(&self.session)
    }

    fn reset(&mut self) {
        self.session.reset();
    }

    fn killed(&self) -> watch::Receiver<bool> {
        SessionPort::killed(&self.session)
    }

    fn cancel(&self) -> Cancel {
        SessionPort::cancel(&self.session)
    }
}
