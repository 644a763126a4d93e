//! Where sinks stand.

use axon_model::RecordSeq;
use time::Duration;

use super::kit::minute;
use crate::{Shipped, Store, StoreError};

/// Forward only, each sink for itself; trouble is kept since its beginning and ends with the next success.
pub async fn a_sink_s_cursor_goes_forward_only(store: &dyn Store) {
    assert_eq!(store.shipped("a").await.expect("read"), Shipped::default());
    let lease = store.try_lease("log:a", "x", Duration::minutes(9), minute(0)).await.expect("asked");
    let lease = lease.expect("free");
    store.ship_failed("a", "403", minute(1), &lease).await.expect("kept");
    store.ship_failed("a", "404", minute(2), &lease).await.expect("kept");
    let trouble = Some(("404".to_owned(), minute(1)));
    let begun = Shipped { trouble: trouble.clone(), ..Shipped::default() };
    assert_eq!(store.shipped("a").await.expect("read"), begun);
    store.ship_to("a", RecordSeq(5), minute(3), &lease).await.expect("kept");
    store.ship_to("a", RecordSeq(4), minute(4), &lease).await.expect("kept");
    let five = Shipped { position: RecordSeq(5), at: Some(minute(4)), trouble: None };
    assert_eq!(store.shipped("a").await.expect("read"), five);
    store.ship_failed("a", "403", minute(5), &lease).await.expect("kept");
    let later = Shipped { trouble: Some(("403".to_owned(), minute(5))), ..five };
    assert_eq!(store.shipped("a").await.expect("read"), later);
    assert_eq!(store.shipped("b").await.expect("read"), Shipped::default());
}

/// Whoever lost the lease moves nothing.
pub async fn a_lost_lease_ships_nothing(store: &dyn Store) {
    let ttl = Duration::minutes(1);
    let lost = store.try_lease("log:a", "x", ttl, minute(0)).await.expect("asked").expect("free");
    store.try_lease("log:a", "y", ttl, minute(2)).await.expect("asked").expect("run out");
    let moved = store.ship_to("a", RecordSeq(5), minute(3), &lost).await;
    assert!(matches!(moved, Err(StoreError::LeaseLost(_))), "{moved:?}");
    let told = store.ship_failed("a", "403", minute(3), &lost).await;
    assert!(matches!(told, Err(StoreError::LeaseLost(_))), "{told:?}");
    assert_eq!(store.shipped("a").await.expect("read"), Shipped::default());
}
