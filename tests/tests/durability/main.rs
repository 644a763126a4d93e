//! What an acknowledgement is worth: a group of writes is on the disk before any of them is answered.

mod disk;
mod full;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axon_tests::{MAP, Place, SOON, Scim, Serve, until, user};
use tokio::task::JoinSet;

use disk::Disk;

const CLIENTS: usize = 64;
const EACH: usize = 12;

/// Creates from many clients at once; gives the ids and how long the quickest answer took.
async fn load(scim: &Scim, what: &str) -> anyhow::Result<(Vec<String>, Duration)> {
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (scim, what) = (scim.clone(), what.to_owned());
        clients.spawn(async move {
            let (mut ids, mut quickest) = (Vec::new(), Duration::MAX);
            for n in 0..EACH {
                let asked = Instant::now();
                ids.push(
                    scim.post("/Users", &user(&format!("{what}-{client}-{n}@acme.example")))
                        .await?
                        .is(201)?
                        .id()?,
                );
                quickest = quickest.min(asked.elapsed());
            }
            anyhow::Ok((ids, quickest))
        });
    }
    let (mut all, mut quickest) = (Vec::new(), Duration::MAX);
    while let Some(done) = clients.join_next().await {
        let (ids, least) = done??;
        all.extend(ids);
        quickest = quickest.min(least);
    }
    Ok((all, quickest))
}

async fn set() -> anyhow::Result<(Place, Disk, Serve, Scim)> {
    let place = Place::new([""; 0])?;
    let disk = Disk::make(&place)?;
    // No pool is there: the reconciler's own writes are few.
    place.furnish(MAP, 1)?;
    let token = place.token("entra").await?;
    let serve = disk.serve(&place).await?;
    let scim = serve.scim(&token);
    Ok((place, disk, serve, scim))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a counter is a small whole number"
)]
async fn counter(serve: &Serve, name: &str) -> anyhow::Result<u64> {
    Ok(serve.metric(name).await? as u64)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_committed_group_reached_the_disk_and_groups_fold_writes() -> anyhow::Result<()> {
    let (_place, disk, serve, scim) = set().await?;
    let ready = serve.ready().await?;
    ensure!(ready["durability"]["journal_mode"] == "wal", "{ready}");
    ensure!(matches!(ready["durability"]["synchronous"].as_str(), Some("full" | "extra")), "{ready}");

    let (syncs, groups) = (disk.logs()?, counter(&serve, "axon_store_commits_total").await?);
    let writes = counter(&serve, "axon_store_writes_total").await?;
    let (ids, _) = load(&scim, "a").await?;
    let groups_after = counter(&serve, "axon_store_commits_total").await?;
    let syncs_after = disk.logs()?;
    let groups = groups_after - groups;
    let writes = counter(&serve, "axon_store_writes_total").await? - writes;
    println!(
        "{} creates, {writes} writes, {groups} groups, {} syncs of the log",
        ids.len(),
        syncs_after - syncs
    );
    ensure!(writes >= ids.len() as u64, "{writes} writes");
    ensure!(syncs_after - syncs >= groups, "{} syncs for {groups} groups", syncs_after - syncs);
    ensure!(groups * 2 < writes, "{groups} groups for {writes} writes: they do not fold");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_comes_before_the_disk_has_answered() -> anyhow::Result<()> {
    let (_place, disk, _serve, scim) = set().await?;
    let slow = Duration::from_millis(40);
    disk.slow(slow)?;
    let (_, quickest) = load(&scim, "slow").await?;
    ensure!(quickest >= slow, "an answer after {quickest:?}, though each sync takes {slow:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_gives_errors_and_never_acknowledgements() -> anyhow::Result<()> {
    let (place, disk, serve, scim) = set().await?;
    let (mut kept, _) = load(&scim, "before").await?;
    disk.fail(true)?;
    for n in 0..5 {
        let answer = scim.post("/Users", &user(&format!("lost-{n}@acme.example"))).await?;
        ensure!(matches!(answer.status, 500 | 503), "answered {} {}", answer.status, answer.body);
        ensure!(
            !answer.body.to_string().contains("axon.db"),
            "it tells the client of files: {}",
            answer.body
        );
    }
    ensure!(disk.get(2)? >= 5, "no sync failed");
    // Reads go on.
    scim.get(&format!("/Users/{}", kept[0])).await?.is(200)?;

    disk.fail(false)?;
    let id = until("writes work again", SOON, async || {
        let answer = scim.post("/Users", &user("after@acme.example")).await?;
        Ok(if answer.status == 201 { Some(answer.id()?) } else { None })
    })
    .await?;
    kept.push(id);
    let found = scim.get("/Users?filter=userName+sw+%22lost-%22").await?.is(200)?;
    ensure!(found.body["totalResults"] == 0, "refused writes are there: {}", found.body);
    serve.kill().await?;
    everything_is_there(&place, &kept).await
}

async fn everything_is_there(place: &Place, kept: &[String]) -> anyhow::Result<()> {
    ensure!(Path::new(&place.file("axon.db")).is_file());
    let token = place.token("entra").await?;
    let serve = Serve::start(place).await?;
    let scim = serve.scim(&token);
    for id in kept {
        scim.get(&format!("/Users/{id}")).await?.is(200).context("an acknowledged user")?;
    }
    place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}
