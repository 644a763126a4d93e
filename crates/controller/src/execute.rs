//! Applying admitted steps in waves: recorded before, applied, read back, recorded after.

use std::collections::BTreeSet;
use std::sync::Arc;

use axon_audit::NewRecord;
use axon_model::{Clock, SqlName};
use axon_reconcile::admit::Admitted;
use axon_reconcile::{LeaseProof, Outcome, Refusal, RefusalKind, SecureStep, Seen, Step, Target};
use axon_store::{Notes, Removal, Store, StoreError};
use time::Duration;

use crate::error::ControllerError;
use crate::made;
use crate::record::{Placed, Recorder};
use crate::spool::{Frame, Spool};

/// Older removals are forgotten; no window of a budget is longer.
pub const KEPT: Duration = Duration::days(62);

/// The most steps of one wave, where nothing else is said: one record transaction before it and one after it, and one look at the
/// catalog. What overtakes (a leaver, a newer map) waits for the end of the wave that runs.
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
    /// Under which step the connection broke and why, if it did, and whether the step had been sent: what came of it is not
    /// known.
    pub broken: Option<(Step, String, bool)>,
    /// How many of its steps were tried: the rest stands behind a refusal.
    pub tried: usize,
    /// How many steps were done.
    pub done: u64,
    /// Marks of what was made.
    pub made: Vec<i64>,
    /// Marks of what was taken away.
    pub unmade: Vec<i64>,
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
    /// Whether the lease stands in the store. One that could not be written there is no condition of what is written.
    pub leased: bool,
    /// Records of taking steps that the journal could not take before the step: appended as soon as it can.
    pub owed: &'a mut Vec<NewRecord>,
    /// What is noted as soon as it can.
    pub notes: &'a mut Notes,
    /// Where they survive this process meanwhile.
    pub spool: &'a mut Spool,
}

/// How many steps from `from` on go in one wave, at most `most`: all giving, or all taking, since the journal must come first only
/// for what gives. Nobody is given anything in the wave that makes them: a directory may know something else under that name (a
/// group, another object), which the read-back finds out. A fill of many people's profiles is the last of its wave: whoever leaves
/// meanwhile waits for thousands of rows, not for as many fills as a wave has steps.
pub fn wave_length(admitted: &Admitted, from: usize, most: usize) -> usize {
    let Some(first) = admitted.steps().get(from) else { return 0 };
    let gives = first.step.gives();
    let mut made: BTreeSet<SqlName> = BTreeSet::new();
    let mut fits = |step: &Step| {
        if let Step::CreatePrincipal { name, .. } = step {
            made.insert(*name);
            return step.gives() == gives;
        }
        step.gives() == gives && !made.contains(&step.subject())
    };
    let mut filled = false;
    let mut goes_on = |step: &Step| {
        let after =
            std::mem::replace(&mut filled, matches!(step, Step::Secure(SecureStep::FillProfiles { .. })));
        !after && fits(step)
    };
    let steps = admitted.steps()[from..].iter().take(most).map(|planned| &planned.step);
    steps.take_while(|step| goes_on(step)).count()
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
        // Counted before it is taken: a process that dies in between has counted too much, not too little.
        let counted: Vec<Removal> = placed.iter().filter_map(|p| p.counts.clone()).collect();
        let forget = (!counted.is_empty()).then(|| now - KEPT);
        let notes = Notes { target: lease.target().to_owned(), counted, forget, ..Notes::default() };
        let condition = self.leased.then_some(lease);
        if let Err(error) = self.store.append_noting(intents.clone(), condition, notes.clone()).await {
            // The audit is fail-closed for what gives and never in the way of what takes away; a lost lease stops both.
            if matches!(error, StoreError::LeaseLost(_)) {
                return Err(error.into());
            }
            if gives {
                return Err(ControllerError::Unrecorded(error));
            }
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the journal is not writable: taking steps go on, their records are owed"
            );
            let counted = Notes { target: notes.target, counted: notes.counted, ..Notes::default() };
            self.put_aside(&Frame { records: intents.clone(), notes: counted.clone() });
            self.owed.extend(intents);
            self.notes.counted.extend(counted.counted);
        }
        let outcomes = self.target.apply(&wave).await;
        let seen = self.target.read_back(&wave).await;
        let now = self.clock.now();
        let mut records = std::mem::take(self.owed);
        let earlier = Earlier {
            records: records.len(),
            made: self.notes.made.len(),
            uncounted: self.notes.uncounted.len(),
        };
        let mut notes = Notes { target: lease.target().to_owned(), ..std::mem::take(self.notes) };
        let tried = outcomes.iter().take(placed.len()).take_while(|o| **o != Outcome::NotTried).count();
        let mut waved = Waved { tried, ..Waved::default() };
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
            match seen {
                Some(Seen::InForce) => {
                    notes.made.extend(made::marks(p.step, &|m| self.target.row_of(m)));
                    notes.unmade.extend(&p.unmakes);
                }
                // What was not done, or did not happen, takes nothing from a budget. What is not known counts.
                _ if *outcome == Outcome::NotTried || seen == Some(Seen::NotInForce) => {
                    notes.uncounted.extend(p.counts.as_ref().map(|removal| removal.key.clone()));
                }
                _ => {}
            }
        }
        if let Err(error) = &seen {
            tracing::warn!(error = error as &dyn std::error::Error, "a wave's effect could not be read back");
        }
        // What is taken away and given again by one wave is there.
        notes.unmade.retain(|mark| !notes.made.contains(mark));
        waved.made.clone_from(&notes.made);
        waved.unmade.clone_from(&notes.unmade);
        match self.store.append_noting(records.clone(), None, notes.clone()).await {
            Ok(_) if earlier.records > 0 => self.paid(),
            Ok(_) => {}
            Err(error) => {
                self.owe(records, notes, &earlier);
                if gives {
                    return Err(error.into());
                }
            }
        }
        // A target that stops without a word has not done it all.
        let told = waved.broken.is_some() || !waved.refused.is_empty();
        waved.doubt |= !told && outcomes.iter().take(placed.len()).any(|o| *o == Outcome::NotTried);
        waved.doubt |= outcomes.len() < placed.len();
        tracing::info!(
            run.id = %self.recorder.run,
            plan.id = %self.recorder.plan,
            steps = placed.len(),
            done = waved.done,
            refused = waved.refused.len(),
            "a wave of steps was applied"
        );
        Ok(waved)
    }
}

/// How much was owed before a wave.
struct Earlier {
    records: usize,
    made: usize,
    uncounted: usize,
}

impl Executor<'_> {
    /// The journal has what was owed.
    fn paid(&mut self) {
        if let Err(error) = self.spool.clear() {
            tracing::error!(error = &error as &dyn std::error::Error, "the spool could not be emptied");
        }
    }

    /// Owes what the journal did not take; of it, what is new since the wave began is put aside.
    fn owe(&mut self, records: Vec<NewRecord>, notes: Notes, earlier: &Earlier) {
        let fresh = Notes {
            target: notes.target.clone(),
            made: notes.made.get(earlier.made..).unwrap_or_default().to_vec(),
            unmade: notes.unmade.clone(),
            uncounted: notes.uncounted.get(earlier.uncounted..).unwrap_or_default().to_vec(),
            ..Notes::default()
        };
        let new = records.get(earlier.records..).unwrap_or_default().to_vec();
        self.put_aside(&Frame { records: new, notes: fresh });
        *self.owed = records;
        *self.notes = notes;
    }

    fn put_aside(&mut self, frame: &Frame) {
        self.spool.put_aside(frame);
    }
}

/// A step that the target took and its catalog does not show is blocked for a while like a refused one: no hot loop.
fn not_shown() -> Refusal {
    Refusal { kind: RefusalKind::Other, number: 0, message: Refusal::NOT_SHOWN.to_owned() }
}

/// A drop goes by the id: who came under the name since the last look keeps the user.
fn another() -> Refusal {
    Refusal {
        kind: RefusalKind::Other,
        number: 0,
        message: "somebody has a user of this name all the same: another object came to have it, or the catalog does not show the drop; \
                  it is looked at anew"
            .to_owned(),
    }
}

/// The connection broke under the step more than once.
pub fn not_answered() -> Refusal {
    Refusal {
        kind: RefusalKind::Other,
        number: 0,
        message: "the connection breaks under it again and again".to_owned(),
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
            Outcome::Refused { refusal, statements } => {
                // Of a step of several statements the first ones stand: rows of some people, a policy without its function.
                self.doubt |= statements.len() > 1 && matches!(step, Step::Secure(_));
                metrics::counter!("axon_reconcile_steps_total", "result" => "refused").increment(1);
                if refusal.kind != RefusalKind::AlreadyThere {
                    self.refused.push((step.clone(), refusal.clone()));
                    // "Does not exist" and the like say that the catalog is not what it was.
                    self.doubt |= matches!(refusal.kind, RefusalKind::Missing | RefusalKind::Blocked);
                }
            }
            Outcome::Unknown { reason, statements } => {
                self.broken = Some((step.clone(), reason.clone(), !statements.is_empty()));
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
                    let meant = matches!(step, Step::DropPrincipal { sid: Some(_), .. });
                    let refusal = if meant { another() } else { not_shown() };
                    self.refused.push((step.clone(), refusal));
                }
            }
            None => self.doubt = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use axon_reconcile::secure::ProfileRow;

    use super::*;

    #[test]
    fn what_was_refused_half_way_is_read_again_at_once() {
        let name = |text: &str| SqlName::parse(text).unwrap();
        let row = ProfileRow { principal: name("kim"), attribute: "region".into(), value: "north".into() };
        let (schema, people) = (name("axon"), 60);
        let fill = Step::Secure(SecureStep::FillProfiles { schema, people, rows: vec![row.clone()] });
        let write = SecureStep::WriteProfile {
            schema,
            principal: name("kim"),
            remove: vec![row],
            add: vec![],
            loses: false,
        };
        let plain = Step::AddMember { role: name("reader"), member: name("kim") };
        let doubt = |step: &Step, sent: usize| {
            let refusal = Refusal { kind: RefusalKind::Other, number: 50_000, message: "no".into() };
            let outcome = Outcome::Refused { statements: vec!["INSERT".into(); sent], refusal };
            let mut waved = Waved::default();
            waved.judge(step, &outcome, Some(Seen::NotInForce));
            waved.doubt
        };
        for step in [fill, Step::Secure(write)] {
            assert!(doubt(&step, 2), "the first statement stands: {step}");
            assert!(!doubt(&step, 1) && !doubt(&step, 0), "nothing of it stands: {step}");
        }
        assert!(!doubt(&plain, 1), "one statement is all or nothing");
    }
}
