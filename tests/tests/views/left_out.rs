//! What a profile cannot hold shows nothing, and whose it is, which attribute, and why is told wherever people look: never the value.

use anyhow::{Context, ensure};
use axon_tests::{Postgres, SOON, Serve, Stage, until};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{ANN, ASKED, BOB, map, people, read, read_when, stage_where, texts};

/// A view of a table whose column is as wide as the longest value, and wider.
const PLACES: &str = "  secure.places:
    targets: warehouse
    from: base.places
    readers: [analyst]
    columns: { id: show }
    rows:
      - where: region in user.addresses.region
";
const IDS: &str = "SELECT id FROM secure.places ORDER BY id";

async fn stage(delimiters: bool) -> anyhow::Result<(Stage, String)> {
    let map = map(delimiters) + PLACES;
    let (longest, longer) = ("y".repeat(1_024), "x".repeat(1_025));
    let rows =
        format!("INSERT INTO base.places SELECT N'1', N'{longest}' UNION ALL SELECT N'2', N'{longer}'");
    let stage = stage_where(&[ANN, BOB], &map, async |pool| {
        let mut admin = pool.admin().await?;
        admin.run("CREATE TABLE base.places (id nvarchar(8), region nvarchar(1100))").await?;
        Ok(admin.run(&rows).await?)
    })
    .await?;
    let (ann, _) = people(&stage.scim).await?;
    read_when(&stage.pool, ANN, "ann reads the north", ASKED, |rows| rows.len() == 1).await?;
    // Another rule asks for another profile of everybody: a preview tells of each.
    let rule = "- where: region in user.addresses.region";
    let wider = stage.place.read("role-map.yaml")?;
    stage
        .place
        .write("wider.yaml", &wider.replace(rule, &format!("{rule}\n      - where: id in user.title")))?;
    Ok((stage, ann))
}

/// Ann lives in these regions from now on.
async fn live_in(stage: &Stage, ann: &str, regions: &[String]) -> anyhow::Result<()> {
    let addresses: Vec<Value> =
        regions.iter().map(|region| json!({ "type": "work", "region": region })).collect();
    let moved = json!([{ "op": "Replace", "path": "addresses", "value": addresses }]);
    stage.scim.patch(&format!("/Users/{ann}"), &moved).await?.is(200)?;
    Ok(())
}

/// What a plan, the status and a preview say, as text and as JSON.
async fn said(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let mut all = Vec::new();
    let (plan, status, preview) =
        (["plan"].as_slice(), ["status"].as_slice(), ["map", "preview", "wider.yaml"].as_slice());
    for command in [plan, status, preview] {
        for json in [None, Some("--json")] {
            let command: Vec<&str> = command.iter().copied().chain(json).collect();
            let said = stage.place.axon(&command).await?;
            ensure!(!said.out.is_empty(), "{command:?}: {}", said.err);
            all.push(said.out);
        }
    }
    Ok(all)
}

/// Waits until each of them says all of these words, and none of them holds the value.
async fn told(stage: &Stage, words: &[&str], value: &str) -> anyhow::Result<()> {
    let mut last = Vec::new();
    let all = until("it is told", SOON, async || {
        last = said(stage).await?;
        Ok(last.iter().all(|out| words.iter().all(|words| out.contains(words))).then_some(()))
    })
    .await;
    all.with_context(|| last.join("\n----\n"))?;
    ensure!(last.iter().all(|out| !out.contains(value)), "{value}: {last:?}");
    Ok(())
}

/// Whether any of them says that something is left out.
async fn says_nothing(stage: &Stage) -> anyhow::Result<()> {
    stage.settled().await?;
    let all = said(stage).await?;
    ensure!(all.iter().all(|out| !out.contains("does not hold all of")), "{all:?}");
    Ok(())
}

/// Somebody writes into the store, while no server runs, that Ann lives in these regions.
async fn by_hand(stage: Stage, regions: &[String]) -> anyhow::Result<Stage> {
    let Stage { pool, serve, token, place, scim } = stage;
    drop(scim);
    ensure!(serve.stop().await?.success());
    let addresses: Vec<Value> = regions.iter().map(|region| json!({ "region": region })).collect();
    let document = json!({ "userName": ANN, "active": true, "addresses": addresses });
    let statement = format!("UPDATE users SET document = '{document}' WHERE user_name = '{ANN}'");
    if let Some(database) = place.database() {
        Postgres::shared()?.changes(database, &statement, 1)?;
    } else {
        let changed = Connection::open(place.file("axon.db"))?.execute(&statement, [])?;
        ensure!(changed == 1, "{changed}");
    }
    let serve = Serve::start(&place).await?;
    Ok(Stage { scim: serve.scim(&token), pool, serve, token, place })
}

#[tokio::test]
async fn an_attribute_of_too_many_values_shows_nothing_and_is_told() -> anyhow::Result<()> {
    let (stage, ann) = stage(false).await?;
    let regions = |count: usize| -> Vec<String> {
        (1..count).map(|n| format!("harbour {n}")).chain(["north".to_owned()]).collect()
    };
    live_in(&stage, &ann, &regions(1_000)).await?;
    let profile = format!("SELECT value FROM axon.profile WHERE principal = N'{ANN}'");
    until("all of them are in her profile", SOON, async || {
        let rows = stage.pool.admin().await?.column(&profile).await?;
        Ok((rows.len() == 1_000).then_some(()))
    })
    .await?;
    ensure!(read(&stage.pool, ANN, ASKED).await?.len() == 1);
    says_nothing(&stage).await?;

    // One more is refused to whoever pushes it. A store in which a person has more all the same is made by hand, or by another version.
    let one_more = json!([{ "op": "Add", "path": "addresses", "value": [{ "region": "harbour 1000" }] }]);
    let answer = stage.scim.patch(&format!("/Users/{ann}"), &one_more).await?;
    answer.refuses(400, "invalidValue", &["more than 1000 elements"])?;
    let stage = by_hand(stage, &regions(1_001)).await?;
    read_when(&stage.pool, ANN, "ann reads nothing by it", ASKED, Vec::is_empty).await?;
    let words = format!(
        "the profile of {ANN} does not hold all of attribute `addresses.region`: it has over 1000 values"
    );
    // As JSON a plan has the parts of the sentence.
    let parts = [ANN, "addresses.region", "it has over 1000 values, so views show nothing by any of them"];
    told(&stage, &parts, "harbour").await?;
    let all = said(&stage).await?;
    ensure!([0, 2, 4].iter().all(|text| all[*text].contains(&words)), "{all:?}");
    ensure!(read(&stage.pool, BOB, ASKED).await?.len() == 2, "nobody else sees less");

    live_in(&stage, &ann, &["south".to_owned()]).await?;
    read_when(&stage.pool, ANN, "ann reads the south", ASKED, |rows| rows.len() == 1).await?;
    says_nothing(&stage).await
}

#[tokio::test]
async fn a_value_that_is_too_long_shows_nothing_and_is_told() -> anyhow::Result<()> {
    for delimiters in [false, true] {
        let (stage, ann) = stage(delimiters).await?;
        let (longest, longer) = ("y".repeat(1_024), "x".repeat(1_025));
        live_in(&stage, &ann, &[longest.clone(), longer.clone()]).await?;
        let seen =
            read_when(&stage.pool, ANN, "ann reads by the longest", IDS, |rows| rows.len() == 1).await?;
        ensure!(texts(&seen[0]) == ["1"], "{seen:?}");
        let parts = [
            ANN,
            "addresses.region",
            "a value of it has over 1024 characters, so views show nothing by that one",
        ];
        told(&stage, &parts, "xxxxx").await?;
        ensure!(said(&stage).await?.iter().all(|out| !out.contains("yyyyy")));
        stage.settled().await?;
        let seen = read(&stage.pool, ANN, IDS).await?;
        ensure!(seen.len() == 1 && texts(&seen[0]) == ["1"], "{seen:?}");

        // What is longest of all that may be asked for is no otherwise: four thousand characters.
        let whole = "z".repeat(4_000);
        live_in(&stage, &ann, &[longest.clone(), whole]).await?;
        told(&stage, &parts, "zzzzz").await?;
        ensure!(read(&stage.pool, ANN, IDS).await? == seen);
        let kept = format!("SELECT value FROM axon.profile WHERE principal = N'{ANN}'");
        let kept = stage.pool.admin().await?.column(&kept).await?;
        ensure!(kept.iter().any(|value| value.contains(&longest)), "{kept:?}");
        ensure!(kept.iter().all(|value| !value.contains(['x', 'z'])), "{kept:?}");

        live_in(&stage, &ann, &[longest]).await?;
        says_nothing(&stage).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_value_with_a_delimiter_shows_nothing_and_is_told() -> anyhow::Result<()> {
    let (stage, ann) = stage(true).await?;
    // Nothing of a profile stands that one value of it would make another one.
    live_in(&stage, &ann, &["north".to_owned(), "har,bour".to_owned()]).await?;
    read_when(&stage.pool, ANN, "ann reads nothing", ASKED, Vec::is_empty).await?;
    let why = "a value of attribute `addresses.region` of ann@acme.example holds a delimiter: choose delimiters that stand in no value";
    told(&stage, &[ANN, why], "har,bour").await?;
    let all = said(&stage).await?;
    let words = format!("views show nothing by the profile of {ANN}: {why}");
    ensure!([0, 2, 4].iter().all(|text| all[*text].contains(&words)), "{all:?}");
    ensure!(read(&stage.pool, BOB, ASKED).await?.len() == 2, "nobody else sees less");

    live_in(&stage, &ann, &["north".to_owned()]).await?;
    read_when(&stage.pool, ANN, "ann reads the north", ASKED, |rows| rows.len() == 1).await?;
    stage.settled().await?;
    ensure!(said(&stage).await?.iter().all(|out| !out.contains("holds a delimiter")));
    Ok(())
}
