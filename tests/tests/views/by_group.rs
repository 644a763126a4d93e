//! Readers who enter by a group: nobody can be put on by its name, so a canary stands in, or it is said that nobody was tried.

use anyhow::{Context, ensure};
use axon_tests::{CONFIG, Place, Pool, SOON, Serve, Stage, until};
use serde_json::{Value, json};

use super::{ANN, ASKED, BOB, looking, map, people, read, read_when, stage_in};

/// A directory in which Ann and Bob are in the groups that the pool takes for principals.
fn place() -> anyhow::Result<Place> {
    let place = Place::new([ANN, BOB])?;
    let mut directory: Value = serde_json::from_str(&place.read("directory.json")?)?;
    directory["groups"] = json!([
        { "displayName": "Analysts", "objectId": "aaaaaaaa-0000-4000-8000-000000000001", "members": [ANN] },
        { "displayName": "Finance", "objectId": "aaaaaaaa-0000-4000-8000-000000000002", "members": [BOB] },
    ]);
    place.write("directory.json", &directory.to_string())?;
    Ok(place)
}

async fn records(stage: &Stage) -> anyhow::Result<Vec<Value>> {
    let journal = stage.place.journal().await?;
    let probes = journal.into_iter().filter(|record| record.kind == "view-probe");
    let facts = probes.map(|record| record.record["facts"].clone());
    Ok(facts.filter(|facts| facts["view"] == "secure.customers").collect())
}

#[tokio::test]
async fn readers_by_groups_are_probed_by_a_canary_or_told_as_untried() -> anyhow::Result<()> {
    let by_group = map(false).replace("via: person", "via: group");
    let stage = stage_in(place()?, &by_group, async |_: &Pool| Ok(())).await?;
    people(&stage.scim).await?;
    read_when(&stage.pool, BOB, "bob reads by his group", ASKED, |rows| rows.len() == 2).await?;
    ensure!(read(&stage.pool, ANN, ASKED).await?.is_empty(), "a group has no profile");

    // Analysts see no row, Finance sees two, and whoever has no role may not ask.
    let found = until("each class was probed", SOON, async || {
        let found = records(&stage).await?;
        let whole = |rows: Value, stranger: bool| {
            found.iter().any(|facts| facts["rows"] == rows && facts["stranger"] == stranger)
        };
        Ok((whole(json!(0), false) && whole(json!(2), false) && whole(Value::Null, true)).then_some(found))
    })
    .await?;
    let sound = |facts: &Value| facts["canary"] == true && facts["differs"] == 0 && facts["untried"] == 0;
    ensure!(found.iter().all(sound), "{found:?}");
    let said = stage.place.axon(&["view", "probe", "secure.customers"]).await?.exits(0)?.out;
    for words in [
        "as Analysts by a canary: as the map says, 0 rows",
        "as Finance by a canary: as the map says, 2 rows",
    ] {
        ensure!(said.contains(words), "{words}: {said}");
    }
    let mut admin = stage.pool.admin().await?;
    let canaries = "SELECT name FROM sys.database_principals WHERE name = N'axon_canary'";
    until("no canary is left", SOON, async || Ok(admin.column(canaries).await?.is_empty().then_some(())))
        .await?;

    // What a canary finds is a difference like any other.
    let Stage { pool, serve, place, .. } = stage;
    ensure!(serve.stop().await?.success());
    admin.run("DENY SELECT ON OBJECT::secure.customers TO axon_finance").await?;
    place.axon(&["view", "probe"]).await?.exits(3)?.says(&[])?;
    admin.run("REVOKE SELECT ON OBJECT::secure.customers FROM axon_finance").await?;
    admin.run("GRANT SELECT ON OBJECT::secure.customers TO axon_finance").await?;

    // Without canaries nobody is said to see what the map says: it is told, and alerts.
    let without = "reconcile: { retry_seconds: 1, inspect_every_seconds: 1, probe_canaries: false }";
    place.write("axon.yaml", &CONFIG.replace("reconcile: { retry_seconds: 1 }", without))?;
    let said = place.axon(&["view", "probe", "secure.customers"]).await?.exits(3)?.out;
    ensure!(said.contains("as Finance: UNTRIED") && said.contains("2 not tried whole"), "{said}");
    let serve = Serve::start(&place).await?;
    until("status tells it", SOON, async || {
        let said = place.axon(&["status"]).await?.out;
        Ok(said.contains("view secure.customers could not be probed whole").then_some(()))
    })
    .await?;
    serve.stop().await.context("it stops")?;
    drop(pool);
    Ok(())
}

#[tokio::test]
async fn a_canary_that_a_killed_process_left_goes_at_a_later_look() -> anyhow::Result<()> {
    let by_group = map(false).replace("via: person", "via: group");
    let stage = stage_in(place()?, &by_group, async |pool: &Pool| {
        // Whoever asks the view as a probe does waits for a long time.
        let slow = json!({ "what": { "latency": { "millis": 120_000 } }, "times": 1, "matching": "FROM [secure].[customers] AS t" });
        pool.ask("POST", "/pool/faults", Some(slow)).await.map(drop)
    })
    .await?;
    people(&stage.scim).await?;
    let canaries = "SELECT name FROM sys.database_principals WHERE name = N'axon_canary'";
    let Stage { pool, serve, place, .. } = stage;
    let mut admin = pool.admin().await?;
    until("a canary reads", SOON, async || {
        let waits = pool.ask("GET", "/pool", None).await?["faultsWaiting"] == 0;
        Ok((waits && admin.column(canaries).await?.len() == 1).then_some(()))
    })
    .await?;
    serve.kill().await?;
    pool.ask("POST", "/pool/cut", None).await?;

    // No probe goes on after it: what takes the canary away is the look at the pool, and only once no probe can be under way.
    let never = "inspect_every_seconds: 1, probe_views_hours: 0, probe_canaries: false";
    place.write("axon.yaml", &looking(never))?;
    let serve = Serve::start(&place).await?;
    let ticks = async || serve.metric("axon_reconcile_tick_seconds_count").await;
    until("it was looked at twice", SOON, async || Ok((ticks().await? > 1.5).then_some(()))).await?;
    let mut admin = pool.admin().await?;
    ensure!(admin.column(canaries).await?.len() == 1, "it may be of a probe that runs");
    pool.ask("POST", "/clock", Some(json!({ "advanceSeconds": 901 }))).await?;
    until("it is gone", SOON, async || Ok(admin.column(canaries).await?.is_empty().then_some(()))).await?;
    serve.stop().await.context("it stops")?;
    Ok(())
}
