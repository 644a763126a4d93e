//! Where nobody's session is shown, nobody is out by not being seen.

use axon_audit::RecordKind;
use axon_audit::payload::{LeaverEnd, LeaverTime};
use axon_controller::State;
use axon_model::{RecordSeq, UserId};
use axon_reconcile::{Connect, Refusal, RefusalKind, StepKind};
use axon_store::{DirectoryStore as _, JournalStore as _, LeaverStore as _};
use serde_json::json;
use time::Duration;

use crate::stage::{Mischief, Stage, name};

const KILL: &str = "kill the sessions of kim";
const BLIND: &str = "nobody's session is shown";

/// Kim and Ana are in, and Kim has a session.
async fn joined() -> (Stage, UserId) {
    let mut stage = Stage::set().await;
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    stage.readers(&[kim, ana]).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    stage.pool.sessions.lock().unwrap().insert(name("kim"));
    (stage, kim)
}

fn drop_by_hand(stage: &Stage) {
    let mut graph = stage.pool.graph.lock().unwrap();
    graph.principals.remove(&name("kim"));
    graph.members.retain(|membership| membership.member != name("kim"));
}

fn see(stage: &Stage, blind: Option<&str>) {
    *stage.pool.blind.lock().unwrap() = blind.map(ToOwned::to_owned);
}

/// A full look is due.
fn later(stage: &Stage) {
    stage.clock.advance(Duration::minutes(6));
}

/// What the journal says of clocks.
async fn times(stage: &Stage) -> Vec<LeaverTime> {
    let all = stage.store.records_of(RecordKind::LeaverClock, RecordSeq(1), 1_000).await.unwrap();
    all.into_iter().map(|entry| entry.record.facts_of::<LeaverTime>().unwrap()).collect()
}

/// What the only clock waits for that runs.
async fn why(stage: &Stage) -> String {
    let mut open = stage.store.leavers("warehouse").await.unwrap().open;
    assert_eq!(open.len(), 1, "{open:?}");
    open.pop_first().unwrap().1.why.unwrap_or_default()
}

#[tokio::test]
async fn who_has_no_user_is_not_out_by_not_being_seen() {
    for (before_leaving, looked) in [(false, false), (true, false), (true, true)] {
        let (mut stage, kim) = joined().await;
        see(&stage, Some(BLIND));
        later(&stage);
        stage.settle().await;
        if before_leaving {
            drop_by_hand(&stage);
        }
        if looked {
            // It is seen that the user is gone, and nobody can make it anew.
            let refusal =
                Refusal { kind: RefusalKind::DirectoryUnavailable, number: 33134, message: "no".into() };
            stage.pool.plot(Mischief::RefuseStep(StepKind::CreatePrincipal, refusal));
            later(&stage);
            stage.settle().await;
        }
        let leaves = json!([{ "op": "Replace", "path": "active", "value": false }]);
        stage.patch_person(kim, "entra", leaves).await;
        stage.settle().await;
        if !before_leaving {
            assert_eq!(stage.pool.connect("kim"), Connect::Denied);
            drop_by_hand(&stage);
        }
        // Neither a full look nor the next process takes what is not seen for what is not there.
        for process in ["two", "three"] {
            later(&stage);
            let summary = stage.settle().await;
            let why = why(&stage).await;
            assert!(why.starts_with(KILL) && why.contains(BLIND), "{before_leaving} {looked}: {why}");
            if !looked {
                assert_eq!(summary.state, State::Pending, "{summary:?}");
                assert!(summary.waiting.iter().any(|waiting| waiting.what == KILL), "{summary:?}");
            }
            stage.restart(process);
        }
        assert!(times(&stage).await.is_empty() && stage.pool.did(KILL) == 0);
        // The same plan looks as soon as they are seen.
        see(&stage, None);
        later(&stage);
        let summary = stage.settle().await;
        assert_eq!(summary.state, State::Converged, "{summary:?}");
        assert!(stage.pool.sessions.lock().unwrap().is_empty());
        let times = times(&stage).await;
        assert_eq!((times.len(), times[0].result, times[0].within), (1, LeaverEnd::Out, false));
        stage.proved().await;
    }
}

#[tokio::test]
async fn what_was_found_stays_found_when_nobody_is_seen_any_more() {
    let (mut stage, kim) = joined().await;
    drop_by_hand(&stage);
    let refusal = Refusal { kind: RefusalKind::Busy, number: 0, message: "still there".to_owned() };
    stage.pool.plot(Mischief::RefuseStep(StepKind::KillSessions, refusal));
    stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
    let waits = |summary: &axon_controller::Summary| {
        assert!(summary.waiting.iter().any(|waiting| waiting.what == KILL), "{summary:?}");
    };
    waits(&stage.settle().await);
    see(&stage, Some(BLIND));
    stage.pool.forgive();
    later(&stage);
    waits(&stage.settle().await);
    let why = why(&stage).await;
    assert!(why.contains(BLIND), "{why}");
    // No full look is due: it is looked before the plan.
    see(&stage, None);
    let looks = stage.pool.looks.load(std::sync::atomic::Ordering::SeqCst);
    stage.clock.advance(Duration::minutes(2));
    assert_eq!(stage.settle().await.state, State::Converged);
    assert_eq!(stage.pool.looks.load(std::sync::atomic::Ordering::SeqCst), looks);
    assert!(stage.pool.sessions.lock().unwrap().is_empty());
    assert_eq!(times(&stage).await[0].result, LeaverEnd::Out);
    stage.proved().await;
}

#[tokio::test]
async fn why_they_wait_is_said_in_the_same_words_by_each_decision() {
    let (mut stage, kim) = joined().await;
    see(&stage, Some(BLIND));
    stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
    stage.settle().await;
    drop_by_hand(&stage);
    later(&stage);
    stage.settle().await;
    let (mut clocks, mut steps) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
    for process in 0..3 {
        for _ in 0..8 {
            stage.clock.advance(Duration::seconds(25));
            let tick = stage.ticker.tick(&stage.map).await;
            clocks.insert(why(&stage).await);
            steps.extend(tick.summary.waiting.into_iter().map(|waiting| (waiting.what, waiting.why)));
        }
        stage.restart(&format!("next-{process}"));
    }
    assert_eq!(clocks, [format!("{KILL}: {BLIND}")].into());
    assert_eq!(steps.len(), 1, "{steps:?}");
}

#[tokio::test]
async fn who_cannot_be_seen_because_the_look_is_refused_waits_with_the_words_and_what_helps() {
    let refuse = |stage: &Stage, refuses: bool| {
        let words = "VIEW DATABASE STATE permission was denied".to_owned();
        let refusal = Refusal { kind: RefusalKind::Forbidden, number: 262, message: words };
        *stage.pool.tells_nobody.lock().unwrap() = refuses.then_some(refusal);
    };
    for before_leaving in [true, false] {
        let (mut stage, kim) = joined().await;
        let leaves = json!([{ "op": "Replace", "path": "active", "value": false }]);
        refuse(&stage, true);
        if before_leaving {
            drop_by_hand(&stage);
        } else {
            stage.patch_person(kim, "entra", leaves.clone()).await;
            // The process got as far as the door.
            stage.pool.plot(Mischief::BreakStep(StepKind::KillSessions, name("kim")));
            stage.ticker.tick(&stage.map).await;
            stage.pool.forgive();
            drop_by_hand(&stage);
            stage.restart("two");
        }
        if before_leaving {
            stage.patch_person(kim, "entra", leaves).await;
        }
        later(&stage);
        let summary = stage.settle().await;
        let why = why(&stage).await;
        for part in [KILL, "VIEW DATABASE STATE permission was denied", "axon doctor"] {
            assert!(why.contains(part), "{before_leaving}: {why}");
        }
        if !before_leaving {
            assert_eq!(summary.state, State::Pending, "{summary:?}");
            assert!(summary.waiting.iter().any(|waiting| waiting.what == KILL), "{summary:?}");
        }
        assert!(times(&stage).await.is_empty() && stage.pool.did(KILL) == 0, "nothing says that it ended");
        refuse(&stage, false);
        later(&stage);
        assert_eq!(stage.settle().await.state, State::Converged);
        assert!(stage.pool.sessions.lock().unwrap().is_empty());
        assert_eq!(times(&stage).await[0].result, LeaverEnd::Out);
        stage.proved().await;
    }
}
