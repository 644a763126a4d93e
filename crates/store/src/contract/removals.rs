//! The history of removals and the marks of what was made: kept with their records, or not at all.

use axon_audit::NewRecord;
use axon_audit::payload::{ActClear, OperatorAct};
use axon_model::Actor;
use time::Duration;

use super::kit::{act, minute};
use crate::{Notes, Removal, Store, StoreError};

fn record(n: i64) -> NewRecord {
    let payload = OperatorAct { act: "contract".to_owned(), clear: ActClear::default() };
    NewRecord::of(&act(n).ids, minute(n), Actor::Axon, payload).expect("a record")
}

fn removal(key: &str, n: i64, count: u64) -> Removal {
    Removal { key: key.to_owned(), at: minute(n), leaver: count == 1, count }
}

fn notes(counted: Vec<Removal>) -> Notes {
    Notes { target: "pool".to_owned(), counted, ..Notes::default() }
}

/// What was counted is there, what did not happen is not, and what is old is forgotten.
pub async fn removals_are_counted_and_forgotten(store: &dyn Store) {
    let first = notes(vec![removal("a", 1, 1), removal("b", 2, 3)]);
    store.append_noting(vec![record(1)], None, first).await.expect("notes");
    assert_eq!(store.removals("pool").await.expect("removals"), [removal("a", 1, 1), removal("b", 2, 3)]);
    assert!(store.removals("other").await.expect("removals").is_empty());
    let again = notes(vec![removal("b", 4, 3), removal("c", 3, 1)]);
    let after = Notes { uncounted: vec!["a".to_owned()], ..again };
    store.append_noting(vec![record(2)], None, after).await.expect("notes");
    assert_eq!(store.removals("pool").await.expect("removals"), [removal("c", 3, 1), removal("b", 4, 3)]);
    let forget = Notes { forget: Some(minute(4)), ..notes(Vec::new()) };
    store.append_noting(Vec::new(), None, forget).await.expect("notes");
    assert_eq!(store.removals("pool").await.expect("removals"), [removal("b", 4, 3)]);
}

/// Marks are there once, in order, over the whole range of numbers.
pub async fn marks_of_what_was_made_come_back(store: &dyn Store) {
    let made = vec![7, i64::MIN, i64::MAX, 7, -1];
    store.append_noting(Vec::new(), None, Notes { made, ..notes(Vec::new()) }).await.expect("notes");
    store
        .append_noting(Vec::new(), None, Notes { made: vec![7, 8], ..notes(Vec::new()) })
        .await
        .expect("notes");
    assert_eq!(store.made("pool").await.expect("marks"), [i64::MIN, -1, 7, 8, i64::MAX]);
    assert!(store.made("other").await.expect("marks").is_empty());
    let both = Notes { made: vec![9], unmade: vec![-1, 7, 9, 1_000], ..notes(Vec::new()) };
    store.append_noting(Vec::new(), None, both).await.expect("notes");
    assert_eq!(store.made("pool").await.expect("marks"), [i64::MIN, 8, 9, i64::MAX], "what comes stays");
}

/// Without the lease neither records nor notes are kept.
pub async fn a_lost_lease_notes_nothing(store: &dyn Store) {
    let ttl = Duration::seconds(10);
    let lease =
        store.try_lease("pool", "one", ttl, minute(1)).await.expect("a lease").expect("nobody has it");
    store.release_lease(&lease).await.expect("given back");
    let lost = store.append_noting(vec![record(1)], Some(&lease), notes(vec![removal("a", 1, 1)])).await;
    assert!(matches!(lost, Err(StoreError::LeaseLost(_))), "{lost:?}");
    assert!(store.removals("pool").await.expect("removals").is_empty());
}
