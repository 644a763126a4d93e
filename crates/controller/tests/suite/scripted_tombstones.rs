//! The drop of whoever left, in a file that people run.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axon_mapping::TargetName;
use axon_model::Clock as _;
use axon_reconcile::{
    Graph, InspectScope, Inspection, LeaseProof, Outcome, Script, ScriptEnd, ScriptFile, ScriptRun, Seen,
    Step, Target, TargetError, Wave, apply_step,
};
use time::{Duration, OffsetDateTime};

use crate::stage::{FakePool, MAP, Stage, name};

/// The pool of the stage, which Axon only looks at.
#[derive(Default)]
struct Folder {
    pool: FakePool,
    files: Mutex<Vec<ScriptFile>>,
}

impl Folder {
    /// People run what waits, and it is seen. What was run, in words.
    fn run(&self) -> Vec<String> {
        let mut graph = self.pool.graph.lock().unwrap();
        let files = self.files.lock().unwrap();
        let steps: Vec<&Step> =
            files.iter().flat_map(|file| &file.steps).map(|step| &step.planned.step).collect();
        for step in &steps {
            apply_step(&mut graph, step).unwrap();
        }
        steps.iter().map(ToString::to_string).collect()
    }
}

impl Script for Folder {
    fn open(&self) -> Result<Vec<ScriptFile>, TargetError> {
        Ok(self.files.lock().unwrap().clone())
    }

    fn unwritable(&self, _: &Step) -> Option<String> {
        None
    }

    fn draft(&self, run: &ScriptRun<'_>) -> (ScriptFile, String) {
        let (name, digest, steps) = ("run.sql".to_owned(), String::new(), run.steps.clone());
        (ScriptFile { run: run.run, plan: run.plan, at: run.at, name, digest, steps }, String::new())
    }

    fn write(&self, file: &ScriptFile, _: &str, _: &LeaseProof) -> Result<(), TargetError> {
        self.files.lock().unwrap().push(file.clone());
        Ok(())
    }

    fn close(&self, file: &ScriptFile, _: ScriptEnd, _: OffsetDateTime) -> Result<(), TargetError> {
        self.files.lock().unwrap().retain(|open| open.run != file.run);
        Ok(())
    }

    fn is_seen(&self) -> bool {
        true
    }

    fn shows(&self, graph: &Graph, step: &Step) -> bool {
        let mut after = graph.clone();
        apply_step(&mut after, step).is_err() || after == *graph
    }
}

#[async_trait]
impl Target for Folder {
    fn script(&self) -> Option<&dyn Script> {
        Some(self)
    }

    async fn inspect(&self, scope: InspectScope) -> Result<Inspection, TargetError> {
        self.pool.inspect(scope).await
    }

    async fn apply(&self, wave: &Wave) -> Vec<Outcome> {
        panic!("nothing is sent: {:?}", wave.steps())
    }

    async fn read_back(&self, _: &Wave) -> Result<Vec<Seen>, TargetError> {
        panic!("nothing is read back")
    }
}

#[tokio::test]
async fn a_script_holds_the_drop_when_its_time_has_come() {
    let stage = Stage::set_with(
        &MAP.replace(
            "kind: synapse-dedicated\n    host: 127.0.0.1",
            "kind: script\n    dialect: synapse-dedicated\n    out: ./pending",
        )
        .replace("    auth: { token-file: t }\n    tls: off\n", ""),
    )
    .await;
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    stage.readers(&[kim, ana]).await;
    let folder = Arc::new(Folder::default());
    let warehouse: TargetName = "warehouse".parse().unwrap();
    let controller = Stage::controller(&stage.store, &stage.clock, &stage.ids, "one", [].into());
    let mut ticker = controller.ticker(warehouse, folder.clone());
    let map = stage.map.clone();
    ticker.tick(&map).await;
    assert!(!folder.run().is_empty());
    ticker.tick(&map).await;
    stage
        .patch_person(
            kim,
            "entra",
            serde_json::json!([{ "op": "Replace", "path": "active", "value": false }]),
        )
        .await;
    ticker.tick(&map).await;
    assert!(folder.run().contains(&"deny connect to kim".to_owned()));
    ticker.tick(&map).await;
    assert!(folder.files.lock().unwrap().is_empty(), "all of it is seen");
    stage.clock.advance(Duration::days(31));
    let health = axon_model::SourceHealth { last_push: Some(stage.clock.now()), ..Default::default() };
    let now = stage.clock.now();
    axon_store::HealthStore::add_health(stage.store.as_ref(), vec![("entra".parse().unwrap(), health)], now)
        .await
        .unwrap();
    ticker.tick(&map).await;
    assert_eq!(folder.run(), ["kill the sessions of kim", "drop user kim"]);
    ticker.tick(&map).await;
    assert!(folder.files.lock().unwrap().is_empty());
    assert!(!folder.pool.graph.lock().unwrap().principals.contains_key(&name("kim")));
    stage.proved().await;
}
