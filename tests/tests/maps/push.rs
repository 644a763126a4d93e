//! `axon map push | log | show | revert`, on the store and over a server's API.

use anyhow::{Context, ensure};
use axon_tests::{SOON, Serve, Stage, until};
use serde_json::Value;

use crate::kit::{Stand, failing, map};

/// The words of the record of the newest version.
async fn last_record(stand: &Stand) -> anyhow::Result<Value> {
    let out = stand.place.axon(&["audit", "export"]).await?.exits(0)?.out;
    let records: Vec<Value> = out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let mut newest_first = records.into_iter().rev();
    newest_first
        .find(|record| record.to_string().contains("\"map-version\""))
        .context("a record of a version")
}

#[tokio::test]
async fn a_push_is_a_version_with_its_comment_and_a_stale_one_is_refused() -> anyhow::Result<()> {
    let stand = Stand::start("").await?;
    let first = stand.version().await?;
    let place = &stand.place;
    place.write("a.yaml", &map("a"))?;
    place.write("b.yaml", &map("b"))?;
    let said =
        place.axon(&["map", "push", "a.yaml", "--comment", "sales get a role", "--json"]).await?.exits(0)?;
    let a = said.json()?["version"]["version"].as_str().context("a hash")?.to_owned();
    ensure!(stand.version_after(&first).await? == a, "a running server takes it up");
    place
        .axon(&["map", "push", "b.yaml", "--comment", "stale", "--parent", &first])
        .await?
        .exits(1)?
        .says(&["another version is in force", &a[..12], "sales get a role"])?;
    let again = place.axon(&["map", "push", "a.yaml", "--comment", "again"]).await?.exits(0)?;
    ensure!(again.out.contains("in force already"), "{}", again.out);
    place.axon(&["map", "push", "b.yaml", "--comment", "fresh", "--parent", &a[..10]]).await?.exits(0)?;
    for (arguments, words) in [
        (&["map", "push", "b.yaml", "--comment", " "][..], "comment is empty"),
        (&["map", "push", "b.yaml", "--comment", "x", "--parent", "zz"], "no hash"),
        (&["map", "push", "b.yaml", "--comment", "x", "--parent", "abc"], "too short"),
        (&["map", "push", "b.yaml", "--comment", "x", "--parent", "00000000"], "no version"),
        (&["map", "push", "none.yaml", "--comment", "x"], "none.yaml"),
        (&["map", "show", "ffffffffffff"], "no version"),
        (&["map", "revert", "12"], "too short"),
    ] {
        place.axon(arguments).await?.exits(1)?.says(&[words])?;
    }
    place.write("bad.yaml", &map("b").replace("roles", "rols"))?;
    place
        .axon(&["map", "push", "bad.yaml", "--comment", "x"])
        .await?
        .exits(1)?
        .says(&["bad.yaml:2:1", "did you mean"])?;
    place.write("bad.yaml", &failing("b"))?;
    place.axon(&["map", "push", "bad.yaml", "--comment", "x"]).await?.exits(1)?.says(&["tests fail"])?;
    ensure!(stand.log().await?.len() == 3);

    let before = stand.version_after(&a).await?;
    let said =
        place.axon(&["map", "revert", &a[..8], "--comment", "b was wrong", "--json"]).await?.exits(0)?;
    ensure!(said.json()?["version"]["version"] == *a);
    ensure!(stand.version_after(&before).await? == a);
    let log = stand.log().await?;
    ensure!(log.len() == 4 && log[0]["version"] == *a && log[0]["parent"] == *before, "{log:#?}");
    let comment = log[0]["comment"].as_str().context("a comment")?;
    ensure!(comment.starts_with("Revert to ") && comment.ends_with("b was wrong"), "{comment}");
    let record = last_record(&stand).await?.to_string();
    ensure!(record.contains("b was wrong") && record.contains(&a) && record.contains("login"), "{record}");
    let people = place.axon(&["map", "log", "--limit", "2"]).await?.exits(0)?.out;
    ensure!(people.contains("in force") && people.matches(" by login ").count() == 2, "{people}");
    let shown = place.axon(&["map", "show", "--json"]).await?.exits(0)?.json()?;
    ensure!(shown["files"][0]["text"] == map("a") && shown["version"] == *a, "{shown}");
    place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}

#[tokio::test]
async fn the_text_in_force_is_a_parent_under_whichever_name() -> anyhow::Result<()> {
    let stand = Stand::start("").await?;
    let place = &stand.place;
    for (name, text) in
        [("hand.yaml", "hand"), ("before.yaml", "hand"), ("next.yaml", "next"), ("old.yaml", "first")]
    {
        place.write(name, &map(text))?;
    }
    place.axon(&["map", "push", "hand.yaml", "--comment", "by hand"]).await?.exits(0)?;
    let push = async |file: &str, parent: &str| {
        place.axon(&["map", "push", file, "--parent-file", parent, "--comment", "x"]).await
    };
    push("next.yaml", "old.yaml").await?.exits(1)?.says(&["another version is in force", "by hand"])?;
    let said = push("before.yaml", "old.yaml").await?.exits(0)?;
    ensure!(said.out.starts_with("in force already"), "{}", said.out);
    let said = push("next.yaml", "before.yaml").await?.exits(0)?;
    ensure!(said.out.starts_with("in force: "), "{}", said.out);
    ensure!(stand.log().await?.len() == 3);
    Ok(())
}

#[tokio::test]
async fn a_push_over_the_api_reaches_the_pool() -> anyhow::Result<()> {
    let stage = Stage::set(&["kim@acme.example"]).await?;
    let kim = stage.scim.person("kim@acme.example").await?;
    stage.scim.group("Readers", &[&kim]).await?;
    stage.catalog_when("kim reads", |c| c.roles_of("kim@acme.example") == ["axon_reader"]).await?;
    let place = &stage.place;
    let create = ["token", "create", "--operator", "ana", "--may", "map.read,map.push"];
    place.write("ana.token", &place.axon(&create).await?.exits(0)?.out)?;
    let text = place.read("role-map.yaml")?;
    place.write("new.yaml", &text.replace("any: [Readers]", "any: [Nobody]"))?;
    let url = stage.serve.address().to_owned();
    let server = ["--url", &url, "--token-file", "ana.token"];
    let push =
        [&["map", "push", "new.yaml", "--comment", "readers are gone", "--json"][..], &server[..]].concat();
    let said = place.axon(&push).await?.exits(0)?.json()?;
    ensure!(said["outcome"] == "in-force" && said["version"]["author"]["name"] == "ana", "{said}");
    stage.catalog_when("kim lost it", |c| c.roles_of("kim@acme.example").is_empty()).await?;
    let log = [&["map", "log", "--json"][..], &server[..]].concat();
    let log = place.axon(&log).await?.exits(0)?.json()?;
    let first = log["versions"][1]["version"].as_str().context("the first version")?.to_owned();
    let revert = [&["map", "revert", &first[..9]][..], &server[..]].concat();
    place.axon(&revert).await?.exits(0)?;
    stage.catalog_when("kim has it again", |c| c.roles_of("kim@acme.example") == ["axon_reader"]).await?;
    let show = [&["map", "show"][..], &server[..]].concat();
    ensure!(place.axon(&show).await?.exits(0)?.out == text);
    let onto_the_first =
        [&["map", "push", "new.yaml", "--comment", "x", "--parent", &first][..], &server[..]].concat();
    place.axon(&onto_the_first).await?.exits(0)?;
    place.write("new.yaml", &text.replace("any: [Readers]", "any: [Others]"))?;
    place.axon(&onto_the_first).await?.exits(1)?.says(&["409", "another version is in force", "ana"])?;
    // Where no token would be safe none is sent.
    let open = ["map", "log", "--url", "http://axon.example", "--token-file", "ana.token"];
    place.axon(&open).await?.exits(1)?.says(&["not https"])?;
    until("the server has it", SOON, async || {
        let ready = stage.serve.ready().await?;
        Ok((ready["map"]["state"] == "in-force").then_some(()))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_version_that_was_changed_in_the_store_is_not_believed() -> anyhow::Result<()> {
    let stand = Stand::start("").await?;
    let Stand { serve, place } = stand;
    if !place.file("axon.db").exists() {
        return Ok(());
    }
    place.write("a.yaml", &map("a"))?;
    place.axon(&["map", "push", "a.yaml", "--comment", "a"]).await?.exits(0)?;
    serve.stop().await?;
    place.axon(&["store", "check"]).await?.exits(0)?;
    let hash = place.axon(&["map", "log", "--json"]).await?.exits(0)?.json()?["versions"][0]["version"]
        .as_str()
        .context("a hash")?
        .to_owned();
    let change = |sql: &str| -> anyhow::Result<()> {
        let changed = rusqlite::Connection::open(place.file("axon.db"))?.execute(sql, [])?;
        ensure!(changed == 1, "{sql} changed {changed} rows");
        Ok(())
    };
    let newest = "WHERE seq = (SELECT max(seq) FROM role_maps)";
    // The text alone; then text and hash alike, so that only the journal tells.
    let other = map("b").replace('\n', "\\n");
    let text = format!("UPDATE role_maps SET files = '[[\"a.yaml\",\"{other}\"]]' {newest}");
    let forged = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    for (sql, version, words) in [
        (text, hash.as_str(), "somebody changed the store by hand"),
        (format!("UPDATE role_maps SET version = '{forged}' {newest}"), forged, "has hash"),
    ] {
        change(&sql)?;
        place.axon(&["serve"]).await?.exits(1)?.says(&[words])?;
        place.axon(&["map", "show"]).await?.exits(1)?.says(&[words])?;
        place.axon(&["map", "show", &version[..12]]).await?.exits(1)?.says(&[words])?;
        let found = place.axon(&["store", "check"]).await?.exits(3)?;
        ensure!(found.out.contains("role_maps") && found.out.contains(words), "{}", found.out);
    }
    let real = place.axon(&["map", "log", "--json"]).await?.exits(0)?.json()?;
    ensure!(real["versions"][0]["version"] == forged, "{real}");
    // A version with its true hash that no record of the journal speaks of.
    let told = place.axon(&["map", "check", "a.yaml", "--json"]).await?.json()?;
    let true_hash = told["version"].as_str().context("a hash")?;
    place.write("b.yaml", &map("b"))?;
    let b = place.axon(&["map", "check", "b.yaml", "--json"]).await?.json()?;
    ensure!(b["version"] != true_hash);
    let renamed = format!(
        "UPDATE role_maps SET files = '[[\"b.yaml\",\"{other}\"]]', version = '{}' {newest}",
        b["version"].as_str().context("a hash")?
    );
    change(&renamed)?;
    place.axon(&["serve"]).await?.exits(1)?.says(&["does not say that it came into force"])?;
    // A push of a version that is known is the way out.
    place.axon(&["map", "push", "a.yaml", "--comment", "as it was"]).await?.exits(0)?;
    place.axon(&["map", "show"]).await?.exits(0)?;
    Serve::start(&place).await?.stop().await?;
    Ok(())
}
