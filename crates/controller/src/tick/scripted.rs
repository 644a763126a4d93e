//! A tick on a target whose steps people run: what is lacking goes into a file, and what became of the files before is noted.
//!
//! ```text
//!  look ─> plan ─> guards ─┬─ the same steps wait in a file already ─> nothing
//!                          └─ others ─> what waited ends (seen in force, or asked for no more) ─> record ─> a new file
//! ```

use std::sync::Arc;

use axon_audit::NewRecord;
use axon_audit::payload::{Cause, ScriptChange, ScriptClear, ScriptVerb};
use axon_mapping::RoleMap;
use axon_model::{Actor, IdSource};
use axon_reconcile::{LeaseProof, Script, ScriptEnd, ScriptFile, ScriptRun, ScriptStep, Step};
use axon_store::{Notes, Removal};
use time::{Duration, OffsetDateTime};

use super::counted::counted;
use super::decide::{Decided, May};
use super::lacking::unmade;
use super::work::Ran;
use super::{Tick, Ticker};
use crate::cause::Causes;
use crate::error::ControllerError;
use crate::execute::KEPT;
use crate::summary::{State, Waiting};

/// How often a folder is looked at for what people said, where nothing else shows it.
const LOOK: Duration = Duration::seconds(10);

/// The record of what happened to a file. `in_force` is how many of its steps a catalog shows.
pub fn script_record(
    ids: &IdSource,
    target: &str,
    file: &ScriptFile,
    (verb, in_force, reason): (ScriptVerb, Option<u64>, Option<String>),
    (actor, at): (Actor, OffsetDateTime),
) -> Result<NewRecord, axon_audit::PayloadError> {
    let gives = file.steps.iter().filter(|s| s.planned.step.gives()).count() as u64;
    let change = ScriptChange {
        verb,
        target: target.to_owned(),
        run: file.run,
        plan: file.plan,
        sha256: file.digest.clone(),
        gives,
        takes: file.steps.len() as u64 - gives,
        in_force,
        clear: ScriptClear {
            file: file.name.clone(),
            steps: file.steps.iter().map(|s| s.planned.to_string()).collect(),
            reason,
        },
    };
    Ok(NewRecord::of(ids, at, actor, change)?.with_run(file.run))
}

/// What the budgets count of steps of a file that were done.
pub fn script_notes<'s>(
    target: &str,
    file: &ScriptFile,
    done: impl Iterator<Item = (usize, &'s ScriptStep)>,
    at: OffsetDateTime,
) -> Notes {
    let counted: Vec<Removal> = done
        .filter_map(|(n, step)| {
            let (leaver, count) = step.counts?;
            Some(Removal { key: format!("{}/{n}", file.run), at, leaver, count })
        })
        .collect();
    let forget = (!counted.is_empty()).then(|| at - KEPT);
    Notes { target: target.to_owned(), counted, forget, ..Notes::default() }
}

/// A cause as the file tells it.
fn told(cause: &Cause) -> Option<String> {
    let mut parts = Vec::new();
    parts.extend(cause.role.as_ref().map(|role| format!("role {role}")));
    parts.extend(cause.line.as_ref().map(|line| format!("by {line}")));
    parts.extend(cause.group.map(|group| format!("group {group}")));
    parts.extend(cause.membership.map(|record| format!("record {record}")));
    (!parts.is_empty()).then(|| parts.join(", "))
}

impl Ticker {
    pub(super) async fn attempt_script(
        &mut self,
        map: &Arc<RoleMap>,
        may: May,
        now: OffsetDateTime,
    ) -> Result<Tick, ControllerError> {
        let target = self.target.clone();
        let Some(script) = target.script() else {
            return Err(ControllerError::NoSuchTarget(self.name.to_string()));
        };
        // People change the folder and the place, and tell nobody here.
        self.forget_actual();
        self.refresh(now).await?;
        let decided = self.decide_writable(map, script, may, now).await?;
        let steps = || decided.admitted.steps().iter().map(|planned| &planned.step);
        let ran = Ran { tried: steps().len(), ..Ran::default() };
        let open = script.open()?;
        let waits = match open.as_slice() {
            [] => steps().len() == 0,
            [only] => only.is_about(steps()),
            _ => false,
        };
        if waits || may != May::All {
            self.record_decision(&decided, map, may, now).await?;
            return Ok(self.concluded(&decided, &ran, &open, script, now));
        }
        let Some(lease) = self.lease(may, now).await? else {
            return Ok(self.elsewhere(now));
        };
        let written = self.rewrite(map, script, &decided, open, &lease, now).await;
        self.give_back(&lease).await;
        Ok(self.concluded(&decided, &ran, &written?, script, now))
    }

    /// A decision all of whose steps can stand in a file. What cannot waits as if it had been refused, with all that needs it.
    async fn decide_writable(
        &mut self,
        map: &Arc<RoleMap>,
        script: &dyn Script,
        may: May,
        now: OffsetDateTime,
    ) -> Result<Decided, ControllerError> {
        let spec = map.targets.get(&self.name);
        let fault =
            |step: &Step| spec.and_then(|spec| unmade(spec, step)).or_else(|| script.unwritable(step));
        if let Some(decided) = self.decide_without(map, may, now, fault).await? {
            return Ok(decided);
        }
        let reason = "too many steps cannot be written into a file".to_owned();
        let target = self.name.to_string();
        Err(axon_reconcile::TargetError::Unreadable { target, attempt: "the plan", reason }.into())
    }

    /// Ends what waited, and writes what is lacking now. Gives what waits then.
    async fn rewrite(
        &mut self,
        map: &Arc<RoleMap>,
        script: &dyn Script,
        decided: &Decided,
        open: Vec<ScriptFile>,
        lease: &LeaseProof,
        now: OffsetDateTime,
    ) -> Result<Vec<ScriptFile>, ControllerError> {
        for file in &open {
            self.end(script, file, lease, now).await?;
        }
        let (run, plan) = self.record_decision(decided, map, May::All, now).await?;
        if decided.admitted.steps().is_empty() {
            return Ok(Vec::new());
        }
        let steps: Vec<&Step> = decided.admitted.steps().iter().map(|planned| &planned.step).collect();
        self.remember(&steps).await?;
        let steps = self.told_steps(decided, now).await;
        let findings = decided.plan.findings.iter().map(ToString::to_string);
        let run = ScriptRun {
            run,
            plan,
            at: now,
            map: map.version(),
            directory: decided.position,
            steps,
            withheld: decided.admitted.withheld(),
            remarks: findings.chain(decided.pending.iter().cloned()).collect(),
        };
        let (file, text) = script.draft(&run);
        // Nobody is asked to run what the journal does not know of.
        let record = script_record(
            &self.ids,
            self.name.as_str(),
            &file,
            (ScriptVerb::Written, None, None),
            (Actor::Axon, now),
        )?;
        self.store.append(vec![record], Some(lease)).await.map_err(ControllerError::Unrecorded)?;
        script.write(&file, &text, lease)?;
        tracing::info!(file = %file.name, steps = file.steps.len(), "steps were written into a file, for people to run");
        Ok(vec![file])
    }

    async fn told_steps(&self, decided: &Decided, now: OffsetDateTime) -> Vec<ScriptStep> {
        let world = self.world.lock().await;
        let told_step = |planned: &axon_reconcile::Planned| {
            let (causes, _) = Causes::of(&world, &self.name, &planned.step, now);
            ScriptStep {
                planned: planned.clone(),
                because: causes.iter().filter_map(told).collect(),
                counts: counted(&planned.step, &decided.leavers, &decided.lifted),
            }
        };
        decided.admitted.steps().iter().map(told_step).collect()
    }

    /// A file waits no longer: the place shows all of it, or something else is asked for.
    async fn end(
        &mut self,
        script: &dyn Script,
        file: &ScriptFile,
        lease: &LeaseProof,
        now: OffsetDateTime,
    ) -> Result<(), ControllerError> {
        let graph = self.actual.as_ref().map(|known| &known.inspection.graph).filter(|_| script.is_seen());
        let shown = |step: &Step| graph.is_some_and(|graph| script.shows(graph, step));
        let done: Vec<(usize, &ScriptStep)> =
            file.steps.iter().enumerate().filter(|(_, step)| shown(&step.planned.step)).collect();
        let in_force = graph.map(|_| done.len() as u64);
        let (verb, end) = if graph.is_some() && done.len() == file.steps.len() {
            (ScriptVerb::Inspected, ScriptEnd::Inspected)
        } else {
            (ScriptVerb::Superseded, ScriptEnd::Superseded)
        };
        let target = self.name.to_string();
        let record = script_record(&self.ids, &target, file, (verb, in_force, None), (Actor::Axon, now))?;
        let notes = script_notes(&target, file, done.into_iter(), now);
        self.store
            .append_noting(vec![record], Some(lease), notes)
            .await
            .map_err(ControllerError::Unrecorded)?;
        self.history_loaded = false;
        script.close(file, end, now)?;
        Ok(())
    }

    /// What the tick came to: as long as a file waits, its steps do.
    fn concluded(
        &mut self,
        decided: &Decided,
        ran: &Ran,
        open: &[ScriptFile],
        script: &dyn Script,
        now: OffsetDateTime,
    ) -> Tick {
        let mut tick = self.conclude(decided, ran);
        if open.is_empty() {
            return tick;
        }
        for file in open {
            let what = format!("{} steps in {}", file.steps.len(), file.name);
            let why = if script.is_seen() {
                "a person: review it and run it"
            } else {
                "a person: review it, run it and say so (`axon script confirm`)"
            };
            self.summary.waiting.insert(0, Waiting { what, why: why.into() });
            self.summary.waiting_total += 1;
        }
        self.summary.state = State::Pending;
        tick.summary = self.summary.clone();
        let look = if script.is_seen() { self.next_look(now) } else { now + LOOK };
        tick.next = Some(tick.next.map_or(look, |next| next.min(look)));
        tick
    }
}
