//! A tiny engine behind the real wire layer, so that the wire is tested alone.
#![allow(dead_code, reason = "each test file uses a part")]
#![expect(clippy::unwrap_used, reason = "test support fails like a test")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axon_emulator::{
    Answer, Cancel, Column, Credentials, Engine, LoginRequest, Param, Server, ServerError, SessionPort,
    SqlType, Value, WireConfig,
};
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

pub const PASSWORD: &str = "Pässwörd 1!";

/// What happened behind the wire.
#[derive(Default)]
pub struct Seen {
    pub calls: Mutex<Vec<(String, Vec<Param>)>>,
    pub resets: Mutex<u32>,
    pub cancelled: Mutex<u32>,
    pub ended: Mutex<u32>,
    pub kill: Mutex<Vec<watch::Sender<bool>>>,
}

pub struct TestServer {
    pub port: u16,
    pub seen: Arc<Seen>,
    stop: Option<oneshot::Sender<()>>,
}

impl TestServer {
    pub async fn start(config: WireConfig) -> Self {
        let seen = Arc::new(Seen::default());
        let engine = Arc::new(StandIn { seen: Arc::clone(&seen) });
        let server = Server::bind("127.0.0.1:0", engine, config).await.unwrap();
        let port = server.local_addr().port();
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(server.run(async move {
            let _ = stopped.await;
        }));
        Self { port, seen, stop: Some(stop) }
    }

    pub fn stop(&mut self) {
        drop(self.stop.take());
    }

    pub fn config_without_trust(&self) -> Config {
        let mut config = Config::new();
        config.host("localhost");
        config.port(self.port);
        config.authentication(AuthMethod::sql_server("sa", PASSWORD));
        config.encryption(EncryptionLevel::Required);
        config
    }

    pub fn tiberius(&self) -> Config {
        let mut config = self.config_without_trust();
        config.encryption(EncryptionLevel::NotSupported);
        config.trust_cert();
        config
    }

    pub async fn connect(&self, config: Config) -> Result<Client<Compat<TcpStream>>, tiberius::error::Error> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Box::pin(Client::connect(config, stream.compat_write())).await
    }

    pub async fn client(&self) -> Client<Compat<TcpStream>> {
        Box::pin(self.connect(self.tiberius())).await.unwrap()
    }
}

/// Wait until a condition holds, at most ten seconds.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A token long enough to need several packets.
pub fn token_of(upn: &str, filler: usize) -> String {
    format!("header.{upn}.{}", "x".repeat(filler))
}

struct StandIn {
    seen: Arc<Seen>,
}

impl Engine for StandIn {
    fn login(&self, request: LoginRequest) -> Result<Box<dyn SessionPort>, ServerError> {
        let login = match &request.credentials {
            Credentials::Sql { user, password } if password == PASSWORD => user.clone(),
            Credentials::Token { jwt } if jwt.starts_with("header.") => jwt.clone(),
            _ => return Err(ServerError::new(18_456, "Login failed.").with_class(14)),
        };
        let (kill, killed) = watch::channel(false);
        self.seen.kill.lock().unwrap().push(kill);
        Ok(Box::new(StandInSession {
            seen: Arc::clone(&self.seen),
            login,
            request,
            killed,
            cancel: Cancel::default(),
            in_transaction: false,
        }))
    }
}

struct StandInSession {
    seen: Arc<Seen>,
    login: String,
    request: LoginRequest,
    killed: watch::Receiver<bool>,
    cancel: Cancel,
    in_transaction: bool,
}

impl Drop for StandInSession {
    fn drop(&mut self) {
        *self.seen.ended.lock().unwrap() += 1;
    }
}

pub fn text(name: &str, value: &str) -> (Column, Value) {
    (Column::new(name, SqlType::NVarChar(0)), Value::Text(value.into()))
}

fn one_row(cells: Vec<(Column, Value)>) -> Vec<Answer> {
    let (columns, row) = cells.into_iter().unzip();
    vec![Answer::Columns(columns), Answer::Row(row), Answer::Done { rows: Some(1) }]
}

impl StandInSession {
    fn wait_for_cancel(&self) -> Vec<Answer> {
        let start = Instant::now();
        while !self.cancel.asked() && start.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(2));
        }
        if self.cancel.asked() {
            *self.seen.cancelled.lock().unwrap() += 1;
        }
        vec![Answer::Done { rows: None }]
    }
}

impl SessionPort for StandInSession {
    fn batch(&mut self, sql: &str) -> Vec<Answer> {
        let sql = sql.trim();
        self.seen.calls.lock().unwrap().push((sql.into(), Vec::new()));
        let done = |rows| Answer::Done { rows };
        match sql.split(' ').collect::<Vec<_>>().as_slice() {
            ["one"] => one_row(vec![(Column::new("one", SqlType::Int), Value::Int(1))]),
            ["facts"] => one_row(vec![
                text("login", &self.login),
                text("app", &self.request.app_name),
                text("host", &self.request.host_name),
                text("database", self.request.database.as_deref().unwrap_or("dw")),
                text("address", &self.request.client_addr),
            ]),
            ["rows", count] => {
                let count: i64 = count.parse().unwrap();
                let columns = Answer::Columns(vec![
                    Column::new("n", SqlType::BigInt),
                    Column::new("t", SqlType::NVarChar(100)),
                ]);
                let mut answers = vec![columns];
                answers.extend(
                    (0..count).map(|n| Answer::Row(vec![Value::Int(n), Value::Text(format!("row {n}"))])),
                );
                answers.push(done(Some(count.unsigned_abs())));
                answers
            }
            ["two", "results"] => {
                let mut answers = one_row(vec![(Column::new("a", SqlType::Int), Value::Int(1))]);
                answers.push(done(None));
                answers.extend(one_row(vec![(Column::new("b", SqlType::Bit), Value::Bool(true))]));
                answers
            }
            ["changed", count] => vec![done(count.parse().ok())],
            ["fail", number] => {
                vec![
                    Answer::Error(ServerError::new(number.parse().unwrap(), "told to fail").at_line(7)),
                    done(None),
                ]
            }
            ["fatal"] => vec![Answer::Error(ServerError::new(596, "session is killed").with_class(21))],
            ["hang", "up"] => vec![done(None), Answer::Hangup],
            ["panic"] => panic!("told to panic"),
            ["wait"] => self.wait_for_cancel(),
            ["BEGIN", ..] => {
                self.in_transaction = true;
                vec![done(None)]
            }
            ["COMMIT" | "ROLLBACK", ..] => {
                self.in_transaction = false;
                vec![done(None)]
            }
            ["info"] => {
                vec![Answer::Info(ServerError::new(0, "for your information").with_class(0)), done(None)]
            }
            ["move"] => vec![Answer::DatabaseChanged { from: "dw".into(), to: "other".into() }, done(None)],
            _ => one_row(vec![(
                Column::new("length", SqlType::BigInt),
                Value::Int(i64::try_from(sql.len()).unwrap()),
            )]),
        }
    }

    fn execute_sql(&mut self, sql: &str, params: Vec<Param>) -> Vec<Answer> {
        self.seen.calls.lock().unwrap().push((sql.into(), params.clone()));
        match sql {
            echo if echo.starts_with("echo") => one_row(
                params
                    .into_iter()
                    .map(|p| (Column::new(p.name.trim_start_matches('@'), p.ty), p.value))
                    .collect(),
            ),
            "out" => {
                let mut answers = vec![Answer::Done { rows: Some(0) }];
                answers.extend(params.into_iter().filter(|p| p.output).map(|p| Answer::ReturnValue {
                    name: p.name,
                    ty: p.ty,
                    value: Value::Int(42),
                }));
                answers
            }
            other => self.batch(other),
        }
    }

    fn call(&mut self, procedure: &str, params: Vec<Param>) -> Vec<Answer> {
        self.seen.calls.lock().unwrap().push((procedure.into(), params));
        if procedure.eq_ignore_ascii_case("missing") {
            return vec![Answer::Error(ServerError::new(2812, "Could not find stored procedure 'missing'."))];
        }
        vec![Answer::ReturnStatus(3)]
    }

    fn database(&self) -> String {
        "dw".into()
    }

    fn spid(&self) -> u16 {
        51
    }

    fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    fn reset(&mut self) {
        *self.seen.resets.lock().unwrap() += 1;
    }

    fn killed(&self) -> watch::Receiver<bool> {
        self.killed.clone()
    }

    fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }
}
