//! Whether secure views show what the policy says: each class of readers reads them by one of its people, after each change of a view,
//! when somebody of a new class can, and from time to time. What was found is a record each; a view that shows something else waits for a person, and may stop what gives.

mod jobs;
mod kept;
mod left;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use axon_audit::payload::{ProbeClear, ViewProbed};
use axon_audit::{Chain, NewRecord, SigningKey};
use axon_mapping::RoleMap;
use axon_mapping::target::TargetSpec;
use axon_mapping::views::Compiled;
use axon_model::{Actor, SqlName};
use axon_reconcile::admit::Reason;
use axon_reconcile::secure::{ProbeAnswer, ProbeCase, ProbeReader};
use axon_reconcile::{ObjectName, SecureStep, Step};
use axon_store::Store;
use time::{Duration, OffsetDateTime};

use super::decide::May;
use super::{Tick, Ticker};
use crate::error::ControllerError;
use crate::summary::Waiting;
use jobs::{By, Job};
pub use kept::probe_key;
use kept::{Kept, Round};

/// What is told of somebody who stands in for nobody in particular; `synapse` calls its canary so.
const CANARY: &str = "axon_canary";
/// How long one tick may probe: somebody may be waiting to be shut out.
const SLICE: std::time::Duration = std::time::Duration::from_secs(1);
/// The most views that are read on one connection as one reader.
const AT_ONCE: usize = 4;
/// When a target that could not be asked is asked again.
const LATER: Duration = Duration::minutes(5);

/// When views are probed, and what a difference does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProbeSettings {
    /// How often all of them are, besides after each change; never by itself, if there is no such time.
    pub every: Option<Duration>,
    /// Whether a user without a login may stand in, for as long as it takes, for readers who enter by groups alone.
    pub canaries: bool,
    /// Whether nothing is given in a target while one of its views shows something else than the policy.
    pub freeze: bool,
}

/// What was found as one reader of one view.
#[derive(Debug, Clone)]
pub struct Probed {
    /// The view.
    pub view: ObjectName,
    /// As whom it was read.
    pub reader: SqlName,
    /// Whether a canary stood in for that one.
    pub canary: bool,
    /// How many readers are of the same class; none, where the map opens it not to them.
    pub readers: Option<usize>,
    /// What came of it.
    pub answer: ProbeAnswer,
}

/// What a probe by hand came to.
#[derive(Debug, Clone, Default)]
pub struct ProbeReport {
    /// What was read.
    pub probed: Vec<Probed>,
    /// Views that were not, and why.
    pub waits: Vec<(ObjectName, &'static str)>,
}

/// What a ticker knows of probes.
#[derive(Default)]
pub(super) struct Probing {
    settings: ProbeSettings,
    kept: Kept,
    loaded: bool,
    /// Which look at the target was the last one when it was.
    loaded_at: Option<OffsetDateTime>,
    /// What is to be asked yet.
    queue: VecDeque<Job>,
    /// What was found since all of that was.
    round: Round,
    /// Whether all views are asked in this round.
    whole: bool,
    /// What was compiled when it was looked at last.
    looked: Option<Arc<Compiled>>,
    /// Which look at the target the classes of readers were taken from last.
    compared: Option<OffsetDateTime>,
    /// Not before.
    wait: Option<OffsetDateTime>,
    /// What signs the journal after each record of a probe.
    signing: Option<Arc<SigningKey>>,
    /// Which look at the target showed a canary that was seen to.
    cleared: Option<OffsetDateTime>,
}

impl Probing {
    pub(super) fn of(settings: ProbeSettings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Whether nothing is given but what mends a view that differs.
    pub(super) fn freezes(&self) -> bool {
        self.settings.freeze && !self.kept.differs.is_empty()
    }

    /// Why nothing is given by a step.
    pub(super) fn against(&self, step: &Step, compiled: Option<&Compiled>) -> Option<Reason> {
        if !self.freezes() || !step.gives() {
            return None;
        }
        let view = self.kept.differs.keys().next()?.clone();
        let differs = |view: ObjectName| self.kept.differs.contains_key(&view.to_string());
        // The view's own text is how it is mended, and so is the filter of its table.
        let mends = match step {
            Step::Secure(SecureStep::SetFilter { filter, .. }) => compiled.is_some_and(|compiled| {
                compiled.bodies.iter().any(|body| body.from == filter.table && differs(body.name))
            }),
            Step::Secure(step) => step.view().is_some_and(differs),
            _ => false,
        };
        (!mends).then_some(Reason::ProbeDiffers { view })
    }

    /// What waits for a person.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Waiting> {
        let why = || "a person: `axon view probe`".to_owned();
        let differs = self.kept.differs.iter().map(move |(view, words)| Waiting {
            what: format!("view {view} shows a probe something else than the policy: {}", words.join("; ")),
            why: why(),
        });
        let untried = self.kept.untried.iter().map(move |(view, words)| Waiting {
            what: format!("view {view} could not be probed whole: {}", words.join("; ")),
            why: why(),
        });
        differs.chain(untried)
    }

    /// What people should know.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        self.kept.told.iter().map(|(view, words)| format!("view {view}, probed: {}", words.join("; ")))
    }

    /// Follows what other processes found: with each look at the target, and at each decision where that can change one.
    pub(super) async fn follow(
        &mut self,
        store: &dyn Store,
        target: &str,
        look: Option<OffsetDateTime>,
    ) -> Result<(), ControllerError> {
        if !self.loaded || self.freezes() || self.loaded_at != look {
            self.kept = Kept::load(store, target).await?;
            self.loaded = true;
            self.loaded_at = look;
            self.show(target);
        }
        Ok(())
    }

    /// Shows it to whoever watches the process. Where nothing is probed there is nothing to be shown.
    fn show(&self, target: &str) {
        if self.kept == Kept::default() {
            return;
        }
        let some = |kept: &BTreeMap<String, Vec<String>>| if kept.is_empty() { 0.0 } else { 1.0 };
        metrics::gauge!("axon_view_probe_differs_bool", "target" => target.to_owned())
            .set(some(&self.kept.differs));
        metrics::gauge!("axon_view_probe_untried_bool", "target" => target.to_owned())
            .set(some(&self.kept.untried));
    }
}

impl Ticker {
    /// Probes some of what is due, where nothing else is to be done.
    pub(super) async fn probe_due(&mut self, map: &Arc<RoleMap>, now: OffsetDateTime, tick: &mut Tick) {
        let Some(every) = self.probing.settings.every else { return };
        if tick.again || self.probing.wait.is_some_and(|until| now < until) {
            return;
        }
        if let Err(error) = self.probe_some(map, every, now).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "views could not be probed");
            self.probing.queue.clear();
            self.probing.looked = None;
            self.probing.wait = Some(now + LATER);
        }
        // What waits for steps is asked when they are done: asking earlier would be asked again at once, for ever.
        let can_ask = self.views_done() && self.compiled_views().is_some();
        let due = match self.probing.kept.whole {
            _ if !can_ask => self.probing.wait,
            _ if !self.probing.queue.is_empty() => Some(now),
            Some(whole) if self.probing.looked.is_some() => Some(whole + every),
            _ => self.probing.wait,
        };
        tick.next = [tick.next, due].into_iter().flatten().min();
    }

    async fn probe_some(
        &mut self,
        map: &Arc<RoleMap>,
        every: Duration,
        now: OffsetDateTime,
    ) -> Result<(), ControllerError> {
        if !self.views_done() {
            return Ok(());
        }
        let (Some(compiled), Some(spec)) = (self.compiled_views(), map.targets.get(&self.name)) else {
            return Ok(());
        };
        let spec = &*self.as_it_is_there(spec);
        let mut before = self.probing.kept.clone();
        if self.probing.queue.is_empty() {
            let same = self.probing.looked.as_ref().is_some_and(|looked| Arc::ptr_eq(looked, &compiled));
            let due = |kept: &Kept| kept.whole.is_none_or(|at| now < at || at + every <= now);
            // With each look at the target it is seen whether somebody can be asked of a class of whom nobody was.
            let look = self.actual.as_ref().map(|known| known.at);
            if same && !due(&self.probing.kept) && self.probing.compared == look {
                return Ok(());
            }
            self.probing.compared = look;
            // Another process may have done it.
            self.probing.kept = Kept::load(self.store.as_ref(), self.name.as_str()).await?;
            before = self.probing.kept.clone();
            let whole = due(&self.probing.kept);
            let (jobs, _) = self.jobs(spec, &compiled, None).await;
            self.probing.kept.forget_others(&compiled);
            let kept = &self.probing.kept;
            let anew = |job: &Job| whole || kept.probed.get(&job.view.to_string()) != Some(&job.digest);
            let views: BTreeSet<ObjectName> =
                jobs.iter().filter(|job| anew(job)).map(|job| job.view).collect();
            let wanted = |job: &Job| views.contains(&job.view) || kept.is_new(job);
            let queue: VecDeque<Job> = jobs.iter().filter(|job| wanted(job)).cloned().collect();
            self.probing.whole = whole;
            self.probing.looked = Some(compiled);
            let kept = &mut self.probing.kept;
            kept.forget_reasons(&jobs);
            self.probing.round = Round::begin(queue.iter().filter(|job| views.contains(&job.view)), kept);
            self.probing.queue = queue;
        }
        let began = Instant::now();
        while !self.probing.queue.is_empty() && began.elapsed() < SLICE {
            let batch = self.next_batch();
            if let Err(error) = self.probe_batch(spec, batch, now).await {
                // What others of its readers found counts all the same.
                if let Err(error) = self.keep_probes(now).await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "what probes found could not be kept"
                    );
                }
                return Err(error);
            }
        }
        if self.probing.queue.is_empty() && self.probing.whole {
            self.probing.whole = false;
            self.probing.kept.whole = Some(now);
        }
        if self.probing.kept == before {
            self.probing.show(self.name.as_str());
            return Ok(());
        }
        self.keep_probes(now).await
    }

    /// The next jobs of one reader.
    fn next_batch(&mut self) -> Vec<Job> {
        let queue = &mut self.probing.queue;
        let Some(first) = queue.pop_front() else { return Vec::new() };
        let mut batch = vec![first];
        while batch.len() < AT_ONCE && queue.front().is_some_and(|job| job.by == batch[0].by) {
            batch.extend(queue.pop_front());
        }
        batch
    }

    async fn probe_batch(
        &mut self,
        spec: &TargetSpec,
        batch: Vec<Job>,
        now: OffsetDateTime,
    ) -> Result<Vec<Probed>, ControllerError> {
        let Some(first) = batch.first() else { return Ok(Vec::new()) };
        let cases: Vec<ProbeCase> = batch.iter().map(|job| job.case.clone()).collect();
        let untried = |why: &str| {
            let answer = ProbeAnswer { untried: vec![why.to_owned()], ..ProbeAnswer::default() };
            Some(vec![answer; cases.len()])
        };
        let answers = match &first.by {
            By::Reading(reader) => self.target.probe_views(&spec.metadata, reader, &cases).await?,
            by => by.why_not().and_then(untried),
        };
        let mut found = Vec::with_capacity(batch.len());
        let mut records = Vec::with_capacity(batch.len());
        for (job, answer) in batch.into_iter().zip(answers.unwrap_or_default()) {
            let Probing { round, kept, .. } = &mut self.probing;
            round.note(kept, &job, &answer);
            count(self.name.as_str(), &answer);
            records.push(self.probe_record(&job, &answer, now)?);
            let readers = job.case.standing.is_some().then_some(job.readers);
            let canary = matches!(job.by, By::Reading(ProbeReader::Canary(_)));
            found.push(Probed { view: job.view, reader: job.reader, canary, readers, answer });
        }
        let placed = self.store.append(records, None).await.map_err(ControllerError::Unrecorded)?;
        if let (Some(key), Some(last)) = (&self.probing.signing, placed.last()) {
            let signed = NewRecord::of(&self.ids, now, Actor::Axon, key.sign(Chain::after(last)))?;
            self.store.append(vec![signed], None).await.map_err(ControllerError::Unrecorded)?;
        }
        Ok(found)
    }

    /// The same, which signs the journal after what was found of a view.
    #[must_use]
    pub fn signing(mut self, key: Option<Arc<SigningKey>>) -> Self {
        self.probing.signing = key;
        self
    }

    fn probe_record(
        &self,
        job: &Job,
        answer: &ProbeAnswer,
        now: OffsetDateTime,
    ) -> Result<NewRecord, ControllerError> {
        let ProbeAnswer { rows, differs, leaks, untried } = answer.clone();
        let payload = ViewProbed {
            target: self.name.to_string(),
            view: job.view.to_string(),
            text: job.digest.clone(),
            stranger: job.case.standing.is_none(),
            canary: matches!(job.by, By::Reading(ProbeReader::Canary(_))),
            readers: job.readers as u64,
            rows,
            differs: differs.len() as u64,
            leaks: leaks.len() as u64,
            untried: untried.len() as u64,
            clear: ProbeClear { reader: job.reader.to_string(), differs, leaks, untried },
        };
        Ok(NewRecord::of(&self.ids, now, Actor::Axon, payload)?)
    }

    async fn keep_probes(&mut self, now: OffsetDateTime) -> Result<(), ControllerError> {
        self.probing.show(self.name.as_str());
        self.probing.kept.save(self.store.as_ref(), self.name.as_str(), now).await
    }

    /// Probes all views of the target, or one, now. Nothing is changed but what is kept of probes, and each class has its record.
    pub async fn probe_views(
        &mut self,
        map: &Arc<RoleMap>,
        only: Option<&str>,
    ) -> Result<ProbeReport, ControllerError> {
        let now = self.clock.now();
        self.inspect(now).await?;
        self.recall().await;
        self.decide_able(map, May::Look, now).await?;
        let mut report = ProbeReport::default();
        let (Some(compiled), Some(spec)) = (self.compiled_views(), map.targets.get(&self.name)) else {
            return Ok(report);
        };
        let spec = &*self.as_it_is_there(spec);
        let meant = |view: ObjectName| only.is_none_or(|only| view.to_string().eq_ignore_ascii_case(only));
        let (jobs, waits) = self.jobs(spec, &compiled, only).await;
        report.waits = waits.into_iter().filter(|(view, _)| meant(*view)).collect();
        self.probing.kept = Kept::load(self.store.as_ref(), self.name.as_str()).await?;
        self.probing.loaded = true;
        self.probing.kept.forget_others(&compiled);
        self.probing.round = Round::begin(&jobs, &mut self.probing.kept);
        self.probing.queue = jobs.into();
        while !self.probing.queue.is_empty() {
            let batch = self.next_batch();
            let done = self.probe_batch(spec, batch, now).await;
            match done {
                Ok(done) => report.probed.extend(done),
                Err(error) => {
                    self.keep_probes(now).await?;
                    return Err(error);
                }
            }
        }
        if only.is_none() && report.waits.is_empty() {
            self.probing.kept.whole = Some(now);
        }
        self.keep_probes(now).await?;
        report.probed.sort_by_key(|one| (one.view, one.reader));
        Ok(report)
    }
}

fn count(target: &str, answer: &ProbeAnswer) {
    let outcome = if !answer.differs.is_empty() {
        "differs"
    } else if !answer.untried.is_empty() {
        "untried"
    } else {
        "agrees"
    };
    metrics::counter!("axon_view_probes_total", "target" => target.to_owned(), "outcome" => outcome)
        .increment(1);
}

#[cfg(test)]
mod tests {
    use axon_reconcile::secure::{Metadata, PolicyWork, TableFilter};
    use axon_reconcile::view_body::{Rows, ViewBody};

    use super::*;

    fn object(schema: &str, text: &str) -> ObjectName {
        let name = |text: &str| SqlName::parse(text).unwrap();
        ObjectName { schema: name(schema), name: name(text) }
    }

    #[test]
    fn what_differs_does_not_keep_its_own_filter_from_being_mended() {
        let settings = ProbeSettings { freeze: true, ..ProbeSettings::default() };
        let mut probing = Probing::of(settings);
        probing.kept.differs.insert("secure.orders".into(), vec!["rows".into()]);
        let body = |text: &str| ViewBody {
            name: object("secure", text),
            from: object("sales", text),
            columns: Vec::new(),
            rows: Rows::All,
        };
        let compiled = Compiled { bodies: vec![body("orders"), body("lines")], ..Compiled::default() };
        let set = |table: &str, policy| {
            let filter = TableFilter {
                table: object("sales", table),
                columns: Vec::new(),
                rows: Rows::Nothing,
                unfiltered: [].into(),
                open: [].into(),
            };
            let metadata = Metadata::new(object("axon", "x").schema, object("axon_owner", "x").schema);
            Step::Secure(SecureStep::SetFilter { filter: Box::new(filter), metadata, make: false, policy })
        };
        let held = |table, policy| probing.against(&set(table, policy), Some(&compiled)).is_some();
        assert!(!held("orders", PolicyWork::Alter), "it is how its table is mended");
        assert!(!held("lines", PolicyWork::TurnOn), "it hides");
        assert!(held("lines", PolicyWork::Alter), "it may give");
    }
}
