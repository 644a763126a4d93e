//! `make bench`: whether a noisy target delays another one's leavers. The real binary with two pools, each behind a way of 20 ms: one
//! is quiet, the other one has thousands of membership changes to do, then a statement that hangs, a login that is refused, a server
//! that throttles. Measured is the time from the push of `active: false` until the leaver's open session at the quiet pool is gone.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "network/map.rs"]
mod map;
#[path = "network/way.rs"]
mod way;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axon_tests::{ENTRA_ADMIN, Place, Pool, Scim, Serve, entra_token, until};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use way::Way;

/// The way there and back, milliseconds.
const WAY: u64 = 20;
/// Who leaves in each part, one after another.
const LEAVERS: usize = 40;
/// Who comes into each of the noisy pool's roles.
const MOVERS: usize = 1_000;
const ROLES: usize = 4;
/// The longest that anything of the setting may take.
const LONG: Duration = Duration::from_secs(90);
/// The longest that a leaver may wait, whatever the other target does, and how much longer than beside a silent one the median.
const MOST: (Duration, f64) = (Duration::from_secs(5), 2.0);

fn map(noisy: u16, quiet: u16) -> String {
    let both: &[&str] = &["noisy", "quiet"];
    let roles = [("both", "Both", both), ("mover", "Movers", &both[..1])];
    map::map(&[("noisy", noisy), ("quiet", quiet)], &roles, ROLES)
}

/// What the noisy target has.
#[derive(Clone, Copy)]
enum Noise {
    Silent,
    Queue,
    Hanging,
    Refused,
    Throttled,
}

impl Noise {
    fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Queue => "thousands of changes queued",
            Self::Hanging => "a statement that hangs",
            Self::Refused => "logins refused (18456)",
            Self::Throttled => "throttled (40501)",
        }
    }

    /// Pulls the levers of the noisy pool.
    async fn begin(self, pool: &Pool) -> anyhow::Result<()> {
        pool.ask("DELETE", "/pool/faults", None).await?;
        let (what, matching) = match self {
            Self::Silent | Self::Queue => return Ok(()),
            Self::Hanging => (json!({ "latency": { "millis": 55_000 } }), "sp_addrolemember"),
            Self::Refused => {
                let message = "Login failed for user '<token-identified principal>'.";
                (json!({ "login": { "number": 18456, "message": message } }), "axon")
            }
            Self::Throttled => {
                let message = "The service is currently busy. Retry the request after 15 seconds. Incident ID: 1. Code: 1.";
                (json!({ "statement": { "number": 40501, "message": message } }), "sys.database_permissions")
            }
        };
        let order = json!({ "what": what, "times": 1_000_000, "matching": matching });
        pool.ask("POST", "/pool/faults", Some(order)).await?;
        // What hangs from the part before does not hang any more.
        if !matches!(self, Self::Hanging) {
            pool.ask("POST", "/pool/cut", None).await?;
        }
        Ok(())
    }
}

fn main() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run())
}

struct Setting {
    noisy: Pool,
    quiet: Pool,
    ways: [Way; 2],
    serve: Serve,
    scim: Scim,
    leavers: Vec<(String, String)>,
    movers: Vec<String>,
    _place: Place,
}

impl Setting {
    async fn set(parts: usize) -> anyhow::Result<Self> {
        let leavers: Vec<String> = (0..LEAVERS * parts).map(|n| format!("leaver{n}@acme.example")).collect();
        let movers: Vec<String> = (0..MOVERS).map(|n| format!("mover{n}@acme.example")).collect();
        let place = Place::new(leavers.iter().chain(&movers))?;
        let (noisy, quiet) = (Pool::start(&place, 0).await?, Pool::start(&place, 0).await?);
        let ways = [Way::to(noisy.port()?).await?, Way::to(quiet.port()?).await?];
        place.write(
            "axon.yaml",
            "listen: 127.0.0.1:0\nstore: sqlite:axon.db\nrole_map: role-map.yaml\nreconcile: { retry_seconds: 1 }\n\
             log: { format: json, level: warn }\nsources:\n  entra: { kind: entra }\n",
        )?;
        place.write("role-map.yaml", &map(ways[0].port, ways[1].port))?;
        place.write("pool.token", &entra_token(ENTRA_ADMIN))?;
        let token = place.token("entra").await?;
        let serve = Serve::start(&place).await?;
        let scim = serve.scim(&token);
        let made = async |people: &[String]| -> anyhow::Result<Vec<String>> {
            futures_util::stream::iter(people).map(|who| scim.person(who)).buffered(8).try_collect().await
        };
        let (ids, movers) = (made(&leavers).await?, made(&movers).await?);
        scim.group("Both", &texts(&ids)).await?;
        scim.group("Movers", &texts(&movers)).await?;
        let leavers = leavers.into_iter().zip(ids).collect();
        let setting = Self { noisy, quiet, ways, serve, scim, leavers, movers, _place: place };
        setting.converged().await?;
        for way in &setting.ways {
            way.millis.store(WAY, Ordering::Relaxed);
        }
        Ok(setting)
    }

    async fn states(&self) -> anyhow::Result<[String; 2]> {
        let ready = self.serve.ready().await?;
        let state = |target: &str| ready["targets"][target].as_str().unwrap_or_default().to_owned();
        Ok(["noisy", "quiet"].map(state))
    }

    async fn converged(&self) -> anyhow::Result<()> {
        until("both are converged", LONG, async || {
            let states = self.states().await?;
            let there = members(&self.noisy, "axon_mover").await? == MOVERS;
            ensure!(there && states.iter().all(|state| state == "converged"), "{states:?}");
            Ok(Some(()))
        })
        .await
    }

    /// The noisy target has so many changes to do from now on.
    async fn queue(&self) -> anyhow::Result<()> {
        let value: Vec<Value> = self.movers.iter().map(|id| json!({ "value": id })).collect();
        let add = json!([{ "op": "Add", "path": "members", "value": value }]);
        for n in 0..ROLES {
            let group = self.scim.group(&format!("Readers{n}"), &[]).await?;
            let answer = self.scim.patch(&format!("/Groups/{group}"), &add).await?;
            ensure!(matches!(answer.status, 200 | 204), "answered {}: {}", answer.status, answer.body);
        }
        Ok(())
    }

    /// From the push to the end of the session at the quiet pool, for each of these.
    async fn measure(&self, leavers: &[(String, String)]) -> anyhow::Result<Vec<Duration>> {
        let mut sessions = Vec::new();
        for (name, _) in leavers {
            sessions.push(self.quiet.person(name).await?);
        }
        let mut took = Vec::new();
        for ((_, id), session) in leavers.iter().zip(&mut sessions) {
            let began = Instant::now();
            self.scim.activate(id, "False").await?;
            while session.run("SELECT 1 AS one").await.is_ok() {
                ensure!(began.elapsed() < LONG, "a session was never ended");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            took.push(began.elapsed());
        }
        took.sort();
        Ok(took)
    }
}

fn texts(ids: &[String]) -> Vec<&str> {
    ids.iter().map(String::as_str).collect()
}

/// By a session of its own: the noisy pool cuts all of them now and then.
async fn members(pool: &Pool, roles: &str) -> anyhow::Result<usize> {
    let look = format!(
        "SELECT CAST(COUNT(*) AS nvarchar(10)) AS n FROM sys.database_role_members AS m \
         JOIN sys.database_principals AS r ON r.principal_id = m.role_principal_id WHERE r.name LIKE N'{roles}'"
    );
    Ok(pool.admin().await?.column(&look).await?.first().context("a count")?.parse()?)
}

/// By nearest rank.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

async fn run() -> anyhow::Result<()> {
    use Noise::{Hanging, Queue, Refused, Silent, Throttled};
    let parts = [Silent, Queue, Hanging, Refused, Throttled, Silent];
    let started = Instant::now();
    let setting = Setting::set(parts.len()).await?;
    println!("{:>5.0} s: all are set up, and are measured now", started.elapsed().as_secs_f64());
    let mut silent = Vec::new();
    let mut rows = Vec::new();
    for (n, noise) in parts.into_iter().enumerate() {
        noise.begin(&setting.noisy).await?;
        match noise {
            Queue => {
                setting.queue().await?;
                until("it works on the queue", LONG, async || {
                    Ok((members(&setting.noisy, "axon_reader%").await? > 0).then_some(()))
                })
                .await?;
            }
            Silent if n > 0 => {
                setting.ways[0].millis.store(0, Ordering::Relaxed);
                until("the queue is done", LONG, async || {
                    Ok((members(&setting.noisy, "axon_reader%").await? == MOVERS * ROLES).then_some(()))
                })
                .await?;
                setting.converged().await?;
                setting.ways[0].millis.store(WAY, Ordering::Relaxed);
            }
            _ => {}
        }
        let before = members(&setting.noisy, "axon_reader%").await?;
        let leavers = setting.leavers.get(n * LEAVERS..(n + 1) * LEAVERS).context("leavers")?;
        let turns = || setting.ways[0].turns.load(Ordering::Relaxed);
        let turned = turns();
        let took = setting.measure(leavers).await?;
        let turned = turns() - turned;
        let after = members(&setting.noisy, "axon_reader%").await?;
        let [state, _] = setting.states().await?;
        match noise {
            Silent => silent.extend(&took),
            Queue => ensure!(after > before && after < MOVERS * ROLES, "no queue: {before} to {after}"),
            Hanging | Refused | Throttled => {
                ensure!(after < MOVERS * ROLES && after < before + 20, "it worked: {before} to {after}");
            }
        }
        rows.push((noise, took, after - before, turned, state));
    }
    silent.sort();
    println!(
        "{LEAVERS} leavers each, two pools at {WAY} ms, load {}",
        std::fs::read_to_string("/proc/loadavg")?.split(' ').next().unwrap_or_default()
    );
    println!(
        "{:<30} {:>8} {:>8} {:>8}   p50 and longest beside silent   the noisy one did, its state",
        "the other target", "p50", "p95", "longest"
    );
    let longest = |took: &[Duration]| took.last().copied().unwrap_or_default();
    let mut late = Vec::new();
    for (noise, took, did, turned, state) in &rows {
        let ratio = |of: &dyn Fn(&[Duration]) -> Duration| of(took).as_secs_f64() / of(&silent).as_secs_f64();
        let (middle, most) = (ratio(&|all| percentile(all, 50)), ratio(&longest));
        println!(
            "{:<30} {:>5.0} ms {:>5.0} ms {:>5.0} ms   {middle:>6.2} {most:>6.2} {did:>12} changes, {turned:>5} round trips, {state}",
            noise.name(),
            percentile(took, 50).as_secs_f64() * 1e3,
            percentile(took, 95).as_secs_f64() * 1e3,
            longest(took).as_secs_f64() * 1e3,
        );
        if longest(took) > MOST.0 || middle > MOST.1 {
            late.push(noise.name());
        }
    }
    println!("{:>5.0} s in all", started.elapsed().as_secs_f64());
    ensure!(late.is_empty(), "{MOST:?} are wanted: {late:?}");
    setting.serve.stop().await?;
    setting.noisy.stop().await?;
    setting.quiet.stop().await
}
