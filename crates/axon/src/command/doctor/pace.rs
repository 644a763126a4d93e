//! What follows from what was measured in a pool: how long changes take there, which wave fits, how seldom all should be read, and
//! how the budget of removals stands against what is usual.

use std::time::Duration;

use axon_audit::RecordKind;
use axon_audit::payload::{StepOutcome, StepResult};
use axon_mapping::{RoleMap, TargetSpec};
use axon_model::{Clock as _, RecordSeq, SystemClock};
use axon_reconcile::RemovalBudget;
use axon_store::{Removal, Store, StoreError};
use axon_synapse::Latency;
use axon_synapse::pace::Pace;
use serde_json::json;
use time::OffsetDateTime;

use super::report::Report;
use crate::config::Config;
use crate::wiring::Parts;

/// How many changes the time is told of.
const CHANGES: u32 = 10_000;
/// How many of the last records are looked at for what statements took.
const RECORDS: u64 = 20_000;
/// How many are read at once.
const PAGE: u32 = 2_000;
/// Fewer statements say nothing of the next ones.
const ENOUGH: usize = 20;
/// A leaver waits for the wave that runs: no longer than this, as far as the proposal has it.
const WAITS: Duration = Duration::from_secs(1);
/// Shorter waves are mostly looks, longer ones save little.
const WAVES: (u32, u32) = (4, 128);

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
    let whole = measured.iter().find(|latency| latency.what == "a read of everything").map(Latency::median);
    let (Some(bare), Some(whole)) = (Pace::of(measured), whole) else { return };
    let wave = u32::from(place.config.reconcile.wave);
    let name = place.spec.name.as_str();
    let taken = match place.parts {
        Some(parts) => statements(parts.store.as_ref(), name).await.unwrap_or_default(),
        None => Vec::new(),
    };
    let known = taken.len() >= ENOUGH;
    // A statement's own time holds its round trip.
    let of_one = if known { Latency { what: "", took: taken.clone() }.median() } else { bare.round_trip };
    let model = Pace { round_trip: of_one, ..bare };
    let changes = model.takes(CHANGES, wave);
    let turns = Pace::round_trips(CHANGES, wave);
    let (told, and) = if known {
        let count = taken.len();
        (format!("the last {count} statements there took {} ms each (median): ", millis(of_one)), "")
    } else {
        (String::new(), " and what the server itself needs for each")
    };
    report.well(
        area,
        format!(
            "{told}{CHANGES} membership changes take {:.1} s{and}: {turns} round trips",
            changes.as_secs_f64()
        ),
    );
    // Shut out, ten roles less, killed, and looked for.
    let leaver = model.takes(12, wave) + model.look;
    let same = if known { "" } else { " and the same" };
    report.well(area, format!("somebody with ten roles is out after {:.2} s{same}", leaver.as_secs_f64()));
    let proposed = fitting(of_one);
    let over =
        model.look.as_secs_f64() * 100.0 / (of_one * proposed + model.look).as_secs_f64().max(f64::EPSILON);
    let at_least = if known {
        ""
    } else {
        ", measured by statements that do nothing: run it again when changes were made there"
    };
    report.well(
        area,
        format!(
            "`reconcile.wave: {proposed}` makes a leaver wait {:.2} s at most for what runs already, and spends {over:.0} % on looking \
             (now {wave}: {:.2} s){at_least}",
            (of_one * proposed + model.look).as_secs_f64(),
            (of_one * wave + model.look).as_secs_f64(),
        ),
    );
    // A hundredth of the time at most is spent on looking.
    let seldom = (whole.as_secs() + 1) * 100;
    report.well(
        area,
        format!("`reconcile.inspect_every_seconds: {seldom}` or more spends a hundredth of the time on looking, or less"),
    );
    let figures = json!({
        "changes": CHANGES, "wave": wave, "round_trips": turns, "statements_known": taken.len(),
        "statement_us": u64::try_from(of_one.as_micros()).unwrap_or(u64::MAX), "proposed_wave": proposed,
        "changes_ms": millis(changes), "leaver_ms": millis(leaver), "inspect_every_seconds": seldom,
    });
    report.detail(area, "pace", figures);
    if let Some(parts) = place.parts
        && let Ok(past) = parts.store.removals(name).await
    {
        budget(&past, place.map.guards.removals, area, report);
    }
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// As many statements as go into the time that a leaver may wait.
fn fitting(of_one: Duration) -> u32 {
    let fit = WAITS.as_micros() / of_one.as_micros().max(1);
    u32::try_from(fit).unwrap_or(u32::MAX).clamp(WAVES.0, WAVES.1)
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
    let mut taken: Vec<(OffsetDateTime, u64)> =
        past.iter().filter(|removal| !removal.leaver).map(|removal| (removal.at, removal.count)).collect();
    taken.sort_unstable();
    let window = budget.map_or(time::Duration::hours(24), |budget| budget.window);
    let most = busiest(&taken, window);
    let days = taken.first().map_or(0, |(first, _)| (SystemClock.now() - *first).whole_days().max(0) + 1);
    // Twice the busiest so far passes; what is more is looked at by a person.
    let floor = (most * 2).max(20);
    let hours = window.whole_hours();
    let says = if taken.is_empty() {
        "nobody who stayed was taken anything from in what is remembered: how large `guards.removals` should be cannot be told yet".to_owned()
    } else {
        let now = match budget {
            Some(budget) => format!("`floor: {}` now", budget.floor),
            None => "there is no `guards.removals`".to_owned(),
        };
        format!(
            "of {days} days that are remembered, at most {most} memberships and permissions went within {hours} h (leavers' left out): \
             `guards.removals` with `floor: {floor}` lets twice that through and holds what is more ({now})"
        )
    };
    report.well(area, says);
    let figures = json!({ "window_hours": hours, "days": days, "busiest": most, "proposed_floor": floor });
    report.detail(area, "removals", figures);
}

/// The largest sum within one window. Sorted by time.
fn busiest(taken: &[(OffsetDateTime, u64)], window: time::Duration) -> u64 {
    let (mut from, mut sum, mut most) = (0, 0_u64, 0);
    for (at, count) in taken {
        sum += count;
        while taken.get(from).is_some_and(|(first, _)| *at - *first >= window) {
            sum -= taken.get(from).map_or(0, |(_, count)| *count);
            from += 1;
        }
        most = most.max(sum);
    }
    most
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_wave_is_as_long_as_a_leaver_may_wait() {
        let of = |millis| fitting(Duration::from_millis(millis));
        assert_eq!([of(0), of(5), of(20), of(80), of(2_000)], [128, 128, 50, 12, 4]);
    }

    #[test]
    fn the_busiest_window_may_begin_at_any_time() {
        let first = datetime!(2026-11-22 00:00 UTC);
        let at = |hours: i64, count| (first + time::Duration::hours(hours), count);
        let day = time::Duration::hours(24);
        assert_eq!(busiest(&[], day), 0);
        assert_eq!(busiest(&[at(0, 5), at(23, 7), at(24, 6), at(60, 12)], day), 13);
        assert_eq!(busiest(&[at(0, 5), at(30, 5)], day), 5);
    }
}
