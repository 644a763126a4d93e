//! What moves under a run: the clock, and the map.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axon_controller::{Controller, Settings, State};
use axon_mapping::RoleMap;
use axon_model::{Clock, UserId};
use axon_reconcile::{Connect, Membership, Refusal, RefusalKind, Target};
use axon_store::{AccessStore as _, DirectoryStore as _, Store};
use tokio::sync::watch;

use crate::stage::{FakePool, MAP, Mischief, Stage, beside_a_lake, beside_maps, name, until};

#[tokio::test]
async fn a_clock_that_is_set_back_hides_no_drift_and_keeps_nobody_waiting() {
    let mut stage = Stage::set().await;
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    let refusal = Refusal { kind: RefusalKind::Forbidden, number: 15247, message: "no".into() };
    stage.pool.plot(Mischief::Refuse(name("ana"), refusal));
    stage.readers(&[kim, ana]).await;
    stage.settle().await;
    assert!(!stage.pool.in_role("axon_reader", "ana"), "it waits for the refusal to be over");
    stage.pool.forgive();
    let gone = Membership { role: name("axon_reader"), member: name("kim") };
    stage.pool.graph.lock().unwrap().members.remove(&gone);
    stage.clock.advance(-time::Duration::days(3));
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.pool.in_role("axon_reader", "kim"), "what is known was not newer than the clock");
    assert!(stage.pool.in_role("axon_reader", "ana"), "nor did the refusal last for three days");
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_ends_no_access() {
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    stage.settle().await;
    let before = stage.pool.applied.lock().unwrap().len();
    stage.clock.advance(time::Duration::days(400));
    assert_eq!(stage.settle().await.state, State::Converged);
    assert_eq!(stage.pool.applied.lock().unwrap().len(), before, "nothing had an end");
}

/// The window slides by the clock, which is all that is known of time: a jump is as good as a day that passed, and no better.
#[tokio::test]
async fn a_clock_that_jumps_ahead_frees_one_window_of_a_budget_and_set_back_frees_none() {
    let guard = "guards:\n  removals: { window: 24h, most: 0%, floor: 2 }\n";
    let mut stage = Stage::set_with(&(crate::dangers::keepers() + guard)).await;
    let mut people = Vec::new();
    for n in 0..8 {
        people.push(stage.user(&format!("p{n}")).await);
    }
    let readers = stage.readers(&people).await;
    stage.group("Keepers", &people).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    let read = |stage: &Stage| (0..8).filter(|n| stage.pool.in_role("axon_reader", &format!("p{n}"))).count();
    stage.patch(readers, "two-move", crate::dangers::leave(&people[..2])).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    stage.patch(readers, "two-more", crate::dangers::leave(&people[2..4])).await;
    assert_eq!((stage.settle().await.state, read(&stage)), (State::Pending, 6), "the budget is spent");
    stage.clock.advance(time::Duration::hours(30));
    assert_eq!((stage.settle().await.state, read(&stage)), (State::Converged, 4), "that day is over");
    stage.patch(readers, "one-moves", crate::dangers::leave(&people[4..5])).await;
    assert_eq!((stage.settle().await.state, read(&stage)), (State::Pending, 4), "and the next one is spent");
    for restart in [false, true] {
        stage.clock.advance(-time::Duration::hours(if restart { 0 } else { 30 }));
        if restart {
            stage.restart("two");
        }
        assert_eq!(
            (stage.settle().await.state, read(&stage)),
            (State::Pending, 4),
            "what was taken counts on"
        );
    }
    stage.clock.advance(time::Duration::hours(55));
    assert_eq!((stage.settle().await.state, read(&stage)), (State::Converged, 3));
}

/// Kim is in already, and so many people more are to come in.
async fn with_so_many_coming(count: usize) -> (Stage, UserId) {
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    let mut people = vec![kim];
    let readers = stage.readers(&people).await;
    stage.settle().await;
    for n in 0..count {
        people.push(stage.user(&format!("p{n}")).await);
    }
    stage.patch(readers, "all-join", crate::dangers::join(&people)).await;
    stage.pool.applied.lock().unwrap().clear();
    (stage, kim)
}

/// What is done before somebody is shut out, and in all.
fn made_before_the_deny(stage: &Stage) -> (usize, usize) {
    let applied = stage.pool.applied.lock().unwrap();
    let made =
        |until: usize| applied[..until].iter().filter(|step| step.starts_with("create external")).count();
    let shut = applied
        .iter()
        .position(|step| step == "deny connect to kim")
        .unwrap_or_else(|| panic!("{applied:?}"));
    (made(shut), made(applied.len()))
}

#[tokio::test]
async fn who_leaves_while_a_run_goes_on_overtakes_what_is_queued() {
    let (mut stage, kim) = with_so_many_coming(40).await;
    let (store, context) = (stage.store.clone(), stage.context("delete-kim"));
    stage.pool.meanwhile(0, async move {
        store.delete_user(context, kim).await.unwrap();
    });
    stage.settle().await;
    assert_eq!(made_before_the_deny(&stage), (16, 40), "one wave, the DENY, and then the others");
}

/// The run's own records lie between what it was decided by and the push.
#[tokio::test]
async fn who_leaves_late_in_a_long_run_overtakes_what_is_queued() {
    const PEOPLE: usize = 1_200;
    const EARLIER: usize = 1_000;
    let (mut stage, kim) = with_so_many_coming(PEOPLE).await;
    let (store, context) = (stage.store.clone(), stage.context("delete-kim"));
    stage.pool.meanwhile(EARLIER, async move {
        store.delete_user(context, kim).await.unwrap();
    });
    stage.settle().await;
    let (before, all) = made_before_the_deny(&stage);
    assert!((EARLIER..EARLIER + 2 * 16).contains(&before), "{before}");
    assert_eq!(all, PEOPLE, "and then the others");
}

#[tokio::test]
async fn who_is_offboarded_while_a_run_goes_on_overtakes_what_is_queued() {
    let (mut stage, kim) = with_so_many_coming(40).await;
    let (store, act) = (stage.store.clone(), stage.by("op"));
    let offboard = crate::waiting::offboard(kim, "kim");
    stage.pool.meanwhile(0, async move {
        store.ask_access(offboard, act).await.unwrap();
    });
    stage.settle().await;
    assert_eq!(made_before_the_deny(&stage), (16, 40), "one wave, the DENY, and then the others");
}

/// What is known of requests is shared by the targets of a process: whoever hears of one first does not hear it for the others.
#[tokio::test]
async fn who_is_offboarded_is_out_of_every_target_whichever_hears_of_it_first() {
    let mut stage = Stage::set_with(&beside_a_lake()).await;
    let kim = stage.user("kim").await;
    let mut people = vec![kim];
    let readers = stage.readers(&people).await;
    let controller = Stage::controller(&stage.store, &stage.clock, &stage.ids, "two", BTreeMap::new());
    let lake = Arc::new(FakePool::default());
    let mut warehouse = controller.ticker("warehouse".parse().unwrap(), stage.pool.clone());
    let mut slow = controller.ticker("lake".parse().unwrap(), lake.clone());
    while warehouse.tick(&stage.map).await.again {}
    while slow.tick(&stage.map).await.again {}
    for n in 0..40 {
        people.push(stage.user(&format!("p{n}")).await);
    }
    stage.patch(readers, "all-join", crate::dangers::join(&people)).await;
    lake.applied.lock().unwrap().clear();
    let (store, act, map, pool) =
        (stage.store.clone(), stage.by("op"), stage.map.clone(), stage.pool.clone());
    lake.meanwhile(0, async move {
        store.ask_access(crate::waiting::offboard(kim, "kim"), act).await.unwrap();
        while warehouse.tick(&map).await.again {}
        assert_eq!(pool.connect("kim"), Connect::Denied);
    });
    while slow.tick(&stage.map).await.again {}
    stage.pool = lake;
    assert_eq!(made_before_the_deny(&stage), (16, 40), "one wave, the DENY, and then the others");
}

/// The same between two runs: each target's loop is woken.
#[tokio::test]
async fn who_is_offboarded_wakes_every_target() {
    let stage = Stage::set_with(&beside_a_lake()).await;
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    let pools: BTreeMap<&str, Arc<FakePool>> =
        ["lake", "warehouse"].map(|target| (target, Arc::new(FakePool::default()))).into();
    let targets =
        pools.iter().map(|(target, pool)| (target.parse().unwrap(), pool.clone() as Arc<dyn Target>));
    let controller = Stage::controller(&stage.store, &stage.clock, &stage.ids, "two", BTreeMap::new());
    let (_send, map) = watch::channel(stage.map.clone());
    let (stop, stopped) = watch::channel(false);
    let story = async {
        let rest = |state: State| controller.states().values().filter(|s| **s == state).count() == 2;
        until(|| rest(State::Converged)).await;
        stage.store.ask_access(crate::waiting::offboard(kim, "kim"), stage.by("op")).await.unwrap();
        until(|| pools.values().all(|pool| pool.connect("kim") == Connect::Denied)).await;
        stop.send(true).unwrap();
    };
    let both = async { tokio::join!(controller.run(targets.collect(), map, stopped), story) };
    tokio::time::timeout(Duration::from_secs(20), both).await.expect("one of the two never looked");
}

/// The run's own records lie between what it was decided by and what the loop looks for next.
#[tokio::test]
async fn who_leaves_at_the_end_of_a_long_run_is_seen_at_the_first_look() {
    let stage = Stage::set().await;
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    let controller = Stage::controller(&stage.store, &stage.clock, &stage.ids, "two", BTreeMap::new());
    let (_send, map) = watch::channel(stage.map.clone());
    let converged = || controller.states().get("warehouse") == Some(&State::Converged);
    let story = async {
        until(converged).await;
        stage.fill_journal(50_000).await;
        let began = std::time::Instant::now();
        stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
        until(|| stage.pool.connect("kim") == Connect::Denied).await;
        began.elapsed()
    };
    let took = beside_maps(&stage, &controller, map, story).await;
    // Page by page with a second between them it were twenty-five.
    assert!(took < Duration::from_secs(15), "{took:?}");
}

#[tokio::test]
async fn a_map_that_changes_while_a_run_goes_on_ends_it_after_the_wave() {
    let stage = Stage::set().await;
    let mut people = Vec::new();
    for n in 0..40 {
        people.push(stage.user(&format!("p{n}")).await);
    }
    stage.readers(&people).await;
    let nobody = MAP.replace("any: [Readers]", "any: [Others]");
    let nobody = Arc::new(RoleMap::parse(&[("role-map.yaml", &nobody)]).unwrap_or_else(|f| panic!("{f}")));
    let (send, map) = watch::channel(stage.map.clone());
    let send = Arc::new(send);
    let sender = send.clone();
    stage.pool.meanwhile(0, async move { drop(sender.send(nobody)) });
    let settings = Settings {
        inspect_every: time::Duration::minutes(5),
        retry: Duration::from_millis(5),
        holder: "one".into(),
        claims: BTreeMap::new(),
        hold_for: None,
        spool: None,
    };
    let (store, clock): (Arc<dyn Store>, Arc<dyn Clock>) = (stage.store.clone(), stage.clock.clone());
    let controller = Controller::new(store, clock, stage.ids.clone(), settings);
    let converged = until(|| controller.states().get("warehouse") == Some(&State::Converged));
    beside_maps(&stage, &controller, map, converged).await;
    drop(send);
    let graph = stage.pool.graph.lock().unwrap();
    assert_eq!(graph.members_of(name("axon_reader")).count(), 0);
    let made =
        stage.pool.applied.lock().unwrap().iter().filter(|step| step.starts_with("create external")).count();
    assert!(made <= 16, "{made}: at most the wave that ran was of the old map");
}
