//! The work of one tick under the lease: wave after wave, until all is done, something moved, or the target balked.

use std::sync::Arc;

use axon_mapping::RoleMap;
use axon_model::{Actor, Clock, PlanId, RecordSeq, RunId};
use axon_reconcile::{LeaseProof, Planned, RefusalKind, Retry, Step, StepKind, TargetError};
use axon_store::{Removal, Since, Store};
use time::{Duration, OffsetDateTime};

use super::counted::counted;
use super::decide::{Decided, May};
use super::{Tick, Ticker};
use crate::cause::Causes;
use crate::error::ControllerError;
use crate::execute::{Executor, Waved, not_answered, wave_length};
use crate::made;
use crate::record::{Placed, Recorder};

/// How long a lease is taken for. A process that dies is followed after this.
pub(super) const LEASE: Duration = Duration::seconds(10);
/// How often it is renewed while a wave runs.
const RENEW: std::time::Duration = std::time::Duration::from_secs(3);

/// Records looked at in one go between two waves.
const SOME: u32 = 1_000;

/// How far a tick got.
#[derive(Default)]
pub(super) struct Ran {
    pub(super) tried: usize,
    pub(super) applied: u64,
    pub(super) stop: bool,
    pub(super) again: bool,
}

impl Ticker {
    pub(super) async fn under_lease(
        &mut self,
        map: &Arc<RoleMap>,
        may: May,
        mut lease: LeaseProof,
        decided: Decided,
        now: OffsetDateTime,
    ) -> Result<Tick, ControllerError> {
        // Somebody else may have changed the target between the look at it and the lease.
        let unchanged = self.actual.as_ref().is_some_and(|known| known.holds_under(lease.generation()));
        let decided = if unchanged {
            decided
        } else {
            let (store, clock) = (self.store.clone(), self.clock.clone());
            let look = async {
                self.forget_actual();
                self.refresh(now).await?;
                self.decide_able(map, may, now).await
            };
            keep_lease(store.as_ref(), clock.as_ref(), &lease, look).await?
        };
        if let Some(known) = &mut self.actual {
            known.generation = Some(lease.generation());
        }
        self.kept_under = Some(lease.generation());
        let (run, plan) = self.record_decision(&decided, map, may, now).await?;
        let steps = decided.admitted.steps();
        // A KILL that waits is noted as well: what shuts somebody out may go without it, and the next plan has nothing to tell it by.
        let kills = decided.plan.steps.iter().map(|planned| &planned.step);
        // Not those before a drop of who left long ago: nobody waits for them.
        let of_leavers = kills.filter(|step| !self.tombs.buries(step.subject()));
        self.leaving.note(of_leavers);
        self.leaving.keep(self.store.as_ref(), self.name.as_str(), now).await;
        let mut ran = Ran::default();
        let mut causes = Causes::default();
        let mut looked = decided.position;
        while ran.tried < steps.len() && !ran.stop {
            if ran.tried > 0 {
                let gives = steps[ran.tried].step.gives();
                match self.between_waves(&mut looked, &lease, gives).await? {
                    Between::GoOn(renewed) => lease = renewed,
                    Between::Moved => {
                        ran.again = true;
                        break;
                    }
                    // Whoever has the lease now keeps who is leaving; what is known here is joined with that by the next tick.
                    Between::Lost => return Ok(self.conclude(&decided, &ran)),
                }
            }
            let waved = self.wave(&decided, &lease, ran.tried, (run, plan), &mut causes).await;
            let waved = match waved {
                Ok(waved) => waved,
                Err(error) => {
                    // What the wave did is not known here.
                    self.actual = None;
                    return Err(error);
                }
            };
            self.take_in(&waved.in_force, &decided);
            self.keep_keys().await;
            self.note_leavers(&waved.in_force, self.clock.now()).await;
            self.note_stripped(&waved.in_force, &decided);
            // What views stand on now, permissions can be given on.
            ran.again |= waved.in_force.iter().any(|step| matches!(step, Step::Secure(_)));
            ran.applied += waved.done;
            ran.tried += waved.tried;
            self.heed(waved, &steps[ran.tried.min(steps.len())..], &mut ran)?;
        }
        let now = self.clock.now();
        self.leaving.keep(self.store.as_ref(), self.name.as_str(), now).await;
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let look = self.look_at_stripped(&mut ran);
        keep_lease(store.as_ref(), clock.as_ref(), &lease, look).await;
        Ok(self.conclude(&decided, &ran))
    }

    /// Leavers are looked for between waves, and the lease is prolonged. A store that fails does not stop what takes away as
    /// long as the lease holds.
    async fn between_waves(
        &self,
        looked: &mut RecordSeq,
        lease: &LeaseProof,
        gives: bool,
    ) -> Result<Between, ControllerError> {
        let now = self.clock.now();
        if self.newer.as_ref().is_some_and(|newer| newer.has_changed().unwrap_or(false)) {
            return Ok(Between::Moved);
        }
        let moved = self.moved_since(looked).await;
        let renewed = match moved {
            Ok(true) => return Ok(Between::Moved),
            Ok(false) => self.store.renew_lease(lease, LEASE, now).await.map_err(ControllerError::from),
            Err(error) => Err(error),
        };
        match renewed {
            Ok(Some(renewed)) => Ok(Between::GoOn(renewed)),
            // A lease that was never written cannot be prolonged; as long as it would have lasted, nobody else was seen.
            Ok(None) if !gives && self.unwritten_lease && lease.holds_at(now) => {
                Ok(Between::GoOn(lease.clone()))
            }
            Ok(None) => Ok(Between::Lost),
            Err(error) if !gives && lease.holds_at(now) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the store fails between waves: what takes away goes on under the lease"
                );
                Ok(Between::GoOn(lease.clone()))
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the directory says something new, or somebody was shut out or given a role by a request. Most of what is new in
    /// the journal are the run's own records, and a long run writes any number of them: each look goes on where the last one
    /// ended, up to the journal's end.
    async fn moved_since(&self, looked: &mut RecordSeq) -> Result<bool, ControllerError> {
        let head = self.store.head().await?.seq;
        if head <= *looked {
            return Ok(false);
        }
        while *looked < head {
            match self.store.deltas_since(*looked, SOME).await? {
                Since::Deltas { deltas, upto } if deltas.is_empty() && upto > *looked => *looked = upto,
                Since::Deltas { .. } | Since::Reload => return Ok(true),
            }
        }
        Ok(self.world.lock().await.requests_moved(self.names_seen, self.store.as_ref()).await?)
    }

    async fn wave(
        &mut self,
        decided: &Decided,
        lease: &LeaseProof,
        from: usize,
        (run, plan): (RunId, PlanId),
        causes: &mut Causes,
    ) -> Result<Waved, ControllerError> {
        let length = wave_length(&decided.admitted, from, self.wave);
        let wave: Vec<&Step> =
            decided.admitted.steps()[from..from + length].iter().map(|p| &p.step).collect();
        self.remember(&wave).await?;
        self.mean_keys(&wave).await?;
        let mut placed = Vec::with_capacity(length);
        for (n, step) in wave.iter().enumerate() {
            let now = self.clock.now();
            let (because, set_off) = Causes::of(&*self.world.lock().await, &self.name, step, now);
            let request = match causes.request(self.store.as_ref(), set_off).await {
                Err(error) if step.gives() => return Err(ControllerError::Unrecorded(error)),
                other => other.ok().flatten(),
            };
            let index = (from + n) as u64;
            let counts = counted(step, &decided.leavers, &decided.lifted).map(|(leaver, count)| Removal {
                key: format!("{run}/{index}"),
                at: now,
                leaver,
                count,
            });
            let before = self.actual.as_ref().map(|known| &known.inspection.graph);
            let rows = |membership| self.target.row_of(membership);
            let unmakes = before.map(|graph| made::unmakes(step, graph, &rows)).unwrap_or_default();
            placed.push(Placed { step, index, causes: because, request, counts, unmakes });
        }
        let recorder = Recorder { ids: &self.ids, actor: Actor::Axon, target: self.name.as_str(), run, plan };
        let mut executor = Executor {
            store: self.store.as_ref(),
            target: &self.target,
            clock: self.clock.as_ref(),
            recorder,
            leased: !self.unwritten_lease,
            owed: &mut self.owed,
            notes: &mut self.owed_notes,
            spool: &mut self.spool,
        };
        let work = executor.wave(&decided.admitted, lease, from, &placed);
        keep_lease(self.store.as_ref(), self.clock.as_ref(), lease, work).await
    }

    /// What a wave's outcomes mean for the steps behind it.
    fn heed(&mut self, waved: Waved, rest: &[Planned], ran: &mut Ran) -> Result<(), ControllerError> {
        self.made.gone(waved.unmade.iter().copied());
        self.made.kept(waved.made.iter().copied());
        if waved.doubt {
            self.actual = None;
            self.history_loaded = false;
            ran.stop = true;
            ran.again = true;
        }
        let now = self.clock.now();
        match waved.broken {
            None => self.broken = 0,
            Some((step, reason, sent)) => {
                self.broken += 1;
                if self.broken >= 2 {
                    if sent {
                        // A statement under which connections break again and again must not stop all behind it for ever.
                        self.blocked.add(&step, not_answered(), now);
                    }
                    let target = self.name.to_string();
                    return Err(TargetError::Unreachable { target, reason }.into());
                }
            }
        }
        for (step, refusal) in waved.refused {
            let whole = matches!(refusal.kind, RefusalKind::Paused | RefusalKind::Busy | RefusalKind::Login);
            // Sessions that outlive their KILL are busy, not the target.
            if whole && step.kind() != StepKind::KillSessions {
                // It is the target that refuses, not this step that is wrong.
                let soon = std::time::Duration::from_secs(5);
                let retry = Retry::After(self.target.asks_for(&refusal).unwrap_or(soon));
                let target = self.name.to_string();
                return Err(TargetError::Refused { target, attempt: "a step", refusal, retry }.into());
            }
            ran.again = true;
            self.blocked.add(&step, refusal, now);
            self.tombs.refused(step.subject(), now);
            // A session that cannot be ended is in nobody's way but of whoever comes or goes under the name.
            let alone = |planned: &Planned| planned.step.subject() != step.subject();
            if step.kind() != StepKind::KillSessions || !rest.iter().all(alone) {
                ran.stop = true;
            }
        }
        Ok(())
    }

    /// Moves what is known by what the catalog shows, and counts what the budgets count.
    fn take_in(&mut self, in_force: &[Step], decided: &Decided) {
        let now = self.clock.now();
        for step in in_force {
            self.blocked.done(step);
            self.noticed.end_by(step);
            match step {
                Step::KillSessions { principal } => self.leaving.left(*principal),
                Step::KillFormer { principal, sid } => {
                    self.leaving.former_left(*principal, sid);
                    continue;
                }
                _ => {}
            }
            if let Some((leaver, count)) = counted(step, &decided.leavers, &decided.lifted) {
                self.count(leaver, count, now);
            }
            if matches!(step, Step::Classify(_)) {
                self.classified.forget();
                continue;
            }
            if let Step::Secure(step) = step {
                self.take_in_secure(step);
                continue;
            }
            let Some(known) = &mut self.actual else { continue };
            let there = |name| known.inspection.graph.principals.contains_key(name);
            if matches!(step, Step::KillSessions { principal } if !there(principal)) {
                continue;
            }
            if !known.take_in(step) {
                tracing::warn!("what the catalog shows is not what was expected: it is read anew");
                self.actual = None;
            }
        }
    }
}

/// Whether a run goes on with its next wave.
enum Between {
    GoOn(LeaseProof),
    /// The directory says something new, or there is a newer map.
    Moved,
    /// The lease is another's.
    Lost,
}

/// Renews the lease while the target works or is read.
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
                    tracing::warn!(error = &error as &dyn std::error::Error, "the lease could not be renewed meanwhile");
                }
            }
        }
    }
}
