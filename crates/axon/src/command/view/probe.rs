//! `axon view probe`

use std::sync::Arc;

use anyhow::{Context, bail};
use axon_controller::{ProbeReport, Probed};
use axon_reconcile::secure::ProbeAnswer;
use serde_json::{Value, json};

use crate::command::{Status, print_json};
use crate::maps;
use crate::wiring::Parts;

/// Reads views as one person of each class of their readers. What is found is in the journal, whoever asked.
pub async fn run(
    parts: &Parts,
    view: Option<&str>,
    only: Option<&str>,
    as_json: bool,
) -> anyhow::Result<Status> {
    let map = Arc::new(maps::in_force(parts).await?);
    let controller = parts.controller("probe");
    let mut reports = Vec::new();
    for (name, target) in parts.targets(&map, only)? {
        let mut ticker = controller.ticker(name.clone(), target);
        let report = ticker.probe_views(&map, view).await.with_context(|| format!("target {name}"))?;
        reports.push((name.to_string(), report));
    }
    let found = reports.iter().any(|(_, report)| !report.probed.is_empty() || !report.waits.is_empty());
    if let (Some(view), false) = (view, found) {
        bail!("no target of the role map holds a view {view:?}");
    }
    if as_json {
        let all: serde_json::Map<String, Value> =
            reports.iter().map(|(name, report)| (name.clone(), told(report))).collect();
        print_json(&all)?;
    } else {
        for (name, report) in &reports {
            print(name, report);
        }
    }
    // What was not tried is not said to agree.
    let found = |report: &ProbeReport| {
        !report.waits.is_empty() || report.probed.iter().any(|one| outcome(&one.answer) != Outcome::Agrees)
    };
    Ok(if reports.iter().any(|(_, report)| found(report)) { Status::Found } else { Status::Done })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Agrees,
    Differs,
    Untried,
}

fn outcome(answer: &ProbeAnswer) -> Outcome {
    match (answer.differs.is_empty(), answer.untried.is_empty()) {
        (false, _) => Outcome::Differs,
        (true, false) => Outcome::Untried,
        (true, true) => Outcome::Agrees,
    }
}

fn whom(one: &Probed) -> String {
    let canary = if one.canary && one.readers.is_some() { " by a canary" } else { "" };
    match one.readers {
        Some(1) => format!("{}{canary}", one.reader),
        Some(readers) => format!("{}{canary}, one of {readers} alike", one.reader),
        None => format!("{}, who may not read it", one.reader),
    }
}

fn print(name: &str, report: &ProbeReport) {
    let count = |wanted| report.probed.iter().filter(|one| outcome(&one.answer) == wanted).count();
    let (differs, untried) = (count(Outcome::Differs), count(Outcome::Untried));
    let untried = if untried == 0 { String::new() } else { format!(", {untried} not tried whole") };
    println!("{name}: {} probed, {differs} otherwise than the map says{untried}", report.probed.len());
    for one in &report.probed {
        let answer = &one.answer;
        let word = match outcome(answer) {
            Outcome::Agrees => "as the map says",
            Outcome::Differs => "DIFFERS",
            Outcome::Untried => "UNTRIED",
        };
        let rows = answer.rows.map(|rows| format!(", {rows} rows")).unwrap_or_default();
        println!("  {} as {}: {word}{rows}", one.view, whom(one));
        for (mark, words) in [("!", &answer.differs), ("leak", &answer.leaks), ("untried", &answer.untried)] {
            for word in words {
                println!("    {mark}  {word}");
            }
        }
    }
    for (view, why) in &report.waits {
        println!("  {view}: not probed, {why}");
    }
}

fn told(report: &ProbeReport) -> Value {
    let probed: Vec<Value> = report
        .probed
        .iter()
        .map(|one| {
            json!({
                "view": one.view.to_string(), "reader": one.reader.to_string(), "canary": one.canary,
                "alike": one.readers, "rows": one.answer.rows, "differs": one.answer.differs, "leaks": one.answer.leaks,
                "untried": one.answer.untried, "agrees": outcome(&one.answer) == Outcome::Agrees,
            })
        })
        .collect();
    let waits: Vec<Value> =
        report.waits.iter().map(|(view, why)| json!({ "view": view.to_string(), "why": why })).collect();
    json!({ "probed": probed, "not_probed": waits })
}
