//! `axon store migrate|check|copy`

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Context as _, bail};
use axon_controller::versions::{self, Altered};
use axon_store::Store;
use axon_store_sql::schema::STEPS;
use axon_store_sql::{Finding, check_store, copy};
use serde_json::json;

use super::{Status, print_json};
use crate::cli::StoreCommand;
use crate::config::Config;
use crate::store::StorePlace;

/// Runs the command.
pub async fn run(config: Config, command: StoreCommand) -> anyhow::Result<Status> {
    let place = StorePlace::parse(&config.store)?;
    match command {
        StoreCommand::Migrate { check, json } => migrate(&place, check, json).await,
        StoreCommand::Check { json } => check(&place, json).await,
        StoreCommand::Copy { to, json } => move_over(&place, &to, json).await,
    }
}

async fn migrate(place: &StorePlace, only_show: bool, as_json: bool) -> anyhow::Result<Status> {
    let applied = place.applied().await?.unwrap_or_default();
    let pending: Vec<_> = STEPS.iter().filter(|step| !applied.contains(&step.version)).collect();
    let unknown: Vec<i64> =
        applied.iter().copied().filter(|found| STEPS.iter().all(|step| step.version != *found)).collect();
    if let Some(found) = unknown.first() {
        bail!("{} has the schema {found} of a later version of Axon; run that version", place.shown());
    }
    let does = !only_show && !pending.is_empty();
    if does {
        place.open().await?.store.close().await;
    }
    if as_json {
        let steps: Vec<_> =
            pending.iter().map(|step| json!({ "version": step.version, "name": step.name })).collect();
        print_json(&json!({ "store": place.shown(), "applied": applied, "pending": steps, "done": does }))?;
    } else if pending.is_empty() {
        println!("{} is up to date: schema {}", place.shown(), axon_store_sql::schema::latest());
    } else {
        for step in &pending {
            let word = if does { "applied" } else { "pending" };
            println!("{word} {:04} {}", step.version, step.name.replace('_', " "));
        }
    }
    Ok(if only_show && !pending.is_empty() { Status::Found } else { Status::Done })
}

async fn check(place: &StorePlace, as_json: bool) -> anyhow::Result<Status> {
    must_be(place).await?;
    let open = place.open().await?;
    let mut bar = Bar::new();
    let mut findings = check_store(&*open.raw, &mut |step, done, all| bar.show(step, done, all)).await?;
    findings.extend(maps(&*open.store).await?);
    bar.end();
    let head = open.store.head().await?;
    open.store.close().await;
    if as_json {
        let list: Vec<_> = findings
            .iter()
            .map(|finding| json!({ "table": finding.table, "row": finding.row, "what": finding.what }))
            .collect();
        print_json(
            &json!({ "store": place.shown(), "head": head.seq, "hash": head.hash, "findings": list }),
        )?;
    } else {
        for finding in &findings {
            println!("{finding}");
        }
        if findings.is_empty() {
            println!(
                "{} is whole; its journal ends at record {} with {}",
                place.shown(),
                head.seq,
                head.hash
            );
        }
    }
    Ok(if findings.is_empty() { Status::Done } else { Status::Found })
}

/// Versions of the role map whose text or record is not what was accepted.
async fn maps(store: &dyn Store) -> anyhow::Result<Vec<Finding>> {
    let (mut findings, mut before) = (Vec::new(), None);
    loop {
        let heads = store.map_heads(before, 100).await?;
        let Some(last) = heads.last() else { return Ok(findings) };
        before = Some(last.number);
        for head in heads {
            let Some(stored) = store.map(&head.version).await? else { continue };
            let number = stored.head.number;
            match versions::accepted(store, stored).await {
                Ok(_) => {}
                Err(Altered::Store(error)) => return Err(error.into()),
                Err(altered) => findings.push(Finding {
                    table: "role_maps",
                    row: i64::try_from(number).unwrap_or(i64::MAX),
                    what: altered.to_string(),
                }),
            }
        }
    }
}

async fn move_over(place: &StorePlace, to: &str, as_json: bool) -> anyhow::Result<Status> {
    must_be(place).await?;
    let destination = StorePlace::parse(to).context("--to")?;
    if destination.shown() == place.shown() {
        bail!("--to names the store itself");
    }
    let from = place.open().await?;
    let into = destination.open().await?;
    let mut bar = Bar::new();
    let copied = copy(&*from.raw, &*into.raw, &mut |step, done, all| bar.show(step, done, all)).await;
    bar.end();
    into.store.close().await;
    from.store.close().await;
    let copied = copied?;
    let late = copied.source_head.seq.0.saturating_sub(copied.head.seq.0);
    if as_json {
        let tables: serde_json::Map<_, _> =
            copied.tables.iter().map(|(name, rows)| (name.clone(), (*rows).into())).collect();
        print_json(&json!({ "from": place.shown(), "to": destination.shown(), "tables": tables,
            "head": copied.head.seq, "hash": copied.head.hash, "late": late }))?;
    } else {
        let rows: u64 = copied.tables.iter().map(|(_, rows)| rows).sum();
        println!(
            "copied {rows} rows of {} tables to {}; its journal ends at record {} with {}, as the source's does",
            copied.tables.len(),
            destination.shown(),
            copied.head.seq,
            copied.head.hash
        );
    }
    if late == 0 {
        return Ok(Status::Done);
    }
    eprintln!(
        "axon: {late} records were written to {} meanwhile and are not in the copy: stop `axon serve`, and copy into a new one",
        place.shown()
    );
    Ok(Status::Found)
}

async fn must_be(place: &StorePlace) -> anyhow::Result<()> {
    if !place.exists().await? {
        bail!("there is no store at {}", place.shown());
    }
    Ok(())
}

/// A progress bar on standard error, where that is a terminal.
struct Bar {
    shown: bool,
    last: (String, u64),
}

impl Bar {
    fn new() -> Self {
        Self { shown: std::io::stderr().is_terminal(), last: (String::new(), u64::MAX) }
    }

    fn show(&mut self, step: &str, done: u64, all: u64) {
        let percent = (done * 100).checked_div(all).unwrap_or(100).min(100);
        if !self.shown || (self.last.0 == step && self.last.1 == percent) {
            return;
        }
        self.last = (step.to_owned(), percent);
        let full = usize::try_from(percent / 4).unwrap_or(25);
        let bar = format!("{}{}", "#".repeat(full), ".".repeat(25 - full));
        let _ = write!(std::io::stderr(), "\r\x1b[K{step:<18} [{bar}] {percent:>3} %  {done} of {all}");
    }

    fn end(&self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
