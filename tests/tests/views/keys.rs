//! A key of hashes that somebody else wrote closes the view; one that is gone is not made anew until a person says so.

use anyhow::{Context, ensure};
use axon_tests::{Pool, SOON, Serve, Stage, until};

use super::{ANN, ASKED, BOB, map, people, read_when, refused, stage, stage_where};

const ID: &str = "base.customers.email";

async fn told(stage: &Stage, words: &str) -> anyhow::Result<()> {
    let mut last = String::new();
    until("status tells it", SOON, async || {
        last = stage.place.axon(&["status"]).await?.out;
        Ok(last.contains(words).then_some(()))
    })
    .await
    .with_context(|| last)
}

#[tokio::test]
async fn a_key_that_axon_did_not_make_closes_views_and_none_is_made_in_the_place_of_one_that_is_gone()
-> anyhow::Result<()> {
    let stage = stage(&map(false)).await?;
    people(&stage.scim).await?;
    let hash = |rows: &super::Rows| rows.first().and_then(|row| row[2].clone());
    let seen = read_when(&stage.pool, ANN, "ann reads her row", ASKED, |rows| rows.len() == 1).await?;
    let first = hash(&seen).context("a hash")?;
    stage.settled().await?;
    let mut admin = stage.pool.admin().await?;
    let of = format!("WHERE id = N'{ID}'");
    let key = admin.column(&format!("SELECT mask_key FROM axon.mask_keys {of}")).await?.remove(0);

    // Somebody writes a key of their own: whoever did can tell what a hash stands for.
    admin.run(&format!("UPDATE axon.mask_keys SET mask_key = N'mine' {of}")).await?;
    until("the view is closed", SOON, async || {
        Ok((refused(&stage.pool, ANN, ASKED).await? == Some(207)).then_some(()))
    })
    .await?;
    told(&stage, &format!("the key of hashes of {ID} in axon.mask_keys is not the one that Axon made"))
        .await?;
    admin.run(&format!("UPDATE axon.mask_keys SET mask_key = N'{key}' {of}")).await?;
    let same = |rows: &super::Rows| hash(rows).as_ref() == Some(&first);
    read_when(&stage.pool, ANN, "the earlier key is back", ASKED, same).await?;

    // A row that nobody asked for is told.
    admin.run("INSERT INTO axon.mask_keys SELECT N'base.orders.note', N'mine'").await?;
    told(&stage, "the key of hashes of base.orders.note in axon.mask_keys was made by somebody else").await?;
    admin.run("DELETE FROM axon.mask_keys WHERE id = N'base.orders.note'").await?;

    // It is gone: hashes are NULL, and no other key comes by itself.
    admin.run(&format!("DELETE FROM axon.mask_keys {of}")).await?;
    told(&stage, &format!("the key of hashes of {ID} in axon.mask_keys is gone")).await?;
    let none = |rows: &super::Rows| rows.len() == 1 && rows[0][2].is_none();
    read_when(&stage.pool, ANN, "no hash", ASKED, none).await?;
    ensure!(admin.column(&format!("SELECT mask_key FROM axon.mask_keys {of}")).await?.is_empty());

    // Until a person says so, on record.
    stage.place.axon(&["view", "key", ID, "--reason", "no backup is left"]).await?.exits(0)?;
    let seen = read_when(&stage.pool, ANN, "a new key", ASKED, |rows| hash(rows).is_some_and(|h| h != first))
        .await?;
    ensure!(hash(&seen).is_some_and(|hash| hash.len() == 64), "{seen:?}");
    let acts = stage.place.journal().await?;
    let acts = acts.iter().filter(|record| record.kind == "operator-act");
    let words: Vec<String> = acts.map(|record| record.clear["body"]["words"].to_string()).collect();
    ensure!(words.len() == 1 && words[0].contains(ID) && words[0].contains("no backup is left"), "{words:?}");
    stage.settled().await?;
    Ok(())
}

#[tokio::test]
async fn a_key_that_was_made_when_the_server_died_is_not_somebody_elses() -> anyhow::Result<()> {
    // The look behind the statement that makes keys never comes back.
    let deaf =
        async |pool: &Pool| pool.lever("latency 600000 1000 SELECT k.[id] FROM [axon].[mask_keys]").await;
    let Stage { pool, serve, place, scim, .. } = stage_where(&[ANN, BOB], &map(false), deaf).await?;
    people(&scim).await?;
    let mut admin = pool.admin().await?;
    let key = until("a key is there", SOON, async || {
        // The table may be yet to come.
        let found = admin.column(&format!("SELECT mask_key FROM axon.mask_keys WHERE id = N'{ID}'")).await;
        Ok(found.unwrap_or_default().pop())
    })
    .await?;
    serve.kill().await?;
    pool.lever("clear").await?;

    let serve = Serve::start(&place).await?;
    let whole =
        |rows: &super::Rows| rows.len() == 1 && rows[0][2].as_ref().is_some_and(|hash| hash.len() == 64);
    read_when(&pool, ANN, "ann reads a hash by it", ASKED, whole).await?;
    let said = place.axon(&["status"]).await?.out;
    ensure!(!said.contains("the key of hashes of"), "{said}");
    let now = admin.column(&format!("SELECT mask_key FROM axon.mask_keys WHERE id = N'{ID}'")).await?;
    ensure!(now == [key], "it is the same key");
    serve.stop().await?;
    Ok(())
}
