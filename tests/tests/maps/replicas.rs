//! Replicas on one PostgreSQL take a new version at once.

use std::time::{Duration, Instant};

use anyhow::ensure;
use axon_tests::{Place, Postgres, until};

use crate::kit::{Stand, map};

#[tokio::test]
async fn a_version_pushed_to_one_replica_is_in_force_on_the_other() -> anyhow::Result<()> {
    let url = Postgres::shared()?.database()?;
    let place = || Place::with_store([""; 0], Some(url.clone()));
    let one = Stand::start_on(place()?, "", &map("first")).await?;
    let two = Stand::start_on(place()?, "", &map("first")).await?;
    let first = one.version().await?;
    ensure!(two.version().await? == first && two.log().await?.len() == 1, "one version of one file");
    let ana = one.operator("ana", "map.read,map.push").await?;
    ana.push(&map("a"), &first).await?.is(201)?;
    let began = Instant::now();
    until("the other has it", Duration::from_secs(5), async || {
        Ok((two.version().await? != first).then_some(()))
    })
    .await?;
    ensure!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let second = two.version().await?;
    // The token works on both, and of two that push at once one is told about the other.
    let there = two.client(&ana.token);
    let (b, c) = (map("b"), map("c"));
    let (b, c) = tokio::join!(ana.push(&b, &second), there.push(&c, &second));
    let mut statuses = [b?.status, c?.status];
    statuses.sort_unstable();
    ensure!(statuses == [201, 409], "{statuses:?}");
    let third = one.version_after(&second).await?;
    ensure!(two.version_after(&second).await? == third);
    one.place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}
