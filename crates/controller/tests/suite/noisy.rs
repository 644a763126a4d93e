//! Two targets, of which one misbehaves: who leaves is out of the other one all the same.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axon_controller::{Controller, State};
use axon_mapping::TargetName;
use axon_reconcile::{
    Connect, InspectScope, Inspection, Outcome, Refusal, RefusalKind, Seen, StepKind, Target, TargetError,
    Wave,
};
use axon_store::DirectoryStore as _;
use tokio::sync::watch;

use crate::dangers::join;
use crate::stage::{FakePool, MAP, Mischief, Stage, name, until};

/// What the noisy one does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deaf {
    No,
    ToReads,
    ToStatements,
}

/// A pool that may hear and never answer.
struct Noisy {
    pool: Arc<FakePool>,
    deaf: watch::Sender<Deaf>,
}

impl Noisy {
    async fn hears(&self, what: Deaf) {
        let mut deaf = self.deaf.subscribe();
        deaf.wait_for(|deaf| *deaf != what).await.unwrap();
    }
}

#[async_trait]
impl Target for Noisy {
    async fn inspect(&self, scope: InspectScope) -> Result<Inspection, TargetError> {
        self.hears(Deaf::ToReads).await;
        self.pool.inspect(scope).await
    }

    async fn apply(&self, wave: &Wave) -> Vec<Outcome> {
        self.hears(Deaf::ToStatements).await;
        self.pool.apply(wave).await
    }

    async fn read_back(&self, wave: &Wave) -> Result<Vec<Seen>, TargetError> {
        self.pool.read_back(wave).await
    }
}

/// The map of the stage with a second pool beside the first.
fn two() -> String {
    let (before, roles) = MAP.split_once("roles:\n").unwrap();
    let (_, pool) = before.split_once("  warehouse:\n").unwrap();
    let roles = roles.replace("{ warehouse: [", "{ lake: [\"select on sales.orders\"], warehouse: [");
    format!("{before}  lake:\n{}roles:\n{roles}", pool.replace("database: dw", "database: lake"))
}

/// Runs the loops of both beside a story.
async fn beside_both<T>(
    stage: &Stage,
    controller: &Controller,
    noisy: &Arc<Noisy>,
    story: impl Future<Output = T>,
) -> T {
    let (_map, map) = watch::channel(stage.map.clone());
    let (stop, stopped) = watch::channel(false);
    let mut targets: BTreeMap<TargetName, Arc<dyn Target>> = BTreeMap::new();
    targets.insert("warehouse".parse().unwrap(), stage.pool.clone());
    targets.insert("lake".parse().unwrap(), noisy.clone());
    let run = controller.run(targets, map, stopped);
    let story = async {
        let told = story.await;
        // A wave that has begun is finished before a loop ends.
        noisy.deaf.send_replace(Deaf::No);
        stop.send(true).unwrap();
        told
    };
    let both = async { tokio::join!(run, story).1 };
    tokio::time::timeout(Duration::from_secs(20), both).await.expect("one target kept the other waiting")
}

/// Kim leaves while the lake makes this noise: the warehouse shuts her out, the lake has not.
async fn leaves_beside(misbehave: impl FnOnce(&Noisy), still: impl Fn(&Noisy) -> bool) {
    let stage = Stage::set_with(&two()).await;
    let kim = stage.user("kim").await;
    let readers = stage.readers(&[kim]).await;
    let noisy = Arc::new(Noisy { pool: Arc::default(), deaf: watch::channel(Deaf::No).0 });
    let controller = Stage::controller(&stage.store, &stage.clock, &stage.ids, "both", BTreeMap::new());
    let stands = |target: &str| controller.states().get(target).copied();
    beside_both(&stage, &controller, &noisy, async {
        until(|| stands("warehouse") == Some(State::Converged) && stands("lake") == Some(State::Converged))
            .await;
        misbehave(&noisy);
        stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
        until(|| stage.pool.connect("kim") == Connect::Denied && !stage.pool.in_role("axon_reader", "kim"))
            .await;
        assert!(still(&noisy), "it was over before it could delay anybody");
        // And it goes on so: the next one does not wait either.
        let lee = stage.user("lee").await;
        stage.patch(readers, "lee-joins", join(&[lee])).await;
        until(|| stage.pool.in_role("axon_reader", "lee")).await;
        stage.store.delete_user(stage.context("delete-lee"), lee).await.unwrap();
        until(|| stage.pool.connect("lee") == Connect::Denied).await;
        assert!(still(&noisy));
    })
    .await;
}

#[tokio::test]
async fn a_statement_that_never_ends_at_one_target_keeps_no_leaver_in_another() {
    let deaf = |noisy: &Noisy| {
        noisy.deaf.send_replace(Deaf::ToStatements);
    };
    leaves_beside(deaf, |noisy| noisy.pool.connect("kim") == Connect::Granted).await;
}

#[tokio::test]
async fn a_catalog_that_is_never_read_to_its_end_keeps_no_leaver_in_another_target() {
    let deaf = |noisy: &Noisy| {
        // The first statement breaks, so that it is read anew.
        noisy.pool.plot(Mischief::BreakStep(StepKind::DenyConnect, name("kim")));
        noisy.deaf.send_replace(Deaf::ToReads);
    };
    leaves_beside(deaf, |noisy| noisy.pool.connect("kim") == Connect::Granted).await;
}

#[tokio::test]
async fn a_target_that_throttles_breaks_and_panics_keeps_no_leaver_in_another() {
    let noise = |noisy: &Noisy| {
        let busy = Refusal { kind: RefusalKind::Busy, number: 40501, message: "busy".into() };
        noisy.pool.plot(Mischief::RefuseStep(StepKind::DenyConnect, busy));
        noisy.pool.plot(Mischief::BreakStep(StepKind::DropMember, name("kim")));
        noisy.pool.plot(Mischief::Panic);
    };
    leaves_beside(noise, |noisy| noisy.pool.connect("kim") == Connect::Granted).await;
}
