//! A view whose text the catalog does not show: it gets the map's text or is closed, once, and nobody new reads it meanwhile.

use anyhow::ensure;
use axon_tests::{ENTRA_ADMIN, Place, Pool, SOON, Serve, Stage, entra_token, until};

use super::{ANN, ASKED, BASE, BOB, Rows, living_in, looking, map, read, read_when, refused};

const CARA: &str = "cara@acme.example";
/// As whom Axon enters: it may do all, and is bound by a DENY.
const OWN: &str = "svc@acme.example";
const WIDE: &str = "ALTER VIEW secure.customers AS SELECT id, name, email, card, region FROM base.customers";
const UNSEEN: &str = "the catalog does not show the text of view secure.customers";

async fn stage() -> anyhow::Result<Stage> {
    let place = Place::new([ANN, BOB, CARA, OWN])?;
    let pool = Pool::start(&place, 0).await?;
    let mut admin = pool.admin().await?;
    for batch in BASE {
        admin.run(batch).await?;
    }
    pool.person(ENTRA_ADMIN).await?.run(&format!("CREATE USER [{OWN}] FROM EXTERNAL PROVIDER")).await?;
    admin.run(&format!("GRANT CONTROL ON DATABASE::dw TO [{OWN}]")).await?;
    place.furnish(&map(false), pool.port()?)?;
    place.write("pool.token", &entra_token(OWN))?;
    place.write("axon.yaml", &looking("inspect_every_seconds: 1"))?;
    let token = place.token("entra").await?;
    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&token);
    Ok(Stage { pool, serve, scim, token, place })
}

/// How often a step that begins so was tried.
async fn tried(stage: &Stage, begins: &str) -> anyhow::Result<usize> {
    let journal = stage.place.journal().await?;
    let tried = journal.iter().filter(|record| record.kind == "step-outcome");
    let texts = tried.filter_map(|record| record.clear["body"]["text"].as_str());
    Ok(texts.filter(|text| text.starts_with(begins)).count())
}

async fn told(stage: &Stage, words: &[&str]) -> anyhow::Result<()> {
    until(words[0], SOON, async || {
        let said = stage.place.axon(&["status"]).await?.out;
        Ok(words.iter().all(|words| said.contains(words)).then_some(()))
    })
    .await
}

/// Waits until Axon looked at the pool anew, and again.
async fn looks_on(stage: &Stage) -> anyhow::Result<()> {
    for _ in 0..2 {
        let before = stage.serve.metric("axon_reconcile_tick_seconds_count").await?;
        until("it goes on looking", SOON, async || {
            let now = stage.serve.metric("axon_reconcile_tick_seconds_count").await?;
            Ok((now >= before + 2.0).then_some(()))
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_view_whose_text_is_hidden_gets_the_maps_text_once_or_is_closed() -> anyhow::Result<()> {
    let mut stage = stage().await?;
    let ann = stage.scim.post("/Users", &living_in(ANN, "north")).await?.is(201)?.id()?;
    let group = stage.scim.group("Analysts", &[&ann]).await?;
    let one = |rows: &Rows| rows.len() == 1 && rows[0][1].as_deref() == Some("E***");
    read_when(&stage.pool, ANN, "ann reads her row", ASKED, one).await?;
    stage.settled().await?;

    // While Axon is away somebody widens the view and hides its text.
    let Stage { pool, serve, scim: _, token, place } = stage;
    serve.stop().await?;
    let mut admin = pool.admin().await?;
    admin.run(WIDE).await?;
    admin.run(&format!("DENY VIEW DEFINITION ON OBJECT::secure.customers TO [{OWN}]")).await?;
    ensure!(read(&pool, ANN, ASKED).await?.len() == 2, "it is wide");
    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&token);
    stage = Stage { pool, serve, scim, token, place };
    read_when(&stage.pool, ANN, "it has the map's text again", ASKED, one).await?;
    let sent = "alter view secure.customers";
    told(&stage, &[UNSEEN, "took one of Axon's for it", "give Axon's account VIEW DEFINITION", sent]).await?;
    let alters = tried(&stage, sent).await?;

    // Nobody new reads it, those who did go on, and it is not sent again.
    let cara = stage.scim.post("/Users", &living_in(CARA, "north")).await?.is(201)?.id()?;
    stage.scim.join(&group, &cara).await?;
    told(&stage, &[&format!("add {CARA} to role axon_analyst"), UNSEEN]).await?;
    looks_on(&stage).await?;
    ensure!(tried(&stage, sent).await? == alters, "it is sent once");
    ensure!(read(&stage.pool, CARA, ASKED).await.is_err(), "she does not read it yet");
    ensure!(one(&read(&stage.pool, ANN, ASKED).await?));

    // It cannot be what the map says: it is closed, once, though nobody can see that it is.
    for _ in 0..2 {
        let closes = tried(&stage, "close view secure.customers").await?;
        admin.run("ALTER TABLE base.customers DROP COLUMN region").await?;
        until("it is closed", SOON, async || {
            Ok((refused(&stage.pool, ANN, ASKED).await? == Some(207)).then_some(()))
        })
        .await?;
        told(&stage, &["view secure.customers is to show nothing", "has no column region", UNSEEN]).await?;
        looks_on(&stage).await?;
        ensure!(tried(&stage, "close view secure.customers").await? == closes + 1, "it is closed once");
        // And opened, and closed again where that has to be: what was sent before stands no more.
        admin.run("ALTER TABLE base.customers ADD region nvarchar(20)").await?;
        admin.run("UPDATE base.customers SET region = N'north' WHERE id = N'1'").await?;
        read_when(&stage.pool, ANN, "it has the map's text once more", ASKED, one).await?;
    }

    // The text is seen again: nothing is to be done, and who waited reads.
    admin.run(&format!("REVOKE VIEW DEFINITION ON OBJECT::secure.customers FROM [{OWN}]")).await?;
    read_when(&stage.pool, CARA, "cara reads it", ASKED, one).await?;
    stage.settled().await?;
    stage.place.axon(&["plan", "--check"]).await?.exits(0)?;
    Ok(())
}
