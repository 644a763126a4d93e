//! The health of sources.

use axon_model::{CallCounts, FailedCall, Hour, SourceHealth};
use time::Duration;

use super::kit::{minute, source};
use crate::Store;

fn counted(n: i64, calls: u64, failed: u64) -> SourceHealth {
    let counts = CallCounts { calls, failed, reference_failed: 1 };
    SourceHealth { hours: [(Hour::of(minute(n)), counts)].into(), ..SourceHealth::default() }
}

fn failure(n: i64) -> FailedCall {
    FailedCall {
        at: minute(n),
        request: "r1".parse().expect("an id"),
        method: "POST".into(),
        route: "/scim/v2/Users".into(),
        status: 400,
        scim_type: Some("invalidValue".into()),
        detail: "no 'é…'".into(),
        shape: "{userName: text}".into(),
    }
}

/// Counts of several processes add up, and the later of two instants stays.
pub async fn counts_of_sources_add_up(store: &dyn Store) {
    assert!(store.health().await.expect("read").is_empty());
    let (entra, okta) = (source("entra"), source("okta"));
    let first = SourceHealth {
        last_push: Some(minute(5)),
        accepted: Some(minute(5)),
        last_failure: Some(failure(5)),
        ..counted(0, 10, 2)
    };
    store.add_health(vec![(entra.clone(), first)], minute(6)).await.expect("kept");
    let second = SourceHealth {
        last_push: Some(minute(3)),
        refused: Some(minute(7)),
        last_failure: Some(failure(4)),
        ..counted(0, 5, 1)
    };
    let other = SourceHealth { accepted: Some(minute(1)), ..counted(60, 1, 0) };
    store.add_health(vec![(entra.clone(), second), (okta.clone(), other)], minute(8)).await.expect("kept");
    let all = store.health().await.expect("read");
    assert_eq!(all.iter().map(|(source, _)| source).collect::<Vec<_>>(), [&entra, &okta]);
    let health = &all[0].1;
    assert_eq!(health.counts(minute(8)), CallCounts { calls: 15, failed: 3, reference_failed: 2 });
    assert_eq!((health.last_push, health.accepted), (Some(minute(5)), Some(minute(5))));
    assert_eq!((health.refused, &health.last_failure), (Some(minute(7)), &Some(failure(5))));
    assert_eq!(
        (all[1].1.accepted, all[1].1.last_push, &all[1].1.last_failure),
        (Some(minute(1)), None, &None)
    );
}

/// What is before the window goes, whosever it is; the rest of a source's health stays.
pub async fn old_counts_of_sources_are_forgotten(store: &dyn Store) {
    let (entra, okta) = (source("entra"), source("okta"));
    let old = SourceHealth { last_failure: Some(failure(0)), ..counted(0, 10, 2) };
    store.add_health(vec![(entra, old)], minute(0)).await.expect("kept");
    let late = minute(0) + Duration::hours(30);
    store.add_health(vec![(okta, counted(60, 1, 0))], late).await.expect("kept");
    let all = store.health().await.expect("read");
    assert!(all[0].1.hours.is_empty() && all[0].1.last_failure == Some(failure(0)), "{all:?}");
    assert_eq!(all.len(), 1, "a source that has nothing but old counts has none: {all:?}");
}
