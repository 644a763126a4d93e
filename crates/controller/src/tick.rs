//! One tick on one target: from what is, and what ought to be, to the steps between.

use std::collections::BTreeSet;
use std::sync::Arc;

use axon_audit::NewRecord;
use axon_mapping::{RoleMap, Surroundings, TargetName};
use axon_model::{Clock, IdSource, PlanId, RecordSeq, RunId, SqlName};
use axon_reconcile::admit::{Admitted, History, Past, admit};
use axon_reconcile::simulate::apply_step;
use axon_reconcile::{
    InspectScope, Inspection, LeaseProof, ManagedPrincipals, Plan, RefusalKind, Retry, Shape, Sides, Step,
    Target, TargetError, plan,
};
use axon_store::Store;
use time::{Duration, OffsetDateTime};
use tokio::sync::Mutex;

use crate::blocked::BlockedSteps;
use crate::cause::Causes;
use crate::error::ControllerError;
use crate::execute::{Executor, wave_length};
use crate::record::{Decision, Placed, Recorder, trouble};
use crate::summary::{State, Summary, Waiting};
use crate::world::World;

/// How long a lease is taken for. A process that dies is followed after this.
const LEASE: Duration = Duration::seconds(60);
/// How often it is renewed while a wave runs.
const RENEW: std::time::Duration = std::time::Duration::from_secs(20);
/// Principals that every database has and nobody changes.
const BUILT_IN: [&str; 5] = ["dbo", "public", "guest", "sys", "INFORMATION_SCHEMA"];
/// The most waiting things that a summary spells out.
const SHOWN: usize = 100;

/// What was decided, for people, before anything is applied.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The ordered plan, with its findings.
    pub plan: Plan,
    /// What the guards let through, and what they withhold.
    pub admitted: Admitted,
    /// What the map asks for and waits on things that are not there.
    pub pending: Vec<String>,
    /// Why parts of the target could not be seen.
    pub unseen: Vec<String>,
}

/// What a tick came to.
#[derive(Debug)]
pub struct Tick {
    /// Where the target stands.
    pub summary: Summary,
    /// When the next tick is due at the latest, for its own reasons.
    pub next: Option<OffsetDateTime>,
    /// Whether another tick should follow at once.
    pub again: bool,
}

/// What ticks on one target share.
pub struct Ticker {
    name: TargetName,
    target: Arc<dyn Target>,
    store: Arc<dyn Store>,
    world: Arc<Mutex<World>>,
    clock: Arc<dyn Clock>,
    ids: Arc<IdSource>,
    holder: String,
    inspect_every: Duration,
    actual: Option<Known>,
    blocked: BlockedSteps,
    history: History,
    remembered: BTreeSet<SqlName>,
    remembered_loaded: bool,
    last_decision: Option<u64>,
    last_trouble: Option<State>,
    owed: Vec<NewRecord>,
    /// The lease's generation at this ticker's last work.
    generation: Option<u64>,
    /// How often in a row a connection broke under a statement.
    broken: u32,
    summary: Summary,
}

/// What is known to be in force, and since when.
struct Known {
    inspection: Inspection,
    shape: Arc<Shape>,
    at: OffsetDateTime,
}

/// What a [`Ticker`] is made of.
pub struct TickerParts {
    /// The target's name in the map.
    pub name: TargetName,
    /// The target.
    pub target: Arc<dyn Target>,
    /// The store.
    pub store: Arc<dyn Store>,
    /// The directory in memory.
    pub world: Arc<Mutex<World>>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub ids: Arc<IdSource>,
    /// Who holds leases: one name per process.
    pub holder: String,
    /// How old what is known may be.
    pub inspect_every: Duration,
}

impl Ticker {
    /// A ticker that knows nothing yet.
    pub fn new(parts: TickerParts) -> Self {
        Self {
            name: parts.name,
            target: parts.target,
            store: parts.store,
            world: parts.world,
            clock: parts.clock,
            ids: parts.ids,
            holder: parts.holder,
            inspect_every: parts.inspect_every,
            actual: None,
            blocked: BlockedSteps::default(),
            history: History::default(),
            remembered: BTreeSet::new(),
            remembered_loaded: false,
            last_decision: None,
            last_trouble: None,
            owed: Vec::new(),
            generation: None,
            broken: 0,
            summary: Summary::starting(),
        }
    }

    /// What a tick would do now. Takes no lease, records and changes nothing.
    pub async fn preview(&mut self, map: &Arc<RoleMap>) -> Result<Preview, ControllerError> {
        let now = self.clock.now();
        self.inspect(now).await?;
        let decided = self.decide(map, now).await?;
        Ok(Preview {
            plan: decided.plan,
            admitted: decided.admitted,
            pending: decided.pending,
            unseen: self.actual.as_ref().map(|known| known.inspection.unseen.clone()).unwrap_or_default(),
        })
    }

    /// One tick. Whatever happens, the summary says so; an error is in it and in the journal.
    #[tracing::instrument(name = "reconcile.tick", skip_all, fields(target = %self.name))]
    pub async fn tick(&mut self, map: &Arc<RoleMap>) -> Tick {
        let began = self.clock.now();
        let outcome = self.try_tick(map).await;
        let now = self.clock.now();
        let took = (now - began).as_seconds_f64();
        metrics::histogram!("axon_reconcile_tick_seconds").record(took.max(0.0));
        match outcome {
            Ok(tick) => {
                if tick.summary.state != State::Elsewhere {
                    if self.last_trouble.take().is_some() {
                        tracing::info!(state = tick.summary.state.as_str(), "the target is reached again");
                    }
                    self.save(now).await;
                }
                tick
            }
            Err(error) => self.failed(&error, now).await,
        }
    }

    async fn try_tick(&mut self, map: &Arc<RoleMap>) -> Result<Tick, ControllerError> {
        let now = self.clock.now();
        self.pay_owed().await?;
        self.heed_others().await?;
        self.refresh(now).await?;
        let decided = self.decide(map, now).await?;
        if decided.admitted.steps().is_empty() {
            // Nothing is to be applied, so no lease is taken; what is withheld has its record all the same.
            let (run, plan_id) = self.new_ids(now);
            self.record_decision(&decided, map, run, plan_id, now).await?;
            return Ok(self.conclude(&decided, &Ran::default()));
        }
        let Some(lease) = self.store.try_lease(self.name.as_str(), &self.holder, LEASE, now).await? else {
            // Whoever holds it changes the target: what is known here is out of date.
            self.actual = None;
            self.summary.state = State::Elsewhere;
            return Ok(Tick {
                summary: self.summary.clone(),
                next: Some(now + Duration::seconds(1)),
                again: false,
            });
        };
        let ticked = self.under_lease(map, lease.clone(), decided, now).await;
        self.store.release_lease(&lease).await?;
        ticked
    }

    async fn under_lease(
        &mut self,
        map: &Arc<RoleMap>,
        mut lease: LeaseProof,
        decided: Decided,
        now: OffsetDateTime,
    ) -> Result<Tick, ControllerError> {
        // Somebody else may have changed the target between the decision and the lease.
        let unchanged = self.generation == Some(lease.generation());
        self.generation = Some(lease.generation());
        let decided = if unchanged && self.actual.is_some() {
            decided
        } else {
            self.actual = None;
            self.refresh(now).await?;
            self.decide(map, now).await?
        };
        let (run, plan_id) = self.new_ids(now);
        self.record_decision(&decided, map, run, plan_id, now).await?;
        let mut ran = Ran::default();
        let steps = decided.admitted.steps();
        let mut causes = Causes::default();
        while ran.tried < steps.len() && !ran.stop {
            if ran.tried > 0 {
                // Leavers are looked for between waves.
                if self.store.head().await?.seq > decided.position
                    && self.directory_moved(decided.position).await?
                {
                    ran.again = true;
                    break;
                }
                let now = self.clock.now();
                match self.store.renew_lease(&lease, LEASE, now).await? {
                    Some(renewed) => lease = renewed,
                    None => break,
                }
            }
            let length = wave_length(&decided.admitted, ran.tried);
            let wave: Vec<&Step> = steps[ran.tried..ran.tried + length].iter().map(|p| &p.step).collect();
            self.remember(&wave).await?;
            let mut placed = Vec::with_capacity(length);
            for (n, step) in wave.iter().enumerate() {
                let now = self.clock.now();
                let (because, set_off) = Causes::of(&*self.world.lock().await, &self.name, step, now);
                let request = causes.request(self.store.as_ref(), set_off).await?;
                placed.push(Placed { step, index: (ran.tried + n) as u64, causes: because, request });
            }
            let recorder = Recorder { ids: &self.ids, target: self.name.as_str(), run, plan: plan_id };
            let mut executor = Executor {
                store: self.store.as_ref(),
                target: &self.target,
                clock: self.clock.as_ref(),
                recorder,
                owed: &mut self.owed,
            };
            let wave = executor.wave(&decided.admitted, &lease, ran.tried, &placed);
            let waved = keep_lease(self.store.as_ref(), self.clock.as_ref(), &lease, wave).await;
            let waved = match waved {
                Ok(waved) => waved,
                Err(error) => {
                    // What the wave did is not known here.
                    self.actual = None;
                    return Err(error);
                }
            };
            self.take_in(&waved.in_force);
            ran.applied += waved.done;
            ran.tried += length;
            if waved.doubt {
                self.actual = None;
                ran.stop = true;
                ran.again = true;
            }
            self.broken = if waved.broken.is_some() { self.broken + 1 } else { 0 };
            if let (Some(reason), 2..) = (waved.broken, self.broken) {
                let target = self.name.to_string();
                return Err(TargetError::Unreachable { target, reason }.into());
            }
            let now = self.clock.now();
            for (step, refusal) in waved.refused {
                if matches!(refusal.kind, RefusalKind::Paused | RefusalKind::Busy | RefusalKind::Login) {
                    // It is the target that refuses, not this step that is wrong.
                    let (target, retry) =
                        (self.name.to_string(), Retry::After(std::time::Duration::from_secs(5)));
                    return Err(TargetError::Refused { target, attempt: "a step", refusal, retry }.into());
                }
                ran.stop = true;
                ran.again = true;
                self.blocked.add(&step, refusal, now);
            }
        }
        Ok(self.conclude(&decided, &ran))
    }

    fn new_ids(&self, now: OffsetDateTime) -> (RunId, PlanId) {
        (RunId::from_uuid(self.ids.uuid(now)), PlanId::from_uuid(self.ids.uuid(now)))
    }

    /// Records that an earlier tick could not write.
    async fn pay_owed(&mut self) -> Result<(), ControllerError> {
        if !self.owed.is_empty() {
            self.store.append(self.owed.clone(), None).await?;
            self.owed.clear();
        }
        Ok(())
    }

    /// Whoever holds the lease changes the target: what is known here is then out of date.
    async fn heed_others(&mut self) -> Result<(), ControllerError> {
        let lease = self.store.lease(self.name.as_str()).await?;
        if lease.is_some_and(|lease| self.generation.is_some_and(|seen| seen != lease.generation)) {
            self.actual = None;
        }
        Ok(())
    }

    async fn refresh(&mut self, now: OffsetDateTime) -> Result<(), ControllerError> {
        if self.actual.as_ref().is_none_or(|known| now - known.at >= self.inspect_every) {
            self.inspect(now).await?;
        }
        Ok(())
    }

    async fn inspect(&mut self, now: OffsetDateTime) -> Result<(), ControllerError> {
        let inspection = self.target.inspect(InspectScope::Full).await?;
        // The same shape stays the same value, so that the desired side is not computed anew for nothing.
        let shape = match &self.actual {
            Some(known) if *known.shape == inspection.shape => known.shape.clone(),
            _ => Arc::new(inspection.shape.clone()),
        };
        self.actual = Some(Known { inspection, shape, at: now });
        Ok(())
    }

    async fn decide(&mut self, map: &Arc<RoleMap>, now: OffsetDateTime) -> Result<Decided, ControllerError> {
        if !self.remembered_loaded {
            self.remembered = self.store.remembered_principals(self.name.as_str()).await?;
            self.remembered_loaded = true;
        }
        let spec = map
            .targets
            .get(&self.name)
            .ok_or_else(|| ControllerError::NoSuchTarget(self.name.to_string()))?;
        let known =
            self.actual.as_ref().ok_or_else(|| ControllerError::NoSuchTarget(self.name.to_string()))?;
        let facts = &known.inspection.facts;
        let mut untouchable = BTreeSet::from([facts.own_principal]);
        untouchable.extend(BUILT_IN.iter().filter_map(|name| SqlName::parse(name).ok()));
        untouchable.extend(map.guards.protected(now));
        let around = Surroundings { shape: known.shape.clone(), known: self.remembered.clone(), untouchable };
        let (wanted, gone) = {
            let mut world = self.world.lock().await;
            let gone = world.follow(self.store.as_ref(), now).await?;
            let wanted = world
                .wanted(map, &self.name, around, now)
                .map_err(|_| ControllerError::NoSuchTarget(self.name.to_string()))?;
            (wanted, gone)
        };
        // Whoever is managed and there now stays managed, whatever becomes of the person and of this process.
        let there = known.inspection.graph.principals.keys().copied().filter(|name| {
            match &wanted.desired.scope.principals {
                ManagedPrincipals::Mapped(names) => names.contains(name),
                ManagedPrincipals::External => false,
            }
        });
        let lost: Vec<SqlName> = gone
            .into_iter()
            .filter(|(target, _)| *target == self.name)
            .map(|(_, name)| name)
            .chain(wanted.gone)
            .chain(there)
            .filter(|name| self.remembered.insert(*name))
            .collect();
        if !lost.is_empty() {
            self.store.remember_principals(self.name.as_str(), lost).await?;
        }
        let mut desired = wanted.desired;
        self.blocked.leave_out(&mut desired.graph, &known.inspection.graph, now);
        let sides =
            Sides { desired: desired.graph, actual: known.inspection.graph.clone(), scope: desired.scope };
        let mut planned = plan(&sides);
        planned.steps.retain(|p| !self.blocked.holds(&p.step, now));
        let guards = map.guards.for_target(spec.mode, facts, now);
        let admitted = admit(planned.clone(), &sides, &guards, &self.history, now);
        Ok(Decided {
            plan: planned,
            admitted,
            pending: desired.pending.iter().map(ToString::to_string).collect(),
            position: wanted.position,
            next_change: desired.next_change,
        })
    }

    /// Records a decision when it is another one than the last.
    async fn record_decision(
        &mut self,
        decided: &Decided,
        map: &RoleMap,
        run: RunId,
        plan: PlanId,
        now: OffsetDateTime,
    ) -> Result<(), ControllerError> {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        decided.plan.to_string().hash(&mut hasher);
        for withheld in decided.admitted.withheld() {
            for reason in &withheld.reasons {
                reason.to_string().hash(&mut hasher);
            }
        }
        let hash = hasher.finish();
        let empty = decided.plan.is_empty() && decided.plan.findings.is_empty();
        if self.last_decision == Some(hash) || (empty && self.last_decision.is_none()) {
            return Ok(());
        }
        let steps: Vec<&Step> = decided.admitted.steps().iter().map(|p| &p.step).collect();
        let recorder = Recorder { ids: &self.ids, target: self.name.as_str(), run, plan };
        if !empty {
            let records = recorder.decision(
                Decision {
                    directory: decided.position,
                    map: map.version(),
                    steps: &steps,
                    withheld: decided.admitted.withheld(),
                    findings: decided.plan.findings.iter().map(ToString::to_string).collect(),
                },
                now,
            )?;
            if let Err(error) = self.store.append(records.clone(), None).await {
                // What only takes away goes on without its decision's record, which is owed.
                if steps.iter().any(|step| step.gives()) {
                    return Err(error.into());
                }
                self.owed.extend(records);
            }
        }
        self.last_decision = Some(hash);
        Ok(())
    }

    /// Principals that are about to be made, or are there, stay managed when their people are gone.
    async fn remember(&mut self, wave: &[&Step]) -> Result<(), ControllerError> {
        let names: Vec<SqlName> = wave
            .iter()
            .filter_map(|step| match step {
                Step::CreatePrincipal { name, .. } | Step::AddMember { member: name, .. } => Some(*name),
                _ => None,
            })
            .filter(|name| self.remembered.insert(*name))
            .collect();
        if !names.is_empty() {
            self.store.remember_principals(self.name.as_str(), names).await?;
        }
        Ok(())
    }

    async fn directory_moved(&self, since: RecordSeq) -> Result<bool, ControllerError> {
        Ok(match self.store.deltas_since(since, 1_000).await? {
            axon_store::Since::Reload => true,
            axon_store::Since::Deltas { deltas, .. } => !deltas.is_empty(),
        })
    }

    fn take_in(&mut self, in_force: &[Step]) {
        let now = self.clock.now();
        for step in in_force {
            match step {
                Step::DropMember { .. } | Step::Revoke { .. } | Step::Deny { .. } => {
                    self.history.removals.push(Past { at: now, count: 1 });
                }
                Step::DenyConnect { .. } => self.history.leavers.push(Past { at: now, count: 1 }),
                _ => {}
            }
            let Some(known) = &mut self.actual else { return };
            if let Err(refused) = apply_step(&mut known.inspection.graph, step) {
                tracing::warn!(%refused, "what the catalog shows is not what was expected: it is read anew");
                self.actual = None;
            }
        }
    }

    fn conclude(&mut self, decided: &Decided, ran: &Ran) -> Tick {
        let now = self.clock.now();
        let mut waiting: Vec<Waiting> = Vec::new();
        for withheld in decided.admitted.withheld() {
            let why: Vec<String> = withheld.reasons.iter().map(ToString::to_string).collect();
            waiting.push(Waiting { what: withheld.planned.to_string(), why: why.join("; ") });
        }
        for blocked in self.blocked.waiting(now) {
            waiting.push(Waiting { what: blocked.step.to_string(), why: blocked.refusal.to_string() });
        }
        waiting.extend(
            decided
                .pending
                .iter()
                .map(|p| Waiting { what: p.clone(), why: "the target or the directory".into() }),
        );
        waiting.extend(
            decided.plan.findings.iter().map(|f| Waiting { what: f.to_string(), why: "a person".into() }),
        );
        let total = waiting.len() as u64;
        waiting.truncate(SHOWN);
        let observed = !decided.admitted.withheld().is_empty()
            && decided
                .admitted
                .withheld()
                .iter()
                .all(|w| w.reasons.contains(&axon_reconcile::admit::Reason::Observe));
        let again = ran.again || ran.tried < decided.admitted.steps().len();
        let settled = if again { self.summary.settled } else { decided.position };
        self.summary = Summary {
            state: match (total, observed) {
                (0, _) => State::Converged,
                (_, true) => State::Observed,
                (_, false) => State::Pending,
            },
            position: decided.position,
            settled,
            applied: if ran.applied > 0 { ran.applied } else { self.summary.applied },
            waiting,
            waiting_total: total,
            trouble: None,
        };
        let full = self.actual.as_ref().map_or(now, |known| known.at + self.inspect_every);
        let next = [Some(full), decided.next_change, self.blocked.next(now)].into_iter().flatten().min();
        Tick { summary: self.summary.clone(), next, again }
    }

    async fn failed(&mut self, error: &ControllerError, now: OffsetDateTime) -> Tick {
        let state = match error {
            ControllerError::Target(error) => target_state(error),
            ControllerError::Store(_) | ControllerError::Record(_) => State::StoreFailed,
            ControllerError::NoSuchTarget(_) => State::Refused,
        };
        if self.last_trouble != Some(state) {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                state = state.as_str(),
                "a tick failed; it is tried again"
            );
            if let ControllerError::Target(inside) = error {
                let record = trouble(&self.ids, self.name.as_str(), state.as_str(), inside, now);
                match record {
                    Ok(record) => {
                        if let Err(error) = self.store.append(vec![record], None).await {
                            tracing::error!(
                                error = &error as &dyn std::error::Error,
                                "trouble could not be recorded"
                            );
                        }
                    }
                    Err(error) => {
                        tracing::error!(error = &error as &dyn std::error::Error, "trouble has no record");
                    }
                }
            }
            self.last_trouble = Some(state);
        }
        self.actual = None;
        self.summary.state = state;
        self.summary.trouble = Some(error.to_string());
        self.save(now).await;
        Tick { summary: self.summary.clone(), next: None, again: false }
    }

    async fn save(&self, now: OffsetDateTime) {
        let value = match serde_json::to_value(&self.summary) {
            Ok(value) => value,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a summary has no JSON");
                return;
            }
        };
        if let Err(error) = self.store.save_summary(self.name.as_str(), value, now).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a summary could not be kept");
        }
    }

    /// The causes up to the last tick have had their effect.
    pub async fn settled(&self) {
        self.world.lock().await.settled(&self.name);
    }
}

/// Renews the lease while the target works on a wave.
async fn keep_lease<T>(
    store: &dyn Store,
    clock: &dyn Clock,
    lease: &LeaseProof,
    work: impl Future<Output = T>,
) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(RENEW) => {
                if let Err(error) = store.renew_lease(lease, LEASE, clock.now()).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the lease could not be renewed during a wave");
                }
            }
        }
    }
}

struct Decided {
    plan: Plan,
    admitted: Admitted,
    pending: Vec<String>,
    position: RecordSeq,
    next_change: Option<OffsetDateTime>,
}

#[derive(Default)]
struct Ran {
    tried: usize,
    applied: u64,
    stop: bool,
    again: bool,
}

fn target_state(error: &TargetError) -> State {
    match error {
        TargetError::Unreachable { .. } => State::Unreachable,
        TargetError::NoToken { .. } => State::LoginRefused,
        TargetError::Unreadable { .. } => State::Refused,
        TargetError::Refused { refusal, .. } => match refusal.kind {
            RefusalKind::Paused => State::Paused,
            RefusalKind::Busy => State::Busy,
            RefusalKind::Login => State::LoginRefused,
            _ => State::Refused,
        },
    }
}
