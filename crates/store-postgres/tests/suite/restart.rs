//! A server that dies under load and comes back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axon_store::contract::kit as contract;
use axon_store::{DirectoryStore as _, JournalStore as _, Query, Store as _};
use axon_store_postgres::PostgresStore;
use axon_store_postgres::cluster::Cluster;
use serde_json::json;

use super::kit::{options, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_dies_and_comes_back_loses_no_acknowledged_write() {
    let cluster = Cluster::start().expect("a cluster of its own");
    let database = cluster.new_database().unwrap();
    let store = Arc::new(PostgresStore::open(options(&cluster, &database)).await.unwrap());
    let other = PostgresStore::open(options(&cluster, &database)).await.unwrap();
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let writers: Vec<_> = (0..8)
        .map(|n| {
            let (store, stop, acknowledged) = (store.clone(), stop.clone(), acknowledged.clone());
            tokio::spawn(async move {
                let (mut kept, mut refused) = (Vec::new(), 0);
                for i in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let body = contract::user_body(json!({"userName": format!("u{n}-{i}")}));
                    match store.create_user(contract::entra(1), body).await {
                        Ok(written) => {
                            kept.push(written.stored.id);
                            acknowledged.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => {
                            assert_eq!(error.to_scim().status, 503, "{error:?}");
                            refused += 1;
                        }
                    }
                }
                (kept, refused)
            })
        })
        .collect();
    let more = async |count: usize| {
        let wanted = acknowledged.load(Ordering::Relaxed) + count;
        until("writes go on", async || acknowledged.load(Ordering::Relaxed) >= wanted).await;
    };
    for _ in 0..2 {
        more(50).await;
        tokio::task::block_in_place(|| {
            cluster.crash().expect("it dies");
            cluster.revive().expect("it comes back");
        });
    }
    more(50).await;
    stop.store(true, Ordering::Relaxed);
    let (mut kept, mut refused) = (BTreeSet::new(), 0);
    for writer in writers {
        let (ids, failures) = writer.await.unwrap();
        kept.extend(ids);
        refused += failures;
    }
    assert!(refused > 0, "it really was gone");
    let page = store.list_users(&contract::source("entra"), Query::all(None)).await.expect("reads go on");
    let stored: BTreeSet<_> = page.items.iter().map(|user| user.id).collect();
    assert!(kept.is_subset(&stored), "{} acknowledged, {} there", kept.len(), stored.len());
    contract::check_whole(&*store).await;

    // The other replica, which was idle, works and hears again.
    let head = other.head().await.expect("its dead connections are replaced").seq;
    let mut watch = other.subscribe();
    let told = tokio::time::timeout(std::time::Duration::from_secs(20), watch.wait_for(|seq| *seq >= head));
    told.await.expect("told in time").expect("the store lives");
    contract::user(&other, "last").await;
}
