//! `make bench`: the SCIM side at full size, beside what the same machine's loopback, disk and SQLite cost without us, and
//! beside two other servers on the same requests.
//!
//! The real binary, 100,000 users and 1,000,000 memberships in its store, 64 clients on one thread that shares the cores. Each
//! ratio's two sides run in turn, several rounds; the best round of each counts, since other work on the machine only slows.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod alone;
mod floor;
mod options;
mod peers;
mod requests;
mod seed;
mod sizes;
mod stage;
mod table;
mod usage;
mod wire;

use std::time::Duration;

use options::Options;
use stage::{Measured, Stage};
use table::Row;

/// Clients at one time, as issue and design have it.
const CLIENTS: usize = 64;

fn main() -> anyhow::Result<()> {
    let options = Options::of_arguments()?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(&options))
}

async fn run(options: &Options) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism()?;
    println!(
        "Axon's SCIM bench: {CLIENTS} clients, {} users, 1,000,000 memberships, {} rounds of {} s, {cores} cores shared with the clients\n",
        seed::USERS,
        options.rounds,
        options.span.as_secs_f64(),
    );
    let mut stage = Stage::set().await?;
    println!("resident after the start: {} MiB\n", stage.resident()?.0);
    if options.wants("reads") || options.wants("mixed") {
        stage.first_reads(options.span)?;
        let first = stage.first().map_or_else(String::new, |rate| format!(" at {rate:.0} /s"));
        println!("each user read once{first}; resident then: {} MiB\n", stage.resident()?.0);
    }
    table::head();
    let mut best = Best::default();
    for _ in 0..options.rounds {
        best.round(&mut stage, options)?;
    }
    let made =
        if options.wants("creates") { Some(floors(&mut stage, options, &mut best).await?) } else { None };
    best.print(made);
    if options.wants("sizes") {
        sizes::print(&stage).await?;
    }
    let (now, highest) = stage.resident()?;
    println!("\nresident at the end: {now} MiB, at the highest {highest} MiB");
    if options.wants("peers") {
        let ours = [best.create.as_ref(), best.get.as_ref(), best.find.as_ref()];
        peers::print(&mut stage, options.span, ours).await?;
    }
    Ok(())
}

/// The best run of each load.
#[derive(Default)]
struct Best {
    health: Option<Measured>,
    get: Option<Measured>,
    find: Option<Measured>,
    create: Option<Measured>,
    over_many: Option<Measured>,
    over_one: Option<Measured>,
    mixed: Option<Measured>,
}

fn better(best: &mut Option<Measured>, run: Measured) {
    if best.as_ref().is_none_or(|best| run.load.rate() > best.load.rate()) {
        *best = Some(run);
    }
}

impl Best {
    fn round(&mut self, stage: &mut Stage, options: &Options) -> anyhow::Result<()> {
        let span = options.span;
        if options.wants("reads") {
            better(&mut self.health, stage.health(span)?);
            better(&mut self.get, stage.get(span)?);
            better(&mut self.find, stage.find(span)?);
        }
        if options.wants("patches") {
            better(&mut self.over_many, stage.join_many(span)?);
            better(&mut self.over_one, stage.join_one(span)?);
        }
        if options.wants("mixed") {
            let run = stage.mixed(span)?;
            // Of the mixture the worst counts: it is there for the tail.
            if self.mixed.as_ref().is_none_or(|best| run.load.p(99) > best.load.p(99)) {
                self.mixed = Some(run);
            }
        }
        Ok(())
    }

    fn print(&self, floor: Option<f64>) {
        let rate = |run: &Option<Measured>| run.as_ref().map(|run| run.load.rate());
        let (health, get, create) = (rate(&self.health), rate(&self.get), rate(&self.create));
        let row = |what: &str, run: &Option<Measured>, against: Option<(f64, &str)>| {
            if let Some(run) = run {
                table::print(&Row::of(what, run, against));
            }
        };
        row("health endpoint", &self.health, None);
        row("GET of a user by id, any of all", &self.get, health.map(|r| (r, "of health")));
        row("userName eq, any of all", &self.find, get.map(|r| (r, "of GET by id")));
        row("create, durable", &self.create, floor.map(|r| (r, "of the floor")));
        row("member PATCH over 8,900 groups", &self.over_many, create.map(|r| (r, "of creates")));
        row("member PATCH over one group", &self.over_one, create.map(|r| (r, "of creates")));
        row("all together", &self.mixed, None);
        if let Some(run) = &self.mixed {
            for (kind, times) in &run.load.kinds {
                println!(
                    "    {kind:<36} {:>7}    p50 {:>6.2} ms  p99 {:>6.2} ms",
                    times.count(),
                    times.p(50),
                    times.p(99)
                );
            }
        }
    }
}

/// Creates and the bare group commit, in turn.
async fn floors(stage: &mut Stage, options: &Options, best: &mut Best) -> anyhow::Result<f64> {
    let mut floor = floor::Floor::new(stage.folder(), seed::USERS)?;
    let mut alone = alone::Alone::open(stage.folder()).await?;
    let (mut highest, mut without_http, mut group) = (0.0_f64, 0.0_f64, 0.0);
    for _ in 0..options.rounds {
        let run = floor.run(CLIENTS, options.span).await?;
        if run.rate > highest {
            (highest, group) = (run.rate, run.group);
        }
        without_http = without_http.max(alone.run(CLIENTS, options.span).await?);
        better(&mut best.create, stage.create(options.span).await?);
    }
    println!(
        "{:<40} {highest:>8.0} /s  {CLIENTS} callers, {group:.0} share a commit, WAL, synchronous=FULL, no HTTP",
        "floor: bare SQLite group commit"
    );
    println!(
        "{:<40} {without_http:>8.0} /s  {:>7.2} of the floor  {CLIENTS} callers, the same rows, indexes and hashes, no HTTP",
        "the store alone",
        without_http / highest
    );
    Ok(highest)
}

/// A span in words that fit a column.
fn ms(of: Duration) -> f64 {
    of.as_secs_f64() * 1e3
}
