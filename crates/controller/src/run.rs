//! The loops: one per target, woken by writes, a timer, a new map and the start.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use axon_audit::SigningKey;
use axon_mapping::identity::SourceClaims;
use axon_mapping::{RoleMap, TargetName};
use axon_model::{Clock, IdSource, RecordSeq, SourceId};
use axon_reconcile::{Retry, Target};
use axon_store::{Since, Store};
use time::OffsetDateTime;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use crate::breaker::{Breaker, Standing, pause};
use crate::execute::WAVE;
use crate::summary::{State, Summary};
use crate::tick::{LeaverSettings, ProbeSettings, Tick, Ticker, TickerParts};
use crate::world::World;

/// How the controller behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How often a target is read whole.
    pub inspect_every: time::Duration,
    /// How soon a failed tick is tried again; doubles up to a minute.
    pub retry: std::time::Duration,
    /// Who holds leases: one name per process.
    pub holder: String,
    /// What each source may say of people.
    pub claims: BTreeMap<SourceId, SourceClaims>,
    /// For how long a hold waits for an answer; for ever, if there is no such time.
    pub hold_for: Option<time::Duration>,
    /// A folder for records of taking steps that the journal cannot take; in memory only, if there is none.
    pub spool: Option<PathBuf>,
}

impl Settings {
    fn world(&self) -> World {
        World::of(self.claims.clone()).holding_for(self.hold_for)
    }
}

/// Another process may write to the same store; its commits wake nobody here.
const LOOK: std::time::Duration = std::time::Duration::from_secs(1);

type States = Arc<RwLock<BTreeMap<String, (State, Standing)>>>;

/// The controller of all targets.
pub struct Controller {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<IdSource>,
    settings: Settings,
    world: Arc<Mutex<World>>,
    states: States,
    wave: usize,
    probe: ProbeSettings,
    signing: Option<Arc<SigningKey>>,
    leavers: LeaverSettings,
}

impl Controller {
    /// A controller that runs nothing yet.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, ids: Arc<IdSource>, settings: Settings) -> Self {
        let world = Arc::new(Mutex::new(settings.world()));
        let (wave, probe, leavers) = (WAVE, ProbeSettings::default(), LeaverSettings::default());
        let states = States::default();
        Self { store, clock, ids, settings, world, states, wave, probe, signing: None, leavers }
    }

    /// The same, which probes secure views.
    #[must_use]
    pub fn probing(self, probe: ProbeSettings) -> Self {
        Self { probe, ..self }
    }

    /// The same, which signs the journal after what was found of a view.
    #[must_use]
    pub fn signing(self, signing: Option<Arc<SigningKey>>) -> Self {
        Self { signing, ..self }
    }

    /// The same, which times people who leave.
    #[must_use]
    pub fn timing(self, leavers: LeaverSettings) -> Self {
        Self { leavers, ..self }
    }

    /// The same, whose waves have at most so many steps.
    #[must_use]
    pub fn in_waves_of(self, most: usize) -> Self {
        Self { wave: most, ..self }
    }

    /// A ticker for one target, to be run by hand.
    pub fn ticker(&self, name: TargetName, target: Arc<dyn Target>) -> Ticker {
        Ticker::new(TickerParts {
            name,
            target,
            store: self.store.clone(),
            world: self.world.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            holder: self.settings.holder.clone(),
            inspect_every: self.settings.inspect_every,
            spool: self.settings.spool.clone(),
            probe: self.probe,
        })
        .in_waves_of(self.wave)
        .timing(self.leavers.clone())
        .signing(self.signing.clone())
    }

    /// Where each target stands.
    pub fn states(&self) -> BTreeMap<String, State> {
        let states = self.states.read().unwrap_or_else(PoisonError::into_inner);
        states.iter().map(|(name, (state, _))| (name.clone(), *state)).collect()
    }

    /// How the circuit breaker of each target stands.
    pub fn breakers(&self) -> BTreeMap<String, Standing> {
        let states = self.states.read().unwrap_or_else(PoisonError::into_inner);
        states.iter().map(|(name, (_, standing))| (name.clone(), *standing)).collect()
    }

    /// Forgets where targets stand that are not among these: the map does not name them any more.
    pub fn forget_other_targets<'t>(&self, known: impl Iterator<Item = &'t TargetName>) {
        let known: std::collections::BTreeSet<&str> = known.map(TargetName::as_str).collect();
        let mut states = self.states.write().unwrap_or_else(PoisonError::into_inner);
        states.retain(|name, _| {
            let stays = known.contains(name.as_str());
            if !stays {
                quiet(name);
            }
            stays
        });
    }

    /// Runs one loop per target until `stop` says true. A wave that has begun is finished and recorded. A loop that panics is
    /// begun anew with a directory that is read anew: a defect in one place must not leave a target unattended.
    pub async fn run(
        &self,
        targets: BTreeMap<TargetName, Arc<dyn Target>>,
        map: watch::Receiver<Arc<RoleMap>>,
        stop: watch::Receiver<bool>,
    ) {
        let mut loops = JoinSet::new();
        let mut running = BTreeMap::new();
        for (name, target) in targets {
            self.note(name.as_str(), &Summary::starting());
            let turn = self.turn(&name, target.clone(), &map, &stop);
            running.insert(loops.spawn(turn.run()).id(), (name, target, 0_u32));
        }
        while let Some(ended) = loops.join_next_with_id().await {
            let Err(error) = ended else { continue };
            let Some((name, target, panics)) = running.remove(&error.id()) else { continue };
            if !error.is_panic() {
                continue;
            }
            tracing::error!(target.name = %name, "the loop of a target panicked: it begins anew");
            *self.world.lock().await = self.settings.world();
            self.note(name.as_str(), &Summary { state: State::Refused, ..Summary::starting() });
            let mut turn = self.turn(&name, target.clone(), &map, &stop);
            let wait = pause(self.settings.retry, panics);
            let restarted = async move {
                if turn.wait_for_time(wait).await {
                    Box::pin(turn.run()).await;
                }
            };
            running.insert(loops.spawn(restarted).id(), (name, target, panics.saturating_add(1)));
        }
    }

    fn turn(
        &self,
        name: &TargetName,
        target: Arc<dyn Target>,
        map: &watch::Receiver<Arc<RoleMap>>,
        stop: &watch::Receiver<bool>,
    ) -> Loop {
        let mut ticker = self.ticker(name.clone(), target);
        ticker.follow_maps(map.clone());
        Loop {
            name: name.as_str().to_owned(),
            ticker,
            moved: self.store.subscribe(),
            map: map.clone(),
            stop: stop.clone(),
            store: self.store.clone(),
            clock: self.clock.clone(),
            breaker: Breaker::new(self.settings.retry),
            store_pause: StorePause { first: self.settings.retry, failures: 0 },
            states: self.states.clone(),
        }
    }

    fn note(&self, name: &str, summary: &Summary) {
        note(&self.states, name, summary);
    }
}

fn note(states: &States, name: &str, summary: &Summary) {
    let standing = summary.breaker.as_ref().map_or(Standing::Closed, |breaking| breaking.standing);
    states.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), (summary.state, standing));
    let target = name.to_owned();
    metrics::gauge!("axon_target_waiting_steps", "target" => target.clone())
        .set(count(summary.waiting_total));
    metrics::gauge!("axon_target_settled_position", "target" => target.clone()).set(count(summary.settled.0));
    let open = if standing == Standing::Closed { 0.0 } else { 1.0 };
    metrics::gauge!("axon_target_breaker_open_bool", "target" => target.clone()).set(open);
    let converged = if summary.state == State::Converged { 1.0 } else { 0.0 };
    metrics::gauge!("axon_target_converged_bool", "target" => target).set(converged);
}

/// Nothing is asked of a target that the map does not name any more: no alert is to stay lit for its sake.
fn quiet(name: &str) {
    metrics::gauge!("axon_target_converged_bool", "target" => name.to_owned()).set(1.0);
    let still = ["axon_target_waiting_steps", "axon_target_breaker_open_bool", "axon_leaver_overdue_bool"];
    for gauge in still.into_iter().chain(["axon_leaver_oldest_open_seconds"]) {
        metrics::gauge!(gauge, "target" => name.to_owned()).set(0.0);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn count(n: u64) -> f64 {
    n as f64
}

struct Loop {
    name: String,
    ticker: Ticker,
    moved: watch::Receiver<RecordSeq>,
    map: watch::Receiver<Arc<RoleMap>>,
    stop: watch::Receiver<bool>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    breaker: Breaker,
    store_pause: StorePause,
    states: States,
}

/// The store's own failures say nothing of the target.
struct StorePause {
    first: std::time::Duration,
    failures: u32,
}

impl Loop {
    /// Until it is stopped. The clocks of people who left go on beside a tick that waits.
    async fn run(self) {
        let beat = self.ticker.beat();
        tokio::select! {
            () = self.turns() => {}
            () = beat.run() => {}
        }
    }

    async fn turns(mut self) {
        loop {
            if *self.stop.borrow() {
                return;
            }
            self.moved.borrow_and_update();
            let map = self.map.borrow_and_update().clone();
            let tick = self.ticker.tick(&map).await;
            if tick.summary.trouble.is_none() {
                self.breaker.succeeded();
                self.store_pause.failures = 0;
            }
            note(&self.states, &self.name, &tick.summary);
            if tick.again {
                continue;
            }
            if tick.summary.trouble.is_none() {
                self.ticker.settled().await;
                // The records that the tick itself wrote wake nobody.
                let seen = self.wait_for_change(tick.summary.position, tick.next).await;
                if !seen {
                    return;
                }
            } else {
                let wait = self.failed(&tick).await;
                if !self.wait_for_time(wait).await {
                    return;
                }
                self.breaker.try_again();
                self.show_breaker().await;
            }
        }
    }

    /// Takes note of a failure, and tells how long it is waited.
    async fn failed(&mut self, tick: &Tick) -> std::time::Duration {
        let now = self.clock.now();
        let chance = self.ticker.chance(now);
        if tick.summary.state == State::StoreFailed {
            let wait = pause(self.store_pause.first, self.store_pause.failures);
            self.store_pause.failures = self.store_pause.failures.saturating_add(1);
            return wait;
        }
        let asked = tick.next.map_or(time::Duration::ZERO, |at| at - now);
        let was = self.breaker.standing();
        let wait = self.breaker.failed(tick.summary.state, asked.try_into().unwrap_or_default(), chance, now);
        let (target, state) = (self.name.clone(), tick.summary.state.as_str());
        metrics::counter!("axon_target_failures_total", "target" => target.clone(), "state" => state)
            .increment(1);
        if was == Standing::Closed && self.breaker.standing() == Standing::Open {
            metrics::counter!("axon_target_breaker_opened_total", "target" => target).increment(1);
            tracing::warn!(target.name = %self.name, state, "the target is asked seldom from now on, until it answers");
        }
        self.show_breaker().await;
        wait
    }

    async fn show_breaker(&mut self) {
        let summary = self.ticker.show_breaker(self.breaker.shown(), self.clock.now()).await;
        note(&self.states, &self.name, &summary);
    }

    /// Waits until the directory or the map moved, or the time has come. False: stop.
    async fn wait_for_change(&mut self, position: RecordSeq, next: Option<OffsetDateTime>) -> bool {
        let mut looked = position;
        loop {
            let left = next.map_or(LOOK, |at| {
                let left = at - self.clock.now();
                std::time::Duration::try_from(left).unwrap_or_default().min(LOOK)
            });
            tokio::select! {
                changed = self.stop.changed() => { if changed.is_err() || *self.stop.borrow() { return false } }
                changed = self.map.changed() => { return changed.is_ok() }
                changed = self.moved.changed() => { if changed.is_err() { return false } }
                () = tokio::time::sleep(left) => {}
            }
            if next.is_some_and(|at| self.clock.now() >= at) {
                return true;
            }
            // A long run wrote any number of records itself: all of them are looked through before it is waited again.
            let before = looked;
            loop {
                match self.store.deltas_since(looked, 2_000).await {
                    Ok(Since::Deltas { deltas, upto }) if deltas.is_empty() => {
                        if upto <= looked {
                            break;
                        }
                        looked = upto;
                    }
                    Ok(Since::Deltas { .. } | Since::Reload) => return true,
                    Err(error) if error.retry() == Retry::Never => return true,
                    Err(_) => break,
                }
            }
            if looked > before && self.ticker.names_moved().await {
                return true;
            }
        }
    }

    /// Waits until the time has come, the map is another, or somebody left who must not wait for a breaker. False: stop.
    async fn wait_for_time(&mut self, wait: std::time::Duration) -> bool {
        let mut over = std::pin::pin!(tokio::time::sleep(wait));
        loop {
            tokio::select! {
                changed = self.stop.changed() => { if changed.is_err() || *self.stop.borrow() { return false } }
                changed = self.map.changed() => { return changed.is_ok() }
                () = &mut over => { return true }
                () = tokio::time::sleep(LOOK) => {}
            }
            if self.breaker.may_try_early(self.clock.now()) && self.ticker.somebody_left().await {
                return true;
            }
        }
    }
}
