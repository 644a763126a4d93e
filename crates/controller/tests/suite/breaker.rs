//! The circuit breaker: a target that fails is asked seldom, and comes back by itself; who leaves does not wait for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axon_controller::{Controller, Settings, Standing, State};
use axon_model::{Clock, UserId};
use axon_reconcile::{Connect, Principal, PrincipalKind, Refusal, RefusalKind, StepKind};
use axon_store::{DirectoryStore as _, StateStore as _, Store};
use serde_json::json;

use crate::stage::{Mischief, Stage, beside, name, until};

fn controller(stage: &Stage, retry: Duration) -> Controller {
    let settings = Settings {
        inspect_every: time::Duration::minutes(5),
        retry,
        holder: "breaker".into(),
        claims: BTreeMap::new(),
        hold_for: None,
        spool: None,
    };
    let (store, clock): (Arc<dyn Store>, Arc<dyn Clock>) = (stage.store.clone(), stage.clock.clone());
    Controller::new(store, clock, stage.ids.clone(), settings)
}

#[tokio::test]
async fn a_breaker_opens_after_failures_in_a_row_and_closes_when_one_tick_reaches_the_target() {
    let stage = Stage::set().await;
    stage.pool.plot(Mischief::Away);
    let controller = controller(&stage, Duration::from_millis(1));
    let breaker = || controller.breakers().get("warehouse").copied();
    beside(&stage, &controller, async {
        until(|| breaker() == Some(Standing::Open)).await;
        let kept = stage.store.summary("warehouse").await.unwrap().unwrap().0;
        assert!(kept["breaker"]["failures"].as_u64().unwrap() >= 3, "{kept}");
        assert!(kept["breaker"]["until"].is_string() && kept["breaker"]["since"].is_string(), "{kept}");
        assert_eq!(kept["state"], "unreachable");
        stage.pool.forgive();
        until(|| controller.states().get("warehouse") == Some(&State::Converged)).await;
        assert_eq!(breaker(), Some(Standing::Closed));
        let kept = stage.store.summary("warehouse").await.unwrap().unwrap().0;
        assert!(kept.get("breaker").is_none(), "{kept}");
    })
    .await;
}

#[tokio::test]
async fn who_leaves_does_not_wait_until_a_failing_target_is_due() {
    let stage = Stage::set().await;
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    // The next try is half a minute away at least, whatever chance says: longer than this test may take.
    let controller = controller(&stage, Duration::from_hours(1));
    let pool = stage.pool.clone();
    beside(&stage, &controller, async {
        until(|| controller.states().get("warehouse") == Some(&State::Converged)).await;
        pool.plot(Mischief::Away);
        stage.clock.advance(time::Duration::minutes(6));
        until(|| controller.states().get("warehouse") == Some(&State::Unreachable)).await;
        pool.forgive();
        stage.clock.advance(time::Duration::seconds(6));
        stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
        until(|| pool.connect("kim") == Connect::Denied).await;
    })
    .await;
}

/// Kim and Max are in, one by Axon and the other by hand, and Lee never was; then the target is away.
async fn away() -> (Stage, [UserId; 3]) {
    let mut stage = Stage::set().await;
    let people = [stage.user("kim").await, stage.user("max").await, stage.user("lee").await];
    stage.readers(&people[..1]).await;
    let by_hand =
        Principal { kind: PrincipalKind::External, sid: None, connect: Connect::Granted, created: None };
    stage.pool.graph.lock().unwrap().principals.insert(name("max"), by_hand);
    // That Max is in waits for a person: the second time that is known.
    stage.settle().await;
    stage.settle().await;
    stage.pool.plot(Mischief::Away);
    stage.clock.advance(time::Duration::minutes(6));
    assert_eq!(stage.ticker.tick(&stage.map).await.summary.state, State::Unreachable);
    assert!(!stage.ticker.somebody_left().await);
    (stage, people)
}

#[tokio::test]
async fn who_leaves_and_never_was_in_a_failing_target_is_no_reason_to_try_it() {
    let leaves = json!([{ "op": "Replace", "path": "active", "value": false }]);
    let (mut stage, [_, _, lee]) = away().await;
    stage.patch_person(lee, "entra", leaves.clone()).await;
    assert!(!stage.ticker.somebody_left().await);
    let new = stage.user("new").await;
    stage.patch_person(new, "entra", leaves.clone()).await;
    stage.store.delete_user(stage.context("delete-lee"), lee).await.unwrap();
    assert!(!stage.ticker.somebody_left().await);
    // It goes on failing, and they go on being nobody's reason.
    stage.ticker.tick(&stage.map).await;
    assert!(!stage.ticker.somebody_left().await);
    for (who, deleted) in [(0, true), (0, false), (1, true), (1, false)] {
        let (mut stage, people) = away().await;
        stage.patch_person(people[2], "entra", leaves.clone()).await;
        assert!(!stage.ticker.somebody_left().await);
        if deleted {
            stage.store.delete_user(stage.context("delete"), people[who]).await.unwrap();
        } else {
            stage.patch_person(people[who], "entra", leaves.clone()).await;
        }
        for _ in 0..3 {
            assert!(stage.ticker.somebody_left().await, "{who} {deleted}");
            stage.ticker.tick(&stage.map).await;
        }
        stage.patch_person(people[2], "entra", leaves.clone()).await;
        assert!(stage.ticker.somebody_left().await, "as long as they may be in");
    }
}

#[tokio::test]
async fn where_another_process_worked_on_a_target_that_fails_anybody_who_leaves_may_be_in_it() {
    let (mut stage, [_, _, lee]) = away().await;
    let (now, ten) = (stage.clock.now(), time::Duration::seconds(10));
    let held = stage.store.try_lease("warehouse", "other", ten, now).await.unwrap().unwrap();
    stage.store.release_lease(&held).await.unwrap();
    assert_eq!(stage.ticker.tick(&stage.map).await.summary.state, State::Unreachable);
    let leaves = json!([{ "op": "Replace", "path": "active", "value": false }]);
    stage.patch_person(lee, "entra", leaves).await;
    assert!(stage.ticker.somebody_left().await);
}

#[tokio::test]
async fn a_server_that_throttles_a_statement_is_left_alone_as_long_as_it_asks() {
    let mut stage = Stage::set().await;
    let refusal = Refusal { kind: RefusalKind::Busy, number: 40501, message: "busy".into() };
    stage.pool.plot(Mischief::RefuseStep(StepKind::CreateRole, refusal));
    let tick = stage.ticker.tick(&stage.map.clone()).await;
    assert_eq!(tick.summary.state, State::Busy);
    // What the fake asks for in FakePool::asks_for.
    assert_eq!(tick.next, Some(stage.clock.now() + time::Duration::seconds(77)));
}

#[tokio::test]
async fn where_rows_are_hidden_anybody_who_leaves_may_be_in_a_target_that_fails() {
    let (mut stage, [_, _, lee]) = away().await;
    stage.pool.forgive();
    stage.pool.hide(&["max"]);
    stage.clock.advance(time::Duration::minutes(6));
    stage.settle().await;
    stage.pool.plot(Mischief::Away);
    stage.clock.advance(time::Duration::minutes(6));
    assert_eq!(stage.ticker.tick(&stage.map).await.summary.state, State::Unreachable);
    assert!(!stage.ticker.somebody_left().await);
    let leaves = json!([{ "op": "Replace", "path": "active", "value": false }]);
    stage.patch_person(lee, "entra", leaves).await;
    assert!(stage.ticker.somebody_left().await);
}
