//! A full disk under the store, and a process that dies before there is room again: what it took away has its records all the same.

use axon_audit::RecordKind;
use axon_audit::payload::StepIntent;
use axon_controller::State;
use axon_reconcile::Connect;
use axon_store::{DirectoryStore as _, RemovalStore as _};

use crate::stage::Stage;

async fn taken(stage: &Stage) -> Vec<String> {
    let journal = stage.journal().await;
    let intents = journal.iter().filter(|e| e.record.kind == RecordKind::StepIntent);
    let steps = intents.map(|e| e.record.facts_of::<StepIntent>().unwrap());
    steps.filter(|intent| !intent.gives).map(|intent| intent.step.action).collect()
}

/// From now on the journal takes no record of a step, until the trigger `full` is dropped.
fn full_disk(stage: &Stage) -> rusqlite::Connection {
    let disk = rusqlite::Connection::open(&stage.file).unwrap();
    disk.execute_batch(
        "CREATE TRIGGER full BEFORE INSERT ON journal WHEN NEW.kind IN ('step-intent', 'step-outcome', 'read-back')
         BEGIN SELECT RAISE(ABORT, 'the disk is full'); END",
    )
    .unwrap();
    disk
}

#[tokio::test]
async fn what_was_taken_with_a_full_disk_is_recorded_by_the_process_that_follows() {
    let mut stage = Stage::set().await;
    let folder = tempfile::tempdir().unwrap();
    stage.restart_with(folder.path(), "one");
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    stage.readers(&[kim, ana]).await;
    stage.settle().await;
    let disk = full_disk(&stage);
    stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
    stage.ticker.tick(&stage.map.clone()).await;
    assert_eq!(stage.pool.connect("kim"), Connect::Denied);
    assert_eq!(taken(&stage).await, Vec::<String>::new(), "the journal took nothing");

    stage.restart_with(folder.path(), "two");
    disk.execute_batch("DROP TRIGGER full").unwrap();
    assert_eq!(stage.settle().await.state, State::Converged);
    let told = taken(&stage).await;
    assert!(told.contains(&"deny-connect".to_owned()), "{told:?}");
    assert!(told.contains(&"drop-member".to_owned()), "{told:?}");
    let counted = stage.store.removals("warehouse").await.unwrap();
    assert!(counted.iter().any(|removal| removal.leaver), "and the budget knows of it: {counted:?}");
    stage.proved().await;

    // Nothing is told twice.
    stage.restart_with(folder.path(), "three");
    stage.settle().await;
    assert_eq!(taken(&stage).await, told);
}

#[tokio::test]
async fn a_record_that_reached_the_journal_before_the_process_died_is_not_written_again() {
    let mut stage = Stage::set().await;
    let folder = tempfile::tempdir().unwrap();
    stage.restart_with(folder.path(), "one");
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    stage.settle().await;
    let disk = full_disk(&stage);
    stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
    stage.ticker.tick(&stage.map.clone()).await;
    let file = folder.path().join("warehouse.spool");
    let spooled = std::fs::read(&file).unwrap();
    disk.execute_batch("DROP TRIGGER full").unwrap();
    stage.settle().await;
    let told = taken(&stage).await;
    assert!(told.contains(&"deny-connect".to_owned()));
    // As if it had died between the journal and the spool, and others had written many records since.
    stage.fill_journal(6_000).await;
    stage.restart_with(folder.path(), "two");
    std::fs::write(&file, spooled).unwrap();
    stage.settle().await;
    assert_eq!(taken(&stage).await, told);
}
