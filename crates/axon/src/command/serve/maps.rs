//! The role map of a running server: the file is watched, and so is the store, where other processes put versions.
//!
//! ```text
//!  file (stamp twice the same, or SIGHUP) ── gate ── store ─┐
//!  push, revert, release, other replicas ────────── store ──┴── number moved ── parse ── targets ── controller
//! ```
//!
//! What cannot be taken up leaves the version in force as it is, and says so in readiness, metrics and log until something
//! better comes.

mod stamp;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axon_api::MapStanding;
use axon_controller::Controller;
use axon_controller::versions::{self, Altered, Gate, Refusal};
use axon_mapping::{RoleMap, TargetName};
use axon_model::MapVersion;
use axon_reconcile::Target;
use axon_store::maps::Expected;
use tokio::sync::{Notify, watch};

use crate::maps;
use crate::wiring::{Parts, proved_map};
use stamp::Stamp;

/// How often the file and the store are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// The store is looked at no oftener than that, however much is written.
const PAUSE: Duration = Duration::from_millis(100);

/// A version in force in this process, with its targets.
pub struct InForce {
    /// The map.
    pub map: Arc<RoleMap>,
    /// Its targets.
    pub targets: BTreeMap<TargetName, Arc<dyn Target>>,
}

/// Why the newest file or version is not in force.
struct Refused {
    way: &'static str,
    /// Said once: the same trouble is no news at the next look.
    words: String,
}

/// Keeps the role map of a running server.
pub struct MapKeeper {
    parts: Parts,
    gate: Gate,
    changes: watch::Sender<Arc<InForce>>,
    /// The number of the version that was looked at last, be it taken up or not.
    number: Mutex<u64>,
    file: Mutex<FileSeen>,
    refused: Mutex<BTreeMap<&'static str, Refused>>,
    look_now: Notify,
}

/// What is known of the file.
#[derive(Default)]
struct FileSeen {
    /// As it was when it was read last.
    read: Option<Stamp>,
    /// As it was at the last look.
    last: Option<Stamp>,
}

impl MapKeeper {
    /// Finds the version to begin with, and puts the file in force where it counts. A bad file keeps a server from starting
    /// where nothing is in force yet, and else leaves what is in force.
    pub async fn begin(parts: &Parts) -> anyhow::Result<Arc<Self>> {
        let gate = maps::gate(parts)?;
        let stamp = Stamp::of(&parts.config.role_map);
        let files = maps::configured(&parts.config);
        if parts.store.map_number().await?.is_none() {
            let files = match files? {
                Some(files) => files,
                // Says which file is missing.
                None => crate::wiring::map_files(&parts.config.role_map)?,
            };
            let map = proved_map(&files, &gate.registry)?;
            parts.targets(&map, None)?;
            let offer = maps::file_offer(files, Expected::Parent(None));
            match gate.offer(parts.store.as_ref(), offer, maps::file_act(parts)).await {
                // Another replica was first: what it put in force counts.
                Ok(_) | Err(Refusal::Moved(_)) => {}
                Err(refusal) => return Err(refusal.into()),
            }
        }
        let stored =
            versions::current(&*parts.store).await?.context("no version of the role map is in force")?;
        let map = maps::parse_stored(&stored.files, &gate.registry)?;
        let targets = parts.targets(&map, None)?;
        let (changes, _) = watch::channel(Arc::new(InForce { map: Arc::new(map), targets }));
        let keeper = Arc::new(Self {
            parts: parts.clone(),
            gate,
            changes,
            number: Mutex::new(stored.head.number),
            file: Mutex::new(FileSeen { read: None, last: stamp }),
            refused: Mutex::default(),
            look_now: Notify::new(),
        });
        keeper.look_at_file(true).await;
        keeper.look_at_store().await;
        Ok(keeper)
    }

    /// Follows the version in force.
    pub fn subscribe(&self) -> watch::Receiver<Arc<InForce>> {
        self.changes.subscribe()
    }

    /// The map in force.
    pub fn map(&self) -> Arc<RoleMap> {
        self.changes.borrow().map.clone()
    }

    /// What readiness says.
    pub fn standing(&self) -> MapStanding {
        let refused = lock(&self.refused).values().next().map(|refused| refused.way);
        MapStanding {
            version: self.changes.borrow().map.version().0.to_string(),
            state: if refused.is_some() { "refused" } else { "in-force" },
            refused,
        }
    }

    /// Looks at the file at once, as it is.
    pub fn look(&self) {
        self.look_now.notify_one();
    }

    /// Follows file and store until `stop` shows true.
    pub async fn follow(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut moved = self.parts.store.subscribe();
        loop {
            let mut asked = false;
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = self.look_now.notified() => asked = true,
                _ = moved.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
            self.look_at_file(asked).await;
            self.look_at_store().await;
            tokio::time::sleep(PAUSE).await;
            moved.borrow_and_update();
        }
    }

    /// Offers the file where it changed. One that still changes between two looks is not read yet, unless somebody asks.
    async fn look_at_file(&self, asked: bool) {
        let stamp = Stamp::of(&self.parts.config.role_map);
        {
            let mut seen = lock(&self.file);
            let is_still = stamp == seen.last;
            seen.last.clone_from(&stamp);
            if !asked && (stamp == seen.read || !is_still) {
                return;
            }
        }
        let files = match maps::configured(&self.parts.config) {
            // A file that went away says nothing: absence is not emptiness.
            Ok(None) => return self.file_is_read(stamp),
            Ok(Some(files)) => files,
            Err(error) => {
                // Also a file that is there again in a moment: it is looked at until it can be read.
                return self.refuse("file", &format!("{error:#}"), "unreadable");
            }
        };
        match maps::offer_file(&self.parts, &self.gate, files).await {
            Ok(_) => {
                self.clear("file");
                self.file_is_read(stamp);
            }
            // Somebody pushed in the same moment, or the store does not answer: the next look decides.
            Err(Refusal::Moved(_)) => {}
            Err(Refusal::Store(error)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the store cannot take the role map's file now"
                );
            }
            Err(refusal) => {
                self.refuse("file", &refusal.to_string(), refusal.as_str());
                self.file_is_read(stamp);
            }
        }
    }

    fn file_is_read(&self, stamp: Option<Stamp>) {
        lock(&self.file).read = stamp;
    }

    /// Takes up the store's newest version where it is another one.
    async fn look_at_store(&self) {
        let number = match self.parts.store.map_number().await {
            Ok(Some((number, _))) => number,
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "the store cannot be asked for the role map now"
                );
                return;
            }
        };
        if number == *lock(&self.number) {
            return;
        }
        match self.take_up().await {
            Ok(Some((number, version))) => {
                *lock(&self.number) = number;
                self.clear("store");
                tracing::info!(map = %version, "the version of the role map in force is taken up");
            }
            Ok(None) => {}
            Err(error) => {
                *lock(&self.number) = number;
                self.refuse("store", &format!("{error:#}"), "unusable");
            }
        }
    }

    async fn take_up(&self) -> anyhow::Result<Option<(u64, MapVersion)>> {
        let stored = match versions::current(&*self.parts.store).await {
            Ok(Some(stored)) => stored,
            Ok(None) | Err(Altered::Store(_)) => return Ok(None),
            Err(altered) => return Err(altered.into()),
        };
        let (registry, files) = (self.gate.registry.clone(), stored.files);
        let map = tokio::task::spawn_blocking(move || maps::parse_stored(&files, &registry)).await??;
        let before = self.changes.borrow().clone();
        let targets = if same_targets(&map, &before.map) {
            crate::wiring::can_be_carried_out(&map)?;
            before.targets.clone()
        } else {
            self.parts.targets(&map, None)?
        };
        let version = map.version().clone();
        self.changes.send_replace(Arc::new(InForce { map: Arc::new(map), targets }));
        Ok(Some((stored.head.number, version)))
    }

    fn refuse(&self, way: &'static str, words: &str, why: &'static str) {
        let mut refused = lock(&self.refused);
        if refused.get(way).is_some_and(|before| before.words == words) {
            return;
        }
        metrics::counter!("axon_map_refusals_total", "way" => way, "why" => why).increment(1);
        metrics::gauge!("axon_map_refused_bool").set(1.0);
        tracing::error!(way, why, in_force = %self.changes.borrow().map.version(), "the role map in force stays: {words}");
        refused.insert(way, Refused { way, words: words.to_owned() });
    }

    fn clear(&self, way: &'static str) {
        let mut refused = lock(&self.refused);
        refused.remove(way);
        metrics::gauge!("axon_map_refused_bool").set(if refused.is_empty() { 0.0 } else { 1.0 });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the controller on the version in force until `stop` shows true. Loops are begun anew only where the targets differ.
pub async fn reconcile(
    controller: Arc<Controller>,
    mut changes: watch::Receiver<Arc<InForce>>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let now = changes.borrow_and_update().clone();
        controller.forget_other_targets(now.targets.keys());
        let (map, seen) = watch::channel(now.map.clone());
        let (end, ended) = watch::channel(false);
        let running = controller.run(now.targets.clone(), seen, ended);
        tokio::pin!(running);
        let mut is_running = true;
        loop {
            tokio::select! {
                () = &mut running, if is_running => is_running = false,
                () = stopped(&mut stop) => {
                    end.send_replace(true);
                    if is_running {
                        running.await;
                    }
                    return;
                }
                told = changes.changed() => {
                    if told.is_err() {
                        return;
                    }
                    let next = changes.borrow_and_update().clone();
                    if same_targets(&next.map, &now.map) {
                        map.send_replace(next.map.clone());
                        continue;
                    }
                    tracing::info!("the role map names other targets: their loops begin anew");
                    end.send_replace(true);
                    if is_running {
                        running.await;
                    }
                    changes.mark_changed();
                    break;
                }
            }
        }
    }
}

/// Waits until it shows true.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn same_targets(a: &RoleMap, b: &RoleMap) -> bool {
    a.targets.len() == b.targets.len()
        && a.targets.iter().zip(&b.targets).all(|((name, x), (other, y))| {
            name == other
                && (x.kind, &x.endpoint, &x.workspace, &x.auth)
                    == (y.kind, &y.endpoint, &y.workspace, &y.auth)
                && defined(a, name) == defined(b, name)
        })
}

/// What a map makes in a target, wherever it says so.
fn defined<'m>(
    map: &'m RoleMap,
    target: &TargetName,
) -> Vec<(axon_model::SqlName, &'m str, [&'m [String]; 4])> {
    let of_target = map.roles.values().filter_map(|role| role.define.get(target));
    let said = |one: &'m axon_mapping::DefinedRole| {
        let lists = [&one.actions, &one.not_actions, &one.data_actions, &one.not_data_actions];
        (one.name, one.description.as_str(), lists.map(Vec::as_slice))
    };
    of_target.map(said).collect()
}
