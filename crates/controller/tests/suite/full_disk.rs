//! A disk under the store that is full for everything: no record, no lease, no hold, no summary can be written. What takes access away
//! goes on, what gives waits and says why, and when there is room again the journal tells all that was done.

use std::collections::BTreeMap;

use axon_audit::RecordKind;
use axon_audit::payload::{PlanMade, StepClear, StepIntent, StepOutcome, StepResult};
use axon_controller::State;
use axon_model::{Clock as _, UserId};
use axon_reconcile::Connect;
use axon_store::{DirectoryStore as _, JournalEntry, RemovalStore as _, StateStore as _};

use crate::dangers::{join, leave};
use crate::stage::{Stage, name};

/// More than two waves.
const MOVERS: usize = 40;

/// Nothing can be written from now on until there is room again. It is done by another connection, as another process would.
pub(crate) struct Disk(rusqlite::Connection);

impl Disk {
    pub(crate) fn under(stage: &Stage) -> Self {
        let connection = rusqlite::Connection::open(&stage.file).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        Self(connection)
    }

    fn tables(&self) -> Vec<String> {
        let names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
        let mut statement = self.0.prepare(names).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    pub(crate) fn fill(&self) {
        let triggers = self.tables().into_iter().flat_map(|table| {
            ["INSERT", "UPDATE", "DELETE"].map(|verb| {
                format!(
                    "CREATE TRIGGER full_{verb}_{table} BEFORE {verb} ON {table}
                     BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END;"
                )
            })
        });
        self.0.execute_batch(&format!("BEGIN; {} COMMIT;", triggers.collect::<String>())).unwrap();
    }

    pub(crate) fn empty(&self) {
        let drops = self.tables().into_iter().flat_map(|table| {
            ["INSERT", "UPDATE", "DELETE"].map(|verb| format!("DROP TRIGGER full_{verb}_{table};"))
        });
        self.0.execute_batch(&format!("BEGIN; {} COMMIT;", drops.collect::<String>())).unwrap();
    }
}

/// Kim is deleted, forty people lose their only role and with it their entrance, lee is to get the role; all of that is known before
/// the disk is full.
struct Story {
    stage: Stage,
    disk: Disk,
    folder: tempfile::TempDir,
    kim: UserId,
    movers: Vec<UserId>,
    /// How many steps were done before.
    before: usize,
}

impl Story {
    async fn told() -> Self {
        let mut stage = Stage::set().await;
        let folder = tempfile::tempdir().unwrap();
        stage.restart_with(folder.path(), "one");
        let kim = stage.user("kim").await;
        let mut movers = Vec::new();
        for n in 0..MOVERS {
            movers.push(stage.user(&format!("mover{n}")).await);
        }
        let readers = stage.readers(&[&[kim], movers.as_slice()].concat()).await;
        assert_eq!(stage.settle().await.state, State::Converged);
        stage.pool.sessions.lock().unwrap().insert(name("kim"));
        let lee = stage.user("lee").await;
        stage.patch(readers, "lee-joins", join(&[lee])).await;
        stage.patch(readers, "movers-go", leave(&movers)).await;
        let before = stage.pool.applied.lock().unwrap().len();
        let disk = Disk::under(&stage);
        Self { stage, disk, folder, kim, movers, before }
    }

    async fn kim_leaves(&self) {
        self.stage.store.delete_user(self.stage.context("delete-kim"), self.kim).await.unwrap();
    }

    fn movers_are_out(&self) -> bool {
        (0..self.movers.len()).all(|n| !self.stage.pool.in_role("axon_reader", &format!("mover{n}")))
    }

    fn kim_is_out(&self) -> bool {
        let pool = &self.stage.pool;
        pool.connect("kim") == Connect::Denied
            && !pool.in_role("axon_reader", "kim")
            && !pool.sessions.lock().unwrap().contains(&name("kim"))
    }

    fn lee_waits(&self) -> bool {
        !self.stage.pool.graph.lock().unwrap().principals.contains_key(&name("lee"))
    }

    /// All steps that the pool saw since the story began have an intent and an outcome, in a plan that is on record.
    async fn all_is_on_record(&self) {
        let journal = self.stage.journal().await;
        let applied = self.stage.pool.applied.lock().unwrap().clone();
        let mut done: BTreeMap<String, usize> = BTreeMap::new();
        for step in applied {
            *done.entry(step).or_default() += 1;
        }
        let intents = of(&journal, RecordKind::StepIntent);
        let outcomes = of(&journal, RecordKind::StepOutcome)
            .filter(|e| e.record.facts_of::<StepOutcome>().unwrap().result == StepResult::Done);
        assert_eq!(texts(intents.clone()), done, "each step has its intent");
        assert_eq!(texts(outcomes), done, "and its outcome, once");
        let plans: Vec<_> = of(&journal, RecordKind::PlanMade)
            .map(|e| e.record.facts_of::<PlanMade>().unwrap().plan)
            .collect();
        for intent in intents {
            let plan = intent.record.facts_of::<StepIntent>().unwrap().step.plan;
            assert!(plans.contains(&plan), "the plan of {intent:?} is on record");
        }
        let counted = self.stage.store.removals("warehouse").await.unwrap();
        let gone: u64 = counted.iter().filter(|removal| removal.leaver).map(|removal| removal.count).sum();
        assert_eq!(gone, MOVERS as u64 + 1, "and the budget counts each of them once: {counted:?}");
        self.stage.proved().await;
    }
}

fn of(journal: &[JournalEntry], kind: RecordKind) -> impl Iterator<Item = &JournalEntry> + Clone {
    journal.iter().filter(move |entry| entry.record.kind == kind)
}

fn texts<'j>(entries: impl Iterator<Item = &'j JournalEntry>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for entry in entries {
        let clear: StepClear = serde_json::from_value(entry.clear.as_ref().unwrap().body.clone()).unwrap();
        *counts.entry(clear.text).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn what_takes_goes_on_what_gives_waits_and_all_is_on_record_afterwards() {
    let mut story = Story::told().await;
    story.kim_leaves().await;
    story.disk.fill();
    let summary = story.stage.ticker.tick(&story.stage.map.clone()).await.summary;
    assert!(story.kim_is_out(), "{summary:?}");
    assert!(story.movers_are_out(), "wave after wave, without a lease that could be written");
    assert!(story.lee_waits());
    assert_eq!(summary.state, State::StoreFailed);
    assert!(summary.trouble.as_ref().is_some_and(|words| words.contains("full")), "{summary:?}");
    let waits = summary.waiting.iter().find(|w| w.what.contains("lee"));
    assert!(waits.is_some_and(|w| w.why.contains("nothing is given without its record")), "{summary:?}");

    // As long as there is no room it is tried again, and nothing is done twice.
    let done = story.stage.pool.applied.lock().unwrap().len();
    assert_eq!(story.stage.ticker.tick(&story.stage.map.clone()).await.summary.state, State::StoreFailed);
    assert_eq!(story.stage.pool.applied.lock().unwrap().len(), done);
    assert!(done > story.before + MOVERS);

    let lease = story.stage.store.lease("warehouse").await.unwrap().map(|lease| lease.generation);
    story.disk.empty();
    assert_eq!(story.stage.settle().await.state, State::Converged);
    assert!(story.stage.pool.in_role("axon_reader", "lee"));
    let later = story.stage.store.lease("warehouse").await.unwrap().map(|lease| lease.generation);
    assert!(later > lease, "other replicas see that somebody worked there: {lease:?}, {later:?}");
    story.all_is_on_record().await;
}

#[tokio::test]
async fn a_disk_that_fills_up_under_a_run_stops_none_of_its_waves_that_take() {
    let mut story = Story::told().await;
    let filled = Disk::under(&story.stage);
    story.kim_leaves().await;
    story.stage.pool.meanwhile(0, async move { filled.fill() });
    let summary = story.stage.ticker.tick(&story.stage.map.clone()).await.summary;
    assert!(story.kim_is_out() && story.movers_are_out(), "{summary:?}");
    assert!(story.lee_waits());
    story.disk.empty();
    assert_eq!(story.stage.settle().await.state, State::Converged);
    story.all_is_on_record().await;
}

#[tokio::test]
async fn processes_that_die_one_after_another_while_the_disk_is_full_leave_nothing_unrecorded() {
    let mut story = Story::told().await;
    story.disk.fill();
    story.stage.ticker.tick(&story.stage.map.clone()).await;
    assert!(story.movers_are_out() && story.lee_waits());
    // There is room for a moment: the push of the leaver gets in, and then the process dies.
    story.disk.empty();
    story.kim_leaves().await;
    story.disk.fill();
    story.stage.restart_with(story.folder.path(), "two");
    story.stage.ticker.tick(&story.stage.map.clone()).await;
    assert!(story.kim_is_out());
    story.stage.restart_with(story.folder.path(), "three");
    assert_eq!(story.stage.ticker.tick(&story.stage.map.clone()).await.summary.state, State::StoreFailed);
    story.disk.empty();
    assert_eq!(story.stage.settle().await.state, State::Converged);
    assert!(!story.lee_waits());
    story.all_is_on_record().await;
}

#[tokio::test]
async fn a_full_disk_is_no_leave_to_work_beside_another_process_that_has_the_lease() {
    let mut story = Story::told().await;
    let now = story.stage.clock.now();
    let minute = time::Duration::minutes(1);
    story.stage.store.try_lease("warehouse", "other", minute, now).await.unwrap().unwrap();
    story.disk.fill();
    let summary = story.stage.ticker.tick(&story.stage.map.clone()).await.summary;
    assert_eq!(story.stage.pool.applied.lock().unwrap().len(), story.before, "{summary:?}");
    story.stage.clock.advance(minute + time::Duration::seconds(1));
    story.stage.ticker.tick(&story.stage.map.clone()).await;
    assert!(story.movers_are_out(), "when it has run out, what takes goes on");
}
