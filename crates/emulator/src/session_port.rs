//! The seam between the wire layer and the engine behind it.
//!
//! The wire layer holds an [`Engine`], logs in, and calls one [`SessionPort`]
//! per connection. Calls may block: the wire makes them off the async threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use crate::answer::{Answer, ServerError, SqlType, Value};
use crate::errors;

/// What a client proved at LOGIN7.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// SQL login.
    Sql {
        /// Login name as given.
        user: String,
        /// Password in clear, as it came out of the login record.
        password: String,
    },
    /// FEDAUTH with a security token.
    Token {
        /// The JWT, not checked yet.
        jwt: String,
    },
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sql { user, password: _ } => write!(f, "Sql {{ user: {user:?} }}"),
            Self::Token { jwt: _ } => f.write_str("Token"),
        }
    }
}

/// Everything about a login that the engine may want to know or show.
#[derive(Debug, Clone)]
pub struct LoginRequest {
    /// Who.
    pub credentials: Credentials,
    /// Database asked for; `None` means the login's default.
    pub database: Option<String>,
    /// Application name.
    pub app_name: String,
    /// Workstation name.
    pub host_name: String,
    /// Peer address.
    pub client_addr: String,
    /// Language asked for.
    pub language: Option<String>,
}

/// One parameter of an RPC.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// Name with its `@`; empty if given by position.
    pub name: String,
    /// Type sent by the client.
    pub ty: SqlType,
    /// Value sent by the client.
    pub value: Value,
    /// Whether the client wants it back.
    pub output: bool,
}

/// The rows of a bulk load, as they came.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BulkRows {
    /// Name and type of each column.
    pub columns: Vec<(String, SqlType)>,
    /// One value of each column in each row.
    pub rows: Vec<Vec<Value>>,
}

/// Asks a running call to stop. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Ask the running call to stop as soon as it can.
    pub fn ask(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether a stop was asked for.
    #[must_use]
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Forget the request. The wire does so before every call.
    pub fn clear(&self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// Something that one can log in to.
pub trait Engine: Send + Sync + 'static {
    /// Open a session, or say why not (18456, 42108, ...).
    fn login(&self, request: LoginRequest) -> Result<Box<dyn SessionPort>, ServerError>;
}

/// One login. Calls are made one at a time. Dropping it ends the session.
pub trait SessionPort: Send + 'static {
    /// Run a batch of statements (SQLBatch).
    fn batch(&mut self, sql: &str) -> Vec<Answer>;

    /// Run a parameterised batch (RPC `sp_executesql`). Parameters have names.
    fn execute_sql(&mut self, sql: &str, params: Vec<Param>) -> Vec<Answer>;

    /// Call any other procedure by its name as sent.
    fn call(&mut self, procedure: &str, params: Vec<Param>) -> Vec<Answer>;

    /// Take the rows of the bulk load that the batch before began.
    fn load(&mut self, _rows: BulkRows) -> Vec<Answer> {
        vec![Answer::Error(errors::no_bulk()), Answer::Done { rows: None }]
    }

    /// Database the session works in.
    fn database(&self) -> String;

    /// Number of the session (`@@SPID`).
    fn spid(&self) -> u16;

    /// Whether a transaction is open.
    fn in_transaction(&self) -> bool;

    /// Forget session state but keep the login (the reset bit of a request, `sp_reset_connection`).
    fn reset(&mut self);

    /// Turns to `true` when the session is killed, so that an idle connection is cut.
    fn killed(&self) -> watch::Receiver<bool>;

    /// Handle by which another task asks the running call to stop.
    fn cancel(&self) -> Cancel;
}
