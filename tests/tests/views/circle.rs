//! Two views that show one another: the map is refused with both names, and the pool holds what it held before.

use anyhow::ensure;
use axon_tests::{SOON, until};

use super::{ANN, ASKED, map, people, read_when, stage};

const CIRCLE: &str =
    "  secure.first: { targets: warehouse, from: secure.second, readers: [analyst], columns: { id: show } }
  secure.second: { targets: warehouse, from: secure.first, readers: [analyst], columns: { id: show } }
";
const THERE: &str = "SELECT v.name FROM sys.views v ORDER BY v.name";

#[tokio::test]
async fn views_that_show_one_another_are_refused_by_name_and_nothing_of_them_is_made() -> anyhow::Result<()> {
    let stage = stage(&map(false)).await?;
    people(&stage.scim).await?;
    let before = read_when(&stage.pool, ANN, "ann reads her rows", ASKED, |rows| rows.len() == 1).await?;
    stage.settled().await?;
    let there = stage.pool.admin().await?.column(THERE).await?;
    ensure!(there.iter().any(|view| view == "customers"), "{there:?}");

    // The whole map would be good without the two.
    let good = stage.place.read("role-map.yaml")?;
    stage.place.write("role-map.yaml", &format!("{good}{CIRCLE}"))?;
    let words =
        ["views show one another in a circle: secure.first -> secure.second -> secure.first", "`from`"];
    for command in [&["map", "check"][..], &["map", "check", "role-map.yaml"], &["plan"], &["apply"]] {
        stage.place.axon(command).await?.exits(1)?.says(&words)?;
    }
    until("the server refuses the file", SOON, async || {
        Ok((stage.serve.metric("axon_map_refused_bool").await? >= 1.0).then_some(()))
    })
    .await?;
    // It goes on with the map that is in force, and makes neither of the two.
    let looked = stage.serve.metric("axon_reconcile_tick_seconds_count").await?;
    until("it looks again", SOON, async || {
        let now = stage.serve.metric("axon_reconcile_tick_seconds_count").await?;
        Ok((now >= looked + 2.0).then_some(()))
    })
    .await?;
    ensure!(stage.pool.admin().await?.column(THERE).await? == there);
    ensure!(super::read(&stage.pool, ANN, ASKED).await? == before);
    let sent = stage.place.statements().await?;
    ensure!(!sent.iter().any(|text| text.contains("[first]") || text.contains("[second]")), "{sent:?}");

    // With one of the two on a table it is a map again.
    let mended = CIRCLE.replace("from: secure.first", "from: base.customers");
    stage.place.write("role-map.yaml", &format!("{good}{mended}"))?;
    until("the one that shows a table is made", SOON, async || {
        let now = stage.pool.admin().await?.column(THERE).await?;
        Ok(now.iter().any(|view| view == "second").then_some(()))
    })
    .await?;
    // And the view of a view is named where people look, and is not made.
    until("the other one is told", SOON, async || {
        let said = stage.place.axon(&["status"]).await?.out;
        Ok(said.contains("secure.second is a secure view itself").then_some(()))
    })
    .await?;
    ensure!(!stage.pool.admin().await?.column(THERE).await?.iter().any(|view| view == "first"));
    Ok(())
}
