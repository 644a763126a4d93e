//! Reading as another, over pages: the same record as over the API, the same refusals, the same second person.

use anyhow::{Context, ensure};
use axon_tests::Record;
use serde_json::{Value, json};

use crate::kit::{Browser, CARA, DAN, KIM, operator, peopled, written};

const ACTING: &str = "/console/acting";

fn wish<'a>(user: &'a str, person: &'a str, reason: &'a str) -> [(&'a str, &'a str); 4] {
    [("user", user), ("as", person), ("minutes", "30"), ("reason", reason)]
}

/// What a record says, without the request's own id.
fn said(record: &Record) -> Value {
    let mut facts = record.record["facts"].clone();
    facts["access_request"].take();
    json!({ "kind": record.kind, "actor": record.record["actor"], "facts": facts, "clear": record.clear["body"] })
}

#[tokio::test]
async fn a_start_is_the_same_record_as_over_the_api_and_a_stop_ends_it() -> anyhow::Result<()> {
    let stage = peopled().await?;
    let ana = operator(&stage, "ana", "grant,holds.read").await?;
    let browser = Browser::with(&stage, &ana).await?;
    browser.get(ACTING).await?.is(200)?.says(&[
        "Nobody reads as another",
        "Start",
        "sp_set_session_context @key = N&#39;axon_act_as&#39;",
    ])?;

    let posted = browser.post(ACTING, ACTING, &wish(CARA, KIM, "ticket 7")).await?.goes(ACTING)?;
    let page = browser.get(ACTING).await?.is(200)?;
    let title = format!("{CARA} as {KIM}");
    let page = page.says(&["Started.", &title, "in force", "ticket 7", "by operator ana"])?;
    browser.get(ACTING).await?.lacks(&["Started."])?;

    let body = json!({ "user": CARA, "as": KIM, "seconds": 1_800, "reason": "ticket 7" });
    let address = format!("{}/api/v1/impersonations", stage.serve.address());
    let answer = reqwest::Client::new().post(&address).bearer_auth(&ana).json(&body).send().await?;
    ensure!(answer.status() == 201);
    let records = written(&stage).await?;
    let [pages, api] = records.as_slice() else { anyhow::bail!("{records:#?}") };
    ensure!(said(pages) == said(api), "{:#}\n{:#}", said(pages), said(api));
    ensure!(pages.record["actor"]["name"] == "ana" && pages.record["facts"]["seconds"] == 1_800, "{pages:?}");
    let clear = pages.clear.to_string();
    ensure!(clear.contains(CARA) && clear.contains(KIM), "{clear}");
    ensure!(pages.request() == Some(posted.header("x-request-id")), "{pages:?}");

    // It is a permission like any other: the command line lists it, and a stop ends it.
    let stop = page.behind("action=\"/console/acting/")?;
    let stop = format!("{ACTING}/{stop}");
    browser.post(ACTING, &stop, &[]).await?.is(400)?.says(&["the reason is empty"])?;
    browser.post(ACTING, &stop, &[("reason", "done")]).await?.goes(ACTING)?;
    browser.get(ACTING).await?.says(&["Stopped.", "Ended or refused (1 of 1)", "done"])?;
    browser.post(ACTING, &stop, &[("reason", "done")]).await?.is(404)?;
    let listed = stage.place.axon(&["impersonate", "list", "--all"]).await?.exits(0)?;
    ensure!(listed.out.contains("lifted") && listed.out.contains("done"), "{}", listed.out);
    Ok(())
}

#[tokio::test]
async fn what_the_map_does_not_allow_is_refused_with_its_reason_and_on_record() -> anyhow::Result<()> {
    let stage = peopled().await?;
    let ana = operator(&stage, "ana", "grant,holds.read").await?;
    let browser = Browser::with(&stage, &ana).await?;
    let page = browser.post(ACTING, ACTING, &wish(KIM, CARA, "let me")).await?.is(422)?;
    // What was typed is there again.
    page.says(&[
        "Refused, and on record:",
        "role=\"alert\"",
        "value=\"let me\"",
        &format!("value=\"{KIM}\""),
    ])?
    .says(&["Ended or refused (1 of 1)", "refused</span>"])?;
    let too_long = [("user", CARA), ("as", KIM), ("minutes", "61"), ("reason", "x")];
    browser.post(ACTING, ACTING, &too_long).await?.is(422)?.says(&["Refused, and on record:"])?;
    let bare = [("user", CARA), ("as", KIM), ("minutes", "30")];
    browser.post(ACTING, ACTING, &bare).await?.is(422)?.says(&["the reason is missing"])?;
    let records = written(&stage).await?;
    ensure!(records.len() == 3, "{records:#?}");
    for record in &records {
        let clear = record.clear.to_string();
        ensure!(clear.contains(CARA) && clear.contains(KIM), "{clear}");
    }
    // What is no wish at all is told, and on record with the names that can be read.
    for (fields, status, told) in [
        (wish("nobody@acme.example", KIM, "x"), 404, "no source knows nobody@acme.example"),
        ([("user", CARA), ("as", KIM), ("minutes", "soon"), ("reason", "x")], 400, "is no whole number"),
        ([("user", CARA), ("as", KIM), ("minutes", "-5"), ("reason", "x")], 400, "is no whole number"),
        ([("user", CARA), ("minutes", "5"), ("reason", "x"), ("as", "")], 400, "as whom is missing"),
    ] {
        browser.post(ACTING, ACTING, &fields).await?.is(status)?.says(&[told])?;
        let unread = |record: &axon_tests::Record| {
            let clear = record.clear.to_string();
            clear.contains(" wished to read as ")
                && clear.contains(told)
                && record.record.to_string().contains("ana")
        };
        ensure!(stage.place.journal().await?.iter().any(unread), "{told}");
    }
    let mut other = wish(CARA, KIM, "x").to_vec();
    other.push(("target", "dw"));
    browser.post(ACTING, ACTING, &other).await?.is(404)?.says(&["names no target dw"])?;
    ensure!(written(&stage).await?.len() == 3);
    Ok(())
}

#[tokio::test]
async fn a_second_person_releases_it_and_nobody_releases_their_own() -> anyhow::Result<()> {
    let stage = peopled().await?;
    let ana =
        Browser::with(&stage, &operator(&stage, "ana", "grant,holds.read,holds.release").await?).await?;
    let bo = Browser::with(&stage, &operator(&stage, "bo", "holds.read,holds.release").await?).await?;
    ana.post(ACTING, ACTING, &wish(DAN, KIM, "an audit")).await?.goes(ACTING)?;
    let page = ana
        .get(ACTING)
        .await?
        .is(200)?
        .says(&["It waits for somebody else.", "waits for a second person"])?;
    let hold = page.behind("action=\"/console/holds/")?;
    let release = format!("/console/holds/{hold}");
    let fields = [("reason", "seen"), ("back", ACTING)];
    ana.post(ACTING, &release, &fields).await?.is(403)?.says(&["somebody else than whoever asked"])?;
    let newest = async || -> anyhow::Result<String> {
        let last = written(&stage).await?.pop().context("a record")?;
        Ok(last.record.to_string())
    };
    let before = newest().await?;
    bo.get(ACTING).await?.is(200)?.lacks(&["<h2>Start</h2>", ">Stop<"])?;
    bo.get("/console/holds")
        .await?
        .is(200)?
        .says(&["what was asked for counts", "somebody else than ana"])?;
    bo.post(ACTING, &release, &fields).await?.goes(ACTING)?;
    ensure!(newest().await? != before);
    bo.get(ACTING).await?.says(&["in force", "Released", "by operator bo", "seen"])?;
    bo.get("/console/holds").await?.says(&["Nothing waits for a person."])?;
    ana.post(ACTING, &release, &fields).await?.is(409)?.says(&["already"])?;
    // An address in `back` is nowhere to go.
    ana.post(ACTING, ACTING, &wish(DAN, KIM, "again")).await?.goes(ACTING)?;
    let page = bo.get(ACTING).await?.is(200)?;
    let reject = format!("/console/holds/{}", page.behind("formaction=\"/console/holds/")?);
    let away = [("reason", "no"), ("back", "https://evil.example/")];
    bo.post(ACTING, &reject, &away).await?.goes("/console/holds")?;
    bo.get(ACTING).await?.says(&["refused</span>"])?;
    Ok(())
}
