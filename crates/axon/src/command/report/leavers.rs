//! `axon report leavers`: from the store alone; no target is asked.

use std::collections::BTreeSet;
use std::ops::Range;

use anyhow::bail;
use serde_json::json;
use time::OffsetDateTime;

use super::{Status, print_json};
use crate::leavers::{Past, Told, is_late, objective_in, past};
use crate::maps;
use crate::wiring::Parts;

/// Tells how long people who left could still be in.
pub async fn run(
    parts: &Parts,
    only: Option<&str>,
    left: Range<Option<OffsetDateTime>>,
    json: bool,
) -> anyhow::Result<Status> {
    let (settings, now) = (parts.leavers(), parts.clock.now());
    let within = |at: OffsetDateTime| {
        left.start.is_none_or(|since| at >= since) && left.end.is_none_or(|until| at < until)
    };
    let past: Vec<Past> = past(parts.store.as_ref()).await?;
    // Also of targets that the map does not name any more: what was measured stays measured.
    let map = maps::in_force(parts).await?;
    let mut names: BTreeSet<String> = map.targets.keys().map(ToString::to_string).collect();
    names.extend(past.iter().map(|past| past.time.target.clone()));
    names.extend(parts.store.leavers_targets().await?);
    if let Some(only) = only {
        if !names.contains(only) {
            bail!("neither the role map nor the store knows a target {only}");
        }
        names.retain(|name| name == only);
    }
    let mut all = Vec::new();
    let mut late = false;
    for target in &names {
        let kept = parts.store.leavers(target).await?;
        let mut open: Vec<_> = kept.open.into_values().filter(|leaver| within(leaver.arrived)).collect();
        open.sort_by_key(|leaver| (leaver.arrived, leaver.cause));
        let next = kept.next.into_values().filter(|next| within(next.arrived)).collect();
        let objective = objective_in(&map, target, settings.objective);
        late |= open.iter().any(|leaver| is_late(leaver, objective, now));
        let of_target =
            past.iter().filter(|past| past.time.target == *target && within(past.time.arrived_at));
        all.push(Told { target, objective, past: of_target.collect(), open, next });
    }
    if json {
        print_json(&json!({
            "objective_millis": u64::try_from(settings.objective.whole_milliseconds()).unwrap_or(u64::MAX),
            "percentiles": "nearest-rank",
            "targets": all.iter().map(|told| told.as_json(now)).collect::<Vec<_>>(),
        }))?;
    } else {
        for line in all.iter().flat_map(|told| told.lines(now)) {
            println!("{line}");
        }
    }
    Ok(if late { Status::Found } else { Status::Done })
}
