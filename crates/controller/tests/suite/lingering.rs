//! Sessions that outlived their user.

use axon_controller::State;
use axon_reconcile::{Refusal, RefusalKind, StepKind};
use axon_store::DirectoryStore as _;

use crate::stage::{Mischief, Stage, name};

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
