//! What an older version made: brought up to date by an update, told as `migrating`, and as `migrateError` where that fails.

use anyhow::ensure;
use axon_tests::{ADMIN, PASSWORD, Postgres};
use serde_json::json;

use crate::kit::Stand;

/// Makes the row say that an older version made what is in the database.
pub fn older(stand: &Stand) -> anyhow::Result<()> {
    if let Some(database) = stand.place.database() {
        let set = "UPDATE integrations SET body = jsonb_set(body::jsonb, '{layout}', '0')::text WHERE (body::jsonb)->>'layout' = '1' AND status NOT IN ('deleted', 'disabled')";
        return Postgres::shared()?.changes(database, set, 1);
    }
    let store = rusqlite::Connection::open(stand.place.file("axon.db"))?;
    store.busy_timeout(axon_tests::SOON)?;
    let set = "UPDATE integrations SET body = json_set(body, '$.layout', 0) WHERE json_extract(body, '$.layout') = 1 AND status NOT IN ('deleted', 'disabled')";
    ensure!(store.execute(set, [])? == 1, "one row is of this version");
    Ok(())
}

#[tokio::test]
async fn an_older_layout_migrates_and_a_migration_that_fails_leaves_what_was_in_use() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let payload = stand.payload(true, json!({}))?;
    stand.post("", &payload).await?.is(201)?;
    stand.status("1", "enabled").await?;
    older(&stand)?;

    let mut change = payload.clone();
    change["config"]["impersonation"] = json!({ "enabled": true });
    let broken = json!({ "what": { "statement": { "number": 50000, "applied": false } }, "times": 1, "matching": "VIEW DATABASE STATE" });
    stand.pool.ask("POST", "/pool/faults", Some(broken)).await?;
    let begun = stand.put("/1", &change).await?.is(200)?.body;
    ensure!(begun["status"] == "migrating" && begun["validationResults"]["status"] == "passed", "{begun}");
    let told = stand.status("1", "migrateError").await?;
    ensure!(told["message"].as_str().is_some_and(|message| message.contains("50000")), "{told}");
    // Rolled back to what was, which is in use: it keeps its place, and its secret.
    let one = stand.get("/1").await?.is(200)?.body;
    ensure!(one["config"]["impersonation"] == json!({ "enabled": false }), "{one}");
    stand.post("", &payload).await?.refuses(409, "Conflict", "(id = 1)")?;
    ensure!(stand.place.file("axon.db-secrets/1.secret").exists());

    // While it migrates, nothing else begins.
    let slow = json!({ "what": { "latency": { "millis": 1500 } }, "times": 1, "matching": "KILL DATABASE CONNECTION" });
    stand.pool.ask("POST", "/pool/faults", Some(slow)).await?;
    ensure!(stand.put("/1", &change).await?.is(200)?.body["status"] == "migrating");
    stand.put("/1", &change).await?.refuses(409, "Conflict", "in current state migrating.")?;
    let credentials = json!({ "username": ADMIN, "password": PASSWORD });
    stand.delete("/1", Some(&credentials)).await?.refuses(409, "Conflict", "in current state migrating.")?;
    stand.status("1", "enabled").await?;
    // It is of this version now: another update is an edit.
    ensure!(stand.put("/1", &payload).await?.is(200)?.body["status"] == "editing");
    stand.status("1", "enabled").await?;

    // One whose migration failed can be taken away as well.
    older(&stand)?;
    let broken = json!({ "what": { "statement": { "number": 50000, "applied": false } }, "times": 1, "matching": "VIEW DATABASE STATE" });
    stand.pool.ask("POST", "/pool/faults", Some(broken)).await?;
    stand.put("/1", &change).await?.is(200)?;
    stand.status("1", "migrateError").await?;
    stand.delete("/1", Some(&credentials)).await?.is(200)?;
    stand.status("1", "deleted").await?;
    Ok(())
}

#[tokio::test]
async fn where_no_secret_can_be_kept_the_look_says_so_before_anything_is_made() -> anyhow::Result<()> {
    // On PostgreSQL a folder has to be named, and is not; beside a file it is one that cannot be made.
    let (section, words) = if std::env::var("AXON_TEST_STORE").is_ok_and(|store| store == "postgres") {
        ("", "integrations.secrets")
    } else {
        (", secrets: role-map.yaml/kept", "the folder of secrets")
    };
    let stand = Stand::start_with(section).await?;
    let payload = stand.payload(true, json!({}))?;
    let refused = stand.post("", &payload).await?.refuses(422, "Unprocessable Entity", words)?;
    let tests = &refused.body["validationResults"]["validationTests"];
    let failed: Vec<&str> = tests
        .as_array()
        .into_iter()
        .flatten()
        .filter(|test| test["status"] == "failed")
        .filter_map(|test| test["name"].as_str())
        .collect();
    ensure!(failed == ["Validate Secret Can Be Kept"], "{}", refused.text);
    ensure!(stand.get("").await?.is(200)?.body == json!([]));
    ensure!(stand.column(crate::kit::PRINCIPALS).await?.is_empty(), "nothing was made");
    Ok(())
}
