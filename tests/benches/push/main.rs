//! `make bench`: what a push costs, beside what the same machine's disk and SQLite cost without us.
//!
//! Prints, for the real binary over loopback HTTP: SCIM creates per second with 64 clients and fsync on, GET by id per
//! second, and the time from a push to its effect in the target's catalog, all as ratios to a floor of the same run.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod floor;
mod http;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axon_model::{Clock, SystemClock};
use axon_tests::{MAP, Record, Stage};
use http::Load;
use time::OffsetDateTime;

/// Clients at one time, as the design's numbers have it.
const CLIENTS: usize = 64;
/// How long each load lasts.
const SPAN: Duration = Duration::from_secs(6);
/// How many single pushes are timed.
const PUSHES: usize = 200;

fn main() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run())
}

async fn run() -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism()?;
    println!(
        "Axon's push bench: {CLIENTS} clients, {} s a load, {cores} cores shared with the clients\n",
        SPAN.as_secs()
    );
    let people: Vec<String> = (0..PUSHES).map(|n| format!("mover{n}@acme.example")).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let stage = Stage::set_with(&people, MAP).await?;
    let host = stage.serve.address().trim_start_matches("http://").to_owned();

    idle_pushes(&stage, &people).await?;

    let health = Load::run(&host, CLIENTS, SPAN, |_, _| http::get("/healthz", None)).await?;
    println!(
        "health endpoint        {:>8.0} /s                      p50 {:>6.2} ms  p99 {:>6.2} ms",
        health.rate(),
        health.p(50),
        health.p(99)
    );

    let (commits, writes) = (
        stage.serve.metric("axon_store_commits_total").await?,
        stage.serve.metric("axon_store_writes_total").await?,
    );
    let token = stage.token.clone();
    let creates = Load::run(&host, CLIENTS, SPAN, |client, n| {
        http::post("/scim/v2/Users", &token, &http::user(&format!("c{client}n{n}@acme.example")))
    })
    .await?;
    ensure!(
        creates.statuses.keys().all(|s| *s == 201),
        "every create is acknowledged: {:?}",
        creates.statuses
    );
    let commits = stage.serve.metric("axon_store_commits_total").await? - commits;
    let writes = stage.serve.metric("axon_store_writes_total").await? - writes;
    let group = (writes / commits.max(1.0)).max(1.0);

    let id = stage.scim.person("reader@acme.example").await?;
    let path = format!("/scim/v2/Users/{id}");
    let gets = Load::run(&host, CLIENTS, SPAN, |_, _| http::get(&path, Some(&token))).await?;
    ensure!(gets.statuses.keys().all(|s| *s == 200), "every read finds: {:?}", gets.statuses);
    println!(
        "GET by id              {:>8.0} /s  {:>5.2} of health      p50 {:>6.2} ms  p99 {:>6.2} ms",
        gets.rate(),
        gets.rate() / health.rate(),
        gets.p(50),
        gets.p(99)
    );

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a group has at most some hundred writes"
    )]
    let floor = floor::group_commit(stage.place.path(), group.round() as usize, SPAN)?;
    println!(
        "raw SQLite, same rows  {floor:>8.0} /s                      groups of {:.0}, WAL, synchronous=FULL, no HTTP, one thread",
        group.round()
    );
    println!(
        "SCIM creates, fsynced  {:>8.0} /s  {:>5.2} of raw SQLite  p50 {:>6.2} ms  p99 {:>6.2} ms",
        creates.rate(),
        creates.rate() / floor,
        creates.p(50),
        creates.p(99)
    );
    println!("                       {group:>8.1} writes share one commit");
    Ok(())
}

/// One push at a time into an idle service: from the first byte sent to the effect read back from the catalog. The first
/// statement at the target is a part of that, so this is its upper bound.
async fn idle_pushes(stage: &Stage, people: &[&str]) -> anyhow::Result<()> {
    let group = stage.scim.group("Readers", &[]).await?;
    let mut ids = Vec::new();
    for person in people {
        ids.push(stage.scim.person(person).await?);
    }
    stage.settled().await?;
    let mut admin = stage.pool.admin().await?;
    let mut sent = Vec::new();
    let mut answered = Vec::new();
    let mut in_catalog = Vec::new();
    for (person, id) in people.iter().zip(&ids) {
        sent.push(SystemClock.now());
        let began = Instant::now();
        stage.scim.join(&group, id).await?;
        answered.push(began.elapsed());
        let look = format!(
            "SELECT CAST(COUNT(*) AS nvarchar(10)) AS n FROM sys.database_role_members AS m \
             JOIN sys.database_principals AS p ON p.principal_id = m.member_principal_id WHERE p.name = N'{person}'"
        );
        let end = began + Duration::from_secs(20);
        loop {
            let rows = admin.rows(&look).await?;
            let count =
                rows.first().and_then(|row| row.first()).and_then(Option::as_deref).context("a count")?;
            if count != "0" {
                break;
            }
            ensure!(Instant::now() < end, "{person} never came to the catalog");
            // A look costs the same cores as what is measured.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        in_catalog.push(began.elapsed());
    }
    first_statements(stage, &sent).await?;
    for (what, mut times) in [("push answered, idle", answered), ("push in the catalog", in_catalog)] {
        times.sort();
        println!(
            "{what:<22} {PUSHES:>8} pushes                  p50 {:>6.2} ms  p99 {:>6.2} ms",
            ms(times[PUSHES / 2]),
            ms(times[PUSHES * 99 / 100])
        );
    }
    Ok(())
}

/// From the sending of a push to the journal's word that its first statement was done and read back: what the statement itself
/// and the look at the catalog take is in it, so its arrival at the target was earlier.
async fn first_statements(stage: &Stage, sent: &[OffsetDateTime]) -> anyhow::Result<()> {
    let journal = stage.place.journal().await?;
    let pushes: Vec<&Record> = journal.iter().filter(|r| r.kind == "directory-change").collect();
    let pushes = &pushes[pushes.len().checked_sub(sent.len()).context("a record for each push")?..];
    let mut done = BTreeMap::new();
    for record in journal.iter().filter(|r| r.kind == "step-outcome") {
        let Some(request) = record.request() else { continue };
        let at = http::instant(record.record["at"].as_str().context("an instant")?)?;
        done.entry(request).or_insert(at);
    }
    let mut times = Vec::new();
    for (push, sent) in pushes.iter().zip(sent) {
        let request = push.request().context("a push has a request")?;
        times.push(*done.get(request).context("each push has a first step")? - *sent);
    }
    times.sort();
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!(
        "1st statement done     {:>8} pushes                  p50 {:>6.2} ms  p99 {:>6.2} ms",
        times.len(),
        p50.as_seconds_f64() * 1e3,
        p99.as_seconds_f64() * 1e3
    );
    Ok(())
}

fn ms(of: Duration) -> f64 {
    of.as_secs_f64() * 1e3
}
