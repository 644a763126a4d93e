//! `axon apply`

use std::sync::Arc;

use axon_controller::State;

use super::{Status, print_json};
use crate::maps;
use crate::wiring::Parts;

/// The most ticks that one call makes on a target: each follows what the one before left.
const MOST_TICKS: usize = 1_000;

/// Ticks until nothing is left to do but what waits.
pub async fn run(parts: Parts, only: Option<&str>, json: bool) -> anyhow::Result<Status> {
    let map = Arc::new(maps::put_in_force(&parts).await?);
    let controller = parts.controller("apply");
    let mut summaries = serde_json::Map::new();
    let mut status = Status::Done;
    for (name, target) in parts.targets(&map, only)? {
        let mut ticker = controller.ticker(name.clone(), target);
        let mut tick = ticker.tick(&map).await;
        let mut applied = tick.summary.applied;
        for _ in 0..MOST_TICKS {
            let elsewhere = tick.summary.state == State::Elsewhere;
            if !tick.again && !elsewhere {
                break;
            }
            if elsewhere {
                // A running serve holds the lease for the length of its own tick.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            let before = tick.summary.applied;
            tick = ticker.tick(&map).await;
            applied = applied.max(before + tick.summary.applied);
        }
        let summary = tick.summary;
        status = match (status, summary.state) {
            (Status::Failed, _) => Status::Failed,
            (_, State::Converged) => status,
            (_, State::Pending | State::Observed) => Status::Found,
            _ => Status::Failed,
        };
        if json {
            summaries.insert(name.to_string(), serde_json::to_value(&summary)?);
            continue;
        }
        println!("{name}: {} ({applied} steps applied)", summary.state.as_str());
        for waiting in &summary.waiting {
            println!("    waits: {}\n      for: {}", waiting.what, waiting.why);
        }
        if let Some(trouble) = &summary.trouble {
            println!("    trouble: {trouble}");
        }
    }
    parts.store.close().await;
    if json {
        print_json(&summaries)?;
    }
    Ok(status)
}
