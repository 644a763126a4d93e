//! Leases are held for as long as something is under way, and each wave has its records.

use std::sync::Arc;
use std::time::Duration;

use axon_audit::RecordKind;
use axon_audit::payload::{PlanMade, StepOutcome, StepResult};
use axon_model::{Actor, Clock as _, IdSource, ManualClock, MapVersion, RecordSeq, SqlName};
use axon_reconcile::Outcome;
use axon_store::{Act, JournalStore as _, StateStore as _};
use axon_store_sqlite::{Address, Options, SqliteStore};
use time::OffsetDateTime;

use super::leases::LEASE;
use super::*;

const TARGET: &str = "warehouse";

struct Bench {
    _folder: tempfile::TempDir,
    store: SqliteStore,
    clock: ManualClock,
    act: Act,
    map: MapVersion,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("axon.db");
        let store = SqliteStore::open(Options::new(Address::of_file(&file))).await.unwrap();
        let now = OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000);
        let act = Act { actor: Actor::Axon, request: None, now, ids: Arc::new(IdSource::counting()) };
        let map = axon_mapping::RoleMap::parse(&[("m", "axon: 1\nroles: { reader: {} }\n")]).unwrap();
        let map = map.version().clone();
        Self { _folder: folder, store, clock: ManualClock::at(now), act, map }
    }

    async fn take(&self, targets: &[&str]) -> Result<Leases<'_>, LeftError> {
        let targets: Vec<String> = targets.iter().map(|name| (*name).to_owned()).collect();
        Leases::take(&self.store, &self.clock, &self.act, &targets).await
    }

    async fn begin<'a, 's>(&'a self, left: &'a Left, leases: &'a mut Leases<'s>) -> Option<Removal<'a, 's>> {
        left.begin(leases, &self.act, &self.map).await.unwrap()
    }

    /// Whether somebody else gets the lease now.
    async fn is_free(&self) -> bool {
        let taken = self.store.try_lease(TARGET, "other", LEASE, self.clock.now()).await.unwrap();
        taken.is_some()
    }
}

fn left() -> Left {
    let name = |text| SqlName::parse(text).unwrap();
    let steps = vec![
        Step::DropMember { role: name("axon_reader"), member: name("kim") },
        Step::DropRole { name: name("axon_reader") },
        Step::DropPrincipal { name: name("kim"), sid: None },
        Step::DropPrincipal { name: name("lee"), sid: None },
    ];
    let unmakes = vec![Vec::new(); steps.len()];
    Left { targets: vec![TARGET.to_owned()], steps, unmakes, ..Left::default() }
}

#[test]
fn people_go_after_roles_and_roles_after_memberships() {
    assert_eq!(left().waves(), [0..1, 1..2, 2..4]);
    assert!(Left::default().waves().is_empty());
}

#[tokio::test]
async fn the_target_is_held_for_as_long_as_a_statement_takes() {
    let bench = Bench::new().await;
    let mut leases = bench.take(&[TARGET]).await.unwrap();
    let statement = async {
        for _ in 0..4 {
            bench.clock.advance(time::Duration::minutes(3));
            for turn in 0.. {
                assert!(turn < 2_000, "it is not held for longer");
                tokio::time::sleep(Duration::from_millis(5)).await;
                let held = bench.store.lease(TARGET).await.unwrap().unwrap();
                if held.until - bench.clock.now() == LEASE {
                    break;
                }
            }
        }
        "done"
    };
    let (done, held) = leases.hold_while(statement, Duration::from_millis(1)).await;
    assert_eq!(done, "done");
    held.unwrap();
    assert!(!bench.is_free().await);
    leases.give_back().await;
    assert!(bench.is_free().await);
}

#[tokio::test]
async fn all_targets_are_held_or_none() {
    let bench = Bench::new().await;
    let others = bench.take(&["other"]).await.unwrap();
    let refused = bench.take(&[TARGET, "other"]).await;
    assert!(matches!(refused.err(), Some(LeftError::Busy(target)) if target == "other"));
    assert!(bench.is_free().await, "nobody waits for what was not begun");
    others.give_back().await;
}

#[tokio::test]
async fn where_the_target_was_lost_nothing_more_is_sent_and_what_was_done_is_told() {
    let (bench, left) = (Bench::new().await, left());
    let mut leases = bench.take(&[TARGET]).await.unwrap();
    let mut removal = bench.begin(&left, &mut leases).await.unwrap();
    removal.intend(&[0]).await.unwrap();
    bench.clock.advance(LEASE);
    assert!(bench.is_free().await, "its time is over");
    // Somebody else has it since.
    assert!(matches!(removal.leases().hold().await, Err(LeftError::Busy(_))));
    assert!(matches!(removal.intend(&[1]).await, Err(LeftError::Busy(_))));
    let done = Outcome::Done { statements: Vec::new(), micros: 1 };
    assert!(matches!(removal.outcome(&[0], &[done]).await, Err(LeftError::Busy(_))));
    let told = bench.store.records_of(RecordKind::StepOutcome, RecordSeq(1), 10).await.unwrap();
    let results: Vec<StepResult> =
        told.iter().map(|entry| entry.record.facts_of::<StepOutcome>().unwrap().result).collect();
    assert_eq!(results, [StepResult::Done]);
}

#[tokio::test]
async fn what_stays_is_on_record_also_where_nothing_is_to_be_done() {
    let bench = Bench::new().await;
    let mut leases = bench.take(&[]).await.unwrap();
    assert!(bench.begin(&Left::default(), &mut leases).await.is_none());
    let plans = async || bench.store.records_of(RecordKind::PlanMade, RecordSeq(1), 10).await.unwrap();
    assert!(plans().await.is_empty());
    let left = Left::untold("h:1433/dw".to_owned(), vec!["role sales: a reason".to_owned()]);
    assert!(bench.begin(&left, &mut leases).await.is_none());
    let plans = plans().await;
    let facts: Vec<PlanMade> =
        plans.iter().map(|entry| entry.record.facts_of::<PlanMade>().unwrap()).collect();
    assert!(facts.len() == 1 && facts[0].target == "h:1433/dw" && facts[0].findings == 1, "{facts:?}");
    let body = &plans[0].clear.as_ref().unwrap().body;
    assert_eq!(body["findings"][0], "role sales: a reason");
}
