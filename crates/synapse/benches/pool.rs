//! A pool over TDS: 1,000,000 permission rows read. The server is the emulator, in a process of its own, so that what it costs and
//! what the reading costs are told apart.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has failed")]

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
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
/// What the reading may take, server and network in it.
const READ: Duration = Duration::from_secs(10);
/// Tells this program that it is the server.
const SERVER: &str = "AXON_BENCH_POOL_SERVER";

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
    saved["own"]["permissions"] = "these rows".into();
    let text = saved.to_string().replacen("\"these rows\"", &format!("[{rows}]"), 1);
    emulator.pool().load(serde_json::from_str::<SavedPool>(&text).unwrap()).unwrap();
}

/// The server's process: says its port, and serves until nobody holds its standard input any more.
async fn serve() {
    let roles = (0..ROLES).map(|n| format!("CREATE ROLE axon_{n}"));
    let tables = (0..TABLES).map(|n| format!("CREATE TABLE dbo.t{n} (id int)"));
    let samples = ACTIONS.iter().map(|action| format!("GRANT {action} ON dbo.t0 TO axon_0"));
    let emulator = emulator(roles.chain(tables).chain(samples)).await;
    fill(&emulator);
    println!("{}", emulator.address().port());
    let end = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    end.await.unwrap().unwrap();
}

/// The server as this process sees it; it ends with it.
struct Server(Child, u16);

impl Server {
    fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(SERVER, "1").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self(child, port.trim().parse().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

async fn reading() {
    let server = Server::start();
    let network = Network::of(server.1).await;
    // Once through what counts round trips, then without it.
    for (port, times) in [(network.port, 1), (server.1, 3)] {
        let target = target(port);
        target.greet().await.unwrap();
        let mut best = Duration::MAX;
        for _ in 0..times {
            let before = (network.round_trips(), cpu("self"), cpu(&server.0.id().to_string()));
            let began = Instant::now();
            let seen = target.inspect(InspectScope::Full).await.unwrap();
            let took = began.elapsed();
            best = best.min(took);
            assert!(seen.graph.grants.len() >= ROLES * TABLES * ACTIONS.len() && seen.unseen.is_empty());
            let turns = network.round_trips() - before.0;
            let turns =
                if turns > 0 { format!(", {turns} round trips with the login") } else { String::new() };
            println!(
                "{} permission rows read over TDS in {:.2} s{turns}; {:.2} s of CPU here, {:.2} s of the server; at the highest {} MiB \
                 here, {} MiB there",
                seen.graph.grants.len(),
                took.as_secs_f64(),
                cpu("self") - before.1,
                cpu(&server.0.id().to_string()) - before.2,
                peak("self"),
                peak(&server.0.id().to_string()),
            );
        }
        assert!(best < READ, "{READ:?} are wanted");
    }
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

/// The highest memory of a process, in MiB.
fn peak(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1024
}

/// For how many seconds a process had a core; the kernel counts hundredths.
fn cpu(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Behind the program's name: utime and stime are the twelfth and thirteenth (proc(5)).
    let fields =
        stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').skip(11).take(2)).into_iter().flatten();
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if std::env::var_os(SERVER).is_some() {
        runtime.block_on(serve());
    } else {
        runtime.block_on(reading());
    }
}
