//! Applying admitted steps in waves: recorded before, applied, read back, recorded after.

use std::sync::Arc;

use axon_audit::NewRecord;
use axon_model::Clock;
use axon_reconcile::admit::Admitted;
use axon_reconcile::{LeaseProof, Outcome, Refusal, RefusalKind, Seen, Step, Target};
use axon_store::Store;

use crate::error::ControllerError;
use crate::record::{Placed, Recorder};

/// The most steps of one wave: one record transaction before it and one after it.
pub const WAVE: usize = 16;

/// What came of a wave.
#[derive(Debug, Default)]
pub struct Waved {
    /// Steps whose effect the catalog shows.
    pub in_force: Vec<Step>,
    /// Steps that the target refused.
    pub refused: Vec<(Step, Refusal)>,
    /// Whether what is in force is not known any more: inspect again before the next plan.
    pub doubt: bool,
    /// Why the connection broke, if it did: the outcome is not known.
    pub broken: Option<String>,
    /// How many steps were done.
    pub done: u64,
}

/// Applies waves for one run.
pub struct Executor<'a> {
    /// The journal.
    pub store: &'a dyn Store,
    /// The target.
    pub target: &'a Arc<dyn Target>,
    /// The clock.
    pub clock: &'a dyn Clock,
    /// Makes the records.
    pub recorder: Recorder<'a>,
    /// Records of taking steps that the journal could not take before the step: appended as soon as it can.
    pub owed: &'a mut Vec<NewRecord>,
}

/// How many steps from `from` on go in one wave: all giving, or all taking, since the journal must come first only for what
/// gives.
pub fn wave_length(admitted: &Admitted, from: usize) -> usize {
    let Some(first) = admitted.steps().get(from) else { return 0 };
    let gives = first.step.gives();
    admitted.steps()[from..].iter().take(WAVE).take_while(|planned| planned.step.gives() == gives).count()
}

impl Executor<'_> {
    /// One wave.
    pub async fn wave(
        &mut self,
        admitted: &Admitted,
        lease: &LeaseProof,
        from: usize,
        placed: &[Placed<'_>],
    ) -> Result<Waved, ControllerError> {
        let wave = admitted.wave(lease, from, placed.len());
        let now = self.clock.now();
        let intents = placed
            .iter()
            .map(|p| self.recorder.intent(p, lease.generation(), now))
            .collect::<Result<Vec<_>, _>>()?;
        let gives = placed.iter().any(|p| p.step.gives());
        if let Err(error) = self.store.append(intents.clone(), Some(lease)).await {
            // The audit is fail-closed for what gives and never in the way of what takes away; a lost lease stops both.
            if gives || matches!(error, axon_store::StoreError::LeaseLost(_)) {
                return Err(error.into());
            }
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the journal is not writable: taking steps go on, their records are owed"
            );
            self.owed.extend(intents);
        }
        let outcomes = self.target.apply(&wave).await;
        let seen = self.target.read_back(&wave).await;
        let now = self.clock.now();
        let mut records = std::mem::take(self.owed);
        let mut waved = Waved::default();
        for (n, p) in placed.iter().enumerate() {
            let outcome = outcomes.get(n).unwrap_or(&Outcome::NotTried);
            records.push(self.recorder.outcome(p, outcome, now)?);
            let seen = seen.as_ref().ok().and_then(|all| all.get(n)).copied();
            if let Some(seen) = seen
                && *outcome != Outcome::NotTried
            {
                records.push(self.recorder.read_back(p, seen, now)?);
            }
            waved.judge(p.step, outcome, seen);
        }
        if let Err(error) = &seen {
            tracing::warn!(error = error as &dyn std::error::Error, "a wave's effect could not be read back");
        }
        if let Err(error) = self.store.append(records.clone(), None).await {
            *self.owed = records;
            return Err(error.into());
        }
        Ok(waved)
    }
}

/// A step that the target took and its catalog does not show is blocked for a while like a refused one: no hot loop.
fn not_shown() -> Refusal {
    Refusal {
        kind: RefusalKind::Other,
        number: 0,
        message: "the target took it, but its catalog does not show it".to_owned(),
    }
}

impl Waved {
    fn judge(&mut self, step: &Step, outcome: &Outcome, seen: Option<Seen>) {
        match outcome {
            Outcome::NotTried => return,
            Outcome::Done { .. } => {
                self.done += 1;
                metrics::counter!("axon_reconcile_steps_total", "result" => "done").increment(1);
            }
            Outcome::Refused { refusal, .. } => {
                metrics::counter!("axon_reconcile_steps_total", "result" => "refused").increment(1);
                if refusal.kind != RefusalKind::AlreadyThere {
                    self.refused.push((step.clone(), refusal.clone()));
                    // "Does not exist" and the like say that the catalog is not what it was.
                    self.doubt |= matches!(refusal.kind, RefusalKind::Missing | RefusalKind::Blocked);
                }
            }
            Outcome::Unknown { reason, .. } => {
                self.broken = Some(reason.clone());
                metrics::counter!("axon_reconcile_steps_total", "result" => "unknown").increment(1);
                self.doubt = true;
            }
        }
        match seen {
            Some(Seen::InForce) => self.in_force.push(step.clone()),
            Some(Seen::NotInForce) => {
                let already = matches!(outcome, Outcome::Refused { refusal, .. } if refusal.kind == RefusalKind::AlreadyThere);
                if already || matches!(outcome, Outcome::Done { .. }) {
                    self.doubt = true;
                    self.refused.push((step.clone(), not_shown()));
                }
            }
            None => self.doubt = true,
        }
    }
}
