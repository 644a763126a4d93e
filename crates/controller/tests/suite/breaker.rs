//! The circuit breaker: a target that fails is asked seldom, and comes back by itself; who leaves does not wait for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axon_controller::{Controller, Settings, Standing, State};
use axon_model::Clock;
use axon_reconcile::{Connect, Refusal, RefusalKind, StepKind};
use axon_store::{DirectoryStore as _, StateStore as _, Store};

use crate::stage::{Mischief, Stage, beside, until};

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
