//! Whoever leaves loses all of it, whoever gave it, and no session is left, whatever happened between.

use std::sync::atomic::Ordering;

use axon_controller::State;
use axon_reconcile::{
    Connect, Grant, GrantKey, GrantState, Membership, Permission, Principal, PrincipalKind, Refusal,
    RefusalKind, Role, Securable, StepKind,
};
use axon_store::{DirectoryStore as _, HoldStore as _, StateStore as _};

use crate::full_disk::Disk;
use crate::stage::{MAP, Mischief, Stage, name};

const KILL: &str = "kill the sessions of kim";

/// Somebody gives this person a permission and a place in a role of Axon's by hand.
fn given_by_hand(stage: &Stage, who: &str) {
    let mut graph = stage.pool.graph.lock().unwrap();
    let on = Securable::Schema(name("sales"));
    let key = GrantKey { grantee: name(who), securable: on, permission: Permission::Insert };
    graph.grants.insert(key, Grant::wanted(GrantState::Grant));
    graph.roles.entry(name("axon_other")).or_insert(Role { fixed: false, owner: None });
    graph.members.insert(Membership { role: name("axon_other"), member: name(who) });
}

fn holds_nothing(stage: &Stage, who: &str) -> bool {
    let graph = stage.pool.graph.lock().unwrap();
    graph.grants_of(name(who)).next().is_none() && graph.roles_of(name(who)).next().is_none()
}

async fn joined(people: &[&str], map: &str) -> (Stage, Vec<axon_model::UserId>) {
    let mut stage = Stage::set_with(map).await;
    let mut ids = Vec::new();
    for who in people {
        ids.push(stage.user(who).await);
    }
    stage.readers(&ids).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    (stage, ids)
}

#[tokio::test]
async fn what_somebody_gave_a_leaver_by_hand_since_the_last_look_goes_at_once() {
    let (mut stage, people) = joined(&["kim", "ana"], MAP).await;
    let looks = stage.pool.looks.load(Ordering::SeqCst);
    given_by_hand(&stage, "ana");
    stage.store.delete_user(stage.context("delete-kim"), people[0]).await.unwrap();
    // While the session is ended, as late as that.
    let pool = stage.pool.clone();
    stage.pool.meanwhile(0, async move {
        let mut graph = pool.graph.lock().unwrap();
        let on = Securable::Database;
        let key = GrantKey { grantee: name("kim"), securable: on, permission: Permission::ViewDatabaseState };
        graph.grants.insert(key, Grant::wanted(GrantState::Grant));
    });
    let summary = stage.settle().await;
    assert_eq!(stage.pool.connect("kim"), Connect::Denied);
    assert!(holds_nothing(&stage, "kim"), "{:?}", stage.pool.applied.lock().unwrap());
    assert!(!holds_nothing(&stage, "ana"), "of others the next full look tells");
    assert_eq!(summary.state, State::Converged, "{summary:?}");
    assert_eq!(stage.pool.looks.load(Ordering::SeqCst), looks, "the target was not read whole for it");
    assert!(stage.store.holds(axon_model::RecordSeq(0)).await.unwrap().is_empty(), "nothing waits");
    stage.proved().await;
}

#[tokio::test]
async fn a_leaver_who_holds_nothing_else_costs_no_look_at_all_of_it() {
    let (mut stage, people) = joined(&["kim"], MAP).await;
    let count = |of: &std::sync::atomic::AtomicUsize| of.load(Ordering::SeqCst);
    let before = (count(&stage.pool.looks), count(&stage.pool.compared));
    // Nothing was read since kim was made: what is known of kim has no date.
    stage.store.delete_user(stage.context("delete-kim"), people[0]).await.unwrap();
    stage.settle().await;
    assert_eq!(stage.pool.connect("kim"), Connect::Denied);
    assert_eq!((count(&stage.pool.looks), count(&stage.pool.compared)), before);
}

#[tokio::test]
async fn a_role_that_nobody_knew_of_and_a_read_that_fails_end_in_a_look_at_all_of_it() {
    let (mut stage, people) = joined(&["kim", "ana"], MAP).await;
    given_by_hand(&stage, "kim");
    stage.store.delete_user(stage.context("delete-kim"), people[0]).await.unwrap();
    stage.settle().await;
    assert!(holds_nothing(&stage, "kim"), "{:?}", stage.pool.applied.lock().unwrap());
    // The line is cut between the end of ana's sessions and the look at what is left.
    let pool = stage.pool.clone();
    stage.pool.meanwhile(0, async move { pool.plot(Mischief::Down) });
    given_by_hand(&stage, "ana");
    stage.store.delete_user(stage.context("delete-ana"), people[1]).await.unwrap();
    stage.settle().await;
    assert!(holds_nothing(&stage, "ana"), "{:?}", stage.pool.applied.lock().unwrap());
    stage.proved().await;
}

#[tokio::test]
async fn a_role_that_axon_does_not_manage_keeps_a_leaver_by_name() {
    let (mut stage, people) = joined(&["kim"], MAP).await;
    {
        let mut graph = stage.pool.graph.lock().unwrap();
        graph.roles.insert(name("db_datareader"), Role { fixed: true, owner: None });
        graph.members.insert(Membership { role: name("db_datareader"), member: name("kim") });
    }
    stage.store.delete_user(stage.context("delete-kim"), people[0]).await.unwrap();
    let summary = stage.settle().await;
    assert!(stage.pool.in_role("db_datareader", "kim"), "nothing outside of the fence is changed");
    let told = "kim is shut out and still in db_datareader, which is not managed: remove them there by hand";
    assert!(summary.waiting.iter().any(|waiting| waiting.what == told), "{summary:?}");
    let gone = Membership { role: name("db_datareader"), member: name("kim") };
    stage.pool.graph.lock().unwrap().members.remove(&gone);
    stage.clock.advance(time::Duration::minutes(6));
    assert_eq!(stage.settle().await.state, State::Converged);
}

#[tokio::test]
async fn a_process_that_dies_before_the_kill_while_the_store_takes_no_word_of_it_is_followed_by_one_that_kills()
 {
    let (mut stage, people) = joined(&["kim"], MAP).await;
    stage.pool.sessions.lock().unwrap().insert(name("kim"));
    stage.store.delete_user(stage.context("delete-kim"), people[0]).await.unwrap();
    let disk = Disk::under(&stage);
    disk.fill();
    stage.pool.plot(Mischief::BreakStep(StepKind::KillSessions, name("kim")));
    stage.ticker.tick(&stage.map.clone()).await;
    assert_eq!((stage.pool.connect("kim"), stage.pool.did(KILL)), (Connect::Denied, 0));
    stage.pool.forgive();
    disk.empty();
    assert!(stage.store.summary("warehouse#leaving").await.unwrap().is_none(), "nobody knows of it");
    stage.restart("two");
    assert_eq!(stage.settle().await.state, State::Converged);
    assert_eq!(stage.pool.did(KILL), 1);
    assert!(stage.pool.sessions.lock().unwrap().is_empty());
    // Nobody is in any more: it is not done again with each look.
    stage.clock.advance(time::Duration::minutes(6));
    stage.settle().await;
    assert_eq!(stage.pool.did(KILL), 1);
    stage.proved().await;
}

#[tokio::test]
async fn whom_somebody_else_shut_out_keeps_the_session_that_is_not_axons_matter() {
    let (mut stage, _) = joined(&["kim"], MAP).await;
    let denied = |kind| Principal { kind, sid: None, connect: Connect::Denied, created: None };
    {
        let mut graph = stage.pool.graph.lock().unwrap();
        graph.principals.insert(name("zoe"), denied(PrincipalKind::External));
        graph.principals.insert(name("loader"), denied(PrincipalKind::Sql));
        stage.pool.sessions.lock().unwrap().extend([name("zoe"), name("loader")]);
    }
    stage.clock.advance(time::Duration::minutes(6));
    assert_eq!(stage.settle().await.state, State::Converged);
    assert_eq!(stage.pool.sessions.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_wave_that_waits_keeps_no_session_of_somebody_who_is_out_already() {
    let people = ["kim", "ana", "bob", "cy", "dan", "eve", "fay"];
    let guarded = format!("{MAP}guards: {{ leavers: {{ window: 1h, most: 10%, floor: 1 }} }}\n");
    let (mut stage, ids) = joined(&people, &guarded).await;
    stage.store.delete_user(stage.context("delete-kim"), ids[0]).await.unwrap();
    stage.settle().await;
    assert_eq!(stage.pool.connect("kim"), Connect::Denied);
    let kills = stage.pool.did(KILL);
    for (n, id) in ids.iter().enumerate().skip(1).take(4) {
        stage.store.delete_user(stage.context(&format!("delete-{n}")), *id).await.unwrap();
    }
    stage.pool.sessions.lock().unwrap().insert(name("kim"));
    stage.restart("two");
    let summary = stage.settle().await;
    assert_eq!(stage.pool.connect("ana"), Connect::Granted, "the wave waits: {summary:?}");
    assert_eq!(stage.pool.did(KILL), kills + 1, "{summary:?}");
}

#[tokio::test]
async fn what_somebody_gives_while_a_session_cannot_be_ended_goes_once_it_is() {
    let (mut stage, people) = joined(&["kim"], MAP).await;
    stage.pool.sessions.lock().unwrap().insert(name("kim"));
    let busy = Refusal { kind: RefusalKind::Busy, number: 0, message: "still there".to_owned() };
    stage.pool.plot(Mischief::RefuseStep(StepKind::KillSessions, busy));
    stage.store.delete_user(stage.context("delete-kim"), people[0]).await.unwrap();
    stage.settle().await;
    assert_eq!((stage.pool.connect("kim"), stage.pool.did(KILL)), (Connect::Denied, 0));
    let looks = stage.pool.looks.load(Ordering::SeqCst);
    {
        let mut graph = stage.pool.graph.lock().unwrap();
        let on = Securable::Schema(name("sales"));
        let key = GrantKey { grantee: name("kim"), securable: on, permission: Permission::Insert };
        graph.grants.insert(key, Grant::wanted(GrantState::Grant));
        graph.members.insert(Membership { role: name("axon_reader"), member: name("kim") });
    }
    stage.pool.forgive();
    stage.clock.advance(time::Duration::minutes(2));
    let summary = stage.settle().await;
    assert_eq!(summary.state, State::Converged, "{summary:?}");
    assert!(stage.pool.did(KILL) > 0 && stage.pool.sessions.lock().unwrap().is_empty());
    assert!(holds_nothing(&stage, "kim"), "{:?}", stage.pool.applied.lock().unwrap());
    assert_eq!(stage.pool.looks.load(Ordering::SeqCst), looks, "the target was not read whole for it");
    stage.proved().await;
}

#[tokio::test]
async fn a_leaver_in_a_role_that_the_map_leaves_to_people_is_not_done() {
    let map = MAP.replace("roles: [\"axon_*\"]", "roles: [\"axon_*\"], except: [axon_kept]");
    let (mut stage, people) = joined(&["kim"], &map).await;
    let kept = Membership { role: name("axon_kept"), member: name("kim") };
    {
        let mut graph = stage.pool.graph.lock().unwrap();
        graph.roles.insert(name("axon_kept"), Role { fixed: false, owner: None });
        graph.members.insert(kept);
    }
    stage.store.delete_user(stage.context("delete-kim"), people[0]).await.unwrap();
    let told = "kim is shut out and still in axon_kept, which is not managed: remove them there by hand";
    for holder in ["two", "three"] {
        let summary = stage.settle().await;
        assert_eq!(summary.state, State::Pending, "{summary:?}");
        assert!(summary.waiting.iter().any(|waiting| waiting.what == told), "{summary:?}");
        assert!(stage.pool.in_role("axon_kept", "kim"), "it is left to people");
        stage.restart(holder);
    }
    stage.pool.graph.lock().unwrap().members.remove(&kept);
    stage.clock.advance(time::Duration::minutes(6));
    assert_eq!(stage.settle().await.state, State::Converged);
}
