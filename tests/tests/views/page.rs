//! docs/VIEWS.md, read as a newcomer does: each of its blocks is run, in its order, and what it prints is printed.

use anyhow::{Context, ensure};
use axon_tests::{MAP, Place, Pool, SOON, Serve, Stage, Tds, until};
use serde_json::Value;

use super::session::lacks_session_context;
use super::{living_in, looking, read, read_when, texts};

const PAGE: &str = include_str!("../../../docs/VIEWS.md");
const ANN: &str = "ann@acme.com";
const BOB: &str = "bob@acme.com";
const CARA: &str = "cara@acme.com";
const DEE: &str = "dee@acme.com";

/// How the blocks of the page begin. The statement of the view is compared with what the map comes to by the tests of `axon-synapse`.
const BLOCKS: [&str; 9] = [
    "ALTER AUTHORIZATION ON SCHEMA::",
    "CREATE TABLE sales.customers ",
    "tags:",
    "CREATE VIEW [secure].[customers] ",
    "axon impersonate start --user ",
    "EXEC sys.sp_set_session_context ",
    "SELECT SESSION_ID()",
    "axon view probe ",
    "warehouse: ",
];

/// What stands between fences, in order.
fn blocks() -> Vec<&'static str> {
    let parts = PAGE.split("\n```").skip(1).step_by(2);
    parts.filter_map(|part| part.split_once('\n')).map(|(_, block)| block).collect()
}

fn block(begins: &str) -> &'static str {
    let found = blocks().into_iter().find(|block| block.starts_with(begins));
    found.unwrap_or_else(|| panic!("no block begins with {begins}"))
}

/// The words of a command, without `axon` and without what is said about it.
fn words(line: &str) -> Vec<String> {
    let line = line.split_once("  #").map_or(line, |(command, _)| command);
    let mut all = Vec::new();
    for (n, part) in line.split('"').enumerate() {
        if n % 2 == 1 {
            all.push(part.to_owned());
        } else {
            all.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    all.split_off(1)
}

async fn axon(place: &Place, words: &[String], code: i32) -> anyhow::Result<String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(place.axon(&words).await?.exits(code).with_context(|| words.join(" "))?.out)
}

/// The map of the page in a whole one; some of support may read as analysts.
fn map(second_person: bool) -> String {
    let support = format!(
        "support: {{ impersonate: {{ warehouse: {{ roles: [analyst], for: 1h, second_person: {second_person} }} }} }}"
    );
    let roles = format!("roles:\n  analyst: {{}}\n  finance: {{}}\n  {support}\n  reader");
    let mappings = ["Analysts analyst", "Finance finance", "Support support"].map(|pair| {
        let (group, role) = pair.split_once(' ').unwrap_or_default();
        format!("  - {{ groups: {{ any: [{group}] }}, source: entra, roles: [{role}] }}\n")
    });
    MAP.replace("roles:\n  reader", &roles)
        .replace("mappings:\n", &format!("mappings:\n{}", mappings.concat()))
        .replace("schemas: []", "schemas: [secure]")
        + block("tags:")
}

/// The page's table with three rows, its map, and its people: two analysts of the north, one of finance, one of support.
async fn stage(
    second_person: bool,
    prepared: impl AsyncFnOnce(&Pool) -> anyhow::Result<()>,
) -> anyhow::Result<Stage> {
    let place = Place::new([ANN, BOB, CARA, DEE])?;
    let pool = Pool::start(&place, 0).await?;
    prepared(&pool).await?;
    let mut admin = pool.admin().await?;
    let rows = "INSERT INTO sales.customers \
        SELECT 1, N'Eve', N'eve@x.org', N'north', CAST(GETUTCDATE() AS date) \
        UNION ALL SELECT 2, N'Fay', N'fay@x.org', N'south', CAST(GETUTCDATE() AS date) \
        UNION ALL SELECT 3, N'Guy', N'guy@x.org', N'north', CAST(N'2001-01-01' AS date)";
    let owner = "CREATE USER axon_owner WITHOUT LOGIN";
    for batch in [owner, block(BLOCKS[0]), block(BLOCKS[1]), rows] {
        admin.run(batch).await.with_context(|| batch.to_owned())?;
    }
    place.furnish(&map(second_person), pool.port()?)?;
    place.write("axon.yaml", &looking("inspect_every_seconds: 1"))?;
    let token = place.token("entra").await?;
    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&token);
    let mut ids = Vec::new();
    for (name, region) in [(ANN, "north"), (DEE, "north"), (BOB, "nowhere"), (CARA, "nowhere")] {
        ids.push(scim.post("/Users", &living_in(name, region)).await?.is(201)?.id()?);
    }
    scim.group("Analysts", &[&ids[0], &ids[1]]).await?;
    scim.group("Finance", &[&ids[2]]).await?;
    scim.group("Support", &[&ids[3]]).await?;
    Ok(Stage { pool, serve, scim, token, place })
}

const ASKED: &str = "SELECT name, email, region FROM secure.customers";

#[test]
fn no_block_of_the_page_is_left_out() {
    let blocks = blocks();
    assert_eq!(blocks.len(), BLOCKS.len());
    for (block, begins) in blocks.iter().zip(BLOCKS) {
        assert!(block.starts_with(begins), "{begins}: {block}");
    }
}

#[tokio::test]
async fn the_example_reading_as_another_and_a_probe_are_as_the_page_says() -> anyhow::Result<()> {
    let stage = stage(true, async |_: &Pool| Ok(())).await?;
    let own =
        read_when(&stage.pool, ANN, "ann reads what is new in the north", ASKED, |r| r.len() == 1).await?;
    ensure!(texts(&own[0]) == ["E***", "e***@***.org", "north"], "{own:?}");
    let all = read_when(&stage.pool, BOB, "finance reads all", ASKED, |rows| rows.len() == 3).await?;
    ensure!(texts(&all[0]) == ["Eve", "eve@x.org", "north"], "{all:?}");
    until("cara may ask", SOON, async || Ok(read(&stage.pool, CARA, ASKED).await.ok().filter(Vec::is_empty)))
        .await?;
    // The probe's words are the page's.
    stage.settled().await?;
    let probe: Vec<&str> = block("axon view probe ").lines().collect();
    let said = axon(&stage.place, &words(probe[0]), 0).await?;
    ensure!(said.trim() == block("warehouse: ").trim(), "{said}");
    let json: Value = serde_json::from_str(&axon(&stage.place, &words(probe[1]), 0).await?)?;
    ensure!(json.is_object() || json.is_array(), "{json}");

    // Asked for, listed, released by another person, used, and given back.
    let lines: Vec<Vec<String>> = block("axon impersonate start").lines().map(words).collect();
    let [start, list, release, stop] = lines.as_slice() else { anyhow::bail!("{lines:?}") };
    let said = axon(&stage.place, start, 3).await?;
    let id = said.split_whitespace().next().context("an id")?;
    ensure!(axon(&stage.place, list, 0).await?.contains(id));
    let zoe = ["token", "create", "--operator", "zoe", "--may", "holds.release"];
    stage.place.write("zoe.token", stage.place.axon(&zoe).await?.exits(0)?.out.trim())?;
    let with_id = |line: &[String]| -> Vec<String> {
        line.iter().map(|word| if word == "ID" { id.to_owned() } else { word.clone() }).collect()
    };
    let by_zoe = ["--token-file", "zoe.token"].map(str::to_owned);
    axon(&stage.place, &[with_id(release), by_zoe.to_vec()].concat(), 0).await?;
    let lines: Vec<&str> = block("EXEC sys.sp_set").lines().collect();
    let [on, query, off] = lines.as_slice() else { anyhow::bail!("{lines:?}") };
    let query = query.split("--").next().unwrap_or_default().replace('*', "name, email, region");
    let mut cara: Tds = stage.pool.person(CARA).await?;
    until("cara reads what ann reads", SOON, async || {
        cara.run(on).await?;
        let seen = cara.rows(&query).await?;
        cara.run(off).await?;
        Ok((seen == own).then_some(()))
    })
    .await?;
    ensure!(cara.rows(&query).await?.is_empty(), "she is herself again");
    axon(&stage.place, &with_id(stop), 0).await?;
    until("it is over", SOON, async || {
        cara.run(on).await?;
        Ok(cara.rows(&query).await?.is_empty().then_some(()))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn in_a_pool_without_a_session_context_the_pages_two_lines_do_it() -> anyhow::Result<()> {
    let stage = stage(false, lacks_session_context).await?;
    let own = read_when(&stage.pool, ANN, "ann reads", ASKED, |rows| rows.len() == 1).await?;
    let mut cara: Tds = stage.pool.person(CARA).await?;
    until("cara may ask", SOON, async || Ok(cara.rows(ASKED).await.ok().filter(Vec::is_empty))).await?;
    let lines: Vec<&str> = block("SELECT SESSION_ID()").lines().collect();
    let [asked, start] = lines.as_slice() else { anyhow::bail!("{lines:?}") };
    let query = asked.split("--").next().unwrap_or_default();
    let id = cara.column(query).await?.pop().context("a session has an id")?;
    axon(&stage.place, &words(&start.replace("SID1234", &id)), 0).await?;
    until("cara's session reads what ann reads", SOON, async || {
        Ok((cara.rows(ASKED).await? == own).then_some(()))
    })
    .await?;
    let other = read(&stage.pool, CARA, ASKED).await?;
    ensure!(other.is_empty(), "her other sessions read as herself: {other:?}");
    Ok(())
}
