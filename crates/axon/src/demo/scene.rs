//! The scenes of the story: what was pushed, what the reconciler did about it, and how long that took, read from the journal.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use axon_audit::RecordKind;
use axon_audit::payload::{ReadBack, StepOutcome, StepResult};
use axon_controller::{State, Summary};
use axon_model::{PlanId, RecordSeq};
use axon_store::{JournalEntry, Store};
use axon_store_sqlite::{Address, Options, SqliteStore};
use time::OffsetDateTime;

use super::push::Sent;

/// How long the catalog may take to follow a scene.
const PATIENCE: Duration = Duration::from_secs(30);
/// The targets of the map. The first one is the pool, whose statements are shown as they are sent.
const TARGETS: [&str; 3] = ["warehouse", "workspace", "factory"];
const SOME: u32 = 1_000;

/// Plays scenes and shows what each did.
pub struct Scenes {
    store: Arc<dyn Store>,
    /// Records up to here were shown.
    shown: RecordSeq,
    title: &'static str,
    pushes: usize,
    pushed: usize,
    began: Instant,
    /// When each request was sent.
    sent: Sent,
}

/// One statement that took effect.
struct Effect {
    statement: String,
    after: Option<time::Duration>,
}

impl Scenes {
    /// Watches the store of a running serve.
    pub async fn open(address: &str, sent: Sent) -> anyhow::Result<Self> {
        let options = Options::new(Address::parse(address, Path::new("."))?);
        let store = Arc::new(SqliteStore::open(options).await?);
        Ok(Self { store, shown: RecordSeq(0), title: "", pushes: 0, pushed: 0, began: Instant::now(), sent })
    }

    /// Begins a scene of so many pushes.
    pub fn begin(&mut self, title: &'static str, pushes: usize) {
        (self.title, self.pushes, self.pushed, self.began) = (title, pushes, 0, Instant::now());
        self.progress();
    }

    /// One push was answered.
    pub fn pushed(&mut self) {
        self.pushed += 1;
        self.progress();
    }

    fn progress(&self) {
        if std::io::stderr().is_terminal() && self.pushes > 0 {
            let width = 24;
            let done = width * self.pushed / self.pushes;
            eprint!("\r  [{}{}] {}/{}", "#".repeat(done), ".".repeat(width - done), self.pushed, self.pushes);
            let _ = std::io::stderr().flush();
        }
    }

    /// Waits until the catalog has what the scene asked for, then shows what it took.
    pub async fn settle(&mut self) -> anyhow::Result<()> {
        let answered = self.began.elapsed();
        let wanted = self.last_change().await?;
        let end = Instant::now() + PATIENCE;
        let mut moved = self.store.subscribe();
        loop {
            let Some((target, summary)) = self.behind(wanted).await? else { break };
            if Instant::now() > end {
                bail!("{}: {target} did not follow within {PATIENCE:?}; last known: {summary:?}", self.title);
            }
            // The other process's commits move nothing here: look again soon.
            drop(tokio::time::timeout(Duration::from_millis(5), moved.changed()).await);
        }
        self.show(answered).await
    }

    /// Waits until nothing waits for time any more: a workspace lets a role have its effect by and by.
    pub async fn converged(&mut self) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            let mut late = None;
            for target in TARGETS {
                let summary = self.store.summary(target).await?;
                let summary: Option<Summary> =
                    summary.map(|(value, _)| serde_json::from_value(value)).transpose()?;
                if !summary.as_ref().is_some_and(|summary| summary.state == State::Converged) {
                    late = Some((target, summary));
                }
            }
            let Some((target, summary)) = late else { return Ok(()) };
            if Instant::now() > end {
                bail!("{target} did not converge within {PATIENCE:?}; last known: {summary:?}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A target that has not worked off everything up to a record.
    async fn behind(&self, wanted: RecordSeq) -> anyhow::Result<Option<(&'static str, Option<Summary>)>> {
        for target in TARGETS {
            let summary = self.store.summary(target).await?;
            let summary: Option<Summary> =
                summary.map(|(value, _)| serde_json::from_value(value)).transpose()?;
            if !summary.as_ref().is_some_and(|s| s.trouble.is_none() && s.settled >= wanted) {
                return Ok(Some((target, summary)));
            }
        }
        Ok(None)
    }

    /// The last change of the directory that the journal holds.
    async fn last_change(&self) -> anyhow::Result<RecordSeq> {
        let entries = self.since(self.shown).await?;
        let last = entries
            .iter()
            .filter(|e| e.record.kind == RecordKind::DirectoryChange)
            .map(|e| e.record.seq)
            .max();
        // Where nothing was changed, any tick will do.
        Ok(last.unwrap_or_default())
    }

    async fn since(&self, position: RecordSeq) -> anyhow::Result<Vec<JournalEntry>> {
        let mut all: Vec<JournalEntry> = Vec::new();
        loop {
            let from = all.last().map_or(position, |e| e.record.seq).next();
            let some = self.store.records(from, SOME).await?;
            if some.is_empty() {
                return Ok(all);
            }
            all.extend(some);
        }
    }

    async fn show(&mut self, answered: Duration) -> anyhow::Result<()> {
        let entries = self.since(self.shown).await?;
        let first_push =
            entries.iter().find(|e| e.record.kind == RecordKind::DirectoryChange).map(|e| e.record.at);
        let effects = self.effects(&entries, first_push)?;
        if std::io::stderr().is_terminal() {
            eprint!("\r\x1b[K");
        }
        println!("{}", self.title);
        if self.pushes > 0 {
            let pushes = if self.pushed == 1 { "push" } else { "pushes" };
            println!("  {} {pushes}, answered in {} ms", self.pushed, answered.as_millis());
        }
        if effects.is_empty() {
            println!("  nothing changes");
        }
        for Effect { statement, after } in &effects {
            match after {
                Some(after) => println!("  {:>6} ms  {statement}", after.whole_milliseconds()),
                None => println!("             {statement}"),
            }
        }
        println!();
        self.shown = entries.last().map_or(self.shown, |e| e.record.seq);
        Ok(())
    }

    /// The statements that the catalog shows in force, each with the time since the push that asked for it.
    fn effects(
        &self,
        entries: &[JournalEntry],
        first_push: Option<OffsetDateTime>,
    ) -> anyhow::Result<Vec<Effect>> {
        let mut read_back: BTreeMap<(PlanId, u64), OffsetDateTime> = BTreeMap::new();
        for entry in entries.iter().filter(|e| e.record.kind == RecordKind::ReadBack) {
            let seen = entry.record.facts_of::<ReadBack>()?;
            if seen.in_force {
                read_back.insert((seen.step.plan, seen.step.index), entry.record.at);
            }
        }
        let mut effects = Vec::new();
        for entry in entries.iter().filter(|e| e.record.kind == RecordKind::StepOutcome) {
            let outcome = entry.record.facts_of::<StepOutcome>()?;
            let Some(at) = read_back.get(&(outcome.step.plan, outcome.step.index)) else { continue };
            if outcome.result != StepResult::Done {
                continue;
            }
            let asked = entry.record.request.as_ref().and_then(|r| self.sent.at(r)).or(first_push);
            let clear =
                entry.clear.as_ref().map(axon_audit::ClearPart::body_of::<StepOutcome>).transpose()?;
            let clear = clear.unwrap_or_default();
            if outcome.step.target != TARGETS[0] {
                // A request is long, and its ids say nothing to people.
                let statement = format!("{}: {}", outcome.step.target, clear.text);
                effects.push(Effect { statement, after: asked.map(|asked| *at - asked) });
                continue;
            }
            // Looking for a leaver's sessions changes nothing; killing one does.
            let statements = clear.statements;
            for statement in statements.into_iter().filter(|s| !s.trim_start().starts_with("SELECT")) {
                effects.push(Effect { statement, after: asked.map(|asked| *at - asked) });
            }
        }
        Ok(effects)
    }

    /// Stops watching.
    pub async fn close(self) {
        self.store.close().await;
    }
}
