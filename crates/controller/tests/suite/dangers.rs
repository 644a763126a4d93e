//! Ways in which somebody could have more than the map says, or keep what was taken from them.

use axon_audit::RecordKind;
use axon_audit::payload::{PlanMade, StepIntent};
use axon_controller::State;
use axon_model::Clock as _;
use axon_reconcile::{
    Connect, Graph, Membership, ObjectName, Permission, Principal, PrincipalKind, Refusal, RefusalKind, Role,
    Securable, StepKind,
};
use axon_store::{DirectoryStore as _, JournalStore as _, StateStore as _};
use serde_json::json;

use crate::stage::{MAP, Mischief, Stage, beside, name, until};

fn other(number: i64) -> Refusal {
    Refusal { kind: RefusalKind::Other, number, message: "not now".into() }
}

pub fn leave(members: &[axon_model::UserId]) -> serde_json::Value {
    let members: Vec<_> = members.iter().map(|id| json!({ "value": id })).collect();
    json!([{ "op": "Remove", "path": "members", "value": members }])
}

pub fn join(members: &[axon_model::UserId]) -> serde_json::Value {
    let members: Vec<_> = members.iter().map(|id| json!({ "value": id })).collect();
    json!([{ "op": "Add", "path": "members", "value": members }])
}

/// A map with a second role.
pub fn keepers() -> String {
    MAP.replace("mappings:", "  keeper: { grants: { warehouse: [\"update on sales.orders\"] } }\nmappings:")
        + "  - { groups: { any: [Keepers] }, source: entra, roles: [keeper] }\n"
}

/// Somebody whom the pool holds and Axon did not make.
fn stand(graph: &mut Graph, who: &str, kind: PrincipalKind) {
    let principal = Principal { kind, sid: None, connect: Connect::Granted, created: None };
    graph.principals.insert(name(who), principal);
    graph.roles.insert(name("axon_reader"), Role::default());
    graph.members.insert(Membership { role: name("axon_reader"), member: name(who) });
}

#[tokio::test]
async fn a_group_that_bears_a_persons_name_is_given_nothing_even_for_a_moment() {
    let mut stage = Stage::set().await;
    let hostile = stage.user("SG-Everybody").await;
    stage.readers(&[hostile]).await;
    stage.pool.plot(Mischief::BecomesGroup(name("SG-Everybody")));
    assert_eq!(stage.settle().await.state, State::Pending);
    assert_eq!(stage.pool.did("add SG-Everybody to role axon_reader"), 0);
    assert_eq!(stage.pool.connect("SG-Everybody"), Connect::Denied, "and what was made of it may not enter");
}

#[tokio::test]
async fn whoever_stands_under_a_persons_name_and_is_something_else_loses_the_persons_roles() {
    for kind in [PrincipalKind::ExternalGroup, PrincipalKind::Sql] {
        let mut stage = Stage::set().await;
        let kim = stage.user("kim").await;
        stage.readers(&[kim]).await;
        stand(&mut stage.pool.graph.lock().unwrap(), "kim", kind);
        assert_eq!(stage.settle().await.state, State::Pending);
        assert!(!stage.pool.in_role("axon_reader", "kim"), "{kind:?}");
    }
}

#[tokio::test]
async fn a_principal_that_somebody_made_meanwhile_is_not_shut_out_for_an_old_refusal() {
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    stage.pool.plot(Mischief::Refuse(name("kim"), other(33130)));
    stage.settle().await;
    stage.pool.forgive();
    stand(&mut stage.pool.graph.lock().unwrap(), "kim", PrincipalKind::External);
    // Somebody else held the lease meanwhile, so the target is read anew while the refusal still waits.
    let now = stage.clock.now();
    let lease = stage.store.try_lease("warehouse", "other", time::Duration::seconds(60), now).await.unwrap();
    stage.store.release_lease(&lease.unwrap()).await.unwrap();
    stage.settle().await;
    assert_eq!(stage.pool.connect("kim"), Connect::Granted);
    assert_eq!(stage.pool.did("deny connect to kim"), 0);
}

#[tokio::test]
async fn sessions_that_outlive_their_kill_stop_nobody_else_and_are_killed_in_the_end() {
    for kind in [RefusalKind::Busy, RefusalKind::Forbidden] {
        let mut stage = Stage::set().await;
        let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
        let readers = stage.readers(&[kim]).await;
        stage.settle().await;
        stage.pool.plot(Mischief::RefuseStep(
            StepKind::KillSessions,
            Refusal { kind, number: 0, message: "1 sessions are still there".into() },
        ));
        stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
        stage.patch(readers, "ana-joins", join(&[ana])).await;
        let summary = stage.settle().await;
        assert_eq!(summary.state, State::Pending, "{summary:?}");
        assert!(stage.pool.in_role("axon_reader", "ana"), "{kind:?}");
        for _ in 0..12 {
            stage.clock.advance(time::Duration::seconds(61));
            let summary = stage.settle().await;
            assert!(
                summary.waiting.iter().any(|w| w.what.contains("kill the sessions of kim")),
                "{summary:?}"
            );
        }
        stage.pool.forgive();
        stage.clock.advance(time::Duration::seconds(61));
        assert_eq!(stage.settle().await.state, State::Converged);
        assert_eq!(stage.pool.did("kill the sessions of kim"), 1);
        stage.proved().await;
    }
}

#[tokio::test]
async fn a_process_that_dies_before_the_kill_is_followed_by_one_that_kills() {
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    stage.settle().await;
    stage.pool.plot(Mischief::BreakStep(StepKind::KillSessions, name("kim")));
    stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
    stage.ticker.tick(&stage.map).await;
    assert_eq!(stage.pool.connect("kim"), Connect::Denied);
    assert_eq!(stage.pool.did("kill the sessions of kim"), 0);
    stage.pool.forgive();
    stage.restart("two");
    stage.clock.advance(time::Duration::minutes(2));
    assert_eq!(stage.settle().await.state, State::Converged);
    assert_eq!(stage.pool.did("kill the sessions of kim"), 1);
    stage.restart("three");
    stage.clock.advance(time::Duration::minutes(2));
    stage.settle().await;
    assert_eq!(stage.pool.did("kill the sessions of kim"), 1, "once is enough");
}

#[tokio::test]
async fn what_takes_away_waits_a_minute_at_most_after_a_refusal() {
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    let readers = stage.readers(&[kim]).await;
    stage.settle().await;
    stage.patch(readers, "kim-goes", leave(&[kim])).await;
    stage.pool.plot(Mischief::RefuseStep(StepKind::DropMember, other(50000)));
    for _ in 0..12 {
        stage.settle().await;
        stage.clock.advance(time::Duration::minutes(1));
    }
    stage.pool.forgive();
    stage.clock.advance(time::Duration::minutes(1));
    stage.settle().await;
    assert!(!stage.pool.in_role("axon_reader", "kim"));
}

#[tokio::test]
async fn a_refused_removal_lets_nobody_gain_by_what_was_to_follow_it() {
    let map = keepers();
    let mut stage = Stage::set_with(&map).await;
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    let readers = stage.readers(&[kim, ana]).await;
    stage.group("Keepers", &[kim]).await;
    stage.settle().await;
    stage.pool.plot(Mischief::RefuseStep(StepKind::DropMember, other(50000)));
    stage.patch(readers, "kim-goes", leave(&[kim])).await;
    stage.read(&map.replace("select on sales.orders", "select, insert on sales.orders"));
    let summary = stage.settle().await;
    assert_eq!(summary.state, State::Pending);
    assert!(stage.pool.in_role("axon_reader", "kim"), "the pool refused");
    let inserts = || {
        let graph = stage.pool.graph.lock().unwrap();
        let orders = ObjectName { schema: name("sales"), name: name("orders") };
        graph
            .grants
            .keys()
            .any(|k| k.permission == Permission::Insert && k.securable == Securable::Object(orders))
    };
    assert!(!inserts(), "kim would insert, which neither map ever gave to kim");
    stage.pool.forgive();
    stage.clock.advance(time::Duration::minutes(1));
    assert_eq!(stage.ticker.tick(&stage.map).await.summary.state, State::Converged);
    assert!(inserts() && !stage.pool.in_role("axon_reader", "kim"));
}

#[tokio::test]
async fn a_journal_that_takes_nothing_is_not_in_the_way_of_one_leaver_after_another() {
    let mut stage = Stage::set().await;
    let (kim, bob, ana) = (stage.user("kim").await, stage.user("bob").await, stage.user("ana").await);
    let readers = stage.readers(&[kim, bob]).await;
    stage.settle().await;
    let breaker = rusqlite::Connection::open(&stage.file).unwrap();
    breaker
        .execute_batch(
            "CREATE TRIGGER no_steps BEFORE INSERT ON journal WHEN NEW.kind <> 'directory-change'
             BEGIN SELECT RAISE(ABORT, 'the journal is full'); END",
        )
        .unwrap();
    stage.patch(readers, "ana-joins", join(&[ana])).await;
    for (who, id) in [("kim", kim), ("bob", bob)] {
        stage.patch(readers, "goes", leave(&[id])).await;
        assert_eq!(stage.ticker.tick(&stage.map).await.summary.state, State::StoreFailed);
        assert!(
            !stage.pool.in_role("axon_reader", who),
            "{who}: what takes away does not wait for what gives"
        );
    }
    assert!(!stage.pool.in_role("axon_reader", "ana"));
    breaker.execute_batch("DROP TRIGGER no_steps").unwrap();
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.pool.in_role("axon_reader", "ana"));
    let taken = stage.journal().await.into_iter().filter(|e| e.record.kind == RecordKind::StepIntent);
    let drops = taken.filter(|e| e.record.facts_of::<StepIntent>().unwrap().step.action == "drop-member");
    assert_eq!(drops.count(), 2, "owed, and written as soon as it could be");
    stage.proved().await;
}

#[tokio::test]
async fn somebody_deleted_is_shut_out_though_the_directory_had_to_be_loaded_anew() {
    let mut stage = Stage::set().await;
    stage.settle().await;
    // Known to the process only since it runs.
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    stage.settle().await;
    stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
    stage.user("zoe").await;
    let last = stage.journal().await.into_iter().rfind(|e| e.record.kind == RecordKind::DirectoryChange);
    let act = stage.context("erase").act;
    assert!(stage.store.erase_clear(last.unwrap().record.seq, act).await.unwrap());
    stage.settle().await;
    assert_eq!(stage.pool.connect("kim"), Connect::Denied);
}

#[tokio::test]
async fn what_another_process_left_half_done_is_seen_at_once() {
    let mut stage = Stage::set().await;
    stage.settle().await;
    let kim = stage.user("kim").await;
    let mut idle = Stage::ticker(&stage.store, &stage.clock, &stage.ids, &stage.pool, "idle");
    assert_eq!(idle.tick(&stage.map).await.summary.state, State::Converged);
    let readers = stage.readers(&[kim]).await;
    stage.settle().await;
    assert!(stage.pool.in_role("axon_reader", "kim"));
    // The one that gave is gone before it takes.
    stage.patch(readers, "kim-goes", leave(&[kim])).await;
    idle.tick(&stage.map).await;
    assert!(!stage.pool.in_role("axon_reader", "kim"));
}

#[tokio::test]
async fn who_is_managed_is_kept_although_the_store_failed_the_first_time() {
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    stand(&mut stage.pool.graph.lock().unwrap(), "kim", PrincipalKind::External);
    let breaker = rusqlite::Connection::open(&stage.file).unwrap();
    breaker
        .execute_batch(
            "CREATE TRIGGER full BEFORE INSERT ON principals BEGIN SELECT RAISE(ABORT, 'full'); END",
        )
        .unwrap();
    stage.ticker.tick(&stage.map).await;
    breaker.execute_batch("DROP TRIGGER full").unwrap();
    stage.settle().await;
    stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
    stage.restart("two");
    stage.settle().await;
    assert_eq!(stage.pool.connect("kim"), Connect::Denied);
}

#[tokio::test]
async fn what_a_leaver_loses_does_not_use_up_what_others_may_lose() {
    let map = keepers();
    let guard = "guards:\n  removals: { window: 24h, most: 0%, floor: 1 }\n";
    let mut stage = Stage::set_with(&format!("{map}{guard}")).await;
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    let readers = stage.readers(&[kim, ana]).await;
    stage.group("Keepers", &[ana]).await;
    stage.settle().await;
    stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
    stage.settle().await;
    assert_eq!(stage.pool.connect("kim"), Connect::Denied);
    // Somebody who stays, and loses one of two roles.
    stage.patch(readers, "ana-goes", leave(&[ana])).await;
    stage.settle().await;
    assert!(!stage.pool.in_role("axon_reader", "ana"));
}

#[tokio::test]
async fn a_statement_that_breaks_every_connection_does_not_stop_all_others_for_ever() {
    let mut stage = Stage::set().await;
    let (bad, kim) = (stage.user("aaa").await, stage.user("kim").await);
    stage.readers(&[bad, kim]).await;
    stage.pool.plot(Mischief::BreakStep(StepKind::CreatePrincipal, name("aaa")));
    assert_eq!(stage.settle().await.state, State::Unreachable, "at first it looks like the network");
    stage.settle().await;
    assert!(stage.pool.in_role("axon_reader", "kim"));
}

#[tokio::test]
async fn every_step_belongs_to_a_plan_that_is_on_record() {
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    stage.pool.plot(Mischief::BreakBefore(name("axon_reader")));
    stage.settle().await;
    let journal = stage.journal().await;
    let of = |kind| journal.iter().filter(move |e| e.record.kind == kind);
    let made: Vec<_> =
        of(RecordKind::PlanMade).map(|e| e.record.facts_of::<PlanMade>().unwrap().plan).collect();
    for intent in of(RecordKind::StepIntent) {
        let plan = intent.record.facts_of::<StepIntent>().unwrap().step.plan;
        assert!(made.contains(&plan), "{plan} of {made:?}");
    }
    assert!(of(RecordKind::StepIntent).count() > 3, "the first step was tried twice");
}

#[tokio::test]
async fn a_request_that_another_targets_tick_took_in_is_still_named() {
    let both = MAP.replace(
        "roles:\n  reader",
        "  lake:\n    kind: synapse-dedicated\n    host: 127.0.0.1\n    database: lake\n    auth: { token-file: t }\n    \
         tls: off\n    mode: authoritative\n    role_name: \"axon_{role}\"\n    \
         manage: { roles: [\"axon_*\"], schemas: [], principals: mapped }\n\
         roles:\n  reader",
    );
    let both = both.replace("{ warehouse: [", "{ lake: [\"select on sales.orders\"], warehouse: [");
    let mut stage = Stage::set_with(&both).await;
    let controller = Stage::controller(&stage.store, &stage.clock, &stage.ids, "one", stage.claims.clone());
    let mut names = stage.map.targets.keys().cloned();
    let (lake, warehouse) = (names.next().unwrap(), names.next().unwrap());
    stage.ticker = controller.ticker(warehouse, stage.pool.clone());
    let other = std::sync::Arc::new(crate::stage::FakePool::default());
    let mut lake = controller.ticker(lake, other);
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    stage.settle().await;
    stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
    lake.tick(&stage.map).await;
    stage.ticker.settled().await;
    stage.settle().await;
    let journal = stage.journal().await;
    let shut = journal.iter().find(|e| {
        e.record.kind == RecordKind::StepIntent
            && e.record.facts_of::<StepIntent>().unwrap().step.action == "deny-connect"
    });
    let request = shut.unwrap().record.request.as_ref().map(|r| r.as_str().to_owned());
    assert_eq!(request.as_deref(), Some("delete-kim"));
}

#[tokio::test]
async fn a_loop_that_panics_is_begun_anew() {
    let stage = Stage::set().await;
    stage.pool.plot(Mischief::Panic);
    let controller = Stage::controller(&stage.store, &stage.clock, &stage.ids, "one", stage.claims.clone());
    beside(&stage, &controller, until(|| controller.states().get("warehouse") == Some(&State::Converged)))
        .await;
    assert!(stage.pool.graph.lock().unwrap().roles.contains_key(&name("axon_reader")));
}

#[tokio::test]
async fn an_empty_store_is_not_the_news_that_everybody_left() {
    let mut stage = Stage::set().await;
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    stage.readers(&[kim, ana]).await;
    stage.settle().await;
    let mut anew = Stage::set().await;
    // The same pool, and a store that was lost: nobody has pushed into it yet.
    *anew.pool.graph.lock().unwrap() = stage.pool.graph.lock().unwrap().clone();
    let summary = anew.settle().await;
    assert_eq!((summary.state, summary.waiting_total), (State::Pending, 2), "{summary:?}");
    assert!(summary.waiting.iter().all(|w| w.why.contains("never gave")), "{summary:?}");
    // The people come first, their groups later: until then nobody is shut out either.
    let kim = anew.user("kim").await;
    anew.settle().await;
    assert!(anew.pool.in_role("axon_reader", "kim") && anew.pool.in_role("axon_reader", "ana"));
    let ana = anew.user("ana").await;
    let again = anew.readers(&[kim, ana]).await;
    assert_eq!(anew.settle().await.state, State::Converged);
    // From now on this store knows them: who leaves, leaves.
    let leave = json!([{ "op": "Remove", "path": "members", "value": [{ "value": ana }] }]);
    anew.patch(again, "ana-leaves", leave).await;
    assert_eq!(anew.settle().await.state, State::Converged);
    assert!(!anew.pool.in_role("axon_reader", "ana") && anew.pool.in_role("axon_reader", "kim"));
}

#[tokio::test]
async fn a_second_source_that_names_somebody_gains_nothing_and_shuts_nobody_out() {
    let map = format!("{MAP}  - {{ groups: {{ any: [Readers] }}, source: okta, roles: [reader] }}\n");
    let mut stage = Stage::set_with(&map).await;
    let kim = stage.user("kim").await;
    let readers = stage.readers(&[kim]).await;
    stage.settle().await;
    let other = stage.user_of("okta", "KIM").await;
    let summary = stage.settle().await;
    assert_eq!(summary.state, State::Pending);
    assert!(summary.waiting.iter().any(|w| w.what.contains("claimed by several")), "{summary:?}");
    assert!(stage.pool.in_role("axon_reader", "kim"));
    assert_eq!(stage.pool.connect("kim"), Connect::Granted);
    // What none of the claimants would get goes all the same.
    stage.patch(readers, "kim-goes", leave(&[kim])).await;
    stage.settle().await;
    assert!(!stage.pool.in_role("axon_reader", "kim"));
    stage.store.delete_user(stage.context_of("okta", "delete-other"), other).await.unwrap();
    stage.settle().await;
    assert_eq!(stage.pool.connect("kim"), Connect::Denied, "the one who is left has no role");
}
