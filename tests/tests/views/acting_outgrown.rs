//! A permission that the map would not give any more goes while its time still runs: nobody has to stop it.

use anyhow::{Context, ensure};
use axon_tests::{SOON, Stage, until};
use serde_json::json;

use super::acting::{CARA, act_as, acting_map, actors, seen_as, sees_when, start};
use super::{ANN, ASKED, BOB, map, read, read_when, refused, stage_of};

/// What she reads as herself, with or without the line for acting.
const TABLE: &str = "SELECT * FROM sales.orders";

/// Cara, who is a reader of a table besides, reads as Ann, an analyst of the north. Gives Ann's id.
async fn reading() -> anyhow::Result<(Stage, String)> {
    let stage = stage_of(&[ANN, BOB, CARA], &acting_map()).await?;
    let ann = stage.scim.post("/Users", &super::living_in(ANN, "north")).await?.is(201)?.id()?;
    stage.scim.group("Analysts", &[&ann]).await?;
    let cara = stage.scim.person(CARA).await?;
    stage.scim.group("Support", &[&cara]).await?;
    // Without the line for acting, too, she is somebody there.
    stage.scim.group("Readers", &[&cara]).await?;
    until("cara may ask the view", SOON, async || {
        Ok(read(&stage.pool, CARA, ASKED).await.ok().filter(Vec::is_empty))
    })
    .await?;
    start(&stage, CARA, ANN, 0).await?;
    sees_when(&stage.pool, CARA, ANN, 1).await?;
    ensure!(actors(&stage).await? == [CARA]);
    Ok((stage, ann))
}

/// How often it is on record as done that she was stopped in the pool.
async fn stops(stage: &Stage) -> anyhow::Result<usize> {
    let words = format!("stop {CARA} from reading views as {ANN}");
    let journal = stage.place.journal().await?;
    let done = journal.iter().filter(|record| {
        let is_done = record.kind == "step-outcome" && record.record["facts"]["result"] == "done";
        is_done && record.clear["body"]["text"].as_str() == Some(&words)
    });
    Ok(done.count())
}

async fn gone(stage: &Stage, times: usize) -> anyhow::Result<()> {
    until("its row is gone", SOON, async || {
        let rows = stage.pool.admin().await?.column("SELECT actor FROM axon.acting").await?;
        Ok(rows.is_empty().then_some(()))
    })
    .await?;
    let mut last = 0;
    let told = until("it is on record", SOON, async || {
        last = stops(stage).await?;
        Ok((last == times).then_some(()))
    })
    .await;
    told.with_context(|| format!("{last} records"))
}

#[tokio::test]
async fn whoever_comes_into_a_role_too_many_is_acted_as_no_more() -> anyhow::Result<()> {
    let (stage, ann) = reading().await?;
    ensure!(stops(&stage).await? == 0);
    // A session that reads as her all the while.
    let mut open = act_as(&stage.pool, CARA, ANN).await?;
    ensure!(open.rows(ASKED).await?.len() == 1);
    let finance = stage.scim.group("Finance", &[&ann]).await?;
    gone(&stage, 1).await?;
    // Ann sees every row by now, and Cara none of them.
    read_when(&stage.pool, ANN, "ann reads all", ASKED, |rows| rows.len() == 2).await?;
    ensure!(open.rows(ASKED).await?.is_empty(), "the open session reads on");
    ensure!(seen_as(&stage.pool, CARA, ANN).await?.is_empty());
    // Asked for anew it is refused, with the role too many.
    let again = ["impersonate", "start", "--user", CARA, "--as", ANN, "--for", "30m", "--reason", "again"];
    stage.place.axon(&again).await?.exits(1)?.says(&["on record", "has role `finance`"])?;
    // The one that was given has not ended: it counts again, while its time runs, when the role is gone.
    let out = json!([{ "op": "Remove", "path": format!("members[value eq \"{ann}\"]") }]);
    stage.scim.patch(&format!("/Groups/{finance}"), &out).await?;
    let seen = sees_when(&stage.pool, CARA, ANN, 1).await?;
    ensure!(seen[0][3].as_deref() == Some("***2222"), "masked as for an analyst: {seen:?}");
    Ok(())
}

#[tokio::test]
async fn with_the_line_of_the_map_by_which_somebody_acts_the_permission_goes() -> anyhow::Result<()> {
    let (stage, _) = reading().await?;
    let before = stage.place.read("role-map.yaml")?;
    let line = "support: { impersonate: { warehouse: { roles: [analyst], for: 1h } } }";
    ensure!(before.contains(line), "{before}");
    let mut open = act_as(&stage.pool, CARA, ANN).await?;
    ensure!(open.rows(ASKED).await?.len() == 1);

    // The line of this role alone: others may act as before.
    stage.place.write("role-map.yaml", &before.replace(line, "support: {}"))?;
    gone(&stage, 1).await?;
    ensure!(refused(&stage.pool, CARA, TABLE).await?.is_none(), "she is there still");
    let seen = open.rows(ASKED).await;
    ensure!(seen.is_err() || seen.is_ok_and(|rows| rows.is_empty()), "the open session reads on");
    let seen = seen_as(&stage.pool, CARA, ANN).await;
    ensure!(seen.is_err() || seen.is_ok_and(|rows| rows.is_empty()), "she reads on");
    // It is back: so is the permission, while its time runs.
    stage.place.write("role-map.yaml", &before)?;
    sees_when(&stage.pool, CARA, ANN, 1).await?;

    // The lines of all: views do not know of acting any more, and the row goes none the less.
    let without = map(false).replace("PORT", &stage.pool.port()?.to_string());
    ensure!(!without.contains("impersonate"));
    stage.place.write("role-map.yaml", &without)?;
    gone(&stage, 2).await?;
    ensure!(refused(&stage.pool, CARA, TABLE).await?.is_none(), "she is there still");
    let seen = seen_as(&stage.pool, CARA, ANN).await;
    ensure!(seen.is_err() || seen.is_ok_and(|rows| rows.is_empty()), "she reads on");
    Ok(())
}
