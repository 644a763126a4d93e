//! The first fill of many people's profiles, and somebody who leaves while it runs.

use anyhow::ensure;
use axon_tests::{Place, Pool, SOON, until, user};
use serde_json::json;

use super::{ANN, ASKED, living_in, map, read, stage_of, stage_that_looks};

/// More than are written one by one.
const PEOPLE: usize = 60;

#[tokio::test]
async fn many_profiles_are_one_bulk_load_and_who_leaves_meanwhile_is_gone_at_its_end() -> anyhow::Result<()> {
    let mut names = vec![ANN.to_owned()];
    names.extend((1..PEOPLE).map(|n| format!("p{n:02}@acme.example")));
    let everybody: Vec<&str> = names.iter().map(String::as_str).collect();
    let stage = stage_of(&everybody, &map(false)).await?;
    let mut ids = Vec::new();
    for name in &everybody {
        ids.push(stage.scim.post("/Users", &living_in(name, "north")).await?.is(201)?.id()?);
    }
    // The pool takes its time over the rows.
    let slow = json!({ "what": { "latency": { "millis": 1500 } }, "matching": "BULK LOAD" });
    stage.pool.ask("POST", "/pool/faults", Some(slow)).await?;
    let members: Vec<&str> = ids.iter().map(String::as_str).collect();
    stage.scim.group("Analysts", &members).await?;
    until("the fill runs", SOON, async || {
        Ok((stage.pool.ask("GET", "/pool", None).await?["faultsWaiting"] == 0).then_some(()))
    })
    .await?;
    stage.scim.activate(&ids[0], "False").await?;
    until("all others have a profile, and she has none", SOON, async || {
        let query = "SELECT CAST(p.principal AS nvarchar(128)) FROM axon.profile AS p";
        let there = stage.pool.admin().await?.column(query).await?;
        Ok((there.len() == PEOPLE - 1 && !there.iter().any(|name| name == ANN)).then_some(()))
    })
    .await?;
    until("she cannot enter", SOON, async || Ok(read(&stage.pool, ANN, ASKED).await.is_err().then_some(())))
        .await?;
    // Who stays is let in by a step behind the fill.
    until("another one reads her row", SOON, async || {
        Ok(read(&stage.pool, everybody[1], ASKED).await.is_ok_and(|rows| rows.len() == 1).then_some(()))
    })
    .await?;
    let statements = stage.place.statements().await?;
    let bulk: Vec<&String> =
        statements.iter().filter(|text| text.starts_with("INSERT BULK [axon].[profile]")).collect();
    ensure!(bulk.len() == 1 && !bulk[0].contains("north"), "{bulk:?}");
    Ok(())
}

/// Values that each person has: all people's rows are more than one statement holds.
const REGIONS: usize = 10;

#[tokio::test]
async fn a_fill_that_was_refused_half_way_goes_on_where_it_stopped() -> anyhow::Result<()> {
    let names: Vec<String> = (0..PEOPLE).map(|n| format!("p{n:02}@acme.example")).collect();
    // No look at the pool by itself: what stands there is read again because the fill was refused.
    let place = Place::new(&names)?;
    let stage =
        stage_that_looks("inspect_every_seconds: 3600", place, &map(false), async |_: &Pool| Ok(())).await?;
    let mut ids = Vec::new();
    for name in &names {
        let mut body = user(name);
        body["addresses"] = (0..REGIONS).map(|n| json!({ "region": format!("r{n}") })).collect();
        ids.push(stage.scim.post("/Users", &body).await?.is(201)?.id()?);
    }
    // No bulk load, and no second statement: it is the one that the last of them is in.
    let no =
        |text: &str| json!({ "what": { "statement": { "number": 50000 } }, "times": 1, "matching": text });
    stage.pool.ask("POST", "/pool/faults", Some(no("BULK LOAD"))).await?;
    let last = format!("SELECT N'{}', N'addresses.region'", names[PEOPLE - 1]);
    stage.pool.ask("POST", "/pool/faults", Some(no(&last))).await?;
    let members: Vec<&str> = ids.iter().map(String::as_str).collect();
    stage.scim.group("Analysts", &members).await?;
    let rows = "SELECT p.value FROM axon.profile AS p";
    until("everybody has each value", SOON, async || {
        let there = stage.pool.admin().await?.column(rows).await?.len();
        ensure!(there <= PEOPLE * REGIONS, "{there} rows: some are there twice");
        Ok((there == PEOPLE * REGIONS).then_some(()))
    })
    .await?;
    ensure!(stage.pool.ask("GET", "/pool", None).await?["faultsWaiting"] == 0, "both were refused");
    stage.settled().await?;
    let there = stage.pool.admin().await?.column(rows).await?.len();
    ensure!(there == PEOPLE * REGIONS, "{there} rows");
    Ok(())
}
