//! The rows of the sources' health.

use std::collections::BTreeMap;

use axon_model::{CallCounts, HealthOf, Hour, SourceHealth, SourceId};
use axon_store::StoreError;
use time::OffsetDateTime;

use crate::args;
use crate::codec::{Place, micros, signed};
use crate::session::Session;
use crate::writer::Txn;

const ADD_CALLS: &str = "INSERT INTO source_calls (source, hour, calls, failed, reference_failed) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (source, hour) DO UPDATE SET calls = source_calls.calls + excluded.calls, \
    failed = source_calls.failed + excluded.failed, \
    reference_failed = source_calls.reference_failed + excluded.reference_failed";

const KEEP_LATEST: &str = "INSERT INTO source_health (source, last_push, accepted, refused, failed_at, failure) \
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (source) DO UPDATE SET \
    last_push = CASE WHEN source_health.last_push IS NULL OR excluded.last_push > source_health.last_push \
        THEN excluded.last_push ELSE source_health.last_push END, \
    accepted = CASE WHEN source_health.accepted IS NULL OR excluded.accepted > source_health.accepted \
        THEN excluded.accepted ELSE source_health.accepted END, \
    refused = CASE WHEN source_health.refused IS NULL OR excluded.refused > source_health.refused \
        THEN excluded.refused ELSE source_health.refused END, \
    failure = CASE WHEN source_health.failed_at IS NULL OR excluded.failed_at > source_health.failed_at \
        THEN excluded.failure ELSE source_health.failure END, \
    failed_at = CASE WHEN source_health.failed_at IS NULL OR excluded.failed_at > source_health.failed_at \
        THEN excluded.failed_at ELSE source_health.failed_at END";

/// Adds to what is there.
pub(crate) async fn add(txn: &mut Txn, news: Vec<HealthOf>, now: OffsetDateTime) -> Result<(), StoreError> {
    let session = txn.session()?;
    let first = Hour::of(now).first_of_window().0;
    session.run("forget old calls", "DELETE FROM source_calls WHERE hour < $1", args![first]).await?;
    for (source, health) in &news {
        for (hour, counts) in health.hours.iter().filter(|(hour, _)| hour.0 >= first) {
            let (calls, failed) = (signed(counts.calls), signed(counts.failed));
            let args = args![source.as_str(), hour.0, calls, failed, signed(counts.reference_failed)];
            session.run("count calls", ADD_CALLS, args).await?;
        }
        let failure = health.last_failure.as_ref();
        let text = failure.map(serde_json::to_string).transpose();
        let text = text.map_err(|error| StoreError::unavailable("keep a failed call", error))?;
        let args = args![
            source.as_str(),
            health.last_push.map(micros),
            health.accepted.map(micros),
            health.refused.map(micros),
            failure.map(|failure| micros(failure.at)),
            text,
        ];
        session.run("keep a source's health", KEEP_LATEST, args).await?;
    }
    Ok(())
}

type LatestRow = (String, Option<i64>, Option<i64>, Option<i64>, Option<String>);

/// All of it.
pub(crate) async fn all(session: &mut dyn Session) -> Result<Vec<HealthOf>, StoreError> {
    let attempt = "read the sources' health";
    let latest: Vec<LatestRow> = session
        .all(attempt, "SELECT source, last_push, accepted, refused, failure FROM source_health", args![])
        .await?;
    let mut found: BTreeMap<SourceId, SourceHealth> = BTreeMap::new();
    for (source, last_push, accepted, refused, failure) in latest {
        let place = Place { table: "source_health", row: &source };
        let instant = |column, at: Option<i64>| at.map(|at| place.instant(column, at)).transpose();
        let health = SourceHealth {
            hours: BTreeMap::new(),
            last_push: instant("last_push", last_push)?,
            last_failure: failure.map(|text| place.json("failure", &text)).transpose()?,
            refused: instant("refused", refused)?,
            accepted: instant("accepted", accepted)?,
        };
        found.insert(place.parsed("source", &source)?, health);
    }
    let calls: Vec<(String, i64, i64, i64, i64)> = session
        .all(attempt, "SELECT source, hour, calls, failed, reference_failed FROM source_calls", args![])
        .await?;
    for (source, hour, calls, failed, reference_failed) in calls {
        let place = Place { table: "source_calls", row: &source };
        let counts = CallCounts {
            calls: place.count("calls", calls)?,
            failed: place.count("failed", failed)?,
            reference_failed: place.count("reference_failed", reference_failed)?,
        };
        found.entry(place.parsed("source", &source)?).or_default().hours.insert(Hour(hour), counts);
    }
    Ok(found.into_iter().filter(|(_, health)| !health.is_empty()).collect())
}
