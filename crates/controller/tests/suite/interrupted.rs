//! A store that stops answering while the controller follows it: what was half taken in is not half forgotten.

use axon_controller::State;
use axon_store::{DirectoryStore as _, HoldStore as _, JournalStore as _};
use serde_json::json;

use crate::stage::Stage;

/// Kim had a role and is deleted; another Kim comes under the name, and nobody looked since.
async fn with_another_kim() -> Stage {
    let mut stage = Stage::set().await;
    let first = stage.user("kim").await;
    let readers = stage.readers(&[first]).await;
    stage.settle().await;
    assert!(stage.pool.in_role("axon_reader", "kim"));
    stage.store.delete_user(stage.context("delete"), first).await.unwrap();
    stage.settle().await;
    let second = stage.user("kim").await;
    stage
        .patch(readers, "join", json!([{ "op": "add", "path": "members", "value": [{ "value": second }] }]))
        .await;
    stage
}

/// The name is held, and the other one has nothing.
async fn is_held(stage: &mut Stage) {
    stage.settle().await;
    assert!(!stage.pool.in_role("axon_reader", "kim"), "another Kim, whom nobody released");
    let holds = stage.store.holds(axon_model::RecordSeq(0)).await.unwrap();
    assert_eq!(holds.len(), 1, "{holds:#?}");
}

#[tokio::test]
async fn a_recycled_name_is_held_also_when_the_journal_cannot_be_read_behind_it() {
    let mut stage = with_another_kim().await;
    // More than is read in one go; then one that cannot be read for a moment.
    stage.fill_journal(2_100).await;
    stage.user("lee").await;
    let last = stage.store.head().await.unwrap().seq.0.cast_signed();
    let breaker = rusqlite::Connection::open(&stage.file).unwrap();
    let body = "SELECT body FROM journal_clear WHERE seq = ?1";
    let kept: String = breaker.query_row(body, [last], |row| row.get(0)).unwrap();
    let write = |text: &str| {
        let sql = "UPDATE journal_clear SET body = ?2 WHERE seq = ?1";
        assert_eq!(breaker.execute(sql, rusqlite::params![last, text]).unwrap(), 1);
    };
    write("cut");
    assert_eq!(stage.ticker.tick(&stage.map).await.summary.state, State::StoreFailed);
    write(&kept);
    is_held(&mut stage).await;
}

#[tokio::test]
async fn a_recycled_name_is_held_also_when_requests_cannot_be_read_behind_it() {
    let mut stage = with_another_kim().await;
    // Names are read before requests: what they said must not be lost with what follows.
    let breaker = rusqlite::Connection::open(&stage.file).unwrap();
    breaker.execute_batch("ALTER TABLE access_requests RENAME TO away").unwrap();
    assert_eq!(stage.ticker.tick(&stage.map).await.summary.state, State::StoreFailed);
    breaker.execute_batch("ALTER TABLE away RENAME TO access_requests").unwrap();
    is_held(&mut stage).await;
}
