//! Sessions of people whose user is gone while somebody else has the name.

use std::sync::atomic::Ordering;

use axon_audit::payload::LeaverEnd;
use axon_controller::State;
use axon_model::{GroupId, UserId};
use axon_reconcile::{Connect, Graph, Principal, PrincipalKind, Refusal, RefusalKind, Sid, StepKind};
use axon_store::{DirectoryStore as _, HoldEnd, HoldStore as _, LeaverStore as _, StateStore as _};
use serde_json::json;

use crate::clocks::{activate, open, times};
use crate::stage::{MAP, Mischief, Stage, name};

fn sid(last: u8) -> Sid {
    Sid::from_bytes(&[&[7_u8; 15][..], &[last]].concat())
}

fn killed(last: u8) -> String {
    format!("kill the sessions of who was kim with sid {}", sid(last))
}

/// A user of kim's name is there for the object with this id.
fn put_there(graph: &mut Graph, last: u8) {
    let (kind, connect) = (PrincipalKind::External, Connect::Granted);
    let principal = Principal { kind, sid: Some(sid(last)), connect, created: None };
    graph.principals.insert(name("kim"), principal);
}

/// Kim reads, the catalog told of kim's id, and kim has a session.
async fn kim_reads() -> (Stage, UserId, GroupId) {
    let mut stage = Stage::set().await;
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    let readers = stage.readers(&[kim, ana]).await;
    stage.settle().await;
    put_there(&mut stage.pool.graph.lock().unwrap(), 1);
    stage.clock.advance(time::Duration::minutes(6));
    assert_eq!(stage.settle().await.state, State::Converged);
    stage.pool.entered.lock().unwrap().insert((name("kim"), sid(1)));
    (stage, kim, readers)
}

async fn kim_is_in() -> (Stage, UserId) {
    let (stage, kim, _) = kim_reads().await;
    (stage, kim)
}

/// Somebody drops kim's user by hand.
fn dropped_by_hand(stage: &Stage) {
    let mut graph = stage.pool.graph.lock().unwrap();
    graph.principals.remove(&name("kim"));
    graph.members.retain(|membership| membership.member != name("kim"));
}

/// And makes one of the name for another object.
fn given_by_hand(stage: &Stage, last: u8) {
    dropped_by_hand(stage);
    put_there(&mut stage.pool.graph.lock().unwrap(), last);
}

fn is_in(stage: &Stage, last: u8) -> bool {
    stage.pool.entered.lock().unwrap().contains(&(name("kim"), sid(last)))
}

async fn leaves(stage: &mut Stage, who: UserId) -> axon_controller::Summary {
    stage.store.delete_user(stage.context("delete-kim"), who).await.unwrap();
    stage.settle().await
}

#[tokio::test]
async fn who_leaves_loses_the_session_though_the_name_was_given_to_another_by_hand() {
    let (mut stage, kim) = kim_is_in().await;
    given_by_hand(&stage, 2);
    stage.clock.advance(time::Duration::minutes(6));
    stage.settle().await;
    assert!(is_in(&stage, 1), "kim is wanted");
    let looks = stage.pool.looks.load(Ordering::SeqCst);
    assert_eq!(leaves(&mut stage, kim).await.state, State::Converged);
    assert!(!is_in(&stage, 1), "{:?}", stage.pool.applied.lock().unwrap());
    assert_eq!(stage.pool.did(&killed(1)), 1);
    assert_eq!(stage.pool.looks.load(Ordering::SeqCst), looks, "the target was not read whole for it");
    stage.proved().await;
}

#[tokio::test]
async fn it_is_found_at_once_where_no_look_saw_the_other_one() {
    let (mut stage, kim) = kim_is_in().await;
    given_by_hand(&stage, 2);
    leaves(&mut stage, kim).await;
    assert!(!is_in(&stage, 1), "{:?}", stage.pool.applied.lock().unwrap());
    assert_eq!(stage.pool.connect("kim"), Connect::Denied, "nor has the other one what kim had");
    stage.proved().await;
}

#[tokio::test]
async fn the_next_process_knows_the_id_too() {
    for seen in [true, false] {
        let (mut stage, kim) = kim_is_in().await;
        given_by_hand(&stage, 2);
        if seen {
            stage.clock.advance(time::Duration::minutes(6));
            stage.settle().await;
        }
        stage.restart("two");
        leaves(&mut stage, kim).await;
        assert!(!is_in(&stage, 1), "{seen}: {:?}", stage.pool.applied.lock().unwrap());
        stage.proved().await;
    }
}

#[tokio::test]
async fn one_replica_ends_the_session_of_whom_the_other_one_saw() {
    let (mut stage, kim) = kim_is_in().await;
    let mut beside = Stage::ticker(&stage.store, &stage.clock, &stage.ids, &stage.pool, "beside");
    given_by_hand(&stage, 2);
    beside.tick(&stage.map).await;
    stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
    for _ in 0..20 {
        if !beside.tick(&stage.map).await.again {
            break;
        }
    }
    assert!(!is_in(&stage, 1), "{:?}", stage.pool.applied.lock().unwrap());
    assert_eq!(stage.settle().await.state, State::Converged, "and the first one has nothing left to do");
    assert_eq!(stage.pool.did(&killed(1)), 1);
    stage.proved().await;
}

#[tokio::test]
async fn a_namesake_whom_a_group_lets_in_is_not_cut_off_look_after_look() {
    let (mut stage, kim) = kim_is_in().await;
    dropped_by_hand(&stage);
    stage.pool.entered.lock().unwrap().insert((name("kim"), sid(3)));
    leaves(&mut stage, kim).await;
    assert!(!is_in(&stage, 1), "{:?}", stage.pool.applied.lock().unwrap());
    for _ in 0..3 {
        stage.clock.advance(time::Duration::minutes(6));
        assert_eq!(stage.settle().await.state, State::Converged);
    }
    assert!(is_in(&stage, 3), "{:?}", stage.pool.applied.lock().unwrap());
    assert_eq!(stage.pool.did("kill the sessions of kim"), 0);
}

#[tokio::test]
async fn who_comes_under_the_name_is_made_beside_the_session_of_the_one_before() {
    let (mut stage, kim, readers) = kim_reads().await;
    dropped_by_hand(&stage);
    let busy = Refusal { kind: RefusalKind::Other, number: 1222, message: "lock".to_owned() };
    stage.pool.plot(Mischief::RefuseStep(StepKind::KillSessions, busy));
    leaves(&mut stage, kim).await;
    let other = stage.user("kim").await;
    let join = json!([{ "op": "Add", "path": "members", "value": [{ "value": other }] }]);
    stage.patch(readers, "other-kim-comes", join).await;
    stage.settle().await;
    for hold in stage.store.holds(axon_model::RecordSeq(0)).await.unwrap() {
        let act = stage.context("release").act;
        stage.store.answer_hold(hold.id, HoldEnd::Release, "seen".to_owned(), act).await.unwrap();
    }
    let summary = stage.settle().await;
    assert!(stage.pool.graph.lock().unwrap().principals.contains_key(&name("kim")), "{summary:?}");
    assert!(is_in(&stage, 1));
    // What waits is told, and done once it can be; the other one's own session is let be.
    assert!(summary.waiting.iter().any(|waiting| waiting.what == killed(1)), "{summary:?}");
    put_there(&mut stage.pool.graph.lock().unwrap(), 4);
    stage.pool.entered.lock().unwrap().insert((name("kim"), sid(4)));
    stage.pool.forgive();
    stage.clock.advance(time::Duration::minutes(6));
    stage.settle().await;
    assert!(!is_in(&stage, 1) && is_in(&stage, 4), "{:?}", stage.pool.applied.lock().unwrap());
    stage.proved().await;
}

#[tokio::test]
async fn who_returns_keeps_the_session_of_the_same_object() {
    let (mut stage, kim) = kim_is_in().await;
    dropped_by_hand(&stage);
    // Kim is wanted: the user is made anew, for whom the directory knows by the name.
    stage.clock.advance(time::Duration::minutes(6));
    assert_eq!(stage.settle().await.state, State::Converged);
    put_there(&mut stage.pool.graph.lock().unwrap(), 1);
    stage.clock.advance(time::Duration::minutes(6));
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(is_in(&stage, 1), "{:?}", stage.pool.applied.lock().unwrap());
    leaves(&mut stage, kim).await;
    assert!(!is_in(&stage, 1));
    assert_eq!((stage.pool.did("kill the sessions of kim"), stage.pool.did(&killed(1))), (1, 0));
}

#[tokio::test]
async fn somebody_else_who_is_in_under_the_name_of_whom_the_door_is_shut_to_is_named() {
    let (mut stage, kim) = kim_is_in().await;
    leaves(&mut stage, kim).await;
    stage.pool.entered.lock().unwrap().insert((name("kim"), sid(3)));
    stage.clock.advance(time::Duration::minutes(6));
    let summary = stage.settle().await;
    assert_eq!(summary.state, State::Converged, "{summary:?}");
    let told = "kim is shut out, and somebody else has a session under that name";
    assert!(summary.notes.iter().any(|note| note.starts_with(told)), "{summary:?}");
    assert!(is_in(&stage, 3), "it is another person");
    stage.pool.entered.lock().unwrap().clear();
    stage.clock.advance(time::Duration::minutes(6));
    assert!(stage.settle().await.notes.is_empty());
}

/// Kim left and nothing of kim is there any more; another kim came, whose user somebody dropped before any look at all of it.
async fn second_kim_was_dropped_unseen() -> (Stage, UserId, GroupId) {
    let (mut stage, kim, readers) = kim_reads().await;
    leaves(&mut stage, kim).await;
    dropped_by_hand(&stage);
    stage.clock.advance(time::Duration::minutes(6));
    assert_eq!(stage.settle().await.state, State::Converged);
    let second = comes_as_kim(&mut stage, readers, "second").await;
    assert!(stage.pool.in_role("axon_reader", "kim"));
    stage.pool.entered.lock().unwrap().insert((name("kim"), sid(2)));
    dropped_by_hand(&stage);
    (stage, second, readers)
}

/// Somebody of that name joins, and a person lets them have it.
async fn comes_as_kim(stage: &mut Stage, readers: GroupId, request: &str) -> UserId {
    let comes = stage.user("kim").await;
    let join = json!([{ "op": "Add", "path": "members", "value": [{ "value": comes }] }]);
    stage.patch(readers, request, join).await;
    stage.settle().await;
    for hold in stage.store.holds(axon_model::RecordSeq(0)).await.unwrap() {
        let act = stage.context("release").act;
        stage.store.answer_hold(hold.id, HoldEnd::Release, "seen".to_owned(), act).await.unwrap();
    }
    stage.settle().await;
    comes
}

/// Kim left, the session cannot be ended, and another kim came.
async fn another_came_while_kim_is_in() -> (Stage, GroupId, UserId) {
    let (mut stage, kim, readers) = kim_reads().await;
    dropped_by_hand(&stage);
    let busy = Refusal { kind: RefusalKind::Other, number: 1222, message: "lock".to_owned() };
    stage.pool.plot(Mischief::RefuseStep(StepKind::KillSessions, busy));
    leaves(&mut stage, kim).await;
    let other = comes_as_kim(&mut stage, readers, "other").await;
    (stage, readers, other)
}

#[tokio::test]
async fn the_clock_of_who_left_goes_on_though_another_one_has_the_name() {
    for restarts in [false, true] {
        let (mut stage, _, other) = another_came_while_kim_is_in().await;
        assert!(is_in(&stage, 1) && stage.pool.in_role("axon_reader", "kim"));
        assert_eq!(times(&stage).await, [], "the first one did not return, and is in");
        put_there(&mut stage.pool.graph.lock().unwrap(), 4);
        // It waits for the session of the first one, in the words of the target, once a look has shown that there is nobody to shut out.
        stage.clock.advance(time::Duration::minutes(6));
        stage.settle().await;
        assert!(is_in(&stage, 1) && times(&stage).await.is_empty());
        let waits = open(&stage).await;
        let [(whose, Some(why))] = waits.as_slice() else { panic!("{waits:?}") };
        assert!(whose == "kim" && why.starts_with(&format!("{}: ", killed(1))), "{why}");
        assert!(why.contains("1222") && why.contains("lock"), "{why}");
        stage.pool.forgive();
        if restarts {
            stage.restart("two");
        }
        stage.clock.advance(time::Duration::minutes(6));
        stage.settle().await;
        assert!(!is_in(&stage, 1));
        // The other one may leave in turn.
        leaves(&mut stage, other).await;
        let ends: Vec<_> =
            times(&stage).await.into_iter().map(|(_, time)| (time.result, time.within)).collect();
        assert_eq!(ends, [(LeaverEnd::Out, false), (LeaverEnd::Out, true)], "{restarts}");
        stage.proved().await;
    }
}

/// One name has one clock at a time: what waits for it is kept, and begins from its own record.
#[tokio::test]
async fn who_came_under_the_name_and_left_again_meanwhile_is_timed_too() {
    for (restarts, is_in_still) in [(false, true), (true, true), (false, false), (true, false)] {
        let (mut stage, _, other) = another_came_while_kim_is_in().await;
        put_there(&mut stage.pool.graph.lock().unwrap(), 4);
        stage.clock.advance(time::Duration::minutes(6));
        stage.settle().await;
        if is_in_still {
            stage.pool.entered.lock().unwrap().insert((name("kim"), sid(4)));
        }
        let left_at = axon_model::Clock::now(&*stage.clock);
        leaves(&mut stage, other).await;
        assert!(is_in(&stage, 1) && is_in(&stage, 4) == is_in_still);
        assert_eq!((open(&stage).await.len(), times(&stage).await.len()), (1, 0));
        if restarts {
            stage.restart("two");
        }
        stage.pool.forgive();
        stage.clock.advance(time::Duration::minutes(6));
        stage.settle().await;
        assert!(!is_in(&stage, 1) && !is_in(&stage, 4), "{:?}", stage.pool.entered.lock().unwrap());
        let all = times(&stage).await;
        let [(_, first), (_, second)] = all.as_slice() else { panic!("{restarts} {is_in_still}: {all:#?}") };
        assert_eq!((first.result, second.result), (LeaverEnd::Out, LeaverEnd::Out));
        assert!(first.cause < second.cause && first.arrived_at < second.arrived_at);
        assert_eq!(second.arrived_at, left_at);
        assert!(second.ended_at >= second.arrived_at && first.ended_at <= second.ended_at);
        // Once, also for the next process.
        assert_eq!(open(&stage).await, []);
        stage.restart("three");
        stage.clock.advance(time::Duration::minutes(6));
        stage.settle().await;
        assert_eq!((open(&stage).await.len(), times(&stage).await.len()), (0, 2));
        stage.proved().await;
    }
}

/// However many come under one name and leave it within one clock: each has their own time, from their own record.
#[tokio::test]
async fn each_of_those_who_left_under_one_name_meanwhile_is_timed() {
    for (restarts, stays) in [(false, false), (true, false), (false, true), (true, true)] {
        let (mut stage, readers, other) = another_came_while_kim_is_in().await;
        put_there(&mut stage.pool.graph.lock().unwrap(), 4);
        stage.clock.advance(time::Duration::minutes(6));
        stage.settle().await;
        // The others can be cut off.
        stage.pool.forgive();
        let busy = Refusal { kind: RefusalKind::Other, number: 1222, message: "lock".to_owned() };
        stage.pool.plot(Mischief::RefuseWords(killed(1), busy));
        let mut left_at = Vec::new();
        let mut who = other;
        for last in 5..7 {
            left_at.push(axon_model::Clock::now(&*stage.clock));
            // Both are one leaving.
            activate(&stage, who, false, &format!("deactivate-{last}")).await;
            stage.settle().await;
            leaves(&mut stage, who).await;
            if restarts {
                stage.restart(&format!("after-{last}"));
            }
            stage.clock.advance(time::Duration::minutes(6));
            stage.settle().await;
            dropped_by_hand(&stage);
            who = comes_as_kim(&mut stage, readers, &format!("comes-{last}")).await;
            put_there(&mut stage.pool.graph.lock().unwrap(), last);
            stage.clock.advance(time::Duration::minutes(6));
            stage.settle().await;
        }
        if !stays {
            left_at.push(axon_model::Clock::now(&*stage.clock));
            leaves(&mut stage, who).await;
        }
        assert!(is_in(&stage, 1), "the first one cannot be cut off");
        let kept = stage.store.leavers("warehouse").await.unwrap();
        assert_eq!((kept.open.len(), kept.next.len()), (1, left_at.len()), "{kept:#?}");
        assert_eq!(times(&stage).await, []);
        if restarts {
            stage.restart("last");
        }
        stage.pool.forgive();
        stage.clock.advance(time::Duration::minutes(6));
        stage.settle().await;
        assert!(!is_in(&stage, 1), "{:?}", stage.pool.entered.lock().unwrap());
        let all = times(&stage).await;
        assert!(all.iter().all(|(_, time)| time.result == LeaverEnd::Out), "{restarts} {stays}: {all:#?}");
        let arrived: Vec<_> = all[1..].iter().map(|(_, time)| time.arrived_at).collect();
        assert_eq!(arrived, left_at, "{restarts} {stays}: {all:#?}");
        // Once, and who has the name now may leave in turn.
        if stays {
            assert!(stage.pool.in_role("axon_reader", "kim"));
            leaves(&mut stage, who).await;
        }
        for process in ["one-more", "another"] {
            stage.restart(process);
            stage.clock.advance(time::Duration::minutes(6));
            stage.settle().await;
        }
        let kept = stage.store.leavers("warehouse").await.unwrap();
        assert_eq!(
            (kept.open.len(), kept.next.len(), times(&stage).await.len()),
            (0, 0, 4),
            "{restarts} {stays}"
        );
        stage.proved().await;
    }
}

#[tokio::test]
async fn the_clock_of_who_left_says_why_it_waits_where_the_target_tells_nobody_s_session() {
    let (mut stage, kim, readers) = kim_reads().await;
    dropped_by_hand(&stage);
    let refusal =
        Refusal { kind: RefusalKind::Forbidden, number: 6004, message: "no VIEW DATABASE STATE".to_owned() };
    *stage.pool.tells_nobody.lock().unwrap() = Some(refusal);
    stage.clock.advance(time::Duration::minutes(6));
    leaves(&mut stage, kim).await;
    comes_as_kim(&mut stage, readers, "other").await;
    put_there(&mut stage.pool.graph.lock().unwrap(), 4);
    stage.clock.advance(time::Duration::minutes(6));
    stage.settle().await;
    assert!(is_in(&stage, 1) && stage.pool.in_role("axon_reader", "kim"));
    let waits = open(&stage).await;
    let [(whose, Some(why))] = waits.as_slice() else { panic!("{waits:?}") };
    assert!(whose == "kim" && why.contains("no VIEW DATABASE STATE"), "{why}");
    // Once it tells, the session is ended and so is the clock.
    *stage.pool.tells_nobody.lock().unwrap() = None;
    stage.clock.advance(time::Duration::minutes(6));
    stage.settle().await;
    assert!(!is_in(&stage, 1), "{:?}", stage.pool.applied.lock().unwrap());
    assert_eq!(open(&stage).await, []);
    let ends: Vec<LeaverEnd> = times(&stage).await.into_iter().map(|(_, time)| time.result).collect();
    assert_eq!(ends, [LeaverEnd::Out]);
    stage.proved().await;
}

/// The record of one source is deleted and another source has one, of the same object of the tenant, before Axon decides again.
#[tokio::test]
async fn who_comes_back_by_another_record_of_the_same_object_has_returned() {
    let object = "01234567-89ab-cdef-0123-456789abcdef";
    let map = MAP.replace("tls: off\n", "tls: off\n    object_id: \"{externalId}\"\n")
        + "  - { groups: { any: [Readers] }, source: okta, roles: [reader] }\n";
    let mut stage = Stage::set_with(&map).await;
    let record = json!({ "userName": "kim", "externalId": object });
    let kim = stage.person("entra", record.clone()).await;
    stage.readers(&[kim]).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    let id = stage.pool.graph.lock().unwrap().principals[&name("kim")].sid.clone();
    assert_eq!(id, Sid::from_object_id(object));
    stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
    let again = stage.person("okta", record).await;
    stage.group_of("okta", "Readers", "r", &[again]).await;
    stage.settle().await;
    assert!(stage.pool.in_role("axon_reader", "kim"));
    assert_eq!(stage.pool.did("deny connect to kim"), 0);
    let ends: Vec<LeaverEnd> = times(&stage).await.into_iter().map(|(_, time)| time.result).collect();
    assert_eq!(ends, [LeaverEnd::Returned]);
    stage.proved().await;
}

#[tokio::test]
async fn who_leaves_before_a_look_saw_the_id_loses_the_session_though_the_name_had_another_before() {
    let (mut stage, second, _) = second_kim_was_dropped_unseen().await;
    leaves(&mut stage, second).await;
    assert!(!is_in(&stage, 2), "{:?}", stage.pool.applied.lock().unwrap());
    assert_eq!(stage.pool.did(&killed(2)), 1);
    stage.proved().await;
}

#[tokio::test]
async fn the_next_process_finds_that_session_too() {
    let (mut stage, second, _) = second_kim_was_dropped_unseen().await;
    stage.restart("two");
    leaves(&mut stage, second).await;
    assert!(!is_in(&stage, 2), "{:?}", stage.pool.applied.lock().unwrap());
    stage.proved().await;
}

#[tokio::test]
async fn the_session_of_the_second_is_ended_although_a_third_one_came_while_it_could_not_be() {
    for at_once in [true, false] {
        let (mut stage, second, readers) = second_kim_was_dropped_unseen().await;
        let busy = Refusal { kind: RefusalKind::Other, number: 1222, message: "lock".to_owned() };
        stage.pool.plot(Mischief::RefuseStep(StepKind::KillSessions, busy));
        stage.store.delete_user(stage.context("delete-kim"), second).await.unwrap();
        if !at_once {
            stage.settle().await;
        }
        comes_as_kim(&mut stage, readers, "third").await;
        assert!(is_in(&stage, 2) && stage.pool.in_role("axon_reader", "kim"), "{at_once}");
        put_there(&mut stage.pool.graph.lock().unwrap(), 3);
        stage.pool.entered.lock().unwrap().insert((name("kim"), sid(3)));
        stage.restart("two");
        stage.pool.forgive();
        stage.clock.advance(time::Duration::minutes(6));
        assert_eq!(stage.settle().await.state, State::Converged);
        assert!(!is_in(&stage, 2), "{at_once}: {:?}", stage.pool.applied.lock().unwrap());
        assert!(is_in(&stage, 3), "{at_once}: it is the third one's own");
        stage.proved().await;
    }
}

#[tokio::test]
async fn a_namesake_known_to_be_another_is_not_cut_off_with_a_session_that_tells_no_id() {
    let (mut stage, kim) = kim_is_in().await;
    dropped_by_hand(&stage);
    stage.pool.entered.lock().unwrap().insert((name("kim"), sid(3)));
    stage.pool.sessions.lock().unwrap().insert(name("kim"));
    leaves(&mut stage, kim).await;
    assert!(!is_in(&stage, 1) && stage.pool.sessions.lock().unwrap().is_empty(), "both are kim's");
    assert_eq!(stage.pool.did("kill the sessions of kim"), 1);
    assert!(is_in(&stage, 3), "{:?}", stage.pool.applied.lock().unwrap());
    stage.proved().await;
}

#[tokio::test]
async fn ids_are_kept_once_and_for_whom_axon_gives_something() {
    let (mut stage, _) = kim_is_in().await;
    let stranger = Principal {
        kind: PrincipalKind::External,
        sid: Some(sid(9)),
        connect: Connect::Granted,
        created: None,
    };
    stage.pool.graph.lock().unwrap().principals.insert(name("zoe"), stranger);
    stage.clock.advance(time::Duration::minutes(6));
    stage.settle().await;
    let kept = stage.store.principal_holders("warehouse#ids").await.unwrap();
    assert_eq!(kept, [(sid(1).to_string().to_lowercase(), "+kim".to_owned())].into());
    // Whom Axon never met keeps the session, whoever has the name.
    stage.pool.graph.lock().unwrap().principals.remove(&name("zoe"));
    stage.pool.entered.lock().unwrap().insert((name("zoe"), sid(9)));
    stage.clock.advance(time::Duration::minutes(6));
    stage.settle().await;
    assert_eq!(stage.pool.entered.lock().unwrap().len(), 2);
    assert!(stage.store.summary("warehouse#leaving").await.unwrap().is_none());
}
