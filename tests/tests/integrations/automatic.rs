//! Automatic set-up, as the seed tells it: create, get, list, update, delete.

use anyhow::{Context, ensure};
use axon_tests::{ADMIN, PASSWORD, SOON, until};
use serde_json::json;

use crate::kit::{BETWEEN, PRINCIPALS, SCHEMAS, Stand, Steps, run_as, test};

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, told as the API's own page tells it")]
async fn an_automatic_integration_from_its_create_to_its_end() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    ensure!(stand.get("").await?.is(200)?.body == json!([]));
    let payload = stand.payload(true, json!({}))?;
    let begun = stand.post("", &payload).await?.is(201)?.body;
    ensure!(begun["id"] == "1" && begun["status"] == "creating", "{begun}");
    ensure!(begun["validationResults"]["status"] == "passed", "{begun}");
    test(&begun, "Initial Validation: Connect")?;
    ensure!(test(&begun, "Initial Validation: Delimiters")?["status"] == "passed");
    let manages = test(&begun, "Validate Axon system user can manage database")?;
    ensure!(manages["status"] == "passed" && manages["result"] == json!([{ "name": "dbo" }]), "{manages}");
    stand.status("1", "enabled").await?;

    // What is shown of it, and what is not.
    let one = stand.get("/1").await?.is(200)?;
    let shown = json!({
        "host": "127.0.0.1", "schema": "sample_schema", "database": "dw", "port": stand.pool.port()?,
        "impersonation": { "enabled": false },
        "metadataDelimiters": { "hashDelimiter": "|", "hashKeyDelimiter": "-", "arrayDelimiter": "," },
        "username": "<REDACTED>", "tls": "off",
    });
    ensure!(one.body["config"] == shown, "{}", one.text);
    ensure!(one.body["type"] == "Azure Synapse Analytics" && one.body["autoBootstrap"] == true);
    let schema = &test(&one.body, "Initial Validation: Connect")?["result"][0];
    let wanted = json!({
        "SCHEMA_NAME": "sample_schema", "CATALOG_NAME": "dw", "SCHEMA_OWNER": "axon_owner",
        "DEFAULT_CHARACTER_SET_NAME": "iso_1", "DEFAULT_CHARACTER_SET_SCHEMA": null, "DEFAULT_CHARACTER_SET_CATALOG": null,
    });
    ensure!(*schema == wanted, "{schema}");
    let own = &test(&one.body, "Validate Axon system user can manage database")?["result"];
    ensure!(*own == json!([{ "name": "axon_system_dw" }]), "{own}");
    ensure!(test(&one.body, "Validate Principals")?["message"].to_string().contains("33159"));
    ensure!(stand.get("").await?.is(200)?.body == json!([one.body]));
    for text in [&one.text, &begun.to_string()] {
        ensure!(!text.contains(PASSWORD) && !text.contains(&format!("\"{ADMIN}\"")), "{text}");
    }

    // What was made, and with which rights.
    ensure!(stand.column(SCHEMAS).await? == ["axon", "sample_schema"]);
    ensure!(stand.column(PRINCIPALS).await? == ["axon_owner", "axon_system_dw"]);
    let rights = "SELECT p.permission_name FROM sys.database_permissions p JOIN sys.database_principals u \
                  ON u.principal_id = p.grantee_principal_id WHERE u.name = 'axon_system_dw' ORDER BY p.permission_name";
    let rights = stand.column(rights).await?;
    let wanted = [
        "ALTER ANY ROLE",
        "ALTER ANY USER",
        "CONNECT",
        "CONTROL",
        "CONTROL",
        "CREATE ROLE",
        "CREATE SCHEMA",
        "CREATE VIEW",
        "KILL DATABASE CONNECTION",
        "VIEW DATABASE STATE",
        "VIEW DEFINITION",
    ];
    ensure!(rights == wanted, "{rights:?}");

    // The same place again.
    let host = "Azure Synapse Analytics integration already exists on host 127.0.0.1 (id = 1)";
    let again = stand.post("", &payload).await?.refuses(409, "Conflict", host)?;
    ensure!(again.body["message"] == host);

    // A change, and another one while it is under way.
    let slow = json!({ "what": { "latency": { "millis": 1500 } }, "times": 1, "matching": "KILL DATABASE CONNECTION" });
    stand.pool.ask("POST", "/pool/faults", Some(slow)).await?;
    let mut change = payload.clone();
    change["config"]["metadataDelimiters"] =
        json!({ "hashDelimiter": "|", "hashKeyDelimiter": "-", "arrayDelimiter": "," });
    change["config"]["impersonation"] = json!({ "enabled": true });
    let begun = stand.put("/1", &change).await?.is(200)?.body;
    ensure!(begun["status"] == "editing" && begun["validationResults"]["status"] == "passed", "{begun}");
    let busy = "Unable to edit integration with ID 1 in current state editing.";
    ensure!(stand.put("/1", &change).await?.refuses(409, "Conflict", busy)?.body["message"] == busy);
    let credentials =
        json!({ "authenticationType": "userPassword", "username": ADMIN, "password": PASSWORD });
    stand.delete("/1", Some(&credentials)).await?.refuses(409, "Conflict", "in current state editing.")?;
    stand.status("1", "enabled").await?;
    let one = stand.get("/1").await?.is(200)?.body;
    ensure!(
        one["config"]["impersonation"] == json!({ "enabled": true, "role": "AXON_IMPERSONATION" }),
        "{one}"
    );
    ensure!(stand.column(PRINCIPALS).await? == ["AXON_IMPERSONATION", "axon_owner", "axon_system_dw"]);

    // Another password; then a pool that does not run.
    stand.post("/1/regenerate", &credentials).await?.is(200)?;
    stand.status("1", "enabled").await?;
    stand.pool.lever("power paused").await?;
    let told = stand.status("1", "recurringValidationError").await?;
    ensure!(told["message"].as_str().is_some_and(|m| m.contains("42108") || m.contains("paused")), "{told}");
    stand.delete("/1", Some(&credentials)).await?.refuses(422, "Unprocessable Entity", "Is Running")?;
    stand.pool.lever("power online").await?;
    stand.status("1", "enabled").await?;

    // The end.
    stand.delete("/1", None).await?.refuses(400, "Bad Request", "payload is missing")?;
    let mut wrong = credentials.clone();
    wrong["password"] = json!("not-it");
    let refused = stand.delete("/1", Some(&wrong)).await?.refuses(422, "Unprocessable Entity", "Connect")?;
    ensure!(refused.body["validationResults"]["status"] == "failed", "{}", refused.text);
    let begun = stand.delete("/1", Some(&credentials)).await?.is(200)?.body;
    ensure!(begun["status"] == "deleting" && begun["validationResults"]["status"] == "passed", "{begun}");
    stand.status("1", "deleted").await?;
    stand.get("/1").await?.refuses(404, "Not Found", "No integration found with ID 1.")?;
    ensure!(stand.get("").await?.is(200)?.body == json!([]));
    ensure!(stand.column(PRINCIPALS).await?.is_empty() && stand.column(SCHEMAS).await?.is_empty());

    stand.holds_nowhere(PASSWORD)?;
    stand.holds_nowhere("not-it")?;
    let secrets = stand.secrets()?;
    ensure!(secrets.is_empty(), "{secrets:?}");
    stand.post("", &payload).await?.is(201)?;
    stand.status("2", "enabled").await?;
    let acts: Vec<String> = stand
        .place
        .journal()
        .await?
        .iter()
        .filter(|r| r.kind == "operator-act")
        .map(|r| r.seq.to_string())
        .collect();
    ensure!(acts.len() >= 10, "each status is a record: {acts:?}");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_set_up_is_told_before_and_what_fails_half_way_is_told_after() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let more = json!({ "impersonation": { "enabled": true, "role": "IMMUTA_IMPERSONATION" },
        "metadataDelimiters": { "hashDelimiter": "|", "hashKeyDelimiter": "-", "arrayDelimiter": "," } });
    let payload = stand.payload(true, more)?;
    stand.pool.admin().await?.run("CREATE ROLE IMMUTA_IMPERSONATION").await?;
    let role = "Impersonation Role Does Not Exist";
    let refused = stand.post("", &payload).await?.refuses(422, "Unprocessable Entity", role)?;
    ensure!(refused.body["validationResults"]["status"] == "failed");
    stand.pool.admin().await?.run("DROP ROLE IMMUTA_IMPERSONATION").await?;
    stand.pool.admin().await?.run("CREATE SCHEMA sample_schema").await?;
    stand.post("", &payload).await?.refuses(422, "Unprocessable Entity", "must belong to axon_owner")?;
    stand.pool.admin().await?.run("DROP SCHEMA sample_schema").await?;
    ensure!(stand.get("").await?.is(200)?.body == json!([]), "nothing was begun");

    let broken = json!({ "what": { "statement": { "number": 50000, "applied": false } }, "times": 1, "matching": "VIEW DATABASE STATE" });
    stand.pool.ask("POST", "/pool/faults", Some(broken)).await?;
    stand.post("", &payload).await?.is(201)?;
    let told = stand.status("1", "createError").await?;
    ensure!(told["message"].as_str().is_some_and(|m| m.contains("50000")), "{told}");
    stand.put("/1", &payload).await?.refuses(409, "Conflict", "in current state createError.")?;
    let credentials = json!({ "username": ADMIN, "password": PASSWORD });
    stand.delete("/1", Some(&credentials)).await?.is(200)?;
    stand.status("1", "deleted").await?;
    stand.post("", &payload).await?.is(201)?;
    stand.status("2", "enabled").await?;

    // A change that fails leaves what was before in use.
    let mut change = payload.clone();
    change["config"]["impersonation"] = json!({ "enabled": false });
    let broken = json!({ "what": { "statement": { "number": 50000, "applied": false } }, "times": 1, "matching": "VIEW DATABASE STATE" });
    stand.pool.ask("POST", "/pool/faults", Some(broken)).await?;
    stand.put("/2", &change).await?.is(200)?;
    stand.status("2", "editError").await?;
    let one = stand.get("/2").await?.is(200)?.body;
    ensure!(one["config"]["impersonation"]["role"] == "IMMUTA_IMPERSONATION", "{one}");
    stand.put("/2", &change).await?.is(200)?;
    stand.status("2", "enabled").await?;
    ensure!(!stand.column(PRINCIPALS).await?.contains(&"IMMUTA_IMPERSONATION".to_owned()));

    // So does an end that fails.
    let broken = json!({ "what": { "statement": { "number": 50000, "applied": false } }, "times": 1, "matching": "DROP TABLE" });
    stand.pool.ask("POST", "/pool/faults", Some(broken)).await?;
    stand.delete("/2", Some(&credentials)).await?.is(200)?;
    stand.status("2", "deleteError").await?;
    stand.delete("/2", Some(&credentials)).await?.is(200)?;
    stand.status("2", "deleted").await?;
    ensure!(stand.column(PRINCIPALS).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn tables_that_were_given_to_the_owner_stay_its_own_when_the_views_go() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    stand.post("", &stand.payload(true, json!({}))?).await?.is(201)?;
    stand.status("1", "enabled").await?;
    let mut admin = stand.pool.admin().await?;
    for batch in [
        "CREATE SCHEMA base AUTHORIZATION axon_owner",
        "CREATE TABLE base.orders (id int)",
        "CREATE VIEW sample_schema.[or'd]]ers] AS /* secure view of Axon, do not edit: x */ SELECT id FROM base.orders",
        "CREATE VIEW sample_schema.ours AS SELECT 1 AS one",
    ] {
        admin.run(batch).await.with_context(|| batch.to_owned())?;
    }
    let credentials = json!({ "username": ADMIN, "password": PASSWORD });
    // A view that nobody would look after any more is named, and nothing is begun.
    let words = "somebody else wrote or altered sample_schema.ours";
    let refused =
        stand.delete("/1", Some(&credentials)).await?.refuses(422, "Unprocessable Entity", words)?.body;
    ensure!(test(&refused, "Validate Views Of Others")?["status"] == "failed", "{refused}");
    stand.post("/1/regenerate", &credentials).await?.is(200)?;
    stand.status("1", "enabled").await?;
    admin.run("DROP VIEW sample_schema.ours").await?;
    stand.delete("/1", Some(&credentials)).await?.is(200)?;
    let told = stand.status("1", "deleted").await?;
    // What somebody else made stays, and so does who owns it; nobody reads more than before, and it is told.
    ensure!(stand.column("SELECT v.name FROM sys.views v ORDER BY v.name").await?.is_empty());
    ensure!(stand.column(SCHEMAS).await? == ["base"]);
    ensure!(stand.column(PRINCIPALS).await? == ["axon_owner"]);
    let stays = test(&told, "What Stays")?;
    ensure!(stays["status"] == "warning", "{told}");
    let named = json!([{ "name": "schema base of axon_owner" }, { "name": "user axon_owner" }]);
    ensure!(stays["result"] == named, "{stays}");
    Ok(())
}

#[tokio::test]
async fn a_view_that_somebody_altered_is_left_open_by_no_delete() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    stand.post("", &stand.payload(true, json!({}))?).await?.is(201)?;
    stand.status("1", "enabled").await?;
    let mut admin = stand.pool.admin().await?;
    for batch in [
        "CREATE SCHEMA base AUTHORIZATION axon_owner",
        "CREATE TABLE base.orders (id int)",
        "CREATE SCHEMA every AUTHORIZATION axon_owner",
        "CREATE VIEW sample_schema.orders AS /* secure view of Axon, do not edit: x */ SELECT id FROM base.orders",
        "CREATE ROLE analysts",
        "GRANT SELECT ON sample_schema.orders TO analysts",
        // As somebody does who may, while nobody looks.
        "ALTER VIEW sample_schema.orders AS SELECT * FROM base.orders",
        // In a second schema of views, and one of somebody's own beside its table.
        "CREATE VIEW every.orders AS /* secure view of Axon, do not edit: x */ SELECT id FROM base.orders",
        "ALTER VIEW every.orders AS SELECT * FROM base.orders",
        "CREATE VIEW every.whole AS /* secure view of Axon, do not edit: x */ SELECT id FROM base.orders",
        "CREATE VIEW base.few AS SELECT id FROM base.orders",
    ] {
        admin.run(batch).await.with_context(|| batch.to_owned())?;
    }
    let credentials = json!({ "username": ADMIN, "password": PASSWORD });
    let words = "sample_schema.orders";
    stand.delete("/1", Some(&credentials)).await?.refuses(422, "Unprocessable Entity", words)?;
    // The script for people names it as well.
    let script = stand.script("/1/scripts/delete", &json!({})).await?;
    let asks = script.split("\nGO").find(|batch| batch.contains("AS view_name")).context("the question")?;
    let mut named = stand.column(asks).await?;
    named.sort();
    ensure!(named == ["base", "every", "sample_schema"], "{named:?}");
    admin.run("DROP VIEW sample_schema.orders").await?;
    // Also where it is in none of the integration's two schemas.
    let refused = stand.delete("/1", Some(&credentials)).await?;
    let refused = refused.refuses(422, "Unprocessable Entity", "wrote or altered every.orders in")?.body;
    let others = test(&refused, "Validate Views Of Others")?;
    ensure!(others["result"] == json!([{ "name": "every.orders" }]), "{others}");
    admin.run("DROP VIEW every.orders").await?;
    // What somebody made beside their tables is theirs, and is named.
    stand.delete("/1", Some(&credentials)).await?.is(200)?;
    let told = stand.status("1", "deleted").await?;
    ensure!(stand.column("SELECT v.name FROM sys.views v").await? == ["few"]);
    let stays = test(&told, "What Stays")?;
    ensure!(stays["status"] == "warning", "{stays}");
    ensure!(stays["message"].as_str().is_some_and(|words| words.contains("view base.few")), "{stays}");
    Ok(())
}

#[tokio::test]
async fn what_was_there_before_a_create_is_there_after_the_delete() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let mut admin = stand.pool.admin().await?;
    for batch in
        ["CREATE USER axon_owner WITHOUT LOGIN", "CREATE SCHEMA sample_schema AUTHORIZATION axon_owner"]
    {
        admin.run(batch).await.with_context(|| batch.to_owned())?;
    }
    let credentials = json!({ "username": ADMIN, "password": PASSWORD });
    let payload = stand.payload(true, json!({}))?;
    stand.post("", &payload).await?.is(201)?;
    stand.status("1", "enabled").await?;
    // Also not by a change that means another schema.
    let mut other = payload.clone();
    other["config"]["schema"] = json!("elsewhere");
    stand.put("/1", &other).await?.is(200)?;
    stand.status("1", "enabled").await?;
    ensure!(stand.column(SCHEMAS).await? == ["axon", "elsewhere", "sample_schema"]);
    stand.put("/1", &payload).await?.is(200)?;
    stand.status("1", "enabled").await?;
    // What the change made went with it.
    ensure!(stand.column(SCHEMAS).await? == ["axon", "sample_schema"]);
    stand.delete("/1", Some(&credentials)).await?.is(200)?;
    let told = stand.status("1", "deleted").await?;
    ensure!(stand.column(SCHEMAS).await? == ["sample_schema"]);
    ensure!(stand.column(PRINCIPALS).await? == ["axon_owner"]);
    let stays = &test(&told, "What Stays")?["message"];
    ensure!(stays.as_str().is_some_and(|m| m.contains("schema sample_schema of axon_owner")), "{told}");
    Ok(())
}

#[tokio::test]
async fn an_owner_that_can_be_entered_as_owns_nothing_of_axon_s() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let made = format!("CREATE LOGIN axon_owner WITH PASSWORD = '{PASSWORD}'");
    ensure!(run_as(Steps::Password(&stand, "master"), &made).await?.is_empty());
    let mut admin = stand.pool.admin().await?;
    admin.run("CREATE USER axon_owner FOR LOGIN axon_owner").await?;
    let payload = stand.payload(true, json!({}))?;
    let words = "no user without a login";
    let refused = stand.post("", &payload).await?.refuses(422, "Unprocessable Entity", words)?.body;
    ensure!(test(&refused, "Validate Owner Of Views And Tables")?["status"] == "failed", "{refused}");
    for batch in ["DROP USER axon_owner", "CREATE ROLE axon_owner"] {
        admin.run(batch).await?;
    }
    stand.post("", &payload).await?.refuses(422, "Unprocessable Entity", words)?;
    admin.run("DROP ROLE axon_owner").await?;
    stand.post("", &payload).await?.is(201)?;
    let told = stand.status("1", "enabled").await?;
    // What its account may not is told with what helps.
    let shut = test(&told, "Validate Leavers Can Be Shut Out")?;
    ensure!(shut["status"] == "warning", "{shut}");
    let message = shut["message"].as_str().unwrap_or_default();
    for words in ["4613", "DENY CONNECT", "GRANT CONTROL ON DATABASE::[dw] TO [axon_system_dw]"] {
        ensure!(message.contains(words), "{message}");
    }
    admin.run("GRANT CONTROL ON DATABASE::dw TO axon_system_dw").await?;
    until("who leaves can be shut out", SOON, async || {
        tokio::time::sleep(BETWEEN).await;
        let told = stand.get("/1/status").await?.is(200)?.body;
        Ok((test(&told, "Validate Leavers Can Be Shut Out")?["status"] == "passed").then_some(()))
    })
    .await
}
