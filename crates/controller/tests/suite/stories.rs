//! Ticks told as stories.

use axon_audit::RecordKind;
use axon_audit::payload::{StepIntent, StepOutcome};
use axon_controller::State;
use axon_model::{Clock as _, SqlName};
use axon_reconcile::{Connect, GrantKey, Membership, Permission, Refusal, RefusalKind, Securable};
use axon_store::{DirectoryStore as _, StateStore as _};
use serde_json::json;

use crate::stage::{MAP, Mischief, Stage, name};

#[tokio::test]
async fn a_push_becomes_permissions_and_every_step_leads_back_to_its_request() {
    let mut stage = Stage::set().await;
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    let readers = stage.readers(&[kim]).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.pool.in_role("axon_reader", "kim") && !stage.pool.in_role("axon_reader", "ana"));
    stage.ticker.settled().await;
    let add = json!([{ "op": "Add", "path": "members", "value": [{ "value": ana }] }]);
    stage.patch(readers, "ana-joins", add).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.pool.in_role("axon_reader", "ana"));
    let journal = stage.journal().await;
    let joined = journal
        .iter()
        .filter(|e| e.record.kind == RecordKind::StepIntent)
        .filter(|e| e.record.request.as_ref().is_some_and(|r| r.as_str() == "ana-joins"))
        .collect::<Vec<_>>();
    assert_eq!(joined.len(), 2, "ana's user and her membership");
    let membership = joined[1].record.facts_of::<StepIntent>().unwrap();
    let cause = &membership.causes[0];
    assert!(cause.line.as_deref().is_some_and(|line| line.starts_with("role-map.yaml:")), "{cause:?}");
    assert_eq!(cause.group, Some(readers));
    let brought = journal.iter().find(|e| Some(e.record.seq) == cause.membership).unwrap();
    assert_eq!(brought.record.kind, RecordKind::DirectoryChange);
    stage.proved().await;
}

#[tokio::test]
async fn a_person_whom_the_pool_refuses_stops_nobody_else_and_is_tried_again() {
    for (kind, number) in [(RefusalKind::DirectoryUnknown, 33130), (RefusalKind::DirectoryUnavailable, 33134)]
    {
        let mut stage = Stage::set().await;
        let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
        stage.readers(&[kim, ana]).await;
        let refusal = Refusal { kind, number, message: "who is ana?".into() };
        stage.pool.plot(Mischief::Refuse(name("ana"), refusal));
        let summary = stage.settle().await;
        assert!(stage.pool.in_role("axon_reader", "kim"));
        assert_eq!((summary.state, summary.waiting_total), (State::Pending, 1));
        assert!(
            summary.waiting[0].what.contains("ana") && summary.waiting[0].why.contains(&number.to_string()),
            "{summary:?}"
        );
        stage.pool.forgive();
        stage.clock.advance(time::Duration::seconds(6));
        assert_eq!(stage.settle().await.state, State::Converged);
        assert!(stage.pool.in_role("axon_reader", "ana"));
        stage.proved().await;
    }
}

#[tokio::test]
async fn a_broken_connection_is_neither_success_nor_failure() {
    for plot in [Mischief::BreakAfter as fn(SqlName) -> Mischief, Mischief::BreakBefore] {
        let mut stage = Stage::set().await;
        let kim = stage.user("kim").await;
        stage.readers(&[kim]).await;
        stage.pool.plot(plot(name("kim")));
        assert_eq!(stage.settle().await.state, State::Converged);
        assert!(stage.pool.in_role("axon_reader", "kim"));
        let made = stage
            .pool
            .applied
            .lock()
            .unwrap()
            .iter()
            .filter(|s| s.starts_with("create external user"))
            .count();
        assert_eq!(made, 1, "never replayed blindly");
        let unknown = stage
            .journal()
            .await
            .iter()
            .filter(|e| e.record.kind == RecordKind::StepOutcome)
            .filter(|e| {
                e.record.facts_of::<StepOutcome>().unwrap().result == axon_audit::payload::StepResult::Unknown
            })
            .count();
        assert_eq!(unknown, 1);
        stage.proved().await;
    }
}

#[tokio::test]
async fn a_target_that_says_done_and_does_not_is_no_hot_loop() {
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    stage.pool.plot(Mischief::Lie(name("kim")));
    let summary = stage.settle().await;
    assert_eq!(summary.state, State::Pending);
    assert!(summary.waiting.iter().any(|w| w.why.contains("does not show it")), "{summary:?}");
    stage.clock.advance(time::Duration::minutes(1));
    assert_eq!(stage.settle().await.state, State::Converged);
}

#[tokio::test]
async fn a_target_that_is_down_leaves_the_work_pending_and_visible() {
    let mut stage = Stage::set().await;
    stage.pool.plot(Mischief::Down);
    let tick = stage.ticker.tick(&stage.map).await;
    assert_eq!(tick.summary.state, State::Unreachable);
    assert!(tick.summary.trouble.unwrap().contains("down"));
    let (kept, _) = stage.store.summary("warehouse").await.unwrap().unwrap();
    assert_eq!(kept["state"], "unreachable");
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.pool.in_role("axon_reader", "kim"));
    assert!(stage.journal().await.iter().any(|e| e.record.kind == RecordKind::TargetTrouble));
}

#[tokio::test]
async fn a_leaver_and_a_deleted_person_are_shut_out_also_after_a_restart() {
    let mut stage = Stage::set().await;
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    stage.readers(&[kim, ana]).await;
    stage.settle().await;
    stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
    // The process died before its tick: a new one knows kim only by what was remembered.
    stage.ticker = Stage::ticker(&stage.store, &stage.clock, &stage.ids, &stage.pool, "two");
    assert_eq!(stage.settle().await.state, State::Converged);
    let graph = stage.pool.graph.lock().unwrap();
    assert_eq!(graph.principals[&name("kim")].connect, Connect::Denied);
    assert_eq!(graph.principals[&name("ana")].connect, Connect::Granted);
    assert_eq!(graph.roles_of(name("kim")).count(), 0);
}

#[tokio::test]
async fn what_gives_needs_its_record_and_what_takes_does_not() {
    let mut stage = Stage::set().await;
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    let readers = stage.readers(&[kim]).await;
    stage.settle().await;
    let breaker = rusqlite::Connection::open(&stage.file).unwrap();
    breaker
        .execute_batch(
            "CREATE TRIGGER no_steps BEFORE INSERT ON journal WHEN NEW.kind IN ('step-intent', 'step-outcome', 'read-back')
             BEGIN SELECT RAISE(ABORT, 'the journal is full'); END",
        )
        .unwrap();
    let add = json!([{ "op": "Add", "path": "members", "value": [{ "value": ana }] }]);
    stage.patch(readers, "ana-joins", add).await;
    let tick = stage.ticker.tick(&stage.map).await;
    assert_eq!(tick.summary.state, State::StoreFailed);
    assert!(!stage.pool.in_role("axon_reader", "ana"), "nothing is given that cannot be recorded");
    let leave = json!([{ "op": "Replace", "path": "members", "value": [] }]);
    stage.patch(readers, "all-leave", leave).await;
    stage.ticker.tick(&stage.map).await;
    assert!(!stage.pool.in_role("axon_reader", "kim"), "taking away does not wait for the journal");
    breaker.execute_batch("DROP TRIGGER no_steps").unwrap();
    assert_eq!(stage.settle().await.state, State::Converged);
    let intents = stage
        .journal()
        .await
        .iter()
        .filter(|e| e.record.kind == RecordKind::StepIntent)
        .filter(|e| !e.record.facts_of::<StepIntent>().unwrap().gives)
        .count();
    assert!(intents >= 1, "the owed records are written as soon as they can be");
    stage.proved().await;
}

#[tokio::test]
async fn nothing_outside_the_scope_is_touched() {
    let mut stage = Stage::set().await;
    {
        let mut graph = stage.pool.graph.lock().unwrap();
        graph.roles.insert(name("legacy"), axon_reconcile::Role::default());
        let key = GrantKey {
            grantee: name("legacy"),
            securable: Securable::Schema(name("sales")),
            permission: Permission::Select,
        };
        graph.grants.insert(key, axon_reconcile::Grant::wanted(axon_reconcile::GrantState::Grant));
    }
    assert_eq!(stage.settle().await.state, State::Converged);
    let graph = stage.pool.graph.lock().unwrap();
    assert_eq!(graph.grants_of(name("legacy")).count(), 1);
    assert!(
        graph.roles.contains_key(&name("axon_reader")),
        "a role of the map exists before its first member"
    );
}

#[tokio::test]
async fn observe_changes_nothing_and_says_what_it_would_do() {
    let mut stage = Stage::set_with(&MAP.replace("mode: authoritative", "mode: observe")).await;
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    let summary = stage.settle().await;
    assert_eq!(summary.state, State::Observed);
    assert!(summary.waiting.iter().any(|w| w.what.contains("kim")));
    assert!(stage.pool.applied.lock().unwrap().is_empty());
    let decisions = stage.journal().await.iter().filter(|e| e.record.kind == RecordKind::PlanMade).count();
    stage.ticker.tick(&stage.map).await;
    let again = stage.journal().await.iter().filter(|e| e.record.kind == RecordKind::PlanMade).count();
    assert_eq!((decisions, again), (1, 1), "the same decision is recorded once");
}

#[tokio::test]
async fn two_processes_take_turns_under_one_lease() {
    let mut stage = Stage::set().await;
    stage.settle().await;
    let now = stage.clock.now();
    let held =
        stage.store.try_lease("warehouse", "other", time::Duration::seconds(60), now).await.unwrap().unwrap();
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    assert_eq!(stage.ticker.tick(&stage.map).await.summary.state, State::Elsewhere);
    assert!(!stage.pool.in_role("axon_reader", "kim"));
    stage.store.release_lease(&held).await.unwrap();
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.pool.in_role("axon_reader", "kim"));
}

#[tokio::test]
async fn what_was_read_while_another_was_at_work_is_read_again_when_they_are_done() {
    for gives_back in [true, false] {
        let mut stage = Stage::set().await;
        let kim = stage.user("kim").await;
        stage.readers(&[kim]).await;
        stage.settle().await;
        let (now, minute) = (stage.clock.now(), time::Duration::seconds(60));
        let held = stage.store.try_lease("warehouse", "other", minute, now).await.unwrap().unwrap();
        // A process that begins just then finds all as it is to be, and nothing to do.
        stage.restart("beside");
        let tick = stage.ticker.tick(&stage.map).await;
        assert_eq!((tick.summary.state, tick.again), (State::Elsewhere, false));
        assert_eq!(tick.next, Some(stage.clock.now() + time::Duration::seconds(1)));
        let gone = Membership { role: name("axon_reader"), member: name("kim") };
        assert!(stage.pool.graph.lock().unwrap().members.remove(&gone));
        if gives_back {
            stage.store.release_lease(&held).await.unwrap();
            stage.clock.advance(time::Duration::seconds(1));
        } else {
            stage.clock.advance(minute);
        }
        assert_eq!(stage.settle().await.state, State::Converged);
        assert!(stage.pool.in_role("axon_reader", "kim"), "{gives_back}");
    }
}

#[tokio::test]
async fn who_waits_for_anothers_lease_reads_the_target_once_and_not_again_until_it_is_free() {
    for gives_back in [true, false] {
        let mut stage = Stage::set().await;
        stage.settle().await;
        let (now, minute) = (stage.clock.now(), time::Duration::seconds(60));
        let held = stage.store.try_lease("warehouse", "other", minute, now).await.unwrap().unwrap();
        let kim = stage.user("kim").await;
        stage.readers(&[kim]).await;
        let looks = |stage: &Stage| stage.pool.looks.load(std::sync::atomic::Ordering::SeqCst);
        assert_eq!(stage.ticker.tick(&stage.map).await.summary.state, State::Elsewhere);
        let once = looks(&stage);
        for _ in 0..5 {
            stage.clock.advance(time::Duration::seconds(1));
            let tick = stage.ticker.tick(&stage.map).await;
            assert_eq!((tick.summary.state, tick.again), (State::Elsewhere, false));
            assert_eq!(tick.next, Some(stage.clock.now() + time::Duration::seconds(1)));
        }
        assert_eq!(looks(&stage), once, "what it finds it could do nothing about");
        if gives_back {
            stage.store.release_lease(&held).await.unwrap();
        } else {
            stage.clock.advance(minute);
        }
        assert_eq!(stage.settle().await.state, State::Converged);
        assert!(stage.pool.in_role("axon_reader", "kim"));
        assert_eq!(looks(&stage), once + 1, "the other one may have changed anything");
    }
}
