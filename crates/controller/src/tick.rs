//! One tick on one target: from what is, and what ought to be, to the steps between.

mod acquaintance;
mod borne;
mod brakes;
mod breaking;
mod classified;
mod clock;
mod conclude;
mod counted;
mod decide;
mod draft;
mod drift;
mod given;
mod holding;
mod known;
mod lacking;
mod leaving;
mod lingering;
mod noticed;
mod owed;
mod probing;
mod renew;
mod scripted;
mod secure;
mod stripped;
mod tombstones;
mod weigh;
mod work;

use std::collections::BTreeSet;
use std::sync::Arc;

use axon_audit::NewRecord;
use axon_mapping::{Claimant, RoleMap, TargetName};
use axon_model::{Actor, Clock, IdSource, PlanId, RecordSeq, SqlName};
use axon_reconcile::admit::{Admitted, History};
use axon_reconcile::{LeaseProof, Plan, Target};
use axon_store::{Act, Notes, Store};
use time::{Duration, OffsetDateTime};
use tokio::sync::{Mutex, watch};

use crate::blocked::BlockedSteps;
use crate::error::ControllerError;
use crate::execute::WAVE;
use crate::made::Made;
use crate::spool::Spool;
use crate::summary::{State, Summary};
use crate::world::World;
pub use acquaintance::capabilities_key;
use borne::Borne;
use brakes::Brakes;
use clock::Clocks;
pub use clock::{EventAttribute, LeaverSettings, shuts_out};
use decide::May;
pub use drift::{Drift, DriftKind};
use holding::Holding;
pub use holding::{EXCEPTED, announcement};
use known::Known;
use leaving::Leaving;
use noticed::Noticed;
pub use noticed::Past as PastDrift;
pub use probing::{ProbeReport, ProbeSettings, Probed, probe_key};
use renew::MadeFor;
pub use scripted::{script_notes, script_record};
pub use secure::{accept_key, known_keys};
pub use tombstones::{Tombstone, Tombstones, tombstones_key};
use work::{LEASE, Ran};

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
    /// What people should know of the target, and nothing waits for.
    pub notes: Vec<String>,
    /// What is there although nobody asked Axon for it.
    pub drift: Vec<Drift>,
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
#[expect(clippy::struct_excessive_bools, reason = "four facts that change apart from each other")]
pub struct Ticker {
    name: TargetName,
    target: Arc<dyn Target>,
    store: Arc<dyn Store>,
    world: Arc<Mutex<World>>,
    clock: Arc<dyn Clock>,
    ids: Arc<IdSource>,
    holder: String,
    inspect_every: Duration,
    /// The most steps of one wave.
    wave: usize,
    actual: Option<Known>,
    /// Who was in the target when it was reached last, where it is not reached now and nobody else worked on it since.
    seen_last: Option<BTreeSet<SqlName>>,
    /// The lease's generation under which what the store keeps was read; none where somebody else was at work meanwhile. It
    /// outlives `actual`: a tick that failed, or found somebody else at work, must not hide what others did since.
    kept_under: Option<u64>,
    blocked: BlockedSteps,
    history: History,
    history_loaded: bool,
    holding: Holding,
    made: Made,
    brakes: Brakes,
    /// Principals that stay managed whatever becomes of their people, as the store has them.
    remembered: BTreeSet<SqlName>,
    remembered_loaded: bool,
    /// Those that the store could not take yet.
    unkept: BTreeSet<SqlName>,
    leaving: Leaving,
    borne: Borne,
    tombs: tombstones::Keeping,
    /// Whom this run shut out and whose rows were not read since.
    stripped: BTreeSet<SqlName>,
    clocks: Arc<Mutex<Clocks>>,
    /// Whether somebody else may have changed the clocks.
    clocks_moved: bool,
    /// Which version the target was when it was asked what it can do, and at which look.
    acquainted: Option<((String, i64), OffsetDateTime)>,
    noticed: Noticed,
    views: secure::Views,
    probing: probing::Probing,
    classified: classified::Classified,
    made_for: MadeFor,
    /// Who is given nothing because a source may not speak for the name.
    outsiders: BTreeSet<Claimant>,
    /// The last decision that was recorded, and the plan's id in its record.
    last_decision: Option<(u64, Option<PlanId>)>,
    last_trouble: Option<State>,
    /// Up to which record the last decision knew of names, holds and requests: what all targets share may know more by now.
    names_seen: RecordSeq,
    /// Up to here in the journal nobody left, where that was asked between two ticks.
    nobody_left_upto: RecordSeq,
    owed: Vec<NewRecord>,
    /// What is to be noted with them.
    owed_notes: Notes,
    /// Where they survive this process.
    spool: Spool,
    /// How often in a row a connection broke under a statement.
    broken: u32,
    /// Whether something was taken without a written lease since the lease was written last.
    unwritten_lease: bool,
    summary: Summary,
    /// Where a newer map shows, so that a long run of an old one ends between two waves.
    newer: Option<watch::Receiver<Arc<RoleMap>>>,
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
    /// A folder for records that the journal cannot take.
    pub spool: Option<std::path::PathBuf>,
    /// When views are probed.
    pub probe: ProbeSettings,
}

impl Ticker {
    /// A ticker that knows nothing yet.
    pub fn new(parts: TickerParts) -> Self {
        let spool = Spool::of(parts.spool.as_deref(), parts.name.as_str());
        let clocks = Clocks::of(parts.name.as_str(), LeaverSettings::default());
        Self {
            name: parts.name,
            target: parts.target,
            store: parts.store,
            world: parts.world,
            clock: parts.clock,
            ids: parts.ids,
            holder: parts.holder,
            inspect_every: parts.inspect_every,
            wave: WAVE,
            actual: None,
            seen_last: None,
            kept_under: None,
            blocked: BlockedSteps::default(),
            history: History::default(),
            history_loaded: false,
            holding: Holding::default(),
            made: Made::default(),
            brakes: Brakes::default(),
            remembered: BTreeSet::new(),
            remembered_loaded: false,
            unkept: BTreeSet::new(),
            leaving: Leaving::default(),
            borne: Borne::default(),
            tombs: tombstones::Keeping::default(),
            stripped: BTreeSet::new(),
            clocks: Arc::new(Mutex::new(clocks)),
            clocks_moved: false,
            acquainted: None,
            noticed: Noticed::default(),
            views: secure::Views::default(),
            probing: probing::Probing::of(parts.probe),
            classified: classified::Classified::default(),
            made_for: MadeFor::default(),
            outsiders: BTreeSet::new(),
            last_decision: None,
            last_trouble: None,
            names_seen: RecordSeq(0),
            nobody_left_upto: RecordSeq(0),
            owed: Vec::new(),
            owed_notes: Notes::default(),
            spool,
            broken: 0,
            unwritten_lease: false,
            summary: Summary::starting(),
            newer: None,
        }
    }

    /// Applies at most so many steps in one wave.
    #[must_use]
    pub fn in_waves_of(self, most: usize) -> Self {
        Self { wave: most.max(1), ..self }
    }

    /// Times people who left.
    #[must_use]
    pub fn timing(self, leavers: LeaverSettings) -> Self {
        let clocks = Clocks::of(self.name.as_str(), leavers);
        Self { clocks: Arc::new(Mutex::new(clocks)), ..self }
    }

    /// Ends runs between two waves as soon as another map shows here.
    pub(crate) fn follow_maps(&mut self, maps: watch::Receiver<Arc<RoleMap>>) {
        self.newer = Some(maps);
    }

    /// What a tick would do now. Takes no lease, records and changes nothing.
    pub async fn preview(&mut self, map: &Arc<RoleMap>) -> Result<Preview, ControllerError> {
        let now = self.clock.now();
        self.inspect(now).await?;
        self.recall().await;
        let mut decided = self.decide_able(map, May::Look, now).await?;
        decided.pending.extend(self.lacking(now));
        self.noticed.load(self.store.as_ref(), self.name.as_str()).await?;
        let drift = self.drift(&decided);
        Ok(Preview {
            drift,
            plan: decided.plan,
            admitted: decided.admitted,
            pending: decided.pending,
            unseen: decided.unseen,
            notes: self.notes(),
        })
    }

    /// One tick. Whatever happens, the summary says so; an error is in it and in the journal.
    #[tracing::instrument(name = "reconcile.tick", skip_all, fields(target = %self.name))]
    pub async fn tick(&mut self, map: &Arc<RoleMap>) -> Tick {
        let began = self.clock.now();
        if let Some(newer) = &mut self.newer {
            newer.mark_unchanged();
        }
        let outcome = self.try_tick(map).await;
        let now = self.clock.now();
        let took = (now - began).as_seconds_f64();
        metrics::histogram!("axon_reconcile_tick_seconds").record(took.max(0.0));
        match outcome {
            Ok(tick) => {
                if tick.summary.state != State::Elsewhere {
                    self.settle_leavers(now).await;
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

    /// Where the journal cannot take what gives, what takes away goes on alone; the trouble stays in the summary.
    async fn try_tick(&mut self, map: &Arc<RoleMap>) -> Result<Tick, ControllerError> {
        self.pay_owed().await;
        match self.attempt(map, May::All).await {
            Err(ControllerError::Unrecorded(cause)) => {
                self.attempt(map, May::Take).await?;
                Err(ControllerError::Unrecorded(cause))
            }
            other => other,
        }
    }

    async fn attempt(&mut self, map: &Arc<RoleMap>, may: May) -> Result<Tick, ControllerError> {
        let now = self.clock.now();
        self.leaving.begin();
        self.heed_others(now).await?;
        self.follow_leavers(map, now).await;
        self.end_requests(now).await;
        self.holding.follow(self.store.as_ref(), self.name.as_str()).await?;
        if self.actual.as_ref().is_some_and(|known| self.holding.seen_elsewhere_since(known.at)) {
            self.actual = None;
        }
        if self.summary.state == State::Elsewhere && !self.is_alone(now).await? {
            // Nothing can be done until the other one gives the lease back: the target is not read for it.
            return Ok(self.elsewhere(now));
        }
        if self.target.script().is_some() {
            return self.attempt_script(map, may, now).await;
        }
        self.refresh(now).await?;
        self.target.settle().await;
        if self.leaving.suspects() || self.leaving.is_blind() {
            self.look_for_lingering().await?;
        }
        self.acquaint().await;
        let decided = self.decide_able(map, may, now).await?;
        self.notice_drift(&decided).await;
        if decided.admitted.steps().is_empty() {
            if !self.was_read_alone(now).await? {
                // Whoever was at work there may have changed it since it was read, and wakes nobody by that.
                return Ok(self.elsewhere(now));
            }
            // Nothing is to be applied, so no lease is taken; what is withheld has its record all the same.
            self.record_decision(&decided, map, may, now).await?;
            self.count_unwritten_lease(now).await;
            let mut tick = self.conclude(&decided, &Ran::default());
            if may == May::All {
                self.clear_left_canary(map).await;
                self.probe_due(map, now, &mut tick).await;
            }
            return Ok(tick);
        }
        let Some(lease) = self.lease(may, now).await? else {
            return Ok(self.elsewhere(now));
        };
        let ticked = Box::pin(self.under_lease(map, may, lease.clone(), decided, now)).await;
        self.give_back(&lease).await;
        ticked
    }

    /// Who left ends what was asked for, whether or not the target can be reached. A store that does not answer is asked again when
    /// the target is decided on.
    async fn end_requests(&self, now: OffsetDateTime) {
        let act = Act { actor: Actor::Axon, request: None, now, ids: self.ids.clone() };
        let mut world = self.world.lock().await;
        let ended = match world.follow(self.store.as_ref(), now).await {
            Ok(()) => world.end_requests(self.store.as_ref(), &act).await,
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the end of a request has no record yet");
        }
    }

    /// What is said while somebody else holds the lease. They change the target: what is known here is out of date.
    fn elsewhere(&mut self, now: OffsetDateTime) -> Tick {
        self.actual = None;
        self.see_no_more(None);
        self.summary.state = State::Elsewhere;
        self.summary.trouble = None;
        Tick { summary: self.summary.clone(), next: Some(now + Duration::seconds(1)), again: false }
    }

    /// A lease that cannot be given back runs out by itself.
    async fn give_back(&self, lease: &LeaseProof) {
        if let Err(error) = self.store.release_lease(lease).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the lease could not be given back");
        }
    }

    /// The lease, to work under. A store that takes no writes keeps no lease either: what takes away then goes on where nobody
    /// else is seen to hold it, since to take twice is to take once.
    async fn lease(&mut self, may: May, now: OffsetDateTime) -> Result<Option<LeaseProof>, ControllerError> {
        let failed = match self.store.try_lease(self.name.as_str(), &self.holder, LEASE, now).await {
            Ok(lease) => {
                self.unwritten_lease &= lease.is_none();
                return Ok(lease);
            }
            Err(error) if may == May::Take => error,
            Err(error) => return Err(ControllerError::Unrecorded(error)),
        };
        let last = self.store.lease(self.name.as_str()).await?;
        if last.as_ref().is_some_and(|lease| lease.holder != self.holder && now < lease.until) {
            return Ok(None);
        }
        tracing::warn!(
            error = &failed as &dyn std::error::Error,
            "the lease cannot be written: what takes away goes on without it"
        );
        self.unwritten_lease = true;
        let generation = last.map_or(0, |lease| lease.generation);
        let (target, holder) = (self.name.to_string(), self.holder.clone());
        Ok(Some(LeaseProof::taken(target, holder, generation, now + LEASE)))
    }

    /// Other processes know by the lease's count that somebody worked on the target. What was taken without a written lease is
    /// counted as soon as the store can write again, so that none of them takes for given what is gone.
    async fn count_unwritten_lease(&mut self, now: OffsetDateTime) {
        if !self.unwritten_lease {
            return;
        }
        let Ok(Some(lease)) = self.store.try_lease(self.name.as_str(), &self.holder, LEASE, now).await else {
            return;
        };
        self.unwritten_lease = false;
        // What others did between the look and this is not known here.
        match &mut self.actual {
            Some(known) if known.holds_under(lease.generation()) => {
                known.generation = Some(lease.generation());
            }
            _ => self.forget_actual(),
        }
        self.kept_under = Some(lease.generation());
        if let Err(error) = self.store.release_lease(&lease).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the lease could not be given back");
        }
    }

    /// Whether somebody released or rejected something, or names were bound, since the last look. A store that does not answer
    /// is asked again by the next tick.
    pub(crate) async fn names_moved(&self) -> bool {
        self.world.lock().await.names_moved(self.names_seen, self.store.as_ref()).await.unwrap_or(true)
    }

    /// The causes up to the last tick that left nothing to do have had their effect.
    pub async fn settled(&self) {
        self.world.lock().await.settled(&self.name, self.summary.settled);
    }
}
