//! `make bench`: what `axon serve` costs while nobody pushes and its target is converged: CPU, and questions to the pool. Two
//! servers side by side, one that never looks at its target meanwhile and one that looks often, tell the parts apart.
//! `-- --seconds 600` for a longer look.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axon_tests::{ENTRA_ADMIN, MAP, Place, Pool, SOON, Serve, entra_token, until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How long it is looked at, where nothing is said.
const SECONDS: u64 = 60;
/// The rule of thumb that a change must not break: hundredths of a core.
const MOST: f64 = 1.0;
const PEOPLE: usize = 200;

fn main() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run())
}

/// A server with a converged target.
struct Idle {
    serve: Serve,
    turns: Arc<AtomicU32>,
    pool: Pool,
    _place: Place,
}

impl Idle {
    async fn looking_every(seconds: u64) -> anyhow::Result<Self> {
        let people: Vec<String> = (0..PEOPLE).map(|n| format!("person{n}@acme.example")).collect();
        let place = Place::new(&people)?;
        let pool = Pool::start(&place, 0).await?;
        let turns = Arc::new(AtomicU32::new(0));
        let port = counted(pool.port()?, turns.clone()).await?;
        place.write(
            "axon.yaml",
            &format!(
                "listen: 127.0.0.1:0\nstore: sqlite:axon.db\nrole_map: role-map.yaml\n\
                 reconcile: {{ inspect_every_seconds: {seconds} }}\nlog: {{ format: json, level: info }}\n\
                 sources:\n  entra: {{ kind: entra }}\n"
            ),
        )?;
        place.write("role-map.yaml", &MAP.replace("PORT", &port.to_string()))?;
        place.write("pool.token", &entra_token(ENTRA_ADMIN))?;
        let token = place.token("entra").await?;
        let serve = Serve::start(&place).await?;
        let scim = serve.scim(&token);
        let mut ids = Vec::new();
        for person in &people {
            ids.push(scim.person(person).await?);
        }
        scim.group("Readers", &ids.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        let mut admin = pool.admin().await?;
        let look = "SELECT CAST(COUNT(*) AS nvarchar(10)) AS n FROM sys.database_role_members AS m \
                    JOIN sys.database_principals AS r ON r.principal_id = m.role_principal_id WHERE r.name = N'axon_reader'";
        until("everybody reads", SOON, async || {
            Ok((admin.column(look).await? == [PEOPLE.to_string()]).then_some(()))
        })
        .await?;
        until("it is converged", SOON, async || Ok((serve.state().await? == "converged").then_some(())))
            .await?;
        // What came in last is written down, and what was made is looked at again, before anything is counted.
        tokio::time::sleep(Duration::from_secs(3)).await;
        Ok(Self { serve, turns, pool, _place: place })
    }

    fn counts(&self) -> anyhow::Result<(f64, u32)> {
        Ok((cpu(self.serve.child().id()?), self.turns.load(Ordering::Relaxed)))
    }
}

async fn run() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let seconds = match words.iter().position(|word| word == "--seconds") {
        Some(at) => words.get(at + 1).context("--seconds takes a number")?.parse()?,
        None => SECONDS,
    };
    println!(
        "axon serve, idle for {seconds} s: {PEOPLE} people in one role, one target, converged, nobody pushes"
    );
    let (quiet, busy) = tokio::try_join!(Idle::looking_every(86_400), Idle::looking_every(2))?;
    let began = Instant::now();
    let before = (quiet.counts()?, busy.counts()?);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    let after = (quiet.counts()?, busy.counts()?);
    let base = (after.0.0 - before.0.0) / minutes;
    let base_turns = f64::from(after.0.1 - before.0.1) / minutes;
    let often = (after.1.0 - before.1.0) / minutes;
    let often_turns = f64::from(after.1.1 - before.1.1) / minutes;
    println!(
        "  without a look at the target   {:>8.1} ms of CPU a minute, {base_turns:.1} round trips to the pool",
        base * 1e3
    );
    println!(
        "  with a look every 2 s          {:>8.1} ms of CPU a minute, {often_turns:.1} round trips to the pool",
        often * 1e3
    );
    let (look, trips) = ((often - base) / 30.0, (often_turns - base_turns) / 30.0);
    println!("  so one look                    {:>8.2} ms of CPU, {trips:.2} round trips", look * 1e3);
    let usual = base + look / 5.0;
    println!(
        "  at the usual 300 s             {:>8.1} ms of CPU a minute ({:.3} % of a core), {:.2} round trips a minute",
        usual * 1e3,
        usual / 60.0 * 100.0,
        base_turns + trips / 5.0
    );
    for idle in [quiet, busy] {
        idle.serve.stop().await?;
        idle.pool.stop().await?;
    }
    ensure!(usual / 60.0 * 100.0 < MOST, "under {MOST} % of a core is wanted");
    Ok(())
}

/// For how many seconds a process had a core; the kernel counts hundredths.
fn cpu(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Behind the program's name: utime and stime are the twelfth and thirteenth (proc(5)).
    let fields =
        stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').skip(11).take(2)).into_iter().flatten();
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// A way to the pool that counts how often its direction turns towards the pool; the port where it begins.
async fn counted(pool: u16, turns: Arc<AtomicU32>) -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(("127.0.0.1", pool)).await else { return };
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let answered = Arc::new(AtomicBool::new(true));
            let (asks, turns) = (answered.clone(), turns.clone());
            tokio::spawn(carry(from_client, to_server, move || {
                if asks.swap(false, Ordering::Relaxed) {
                    turns.fetch_add(1, Ordering::Relaxed);
                }
            }));
            tokio::spawn(carry(from_server, to_client, move || answered.store(true, Ordering::Relaxed)));
        }
    });
    Ok(port)
}

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
