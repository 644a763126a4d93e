//! An engine that answers by a script, behind the emulator's real wire: for what a real engine does seldom.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axon_emulator::{
    Answer, Cancel, Column, Credentials, Engine, LoginRequest, Param, Server, ServerError, SessionPort,
    SqlType, Value, WireConfig,
};
use axon_model::SqlName;
use axon_synapse::{Auth, Connection, Dialect, SynapseTarget, Tls};
use secrecy::SecretString;
use tokio::sync::watch;

pub const PASSWORD: &str = "s3cret Pässwörd";

type Script = Box<dyn Fn(&str, &[Param]) -> Vec<Answer> + Send + Sync>;
type Door = Box<dyn Fn(&LoginRequest) -> Result<(), ServerError> + Send + Sync>;

/// What happened behind the wire.
#[derive(Default)]
pub struct Seen {
    pub logins: Mutex<Vec<Credentials>>,
    pub batches: Mutex<Vec<String>>,
    kills: Mutex<Vec<watch::Sender<bool>>>,
}

impl Seen {
    /// The batches that are no catalog queries.
    pub fn statements(&self) -> Vec<String> {
        self.batches.lock().unwrap().iter().filter(|sql| !sql.starts_with("SELECT")).cloned().collect()
    }

    pub fn logins(&self) -> usize {
        self.logins.lock().unwrap().len()
    }

    /// Cuts all connections.
    pub fn cut(&self) {
        for kill in self.kills.lock().unwrap().drain(..) {
            let _ = kill.send(true);
        }
    }
}

pub struct Scripted {
    pub port: u16,
    pub seen: Arc<Seen>,
}

struct Play {
    seen: Arc<Seen>,
    door: Door,
    script: Arc<Script>,
}

struct Session {
    seen: Arc<Seen>,
    script: Arc<Script>,
    killed: watch::Receiver<bool>,
    cancel: Cancel,
}

impl Scripted {
    pub async fn start(
        wire: WireConfig,
        door: impl Fn(&LoginRequest) -> Result<(), ServerError> + Send + Sync + 'static,
        script: impl Fn(&str, &[Param]) -> Vec<Answer> + Send + Sync + 'static,
    ) -> Self {
        let seen = Arc::new(Seen::default());
        let script: Arc<Script> = Arc::new(Box::new(script));
        let play = Play { seen: Arc::clone(&seen), door: Box::new(door), script };
        let server = Server::bind("127.0.0.1:0", Arc::new(play), wire).await.unwrap();
        let port = server.local_addr().port();
        tokio::spawn(server.run(std::future::pending()));
        Self { port, seen }
    }

    /// Without TLS, and with a door that is open.
    pub async fn open(script: impl Fn(&str, &[Param]) -> Vec<Answer> + Send + Sync + 'static) -> Self {
        Self::start(WireConfig::default(), |_| Ok(()), script).await
    }

    pub fn connection(&self) -> Connection {
        Connection {
            host: "127.0.0.1".into(),
            port: self.port,
            database: SqlName::parse("dw").unwrap(),
            tls: Tls::Off,
            auth: Auth::Sql { user: "sa".into(), password: SecretString::from(PASSWORD) },
            login_timeout: Duration::from_secs(10),
            command_timeout: Duration::from_secs(10),
        }
    }

    pub fn target(&self) -> SynapseTarget {
        SynapseTarget::new("warehouse", Dialect::Dedicated, self.connection()).unwrap()
    }
}

impl Engine for Play {
    fn login(&self, request: LoginRequest) -> Result<Box<dyn SessionPort>, ServerError> {
        self.seen.logins.lock().unwrap().push(request.credentials.clone());
        (self.door)(&request)?;
        let (kill, killed) = watch::channel(false);
        self.seen.kills.lock().unwrap().push(kill);
        let (seen, script) = (Arc::clone(&self.seen), Arc::clone(&self.script));
        Ok(Box::new(Session { seen, script, killed, cancel: Cancel::default() }))
    }
}

impl SessionPort for Session {
    fn batch(&mut self, sql: &str) -> Vec<Answer> {
        self.execute_sql(sql, Vec::new())
    }

    fn execute_sql(&mut self, sql: &str, params: Vec<Param>) -> Vec<Answer> {
        self.seen.batches.lock().unwrap().push(sql.to_owned());
        if sql.contains("hang") {
            let start = Instant::now();
            while !self.cancel.asked() && start.elapsed() < Duration::from_secs(20) {
                std::thread::yield_now();
            }
        }
        (self.script)(sql, &params)
    }

    fn call(&mut self, procedure: &str, params: Vec<Param>) -> Vec<Answer> {
        self.execute_sql(procedure, params)
    }

    fn database(&self) -> String {
        "dw".into()
    }

    fn spid(&self) -> u16 {
        51
    }

    fn in_transaction(&self) -> bool {
        false
    }

    fn reset(&mut self) {}

    fn killed(&self) -> watch::Receiver<bool> {
        self.killed.clone()
    }

    fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }
}

/// A statement that worked.
pub fn done() -> Vec<Answer> {
    vec![Answer::Done { rows: None }]
}

/// A statement that did not.
pub fn error(number: i32, message: &str) -> Vec<Answer> {
    vec![Answer::Error(ServerError::new(number, message)), Answer::Done { rows: None }]
}

fn set(types: &[SqlType], rows: Vec<Vec<Value>>) -> Vec<Answer> {
    let columns = types.iter().map(|ty| Column::new("c", *ty)).collect();
    let count = u64::try_from(rows.len()).unwrap();
    let mut answers = vec![Answer::Columns(columns)];
    answers.extend(rows.into_iter().map(Answer::Row));
    answers.push(Answer::Done { rows: Some(count) });
    answers
}

pub fn text(value: &str) -> Value {
    Value::Text(value.into())
}

/// Who is there, as the greeting asks.
pub fn greeting() -> Vec<Answer> {
    let at = Value::DateTime(time::macros::datetime!(2026-11-22 00:00));
    set(
        &[SqlType::NVarChar(300), SqlType::Int, SqlType::NVarChar(128), SqlType::DateTime],
        vec![vec![text("Microsoft Azure SQL Data Warehouse"), Value::Int(6), text("dbo"), at]],
    )
}

/// What is told of a principal without an id that can be compared, and of sessions of its name.
pub fn sessions(ids: &[&str]) -> Vec<Answer> {
    let id = |id: &&str| match id.parse() {
        Ok(number) => Value::Int(number),
        Err(_) => text(id),
    };
    let of =
        if ids.iter().all(|id| id.parse::<i64>().is_ok()) { SqlType::Int } else { SqlType::NVarChar(32) };
    let mut answers = set(&[SqlType::VarBinary(85)], vec![vec![Value::Null]]);
    answers.extend(set(
        &[of, SqlType::VarBinary(85), SqlType::Int],
        ids.iter().map(|one| vec![id(one), Value::Null, Value::Int(1)]).collect(),
    ));
    answers
}

/// The same of a name that no principal has: sessions, and the ids that they tell.
pub fn sessions_of_nobody(sessions: &[(i64, Option<[u8; 16]>)]) -> Vec<Answer> {
    let told = |sid: Option<[u8; 16]>| sid.map_or(Value::Null, |sid| Value::Bytes(sid.to_vec()));
    let rows = sessions.iter().map(|(id, sid)| vec![Value::Int(*id), told(*sid), Value::Int(1)]);
    let mut answers = set(&[SqlType::VarBinary(85)], vec![]);
    answers.extend(set(&[SqlType::Int, SqlType::VarBinary(85), SqlType::Int], rows.collect()));
    answers
}

/// One row of numbers.
pub fn numbers(row: &[Option<i64>]) -> Vec<Answer> {
    let cells = row.iter().map(|number| number.map_or(Value::Null, Value::Int)).collect();
    set(&vec![SqlType::Int; row.len()], vec![cells])
}

/// Nobody is in.
pub fn nobody() -> Vec<Answer> {
    set(&[SqlType::NVarChar(128), SqlType::VarBinary(85)], vec![])
}

/// The result sets of a catalog query: these principals (name, type) and no permissions.
pub fn catalog(principals: &[(&str, &str)]) -> Vec<Answer> {
    catalog_of(6, principals)
}

/// The same of a pool of this edition.
pub fn catalog_of(edition: i64, principals: &[(&str, &str)]) -> Vec<Answer> {
    use SqlType::{Bit, DateTime, Int, NVarChar, TinyInt, VarBinary};
    let name = NVarChar(128);
    let mut answers = set(
        &[NVarChar(300), Int, name, name],
        vec![vec![text("Microsoft Azure SQL Data Warehouse"), Value::Int(edition), text("dbo"), text("dw")]],
    );
    answers.extend(set(&[TinyInt, Int, Int, Int, Int, SqlType::Char(4), name, SqlType::Char(1)], vec![]));
    answers.extend(set(&[Int, Int], vec![]));
    answers.extend(set(&[Int, Int, name], vec![]));
    answers.extend(set(&[Int, Int, name, SqlType::Char(2), Int], vec![]));
    answers.extend(set(&[Int, name, Int], vec![]));
    let rows = principals.iter().zip(100..).map(|((principal, code), id)| {
        let sid = Value::Bytes(vec![7; 16]);
        vec![Value::Int(id), text(principal), text(code), sid, Value::Null, Value::Null, Value::Bool(false)]
    });
    answers.extend(set(&[Int, name, SqlType::Char(1), VarBinary(85), DateTime, Int, Bit], rows.collect()));
    answers
}
