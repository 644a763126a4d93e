//! How sources and targets stand, as rows beside the journal's: refused tokens and failing calls are no records, and a target
//! that is late writes none.

use std::collections::BTreeMap;

use axon_controller::Summary;
use axon_model::SourceHealth;
use axon_store::{Store, StoreError};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::row::Row;

/// How often it is said how things stand although nothing changed: who watches sees by it that Axon lives.
const EVERY: i64 = 300;

/// What was said last.
#[derive(Debug, Default)]
pub(super) struct Told {
    span: i64,
    states: BTreeMap<String, String>,
}

impl Told {
    /// Whether these rows say something that was not said in this span.
    pub(super) fn is_new(&self, rows: &[Row], now: OffsetDateTime) -> bool {
        let states = states(rows);
        !states.is_empty() && (self.span != span(now) || self.states != states)
    }

    /// These rows were taken.
    pub(super) fn say(&mut self, rows: &[Row], now: OffsetDateTime) {
        (self.span, self.states) = (span(now), states(rows));
    }
}

fn span(now: OffsetDateTime) -> i64 {
    now.unix_timestamp().div_euclid(EVERY)
}

fn states(rows: &[Row]) -> BTreeMap<String, String> {
    let about = |row: &Row| row.source.clone().or_else(|| row.target.clone()).unwrap_or_default();
    rows.iter()
        .map(|row| (format!("{}/{}", row.kind, about(row)), row.result.clone().unwrap_or_default()))
        .collect()
}

/// The same for one state in one span, whichever replica says it.
fn id(kind: &str, name: &str, state: &str, now: OffsetDateTime) -> String {
    let begin = OffsetDateTime::from_unix_timestamp(span(now) * EVERY).unwrap_or(now);
    let begin = begin.format(&Rfc3339).unwrap_or_default();
    format!("{kind}/{name}/{state}/{begin}")
}

fn instant(at: Option<OffsetDateTime>) -> Option<String> {
    at.and_then(|at| at.format(&Rfc3339).ok())
}

pub(super) fn source_facts(health: &SourceHealth, now: OffsetDateTime) -> Value {
    let counts = health.counts(now);
    json!({
        "window_hours": axon_model::source_health::WINDOW,
        "calls": counts.calls,
        "failed": counts.failed,
        "failed_percent": counts.failed_percent(),
        "reference_failed": counts.reference_failed,
        "last_push": instant(health.last_push),
        "refused": instant(health.refused),
        "accepted": instant(health.accepted),
    })
}

pub(super) fn target_facts(summary: &Summary, at: OffsetDateTime) -> Value {
    json!({
        "position": summary.position,
        "settled": summary.settled,
        "waiting": summary.waiting_total,
        "trouble": summary.trouble.is_some(),
        "tick": instant(Some(at)),
    })
}

/// A row for each source and each target. Nobody is named.
pub(super) async fn rows(
    store: &dyn Store,
    targets: &[String],
    log: &str,
    now: OffsetDateTime,
) -> Result<Vec<Row>, StoreError> {
    let mut rows = Vec::new();
    for (source, health) in store.health().await? {
        let state = health.state(now).as_str();
        let id = id("source-health", source.as_str(), state, now);
        let mut row = Row::standing("source-health", log, id, now, source_facts(&health, now));
        (row.source, row.result) = (Some(source.to_string()), Some(state.to_owned()));
        rows.push(row);
    }
    for target in targets {
        let Some((summary, at)) = store.summary(target).await? else { continue };
        // What another version wrote, and this one cannot read, is said when the next tick ends.
        let Ok(summary) = serde_json::from_value::<Summary>(summary) else { continue };
        let state = summary.state.as_str();
        let id = id("target-health", target, state, now);
        let mut row = Row::standing("target-health", log, id, now, target_facts(&summary, at));
        (row.target, row.result) = (Some(target.clone()), Some(state.to_owned()));
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_state_is_said_when_it_changes_and_now_and_then() {
        let now = datetime!(2026-11-22 10:01 UTC);
        let row = |state: &str, at| {
            let id = id("source-health", "entra", state, at);
            let mut row = Row::standing("source-health", "l", id, at, json!({}));
            (row.source, row.result) = (Some("entra".into()), Some(state.into()));
            vec![row]
        };
        let mut told = Told::default();
        assert!(told.is_new(&row("healthy", now), now) && !told.is_new(&[], now));
        told.say(&row("healthy", now), now);
        let soon = now + Duration::minutes(3);
        assert!(!told.is_new(&row("healthy", soon), soon));
        assert!(told.is_new(&row("refused", soon), soon));
        let later = now + Duration::minutes(5);
        assert!(told.is_new(&row("healthy", later), later));
        assert_eq!(
            row("healthy", now)[0].record_id,
            row("healthy", soon)[0].record_id,
            "two replicas say one thing"
        );
        assert_ne!(row("healthy", now)[0].record_id, row("healthy", later)[0].record_id);
        assert_eq!(row("healthy", now)[0].record_id, "source-health/entra/healthy/2026-11-22T10:00:00Z");
    }
}
