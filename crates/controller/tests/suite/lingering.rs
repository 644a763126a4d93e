//! Sessions that outlived their user.

use axon_controller::State;
use axon_model::Clock as _;
use axon_reconcile::{Connect, Refusal, RefusalKind, StepKind};
use axon_store::{DirectoryStore as _, HoldEnd, HoldStore as _, StateStore as _};
use serde_json::json;

use crate::stage::{MAP, Mischief, Stage, name};

const KILL: &str = "kill the sessions of kim";

fn dropped_by_hand(stage: &Stage) {
    let mut graph = stage.pool.graph.lock().unwrap();
    graph.principals.remove(&name("kim"));
    graph.members.retain(|membership| membership.member != name("kim"));
    stage.pool.sessions.lock().unwrap().insert(name("kim"));
}

#[tokio::test]
async fn who_left_and_whose_user_was_dropped_by_hand_loses_the_open_session() {
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    stage.settle().await;
    dropped_by_hand(&stage);
    stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
    // The DENY CONNECT is refused, since nobody of the name is there: the catalog is read anew.
    stage.settle().await;
    assert_eq!(stage.pool.did(KILL), 1, "{:?}", stage.pool.applied.lock().unwrap());
    assert!(stage.pool.sessions.lock().unwrap().is_empty());
    stage.proved().await;
}

#[tokio::test]
async fn it_is_found_by_the_next_process_too_and_by_the_next_full_look() {
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    stage.settle().await;
    stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
    stage.settle().await;
    let kills = stage.pool.did(KILL);
    // The tombstone goes, and a session comes to light that no row of the catalog tells of.
    dropped_by_hand(&stage);
    stage.restart("two");
    assert_eq!(stage.settle().await.state, State::Converged);
    assert_eq!(stage.pool.did(KILL), kills + 1);
    stage.pool.sessions.lock().unwrap().insert(name("kim"));
    stage.clock.advance(time::Duration::minutes(6));
    stage.settle().await;
    assert_eq!(stage.pool.did(KILL), kills + 2);
}

#[tokio::test]
async fn who_leaves_while_the_dropped_user_could_not_be_made_anew_loses_the_session_at_once() {
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    stage.settle().await;
    dropped_by_hand(&stage);
    // The look sees that the user is gone; it cannot be made, and nobody left yet.
    let refusal = Refusal {
        kind: RefusalKind::DirectoryUnavailable,
        number: 33134,
        message: "the directory cannot be asked".to_owned(),
    };
    stage.pool.plot(Mischief::RefuseStep(StepKind::CreatePrincipal, refusal));
    stage.clock.advance(time::Duration::minutes(6));
    stage.settle().await;
    assert!(stage.pool.sessions.lock().unwrap().contains(&name("kim")), "kim is still wanted");
    stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
    stage.settle().await;
    assert!(stage.pool.sessions.lock().unwrap().is_empty(), "no full look was due, and the session is gone");
    stage.proved().await;
}

#[tokio::test]
async fn whom_axon_never_gave_anything_keeps_the_session_whoever_they_are() {
    let mut stage = Stage::set().await;
    stage.pool.sessions.lock().unwrap().insert(name("admin@acme.com"));
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.pool.sessions.lock().unwrap().contains(&name("admin@acme.com")));
}

/// Kim left with an open session, and this process got as far as shutting kim out: it is cut off before the KILL.
async fn shut_out_and_no_further(stage: &mut Stage) {
    stage.pool.plot(Mischief::BreakStep(StepKind::KillSessions, name("kim")));
    stage.pool.sessions.lock().unwrap().insert(name("kim"));
    stage.ticker.tick(&stage.map).await;
    stage.pool.forgive();
    assert_eq!(stage.pool.connect("kim"), Connect::Denied);
    assert!(stage.pool.sessions.lock().unwrap().contains(&name("kim")));
}

#[tokio::test]
async fn a_replica_that_waited_for_the_lease_of_one_that_died_goes_on_with_its_kill() {
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    stage.settle().await;
    let mut beside = Stage::ticker(&stage.store, &stage.clock, &stage.ids, &stage.pool, "beside");
    assert_eq!(beside.tick(&stage.map).await.summary.state, State::Converged);
    stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
    let now = stage.clock.now();
    let ten = time::Duration::seconds(10);
    let held = stage.store.try_lease("warehouse", "another", ten, now).await.unwrap().unwrap();
    assert_eq!(beside.tick(&stage.map).await.summary.state, State::Elsewhere);
    stage.store.release_lease(&held).await.unwrap();
    shut_out_and_no_further(&mut stage).await;
    stage.ticker = beside;
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.pool.sessions.lock().unwrap().is_empty(), "{:?}", stage.pool.applied.lock().unwrap());
}

#[tokio::test]
async fn who_leaves_again_is_kept_again_though_this_process_still_remembers_the_first_time() {
    let active = |on: bool| json!([{ "op": "Replace", "path": "active", "value": on }]);
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    stage.settle().await;
    stage.patch_person(kim, "entra", active(false)).await;
    shut_out_and_no_further(&mut stage).await;
    // Another process ends the session, and lets kim in again.
    let mut beside = Stage::ticker(&stage.store, &stage.clock, &stage.ids, &stage.pool, "beside");
    while beside.tick(&stage.map).await.again {}
    assert!(stage.pool.sessions.lock().unwrap().is_empty());
    stage.patch_person(kim, "entra", active(true)).await;
    while beside.tick(&stage.map).await.again {}
    assert_eq!(stage.pool.connect("kim"), Connect::Granted);
    // The first one shuts kim out again and dies.
    stage.patch_person(kim, "entra", active(false)).await;
    shut_out_and_no_further(&mut stage).await;
    stage.restart("three");
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.pool.sessions.lock().unwrap().is_empty(), "{:?}", stage.pool.applied.lock().unwrap());
}

#[tokio::test]
async fn a_session_without_a_user_is_ended_whatever_else_waits() {
    // That ana goes waits for a person.
    let mut stage = Stage::set_with(&format!("{MAP}guards: {{ steps: {{ hold: [drop member] }} }}\n")).await;
    let (kim, ana, bob) = (stage.user("kim").await, stage.user("ana").await, stage.user("bob").await);
    let readers = stage.readers(&[kim, ana, bob]).await;
    stage.settle().await;
    let leave = json!([{ "op": "Remove", "path": "members", "value": [{ "value": ana }] }]);
    stage.patch(readers, "ana-goes", leave).await;
    dropped_by_hand(&stage);
    stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
    stage.clock.advance(time::Duration::minutes(6));
    let summary = stage.settle().await;
    assert!(stage.pool.in_role("axon_reader", "ana"), "that waits");
    assert!(stage.pool.sessions.lock().unwrap().is_empty(), "{summary:?}");
}

#[tokio::test]
async fn who_comes_under_a_name_is_made_once_no_session_of_the_one_before_is_left() {
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    let readers = stage.readers(&[kim]).await;
    stage.settle().await;
    dropped_by_hand(&stage);
    let busy = Refusal { kind: RefusalKind::Other, number: 1222, message: "lock".to_owned() };
    stage.pool.plot(Mischief::RefuseStep(StepKind::KillSessions, busy));
    stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
    stage.settle().await;
    let other = stage.user("kim").await;
    let join = json!([{ "op": "Add", "path": "members", "value": [{ "value": other }] }]);
    stage.patch(readers, "other-kim-comes", join).await;
    stage.settle().await;
    for hold in stage.store.holds(axon_model::RecordSeq(0)).await.unwrap() {
        let act = stage.context("release").act;
        stage.store.answer_hold(hold.id, HoldEnd::Release, "seen".to_owned(), act).await.unwrap();
    }
    let summary = stage.settle().await;
    assert!(!stage.pool.graph.lock().unwrap().principals.contains_key(&name("kim")), "{summary:?}");
    assert!(summary.waiting.iter().any(|waiting| waiting.what == KILL), "{summary:?}");
    stage.pool.forgive();
    stage.clock.advance(time::Duration::minutes(6));
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.pool.sessions.lock().unwrap().is_empty());
    assert!(stage.pool.in_role("axon_reader", "kim"), "the other one has what is wanted now");
    stage.proved().await;
}

#[tokio::test]
async fn who_lost_the_lease_does_not_write_over_whom_the_next_holder_shuts_out() {
    let mut stage = Stage::set().await;
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    let readers = stage.readers(&[kim, ana]).await;
    stage.settle().await;
    let bob = stage.user("bob").await;
    let join = json!([{ "op": "Add", "path": "members", "value": [{ "value": bob }] }]);
    stage.patch(readers, "bob-comes", join).await;
    stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
    // While the first wave runs, its lease runs out, and another process begins to shut ana out.
    let (store, clock) = (stage.store.clone(), stage.clock.clone());
    stage.pool.meanwhile(0, async move {
        clock.advance(time::Duration::seconds(11));
        let (now, ten) = (clock.now(), time::Duration::seconds(10));
        store.try_lease("warehouse", "another", ten, now).await.unwrap().unwrap();
        store.save_summary("warehouse#leaving", json!(["ana"]), now).await.unwrap();
    });
    stage.ticker.tick(&stage.map).await;
    assert!(stage.pool.did(KILL) == 1 && !stage.pool.in_role("axon_reader", "bob"), "one wave ran");
    let (kept, _) = stage.store.summary("warehouse#leaving").await.unwrap().unwrap();
    assert_eq!(kept, json!(["ana"]));
}
