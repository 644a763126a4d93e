//! Several replicas on one database.

use std::collections::BTreeSet;
use std::sync::Arc;

use axon_scim::ResourceKind;
use axon_store::contract::kit as contract;
use axon_store::{DirectoryStore as _, JournalStore as _, StateStore as _, Store as _, WriteContext};
use axon_store_postgres::{LeaseClock, PostgresStore};
use serde_json::json;
use time::Duration;

use super::kit::{cluster, options, until};

async fn replicas(count: usize) -> Vec<Arc<PostgresStore>> {
    let cluster = cluster();
    let database = cluster.new_database().unwrap();
    let mut replicas = Vec::new();
    let opening: Vec<_> =
        (0..count).map(|_| tokio::spawn(PostgresStore::open(options(cluster, &database)))).collect();
    for store in opening {
        replicas.push(Arc::new(store.await.unwrap().expect("all of them may open at once")));
    }
    replicas
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_share_one_chain_and_positions_follow_commits() {
    let stores = replicas(3).await;
    let writers: Vec<_> = (0..24)
        .map(|n| {
            let store = stores[n % 3].clone();
            tokio::spawn(async move {
                let mut positions = Vec::new();
                for i in 0..10 {
                    let body = contract::user_body(json!({"userName": format!("u{n}-{i}")}));
                    let written = store.create_user(contract::entra(1), body).await.unwrap();
                    // Whoever looks now sees it, with every position before it.
                    assert!(store.head().await.unwrap().seq >= written.position);
                    positions.push(written.position);
                }
                positions
            })
        })
        .collect();
    let mut all = BTreeSet::new();
    for writer in writers {
        let positions = writer.await.unwrap();
        assert!(positions.is_sorted(), "one writer's commits follow each other");
        all.extend(positions);
    }
    assert_eq!(all.len(), 240, "no position was given twice");
    assert_eq!(all.last().map(|seq| seq.0), Some(240), "and none was left out");
    let counts: Vec<_> = stores.iter().map(|store| store.writer_counts()).collect();
    assert!(counts.iter().all(|c| c.groups < c.writes), "waiting writes share a commit: {counts:?}");
    contract::check_whole(&*stores[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_on_two_replicas_lose_nothing_of_one_group() {
    let stores = replicas(2).await;
    let mut ids = Vec::new();
    for n in 0..32 {
        ids.push(contract::user(&*stores[0], &format!("u{n}")).await);
    }
    let sales = contract::group(&*stores[0], "Sales", &[]).await;
    let writers: Vec<_> = ids
        .chunks(2)
        .enumerate()
        .map(|(n, own)| {
            let (store, own) = (stores[n % 2].clone(), own.to_vec());
            tokio::spawn(async move {
                for id in &own {
                    let add = json!([{"op": "add", "path": "members", "value": [{"value": id}]}]);
                    let patch = contract::patch(ResourceKind::Group, add);
                    store.patch_group(contract::entra(1), sales, patch).await.unwrap();
                }
                let gone = json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", own[0])}]);
                let patch = contract::patch(ResourceKind::Group, gone);
                store.patch_group(contract::entra(1), sales, patch).await.unwrap();
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let wanted: Vec<String> = ids.chunks(2).map(|own| own[1].to_string()).collect();
    assert_eq!(contract::members(&*stores[1], sales).await, wanted);
    contract::check_whole(&*stores[1]).await;
}

/// `If-Match` counts among replicas as well: whoever read the version first has no advantage, one write of it is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_writes_of_one_version_on_two_replicas_one_is_done() {
    let stores = replicas(2).await;
    let kim = contract::user(&*stores[0], "kim").await;
    for version in 1..=3 {
        let writers: Vec<_> = (0..16)
            .map(|n| {
                let store = stores[n % 2].clone();
                tokio::spawn(async move {
                    let context = WriteContext { if_match: Some(vec![version]), ..contract::entra(1) };
                    let title =
                        json!([{"op": "replace", "path": "title", "value": format!("{version}-{n}")}]);
                    let patch = contract::patch(ResourceKind::User, title);
                    store.patch_user(context, kim, patch).await.map_or_else(|e| e.to_scim().status, |_| 200)
                })
            })
            .collect();
        let mut answers = Vec::new();
        for writer in writers {
            answers.push(writer.await.unwrap());
        }
        answers.sort_unstable();
        assert_eq!((answers[0], &answers[1..]), (200, &[412; 15][..]), "of version {version}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_parked_by_one_replica_joins_by_a_create_on_another() {
    let stores = replicas(2).await;
    let sales = contract::group(&*stores[0], "Sales", &[]).await;
    for n in 0..20 {
        let name = format!("ext-{n}");
        let add = json!([{"op": "add", "path": "members", "value": [{"value": name}]}]);
        let body = contract::user_body(json!({"userName": name, "externalId": name}));
        let (parked, made) = tokio::join!(
            contract::patch_group(&*stores[0], sales, 1, add),
            stores[1].create_user(contract::entra(1), body)
        );
        parked.unwrap();
        made.unwrap();
    }
    assert_eq!(contract::members(&*stores[0], sales).await.len(), 20, "whichever came first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_hears_of_another_replicas_commit() {
    let stores = replicas(2).await;
    let mut watch = stores[1].subscribe();
    contract::user(&*stores[0], "kim").await;
    let moved = tokio::time::timeout(std::time::Duration::from_secs(20), watch.wait_for(|seq| seq.0 == 1));
    moved.await.expect("told in time").expect("the store lives");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_token_is_revoked_on_all_replicas_at_once() {
    use axon_store::{TokenHash, TokenStore as _};
    let stores = replicas(2).await;
    let new = axon_store::NewToken::bearer(contract::source("entra"), TokenHash::of("secret"), "a token");
    let token = stores[0].add_token(new, contract::act(1)).await.unwrap();
    let hash = TokenHash::of("secret");
    assert_eq!(stores[1].find_token(&hash).await.unwrap().unwrap().revoked, None);
    let mut moved = stores[1].subscribe();
    moved.wait_for(|seq| seq.0 == 1).await.expect("the store lives");
    let mut changes = stores[1].token_changes();
    changes.mark_unchanged();
    contract::user(&*stores[0], "kim").await;
    moved.wait_for(|seq| seq.0 == 2).await.expect("the store lives");
    assert!(!changes.has_changed().unwrap(), "a user is no token");
    assert!(stores[0].revoke_token(token.id, contract::act(2)).await.unwrap());
    assert!(stores[1].find_token(&hash).await.unwrap().unwrap().revoked.is_some());
    let told = tokio::time::timeout(std::time::Duration::from_secs(20), changes.changed());
    told.await.expect("whoever believed it is told in time").expect("the store lives");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_whose_clock_is_wrong_takes_no_lease_that_is_held() {
    let cluster = cluster();
    let mut options = options(cluster, &cluster.new_database().unwrap());
    options.lease_clock = LeaseClock::Database;
    let (a, b) =
        (PostgresStore::open(options.clone()).await.unwrap(), PostgresStore::open(options).await.unwrap());
    let ttl = Duration::seconds(60);
    let held = a.try_lease("dw", "a", ttl, contract::minute(0)).await.unwrap().expect("free");
    // An hour ahead by its own clock, and yet a's minute is not over.
    assert_eq!(b.try_lease("dw", "b", ttl, contract::minute(60)).await.unwrap(), None);
    assert!(a.renew_lease(&held, ttl, contract::minute(1)).await.unwrap().is_some());
    let short = Duration::milliseconds(1);
    let held = a.renew_lease(&held, short, contract::minute(1)).await.unwrap().expect("held");
    assert_eq!(held.until(), contract::minute(1) + short, "its holder reckons by its own clock");
    until("a lease that ran out is free", async || {
        b.try_lease("dw", "b", ttl, contract::minute(0)).await.unwrap().is_some()
    })
    .await;
    assert!(a.append(vec![], Some(&held)).await.is_err(), "the old holder is fenced off");
}
