//! How little Azure is asked where nothing changes, and how soon it is asked whether a change has effect.

use std::time::Instant;

use anyhow::ensure;
use axon_tests::{SOON, until};
use serde_json::{Value, json};

use crate::stage::{Script, Stage};

fn looks_each(seconds: u32) -> Script {
    let mut script = Script::default();
    let usual = "inspect_every_seconds: 2";
    assert!(script.config.contains(usual));
    script.config = script.config.replace(usual, &format!("inspect_every_seconds: {seconds}"));
    script
}

#[tokio::test]
async fn between_two_looks_nothing_is_asked() -> anyhow::Result<()> {
    let stage = looks_each(600).play().await?;
    stage.push().await?;
    stage.given().await?;
    stage.settled().await?;
    let asked = async || anyhow::Ok(stage.requests().await?.len());
    let before = asked().await?;
    for n in 0..20 {
        stage.scim.person(&format!("person{n}@acme.example")).await?;
    }
    stage.push_group("SG-Nobody-Maps", "aaaaaaaa-0000-0000-0000-000000000777").await?;
    let head = stage.place.head().await?;
    until("both targets have looked at all of it", SOON, async || {
        let status = stage.place.status().await?;
        let upto = |target: &str| status["targets"][target]["summary"]["position"].as_u64().unwrap_or(0);
        Ok((upto("workspace") >= head && upto("factory") >= head).then_some(()))
    })
    .await?;
    ensure!(asked().await? == before, "{} requests for nothing", asked().await? - before);
    Ok(())
}

/// How often a look was one page.
async fn pages(stage: &Stage) -> anyhow::Result<f64> {
    stage.serve.metric("axon_target_unchanged_total").await
}

#[tokio::test]
async fn where_nothing_changed_a_look_is_one_request() -> anyhow::Result<()> {
    let stage = looks_each(1).play().await?;
    stage.push().await?;
    stage.given().await?;
    stage.settled().await?;
    // After what it gave each target is looked at once as a whole.
    until("the looks are one page", SOON, async || Ok((pages(&stage).await? >= 4.0).then_some(()))).await?;
    let (from, began) = (pages(&stage).await?, Instant::now());
    stage.pool.ask("DELETE", "/cloud/requests", None).await?;
    until("six more", SOON, async || Ok((pages(&stage).await? >= from + 6.0).then_some(()))).await?;
    let asked = stage.requests().await?;
    let looks = usize::try_from(began.elapsed().as_secs())? + 2;
    for service in ["synapse", "arm"] {
        let count = asked.iter().filter(|r| r["service"] == service).count();
        ensure!((2..=looks).contains(&count), "{service}: {count} in {looks} looks");
    }
    let list = |r: &&Value| {
        let path = r["path"].as_str().unwrap_or_default();
        r["method"] == "GET" && path.to_ascii_lowercase().ends_with("/roleassignments")
    };
    let others: Vec<&Value> = asked.iter().filter(|r| !list(r)).collect();
    ensure!(others.is_empty(), "{others:#?}");
    // Somebody takes the rows away by hand: the page tells, and both are given back.
    let mut cloud = stage.pool.ask("GET", "/cloud", None).await?;
    let is_own = |row: &Value| row["principalId"] == crate::stage::OWN;
    let workspaces = cloud["workspaces"][0]["assignments"].as_array_mut();
    if let Some(rows) = workspaces {
        rows.retain(is_own);
    }
    if let Some(rows) = cloud["assignments"].as_array_mut() {
        rows.retain(is_own);
    }
    stage.pool.ask("PUT", "/cloud", Some(cloud)).await?;
    stage.given().await
}

#[tokio::test]
async fn a_role_has_effect_seconds_after_the_workspace_says_so() -> anyhow::Result<()> {
    let scene = looks_each(600).set().await?;
    let late = json!({"settings": {"synapseEffectSeconds": 3}});
    scene.pool.ask("PATCH", "/cloud", Some(late)).await?;
    let stage = scene.serve().await?;
    stage.push().await?;
    stage.given().await?;
    stage.says("workspace", &["has no effect yet"]).await?;
    stage.settled().await?;
    let asked = stage.requests().await?;
    let given = asked.iter().rposition(|r| r["service"] == "synapse" && r["method"] == "PUT");
    let after: Vec<&Value> =
        asked[given.unwrap_or(0)..].iter().skip(1).filter(|r| r["service"] == "synapse").collect();
    let checks = after.iter().filter(|r| r["path"] == "/checkAccessSynapseRbac").count();
    ensure!((1..=5).contains(&checks), "{after:#?}");
    ensure!(after.len() <= checks + 1, "beside them what was given is read back once: {after:#?}");
    Ok(())
}
