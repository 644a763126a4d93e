//! A permission in one session, in a target that is read whole every five minutes: the sessions are looked at much oftener while it stands.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use axon_tests::{Pool, SOON, Serve, Stage, Tds, until};

use super::acting::CARA;
use super::session::{cara_supports, id_of, permissions, reads};
use super::{ANN, ASKED, looking};

/// From the resume on.
const A_MINUTE: Duration = Duration::from_mins(1);

/// Pauses the pool, and gives a session of Cara's that has this id afterwards.
async fn another_of_the_same_id(pool: &Pool, id: &str) -> anyhow::Result<Tds> {
    let number = |id: &str| id.trim_start_matches("SID").parse::<u32>().context("a number");
    for _ in 0..5 {
        pool.lever("power paused").await?;
        pool.lever("power online").await?;
        loop {
            let mut again = pool.person(CARA).await?;
            let its = id_of(&mut again).await?;
            if its == id {
                return Ok(again);
            }
            // Somebody else was faster.
            if number(&its)? > number(id)? {
                break;
            }
        }
    }
    bail!("{id} is somebody else's again and again")
}

/// Waits until the target was left alone for a while: what began with the permission is over.
async fn left_alone(stage: &Stage) -> anyhow::Result<()> {
    let (mut last, mut since) = (None, Instant::now());
    until("the target is left alone", SOON, async || {
        let ticks = Some(stage.serve.metric("axon_reconcile_tick_seconds_count").await?);
        if last != ticks {
            (last, since) = (ticks, Instant::now());
        }
        Ok((since.elapsed() > Duration::from_secs(3)).then_some(()))
    })
    .await
}

#[tokio::test]
async fn another_session_of_the_same_id_reads_nothing_within_a_minute_of_a_pause() -> anyhow::Result<()> {
    let (mut stage, own) = cara_supports().await?;
    ensure!(stage.serve.stop().await?.success());
    stage.place.write("axon.yaml", &looking("inspect_every_seconds: 300"))?;
    stage.serve = Serve::start(&stage.place).await?;

    let mut one = stage.pool.person(CARA).await?;
    let id = id_of(&mut one).await?;
    let start = ["impersonate", "start", "--user", CARA, "--as", ANN, "--for", "30m", "--reason", "ticket 9"];
    stage.place.axon(&[&start[..], &["--session", &id]].concat()).await?.exits(0)?;
    ensure!(reads(&mut one, 1).await? == own);
    ensure!(permissions(&stage.pool).await? == std::slice::from_ref(&id));

    left_alone(&stage).await?;

    // Ids begin anew after a pause, and nothing else sets off a look at the target.
    let mut again = another_of_the_same_id(&stage.pool, &id).await?;
    until("the permission is taken out", A_MINUTE, async || {
        Ok(permissions(&stage.pool).await?.is_empty().then_some(()))
    })
    .await?;
    ensure!(again.rows(ASKED).await?.is_empty(), "she is herself, and sees nothing by that");
    ensure!(id_of(&mut again).await? == id);
    let said = stage.place.axon(&["status"]).await?.out;
    ensure!(said.contains("began after it was asked for"), "{said}");
    Ok(())
}
