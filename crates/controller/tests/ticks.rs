//! Ticks told as stories: a real store, and a target that keeps its catalog in memory and can refuse, break and lie.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axon_audit::payload::{StepIntent, StepOutcome};
use axon_audit::{Chain, RecordKind, Verifier};
use axon_controller::{Controller, Settings, State, Ticker};
use axon_mapping::{RoleMap, TargetName};
use axon_model::{Actor, Clock, GroupId, IdSource, ManualClock, RecordSeq, RequestId, SqlName, UserId};
use axon_reconcile::simulate::apply_step;
use axon_reconcile::{
    Connect, GrantKey, Graph, InspectScope, Inspection, Membership, ObjectFacts, ObjectKind, ObjectName,
    Outcome, Permission, Refusal, RefusalKind, Securable, Seen, Shape, Step, Target, TargetError,
    TargetFacts, Wave,
};
use axon_scim::{PatchRequest, Profile, Registry, ResourceKind, parse_new};
use axon_store::{Act, DirectoryStore, JournalStore, StateStore, Store, WriteContext};
use axon_store_sqlite::{Address, Options, SqliteStore};
use serde_json::json;
use time::macros::datetime;

const MAP: &str = r#"
axon: 1
targets:
  warehouse:
    kind: synapse-dedicated
    host: 127.0.0.1
    database: dw
    auth: { token-file: t }
    tls: off
    mode: authoritative
    role_name: "axon_{role}"
    manage: { roles: ["axon_*"], schemas: [], principals: mapped }
roles:
  reader: { grants: { warehouse: ["select on sales.orders"] } }
mappings:
  - { groups: { any: [Readers] }, source: entra, roles: [reader] }
"#;

fn name(text: &str) -> SqlName {
    SqlName::parse(text).unwrap()
}

/// What the fake does to the next step that it is asked for.
#[derive(Debug, Clone)]
enum Mischief {
    Refuse(SqlName, Refusal),
    BreakAfter(SqlName),
    BreakBefore(SqlName),
    Lie(SqlName),
    Down,
}

#[derive(Default)]
struct FakePool {
    graph: Mutex<Graph>,
    mischief: Mutex<Vec<Mischief>>,
    applied: Mutex<Vec<String>>,
}

impl FakePool {
    fn plot(&self, mischief: Mischief) {
        self.mischief.lock().unwrap().push(mischief);
    }

    fn take(&self, pick: impl Fn(&Mischief) -> bool) -> Option<Mischief> {
        let mut plots = self.mischief.lock().unwrap();
        let at = plots.iter().position(pick)?;
        Some(if matches!(plots[at], Mischief::Refuse(..)) { plots[at].clone() } else { plots.remove(at) })
    }

    fn forgive(&self) {
        self.mischief.lock().unwrap().clear();
    }

    fn in_role(&self, role: &str, member: &str) -> bool {
        self.graph.lock().unwrap().members.contains(&Membership { role: name(role), member: name(member) })
    }
}

#[async_trait]
impl Target for FakePool {
    async fn inspect(&self, _: InspectScope) -> Result<Inspection, TargetError> {
        if self.take(|m| matches!(m, Mischief::Down)).is_some() {
            return Err(TargetError::Unreachable { target: "warehouse".into(), reason: "down".into() });
        }
        let orders = ObjectName { schema: name("sales"), name: name("orders") };
        let facts = ObjectFacts { kind: ObjectKind::Table, owner: None, columns: vec![name("id")] };
        let shape = Shape { schemas: [(name("sales"), None)].into(), objects: [(orders, facts)].into() };
        let facts = TargetFacts {
            version: "fake".into(),
            engine_edition: 6,
            own_principal: name("dbo"),
            administrators: vec![name("dbo")],
        };
        Ok(Inspection { graph: self.graph.lock().unwrap().clone(), shape, facts, unseen: Vec::new() })
    }

    async fn apply(&self, wave: &Wave) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for step in wave.steps() {
            if !outcomes.iter().all(|o| matches!(o, Outcome::Done { .. })) {
                outcomes.push(Outcome::NotTried);
                continue;
            }
            let whose = step.subject();
            let plot = self.take(|m| match m {
                Mischief::Refuse(who, _)
                | Mischief::BreakAfter(who)
                | Mischief::BreakBefore(who)
                | Mischief::Lie(who) => *who == whose,
                Mischief::Down => false,
            });
            let statements = vec![step.to_string()];
            outcomes.push(match plot {
                Some(Mischief::Refuse(_, refusal)) => Outcome::Refused { statements, refusal },
                Some(Mischief::BreakBefore(_)) => Outcome::Unknown { statements, reason: "cut".into() },
                Some(Mischief::Lie(_)) => Outcome::Done { statements, micros: 1 },
                other => match apply_step(&mut self.graph.lock().unwrap(), step) {
                    Err(refused) => {
                        let message = refused.to_string();
                        Outcome::Refused {
                            statements,
                            refusal: Refusal { kind: RefusalKind::Missing, number: 15151, message },
                        }
                    }
                    Ok(()) => {
                        self.applied.lock().unwrap().push(step.to_string());
                        match other {
                            Some(Mischief::BreakAfter(_)) => {
                                Outcome::Unknown { statements, reason: "cut".into() }
                            }
                            _ => Outcome::Done { statements, micros: 1 },
                        }
                    }
                },
            });
        }
        outcomes
    }

    async fn read_back(&self, wave: &Wave) -> Result<Vec<Seen>, TargetError> {
        let graph = self.graph.lock().unwrap();
        Ok(wave
            .steps()
            .iter()
            .map(|step| {
                // A step whose effect is there changes nothing when it is simulated again.
                let mut after = graph.clone();
                let same = apply_step(&mut after, step).is_err() || after == *graph;
                let there = match step {
                    Step::CreatePrincipal { name, .. } => graph.principals.contains_key(name),
                    Step::CreateRole { name } => graph.roles.contains_key(name),
                    _ => same,
                };
                if there { Seen::InForce } else { Seen::NotInForce }
            })
            .collect())
    }
}

struct Stage {
    _folder: tempfile::TempDir,
    file: PathBuf,
    store: Arc<SqliteStore>,
    pool: Arc<FakePool>,
    clock: Arc<ManualClock>,
    ids: Arc<IdSource>,
    map: Arc<RoleMap>,
    ticker: Ticker,
}

impl Stage {
    async fn set() -> Self {
        Self::set_with(MAP).await
    }

    async fn set_with(map: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("axon.db");
        let store = Arc::new(SqliteStore::open(Options::new(Address::of_file(&file))).await.unwrap());
        let clock = Arc::new(ManualClock::at(datetime!(2026-11-22 00:00 UTC)));
        let ids = Arc::new(IdSource::counting());
        let pool = Arc::new(FakePool::default());
        let map =
            Arc::new(RoleMap::parse(&[("role-map.yaml", map)]).unwrap_or_else(|faults| panic!("{faults}")));
        let ticker = Self::ticker(&store, &clock, &ids, &pool, "one");
        Self { _folder: folder, file, store, pool, clock, ids, map, ticker }
    }

    fn ticker(
        store: &Arc<SqliteStore>,
        clock: &Arc<ManualClock>,
        ids: &Arc<IdSource>,
        pool: &Arc<FakePool>,
        holder: &str,
    ) -> Ticker {
        let settings = Settings {
            inspect_every: time::Duration::minutes(5),
            retry: std::time::Duration::from_secs(1),
            holder: holder.into(),
        };
        let (store, clock): (Arc<dyn Store>, Arc<dyn Clock>) = (store.clone(), clock.clone());
        let warehouse: TargetName =
            RoleMap::parse(&[("m", MAP)]).unwrap().targets.into_keys().next().unwrap();
        Controller::new(store, clock, ids.clone(), settings).ticker(warehouse, pool.clone())
    }

    fn context(&self, request: &str) -> WriteContext {
        let source: axon_model::SourceId = "entra".parse().unwrap();
        WriteContext {
            source: source.clone(),
            profile: Profile::entra(),
            registry: Arc::new(Registry::standard()),
            act: Act {
                actor: Actor::Source { source },
                request: Some(request.parse::<RequestId>().unwrap()),
                now: self.clock.now(),
                ids: self.ids.clone(),
            },
            if_match: None,
        }
    }

    async fn user(&self, user_name: &str) -> UserId {
        let parsed = parse_new(
            &Registry::standard(),
            ResourceKind::User,
            json!({ "userName": user_name }),
            &Profile::entra(),
        );
        let context = self.context(&format!("create-{user_name}"));
        self.store.create_user(context, parsed.unwrap().resource).await.unwrap().stored.id
    }

    async fn readers(&self, members: &[UserId]) -> GroupId {
        let body = json!({ "displayName": "Readers", "externalId": "g1",
            "members": members.iter().map(|id| json!({ "value": id })).collect::<Vec<_>>() });
        let parsed = parse_new(&Registry::standard(), ResourceKind::Group, body, &Profile::entra()).unwrap();
        let members = parsed.members.unwrap_or_default();
        self.store
            .create_group(self.context("create-readers"), parsed.resource, members)
            .await
            .unwrap()
            .stored
            .id
    }

    async fn patch(&self, id: GroupId, request: &str, operations: serde_json::Value) {
        let body = json!({ "Operations": operations });
        let patch =
            PatchRequest::parse(body, &Registry::standard(), ResourceKind::Group, &Profile::entra()).unwrap();
        self.store.patch_group(self.context(request), id, patch).await.unwrap();
    }

    /// Ticks until nothing is left to do at once; the last tick's state.
    async fn settle(&mut self) -> axon_controller::Summary {
        for _ in 0..20 {
            let tick = self.ticker.tick(&self.map).await;
            if !tick.again {
                return tick.summary;
            }
        }
        panic!("twenty ticks and still something to do at once");
    }

    async fn journal(&self) -> Vec<axon_store::JournalEntry> {
        self.store.records(RecordSeq(1), 10_000).await.unwrap()
    }

    async fn proved(&self) {
        let mut verifier = Verifier::after(Chain::EMPTY);
        for entry in self.journal().await {
            verifier.take(&entry.record, entry.clear.as_ref()).unwrap();
        }
        verifier.finish(Some(self.store.head().await.unwrap())).unwrap();
    }
}

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
    let mut stage = Stage::set().await;
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    stage.readers(&[kim, ana]).await;
    let refusal =
        Refusal { kind: RefusalKind::DirectoryUnknown, number: 33130, message: "who is ana?".into() };
    stage.pool.plot(Mischief::Refuse(name("ana"), refusal));
    let summary = stage.settle().await;
    assert!(stage.pool.in_role("axon_reader", "kim"));
    assert_eq!((summary.state, summary.waiting_total), (State::Pending, 1));
    assert!(
        summary.waiting[0].what.contains("ana") && summary.waiting[0].why.contains("33130"),
        "{summary:?}"
    );
    stage.pool.forgive();
    stage.clock.advance(time::Duration::seconds(6));
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.pool.in_role("axon_reader", "ana"));
    stage.proved().await;
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
