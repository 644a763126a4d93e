//! Where the catalog is shown in part, nobody is out and nothing is gone by not being shown.

use axon_audit::RecordKind;
use axon_audit::payload::{DriftClear, DriftSeen, LeaverEnd, LeaverTime};
use axon_controller::State;
use axon_model::{RecordSeq, UserId};
use axon_reconcile::{Connect, Membership, Refusal, RefusalKind, StepKind};
use axon_store::{JournalStore as _, LeaverStore as _, StateStore as _};
use serde_json::json;
use time::Duration;

use crate::stage::{HIDES, MAP, Mischief, Stage, name};

const KILL: &str = "kill the sessions of kim";

/// Kim and Ana are in.
async fn joined(map: &str) -> (Stage, UserId) {
    let mut stage = Stage::set_with(map).await;
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    stage.readers(&[kim, ana]).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    (stage, kim)
}

async fn leaves(stage: &Stage, who: UserId) {
    let inactive = json!([{ "op": "Replace", "path": "active", "value": false }]);
    stage.patch_person(who, "entra", inactive).await;
}

/// A full look.
async fn look(stage: &mut Stage) -> axon_controller::Summary {
    stage.clock.advance(Duration::minutes(6));
    stage.settle().await
}

/// What the journal says of clocks.
async fn times(stage: &Stage) -> Vec<LeaverTime> {
    let all = stage.store.records_of(RecordKind::LeaverClock, RecordSeq(1), 1_000).await.unwrap();
    all.into_iter().map(|entry| entry.record.facts_of::<LeaverTime>().unwrap()).collect()
}

/// What Kim's clock waits for, which is the only one that runs.
async fn why(stage: &Stage) -> String {
    let mut open = stage.store.leavers("warehouse").await.unwrap().open;
    assert_eq!(open.keys().copied().collect::<Vec<_>>(), [name("kim")]);
    open.pop_first().unwrap().1.why.unwrap_or_default()
}

/// Who the store knows to be leaving.
async fn kept(stage: &Stage) -> serde_json::Value {
    stage.store.summary("warehouse#leaving").await.unwrap().map_or(json!([]), |(names, _)| names)
}

/// Kind, whether it is there, and what, of each record of drift.
async fn told(stage: &Stage) -> Vec<(String, bool, String)> {
    let seen = stage.store.records_of(RecordKind::DriftSeen, RecordSeq(1), 1_000).await.unwrap();
    seen.iter()
        .map(|entry| {
            let facts = entry.record.facts_of::<DriftSeen>().unwrap();
            let clear: DriftClear =
                serde_json::from_value(entry.clear.as_ref().unwrap().body.clone()).unwrap();
            (facts.drift, facts.there, clear.what)
        })
        .collect()
}

fn take_from(stage: &Stage, member: &str) {
    let gone = Membership { role: name("axon_reader"), member: name(member) };
    assert!(stage.pool.graph.lock().unwrap().members.remove(&gone));
}

#[tokio::test]
async fn a_leaver_whose_row_is_hidden_is_not_out_while_the_door_may_be_open() {
    let (mut stage, kim) = joined(MAP).await;
    stage.pool.hide(&["kim"]);
    look(&mut stage).await;
    leaves(&stage, kim).await;
    for process in ["two", "three"] {
        look(&mut stage).await;
        assert_eq!(stage.pool.connect("kim"), Connect::Granted, "nothing shuts out who is not seen");
        assert_eq!(times(&stage).await, []);
        assert_eq!(why(&stage).await, format!("not all of the target is seen: {HIDES}"));
        stage.restart(process);
    }
    stage.pool.hide(&[]);
    assert_eq!(look(&mut stage).await.state, State::Converged);
    assert_eq!(stage.pool.connect("kim"), Connect::Denied);
    let times = times(&stage).await;
    assert_eq!((times.len(), times[0].result), (1, LeaverEnd::Out));
    assert!(times[0].shut_out_at.is_some() && !times[0].within, "it tells how long it really took");
    stage.proved().await;
}

#[tokio::test]
async fn a_kill_that_is_owed_stays_owed_while_the_row_is_hidden() {
    let (mut stage, kim) = joined(MAP).await;
    let refusal = Refusal { kind: RefusalKind::Busy, number: 0, message: "still there".to_owned() };
    stage.pool.plot(Mischief::RefuseStep(StepKind::KillSessions, refusal));
    leaves(&stage, kim).await;
    stage.settle().await;
    assert_eq!((stage.pool.connect("kim"), kept(&stage).await), (Connect::Denied, json!(["kim"])));
    stage.pool.hide(&["kim"]);
    for process in ["two", "three"] {
        let summary = look(&mut stage).await;
        assert!(summary.waiting.iter().any(|waiting| waiting.what == KILL), "{summary:?}");
        assert_eq!((kept(&stage).await, times(&stage).await), (json!(["kim"]), vec![]));
        stage.restart(process);
    }
    // The session can be ended whatever the catalog shows; whether the door is shut is not known by that.
    stage.pool.forgive();
    look(&mut stage).await;
    assert_eq!((stage.pool.did(KILL), kept(&stage).await), (1, json!([])));
    assert_eq!(why(&stage).await, format!("not all of the target is seen: {HIDES}"));
    stage.pool.hide(&[]);
    assert_eq!(look(&mut stage).await.state, State::Converged);
    assert_eq!((times(&stage).await.len(), stage.pool.did(KILL)), (1, 1));
    stage.proved().await;
}

#[tokio::test]
async fn what_is_hidden_is_not_told_as_removed_and_what_was_removed_meanwhile_is_told_afterwards() {
    let (mut stage, _) = joined(MAP).await;
    stage.pool.hide(&["kim", "ana"]);
    look(&mut stage).await;
    take_from(&stage, "kim");
    look(&mut stage).await;
    let map = stage.map.clone();
    assert!(stage.ticker.preview(&map).await.unwrap().drift.is_empty());
    assert_eq!(told(&stage).await, []);
    stage.restart("two");
    stage.pool.hide(&[]);
    look(&mut stage).await;
    look(&mut stage).await;
    let removed = |there| ("removed".to_owned(), there, "kim is not in role axon_reader any more".to_owned());
    assert_eq!(told(&stage).await, [removed(true), removed(false)], "Ana's was there all the time");
    stage.proved().await;
}

#[tokio::test]
async fn drift_that_was_known_before_is_neither_over_nor_new_when_sight_comes_back() {
    let watched = MAP.replace("mode: authoritative", "mode: observe");
    let (mut stage, _) = joined(MAP).await;
    stage.read(&watched);
    take_from(&stage, "ana");
    {
        let mut graph = stage.pool.graph.lock().unwrap();
        let known = graph.principals[&name("kim")].clone();
        graph.principals.insert(name("mallory"), known);
        graph.members.insert(Membership { role: name("axon_reader"), member: name("mallory") });
    }
    look(&mut stage).await;
    let before = told(&stage).await;
    assert_eq!(before.iter().filter(|(_, there, _)| *there).count(), 2, "{before:?}");
    stage.pool.hide(&["ana", "kim", "mallory"]);
    look(&mut stage).await;
    stage.restart("two");
    look(&mut stage).await;
    assert_eq!(told(&stage).await, before);
    stage.pool.hide(&[]);
    look(&mut stage).await;
    assert_eq!(told(&stage).await, before);
    let drift = stage.ticker.preview(&stage.map.clone()).await.unwrap().drift;
    assert!(drift.len() == 2 && drift.iter().all(|drift| drift.since.is_some()), "{drift:?}");
    // What is over is told once it is seen.
    stage.pool.graph.lock().unwrap().members.retain(|m| m.member != name("mallory"));
    look(&mut stage).await;
    let after = told(&stage).await;
    let over = ("added".to_owned(), false, "mallory is in role axon_reader".to_owned());
    assert_eq!(after[before.len()..], [over]);
    stage.proved().await;
}

#[tokio::test]
async fn what_axon_itself_mends_while_rows_are_hidden_is_over() {
    let (mut stage, _) = joined(MAP).await;
    take_from(&stage, "ana");
    stage.pool.hide(&["kim"]);
    look(&mut stage).await;
    look(&mut stage).await;
    let removed = |there| ("removed".to_owned(), there, "ana is not in role axon_reader any more".to_owned());
    assert_eq!(told(&stage).await, []);
    assert!(stage.pool.in_role("axon_reader", "ana"), "and it is given again all the same");
    stage.pool.hide(&[]);
    take_from(&stage, "ana");
    let down = Mischief::RefuseStep(
        StepKind::AddMember,
        Refusal { kind: RefusalKind::Busy, number: 0, message: "later".to_owned() },
    );
    stage.pool.plot(down);
    stage.clock.advance(Duration::minutes(6));
    let map = stage.map.clone();
    stage.ticker.tick(&map).await;
    assert_eq!(told(&stage).await, [removed(true)]);
    stage.pool.hide(&["kim"]);
    stage.pool.forgive();
    look(&mut stage).await;
    assert!(stage.pool.in_role("axon_reader", "ana"));
    look(&mut stage).await;
    assert_eq!(told(&stage).await, [removed(true), removed(false)]);
}

#[tokio::test]
async fn once_all_is_shown_again_everything_is_as_before() {
    let (mut stage, kim) = joined(MAP).await;
    let before = stage.pool.graph.lock().unwrap().clone();
    stage.pool.hide(&["kim", "ana"]);
    let summary = look(&mut stage).await;
    assert_eq!(summary.state, State::Pending);
    assert!(summary.waiting.iter().any(|waiting| waiting.what == HIDES), "{summary:?}");
    stage.pool.hide(&[]);
    let summary = look(&mut stage).await;
    assert_eq!((summary.state, summary.waiting), (State::Converged, vec![]));
    assert_eq!(*stage.pool.graph.lock().unwrap(), before, "nobody lost or got anything");
    assert_eq!((told(&stage).await, times(&stage).await), (vec![], vec![]));
    // And absence is knowledge again: whose user is dropped by hand and who leaves is out.
    leaves(&stage, kim).await;
    {
        let mut graph = stage.pool.graph.lock().unwrap();
        graph.principals.remove(&name("kim"));
        graph.members.retain(|membership| membership.member != name("kim"));
    }
    look(&mut stage).await;
    let times = times(&stage).await;
    assert_eq!((times.len(), times[0].result), (1, LeaverEnd::Out));
    stage.proved().await;
}
