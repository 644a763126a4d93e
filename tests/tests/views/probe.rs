//! Probes: Axon reads its own views as one of each class of their readers, by itself and when it is told to, and says what differs.

use anyhow::{Context, ensure};
use axon_tests::{SOON, Serve, Stage, until};
use serde_json::Value;

use super::unsigned::name_a_folder;
use super::{ANN, ASKED, BOB, living_in, looking, map, people, read, read_when, stage};

const VIEW: &str = "secure.customers";

/// The facts of all probes of the view.
async fn probes(stage: &Stage) -> anyhow::Result<Vec<Value>> {
    let records = stage.place.journal().await?;
    let of_view = records.into_iter().filter(|record| record.kind == "view-probe");
    let facts = of_view.map(|record| record.record["facts"].clone());
    Ok(facts.filter(|facts| facts["view"] == VIEW).collect())
}

/// The same, which looks at the target every second, and with a key for the journal, which has its folder by itself only beside a
/// store that is a file.
async fn watching(stage: Stage) -> anyhow::Result<Stage> {
    let Stage { pool, serve, token, place, .. } = stage;
    serve.stop().await?;
    place.write("axon.yaml", &looking("inspect_every_seconds: 1"))?;
    if !place.has_its_store() {
        name_a_folder(&place)?;
    }
    let serve = Serve::start(&place).await?;
    Ok(Stage { scim: serve.scim(&token), pool, serve, token, place })
}

#[tokio::test]
async fn views_are_probed_by_each_class_and_a_difference_is_told_and_stops_what_gives() -> anyhow::Result<()>
{
    let stage = watching(stage(&map(false)).await?).await?;
    let asked = async |what: &str, of: u64| {
        until(what, SOON, async || {
            let found = probes(&stage).await?;
            Ok(found.iter().any(|facts| facts["rows"] == of).then_some(found))
        })
        .await
    };
    // By itself: an analyst of the north, and somebody of finance, who comes when that one was asked; the table is refused to both.
    let ann = stage.scim.post("/Users", &living_in(ANN, "north")).await?.is(201)?.id()?;
    stage.scim.group("Analysts", &[&ann]).await?;
    asked("the first class was probed", 1).await?;
    let bob = stage.scim.post("/Users", &living_in(BOB, "nowhere")).await?.is(201)?.id()?;
    stage.scim.group("Finance", &[&bob]).await?;
    let found = asked("a class that came later was probed", 2).await?;
    ensure!(found.iter().filter(|facts| facts["rows"] == 1).count() == 1, "nobody is asked again: {found:?}");
    ensure!(found.iter().all(|facts| facts["differs"] == 0 && facts["untried"] == 0), "{found:?}");
    ensure!(found.iter().all(|facts| facts["text"].as_str().is_some_and(|text| text.len() == 64)));

    // The journal is signed behind them: an auditor proves that offline, with the public key and an export.
    let public = stage.place.axon(&["audit", "key"]).await?.exits(0)?.out;
    let export = stage.place.file("journal.jsonl").display().to_string();
    until("the last probe is signed", SOON, async || {
        stage.place.axon(&["audit", "export", "--out", &export]).await?.exits(0)?;
        let said = stage
            .place
            .axon(&["audit", "verify", "--export", &export, "--key", public.trim(), "--json"])
            .await?;
        let proved: Value = serde_json::from_str(&said.exits(0)?.out)?;
        let records = stage.place.journal().await?;
        let last = records.iter().rfind(|record| record.kind == "view-probe").map(|record| record.seq);
        Ok((proved["signed"]["position"].as_u64() >= last).then_some(()))
    })
    .await?;
    let stranger = "0".repeat(64);
    let said =
        stage.place.axon(&["audit", "verify", "--export", &export, "--key", &stranger]).await?.exits(3)?;
    ensure!(said.out.contains("the key signed nothing of it"), "{}", said.out);

    // By hand, as people read it. What no view keeps is said as well.
    let probed = stage.place.axon(&["view", "probe", VIEW]).await?.exits(0)?;
    for words in ["2 probed, 0 otherwise", &format!("as {ANN}: as the map says, 1 rows"), "leak  a division"]
    {
        ensure!(probed.out.contains(words), "{words}: {}", probed.out);
    }
    stage.place.axon(&["view", "probe", "secure.nothing"]).await?.exits(1)?.says(&["holds a view"])?;

    // A change of the map that changes a view is followed by a probe of its new text.
    let before = probes(&stage).await?.len();
    let changed =
        stage.place.read("role-map.yaml")?.replace("name: { mask: first(1)", "name: { mask: first(2)");
    stage.place.write("role-map.yaml", &changed)?;
    until("the changed view was probed", SOON, async || {
        let now = probes(&stage).await?;
        let text = |facts: &Value| facts["text"].as_str().map(str::to_owned);
        let last = now.last().and_then(text);
        Ok((now.len() >= before + 2 && last != found.last().and_then(text)).then_some(()))
    })
    .await?;

    // Something that no catalog of grants in Axon's scope tells: the view is closed to all by a DENY to everybody.
    let Stage { pool, serve, place, token, .. } = stage;
    ensure!(serve.stop().await?.success());
    let mut admin = pool.admin().await?;
    admin.run("DENY SELECT ON OBJECT::secure.customers TO public").await?;
    let said = place.axon(&["view", "probe"]).await?.exits(3)?;
    for words in ["DIFFERS", "it cannot be read: error 229"] {
        ensure!(said.out.contains(words), "{words}: {}", said.out);
    }

    // It waits for a person, and where that is asked for nothing is given to anybody meanwhile.
    place.write("axon.yaml", &looking("inspect_every_seconds: 1, freeze_on_probe: true"))?;
    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&token);
    until("it is told", SOON, async || {
        let said = place.axon(&["status"]).await?.out;
        Ok(said.contains("view secure.customers shows a probe something else").then_some(()))
    })
    .await?;
    let moved = serde_json::json!([
        { "op": "Replace", "path": "addresses[type eq \"work\"].region", "value": "south" }
    ]);
    scim.patch(&format!("/Users/{ann}"), &moved).await?.is(200)?;
    // What she loses goes all the same: neither view nor profile has the north for her any more.
    let rows = format!("SELECT value FROM axon.profile WHERE principal = N'{ANN}'");
    let mut last = String::new();
    until("what gives waits, and what takes is done", SOON, async || {
        let (said, rows) = (place.axon(&["status"]).await?.out, admin.column(&rows).await?);
        let waits = said.contains("freeze_on_probe is on") && said.contains(", with 1 of addresses.region");
        last = format!("{rows:?} {said}");
        Ok((waits && rows.is_empty()).then_some(()))
    })
    .await
    .context(last)?;

    // It is mended, and a probe lifts it.
    admin.run("REVOKE SELECT ON OBJECT::secure.customers FROM public").await?;
    until("a probe finds nothing any more", SOON, async || {
        let said = place.axon(&["view", "probe", VIEW]).await?;
        Ok(said.out.contains("0 otherwise").then_some(()))
    })
    .await?;
    read_when(&pool, ANN, "ann reads the south", ASKED, |rows| {
        rows.len() == 1 && rows[0][4].as_deref() == Some("south")
    })
    .await?;
    ensure!(read(&pool, ANN, ASKED).await?.len() == 1);
    serve.stop().await.context("it stops")?;
    Ok(())
}

/// What `/metrics` shows of probes: whether something differs, and whether something could not be tried. None where it shows nothing.
async fn shown(stage: &Stage) -> anyhow::Result<[Option<String>; 2]> {
    let (_, text) = stage.serve.page("/metrics").await?;
    let value = |name: &str| {
        let series = format!("{name}{{target=\"warehouse\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&series)).map(str::to_owned)
    };
    Ok(["axon_view_probe_differs_bool", "axon_view_probe_untried_bool"].map(value))
}

async fn shows(stage: &Stage, what: &str, differs: &str, untried: &str) -> anyhow::Result<()> {
    let mut last = [None, None];
    let found = until(what, SOON, async || {
        last = shown(stage).await?;
        Ok((last == [Some(differs.to_owned()), Some(untried.to_owned())]).then_some(()))
    })
    .await;
    found.with_context(|| format!("{last:?}"))
}

/// Shows as many letters of names to analysts, by which the view's text is another one.
fn letters(stage: &Stage, count: u8) -> anyhow::Result<()> {
    let map = stage.place.read("role-map.yaml")?;
    let (before, rest) = map.split_once("name: { mask: first(").context("the mask")?;
    let (_, rest) = rest.split_once(')').context("its end")?;
    stage.place.write("role-map.yaml", &format!("{before}name: {{ mask: first({count}){rest}"))
}

#[tokio::test]
async fn what_a_probe_finds_is_shown_to_whoever_watches_until_it_is_gone() -> anyhow::Result<()> {
    let stage = stage(&map(false)).await?;
    people(&stage.scim).await?;
    read_when(&stage.pool, ANN, "ann reads her rows", ASKED, |rows| rows.len() == 1).await?;
    until("both classes were probed", SOON, async || {
        let found = probes(&stage).await?;
        Ok((found.len() >= 2 && found.iter().all(|facts| facts["differs"] == 0)).then_some(()))
    })
    .await?;
    shows(&stage, "both are tried, and nothing differs", "0", "0").await?;

    // The server's own probe, of the text that the map asks for now.
    let mut admin = stage.pool.admin().await?;
    admin.run("DENY SELECT ON OBJECT::secure.customers TO public").await?;
    letters(&stage, 2)?;
    shows(&stage, "the view differs", "1", "0").await?;
    admin.run("REVOKE SELECT ON OBJECT::secure.customers FROM public").await?;
    letters(&stage, 3)?;
    shows(&stage, "the view differs no more", "0", "0").await?;

    // What somebody's probe by hand finds is shown by the server from its next look on.
    let probe = ["view", "probe", VIEW];
    admin.run(&format!("EXEC sp_addrolemember N'db_owner', N'{BOB}'")).await?;
    stage.place.axon(&probe).await?.exits(3)?.says(&[])?;
    shows(&stage, "nobody of finance can be tried", "0", "1").await?;
    admin.run(&format!("EXEC sp_droprolemember N'db_owner', N'{BOB}'")).await?;
    admin.run("DENY SELECT ON OBJECT::secure.customers TO public").await?;
    stage.place.axon(&probe).await?.exits(3)?;
    shows(&stage, "it differs, and both are tried", "1", "0").await?;
    let said = stage.place.axon(&["status"]).await?.out;
    ensure!(said.contains("view secure.customers shows a probe something else"), "{said}");
    admin.run("REVOKE SELECT ON OBJECT::secure.customers FROM public").await?;
    stage.place.axon(&probe).await?.exits(0)?;
    shows(&stage, "nothing differs any more", "0", "0").await?;
    until("nor does the status say so", SOON, async || {
        let said = stage.place.axon(&["status"]).await?.out;
        Ok((!said.contains("shows a probe something else")).then_some(()))
    })
    .await
}
