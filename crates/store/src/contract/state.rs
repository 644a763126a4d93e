//! Principals, summaries, leases.

use axon_model::SqlName;
use serde_json::json;
use time::Duration;

use super::kit::minute;
use crate::Store;

/// By target, once each.
pub async fn principals_are_remembered(store: &dyn Store) {
    let name = |text: &str| SqlName::parse(text).expect("a name");
    store.remember_principals("dw", vec![name("kim@acme.com"), name("lee@acme.com")]).await.expect("kept");
    store.remember_principals("dw", vec![name("kim@acme.com"), name("O'Brien")]).await.expect("kept");
    store.remember_principals("other", vec![name("dan@acme.com")]).await.expect("kept");
    let dw = store.remembered_principals("dw").await.expect("read");
    let names: Vec<_> = dw.iter().map(|n| n.as_str()).collect();
    assert_eq!(names, ["kim@acme.com", "lee@acme.com", "O'Brien"]);
    assert!(store.remembered_principals("none").await.expect("read").is_empty());
}

/// The last one counts.
pub async fn a_summary_is_replaced(store: &dyn Store) {
    assert_eq!(store.summary("dw").await.expect("read"), None);
    for n in 1..=2 {
        store.save_summary("dw", json!({"steps": n}), minute(n)).await.expect("kept");
    }
    assert_eq!(store.summary("dw").await.expect("read"), Some((json!({"steps": 2}), minute(2))));
}

/// One holder at a time, and a generation that tells the holders apart.
pub async fn a_lease_has_one_holder(store: &dyn Store) {
    let ttl = Duration::seconds(90);
    let take =
        async |holder: &str, n: i64| store.try_lease("dw", holder, ttl, minute(n)).await.expect("asked");
    let first = take("a", 0).await.expect("free");
    assert_eq!((first.generation(), first.until()), (1, minute(0) + ttl));
    assert_eq!(take("b", 1).await, None);
    let again = take("a", 1).await.expect("its own");
    assert_eq!((again.generation(), again.until()), (1, minute(1) + ttl));
    let renewed = store.renew_lease(&again, ttl, minute(2)).await.expect("asked").expect("held");
    assert_eq!(renewed.until(), minute(2) + ttl);
    let second = take("b", 4).await.expect("run out");
    assert_eq!(second.generation(), 2);
    assert_eq!(store.renew_lease(&renewed, ttl, minute(4)).await.expect("asked"), None, "lost");
    store.release_lease(&renewed).await.expect("harmless");
    let held = store.lease("dw").await.expect("read").expect("one");
    assert_eq!((held.holder.as_str(), held.generation, held.until), ("b", 2, minute(4) + ttl));
    store.release_lease(&second).await.expect("given back");
    let third = take("a", 4).await.expect("free");
    assert_eq!(third.generation(), 3);
    let late = take("a", 9).await.expect("its own, after a gap");
    assert_eq!(late.generation(), 4, "others may have worked in between");
}
