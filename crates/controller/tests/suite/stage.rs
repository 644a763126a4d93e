//! The stage: a real store, and a target that keeps its catalog in memory and can refuse, break and lie.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axon_audit::payload::{ActClear, OperatorAct};
use axon_audit::{Chain, NewRecord, Verifier};
use axon_controller::{Controller, Settings, Ticker};
use axon_mapping::identity::SourceClaims;
use axon_mapping::{RoleMap, TargetName};
use axon_model::{
    Actor, Clock, GroupId, IdSource, ManualClock, RecordSeq, RequestId, SourceId, SqlName, UserId,
};
use axon_reconcile::secure::{
    FoundView, Metadata, ProbeAnswer, ProbeCase, ProbeReader, SecureStep, ViewText,
};
use axon_reconcile::simulate::apply_step;
use axon_reconcile::{
    Connect, Graph, InspectScope, Inspection, Membership, ObjectFacts, ObjectKind, ObjectName, Outcome,
    PrincipalKind, Refusal, RefusalKind, Retry, Seen, Shape, Sid, Step, StepKind, Target, TargetError,
    TargetFacts, ViewsAsked, ViewsThere, Visitor, Wave, visitor,
};
use axon_scim::{PatchRequest, Profile, Registry, ResourceKind, parse_new};
use axon_store::{Act, DirectoryStore as _, JournalStore as _, Store, WriteContext};
use axon_store_sqlite::{Address, Options, SqliteStore};
use serde_json::json;
use time::macros::datetime;
use tokio::sync::watch;

pub const MAP: &str = r#"
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

pub fn name(text: &str) -> SqlName {
    SqlName::parse(text).unwrap()
}

/// What the fake does to the next step that it is asked for.
#[derive(Debug, Clone)]
pub enum Mischief {
    Refuse(SqlName, Refusal),
    BreakAfter(SqlName),
    BreakBefore(SqlName),
    Lie(SqlName),
    /// The directory knows a group by this name.
    BecomesGroup(SqlName),
    /// Steps of this kind are refused until it is forgiven.
    RefuseStep(StepKind, Refusal),
    /// The step of these words is, until it is forgiven.
    RefuseWords(String, Refusal),
    /// The connection breaks under steps of this kind on this principal, until it is forgiven.
    BreakStep(StepKind, SqlName),
    Down,
    /// The same, until it is forgiven.
    Away,
    Panic,
}

/// The map with a second target, in which readers are as well.
pub fn beside_a_lake() -> String {
    let (before, rest) = MAP.split_once("  warehouse:").unwrap();
    let (spec, roles) = rest.split_once("roles:\n").unwrap();
    let roles =
        roles.replace("grants: { warehouse:", "grants: { lake: [\"select on sales.orders\"], warehouse:");
    format!("{before}  lake:{spec}  warehouse:{spec}roles:\n{roles}")
}

type Happening = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
pub struct FakePool {
    pub graph: Mutex<Graph>,
    pub mischief: Mutex<Vec<Mischief>>,
    pub applied: Mutex<Vec<String>>,
    /// Who has a session, of whom the place tells no id.
    pub sessions: Mutex<BTreeSet<SqlName>>,
    /// Who has a session, and the id.
    pub entered: Mutex<BTreeSet<(SqlName, Sid)>>,
    /// Why it does not show who has a session, if it does not.
    pub blind: Mutex<Option<String>>,
    /// What it says to the question who has a session, if it refuses it.
    pub tells_nobody: Mutex<Option<Refusal>>,
    /// Whose rows its catalog does not show, which it says.
    pub hidden: Mutex<BTreeSet<SqlName>>,
    /// Who owns a schema there, where somebody does.
    pub owners: Mutex<BTreeMap<SqlName, SqlName>>,
    /// How often all of both sides was compared.
    pub compared: AtomicUsize,
    /// What it shows of secure views.
    pub views: Mutex<Option<ViewsThere>>,
    /// Whether it has texts of views, and shows none of them.
    pub hides_texts: AtomicBool,
    /// Whether it shows texts of views, and what is done to them and to profiles.
    pub shows_texts: AtomicBool,
    /// What a reader of its views finds.
    pub answer: Mutex<ProbeAnswer>,
    /// How often it was read whole.
    pub looks: AtomicUsize,
    /// What the place itself calls roles and members.
    pub ids: Mutex<BTreeMap<SqlName, &'static str>>,
    /// Of whom the place cannot say who they are.
    pub unsure: Mutex<BTreeSet<SqlName>>,
    /// Roles that it was told of.
    pub told: Mutex<BTreeSet<SqlName>>,
    /// What happens while a wave runs, after so many statements.
    happens: Mutex<Option<(usize, Happening)>>,
}

/// What a catalog that hides rows says of itself.
pub const HIDES: &str = "dbo may not see all of the catalog: grant it VIEW DEFINITION on the database";

impl FakePool {
    /// Shows no rows of these from now on, and says that not all is shown; of nobody: shows all again.
    pub fn hide(&self, whose: &[&str]) {
        *self.hidden.lock().unwrap() = whose.iter().map(|who| name(who)).collect();
    }

    /// What its catalog shows.
    fn shown(&self) -> Graph {
        let mut graph = self.graph.lock().unwrap().clone();
        let hidden = self.hidden.lock().unwrap();
        graph.principals.retain(|name, _| !hidden.contains(name));
        graph.members.retain(|membership| !hidden.contains(&membership.member));
        graph.grants.retain(|key, _| !hidden.contains(&key.grantee));
        graph
    }

    /// What happens while the first wave runs that begins after so many statements.
    pub fn meanwhile(&self, after: usize, happens: impl Future<Output = ()> + Send + 'static) {
        *self.happens.lock().unwrap() = Some((after, Box::pin(happens)));
    }

    pub fn plot(&self, mischief: Mischief) {
        self.mischief.lock().unwrap().push(mischief);
    }

    pub fn take(&self, pick: impl Fn(&Mischief) -> bool) -> Option<Mischief> {
        let mut plots = self.mischief.lock().unwrap();
        let at = plots.iter().position(pick)?;
        let lasts = matches!(
            plots[at],
            Mischief::Refuse(..)
                | Mischief::RefuseStep(..)
                | Mischief::RefuseWords(..)
                | Mischief::BreakStep(..)
                | Mischief::Away
        );
        Some(if lasts { plots[at].clone() } else { plots.remove(at) })
    }

    pub fn forgive(&self) {
        self.mischief.lock().unwrap().clear();
    }

    fn perform(&self, step: &Step, plot: Option<&Mischief>, statements: Vec<String>) -> Outcome {
        let mut graph = self.graph.lock().unwrap();
        if step.kind() == StepKind::KillSessions {
            self.end_sessions(step, &graph);
            self.applied.lock().unwrap().push(step.to_string());
            return Outcome::Done { statements, micros: 1 };
        }
        if let Err(refused) = apply_step(&mut graph, step) {
            let refusal = Refusal { kind: RefusalKind::Missing, number: 15151, message: refused.to_string() };
            return Outcome::Refused { statements, refusal };
        }
        if let Step::Secure(step) = step {
            self.perform_secure(step);
        }
        self.applied.lock().unwrap().push(step.to_string());
        match plot {
            Some(Mischief::BreakAfter(_)) => return Outcome::Unknown { statements, reason: "cut".into() },
            Some(Mischief::BecomesGroup(who)) => {
                graph.principals.get_mut(who).unwrap().kind = PrincipalKind::ExternalGroup;
            }
            _ => {}
        }
        Outcome::Done { statements, micros: 1 }
    }

    /// What is done to views is seen by the next look, where texts are shown.
    fn perform_secure(&self, step: &SecureStep) {
        let mut views = self.views.lock().unwrap();
        let Some(there) = views.as_mut().filter(|_| self.shows_texts.load(Ordering::SeqCst)) else { return };
        let text = match step {
            SecureStep::AlterView { view, .. } | SecureStep::CreateView { view, .. } => ViewText::Body(view),
            SecureStep::CloseView { view, .. } => ViewText::Closed(*view),
            SecureStep::WriteProfile { remove, add, .. } => {
                there.profile.retain(|row| !remove.contains(row));
                there.profile.extend(add.iter().cloned());
                return;
            }
            _ => return,
        };
        let digest = Some(format!("{text:?}"));
        let found = FoundView { digest, made: true, intact: true, owner: None };
        let name = match text {
            ViewText::Body(body) => body.name,
            ViewText::Closed(name) => name,
        };
        there.views.insert(name, found);
    }

    /// Whether a session of this login and id is one that the step ends.
    fn ends(step: &Step, graph: &Graph, login: SqlName, id: Option<&Sid>) -> bool {
        match step {
            Step::KillSessions { principal } => {
                let named = login == *principal;
                match graph.principals.get(principal) {
                    Some(there) => visitor::is_of(there.sid.as_ref(), id, named),
                    None => visitor::is_by_name(id, named),
                }
            }
            Step::KillFormer { sid, .. } => visitor::is_of(Some(sid), id, false),
            _ => false,
        }
    }

    fn end_sessions(&self, step: &Step, graph: &Graph) {
        self.sessions.lock().unwrap().retain(|login| !Self::ends(step, graph, *login, None));
        self.entered.lock().unwrap().retain(|(login, id)| !Self::ends(step, graph, *login, Some(id)));
    }

    fn has_sessions(&self, step: &Step, graph: &Graph) -> bool {
        self.sessions.lock().unwrap().iter().any(|login| Self::ends(step, graph, *login, None))
            || self
                .entered
                .lock()
                .unwrap()
                .iter()
                .any(|(login, id)| Self::ends(step, graph, *login, Some(id)))
    }

    pub fn did(&self, step: &str) -> usize {
        self.applied.lock().unwrap().iter().filter(|done| done.as_str() == step).count()
    }

    pub fn connect(&self, who: &str) -> Connect {
        self.graph.lock().unwrap().principals[&name(who)].connect
    }

    pub fn in_role(&self, role: &str, member: &str) -> bool {
        self.graph.lock().unwrap().members.contains(&Membership { role: name(role), member: name(member) })
    }
}

#[async_trait]
impl Target for FakePool {
    fn asks_for(&self, refusal: &Refusal) -> Option<Duration> {
        (refusal.number == 40501).then_some(Duration::from_secs(77))
    }

    fn row_of(&self, membership: Membership) -> Option<String> {
        let ids = self.ids.lock().unwrap();
        Some(format!("{} {}", ids.get(&membership.role)?, ids.get(&membership.member)?))
    }

    async fn introduce(&self, desired: &Graph) -> Result<bool, TargetError> {
        self.told.lock().unwrap().extend(desired.roles.keys());
        self.compared.fetch_add(1, Ordering::SeqCst);
        Ok(false)
    }

    async fn inspect_views(&self, _: &ViewsAsked) -> Result<Option<ViewsThere>, TargetError> {
        Ok(self.views.lock().unwrap().clone())
    }

    fn view_digest(&self, text: ViewText<'_>, _: &Metadata) -> Option<String> {
        let has = |of: &AtomicBool| of.load(Ordering::SeqCst);
        (has(&self.hides_texts) || has(&self.shows_texts)).then(|| format!("{text:?}"))
    }

    async fn probe_views(
        &self,
        _: &Metadata,
        _: &ProbeReader,
        cases: &[ProbeCase],
    ) -> Result<Option<Vec<ProbeAnswer>>, TargetError> {
        Ok(Some(vec![self.answer.lock().unwrap().clone(); cases.len()]))
    }

    fn lacks(&self, step: &Step) -> Option<String> {
        self.blind.lock().unwrap().clone().filter(|_| step.kind() == StepKind::KillSessions)
    }

    fn is_unsure_of(&self, membership: Membership) -> bool {
        self.unsure.lock().unwrap().contains(&membership.member)
    }

    async fn visitors(&self) -> Result<Option<Vec<Visitor>>, TargetError> {
        if self.blind.lock().unwrap().is_some() {
            return Ok(None);
        }
        if let Some(refusal) = self.tells_nobody.lock().unwrap().clone() {
            let (target, attempt) = ("warehouse".to_owned(), "the query for sessions");
            return Err(TargetError::Refused { target, attempt, refusal, retry: Retry::Never });
        }
        let sessions = self.sessions.lock().unwrap();
        let named = sessions.iter().map(|login| Visitor { login: *login, sid: None });
        let entered = self.entered.lock().unwrap();
        let told = entered.iter().map(|(login, sid)| Visitor { login: *login, sid: Some(sid.clone()) });
        Ok(Some(named.chain(told).collect()))
    }

    async fn inspect(&self, scope: InspectScope) -> Result<Inspection, TargetError> {
        self.looks.fetch_add(usize::from(scope == InspectScope::Full), Ordering::SeqCst);
        assert!(
            self.take(|m| matches!(m, Mischief::Panic)).is_none(),
            "the target panics, as it was asked to"
        );
        if self.take(|m| matches!(m, Mischief::Down | Mischief::Away)).is_some() {
            return Err(TargetError::Unreachable { target: "warehouse".into(), reason: "down".into() });
        }
        let orders = ObjectName { schema: name("sales"), name: name("orders") };
        let facts = ObjectFacts { kind: ObjectKind::Table, owner: None, columns: vec![name("id")] };
        let mut schemas = BTreeMap::from([(name("sales"), None)]);
        schemas.extend(self.owners.lock().unwrap().iter().map(|(schema, owner)| (*schema, Some(*owner))));
        let mut objects = BTreeMap::from([(orders, facts)]);
        if let Some(there) = &*self.views.lock().unwrap() {
            let view = ObjectFacts { kind: ObjectKind::View, owner: None, columns: vec![name("id")] };
            objects.extend(there.views.keys().map(|name| (*name, view.clone())));
        }
        let shape = Shape { schemas, objects, ..Shape::default() };
        let facts = TargetFacts {
            version: "fake".into(),
            engine_edition: 6,
            own_principal: name("dbo"),
            administrators: vec![name("dbo")],
        };
        let mut graph = self.shown();
        let unseen = if self.hidden.lock().unwrap().is_empty() { vec![] } else { vec![HIDES.to_owned()] };
        if scope != InspectScope::Full {
            // A catalog has dates, which nobody knows of what was made a moment ago.
            for principal in graph.principals.values_mut() {
                principal.created = Some(datetime!(2026-11-22 00:00 UTC));
            }
        }
        Ok(Inspection { graph, shape, facts, unseen })
    }

    async fn apply(&self, wave: &Wave) -> Vec<Outcome> {
        let done = self.applied.lock().unwrap().len();
        let happens = self.happens.lock().unwrap().take_if(|(after, _)| *after <= done);
        if let Some((_, happens)) = happens {
            happens.await;
        }
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
                Mischief::BecomesGroup(who) => *who == whose && step.kind() == StepKind::CreatePrincipal,
                Mischief::RefuseStep(kind, _) => *kind == step.kind(),
                Mischief::RefuseWords(words, _) => *words == step.to_string(),
                Mischief::BreakStep(kind, who) => *kind == step.kind() && *who == whose,
                Mischief::Down | Mischief::Away | Mischief::Panic => false,
            });
            let statements = vec![step.to_string()];
            outcomes.push(match plot {
                Some(
                    Mischief::Refuse(_, refusal)
                    | Mischief::RefuseStep(_, refusal)
                    | Mischief::RefuseWords(_, refusal),
                ) => Outcome::Refused { statements, refusal },
                Some(Mischief::BreakBefore(_) | Mischief::BreakStep(..)) => {
                    Outcome::Unknown { statements, reason: "cut".into() }
                }
                Some(Mischief::Lie(_)) => Outcome::Done { statements, micros: 1 },
                other => self.perform(step, other.as_ref(), statements),
            });
        }
        outcomes
    }

    async fn read_back(&self, wave: &Wave) -> Result<Vec<Seen>, TargetError> {
        let graph = self.shown();
        Ok(wave
            .steps()
            .iter()
            .map(|step| {
                // A step whose effect is there changes nothing when it is simulated again.
                let mut after = graph.clone();
                let same = apply_step(&mut after, step).is_err() || after == graph;
                let there = match step {
                    Step::CreatePrincipal { name, kind, .. } => {
                        graph.principals.get(name).is_some_and(|p| p.kind == *kind)
                    }
                    Step::KillSessions { .. } | Step::KillFormer { .. } => {
                        self.did(&step.to_string()) > 0 && !self.has_sessions(step, &graph)
                    }
                    Step::CreateRole { name } => graph.roles.contains_key(name),
                    Step::Secure(step) if step.unseen() => !self.hides_texts.load(Ordering::SeqCst),
                    _ => same,
                };
                if there { Seen::InForce } else { Seen::NotInForce }
            })
            .collect())
    }
}

pub struct Stage {
    _folder: tempfile::TempDir,
    pub file: PathBuf,
    pub store: Arc<SqliteStore>,
    pub pool: Arc<FakePool>,
    pub clock: Arc<ManualClock>,
    pub ids: Arc<IdSource>,
    pub map: Arc<RoleMap>,
    pub ticker: Ticker,
    pub claims: BTreeMap<SourceId, SourceClaims>,
}

impl Stage {
    pub async fn set() -> Self {
        Self::set_with(MAP).await
    }

    pub async fn set_with(map: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("axon.db");
        let store = Arc::new(SqliteStore::open(Options::new(Address::of_file(&file))).await.unwrap());
        let clock = Arc::new(ManualClock::at(datetime!(2026-11-22 00:00 UTC)));
        let ids = Arc::new(IdSource::counting());
        let pool = Arc::new(FakePool::default());
        let map =
            Arc::new(RoleMap::parse(&[("role-map.yaml", map)]).unwrap_or_else(|faults| panic!("{faults}")));
        let ticker = Self::ticker(&store, &clock, &ids, &pool, "one");
        let claims = BTreeMap::new();
        Self { _folder: folder, file, store, pool, clock, ids, map, ticker, claims }
    }

    pub fn ticker(
        store: &Arc<SqliteStore>,
        clock: &Arc<ManualClock>,
        ids: &Arc<IdSource>,
        pool: &Arc<FakePool>,
        holder: &str,
    ) -> Ticker {
        let warehouse: TargetName =
            RoleMap::parse(&[("m", MAP)]).unwrap().targets.into_keys().next().unwrap();
        Self::controller(store, clock, ids, holder, BTreeMap::new()).ticker(warehouse, pool.clone())
    }

    /// What sources may say from now on: name, patterns, joining attribute.
    pub fn claim(&mut self, claims: &[(&str, &[&str], Option<&str>)]) {
        self.claims = claims
            .iter()
            .map(|(source, patterns, join)| {
                let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
                (source.parse().unwrap(), SourceClaims::read(Some(&patterns), *join).unwrap())
            })
            .collect();
        self.restart("claims");
    }

    pub fn controller(
        store: &Arc<SqliteStore>,
        clock: &Arc<ManualClock>,
        ids: &Arc<IdSource>,
        holder: &str,
        claims: BTreeMap<SourceId, SourceClaims>,
    ) -> Controller {
        let settings = Settings {
            inspect_every: time::Duration::minutes(5),
            retry: Duration::from_millis(5),
            holder: holder.into(),
            claims,
            hold_for: Some(time::Duration::days(30)),
            spool: None,
        };
        let (store, clock): (Arc<dyn Store>, Arc<dyn Clock>) = (store.clone(), clock.clone());
        Controller::new(store, clock, ids.clone(), settings)
    }

    /// The process dies and another one comes.
    pub fn restart(&mut self, holder: &str) {
        let warehouse: TargetName = "warehouse".parse().unwrap();
        let controller = Self::controller(&self.store, &self.clock, &self.ids, holder, self.claims.clone());
        self.ticker = controller.ticker(warehouse, self.pool.clone());
    }

    /// The same, and the other one has the spool in this folder.
    pub fn restart_with(&mut self, spool: &std::path::Path, holder: &str) {
        let settings = Settings {
            inspect_every: time::Duration::minutes(5),
            retry: Duration::from_millis(5),
            holder: holder.into(),
            claims: self.claims.clone(),
            hold_for: None,
            spool: Some(spool.to_owned()),
        };
        let (store, clock): (Arc<dyn Store>, Arc<dyn Clock>) = (self.store.clone(), self.clock.clone());
        let warehouse = self.map.targets.keys().next().unwrap().clone();
        // The old ticker goes first: it has the file.
        self.restart(holder);
        self.ticker =
            Controller::new(store, clock, self.ids.clone(), settings).ticker(warehouse, self.pool.clone());
    }

    pub fn read(&mut self, map: &str) {
        self.map =
            Arc::new(RoleMap::parse(&[("role-map.yaml", map)]).unwrap_or_else(|faults| panic!("{faults}")));
    }

    pub fn context(&self, request: &str) -> WriteContext {
        self.context_of("entra", request)
    }

    pub fn context_of(&self, source: &str, request: &str) -> WriteContext {
        let source: axon_model::SourceId = source.parse().unwrap();
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
            unless: axon_store::Unless::Never,
        }
    }

    pub async fn user(&self, user_name: &str) -> UserId {
        self.user_of("entra", user_name).await
    }

    pub async fn user_of(&self, source: &str, user_name: &str) -> UserId {
        let parsed = parse_new(
            &Registry::standard(),
            ResourceKind::User,
            json!({ "userName": user_name }),
            &Profile::entra(),
        );
        let context = self.context_of(source, &format!("create-{user_name}"));
        self.store.create_user(context, parsed.unwrap().resource).await.unwrap().stored.id
    }

    /// Writes so many records that are about nothing.
    pub async fn fill_journal(&self, count: usize) {
        let filler = |_| {
            let payload = OperatorAct { act: "test".into(), clear: ActClear { words: String::new() } };
            let act = self.context("filler").act;
            NewRecord::of(&act.ids, act.now, act.actor, payload).unwrap()
        };
        self.store.append((0..count).map(filler).collect(), None).await.unwrap();
    }

    pub async fn readers(&self, members: &[UserId]) -> GroupId {
        self.group("Readers", members).await
    }

    pub async fn group(&self, called: &str, members: &[UserId]) -> GroupId {
        let body = json!({ "displayName": called, "externalId": format!("id of {called}"),
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

    pub async fn patch(&self, id: GroupId, request: &str, operations: serde_json::Value) {
        let body = json!({ "Operations": operations });
        let patch =
            PatchRequest::parse(body, &Registry::standard(), ResourceKind::Group, &Profile::entra()).unwrap();
        self.store.patch_group(self.context(request), id, patch).await.unwrap();
    }

    /// Ticks until nothing is left to do at once; the last tick's state.
    pub async fn settle(&mut self) -> axon_controller::Summary {
        for _ in 0..20 {
            let tick = self.ticker.tick(&self.map).await;
            if !tick.again {
                return tick.summary;
            }
        }
        panic!("twenty ticks and still something to do at once");
    }

    pub async fn journal(&self) -> Vec<axon_store::JournalEntry> {
        self.store.records(RecordSeq(1), 10_000).await.unwrap()
    }

    pub async fn proved(&self) {
        let mut verifier = Verifier::after(Chain::EMPTY);
        for entry in self.journal().await {
            verifier.take(&entry.record, entry.clear.as_ref()).unwrap();
        }
        verifier.finish(Some(self.store.head().await.unwrap())).unwrap();
    }
}

/// Runs the loop of the pool beside a story, which comes to an end within 20 seconds.
pub async fn beside<T>(stage: &Stage, controller: &Controller, story: impl Future<Output = T>) -> T {
    let (_map, map) = watch::channel(stage.map.clone());
    beside_maps(stage, controller, map, story).await
}

/// The same with maps that come meanwhile.
pub async fn beside_maps<T>(
    stage: &Stage,
    controller: &Controller,
    map: watch::Receiver<Arc<RoleMap>>,
    story: impl Future<Output = T>,
) -> T {
    let warehouse = stage.map.targets.keys().next().unwrap().clone();
    let (stop, stopped) = watch::channel(false);
    let target: Arc<dyn Target> = stage.pool.clone();
    let run = controller.run([(warehouse, target)].into(), map, stopped);
    let story = async {
        let told = story.await;
        stop.send(true).unwrap();
        told
    };
    let both = async { tokio::join!(run, story).1 };
    tokio::time::timeout(Duration::from_secs(20), both).await.expect("the story came to no end")
}

/// Looks again and again whether something is so; whoever asks sets the deadline.
pub async fn until(is: impl Fn() -> bool) {
    while !is() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
