//! A group that shows rows is one of its source's: nobody reads more by a name that somebody else took, and nobody less.

use anyhow::{Context, ensure};
use axon_tests::{SOON, Scim, Stage, until};

use super::{ANN, ASKED, BOB, living_in, map, people, read, read_when, stage_of, texts};

const DAN: &str = "dan@acme.example";
const EVE: &str = "eve@acme.example";

/// The map where a group of `entra` sees every row, and a group of `okta` may ask the view.
fn grouped() -> String {
    let rows = "    rows:\n      - { group: SG-Sales, source: entra }\n      - role: finance\n";
    let mappings = "mappings:\n  - { groups: { any: [Guests] }, source: okta, roles: [analyst] }\n";
    map(false).replace("    rows:\n      - role: finance\n", rows).replace("mappings:\n", mappings)
}

/// How many rows somebody sees once everything has had its effect.
async fn sees(stage: &Stage, who: &str) -> anyhow::Result<usize> {
    stage.settled().await?;
    Ok(read(&stage.pool, who, ASKED).await.with_context(|| who.to_owned())?.len())
}

#[tokio::test]
async fn only_the_bound_group_of_its_source_shows_every_row() -> anyhow::Result<()> {
    let stage = stage_of(&[ANN, BOB, DAN, EVE], &grouped()).await?;
    let (ann, _) = people(&stage.scim).await?;
    let okta: Scim = stage.scim.with_token(&stage.place.token("okta").await?);
    let dan = okta.person(DAN).await?;
    okta.group("Guests", &[&dan]).await?;
    read_when(&stage.pool, ANN, "ann reads the north", ASKED, |rows| rows.len() == 1).await?;
    read_when(&stage.pool, DAN, "dan may ask the view", ASKED, Vec::is_empty).await?;

    // Another source makes a group of the name first.
    okta.group("SG-Sales", &[&dan]).await?;
    ensure!(sees(&stage, DAN).await? == 0, "another source's group");
    let sales = stage.scim.group("SG-Sales", &[&ann]).await?;
    read_when(&stage.pool, ANN, "ann reads every row", ASKED, |rows| rows.len() == 2).await?;
    ensure!(sees(&stage, DAN).await? == 0);

    // A second one of the source waits, and takes nothing from the first one's people.
    let eve = stage.scim.person(EVE).await?;
    stage.scim.group("Clerks", &[&eve]).await?;
    let mut second = axon_tests::group("SG-Sales", &[&eve]);
    second["externalId"] = "g-second".into();
    let other = stage.scim.post("/Groups", &second).await?.is(201)?.id()?;
    until("the second one waits", SOON, async || {
        let holds = stage.place.axon(&["holds", "list"]).await?.exits(0)?.out;
        Ok(holds.contains("another group has this name already").then_some(()))
    })
    .await?;
    ensure!(sees(&stage, ANN).await? == 2);
    let status = stage.place.axon(&["status"]).await?.out;
    ensure!(status.contains("gives nothing until it is released"), "{status}");
    stage.scim.delete(&format!("/Groups/{other}")).await?.is(204)?;

    // Called otherwise, it shows nothing; and one that takes the name waits.
    let called = |name: &str| serde_json::json!([{ "op": "Replace", "path": "displayName", "value": name }]);
    stage.scim.patch(&format!("/Groups/{sales}"), &called("SG-Sales-EU")).await?.is(204)?;
    let seen = read_when(&stage.pool, ANN, "ann reads the north", ASKED, |rows| rows.len() == 1).await?;
    ensure!(texts(&seen[0])[0] == "1");
    let finance = stage.scim.group("Others", &[&ann]).await?;
    stage.scim.patch(&format!("/Groups/{finance}"), &called("SG-Sales")).await?.is(204)?;
    ensure!(sees(&stage, ANN).await? == 1 && sees(&stage, DAN).await? == 0);
    stage.scim.patch(&format!("/Groups/{sales}"), &called("SG-Sales")).await?.is(204)?;
    read_when(&stage.pool, ANN, "it is the bound one again", ASKED, |rows| rows.len() == 2).await?;
    Ok(())
}

#[tokio::test]
async fn a_source_that_says_a_reader_s_name_takes_no_row_and_adds_none() -> anyhow::Result<()> {
    let stage = stage_of(&[ANN, BOB], &grouped()).await?;
    let (ann, _) = people(&stage.scim).await?;
    stage.scim.group("SG-Sales", &[&ann]).await?;
    let profile = "SELECT CONCAT(attribute, N'=', value) FROM axon.profile ORDER BY attribute";
    read_when(&stage.pool, ANN, "ann reads every row", ASKED, |rows| rows.len() == 2).await?;
    stage.settled().await?;
    let before = stage.pool.admin().await?.column(profile).await?;
    ensure!(before.len() == 3, "{before:?}");

    let okta: Scim = stage.scim.with_token(&stage.place.token("okta").await?);
    let other = okta.post("/Users", &living_in(ANN, "south")).await?.is(201)?.id()?;
    okta.group("Guests", &[&other]).await?;
    stage.settled().await?;
    until("the name is contested", SOON, async || {
        let status = stage.place.axon(&["status"]).await?.out;
        Ok(status.contains("is claimed by several").then_some(()))
    })
    .await?;
    ensure!(sees(&stage, ANN).await? == 2);
    ensure!(stage.pool.admin().await?.column(profile).await? == before, "neither less nor more");

    // It is hers alone again: what she is given reaches her.
    okta.delete(&format!("/Users/{other}")).await?.is(204)?;
    let moved = serde_json::json!([{ "op": "Replace", "path": "addresses[type eq \"work\"].region", "value": "south" }]);
    stage.scim.patch(&format!("/Users/{ann}"), &moved).await?.is(200)?;
    until("her profile follows", SOON, async || {
        let rows = stage.pool.admin().await?.column(profile).await?;
        Ok(rows.iter().any(|row| row.ends_with("=south")).then_some(()))
    })
    .await
}
