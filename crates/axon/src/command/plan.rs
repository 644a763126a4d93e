//! `axon plan`

use std::sync::Arc;

use anyhow::Context;
use axon_controller::Preview;

use super::{Status, print_json};
use crate::maps;
use crate::wiring::Parts;

/// Shows what a tick would do now. Changes nothing.
pub async fn run(parts: Parts, only: Option<&str>, check: bool, json: bool) -> anyhow::Result<Status> {
    let map = Arc::new(maps::in_force(&parts).await?);
    let controller = parts.controller("plan");
    let mut previews = Vec::new();
    for (name, target) in parts.targets(&map, only)? {
        let mut ticker = controller.ticker(name.clone(), target);
        let preview = ticker.preview(&map).await.with_context(|| format!("target {name}"))?;
        previews.push((name, preview));
    }
    parts.store.close().await;
    let pending = previews.iter().any(|(_, p)| {
        !p.plan.steps.is_empty()
            || !p.plan.findings.is_empty()
            || !p.pending.is_empty()
            || !p.unseen.is_empty()
    });
    if json {
        let all: serde_json::Map<String, serde_json::Value> =
            previews.iter().map(|(name, p)| (name.to_string(), as_json(p))).collect();
        print_json(&all)?;
    } else {
        for (name, preview) in &previews {
            print(name.as_str(), preview);
        }
    }
    Ok(if check && pending { Status::Found } else { Status::Done })
}

fn print(name: &str, preview: &Preview) {
    let withheld = preview.admitted.withheld();
    println!("{name}: {} to do, {} withheld", preview.admitted.steps().len(), withheld.len());
    for (n, planned) in preview.admitted.steps().iter().enumerate() {
        println!("{:>5}. {planned}", n + 1);
    }
    for w in withheld {
        let reasons: Vec<String> = w.reasons.iter().map(ToString::to_string).collect();
        println!("    -  {}\n       withheld: {}", w.planned, reasons.join("; "));
    }
    for finding in &preview.plan.findings {
        println!("    !  {finding}");
    }
    for pending in &preview.pending {
        println!("    ?  {pending}");
    }
    for unseen in &preview.unseen {
        println!("    !  not all of the target can be seen: {unseen}");
    }
    for note in &preview.notes {
        println!("    note: {note}");
    }
}

fn as_json(preview: &Preview) -> serde_json::Value {
    serde_json::json!({
        "steps": preview.admitted.steps(),
        "withheld": preview.admitted.withheld(),
        "findings": preview.plan.findings,
        "pending": preview.pending,
        "unseen": preview.unseen,
        "notes": preview.notes,
    })
}
