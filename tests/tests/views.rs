//! Secure views in force: people of two classes read one view over TDS, each sees what the map says, and nobody reads the table.

#[path = "views/acting.rs"]
mod acting;
#[path = "views/acting_by_program.rs"]
mod acting_by_program;
#[path = "views/acting_outgrown.rs"]
mod acting_outgrown;
#[path = "views/acting_renamed.rs"]
mod acting_renamed;
#[path = "views/beside.rs"]
mod beside;
#[path = "views/by_group.rs"]
mod by_group;
#[path = "views/caching.rs"]
mod caching;
#[path = "views/circle.rs"]
mod circle;
#[path = "views/closure.rs"]
mod closure;
#[path = "views/filling.rs"]
mod filling;
#[path = "views/hidden.rs"]
mod hidden;
#[path = "views/keys.rs"]
mod keys;
#[path = "views/left_out.rs"]
mod left_out;
#[path = "views/native.rs"]
mod native;
#[path = "views/native_pair.rs"]
mod native_pair;
#[path = "views/native_rule.rs"]
mod native_rule;
#[path = "views/native_unrecorded.rs"]
mod native_unrecorded;
#[path = "views/page.rs"]
mod page;
#[path = "views/probe.rs"]
mod probe;
#[path = "views/row_groups.rs"]
mod row_groups;
#[path = "views/session.rs"]
mod session;
#[path = "views/session_looks.rs"]
mod session_looks;
#[path = "views/standing.rs"]
mod standing;
#[path = "views/statistics.rs"]
mod statistics;
#[path = "views/unsigned.rs"]
mod unsigned;

use anyhow::{Context, ensure};
use axon_tests::{CONFIG, MAP, Place, Pool, Postgres, SOON, Scim, Serve, Stage, Tds, number, until, user};
use serde_json::{Value, json};

const ANN: &str = "ann@acme.example";
const BOB: &str = "bob@acme.example";

/// What the pool holds before Axon comes: tables of an owner without a login.
const BASE: [&str; 5] = [
    "CREATE USER axon_owner WITHOUT LOGIN",
    "CREATE SCHEMA base AUTHORIZATION axon_owner",
    "CREATE TABLE base.customers (id nvarchar(8), name nvarchar(40), email nvarchar(64), region nvarchar(20), \
     card varchar(20), secret nvarchar(40))",
    "INSERT INTO base.customers SELECT N'1', N'Eve', N'eve@x.org', N'north', '4111 2222', N's1' \
     UNION ALL SELECT N'2', N'Fay', N'fay@x.org', N'south', '5111 3333', N's2'",
    "CREATE TABLE base.orders (id nvarchar(8), email nvarchar(64), note nvarchar(40))",
];

const VIEWS: &str = r#"
tags:
  pii: [email, "base.*.card"]
views:
  secure.customers:
    targets: warehouse
    from: base.customers
    readers: [analyst, finance]
    columns:
      id: show
      name: { mask: first(1), for: [analyst], unless: [finance] }
      "tag:pii": { mask: hash, unless: [finance] }
      card: { mask: last(4), unless: [finance] }
      region: show
      secret: hide
    rows:
      - role: finance
      - where: region in user.addresses.region
  "every.*":
    targets: warehouse
    from: base.*
    readers: [finance]
    columns:
      id: show
      "tag:pii": { mask: "null" }
"#;

/// The suites' map with two roles that read views and nothing else, and the views.
fn map(delimiters: bool) -> String {
    let marks = "    metadata: { delimiters: { hash: \"|\", hash_key: \":\", array: \",\" } }\n";
    let roles = "roles:\n  analyst: {}\n  finance: {}\n";
    let mappings = "mappings:\n  - { groups: { any: [Analysts] }, source: entra, roles: [analyst] }\n  \
                    - { groups: { any: [Finance] }, source: entra, roles: [finance] }\n";
    let schemas = "schemas: [secure, every], principals: mapped }\n";
    let schemas = if delimiters { format!("{schemas}{marks}") } else { schemas.to_owned() };
    MAP.replace("roles:\n  reader", &format!("{roles}  reader"))
        .replace("mappings:\n", mappings)
        .replace("schemas: [], principals: mapped }\n", &schemas)
        + VIEWS
}

fn living_in(name: &str, region: &str) -> Value {
    let mut user = user(name);
    user["addresses"] = json!([{ "type": "work", "region": region }]);
    user
}

/// A stage with the tables, and a server that reads the pool every second.
async fn stage(map: &str) -> anyhow::Result<Stage> {
    stage_of(&[ANN, BOB], map).await
}

async fn stage_of(people: &[&str], map: &str) -> anyhow::Result<Stage> {
    stage_where(people, map, async |_: &Pool| Ok(())).await
}

/// The same with a pool that something was done to before Axon comes.
async fn stage_where(
    people: &[&str],
    map: &str,
    prepared: impl AsyncFnOnce(&Pool) -> anyhow::Result<()>,
) -> anyhow::Result<Stage> {
    stage_in(Place::new(people.iter().copied())?, map, prepared).await
}

/// The same in a place that was made ready.
async fn stage_in(
    place: Place,
    map: &str,
    prepared: impl AsyncFnOnce(&Pool) -> anyhow::Result<()>,
) -> anyhow::Result<Stage> {
    stage_that_looks("inspect_every_seconds: 1", place, map, prepared).await
}

/// The same with these settings of the reconciler.
async fn stage_that_looks(
    settings: &str,
    place: Place,
    map: &str,
    prepared: impl AsyncFnOnce(&Pool) -> anyhow::Result<()>,
) -> anyhow::Result<Stage> {
    let pool = Pool::start(&place, 0).await?;
    let mut admin = pool.admin().await?;
    for batch in BASE {
        admin.run(batch).await.with_context(|| batch.to_owned())?;
    }
    prepared(&pool).await?;
    place.furnish(map, pool.port()?)?;
    place.write("axon.yaml", &looking(settings))?;
    let token = place.token("entra").await?;
    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&token);
    Ok(Stage { pool, serve, scim, token, place })
}

/// The suites' configuration with these settings of the reconciler.
fn looking(settings: &str) -> String {
    let reconcile = format!("reconcile: {{ retry_seconds: 1, {settings} }}");
    CONFIG.replace("reconcile: { retry_seconds: 1 }", &reconcile)
}

/// Ann is an analyst of the north, Bob is of finance. Gives their ids.
async fn people(scim: &Scim) -> anyhow::Result<(String, String)> {
    let ann = scim.post("/Users", &living_in(ANN, "north")).await?.is(201)?.id()?;
    let bob = scim.post("/Users", &living_in(BOB, "nowhere")).await?.is(201)?.id()?;
    scim.group("Analysts", &[&ann]).await?;
    scim.group("Finance", &[&bob]).await?;
    Ok((ann, bob))
}

type Rows = Vec<Vec<Option<String>>>;

const ASKED: &str = "SELECT id, name, email, card, region FROM secure.customers ORDER BY id";

async fn read(pool: &Pool, who: &str, query: &str) -> anyhow::Result<Rows> {
    pool.person(who).await?.rows(query).await
}

/// What somebody reads, as soon as it is as wanted.
async fn read_when(
    pool: &Pool,
    who: &str,
    what: &str,
    query: &str,
    wanted: impl Fn(&Rows) -> bool,
) -> anyhow::Result<Rows> {
    let mut last = String::new();
    let found = until(what, SOON, async || {
        let rows = read(pool, who, query).await;
        last = format!("{rows:?}");
        Ok(rows.ok().filter(|rows| wanted(rows)))
    })
    .await;
    found.with_context(|| last)
}

/// The error number with which a statement of somebody is refused.
async fn refused(pool: &Pool, who: &str, batch: &str) -> anyhow::Result<Option<u32>> {
    let mut tds: Tds = pool.person(who).await?;
    Ok(tds.run(batch).await.err().and_then(|error| number(&error)))
}

fn texts(row: &[Option<String>]) -> Vec<&str> {
    row.iter().map(|cell| cell.as_deref().unwrap_or("NULL")).collect()
}

async fn two_classes_read(delimiters: bool) -> anyhow::Result<()> {
    let stage = stage(&map(delimiters)).await?;
    let (ann, bob) = people(&stage.scim).await?;
    let seen = read_when(&stage.pool, ANN, "ann reads her rows", ASKED, |rows| rows.len() == 1).await?;
    let hash = seen[0][2].clone().context("a hash")?;
    ensure!(texts(&seen[0]) == ["1", "E***", &hash, "***2222", "north"], "{seen:?}");
    ensure!(hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{hash}");
    let all = read_when(&stage.pool, BOB, "bob reads every row", ASKED, |rows| rows.len() == 2).await?;
    ensure!(texts(&all[0]) == ["1", "Eve", "eve@x.org", "4111 2222", "north"], "{all:?}");
    ensure!(texts(&all[1]) == ["2", "Fay", "fay@x.org", "5111 3333", "south"], "{all:?}");
    for who in [ANN, BOB] {
        for table in ["base.customers", "axon.profile", "axon.mask_keys"] {
            let answer = refused(&stage.pool, who, &format!("SELECT * FROM {table}")).await?;
            ensure!(answer == Some(229), "{who} on {table}: {answer:?}");
        }
        let change = "ALTER VIEW secure.customers AS SELECT 1 AS x";
        ensure!(refused(&stage.pool, who, change).await?.is_some(), "{who} alters the view");
    }
    ensure!(refused(&stage.pool, ANN, "SELECT secret FROM secure.customers").await? == Some(207));
    // One view of each table, with masks by tag: the roles that read them are the map's.
    let every = read_when(
        &stage.pool,
        BOB,
        "one view of each table",
        "SELECT id, email FROM every.base_customers",
        |r| r.len() == 2,
    )
    .await?;
    ensure!(texts(&every[0])[1] == "NULL", "{every:?}");
    ensure!(refused(&stage.pool, ANN, "SELECT * FROM every.base_customers").await? == Some(229));
    ensure!(
        refused(&stage.pool, BOB, "SELECT note FROM every.base_orders").await? == Some(207),
        "unknown is hidden"
    );

    // One person's change is one small step, and its record holds no value of hers.
    let before = profile_steps(&stage).await?;
    let moved = json!([{ "op": "Replace", "path": "addresses[type eq \"work\"].region", "value": "south" }]);
    stage.scim.patch(&format!("/Users/{ann}"), &moved).await?.is(200)?;
    let seen = read_when(&stage.pool, ANN, "ann reads the south", ASKED, |rows| {
        rows.len() == 1 && rows[0][4].as_deref() == Some("south")
    })
    .await?;
    ensure!(texts(&seen[0])[..2] == ["2", "F***"], "{seen:?}");
    stage.settled().await?;
    let steps = profile_steps(&stage).await?;
    ensure!(steps.len() == before.len() + 1, "{steps:?}");
    let statements = stage.place.statements().await?.join("\n");
    let rows: Vec<&str> = statements.lines().filter(|line| line.contains("[profile]")).collect();
    ensure!(
        !rows.is_empty() && rows.iter().all(|row| !row.contains("north") && !row.contains("south")),
        "{rows:?}"
    );
    keys_stand_nowhere_but_in_the_pool(&stage).await?;

    // A profile is gone the moment its owner leaves.
    stage.scim.activate(&ann, "False").await?;
    let profile = "SELECT CAST(principal AS nvarchar(128)) FROM axon.profile";
    until("ann's profile is gone", SOON, async || {
        let left = stage.pool.admin().await?.column(profile).await?;
        Ok((!left.iter().any(|name| name == ANN)).then_some(()))
    })
    .await?;
    ensure!(read(&stage.pool, ANN, ASKED).await.is_err(), "she cannot enter");
    stage.scim.delete(&format!("/Users/{bob}")).await?.is(204)?;
    stage.settled().await?;
    Ok(())
}

/// What a key of hashes is told by: nothing that anybody is shown, and no file of the server's. With it a hash can be guessed.
async fn keys_stand_nowhere_but_in_the_pool(stage: &Stage) -> anyhow::Result<()> {
    let keys = stage.pool.admin().await?.column("SELECT mask_key FROM axon.mask_keys").await?;
    ensure!(!keys.is_empty() && keys.iter().all(|key| key.len() == 64), "{keys:?}");
    // Another hash: a plan that makes a key, and whatever a preview says of it.
    let wider = stage.place.read("role-map.yaml")?.replace("name: { mask: first(1)", "name: { mask: hash");
    stage.place.write("wider.yaml", &wider)?;
    let config = stage.place.read("axon.yaml")?.replace("role-map.yaml", "wider.yaml");
    stage.place.write("wider-axon.yaml", &config)?;
    let export = stage.place.file("whole.jsonl").display().to_string();
    for (command, words) in [
        (["plan", "--json"].as_slice(), "warehouse"),
        (&["plan", "--json", "--config", "wider-axon.yaml"], "create-key"),
        (&["plan", "--config", "wider-axon.yaml"], "secure.customers"),
        (&["map", "preview", "wider.yaml", "--json"], "customers"),
        (&["view", "render"], "mask_keys"),
        (&["view", "render", "--config", "wider-axon.yaml"], "customers.name"),
        (&["view", "probe", "--json"], "secure.customers"),
        (&["status", "--json"], "warehouse"),
        (&["audit", "export"], "mask_keys"),
        (&["audit", "export", "--out", &export], ""),
    ] {
        let said = stage.place.axon(command).await?;
        ensure!(said.out.contains(words), "{command:?} says {words}: {} {}", said.out, said.err);
        for key in &keys {
            ensure!(!holds(&said.out, key) && !holds(&said.err, key), "{command:?} says a key");
        }
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(stage.place.path())? {
        let file = entry?.path();
        let name = file.file_name().context("a name")?.to_string_lossy().into_owned();
        // The emulator's own log is not the server's: it is the pool, which has the keys.
        if file.is_file() && name != "emulator.log" {
            let text = String::from_utf8_lossy(&std::fs::read(&file)?).into_owned();
            ensure!(keys.iter().all(|key| !holds(&text, key)), "{name} holds a key");
            files.push(name);
        }
    }
    if let Some(database) = stage.place.database() {
        let dump = Postgres::shared()?.dump(database)?;
        let dump = String::from_utf8_lossy(&dump);
        ensure!(keys.iter().all(|key| !holds(&dump, key)), "the database holds a key");
    }
    for name in ["serve.log", "whole.jsonl"] {
        ensure!(files.iter().any(|file| file == name), "{name}: {files:?}");
    }
    Ok(())
}

/// Whether a text holds a key, in letters of either size.
fn holds(text: &str, key: &str) -> bool {
    text.to_ascii_lowercase().contains(&key.to_ascii_lowercase())
}

/// The texts of steps about profiles that were done.
async fn profile_steps(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let journal = stage.place.journal().await?;
    let done = journal.iter().filter(|r| r.kind == "step-outcome");
    let texts = done.filter_map(|r| r.clear["body"]["text"].as_str().map(str::to_owned));
    Ok(texts.filter(|text| text.starts_with("write the profile of")).collect())
}

#[tokio::test]
async fn people_of_two_classes_read_one_view() -> anyhow::Result<()> {
    two_classes_read(false).await
}

#[tokio::test]
async fn the_same_where_a_profile_is_one_string() -> anyhow::Result<()> {
    two_classes_read(true).await
}

#[tokio::test]
async fn whatever_happens_to_a_view_or_its_table_it_never_shows_more() -> anyhow::Result<()> {
    let stage = stage(&map(false)).await?;
    people(&stage.scim).await?;
    let one = |rows: &Rows| rows.len() == 1 && rows[0][1].as_deref() == Some("E***");
    read_when(&stage.pool, ANN, "ann reads her rows", ASKED, one).await?;
    let mut admin = stage.pool.admin().await?;

    // What stands is what the map comes to: nothing is left to do, and the text can be read.
    stage.settled().await?;
    let rendered = stage.place.axon(&["view", "render", "secure.customers"]).await?.exits(0)?;
    for words in ["ALTER VIEW [secure].[customers]", "secure.customers of base.customers"] {
        ensure!(rendered.out.contains(words), "{words}: {}", rendered.out);
    }
    ensure!(!rendered.out.contains("[secret]") && !rendered.out.contains("every.base"), "{}", rendered.out);
    stage.place.axon(&["view", "render", "secure.nothing"]).await?.exits(1)?.says(&["holds a view"])?;
    stage.place.axon(&["plan", "--check"]).await?.exits(0)?;

    // Somebody alters the view: its text is put back, and the grants stand all the while.
    admin.run("ALTER VIEW secure.customers AS SELECT * FROM base.customers").await?;
    read_when(&stage.pool, ANN, "the text is put back", ASKED, one).await?;

    // Somebody gives a reader the table itself, or what views believe: the view is closed until that is taken away.
    admin.run("CREATE ROLE passing").await?;
    admin.run(&format!("EXEC sp_addrolemember N'passing', N'{ANN}'")).await?;
    for what in ["SELECT ON OBJECT::base.customers", "UPDATE ON SCHEMA::axon"] {
        admin.run(&format!("GRANT {what} TO passing")).await?;
        until("the view is closed", SOON, async || {
            let said = stage.place.axon(&["status"]).await?.out;
            let closed = refused(&stage.pool, BOB, ASKED).await? == Some(207);
            Ok((closed && said.contains("by role passing")).then_some(()))
        })
        .await?;
        admin.run(&format!("REVOKE {what} FROM passing")).await?;
        read_when(&stage.pool, ANN, "the view is open again", ASKED, one).await?;
    }

    // A new column that nobody named is hidden, one of a tagged pattern is masked.
    admin.run("ALTER TABLE base.orders ADD card varchar(20)").await?;
    admin.run("ALTER TABLE base.orders ADD hobby varchar(20)").await?;
    admin.run("INSERT INTO base.orders (id, card, hobby) VALUES (N'7', '4000', 'chess')").await?;
    let query = "SELECT id, card FROM every.base_orders";
    let masked =
        read_when(&stage.pool, BOB, "the new column is masked", query, |rows| rows.len() == 1).await?;
    ensure!(texts(&masked[0]) == ["7", "NULL"], "{masked:?}");
    ensure!(refused(&stage.pool, BOB, "SELECT hobby FROM every.base_orders").await? == Some(207));

    // A column that the view names is renamed: the view shows nothing and says why.
    admin.run("ALTER TABLE base.customers DROP COLUMN region").await?;
    until("the view is closed", SOON, async || {
        let columns = "SELECT c.name FROM sys.columns c JOIN sys.objects o ON o.object_id = c.object_id \
                       WHERE o.name = 'customers' AND o.type = 'V'";
        let columns = stage.pool.admin().await?.column(columns).await?;
        Ok((columns == ["closed_by_axon"]).then_some(()))
    })
    .await?;
    ensure!(read(&stage.pool, BOB, "SELECT closed_by_axon FROM secure.customers").await?.is_empty());
    let said = until("it is said why", SOON, async || {
        let said = stage.place.axon(&["status"]).await?.out;
        Ok(said.contains("view secure.customers shows nothing").then_some(said))
    })
    .await?;
    ensure!(said.contains("has no column region"), "{said}");

    // It is back: so is the view, to those who could read it.
    admin.run("ALTER TABLE base.customers ADD region nvarchar(20)").await?;
    admin.run("UPDATE base.customers SET region = N'north' WHERE id = N'1'").await?;
    read_when(&stage.pool, ANN, "the view is open again", ASKED, one).await?;

    // The views leave the map: they go, and the tables stay closed.
    let sound = stage.place.read("role-map.yaml")?;
    let without = sound.split("\ntags:").next().context("the map")?;
    stage.place.write("role-map.yaml", without)?;
    until("the views are gone", SOON, async || {
        let views = stage.pool.admin().await?.column("SELECT name FROM sys.views").await?;
        Ok(views.is_empty().then_some(()))
    })
    .await?;
    until("profiles go with what asked for them", SOON, async || {
        let rows = stage.pool.admin().await?.column("SELECT attribute FROM axon.profile").await?;
        Ok(rows.is_empty().then_some(()))
    })
    .await?;
    for who in [ANN, BOB] {
        // Without a role that holds anything nobody may enter at all, or may and reads nothing.
        ensure!(read(&stage.pool, who, "SELECT * FROM base.customers").await.is_err(), "{who}");
    }
    Ok(())
}
