//! The loops: one per target, woken by writes, a timer, a new map and the start.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use axon_mapping::identity::SourceClaims;
use axon_mapping::{RoleMap, TargetName};
use axon_model::{Clock, IdSource, RecordSeq, SourceId};
use axon_reconcile::{Retry, Target};
use axon_store::Store;
use time::OffsetDateTime;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use crate::summary::{State, Summary};
use crate::tick::{Ticker, TickerParts};
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
}

impl Settings {
    fn world(&self) -> World {
        World::of(self.claims.clone()).holding_for(self.hold_for)
    }
}

/// Another process may write to the same store; its commits wake nobody here.
const LOOK: std::time::Duration = std::time::Duration::from_secs(1);
const SLOWEST: std::time::Duration = std::time::Duration::from_mins(1);

type States = Arc<RwLock<BTreeMap<String, State>>>;

/// The controller of all targets.
pub struct Controller {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<IdSource>,
    settings: Settings,
    world: Arc<Mutex<World>>,
    states: States,
}

impl Controller {
    /// A controller that runs nothing yet.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, ids: Arc<IdSource>, settings: Settings) -> Self {
        let world = Arc::new(Mutex::new(settings.world()));
        Self { store, clock, ids, settings, world, states: States::default() }
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
        })
    }

    /// Where each target stands.
    pub fn states(&self) -> BTreeMap<String, State> {
        self.states.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets where targets stand that are not among these: the map does not name them any more.
    pub fn forget_other_targets<'t>(&self, known: impl Iterator<Item = &'t TargetName>) {
        let known: std::collections::BTreeSet<&str> = known.map(TargetName::as_str).collect();
        let mut states = self.states.write().unwrap_or_else(PoisonError::into_inner);
        states.retain(|name, _| known.contains(name.as_str()));
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
            let turn = self.turn(name.clone(), target.clone(), &map, &stop);
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
            let mut turn = self.turn(name.clone(), target.clone(), &map, &stop);
            let wait = pause(self.settings.retry, panics);
            let restarted = async move {
                if turn.wait_for_time(wait).await {
                    turn.run().await;
                }
            };
            running.insert(loops.spawn(restarted).id(), (name, target, panics.saturating_add(1)));
        }
    }

    fn turn(
        &self,
        name: TargetName,
        target: Arc<dyn Target>,
        map: &watch::Receiver<Arc<RoleMap>>,
        stop: &watch::Receiver<bool>,
    ) -> Loop {
        Loop {
            name: name.as_str().to_owned(),
            ticker: self.ticker(name, target),
            moved: self.store.subscribe(),
            map: map.clone(),
            stop: stop.clone(),
            store: self.store.clone(),
            clock: self.clock.clone(),
            retry: self.settings.retry,
            states: self.states.clone(),
        }
    }

    fn note(&self, name: &str, summary: &Summary) {
        note(&self.states, name, summary);
    }
}

fn note(states: &States, name: &str, summary: &Summary) {
    states.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), summary.state);
    let target = name.to_owned();
    metrics::gauge!("axon_target_waiting_steps", "target" => target.clone())
        .set(count(summary.waiting_total));
    metrics::gauge!("axon_target_settled_position", "target" => target.clone()).set(count(summary.settled.0));
    let converged = if summary.state == State::Converged { 1.0 } else { 0.0 };
    metrics::gauge!("axon_target_converged_bool", "target" => target).set(converged);
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn count(n: u64) -> f64 {
    n as f64
}

/// How long it is waited after so many failures in a row.
fn pause(first: std::time::Duration, failures: u32) -> std::time::Duration {
    first.saturating_mul(1 << failures.min(5)).min(SLOWEST)
}

struct Loop {
    name: String,
    ticker: Ticker,
    moved: watch::Receiver<RecordSeq>,
    map: watch::Receiver<Arc<RoleMap>>,
    stop: watch::Receiver<bool>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    retry: std::time::Duration,
    states: States,
}

impl Loop {
    async fn run(mut self) {
        let mut failures = 0_u32;
        loop {
            if *self.stop.borrow() {
                return;
            }
            self.moved.borrow_and_update();
            let map = self.map.borrow_and_update().clone();
            let tick = self.ticker.tick(&map).await;
            note(&self.states, &self.name, &tick.summary);
            if tick.again {
                continue;
            }
            if tick.summary.trouble.is_none() {
                failures = 0;
                self.ticker.settled().await;
                // The records that the tick itself wrote wake nobody.
                let seen = self.wait_for_change(tick.summary.position, tick.next).await;
                if !seen {
                    return;
                }
            } else {
                let asked = tick.next.map_or(time::Duration::ZERO, |at| at - self.clock.now());
                let wait = pause(self.retry, failures).max(asked.try_into().unwrap_or_default());
                failures = failures.saturating_add(1);
                if !self.wait_for_time(wait).await {
                    return;
                }
            }
        }
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
            match self.store.deltas_since(looked, 2_000).await {
                Ok(axon_store::Since::Deltas { deltas, upto }) => {
                    if !deltas.is_empty() {
                        return true;
                    }
                    if upto > looked && self.ticker.names_moved().await {
                        return true;
                    }
                    looked = looked.max(upto);
                }
                Ok(axon_store::Since::Reload) => return true,
                Err(error) => {
                    if error.retry() == Retry::Never {
                        return true;
                    }
                }
            }
        }
    }

    async fn wait_for_time(&mut self, wait: std::time::Duration) -> bool {
        tokio::select! {
            changed = self.stop.changed() => changed.is_ok() && !*self.stop.borrow(),
            changed = self.map.changed() => changed.is_ok(),
            () = tokio::time::sleep(wait) => true,
        }
    }
}
