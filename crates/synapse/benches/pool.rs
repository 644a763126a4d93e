//! A pool over TDS: 1,000,000 permission rows read. The server is the emulator, in this process.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has failed")]

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use axon_emulator::saved::SavedPool;
use axon_emulator::{Directory, Emulator, EmulatorConfig, Running};
use axon_model::SqlName;
use axon_reconcile::target::TokenError;
use axon_reconcile::{InspectScope, Target as _, TokenSource};
use axon_synapse::{Auth, Connection, Dialect, SynapseTarget, Tls};
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::compat::TokioAsyncWriteCompatExt as _;

const PASSWORD: &str = "Tr0ub4dor&3";
const ADMIN: &str = "eyJhbGciOiJub25lIn0.eyJ1cG4iOiJhZG1pbkBhY21lLmNvbSJ9.";
const TENANT: &str = r#"{ "users": [{"upn": "admin@acme.com", "objectId": "00000000-0000-0000-0000-00000000000a"}], "groups": [] }"#;

/// Roles, tables and permissions on each: a million rows.
const ROLES: usize = 500;
const TABLES: usize = 500;
const ACTIONS: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];
/// What the reading may take.
const READ: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Token;

#[async_trait::async_trait]
impl TokenSource for Token {
    async fn token(&self) -> Result<secrecy::SecretString, TokenError> {
        Ok(ADMIN.into())
    }
}

fn name(text: &str) -> SqlName {
    SqlName::parse(text).unwrap()
}

fn target(port: u16) -> SynapseTarget {
    let connection = Connection {
        host: "127.0.0.1".into(),
        port,
        database: name("dw"),
        tls: Tls::Off,
        auth: Auth::Token(Arc::new(Token)),
        login_timeout: Duration::from_secs(10),
        command_timeout: Duration::from_mins(5),
    };
    SynapseTarget::new("warehouse", Dialect::Dedicated, connection).unwrap()
}

/// The emulator after these statements.
async fn emulator(statements: impl Iterator<Item = String>) -> Running {
    let mut config = EmulatorConfig::new("sa", PASSWORD);
    config.pool.entra_admin = Some("admin@acme.com".into());
    config.pool.directory = Directory::parse(TENANT).unwrap();
    let emulator = Emulator::bind("127.0.0.1:0", config).await.unwrap().spawn();
    let mut config = Config::new();
    config.host("127.0.0.1");
    config.port(emulator.address().port());
    config.database("dw");
    config.encryption(EncryptionLevel::NotSupported);
    config.authentication(AuthMethod::sql_server("sa", PASSWORD));
    let stream = TcpStream::connect(emulator.address()).await.unwrap();
    let mut client = Box::pin(Client::connect(config, stream.compat_write())).await.unwrap();
    for statement in statements {
        client.simple_query(statement).await.unwrap().into_results().await.unwrap();
    }
    emulator
}

/// Every role gets every permission on every table. They are put in as a state file has them: as statements they would take minutes.
fn fill(emulator: &Running) {
    let mut saved = serde_json::to_value(emulator.pool().save()).unwrap();
    let own = &saved["own"];
    let ids = |what: &str, prefix: &str| -> Vec<i64> {
        let all = own[what].as_array().unwrap().iter();
        let ours = all.filter(|one| one["name"].as_str().unwrap().starts_with(prefix));
        ours.map(|one| one["id"].as_i64().unwrap()).collect()
    };
    let (roles, tables) = (ids("principals", "axon_"), ids("objects", "t"));
    assert_eq!((roles.len(), tables.len()), (ROLES, TABLES));
    // One row of each permission is there, in the words of the state file.
    let samples: Vec<String> = own["permissions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row[0]["grantee"].as_i64() == roles.first().copied())
        .map(ToString::to_string)
        .collect();
    assert_eq!(samples.len(), ACTIONS.len());
    let (role, table) = (format!("\"grantee\":{}", roles[0]), format!("\"major\":{}", tables[0]));
    assert!(samples.iter().all(|row| row.contains(&role) && row.contains(&table)), "{samples:?}");
    let mut rows = String::new();
    for grantee in &roles {
        for major in &tables {
            for row in &samples {
                let row = row.replace(&role, &format!("\"grantee\":{grantee}"));
                let comma = if rows.is_empty() { "" } else { "," };
                write!(rows, "{comma}{}", row.replace(&table, &format!("\"major\":{major}"))).unwrap();
            }
        }
    }
    saved["own"]["permissions"] = serde_json::Value::Array(Vec::new());
    let text = saved.to_string().replacen("\"permissions\":[]", &format!("\"permissions\":[{rows}]"), 1);
    emulator.pool().load(serde_json::from_str::<SavedPool>(&text).unwrap()).unwrap();
}

async fn reading() {
    let roles = (0..ROLES).map(|n| format!("CREATE ROLE axon_{n}"));
    let tables = (0..TABLES).map(|n| format!("CREATE TABLE dbo.t{n} (id int)"));
    let samples = ACTIONS.iter().map(|action| format!("GRANT {action} ON dbo.t0 TO axon_0"));
    let emulator = emulator(roles.chain(tables).chain(samples)).await;
    fill(&emulator);
    let network = Network::of(emulator.address().port()).await;
    let target = target(network.port);
    target.greet().await.unwrap();
    let mut best = Duration::MAX;
    for _ in 0..2 {
        let before = network.round_trips();
        let began = Instant::now();
        let seen = target.inspect(InspectScope::Full).await.unwrap();
        let took = began.elapsed();
        best = best.min(took);
        println!(
            "{} permission rows read over TDS in {:.2} s, {} round trips with the login, {} MiB at the highest",
            seen.graph.grants.len(),
            took.as_secs_f64(),
            network.round_trips() - before,
            peak(),
        );
        assert!(seen.graph.grants.len() >= ROLES * TABLES * ACTIONS.len() && seen.unseen.is_empty());
    }
    assert!(best < READ, "{READ:?} are wanted");
}

/// A way to the server that counts how often its direction turns towards the server.
struct Network {
    port: u16,
    turns: Arc<AtomicU32>,
}

impl Network {
    async fn of(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let turns = Arc::new(AtomicU32::new(0));
        let counts = turns.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let answered = Arc::new(AtomicBool::new(true));
                let (counts, asks, answers) = (counts.clone(), answered.clone(), answered);
                tokio::spawn(carry(from_client, to_server, move || {
                    if asks.swap(false, Ordering::Relaxed) {
                        counts.fetch_add(1, Ordering::Relaxed);
                    }
                }));
                tokio::spawn(carry(from_server, to_client, move || {
                    answers.store(true, Ordering::Relaxed);
                }));
            }
        });
        Self { port, turns }
    }

    fn round_trips(&self) -> u32 {
        self.turns.load(Ordering::Relaxed)
    }
}

/// Carries bytes until one end is closed.
async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    seen: impl Fn() + Send + 'static,
) {
    let mut room = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut room).await {
        seen();
        if to.write_all(room.get(..length).unwrap_or_default()).await.is_err() {
            return;
        }
    }
}

/// The highest memory of this process, server and client, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1024
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(reading());
}
