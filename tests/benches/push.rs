//! `make bench`: how long a push into an idle service takes until its effect is in the target's catalog: the real binary, over
//! loopback. What SCIM requests cost under load is the bench `scim`.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axon_model::{Clock, SystemClock};
use axon_tests::{MAP, Record, Stage};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How many single pushes are timed.
const PUSHES: usize = 200;

fn main() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run())
}

async fn run() -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism()?;
    println!("Axon's push bench: {PUSHES} pushes, one at a time, {cores} cores shared with the pool\n");
    let people: Vec<String> = (0..PUSHES).map(|n| format!("mover{n}@acme.example")).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let stage = Stage::set_with(&people, MAP).await?;
    idle_pushes(&stage, &people).await
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
        let at = OffsetDateTime::parse(record.record["at"].as_str().context("an instant")?, &Rfc3339)?;
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
