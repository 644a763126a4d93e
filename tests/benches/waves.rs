//! `make bench`: membership changes applied over a slow network in waves of several lengths, and what a leaver waits meanwhile: the
//! real binary, a pool, and between them a way that holds each answer back. `-- --changes 10000` for the size that is published,
//! `-- --latency 5` for one way only. All waves of the run are set up first and then measured side by side. Beyond 1,000 changes
//! a person comes into several roles: what the emulator needs for a look grows with the people, and is not what is measured.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "network/map.rs"]
mod map;
#[path = "network/way.rs"]
mod way;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axon_synapse::pace::Pace;
use axon_tests::{ENTRA_ADMIN, Place, Pool, Scim, Serve, Tds, entra_token, until};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::Barrier;
use way::Way;

/// How long the way there and back takes beside what is measured without it, milliseconds.
const LATENCIES: [u64; 3] = [5, 20, 80];
const WAVES: [u32; 3] = [4, 16, 64];
/// Changes, where nothing is said.
const CHANGES: u32 = 1_000;
/// The most people, and so the changes of one role.
const PEOPLE: u32 = 1_000;
/// How often it is looked how far a run is: each look costs the same cores as what is measured.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest that anything may take.
const LONG: Duration = Duration::from_hours(2);
const LEAVER: &str = "leaver@acme.example";
/// So many round trips beyond the model's a run may take: the leaver's own, and the waves that are cut short by it.
const BESIDE: u32 = 20;

/// The map with so many roles of readers.
fn map(port: u16, roles: u32) -> String {
    map::map(&[("warehouse", port)], &[("everyone", "Everyone", &["warehouse"])], roles as usize)
}

fn main() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run())
}

async fn run() -> anyhow::Result<()> {
    let changes = said("--changes")?.unwrap_or(CHANGES);
    let latencies = said("--latency")?.map_or(LATENCIES.to_vec(), |only| vec![u64::from(only)]);
    println!(
        "{changes} membership changes, each a statement; waves of {WAVES:?}; a leaver is pushed when half of them are done"
    );
    println!(
        "  way   wave     took   a change   round trips (model)   the model says   leaver shut out   CPU of axon"
    );
    let ready = Barrier::new(latencies.len() * WAVES.len());
    let ready = &ready;
    let all = latencies.iter().flat_map(|latency| WAVES.map(|wave| one(*latency, wave, changes, ready)));
    let mut chatty = Vec::new();
    for (line, beside) in futures_util::future::try_join_all(all).await? {
        println!("{line}");
        if beside > BESIDE {
            chatty.push(line);
        }
    }
    ensure!(chatty.is_empty(), "over {BESIDE} round trips more than the model says: {chatty:#?}");
    Ok(())
}

/// The number behind a word of the command line.
fn said(word: &str) -> anyhow::Result<Option<u32>> {
    let words: Vec<String> = std::env::args().collect();
    let Some(at) = words.iter().position(|found| found == word) else { return Ok(None) };
    Ok(Some(words.get(at + 1).with_context(|| format!("{word} takes a number"))?.parse()?))
}

/// One pool behind a way of this latency; the line that tells of it, and how many round trips it took beside the model's.
async fn one(latency: u64, wave: u32, changes: u32, ready: &Barrier) -> anyhow::Result<(String, u32)> {
    let started = Instant::now();
    let roles = changes.div_ceil(PEOPLE);
    let people: Vec<String> = (0..changes / roles).map(|n| format!("mover{n}@acme.example")).collect();
    ensure!(changes.is_multiple_of(roles), "{changes} changes are not whole roles of {PEOPLE} or fewer");
    let place = Place::new(people.iter().map(String::as_str).chain([LEAVER]))?;
    let pool = Pool::start(&place, 0).await?;
    let way = Way::to(pool.port()?).await?;
    place.write(
        "axon.yaml",
        &format!(
            "listen: 127.0.0.1:0\nstore: sqlite:axon.db\nrole_map: role-map.yaml\nreconcile: {{ wave: {wave} }}\n\
             log: {{ format: json, level: warn }}\nsources:\n  entra: {{ kind: entra }}\n"
        ),
    )?;
    place.write("role-map.yaml", &map(way.port, roles))?;
    place.write("pool.token", &entra_token(ENTRA_ADMIN))?;
    let token = place.token("entra").await?;
    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&token);
    let mut ids = Vec::new();
    let mut made = futures_util::stream::iter(&people).map(|person| scim.person(person)).buffered(8);
    while let Some(id) = made.next().await {
        ids.push(id?);
    }
    let leaver = scim.person(LEAVER).await?;
    let mut groups = Vec::new();
    for n in 0..roles {
        groups.push(scim.group(&format!("Readers{n}"), &[]).await?);
    }
    scim.group("Everyone", &ids.iter().chain([&leaver]).map(String::as_str).collect::<Vec<_>>()).await?;
    let mut admin = pool.admin().await?;
    reached(&mut admin, "axon_everyone", changes / roles + 1).await?;
    // The run that made them writes its last records.
    until("nothing is left to do", LONG, async || Ok((serve.state().await? == "converged").then_some(())))
        .await?;

    way.millis.store(latency, Ordering::Relaxed);
    if ready.wait().await.is_leader() {
        println!("{:>5.0} s: all are set up, and are measured now", started.elapsed().as_secs_f64());
    }
    let said = place.axon(&["doctor", "--calibrate", "--json"]).await?.exits(0)?.json()?;
    let calibrated = measured(&said["details"]["target warehouse"]["latencies"])?;
    let before = (way.turns.load(Ordering::Relaxed), cpu(serve.child().id()?));
    let began = Instant::now();
    let value: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
    let add = json!([{ "op": "Add", "path": "members", "value": value }]);
    for group in groups {
        let answer = scim.patch(&format!("/Groups/{group}"), &add).await?;
        ensure!(matches!(answer.status, 200 | 204), "answered {}: {}", answer.status, answer.body);
    }
    reached(&mut admin, READERS, changes / 2).await?;
    let out = leaves(&scim, &leaver, &mut admin).await?;
    reached(&mut admin, READERS, changes).await?;
    let took = began.elapsed();
    let turns = way.turns.load(Ordering::Relaxed) - before.0;
    let used = cpu(serve.child().id()?) - before.1;
    let model = calibrated.takes(changes, wave);
    let over = took.as_secs_f64() / model.as_secs_f64();
    let line = format!(
        "{latency:>2} ms {wave:>6} {:>8.1} s {:>8.2} ms {turns:>11} ({:>6}) {:>8.1} s, {over:.2} of it {:>10.2} s {:>13.2} s",
        took.as_secs_f64(),
        took.as_secs_f64() * 1e3 / f64::from(changes),
        Pace::round_trips(changes, wave),
        model.as_secs_f64(),
        out.as_secs_f64(),
        used,
    );
    serve.stop().await?;
    pool.stop().await?;
    Ok((line, turns.saturating_sub(Pace::round_trips(changes, wave))))
}

/// The pace as `axon doctor --calibrate` measured it.
fn measured(latencies: &Value) -> anyhow::Result<Pace> {
    let of = |what: &str| {
        latencies[what]["median_us"]
            .as_u64()
            .map(Duration::from_micros)
            .with_context(|| format!("{what} in {latencies}"))
    };
    Ok(Pace { round_trip: of("a round trip")?, look: of("a read of one name")? })
}

/// All roles of readers.
const READERS: &str = "axon_reader%";

async fn members(admin: &mut Tds, roles: &str) -> anyhow::Result<u32> {
    let look = format!(
        "SELECT CAST(COUNT(*) AS nvarchar(10)) AS n FROM sys.database_role_members AS m \
         JOIN sys.database_principals AS r ON r.principal_id = m.role_principal_id WHERE r.name LIKE N'{roles}'"
    );
    Ok(admin.column(&look).await?.first().context("a count")?.parse()?)
}

/// Waits until the roles have so many.
async fn reached(admin: &mut Tds, roles: &str, count: u32) -> anyhow::Result<()> {
    let end = Instant::now() + LONG;
    while members(admin, roles).await? < count {
        ensure!(Instant::now() < end, "{roles} never had {count}");
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// From the push to the DENY in the catalog.
async fn leaves(scim: &Scim, id: &str, admin: &mut Tds) -> anyhow::Result<Duration> {
    let look = format!(
        "SELECT p.state_desc FROM sys.database_permissions AS p JOIN sys.database_principals AS u \
         ON u.principal_id = p.grantee_principal_id WHERE u.name = N'{LEAVER}' AND p.permission_name = 'CONNECT'"
    );
    let began = Instant::now();
    scim.activate(id, "False").await?;
    let end = began + LONG;
    while admin.column(&look).await? != ["DENY"] {
        ensure!(Instant::now() < end, "the leaver was never shut out");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(began.elapsed())
}

/// For how many seconds a process had a core; the kernel counts hundredths.
fn cpu(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Behind the program's name: utime and stime are the twelfth and thirteenth (proc(5)).
    let fields =
        stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').skip(11).take(2)).into_iter().flatten();
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
