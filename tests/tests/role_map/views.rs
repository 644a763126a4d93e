//! A preview of secure views tells what would be planned and what is then sent, word for word.

use anyhow::{Context, ensure};
use axon_tests::{MAP, Place, Pool, Serve, Tds, user};
use serde_json::{Value, json};

const ANN: &str = "ann@acme.example";
const BOB: &str = "bob@acme.example";

/// What the pool holds before Axon comes: a table of an owner without a login.
const BASE: [&str; 3] = [
    "CREATE USER axon_owner WITHOUT LOGIN",
    "CREATE SCHEMA base AUTHORIZATION axon_owner",
    "CREATE TABLE base.customers (id nvarchar(8), email nvarchar(64), amount decimal(9, 2), region nvarchar(20))",
];

const VIEWS: &str = "\nviews:\n  secure.customers:\n    targets: warehouse\n    from: base.customers\n    \
    readers: [analyst, finance]\n    columns:\n      id: show\n      email: { mask: email, unless: [finance] }\n      \
    amount: { mask: round(100), unless: [finance] }\n      region: show\n    rows:\n      - role: finance\n      \
    - where: region in user.addresses.region\n";

/// The suites' map with two roles that hold nothing yet.
fn plain() -> String {
    MAP.replace("roles:\n  reader", "roles:\n  analyst: {}\n  finance: {}\n  reader")
        .replace(
            "mappings:\n",
            "mappings:\n  - { groups: { any: [Analysts] }, source: entra, roles: [analyst] }\n  \
             - { groups: { any: [Finance] }, source: entra, roles: [finance] }\n",
        )
        .replace("schemas: []", "schemas: [secure]")
}

/// Ann is an analyst of the north, Bob is of finance; nothing is given yet, and the server is down again.
async fn stage() -> anyhow::Result<(Place, Pool)> {
    let place = Place::new([ANN, BOB])?;
    let pool = Pool::start(&place, 0).await?;
    let mut admin: Tds = pool.admin().await?;
    for batch in BASE {
        admin.run(batch).await.with_context(|| batch.to_owned())?;
    }
    let port = pool.port()?;
    place.furnish(&plain(), port)?;
    for (name, views) in [
        ("views.yaml", VIEWS.to_owned()),
        ("clear.yaml", VIEWS.replace("{ mask: email, unless: [finance] }", "show")),
    ] {
        place.write(name, &(plain() + &views).replace("PORT", &port.to_string()))?;
    }
    let token = place.token("entra").await?;
    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&token);
    for (name, region, group) in [(ANN, "north", "Analysts"), (BOB, "south", "Finance")] {
        let mut body = user(name);
        body["addresses"] = json!([{ "type": "work", "region": region }]);
        let id = scim.post("/Users", &body).await?.is(201)?.id()?;
        scim.group(group, &[&id]).await?;
    }
    serve.stop().await?;
    place.axon(&["apply"]).await?.exits(0)?;
    Ok((place, pool))
}

/// The steps of the one target of a preview: in words, and their statements.
fn steps(preview: &Value) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let steps = preview["steps"][0]["steps"].as_array().with_context(|| format!("steps: {preview}"))?;
    let words = steps.iter().filter_map(|step| step["step"].as_str().map(str::to_owned)).collect();
    let statements = steps.iter().filter_map(|step| step["statements"].as_array()).flatten();
    Ok((words, statements.filter_map(|text| text.as_str().map(str::to_owned)).collect()))
}

/// What is planned now, in words.
async fn planned(place: &Place) -> anyhow::Result<Vec<String>> {
    let said = place.axon(&["plan"]).await?.exits(0)?.out;
    let lines = said.lines().filter_map(|line| line.trim_start().split_once(". "));
    Ok(lines.filter(|(n, _)| n.parse::<u32>().is_ok()).map(|(_, step)| step.to_owned()).collect())
}

#[tokio::test]
async fn the_statements_of_a_preview_are_those_that_are_sent() -> anyhow::Result<()> {
    let (place, pool) = stage().await?;
    for (next, words) in [
        (
            "views.yaml",
            &["CREATE SCHEMA", "CREATE VIEW [secure].[customers]", "[profile]", "GRANT SELECT"][..],
        ),
        ("clear.yaml", &["ALTER VIEW [secure].[customers]"]),
    ] {
        let before = place.read("role-map.yaml")?;
        place.write("before.yaml", &before)?;
        let preview = place.axon(&["map", "preview", next, "--json"]).await?.exits(3)?.json()?;
        let (steps, statements) = steps(&preview)?;
        let text = place.axon(&["map", "preview", next, "--steps"]).await?.exits(3)?.out;
        for word in words {
            ensure!(statements.iter().any(|sql| sql.contains(word)), "{word}: {statements:#?}");
            ensure!(text.contains(word), "{word}: {text}");
        }
        // The same where there is no way to the pool, from a file with the tables in it.
        let elsewhere = Place::new([""; 0])?;
        elsewhere.write("old.yaml", &before)?;
        elsewhere.write("new.yaml", &place.read(next)?)?;
        let from_file = async |tables: &[&str]| -> anyhow::Result<Value> {
            let snapshot = place.axon(&[&["map", "snapshot"], tables].concat()).await?.exits(0)?.out;
            elsewhere.write("directory.jsonl", &snapshot)?;
            let preview = [
                "map",
                "preview",
                "new.yaml",
                "--old",
                "old.yaml",
                "--snapshot",
                "directory.jsonl",
                "--json",
            ];
            elsewhere.axon(&preview).await?.exits(3)?.json()
        };
        ensure!(self::steps(&from_file(&["--tables"]).await?)? == (steps.clone(), statements.clone()));
        let untold = from_file(&[]).await?["steps"].to_string();
        ensure!(untold.contains("secure.customers cannot be told") && !untold.contains(" VIEW "), "{untold}");

        place.write("role-map.yaml", &place.read(next)?)?;
        let first = planned(&place).await?;
        let in_order: Vec<&String> = steps.iter().filter(|step| first.contains(step)).collect();
        ensure!(first.iter().eq(in_order), "{first:#?}\n{steps:#?}");
        let already = place.statements().await?.len();
        // What is given on a view that is not there yet comes when it is seen there.
        for _ in 0..3 {
            place.axon(&["apply"]).await?.exits(0)?;
        }
        let mut sent = place.statements().await?.split_off(already);
        let mut told = statements;
        if first.len() < steps.len() {
            sent.sort();
            told.sort();
        }
        ensure!(sent == told, "{sent:#?}\n{told:#?}");
        place.axon(&["plan", "--check"]).await?.exits(0)?;
    }
    // A pool that cannot be asked keeps nothing else from being told.
    place.write("before.yaml", &place.read("views.yaml")?)?;
    pool.stop().await?;
    let said = place.axon(&["map", "preview", "views.yaml", "--old", "clear.yaml"]).await?.exits(0)?.out;
    ensure!(said.contains("cannot be told: ") && said.contains("email"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_map_that_nobody_accepted_does_not_choose_where_axon_shows_its_way_in() -> anyhow::Result<()> {
    let (place, pool) = stage().await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let other = listener.local_addr()?.port().to_string();
    let text =
        place.read("views.yaml")?.replace(&format!("port: {}", pool.port()?), &format!("port: {other}"));
    place.write("elsewhere.yaml", &text)?;
    let said = place.axon(&["map", "preview", "elsewhere.yaml"]).await?.exits(3)?.out;
    ensure!(said.contains("the map in force does not have this target there"), "{said}");
    let entered = tokio::time::timeout(std::time::Duration::ZERO, listener.accept()).await;
    ensure!(entered.is_err(), "somebody knocked");
    Ok(())
}
