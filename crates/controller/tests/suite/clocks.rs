//! From the push to the last session gone: each leaver has one clock, whatever happened between.

use std::collections::BTreeMap;
use std::sync::Arc;

use axon_audit::RecordKind;
use axon_audit::payload::{LeaverEnd, LeaverEvent, LeaverTime, LeftBy};
use axon_controller::{State, Ticker};
use axon_mapping::TargetName;
use axon_model::{Clock as _, UserId};
use axon_reconcile::{Connect, Principal, PrincipalKind, Refusal, RefusalKind, StepKind, Target};
use axon_scim::{PatchRequest, Profile, Registry, ResourceKind};
use axon_store::{
    AccessStore as _, DirectoryStore as _, HoldEnd, HoldStore as _, JournalStore as _, LeaverStore as _,
};
use serde_json::json;
use time::Duration;

use crate::full_disk::Disk;
use crate::stage::{FakePool, MAP, Mischief, Stage, beside_a_lake, name};

const OBJECTIVE: Duration = Duration::minutes(5);

/// What the journal says of clocks.
pub async fn times(stage: &Stage) -> Vec<(String, LeaverTime)> {
    let all = stage.store.records_of(RecordKind::LeaverClock, axon_model::RecordSeq(1), 1_000).await.unwrap();
    let read = |entry: axon_store::JournalEntry| {
        let clear = entry.clear.unwrap().body_of::<LeaverTime>().unwrap();
        (clear.principal, entry.record.facts_of::<LeaverTime>().unwrap())
    };
    all.into_iter().map(read).collect()
}

/// The only one.
async fn only(stage: &Stage) -> LeaverTime {
    let mut all = times(stage).await;
    assert_eq!(all.len(), 1, "{all:#?}");
    assert!(stage.store.leavers("warehouse").await.unwrap().open.is_empty());
    stage.proved().await;
    all.remove(0).1
}

/// Whose clock runs, and for what.
pub async fn open(stage: &Stage) -> Vec<(String, Option<String>)> {
    let kept = stage.store.leavers("warehouse").await.unwrap();
    kept.open.into_values().map(|leaver| (leaver.name.to_string(), leaver.why)).collect()
}

pub async fn activate(stage: &Stage, user: UserId, active: bool, request: &str) {
    let body = json!({ "Operations": [{ "op": "replace", "path": "active", "value": active }] });
    let (registry, profile) = (Registry::standard(), Profile::entra());
    let patch = PatchRequest::parse(body, &registry, ResourceKind::User, &profile).unwrap();
    stage.store.patch_user(stage.context(request), user, patch).await.unwrap();
}

/// Two ways to leave.
async fn leave(stage: &Stage, user: UserId, way: LeftBy) {
    match way {
        LeftBy::Deactivated => activate(stage, user, false, "deactivate").await,
        LeftBy::Deleted => drop(stage.store.delete_user(stage.context("delete"), user).await.unwrap()),
        LeftBy::Offboarded => {
            let asked = crate::waiting::offboard(user, "kim");
            stage.store.ask_access(asked, stage.by("op")).await.unwrap();
        }
    }
}

async fn joined(people: &[&str], map: &str) -> (Stage, Vec<UserId>) {
    let mut stage = Stage::set_with(map).await;
    let mut ids = Vec::new();
    for who in people {
        ids.push(stage.user(who).await);
    }
    stage.readers(&ids).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    (stage, ids)
}

fn busy() -> Mischief {
    let refusal = Refusal { kind: RefusalKind::Busy, number: 0, message: "still there".to_owned() };
    Mischief::RefuseStep(StepKind::KillSessions, refusal)
}

/// The same of another target.
async fn settle(ticker: &mut Ticker, stage: &Stage) {
    for _ in 0..20 {
        if !ticker.tick(&stage.map).await.again {
            return;
        }
    }
    panic!("it comes to no end");
}

const WAYS: [LeftBy; 3] = [LeftBy::Deactivated, LeftBy::Deleted, LeftBy::Offboarded];

#[tokio::test]
async fn each_way_to_leave_is_timed_once() {
    for way in WAYS {
        let (mut stage, people) = joined(&["kim", "ana"], MAP).await;
        stage.pool.sessions.lock().unwrap().insert(name("kim"));
        let left = stage.clock.now();
        leave(&stage, people[0], way).await;
        stage.clock.advance(Duration::seconds(2));
        stage.settle().await;
        let time = only(&stage).await;
        assert_eq!((time.way, time.result, time.arrived_at), (way, LeaverEnd::Out, left));
        assert_eq!(
            (time.millis, time.within, time.shut_out_at),
            (2_000, true, Some(left + Duration::seconds(2)))
        );
        assert_eq!((time.event, time.event_millis), (LeaverEvent::NotAsked, None));
        assert_eq!(time.objective_millis, 300_000);
        let cause = stage.store.records(time.cause, 1).await.unwrap().remove(0).record;
        let kind =
            if way == LeftBy::Offboarded { RecordKind::AccessRequest } else { RecordKind::DirectoryChange };
        assert_eq!(cause.kind, kind);
        // Neither a later look nor another process times the same leaver anew, nor a deletion of who is out already.
        stage.clock.advance(Duration::minutes(6));
        stage.settle().await;
        stage.restart("two");
        if way != LeftBy::Deleted {
            stage.store.delete_user(stage.context("delete-again"), people[0]).await.unwrap();
        }
        stage.settle().await;
        only(&stage).await;
    }
}

#[tokio::test]
async fn who_never_was_in_and_who_merely_moves_have_no_clock() {
    let mut stage = Stage::set().await;
    let (kim, ana, lee) = (stage.user("kim").await, stage.user("ana").await, stage.user("lee").await);
    let readers = stage.readers(&[kim, ana]).await;
    stage.settle().await;
    stage.store.delete_user(stage.context("delete-lee"), lee).await.unwrap();
    stage.patch(readers, "kim-moves", crate::dangers::leave(&[kim])).await;
    stage.settle().await;
    assert_eq!(stage.pool.connect("kim"), Connect::Denied);
    assert!(times(&stage).await.is_empty() && open(&stage).await.is_empty());
    // Who is out without having left has nothing to lose by the deletion, also where another process looks.
    for restart in [false, true] {
        stage.clock.advance(Duration::seconds(3));
        let who = if restart { ana } else { kim };
        if restart {
            stage.patch(readers, "ana-moves", crate::dangers::leave(&[ana])).await;
            stage.settle().await;
            stage.restart("two");
        }
        stage.store.delete_user(stage.context("delete"), who).await.unwrap();
        stage.settle().await;
        assert!(times(&stage).await.is_empty() && open(&stage).await.is_empty());
    }
}

#[tokio::test]
async fn who_lost_the_last_role_and_has_a_session_is_timed() {
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    let readers = stage.readers(&[kim]).await;
    stage.settle().await;
    stage.pool.sessions.lock().unwrap().insert(name("kim"));
    stage.pool.plot(busy());
    stage.patch(readers, "kim-moves", crate::dangers::leave(&[kim])).await;
    stage.settle().await;
    stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
    stage.settle().await;
    assert_eq!(open(&stage).await.len(), 1);
    stage.pool.forgive();
    stage.clock.advance(Duration::seconds(90));
    stage.settle().await;
    assert_eq!(only(&stage).await.millis, 90_000);
}

#[tokio::test]
async fn whoever_gets_the_name_of_somebody_who_is_out_leaves_on_their_own_account() {
    let mut stage = Stage::set().await;
    let first = stage.user("kim").await;
    let readers = stage.readers(&[first]).await;
    stage.settle().await;
    leave(&stage, first, LeftBy::Deleted).await;
    stage.settle().await;
    only(&stage).await;
    let second = stage.user("kim").await;
    stage.patch(readers, "join", crate::dangers::join(&[second])).await;
    stage.settle().await;
    let hold = stage.store.holds(axon_model::RecordSeq(0)).await.unwrap().remove(0);
    let act = stage.context("release").act;
    stage.store.answer_hold(hold.id, HoldEnd::Release, "somebody else".to_owned(), act).await.unwrap();
    stage.settle().await;
    assert_eq!(stage.pool.connect("kim"), Connect::Granted);
    stage.pool.sessions.lock().unwrap().insert(name("kim"));
    stage.pool.plot(busy());
    activate(&stage, second, false, "second-leaves").await;
    stage.settle().await;
    assert_eq!(open(&stage).await.len(), 1);
    stage.pool.forgive();
    stage.clock.advance(Duration::seconds(90));
    stage.settle().await;
    let ways: Vec<(LeftBy, u64)> = times(&stage).await.into_iter().map(|(_, t)| (t.way, t.millis)).collect();
    assert_eq!(ways, [(LeftBy::Deleted, 0), (LeftBy::Deactivated, 90_000)]);
}

#[tokio::test]
async fn whoever_was_renamed_before_is_one_leaver() {
    let (mut stage, people) = joined(&["kim"], MAP).await;
    let rename = json!([{ "op": "replace", "path": "userName", "value": "kim2" }]);
    stage.patch_person(people[0], "entra", rename).await;
    stage.settle().await;
    assert_eq!((stage.pool.connect("kim"), stage.pool.connect("kim2")), (Connect::Denied, Connect::Granted));
    leave(&stage, people[0], LeftBy::Deactivated).await;
    stage.settle().await;
    let all = times(&stage).await;
    assert!(all.len() == 1 && all[0].0 == "kim2", "{all:#?}");
}

#[tokio::test]
async fn of_two_records_of_one_person_the_first_that_is_deleted_is_no_leaver() {
    let mut stage = Stage::set().await;
    let everybody: &[&str] = &["*"];
    stage.claim(&[("entra", everybody, Some("nickName")), ("okta", everybody, Some("nickName"))]);
    let body = json!({ "userName": "kim", "nickName": "7" });
    let (in_entra, in_okta) = (stage.person("entra", body.clone()).await, stage.person("okta", body).await);
    stage.readers(&[in_entra]).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    stage.clock.advance(Duration::minutes(6));
    stage.pool.plot(Mischief::Away);
    stage.store.delete_user(stage.context_of("okta", "delete"), in_okta).await.unwrap();
    stage.ticker.tick(&stage.map.clone()).await;
    assert!(open(&stage).await.is_empty(), "kim goes on");
    stage.pool.forgive();
    stage.settle().await;
    assert_eq!(stage.pool.connect("kim"), Connect::Granted);
    assert!(times(&stage).await.is_empty());
    leave(&stage, in_entra, LeftBy::Deleted).await;
    stage.settle().await;
    assert_eq!(only(&stage).await.result, LeaverEnd::Out);
}

#[tokio::test]
async fn who_waits_to_be_shut_out_when_clocks_are_kept_for_the_first_time_has_one() {
    let people = ["kim", "ana", "bob", "cy", "dan", "eve", "fay"];
    let guarded = format!("{MAP}guards: {{ leavers: {{ window: 1h, most: 10%, floor: 1 }} }}\n");
    let (mut stage, ids) = joined(&people, &guarded).await;
    for (n, id) in ids.iter().enumerate().take(4) {
        leave(&stage, *id, if n < 2 { LeftBy::Deactivated } else { LeftBy::Deleted }).await;
    }
    assert_eq!(stage.settle().await.state, State::Pending);
    // The version before this one kept no clocks.
    let before = rusqlite::Connection::open(&stage.file).unwrap();
    before.execute_batch("DELETE FROM leavers; DELETE FROM leaver_clocks;").unwrap();
    stage.restart("two");
    stage.settle().await;
    assert_eq!(open(&stage).await.len(), 4);
    stage.clock.advance(Duration::minutes(10));
    let hold = stage.store.holds(axon_model::RecordSeq(0)).await.unwrap().remove(0);
    four_are_released_and_late(&mut stage, hold.id).await;
}

#[tokio::test]
async fn a_session_that_does_not_end_keeps_the_clock_running() {
    let (mut stage, people) = joined(&["kim"], MAP).await;
    stage.pool.sessions.lock().unwrap().insert(name("kim"));
    stage.pool.plot(busy());
    let left = stage.clock.now();
    leave(&stage, people[0], LeftBy::Deactivated).await;
    stage.settle().await;
    let running = open(&stage).await;
    assert!(running.len() == 1 && running[0].1.as_ref().unwrap().contains("still there"), "{running:?}");
    stage.clock.advance(OBJECTIVE);
    stage.pool.forgive();
    stage.clock.advance(Duration::seconds(1));
    stage.settle().await;
    let time = only(&stage).await;
    assert_eq!((time.shut_out_at, time.millis, time.within), (Some(left), 301_000, false));
}

#[tokio::test]
async fn a_target_that_is_away_keeps_it_running_and_a_restart_loses_nobody() {
    for way in WAYS {
        for restart in [false, true] {
            let (mut stage, people) = joined(&["kim"], MAP).await;
            stage.pool.sessions.lock().unwrap().insert(name("kim"));
            stage.clock.advance(Duration::minutes(6));
            stage.pool.plot(Mischief::Away);
            leave(&stage, people[0], way).await;
            if restart {
                // Before anybody planned anything.
                stage.restart("two");
            }
            for _ in 0..10 {
                let summary = stage.ticker.tick(&stage.map.clone()).await.summary;
                assert_eq!(summary.state, State::Unreachable);
                assert_eq!(
                    open(&stage).await,
                    [("kim".to_owned(), Some("the target is not reached".to_owned()))]
                );
                stage.clock.advance(Duration::minutes(1));
            }
            if restart {
                stage.restart("three");
            }
            assert!(times(&stage).await.is_empty());
            stage.pool.forgive();
            stage.settle().await;
            let time = only(&stage).await;
            assert_eq!((time.way, time.millis, time.within), (way, 600_000, false));
        }
    }
}

#[tokio::test]
async fn a_process_that_dies_between_the_door_and_the_session_is_followed_by_one_that_ends_the_clock() {
    for way in WAYS {
        let (mut stage, people) = joined(&["kim"], MAP).await;
        stage.pool.sessions.lock().unwrap().insert(name("kim"));
        stage.pool.plot(Mischief::BreakStep(StepKind::KillSessions, name("kim")));
        leave(&stage, people[0], way).await;
        stage.ticker.tick(&stage.map.clone()).await;
        assert_eq!(stage.pool.connect("kim"), Connect::Denied);
        stage.restart("two");
        stage.pool.forgive();
        stage.clock.advance(Duration::seconds(90));
        stage.settle().await;
        assert!(stage.pool.sessions.lock().unwrap().is_empty());
        let time = only(&stage).await;
        assert_eq!((time.way, time.millis, time.within), (way, 90_000, true));
    }
}

#[tokio::test]
async fn a_wave_that_waits_for_a_person_runs_with_the_hold_named_until_it_is_released() {
    let people = ["kim", "ana", "bob", "cy", "dan", "eve", "fay"];
    let guarded = format!("{MAP}guards: {{ leavers: {{ window: 1h, most: 10%, floor: 1 }} }}\n");
    let (mut stage, ids) = joined(&people, &guarded).await;
    for (n, id) in ids.iter().enumerate().take(4) {
        activate(&stage, *id, false, &format!("deactivate-{n}")).await;
    }
    let summary = stage.settle().await;
    assert_eq!(summary.state, State::Pending);
    let hold = stage.store.holds(axon_model::RecordSeq(0)).await.unwrap().remove(0);
    stage.clock.advance(Duration::minutes(10));
    stage.settle().await;
    let running = open(&stage).await;
    let named = format!("(hold {})", hold.id);
    assert_eq!(running.len(), 4);
    assert!(
        running.iter().all(|(_, why)| why.as_ref().is_some_and(|why| why.contains(&named))),
        "{running:?}"
    );
    assert!(times(&stage).await.is_empty());
    four_are_released_and_late(&mut stage, hold.id).await;
}

#[tokio::test]
async fn who_comes_back_before_is_no_leaver_and_may_leave_again() {
    let (mut stage, people) = joined(&["kim"], MAP).await;
    stage.clock.advance(Duration::minutes(6));
    stage.pool.plot(Mischief::Away);
    activate(&stage, people[0], false, "leaves").await;
    stage.ticker.tick(&stage.map.clone()).await;
    stage.clock.advance(Duration::minutes(2));
    activate(&stage, people[0], true, "returns").await;
    stage.pool.forgive();
    stage.settle().await;
    let time = only(&stage).await;
    assert_eq!((time.result, time.millis), (LeaverEnd::Returned, 120_000));
    // And out, back and out again are two times.
    for request in ["one", "two"] {
        activate(&stage, people[0], false, &format!("leaves-{request}")).await;
        stage.settle().await;
        assert_eq!(stage.pool.connect("kim"), Connect::Denied);
        activate(&stage, people[0], true, &format!("returns-{request}")).await;
        stage.settle().await;
        assert_eq!(stage.pool.connect("kim"), Connect::Granted);
    }
    let results: Vec<LeaverEnd> = times(&stage).await.into_iter().map(|(_, time)| time.result).collect();
    assert_eq!(results, [LeaverEnd::Returned, LeaverEnd::Out, LeaverEnd::Out]);
}

#[tokio::test]
async fn each_target_has_its_own_clock() {
    let (mut stage, people) = joined(&["kim"], &beside_a_lake()).await;
    let lake = Arc::new(FakePool::default());
    let controller = Stage::controller(&stage.store, &stage.clock, &stage.ids, "lake", BTreeMap::new());
    let mut other = controller.ticker("lake".parse::<TargetName>().unwrap(), lake.clone() as Arc<dyn Target>);
    settle(&mut other, &stage).await;
    assert_eq!(lake.connect("kim"), Connect::Granted);
    stage.clock.advance(Duration::minutes(6));
    lake.plot(Mischief::Away);
    leave(&stage, people[0], LeftBy::Deactivated).await;
    stage.settle().await;
    other.tick(&stage.map).await;
    assert_eq!(only(&stage).await.target, "warehouse");
    assert_eq!(stage.store.leavers("lake").await.unwrap().open.len(), 1);
    stage.clock.advance(Duration::minutes(3));
    lake.forgive();
    settle(&mut other, &stage).await;
    let all: Vec<(String, u64)> =
        times(&stage).await.into_iter().map(|(_, t)| (t.target, t.millis)).collect();
    assert_eq!(all, [("warehouse".to_owned(), 0), ("lake".to_owned(), 180_000)]);
}

#[tokio::test]
async fn of_two_replicas_one_ends_a_clock_whoever_looks_first() {
    for together in [false, true] {
        let (mut stage, people) = joined(&["kim", "ana"], MAP).await;
        let mut other = Stage::ticker(&stage.store, &stage.clock, &stage.ids, &stage.pool, "two");
        other.tick(&stage.map).await;
        leave(&stage, people[0], LeftBy::Deactivated).await;
        for _ in 0..6 {
            let map = stage.map.clone();
            if together {
                tokio::join!(stage.ticker.tick(&map), other.tick(&map));
            } else {
                other.tick(&map).await;
                stage.ticker.tick(&map).await;
            }
            stage.clock.advance(Duration::seconds(11));
        }
        only(&stage).await;
        // The one that did not end it times the next leaver as well.
        leave(&stage, people[1], LeftBy::Deleted).await;
        stage.clock.advance(Duration::seconds(11));
        for _ in 0..4 {
            other.tick(&stage.map).await;
        }
        stage.settle().await;
        assert_eq!(times(&stage).await.len(), 2);
    }
}

#[tokio::test]
async fn while_the_store_takes_nothing_the_clock_stops_at_the_end_and_is_on_record_later() {
    for restart in [false, true] {
        let (mut stage, people) = joined(&["kim"], MAP).await;
        leave(&stage, people[0], LeftBy::Deleted).await;
        let disk = Disk::under(&stage);
        disk.fill();
        stage.clock.advance(Duration::seconds(5));
        stage.ticker.tick(&stage.map.clone()).await;
        assert_eq!(stage.pool.connect("kim"), Connect::Denied);
        assert!(times(&stage).await.is_empty());
        stage.clock.advance(Duration::seconds(55));
        disk.empty();
        if restart {
            stage.restart("two");
        }
        stage.settle().await;
        let expected = if restart { 60_000 } else { 5_000 };
        assert_eq!(only(&stage).await.millis, expected, "what another process sees later is as late as that");
    }
}

#[tokio::test]
async fn whom_axon_never_gave_anything_is_timed_from_the_decision_on() {
    let (mut stage, _) = joined(&["ana"], MAP).await;
    let denied =
        Principal { kind: PrincipalKind::External, sid: None, connect: Connect::Granted, created: None };
    let kim = stage.user("kim").await;
    stage.settle().await;
    stage.pool.graph.lock().unwrap().principals.insert(name("kim"), denied);
    stage.clock.advance(Duration::minutes(6));
    leave(&stage, kim, LeftBy::Deactivated).await;
    stage.settle().await;
    assert_eq!(stage.pool.connect("kim"), Connect::Denied);
    assert_eq!(only(&stage).await.way, LeftBy::Deactivated);
}

#[tokio::test]
async fn where_nothing_is_taken_away_nobody_is_late() {
    let observed = MAP.replace("mode: authoritative", "mode: observe");
    for way in WAYS {
        // Lee stays: an emptied source is held.
        let (mut stage, people) = joined(&["kim", "ana", "lee"], MAP).await;
        stage.read(&observed);
        leave(&stage, people[0], way).await;
        leave(&stage, people[1], LeftBy::Deleted).await;
        stage.settle().await;
        assert_eq!(open(&stage).await.len(), 2, "since when is known to the store");
        // Somebody else shuts ana out: that is none of Axon's times.
        stage.pool.graph.lock().unwrap().principals.get_mut(&name("ana")).unwrap().connect = Connect::Denied;
        stage.clock.advance(Duration::minutes(30));
        stage.restart("two");
        stage.settle().await;
        assert_eq!(open(&stage).await.len(), 1);
        assert!(times(&stage).await.is_empty());
        stage.read(MAP);
        stage.settle().await;
        let time = only(&stage).await;
        assert_eq!(
            (time.way, time.millis, time.within),
            (way, 1_800_000, false),
            "who had access all the while is no quick leaver"
        );
    }
}

#[tokio::test]
async fn who_leaves_while_a_statement_hangs_is_timed_all_the_same() {
    let (stage, people) = joined(&["kim", "ana", "lee"], MAP).await;
    let (goes_on, hangs) = tokio::sync::oneshot::channel::<()>();
    stage.pool.meanwhile(0, async move { drop(hangs.await) });
    leave(&stage, people[0], LeftBy::Deactivated).await;
    let controller = Stage::controller(&stage.store, &stage.clock, &stage.ids, "loop", BTreeMap::new());
    let story = async {
        // What was decided is about kim alone, and its first wave hangs: ana's leaving is read beside it.
        until_so(&stage, async || open(&stage).await.iter().any(|(who, _)| who == "kim")).await;
        leave(&stage, people[1], LeftBy::Deleted).await;
        until_so(&stage, async || open(&stage).await.iter().any(|(who, _)| who == "ana")).await;
        assert!(times(&stage).await.is_empty(), "nothing has ended");
        goes_on.send(()).unwrap();
        until_so(&stage, async || times(&stage).await.len() == 2).await;
    };
    crate::stage::beside(&stage, &controller, story).await;
    let all = times(&stage).await;
    assert!(all.iter().all(|(_, time)| time.result == LeaverEnd::Out && time.millis > 0), "{all:#?}");
    stage.proved().await;
}

/// A wave of four that waited for ten minutes is released: it is out, and late.
async fn four_are_released_and_late(stage: &mut Stage, hold: axon_model::HoldId) {
    let act = stage.context("release").act;
    stage.store.answer_hold(hold, HoldEnd::Release, "they left".to_owned(), act).await.unwrap();
    stage.settle().await;
    let all = times(stage).await;
    assert_eq!(all.len(), 4);
    assert!(all.iter().all(|(_, time)| time.millis == 600_000 && !time.within), "{all:#?}");
    stage.proved().await;
}

/// Looks again and again, while time goes on; whoever asks sets the deadline.
async fn until_so(stage: &Stage, is: impl AsyncFn() -> bool) {
    while !is().await {
        stage.clock.advance(Duration::milliseconds(50));
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// A full look is due.
async fn look(stage: &mut Stage) -> Vec<String> {
    stage.clock.advance(Duration::minutes(6));
    stage.settle().await;
    let kept = stage.store.leavers("warehouse").await.unwrap();
    assert!(kept.open.is_empty(), "{kept:?}");
    kept.out.into_iter().map(|name| name.to_string()).collect()
}

#[tokio::test]
async fn who_is_out_is_known_until_neither_the_target_nor_the_directory_has_them() {
    let drop_by_hand = |stage: &Stage, who: &str| {
        let mut graph = stage.pool.graph.lock().unwrap();
        graph.principals.remove(&name(who));
        graph.members.retain(|membership| membership.member != name(who));
    };
    let (mut stage, people) = joined(&["kim", "ana", "lee", "bob"], MAP).await;
    activate(&stage, people[0], false, "kim").await;
    activate(&stage, people[1], false, "ana").await;
    leave(&stage, people[2], LeftBy::Deleted).await;
    assert_eq!(look(&mut stage).await, ["ana", "kim", "lee"]);
    assert_eq!(times(&stage).await.len(), 3);
    drop_by_hand(&stage, "kim");
    assert_eq!(look(&mut stage).await, ["ana", "kim", "lee"], "kim may be deleted, and lee has a user");
    stage.store.delete_user(stage.context("delete-kim"), people[0]).await.unwrap();
    assert_eq!(look(&mut stage).await, ["ana", "lee"]);
    for process in ["two", "three"] {
        drop_by_hand(&stage, "lee");
        assert_eq!(look(&mut stage).await, ["ana"], "{process}");
        stage.restart(process);
    }
    assert_eq!(times(&stage).await.len(), 3, "nobody left twice");
    stage.proved().await;
}
