//! What somebody else did in the target is named: what, whose, since which look; and when it is over.

use axon_audit::RecordKind;
use axon_audit::payload::{DriftClear, DriftSeen};
use axon_controller::{Drift, DriftKind, State};
use axon_model::Clock as _;
use axon_reconcile::{Connect, Membership, Sid};
use serde_json::json;

use crate::dangers::leave;
use crate::stage::{MAP, Stage, name};

const KIM_NEW: &str = "01234567-89ab-cdef-0123-456789abcdef";

/// Kind, whether it is there, and what, of each record.
async fn told(stage: &Stage) -> Vec<(String, bool, String)> {
    let journal = stage.journal().await;
    let seen = journal.iter().filter(|entry| entry.record.kind == RecordKind::DriftSeen);
    seen.map(|entry| {
        let facts = entry.record.facts_of::<DriftSeen>().unwrap();
        let clear: DriftClear = serde_json::from_value(entry.clear.as_ref().unwrap().body.clone()).unwrap();
        (facts.drift, facts.there, clear.what)
    })
    .collect()
}

async fn listed(stage: &mut Stage) -> Vec<Drift> {
    let map = stage.map.clone();
    stage.ticker.preview(&map).await.unwrap().drift
}

fn without(stage: &Stage, member: &str) {
    let gone = Membership { role: name("axon_reader"), member: name(member) };
    assert!(stage.pool.graph.lock().unwrap().members.remove(&gone));
}

#[tokio::test]
async fn what_somebody_took_away_is_named_given_again_and_over() {
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    stage.settle().await;
    without(&stage, "kim");
    let drift = listed(&mut stage).await;
    assert_eq!(drift.len(), 1, "{drift:?}");
    assert_eq!((drift[0].kind, drift[0].since), (DriftKind::Removed, None), "no tick has seen it yet");
    assert_eq!(drift[0].what(), "kim is not in role axon_reader any more");
    assert!(drift[0].withheld.is_empty());

    stage.clock.advance(time::Duration::minutes(6));
    let noticed = stage.clock.now();
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.pool.in_role("axon_reader", "kim"), "what the map gives is given again");
    stage.settle().await;
    let what = "kim is not in role axon_reader any more".to_owned();
    let removed = |there| ("removed".to_owned(), there, what.clone());
    assert_eq!(told(&stage).await, [removed(true), removed(false)]);
    let past = stage.ticker.past_drift().await.unwrap();
    assert_eq!((past.len(), past[0].since, past[0].over.is_some()), (1, noticed, true));
    assert!(listed(&mut stage).await.is_empty());
    stage.proved().await;
}

#[tokio::test]
async fn whose_a_row_is_that_nobody_can_tell_is_not_said_to_be_somebody_elses() {
    for (unsure, said) in
        [(false, "Axon never gave mallory"), (true, "whether Axon gave it cannot be told: mallory")]
    {
        let mut stage = Stage::set().await;
        let kim = stage.user("kim").await;
        stage.readers(&[kim]).await;
        stage.settle().await;
        {
            let mut graph = stage.pool.graph.lock().unwrap();
            let known = graph.principals[&name("kim")].clone();
            graph.principals.insert(name("mallory"), known);
            graph.members.insert(Membership { role: name("axon_reader"), member: name("mallory") });
        }
        if unsure {
            stage.pool.unsure.lock().unwrap().insert(name("mallory"));
        }
        let map = stage.map.clone();
        let preview = stage.ticker.preview(&map).await.unwrap();
        let withheld = preview.admitted.withheld();
        let told: Vec<String> = withheld.iter().flat_map(|w| &w.reasons).map(ToString::to_string).collect();
        let told = told.join("\n");
        assert!(told.contains(said) && told.contains("axon holds"), "{told}");
        assert!(!unsure || (!told.contains("never gave") && !told.contains("never made")), "{told}");
        stage.clock.advance(time::Duration::minutes(6));
        stage.settle().await;
        assert!(stage.pool.in_role("axon_reader", "mallory"), "it waits");
    }
}

#[tokio::test]
async fn what_axon_takes_away_itself_and_gives_again_is_no_drift() {
    let mut stage = Stage::set().await;
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    let readers = stage.readers(&[kim, ana]).await;
    stage.settle().await;
    stage.patch(readers, "kim-goes", leave(&[kim])).await;
    stage.settle().await;
    assert!(!stage.pool.in_role("axon_reader", "kim"));
    stage.restart("two");
    let back = json!([{ "op": "Add", "path": "members", "value": [{ "value": kim }] }]);
    stage.patch(readers, "kim-comes", back).await;
    stage.settle().await;
    assert!(stage.pool.in_role("axon_reader", "kim"));
    // Shut out and let in again.
    let active = |on: bool| json!([{ "op": "Replace", "path": "active", "value": on }]);
    for on in [false, true] {
        stage.patch_person(kim, "entra", active(on)).await;
        stage.settle().await;
    }
    assert_eq!(stage.pool.connect("kim"), Connect::Granted);
    assert_eq!(told(&stage).await, []);
}

#[tokio::test]
async fn in_observe_it_is_listed_with_its_instant_and_a_restart_does_not_make_it_new() {
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    stage.settle().await;
    stage.read(&MAP.replace("mode: authoritative", "mode: observe"));
    stage.settle().await;
    {
        let mut graph = stage.pool.graph.lock().unwrap();
        graph.principals.get_mut(&name("kim")).unwrap().connect = Connect::Denied;
    }
    without(&stage, "kim");
    stage.clock.advance(time::Duration::minutes(6));
    let noticed = stage.clock.now();
    stage.settle().await;
    stage.clock.advance(time::Duration::minutes(6));
    stage.restart("two");
    stage.settle().await;
    let drift = listed(&mut stage).await;
    let what: Vec<String> = drift.iter().map(Drift::what).collect();
    assert_eq!(what.len(), 2, "{what:?}");
    assert!(what.contains(&"kim may not connect any more".to_owned()), "{what:?}");
    assert!(drift.iter().all(|one| one.since == Some(noticed) && !one.withheld.is_empty()), "{drift:?}");
    assert_eq!(told(&stage).await.len(), 2, "named once");
    assert!(!stage.pool.in_role("axon_reader", "kim"), "and nothing is touched");
}

#[tokio::test]
async fn a_role_that_somebody_dropped_is_one_drift_and_comes_back_whole() {
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    stage.settle().await;
    {
        let mut graph = stage.pool.graph.lock().unwrap();
        graph.roles.remove(&name("axon_reader"));
        graph.members.retain(|membership| membership.role != name("axon_reader"));
        graph.grants.retain(|key, _| key.grantee != name("axon_reader"));
    }
    let drift = listed(&mut stage).await;
    let what: Vec<String> = drift.iter().map(Drift::what).collect();
    assert_eq!(what, ["role axon_reader is not there any more"]);
    stage.clock.advance(time::Duration::minutes(6));
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.pool.in_role("axon_reader", "kim"));
}

#[tokio::test]
async fn a_recreated_object_is_one_drift_and_one_plan_that_drops_makes_and_gives_again() {
    let map = MAP.replace("tls: off\n", "tls: off\n    object_id: \"{externalId}\"\n");
    let mut stage = Stage::set_with(&map).await;
    let kim = stage.person("entra", json!({ "userName": "kim", "externalId": KIM_NEW })).await;
    stage.readers(&[kim]).await;
    stage.settle().await;
    // The pool still has the object that had the name before.
    let old = Sid::from_object_id("00000000-0000-0000-0000-00000000000c");
    stage.pool.graph.lock().unwrap().principals.get_mut(&name("kim")).unwrap().sid = old;
    let map = stage.map.clone();
    let preview = stage.ticker.preview(&map).await.unwrap();
    let kinds: Vec<DriftKind> = preview.drift.iter().map(|drift| drift.kind).collect();
    assert_eq!(kinds, [DriftKind::Recreated], "{:?}", preview.drift);
    let steps: Vec<String> =
        preview.admitted.steps().iter().map(|planned| planned.step.kind().name().to_owned()).collect();
    let at = |kind: &str| {
        steps.iter().position(|step| step == kind).unwrap_or_else(|| panic!("{kind}: {steps:?}"))
    };
    assert!(at("drop user") < at("create user") && at("create user") < at("add member"), "{steps:?}");

    stage.clock.advance(time::Duration::minutes(6));
    assert_eq!(stage.settle().await.state, State::Converged);
    let there = stage.pool.graph.lock().unwrap().principals[&name("kim")].sid.clone();
    assert_eq!(there, Sid::from_object_id(KIM_NEW));
    assert!(stage.pool.in_role("axon_reader", "kim"));
    stage.settle().await;
    let told = told(&stage).await;
    assert_eq!(
        told.iter().map(|(kind, there, _)| (kind.as_str(), *there)).collect::<Vec<_>>(),
        [("recreated", true), ("recreated", false)]
    );
}
