//! Result-set caching: two people with one text have their own answers, and where a pool keeps results the views are closed all the same.

use anyhow::ensure;
use axon_tests::{ADMIN, PASSWORD, Pool, SOON, Serve, Stage, Tds, until};

use super::{ANN, ASKED, BOB, map, people, read, read_when, refused, stage};

/// From `master`, as the server's administrator does it.
async fn caching(pool: &Pool, on: &str) -> anyhow::Result<()> {
    let mut master = Tds::in_database(pool.address(), "master", ADMIN, PASSWORD).await?;
    Ok(master.run(&format!("ALTER DATABASE [dw] SET RESULT_SET_CACHING {on}")).await?)
}

#[tokio::test]
async fn two_people_with_one_text_have_their_own_answers_and_where_results_are_kept_views_are_closed()
-> anyhow::Result<()> {
    let stage = stage(&map(false)).await?;
    people(&stage.scim).await?;
    let anns = read_when(&stage.pool, ANN, "ann reads her rows", ASKED, |rows| rows.len() == 1).await?;
    let bobs = read_when(&stage.pool, BOB, "bob reads every row", ASKED, |rows| rows.len() == 2).await?;
    stage.settled().await?;

    // Switched on while no Axon looks: by turns and in one text, as the pool keeps what Microsoft says that it keeps.
    let Stage { pool, serve, place, .. } = stage;
    ensure!(serve.stop().await?.success());
    caching(&pool, "ON").await?;
    for (who, own) in [(BOB, &bobs), (ANN, &anns), (BOB, &bobs), (ANN, &anns)] {
        ensure!(read(&pool, who, ASKED).await? == *own, "{who}");
    }

    // Axon does not lean on that: it closes the views, and says why and what to do.
    let serve = Serve::start(&place).await?;
    until("the views are closed", SOON, async || {
        let mut closed = true;
        for who in [ANN, BOB] {
            closed = closed && refused(&pool, who, ASKED).await? == Some(207);
        }
        let said = place.axon(&["status"]).await?.out;
        Ok((closed && said.contains("SET RESULT_SET_CACHING OFF")).then_some(()))
    })
    .await?;
    place.axon(&["view", "probe"]).await?.exits(3)?;
    caching(&pool, "OFF").await?;
    for (who, own) in [(BOB, &bobs), (ANN, &anns), (BOB, &bobs)] {
        read_when(&pool, who, "the views are open again, to each their own", ASKED, |rows| rows == own)
            .await?;
    }
    ensure!(serve.stop().await?.success());
    Ok(())
}
