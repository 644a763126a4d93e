//! An integration as a target of the role map: Axon keeps views and people as the account that the integration made. When it is taken
//! away, what the role map made there goes with it, and nobody reads a table for that.

use anyhow::{Context, ensure};
use axon_tests::{ENTRA_ADMIN, SOON, entra_token, until, user};
use serde_json::{Value, json};

use crate::kit::{BETWEEN, MEMBERS, PRINCIPALS, SCHEMAS, Stand, Steps, run_as, test};

const TENANT: &str = "11111111-1111-1111-1111-111111111111";
const CLIENT: &str = "22222222-2222-2222-2222-222222222222";
pub const ANN: &str = "ann@acme.example";
const BOB: &str = "bob@acme.example";
const SECRET: &str = "right-secret-of-setup";
pub const VIEW: &str = "SELECT id, region FROM sample_schema.orders";

/// What the database holds beside: a table of the views' owner.
pub const BASE: [&str; 3] = [
    "CREATE SCHEMA base AUTHORIZATION axon_owner",
    "CREATE TABLE base.orders (id nvarchar(8), region nvarchar(40))",
    "INSERT INTO base.orders SELECT N'1', N'north' UNION ALL SELECT N'2', N'south'",
];

pub const WITHOUT_TARGETS: &str = "axon: 1\nroles: { reader: {} }\n";
pub const RULES: &str = "roles:
  reader: {}
mappings:
  - { groups: { any: [Readers] }, source: entra, roles: [reader] }
views:
  sample_schema.orders:
    targets: TARGET
    from: base.orders
    readers: [reader]
    columns: { id: show, region: show }
    rows: [{ where: region in user.title }]
";

/// Whoever administers lends an application's credentials; the account is a managed identity.
pub async fn integration(stand: &Stand) -> anyhow::Result<Value> {
    integration_by(stand, stand.pool.port()?).await
}

/// The same, whose pool is reached by this port.
pub async fn integration_by(stand: &Stand, port: u16) -> anyhow::Result<Value> {
    let person = |upn: &str, n: u32| json!({ "upn": upn, "objectId": format!("bbbbbbbb-0000-0000-0000-0000000000{n}") });
    let operator = json!({ "displayName": "setup", "appId": "77777777-7777-7777-7777-777777777777",
        "objectId": "88888888-8888-8888-8888-888888888888", "secrets": [{ "value": SECRET }] });
    let own = json!({ "displayName": "axon-mi", "appId": CLIENT, "objectId": "33333333-3333-3333-3333-333333333333" });
    let users = [person(ENTRA_ADMIN, 99), person(ANN, 98), person(BOB, 97)];
    let directory = json!({ "apps": [operator, own], "users": users });
    stand.pool.ask("POST", "/directory", Some(directory)).await?;
    stand.pool.ask("PATCH", "/cloud", Some(json!({ "managedIdentities": [CLIENT] }))).await?;
    let made = format!(
        "CREATE USER [setup] FROM EXTERNAL PROVIDER\nGO\nEXEC sp_addrolemember 'db_owner', 'setup'\nGO\n\
         CREATE USER [{BOB}] FROM EXTERNAL PROVIDER\nGO\nCREATE ROLE planners\nGO\nEXEC sp_addrolemember 'planners', '{BOB}'"
    );
    ensure!(run_as(Steps::Token(stand, &entra_token(ENTRA_ADMIN)), &made).await?.is_empty());
    let shown = json!({ "username": null, "password": null, "authenticationType": "clientSecret", "tenantId": TENANT,
        "clientId": "77777777-7777-7777-7777-777777777777", "clientSecret": SECRET });
    let mut config = shown.clone();
    config["port"] = json!(port);
    config["systemAccount"] =
        json!({ "username": "axon-mi", "authenticationType": "managedIdentity", "clientId": CLIENT });
    stand.post("", &stand.payload(true, config)?).await?.is(201)?;
    stand.status("1", "enabled").await?;
    Ok(shown)
}

#[tokio::test]
async fn views_are_kept_as_the_account_of_the_integration_until_it_is_taken_away() -> anyhow::Result<()> {
    let stand = Stand::in_azure("none").await?;
    let credentials = integration(&stand).await?;
    let mut admin = stand.pool.admin().await?;
    for batch in BASE {
        admin.run(batch).await.with_context(|| batch.to_owned())?;
    }
    // The entry that the command prints, as it is.
    let entry = stand.place.axon(&["integration", "target", "1"]).await?.exits(0)?.out;
    let name = entry.lines().nth(1).context("a name")?.trim().trim_end_matches(':');
    ensure!(entry.contains("managed-identity") && entry.contains("mode: authoritative"), "{entry}");
    // The map also puts its people into a role that was there before, with somebody in it.
    let grants = format!("reader: {{ grants: {{ {name}: [per person: member of planners] }} }}");
    let rules = RULES.replace("reader: {}", &grants).replace("TARGET", name);
    stand.place.write("role-map.yaml", &format!("axon: 1\n{entry}{rules}"))?;
    let token = stand.place.token("entra").await?;
    let scim = stand.serve.scim(&token);
    let mut body = user(ANN);
    body["title"] = json!("north");
    // As Entra is told to send it: by its object a user is known again.
    body["externalId"] = json!("bbbbbbbb-0000-0000-0000-000000000098");
    let ann = scim.post("/Users", &body).await?.is(201)?.id()?;
    scim.group("Readers", &[&ann]).await?;
    let mut last = String::new();
    let rows = until("ann reads the view", SOON, async || {
        last = stand.place.axon(&["status"]).await?.out;
        Ok(stand.pool.person(ANN).await?.rows(VIEW).await.ok().filter(|rows| !rows.is_empty()))
    })
    .await;
    let rows = rows.with_context(|| last)?;
    ensure!(rows == [[Some("1".to_owned()), Some("north".to_owned())]], "{rows:?}");
    let table = async || {
        let Ok(mut ann) = stand.pool.person(ANN).await else { return None };
        ann.rows("SELECT id FROM base.orders").await.ok()
    };
    ensure!(table().await.is_none(), "ann reads the table");

    until("ann is in both roles", SOON, async || {
        let there = stand.column(MEMBERS).await?;
        Ok((there
            == ["axon_reader ann@acme.example", "planners ann@acme.example", "planners bob@acme.example"])
        .then_some(()))
    })
    .await?;
    // What is a target of the map is not taken away.
    stand.delete("/1", Some(&credentials)).await?.refuses(409, "Conflict", "role map")?;
    // What the map made goes with the integration; the table is closed before, meanwhile and after.
    stand.place.write("role-map.yaml", WITHOUT_TARGETS)?;
    until("it is no target any more", SOON, async || {
        let answer = stand.delete("/1", Some(&credentials)).await?;
        tokio::time::sleep(BETWEEN).await;
        Ok((answer.status == 200).then_some(()))
    })
    .await?;
    until("it is taken away", SOON, async || {
        ensure!(table().await.is_none(), "ann reads the table");
        tokio::time::sleep(BETWEEN).await;
        let told = stand.get("/1/status").await?;
        ensure!(told.body["status"] != "deleteError", "{}", told.text);
        Ok((told.body["status"] == "deleted").then_some(()))
    })
    .await?;
    ensure!(table().await.is_none(), "ann reads the table");
    // The role and the user that Axon made are gone; who and what was there before is there.
    let left = stand.column(PRINCIPALS).await?;
    ensure!(
        left == ["axon_owner", BOB, "planners", "setup"],
        "{left:?}: {}",
        stand.get("/1/status").await?.text
    );
    ensure!(stand.column(MEMBERS).await? == ["planners bob@acme.example"]);
    let told = stand.get("/1/status").await?.body;
    let of_map = test(&told, "What The Role Map Made")?;
    let done: Vec<&str> = of_map["result"]
        .as_array()
        .context("a list")?
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    let wanted = [
        "remove ann@acme.example from role axon_reader",
        "remove ann@acme.example from role planners",
        "drop role axon_reader",
        "drop user ann@acme.example",
    ];
    ensure!(done == wanted && of_map["status"] == "passed", "{of_map}");
    // Each has its records, with who asked for it.
    let log = stand.place.axon(&["audit", "export"]).await?.exits(0)?.out;
    for step in wanted {
        let of_step = |line: &&str| line.contains(step);
        ensure!(log.lines().filter(of_step).any(|line| line.contains("ana")), "{step}: {log}");
    }
    ensure!(stand.column("SELECT v.name FROM sys.views v").await?.is_empty());
    ensure!(stand.column(SCHEMAS).await? == ["base"], "whose tables are its own stays the owner");
    Ok(())
}
