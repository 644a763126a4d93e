//! The journal, and the directory that follows it.

use axon_audit::payload::{ActClear, Erasure, OperatorAct};
use axon_audit::{NewRecord, RecordKind};
use axon_model::{Directory, RecordSeq};
use serde_json::json;
use time::Duration;

use super::kit::{act, entra, group, journal, minute, patch_group, patch_user, status, user, user_body};
use crate::{Since, Store, StoreError};

fn act_record(words: &str) -> NewRecord {
    let payload = OperatorAct { act: "test".into(), clear: ActClear { words: words.into() } };
    let act = act(1);
    NewRecord::of(&act.ids, act.now, act.actor, payload).expect("a record")
}

/// What is looked for among much else is found without reading all of it.
pub async fn records_of_one_kind_are_read_alone(store: &dyn Store) {
    user(store, "kim").await;
    store.append((0..5).map(|n| act_record(&n.to_string())).collect(), None).await.expect("appended");
    user(store, "ana").await;
    let of = |kind, from, limit| store.records_of(kind, RecordSeq(from), limit);
    let acts = of(RecordKind::OperatorAct, 3, 3).await.expect("read");
    assert_eq!(acts.iter().map(|e| e.record.seq.0).collect::<Vec<_>>(), [3, 4, 5]);
    assert!(acts.iter().all(|e| e.clear.is_some()));
    let writes = of(RecordKind::DirectoryChange, 1, 10).await.expect("read");
    assert_eq!(writes.iter().map(|e| e.record.seq.0).collect::<Vec<_>>(), [1, 7]);
}

/// One transaction, consecutive positions, clear parts beside.
pub async fn records_are_chained_and_read_back(store: &dyn Store) {
    assert!(store.append(vec![], None).await.expect("nothing to do").is_empty());
    let new: Vec<NewRecord> = (0..50).map(|n| act_record(&format!("words {n}"))).collect();
    let sealed = store.append(new.clone(), None).await.expect("appended");
    let seqs: Vec<u64> = sealed.iter().map(|r| r.seq.0).collect();
    assert_eq!(seqs, (1..=50).collect::<Vec<_>>());
    let read = journal(store).await;
    assert_eq!(read.iter().map(|e| &e.record).collect::<Vec<_>>(), sealed.iter().collect::<Vec<_>>());
    assert!(read.iter().zip(&new).all(|(e, n)| e.clear == n.clear && e.record.facts == n.facts));
    let some = store.records(RecordSeq(7), 3).await.expect("read");
    assert_eq!(some.iter().map(|e| e.record.seq.0).collect::<Vec<_>>(), [7, 8, 9]);
    let first = user(store, "kim").await;
    let last = journal(store).await.pop().expect("a record").record;
    assert_eq!((last.seq.0, last.request.map(|r| r.to_string())), (51, Some("contract".to_owned())));
    assert!(!last.facts.to_string().contains("kim"), "{first}: names are in the clear part only");
}

/// Neither a refusal nor what follows it leaves a gap.
pub async fn a_refused_write_leaves_no_record(store: &dyn Store) {
    user(store, "kim").await;
    assert_eq!(status(store.create_user(entra(1), user_body(json!({"userName": "KIM"}))).await), 409);
    user(store, "lee").await;
    assert_eq!(journal(store).await.len(), 2);
}

/// Erased, recorded, once.
pub async fn an_erased_clear_part_leaves_the_chain_whole(store: &dyn Store) {
    user(store, "kim").await;
    user(store, "lee").await;
    assert!(store.erase_clear(RecordSeq(1), act(2)).await.expect("erased"));
    assert!(!store.erase_clear(RecordSeq(1), act(2)).await.expect("nothing left"));
    let entries = journal(store).await;
    assert!(entries[0].clear.is_none() && entries[1].clear.is_some());
    assert_eq!(entries[2].record.facts_of::<Erasure>().expect("its shape"), Erasure { record: RecordSeq(1) });
    assert_eq!(store.deltas_since(RecordSeq(0), 100).await.expect("read"), Since::Reload);
    assert!(matches!(store.deltas_since(RecordSeq(1), 100).await.expect("read"), Since::Deltas { .. }));
}

/// Decision 10's first half: the directory moved by deltas is the directory loaded.
pub async fn deltas_lead_from_one_directory_to_the_next(store: &dyn Store) {
    let mut moved = Directory::default();
    let (kim, lee) = (user(store, "kim").await, user(store, "lee").await);
    let sales = group(store, "Sales", &[kim, lee]).await;
    store.append(vec![act_record("between")], None).await.expect("appended");
    patch_user(store, kim, 1, json!([{"op": "replace", "path": "active", "value": false}]))
        .await
        .expect("patched");
    let rename = json!([{"op": "replace", "path": "displayName", "value": "SG-Sales"},
        {"op": "remove", "path": "members", "value": [{"value": lee}]}]);
    patch_group(store, sales, 1, rename).await.expect("patched");
    store.delete_user(entra(2), lee).await.expect("deleted");
    let head = store.head().await.expect("read").seq;
    while moved.position() < head {
        match store.deltas_since(moved.position(), 2).await.expect("read") {
            Since::Deltas { deltas, upto } => {
                assert!(upto > moved.position() && upto.0 <= moved.position().0 + 2);
                for (seq, delta) in &deltas {
                    moved.apply(delta, *seq);
                }
                moved.advance(upto);
            }
            Since::Reload => panic!("nothing was erased"),
        }
    }
    assert_eq!(moved.groups().next().expect("there").display_name.as_ref(), "SG-Sales");
    let loaded = store.load_directory().await.expect("read");
    assert_eq!(moved.users().collect::<Vec<_>>(), loaded.users().collect::<Vec<_>>());
    assert_eq!(moved.members(sales).collect::<Vec<_>>(), loaded.members(sales).collect::<Vec<_>>());
    assert_eq!(store.deltas_since(RecordSeq(99), 10).await.expect("read"), Since::Reload, "another journal");
}

/// After the answer, the position is there.
pub async fn a_subscriber_sees_the_position_move(store: &dyn Store) {
    let mut watch = store.subscribe();
    assert_eq!(*watch.borrow_and_update(), RecordSeq(0));
    user(store, "kim").await;
    assert_eq!(*watch.borrow_and_update(), RecordSeq(1));
    assert_eq!(status(store.create_user(entra(1), user_body(json!({"userName": "kim"}))).await), 409);
    assert!(!watch.has_changed().expect("the store lives"), "a refusal wakes nobody");
}

/// Writes are conditional on the generation that they were made under.
pub async fn a_lost_lease_appends_nothing(store: &dyn Store) {
    let ttl = Duration::seconds(30);
    let lease = store.try_lease("dw", "a", ttl, minute(0)).await.expect("asked").expect("free");
    store.append(vec![act_record("held")], Some(&lease)).await.expect("appended");
    store.try_lease("dw", "b", ttl, minute(5)).await.expect("asked").expect("run out");
    let late = store.append(vec![act_record("late")], Some(&lease)).await;
    assert!(matches!(late, Err(StoreError::LeaseLost(target)) if target == "dw"));
    assert_eq!(journal(store).await.len(), 1);
}
