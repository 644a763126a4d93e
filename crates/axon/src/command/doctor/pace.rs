//! What follows from what was measured in a pool: how long changes take there, which wave fits, how seldom all should be read, and
//! how the budget of removals stands against what is usual.

mod proposed;

use std::time::Duration;

use axon_audit::RecordKind;
use axon_audit::payload::{StepOutcome, StepResult};
use axon_mapping::{RoleMap, TargetSpec};
use axon_model::{Clock as _, RecordSeq, SystemClock};
use axon_reconcile::RemovalBudget;
use axon_store::{Removal, Store, StoreError};
use axon_synapse::Latency;
use serde_json::json;

use self::proposed::{CHANGES, Lately, Proposed};
use super::report::Report;
use crate::config::Config;
use crate::wiring::Parts;

/// How many of the last records are looked at for what statements took.
const RECORDS: u64 = 20_000;
/// How many are read at once.
const PAGE: u32 = 2_000;
/// What the proposals are about.
pub struct Place<'a> {
    /// The store, if there is one.
    pub parts: Option<&'a Parts>,
    /// The configuration.
    pub config: &'a Config,
    /// The map.
    pub map: &'a RoleMap,
    /// The target in it.
    pub spec: &'a TargetSpec,
}

/// Tells what follows.
pub async fn proposals(measured: &[Latency], place: &Place<'_>, area: &str, report: &mut Report) {
    let wave = u32::from(place.config.reconcile.wave);
    let name = place.spec.name.as_str();
    let taken = match place.parts {
        Some(parts) => statements(parts.store.as_ref(), name).await.unwrap_or_default(),
        None => Vec::new(),
    };
    let Some(proposed) = Proposed::of(measured, &taken, wave) else { return };
    tell(&proposed, wave, area, report);
    if let Some(parts) = place.parts
        && let Ok(past) = parts.store.removals(name).await
    {
        budget(&past, place.map.guards.removals, area, report);
    }
}

fn tell(proposed: &Proposed, wave: u32, area: &str, report: &mut Report) {
    let Proposed {
        known,
        statement,
        changes,
        round_trips,
        leaver,
        wave: fits,
        waits,
        looking,
        inspect_every,
    } = proposed;
    let (told, and) = match known {
        Some(count) => {
            (format!("the last {count} statements there took {} ms each (median): ", millis(*statement)), "")
        }
        None => (String::new(), " and what the server itself needs for each"),
    };
    report.well(
        area,
        format!(
            "{told}{CHANGES} membership changes take {:.1} s{and}: {round_trips} round trips",
            changes.as_secs_f64()
        ),
    );
    let same = if known.is_some() { "" } else { " and the same" };
    report.well(area, format!("somebody with ten roles is out after {:.2} s{same}", leaver.as_secs_f64()));
    let at_least = match known {
        Some(_) => "",
        None => ", measured by statements that do nothing: run it again when changes were made there",
    };
    let [waits, now] = waits.map(|wait| wait.as_secs_f64());
    report.well(
        area,
        format!(
            "`reconcile.wave: {fits}` makes a leaver wait {waits:.2} s at most for what runs already, and spends {looking:.0} % on looking \
             (now {wave}: {now:.2} s){at_least}"
        ),
    );
    report.well(
        area,
        format!("`reconcile.inspect_every_seconds: {inspect_every}` or more spends a hundredth of the time on looking, or less"),
    );
    let figures = json!({
        "changes": CHANGES, "wave": wave, "round_trips": round_trips, "statements_known": known.unwrap_or_default(),
        "statement_us": u64::try_from(statement.as_micros()).unwrap_or(u64::MAX), "proposed_wave": fits,
        "changes_ms": millis(*changes), "leaver_ms": millis(*leaver), "inspect_every_seconds": inspect_every,
    });
    report.detail(area, "pace", figures);
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// What the statements took that the target did lately, shortest first.
async fn statements(store: &dyn Store, target: &str) -> Result<Vec<Duration>, StoreError> {
    let head = store.head().await?.seq.0;
    let mut from = head.saturating_sub(RECORDS) + 1;
    let mut took = Vec::new();
    while from <= head {
        let page = store.records(RecordSeq(from), PAGE).await?;
        let Some(last) = page.last() else { break };
        from = last.record.seq.0 + 1;
        for entry in page.iter().filter(|entry| entry.record.kind == RecordKind::StepOutcome) {
            let Ok(outcome) = entry.record.facts_of::<StepOutcome>() else { continue };
            if outcome.step.target == target && outcome.result == StepResult::Done {
                took.extend(outcome.micros.map(Duration::from_micros));
            }
        }
    }
    took.sort_unstable();
    Ok(took)
}

/// The busiest window of what is remembered, against what the budget lets through.
fn budget(past: &[Removal], budget: Option<RemovalBudget>, area: &str, report: &mut Report) {
    let window = budget.map_or(time::Duration::hours(24), |budget| budget.window);
    let hours = window.whole_hours();
    let Some(lately) = Lately::of(past, window, SystemClock.now()) else {
        report.well(
            area,
            "nobody who stayed was taken anything from in what is remembered: how large `guards.removals` should be cannot be told yet",
        );
        report.detail(area, "removals", json!({ "window_hours": hours, "days": 0, "busiest": 0 }));
        return;
    };
    let Lately { days, busiest, floor } = lately;
    let now = match budget {
        Some(budget) => format!("`floor: {}` now", budget.floor),
        None => "there is no `guards.removals`".to_owned(),
    };
    report.well(
        area,
        format!(
            "of {days} days that are remembered, at most {busiest} memberships and permissions went within {hours} h (leavers' left out): \
             `guards.removals` with `floor: {floor}` lets twice that through and holds what is more ({now})"
        ),
    );
    let figures = json!({ "window_hours": hours, "days": days, "busiest": busiest, "proposed_floor": floor });
    report.detail(area, "removals", figures);
}
