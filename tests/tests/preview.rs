//! Previews and explanations through the binary: exit statuses, files, past days, requests with their times.

use anyhow::{Context, ensure};
use axon_tests::{MAP, Place, SOON, Said, Serve, Stage, until};
use rusqlite::Connection;
use serde_json::Value;

const KIM: &str = "kim@acme.example";
const ANA: &str = "ana@acme.example";

/// The mapping of those of a region.
const REGIONS: &str = "  - groups: { any: [Regions] }\n    source: entra\n    roles: [region]\n";

/// The suites' map with a wider role for writers, and none for those of a region.
fn wider() -> String {
    MAP.replace("[insert on sales.orders]", "[\"insert, delete on sales.orders\"]").replace(REGIONS, "")
}

fn prints(said: &Said, words: &[&str]) -> anyhow::Result<()> {
    for word in words {
        ensure!(said.out.contains(word), "standard output lacks {word:?}: {}", said.out);
    }
    Ok(())
}

/// Kim writes, Ana reads the regions.
async fn stage() -> anyhow::Result<Stage> {
    let stage = Stage::set(&[KIM, ANA]).await?;
    let (kim, ana) = (stage.scim.person(KIM).await?, stage.scim.person(ANA).await?);
    stage.scim.group("Writers", &[&kim]).await?;
    stage.scim.group("Regions", &[&ana]).await?;
    stage.catalog_when("both are in", |c| !c.roles_of(KIM).is_empty() && !c.roles_of(ANA).is_empty()).await?;
    let port = stage.pool.port()?.to_string();
    stage.place.write("wider.yaml", &wider().replace("PORT", &port))?;
    stage.place.write("same.yaml", &MAP.replace("PORT", &port))?;
    Ok(stage)
}

#[tokio::test]
async fn a_preview_shows_people_and_statements_and_asks_for_a_reviewer_where_somebody_gains()
-> anyhow::Result<()> {
    let stage = stage().await?;
    let place = &stage.place;
    prints(&place.axon(&["map", "preview", "same.yaml"]).await?.exits(0)?, &["nothing changes for anybody"])?;
    let said = place.axon(&["map", "preview", "wider.yaml", "--markdown", "preview.md"]).await?.exits(3)?;
    prints(
        &said,
        &[
            "1 person gains and 1 person loses access",
            "+ delete on sales.orders  (1 person)",
            "- select on sales.regions  (1 person)",
            &format!("{KIM}  + delete on sales.orders"),
            "GRANT DELETE ON OBJECT::[sales].[orders] TO [axon_writer]",
            &format!("DENY CONNECT ON DATABASE::[dw] TO [{ANA}]"),
        ],
    )?;
    let comment = place.read("preview.md")?;
    for words in
        ["## Role map preview", "**1 person gains**", "| `delete on sales.orders` | 1 person |", "DROP"]
    {
        ensure!(comment.contains(words) == (words != "DROP"), "{words}: {comment}");
    }
    let alone = place.axon(&["map", "preview", "wider.yaml", "--markdown", "-"]).await?.exits(3)?;
    ensure!(alone.out == comment, "{}", alone.out);
    let json = place.axon(&["map", "preview", "wider.yaml", "--json"]).await?.exits(3)?.json()?;
    ensure!(json["people_gaining"] == 1 && json["directory"]["people"] == 2, "{json}");
    let steps = json["steps"][0]["steps"].as_array().context("steps")?;
    ensure!(
        steps.iter().any(|step| step["statements"][0].as_str().is_some_and(|s| s.starts_with("GRANT "))),
        "{json}"
    );

    // A snapshot gives the same, also where there is neither store nor configuration: then against another map.
    let lines = place.axon(&["map", "snapshot"]).await?.exits(0)?.out;
    let elsewhere = Place::new([""; 0])?;
    elsewhere.write("directory.jsonl", &lines)?;
    for name in ["wider.yaml", "same.yaml"] {
        elsewhere.write(name, &place.read(name)?)?;
    }
    let arguments = ["map", "preview", "wider.yaml", "--old", "same.yaml", "--snapshot", "directory.jsonl"];
    let from_file = elsewhere.axon(&arguments).await?.exits(3)?;
    let here = place.axon(&["map", "preview", "wider.yaml"]).await?.out;
    // What the old map alone says has its place there, and that file has another name here.
    let here = here.replace("role-map.yaml:", "same.yaml:");
    // The last line says what was looked at.
    let (told, looked) = from_file.out.trim_end().rsplit_once('\n').context("lines")?;
    ensure!(here.trim_end().rsplit_once('\n').is_some_and(|(same, _)| same == told), "{}", from_file.out);
    ensure!(
        looked.starts_with("looked at 2 people and ") && looked.contains(" of a snapshot of "),
        "{looked}"
    );
    // Names of groups are looked up there, too.
    elsewhere.write("typo.yaml", &place.read("same.yaml")?.replace("any: [Writers]", "any: [Writer]"))?;
    let blind = elsewhere.axon(&["map", "check", "typo.yaml"]).await?;
    ensure!(
        blind.out.contains("was not looked at") && !blind.out.contains("[unknown-group]"),
        "{}",
        blind.out
    );
    let seen =
        elsewhere.axon(&["map", "check", "typo.yaml", "--snapshot", "directory.jsonl"]).await?.exits(3)?;
    prints(&seen, &["[unknown-group]", "Writers"])?;
    // Without a map in force everything is gained.
    let first =
        elsewhere.axon(&["map", "preview", "same.yaml", "--snapshot", "directory.jsonl"]).await?.exits(3)?;
    prints(&first, &["2 people gain and 0 people lose access"])?;
    // Who only loses needs no reviewer.
    let back = ["map", "preview", "same.yaml", "--old", "wider.yaml", "--snapshot", "directory.jsonl"];
    let less = place.read("same.yaml")?;
    elsewhere.write("less.yaml", &less.replace(REGIONS, ""))?;
    elsewhere.axon(&back).await?.exits(3)?;
    let less = ["map", "preview", "less.yaml", "--old", "same.yaml", "--snapshot", "directory.jsonl"];
    prints(&elsewhere.axon(&less).await?.exits(0)?, &["0 people gain and 1 person loses access"])?;
    // What shows in nobody's row is told, too: another database would be given everything.
    elsewhere.write("moved.yaml", &place.read("same.yaml")?.replace("database: dw", "database: other"))?;
    let moved = ["map", "preview", "moved.yaml", "--old", "same.yaml", "--snapshot", "directory.jsonl"];
    let moved = elsewhere.axon(&moved).await?.exits(3)?;
    prints(&moved, &["nobody gains or loses anything today", "widened besides", "database other"])?;

    // Wrong inputs are told by what is wrong with them.
    elsewhere.write(
        "bad.jsonl",
        &format!("{{\"delta\":\"user-put\"}}\n{}", lines.lines().last().context("an end")?),
    )?;
    let cut: Vec<&str> = lines.lines().take(lines.lines().count() - 1).collect();
    elsewhere.write("cut.jsonl", &cut.join("\n"))?;
    elsewhere.write("empty.jsonl", "")?;
    for (arguments, status, words) in [
        (["wider.yaml", "--snapshot", "nowhere.jsonl"], 1, "nowhere.jsonl"),
        (["wider.yaml", "--snapshot", "bad.jsonl"], 1, "line 1 is no record"),
        (["wider.yaml", "--snapshot", "cut.jsonl"], 1, "it is not whole"),
        (["wider.yaml", "--snapshot", "empty.jsonl"], 1, "it is not whole"),
        (["nowhere.yaml", "--snapshot", "directory.jsonl"], 1, "nowhere.yaml"),
        (["wider.yaml", "--days", "0"], 2, "--days"),
        (["wider.yaml", "--days", "3661"], 2, "--days"),
        (["wider.yaml", "--set", "novalue"], 1, "NAME=VALUE"),
    ] {
        let arguments = [&["map", "preview"][..], &arguments].concat();
        elsewhere.axon(&arguments).await?.exits(status)?.says(&[words])?;
    }
    elsewhere
        .axon(&["map", "preview", "wider.yaml", "--days", "2", "--snapshot", "directory.jsonl"])
        .await?
        .exits(2)?;
    Ok(())
}

#[tokio::test]
async fn past_days_are_rebuilt_from_the_journal() -> anyhow::Result<()> {
    let stage = stage().await?;
    let Stage { serve, place, pool, scim, .. } = stage;
    if !place.file("axon.db").exists() {
        return Ok(());
    }
    let before = place.head().await?;
    // Kim writes no more today, and Ana does.
    let groups = scim.get("/Groups?filter=displayName%20eq%20%22Writers%22").await?.is(200)?;
    let writers = groups.resources()?[0]["id"].as_str().context("its id")?.to_owned();
    let people = scim.get("/Users").await?.is(200)?;
    let id = |name: &str| -> anyhow::Result<String> {
        let found = people.resources()?.iter().find(|user| user["userName"] == name);
        Ok(found.and_then(|user| user["id"].as_str()).context("a person")?.to_owned())
    };
    scim.part(&writers, &id(KIM)?).await?;
    scim.join(&writers, &id(ANA)?).await?;
    serve.stop().await?;
    pool.stop().await?;
    // The map in force is not asked for: one whose record was changed, as is done here, is not believed.
    // What was done until then was done two days ago: the clock of a machine is no argument of its commands.
    let store = Connection::open(place.file("axon.db"))?;
    let triggers: Vec<String> = store
        .prepare("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'journal'")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for trigger in triggers {
        store.execute(&format!("DROP TRIGGER {trigger}"), [])?;
    }
    let two_days = 2_i64 * 24 * 60 * 60 * 1_000_000;
    let moved = store
        .execute("UPDATE journal SET at = at - ?1 WHERE seq <= ?2", (two_days, i64::try_from(before)?))?;
    ensure!(moved > 0);
    drop(store);
    let json = place
        .axon(&["map", "preview", "wider.yaml", "--old", "same.yaml", "--days", "5", "--json"])
        .await?
        .exits(3)?
        .json()?;
    let days = json["days"].as_array().context("days")?;
    ensure!(days.len() == 3, "the journal is younger than five days: {json}");
    ensure!(days.iter().all(|day| day["people"] == 2 && day["people_gaining"] == 1), "{json}");
    let of = |name: &str| -> Vec<&Value> {
        let all = json["differences"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().filter(|one| one["principal"] == name && one["gained"] == true).collect()
    };
    let (kim, ana) = (of(KIM), of(ANA));
    ensure!(kim.len() == 1 && kim[0]["item"] == "delete on sales.orders", "{json}");
    ensure!(kim[0]["days"].as_array().map(Vec::len) == Some(2), "{json}");
    ensure!(ana.len() == 1 && ana[0]["days"][0] == days[2]["date"], "{json}");
    let text =
        place.axon(&["map", "preview", "wider.yaml", "--old", "same.yaml", "--days", "5"]).await?.exits(3)?;
    let text = text.says(&["the journal is younger than 5 days"])?;
    prints(&text, &["at the end of 3 days", &format!("+ {KIM} in warehouse: delete on sales.orders")])?;
    place.axon(&["map", "preview", "same.yaml", "--old", "same.yaml", "--days", "5"]).await?.exits(0)?;
    Ok(())
}

#[tokio::test]
async fn an_explanation_names_the_request_that_brought_each_membership() -> anyhow::Result<()> {
    let stage = stage().await?;
    let readers = stage.scim.group("Readers", &[]).await?;
    let with_id = stage.scim.with_headers(&[("x-request-id", "change-4712")]);
    let kim = stage.scim.get("/Users?filter=userName%20eq%20%22kim%40acme.example%22").await?.is(200)?;
    let kim = kim.resources()?[0]["id"].as_str().context("kim's id")?.to_owned();
    with_id.join(&readers, &kim).await?;
    let place = &stage.place;
    prints(
        &place.axon(&["explain", KIM]).await?.exits(0)?,
        &["Readers (record ", "Z by source entra, request change-4712) -> mapping role-map.yaml:"],
    )?;
    let json = place.axon(&["explain", KIM, "--json"]).await?.exits(0)?.json()?;
    let roles = json["people"][0]["targets"][0]["roles"].as_array().context("roles")?;
    let reader = roles.iter().find(|role| role["role"] == "reader").context("reader")?;
    ensure!(reader["ways"][0]["groups"][0]["brought"]["request"] == "change-4712", "{reader}");
    let grant = "select on sales.orders";
    prints(
        &place.axon(&["explain", "--grant", grant]).await?.exits(0)?,
        &["1 has `select on sales.orders`", "request change-4712"],
    )?;
    prints(
        &place.axon(&["explain", ANA, "--not", grant]).await?.exits(0)?,
        &["does not have", "be in Readers (entra)"],
    )?;
    place.axon(&["explain", "--grant", "selct on sales.orders"]).await?.exits(1)?.says(&["selct"])?;
    place.axon(&["explain", "nobody", "--not", grant]).await?.exits(1)?;
    place.axon(&["explain", KIM, "--grant", grant]).await?.exits(2)?;
    Ok(())
}

#[tokio::test]
async fn people_lose_a_fixed_role_whose_last_line_goes_as_its_preview_says() -> anyhow::Result<()> {
    let stage = stage().await?;
    let line = "region:\n    grants: { warehouse: [select on sales.regions";
    let same = stage.place.read("same.yaml")?;
    ensure!(same.contains(line), "{same}");
    let readers = same.replace(line, &format!("{line}, \"per person: member of db_datareader\""));
    stage.place.write("readers.yaml", &readers)?;
    let except = same.replace("manage: { ", "manage: { except: [db_datareader], ");
    stage.place.write("except.yaml", &except)?;
    let push = |name: &'static str| ["map", "push", name, "--comment", "who reads all"];
    stage.place.axon(&push("readers.yaml")).await?.exits(0)?;
    stage.catalog_when("Ana reads all", |c| c.roles_of(ANA).contains(&"db_datareader")).await?;
    until("what was done is on record", SOON, async || {
        let journal = stage.place.journal().await?;
        let count = |kind: &str| journal.iter().filter(|record| record.kind == kind).count();
        Ok((count("step-intent") == count("step-outcome")).then_some(()))
    })
    .await?;

    // The process that gave it is gone when the line goes.
    let Stage { pool, serve, scim: _, token, place } = stage;
    serve.stop().await?;
    let said = place.axon(&["map", "preview", "same.yaml"]).await?.exits(0)?;
    let ends = format!("EXEC sp_droprolemember N'db_datareader', N'{ANA}'");
    prints(&said, &["0 people gain and 1 person loses access", "- select on database  (1 person)", &ends])?;
    let left = place.axon(&["map", "preview", "except.yaml"]).await?.exits(3)?;
    prints(
        &left,
        &["stays: manage.except of warehouse leaves db_datareader to people; its 1 member keeps it"],
    )?;
    place.axon(&push("same.yaml")).await?.exits(0)?;
    let serve = Serve::start(&place).await?;
    let stage = Stage { pool, scim: serve.scim(&token), serve, token, place };
    let catalog =
        stage.catalog_when("she does not any more", |c| !c.roles_of(ANA).contains(&"db_datareader")).await?;
    ensure!(catalog.roles_of(ANA).len() == 1, "{:?}", catalog.members);
    Ok(())
}
