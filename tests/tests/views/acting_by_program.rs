//! Reading as another person over the operators' API: asked for, listed and stopped; and a second person's no on the command line.

use anyhow::{Context, ensure};
use axon_tests::{SOON, Stage, until};
use reqwest::Method;
use serde_json::{Value, json};

use super::acting::{CARA, DAN, acting_map, actors, on_record, said, seen_as, sees_when, start};
use super::{ANN, ASKED, BOB, people, read, stage_of};

/// The key of an operator who may do this.
async fn key(stage: &Stage, operator: &str, may: &str) -> anyhow::Result<String> {
    let create = ["token", "create", "--operator", operator, "--may", may];
    Ok(stage.place.axon(&create).await?.exits(0)?.out.trim().to_owned())
}

/// What the API answers on this path below that of all.
async fn call(
    stage: &Stage,
    key: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> anyhow::Result<(u16, Value)> {
    let address = format!("{}/api/v1/impersonations{path}", stage.serve.address());
    let mut request = reqwest::Client::new().request(method, address).bearer_auth(key);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    let text = answer.text().await?;
    Ok((status, serde_json::from_str(&text).with_context(|| text)?))
}

/// Those that wait or count.
async fn all(stage: &Stage, key: &str) -> anyhow::Result<Vec<Value>> {
    let (status, told) = call(stage, key, Method::GET, "", None).await?;
    ensure!(status == 200, "{status}: {told}");
    Ok(told["requests"].as_array().context("requests")?.clone())
}

/// Ann and Bob as ever; Cara may act by herself, Dan with a second person's yes.
async fn four() -> anyhow::Result<Stage> {
    let stage = stage_of(&[ANN, BOB, CARA, DAN], &acting_map()).await?;
    people(&stage.scim).await?;
    let (cara, dan) = (stage.scim.person(CARA).await?, stage.scim.person(DAN).await?);
    stage.scim.group("Support", &[&cara]).await?;
    stage.scim.group("Deputies", &[&dan]).await?;
    for who in [CARA, DAN] {
        until("they may ask the view", SOON, async || {
            Ok(read(&stage.pool, who, ASKED).await.ok().filter(Vec::is_empty))
        })
        .await?;
    }
    Ok(stage)
}

#[tokio::test]
async fn a_program_asks_lists_and_stops() -> anyhow::Result<()> {
    let stage = four().await?;
    let eve = key(&stage, "eve", "grant,holds.read").await?;
    let looks = key(&stage, "lou", "holds.read").await?;
    let gives = key(&stage, "gus", "grant").await?;
    ensure!(all(&stage, &eve).await?.is_empty(), "nobody asked yet");

    let wish = |who: &str| json!({ "user": who, "as": ANN, "seconds": 1800, "reason": "ticket 7" });
    let (status, asked) = call(&stage, &eve, Method::POST, "", Some(wish(CARA))).await?;
    ensure!(status == 201 && asked["state"] == "in-force", "{status}: {asked}");
    let id = asked["id"].as_str().context("an id")?.to_owned();
    sees_when(&stage.pool, CARA, ANN, 1).await?;
    // One that waits for a second person stands in the list, too.
    let (status, waits) = call(&stage, &eve, Method::POST, "", Some(wish(DAN))).await?;
    ensure!(status == 202 && waits["state"] == "proposed" && waits["hold"].is_string(), "{status}: {waits}");
    // What the map does not allow is a refusal, and no part of the list.
    let more = json!({ "user": CARA, "as": BOB, "seconds": 1800, "reason": "ticket 7" });
    let (status, refused) = call(&stage, &eve, Method::POST, "", Some(more)).await?;
    ensure!(status == 422 && refused["detail"].as_str().is_some_and(|why| why.contains(BOB)), "{refused}");
    // Oldest first, with both people.
    let listed = all(&stage, &looks).await?;
    ensure!(listed == [asked.clone(), waits.clone()], "{listed:?}");
    for (one, who) in listed.iter().zip([CARA, DAN]) {
        let told = (&one["kind"], &one["user"], &one["person"], &one["target"], &one["seconds"]);
        let wanted = (json!("impersonate"), json!(who), json!(ANN), json!("warehouse"), json!(1800));
        ensure!(told == (&wanted.0, &wanted.1, &wanted.2, &wanted.3, &wanted.4), "{one}");
        ensure!(
            one["asked"]["by"].to_string().contains("eve") && one["asked"]["reason"] == "ticket 7",
            "{one}"
        );
    }

    // Whoever may only look stops nothing, and whoever may only give is not told of others.
    let stop = format!("/{id}/stop");
    let reason = || Some(json!({ "reason": "done" }));
    ensure!(call(&stage, &looks, Method::POST, &stop, reason()).await?.0 == 403);
    ensure!(call(&stage, &looks, Method::POST, "", Some(wish(CARA))).await?.0 == 403);
    ensure!(call(&stage, &gives, Method::GET, "", None).await?.0 == 403);
    ensure!(call(&stage, "nobody", Method::GET, "", None).await?.0 == 401);
    for (body, words) in
        [(json!({}), "`reason` is missing"), (json!({ "reason": "done", "who": CARA }), "who")]
    {
        let (status, told) = call(&stage, &eve, Method::POST, &stop, Some(body)).await?;
        ensure!(status == 400 && told["detail"].as_str().is_some_and(|why| why.contains(words)), "{told}");
    }
    ensure!(actors(&stage).await? == [CARA], "she goes on");

    let (status, ended) = call(&stage, &eve, Method::POST, &stop, reason()).await?;
    ensure!(status == 200 && ended["id"] == id.as_str() && ended["state"] == "lifted", "{status}: {ended}");
    let by = &ended["ended"];
    ensure!(by["reason"] == "done" && by["by"].to_string().contains("eve"), "{ended}");
    until("stopped", SOON, async || Ok(actors(&stage).await?.is_empty().then_some(()))).await?;
    ensure!(seen_as(&stage.pool, CARA, ANN).await?.is_empty());
    let listed = all(&stage, &looks).await?;
    ensure!(listed.len() == 1 && listed[0] == waits, "{listed:?}");
    let both = [said("in-force", CARA, ANN, "ticket 7"), said("lifted", CARA, ANN, "done")];
    let told = on_record(&stage, Some(&id)).await?;
    ensure!(told == both, "{told:?}");
    // There is nothing left to stop under that id, nor under one that nobody gave.
    for id in [id.as_str(), "0190a5d0-0000-7000-8000-000000000000", "x"] {
        let (status, told) = call(&stage, &eve, Method::POST, &format!("/{id}/stop"), reason()).await?;
        ensure!(status == 404, "{id}: {status} {told}");
    }
    // What waits is stopped as well: nobody can release it any more.
    let waiting = waits["id"].as_str().context("an id")?.to_owned();
    let (status, told) = call(&stage, &eve, Method::POST, &format!("/{waiting}/stop"), reason()).await?;
    ensure!(status == 200, "{status}: {told}");
    ensure!(all(&stage, &looks).await?.is_empty());
    let zoe = key(&stage, "zoe", "holds.release").await?;
    stage.place.write("zoe.token", &zoe)?;
    let release = ["impersonate", "release", &waiting, "--reason", "seen", "--token-file", "zoe.token"];
    stage.place.axon(&release).await?.exits(1)?;
    stage.settled().await?;
    ensure!(actors(&stage).await?.is_empty() && seen_as(&stage.pool, DAN, ANN).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_second_persons_no_on_the_command_line_gives_nothing() -> anyhow::Result<()> {
    let stage = four().await?;
    let id = start(&stage, DAN, ANN, 3).await?;
    let zoe = key(&stage, "zoe", "holds.release").await?;
    stage.place.write("zoe.token", &zoe)?;
    let lou = key(&stage, "lou", "holds.read").await?;
    stage.place.write("lou.token", &lou)?;
    let answer = async |verb: &str, id: &str, file: &str| {
        let words = ["impersonate", verb, id, "--reason", "not today", "--token-file", file];
        stage.place.axon(&words).await
    };
    // Not by whoever may only look, and not one that nobody asked for.
    answer("reject", &id, "lou.token").await?.exits(1)?;
    answer("reject", "0190a5d0-0000-7000-8000-000000000000", "zoe.token").await?.exits(1)?;
    let told = on_record(&stage, Some(&id)).await?;
    ensure!(told == [said("proposed", DAN, ANN, "ticket 7")], "{told:?}");

    answer("reject", &id, "zoe.token").await?.exits(0)?;
    let told = on_record(&stage, Some(&id)).await?;
    let both = [said("proposed", DAN, ANN, "ticket 7"), said("rejected", DAN, ANN, "not today")];
    ensure!(told == both, "{told:?}");
    let journal = stage.place.journal().await?;
    let no = journal.iter().rfind(|record| record.kind == "access-request").context("a record")?;
    ensure!(format!("{}{}", no.record, no.clear).contains("zoe"), "who said no: {no:?}");
    // It is a no for good, to whoever says yes after it and to whoever says it again.
    for verb in ["release", "reject"] {
        answer(verb, &id, "zoe.token").await?.exits(1)?.says(&["waits for nobody"])?;
    }
    stage.place.axon(&["impersonate", "stop", &id, "--reason", "done"]).await?.exits(1)?;
    let all = stage.place.axon(&["impersonate", "list"]).await?.exits(0)?.out;
    ensure!(!all.contains(&id), "{all}");
    let all = stage.place.axon(&["impersonate", "list", "--all", "--user", ANN]).await?.exits(0)?.out;
    ensure!(all.contains(&id) && all.contains("not today") && all.contains(DAN), "{all}");
    stage.settled().await?;
    ensure!(actors(&stage).await?.is_empty() && seen_as(&stage.pool, DAN, ANN).await?.is_empty());
    Ok(())
}
