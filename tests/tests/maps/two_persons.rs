//! A push that waits for somebody else.

use anyhow::{Context, ensure};
use serde_json::json;

use crate::kit::{Ci, Stand, map};

const BOTH: &str = "map.read,map.push,map.release";

#[tokio::test]
async fn a_proposal_is_in_force_when_another_person_released_it() -> anyhow::Result<()> {
    let stand = Stand::start("  second_person: true\n").await?;
    let (ana, bea) = (stand.operator("ana", BOTH).await?, stand.operator("bea", BOTH).await?);
    let again = stand.operator("Ana", BOTH).await?;
    let pusher = stand.operator("pia", "map.read,map.push").await?;
    let first = stand.version().await?;
    let said = ana.push(&map("a"), &first).await?.is(202)?.body;
    ensure!(said["outcome"] == "proposed" && said["proposal"]["state"] == "open", "{said}");
    let hash = said["proposal"]["version"].as_str().context("a hash")?.to_owned();
    ensure!(stand.version().await? == first, "nothing changed");
    let release = format!("/map/proposals/{hash}/release");
    let reason = || json!({ "reason": "looked at it" });
    ana.post(&release, reason()).await?.refuses(403, "same-person")?;
    again.post(&release, reason()).await?.refuses(403, "same-person")?;
    pusher.post(&release, reason()).await?.refuses(403, "not-permitted")?;
    bea.post(&release, json!({})).await?.refuses(400, "malformed")?;
    bea.post(&format!("/map/proposals/{}/release", "0".repeat(64)), reason()).await?.refuses(404, "gone")?;
    let shown = bea.get(&format!("/map/proposals/{hash}")).await?.is(200)?.body;
    ensure!(shown["files"][0]["text"] == map("a"), "{shown}");
    let log = stand.place.axon(&["map", "log"]).await?.exits(0)?.out;
    ensure!(log.contains("WAITS for a second person") && log.contains(&hash), "{log}");
    let said = bea.post(&release, reason()).await?.is(200)?.body;
    ensure!(
        said["version"]["author"]["name"] == "ana" && said["version"]["released_by"]["name"] == "bea",
        "{said}"
    );
    ensure!(stand.version_after(&first).await? == hash);
    bea.post(&release, reason()).await?.refuses(404, "gone")?;
    let export = stand.place.axon(&["audit", "export"]).await?.exits(0)?.out;
    ensure!(export.lines().filter(|line| line.contains("\"map-proposal\"")).count() == 2, "{export}");
    let record = export.lines().rfind(|line| line.contains("\"map-version\"")).context("a record")?;
    ensure!(record.contains("ana") && record.contains("bea"), "{record}");
    stand.place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}

#[tokio::test]
async fn what_was_overtaken_rejected_or_changed_in_the_file_is_not_released() -> anyhow::Result<()> {
    let stand = Stand::start("  second_person: true\n").await?;
    let (ana, bea) = (stand.operator("ana", BOTH).await?, stand.operator("bea", BOTH).await?);
    let first = stand.version().await?;
    let propose = async |name: &str| {
        let said = ana.push(&map(name), &first).await?.is(202)?.body;
        anyhow::Ok(said["proposal"]["version"].as_str().context("a hash")?.to_owned())
    };
    let (a, b, c) = (propose("a").await?, propose("b").await?, propose("c").await?);
    let reason = json!({ "reason": "looked at it" });
    bea.post(&format!("/map/proposals/{c}/reject"), reason.clone()).await?.is(200)?;
    bea.post(&format!("/map/proposals/{c}/release"), reason.clone()).await?.refuses(404, "gone")?;
    bea.post(&format!("/map/proposals/{a}/release"), reason.clone()).await?.is(200)?;
    let stale = bea.post(&format!("/map/proposals/{b}/release"), reason).await?.refuses(409, "conflict")?;
    ensure!(stale.body["in_force"]["version"] == *a, "{}", stale.body);
    // The file is no way round: what it says is proposed too, and whoever is at the machine releases it with a name.
    let before = stand.version_after(&first).await?;
    stand.place.write("role-map.yaml", &map("edited"))?;
    let edited = axon_tests::until("it is proposed", axon_tests::SOON, async || {
        let listed = ana.get("/map/proposals").await?;
        let mut listed = listed.body["proposals"].as_array().into_iter().flatten();
        let of_file = listed.find(|one| one["state"] == "open" && one["author"]["way"] == "file");
        Ok(of_file.and_then(|one| one["version"].as_str().map(str::to_owned)))
    })
    .await?;
    ensure!(stand.version().await? == before);
    // A login and an operator of one name are one person; the command line proposes and answers like the API.
    stand.place.write("d.yaml", &map("d"))?;
    let said = stand
        .place
        .axon(&["map", "push", "d.yaml", "--comment", "by hand", "--json"])
        .await?
        .exits(0)?
        .json()?;
    ensure!(said["outcome"] == "proposed", "{said}");
    let d = said["proposal"]["version"].as_str().context("a hash")?.to_owned();
    stand
        .place
        .axon(&["map", "release", &d[..9], "--reason", "mine"])
        .await?
        .exits(1)?
        .says(&["somebody else"])?;
    stand.place.axon(&["map", "reject", &d[..9], "--reason", "no"]).await?.exits(0)?;
    let create = ["token", "create", "--operator", "cara", "--may", "map.release"];
    stand.place.write("cara.token", &stand.place.axon(&create).await?.exits(0)?.out)?;
    let release = ["map", "release", &edited, "--reason", "read it", "--token-file", "cara.token"];
    stand.place.axon(&release).await?.exits(0)?;
    ensure!(stand.version_after(&before).await? == edited);
    Ok(())
}

#[tokio::test]
async fn a_rule_of_jobs_may_ask_for_a_second_person_alone() -> anyhow::Result<()> {
    let ci = Ci::start().await;
    let operators = format!(
        "  jobs:\n    main:\n      issuer: {}\n      audience: axon\n      claims: {{ repository: acme/w, ref: main }}\n      \
         may: [map.push, map.release]\n      second_person: true\n",
        ci.name
    );
    let stand = Stand::start(&operators).await?;
    let ana = stand.operator("ana", BOTH).await?;
    let job = |actor: &str| {
        stand.client(&ci.token(&json!({ "repository": "acme/w", "ref": "main", "actor": actor })))
    };
    let first = stand.version().await?;
    let said = job("ana").push(&map("a"), &first).await?.is(202)?.body;
    let hash = said["proposal"]["version"].as_str().context("a hash")?;
    let release = format!("/map/proposals/{hash}/release");
    let reason = json!({ "reason": "looked at it" });
    // Whoever triggered the job is behind it, and no other job of the rule is somebody else.
    ana.post(&release, reason.clone()).await?.refuses(403, "same-person")?;
    job("lee").post(&release, reason.clone()).await?.refuses(403, "same-person")?;
    stand.operator("bea", BOTH).await?.post(&release, reason).await?.is(200)?;
    // People need no second one here.
    let released = stand.version_after(&first).await?;
    ana.push(&map("b"), &released).await?.is(201)?;
    Ok(())
}
