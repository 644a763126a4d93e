//! From one status to the next, where no other story goes: out of each error, and out of work whose server was killed.

use std::time::Duration;

use anyhow::{Context, ensure};
use axon_tests::{ADMIN, PASSWORD, SOON, Serve, until};
use serde_json::{Value, json};

use crate::kit::{BETWEEN, PRINCIPALS, SCHEMAS, Stand};
use crate::migrating::older;

/// A lease ends half a minute after whoever held it; then it is looked for.
const GIVEN_UP: Duration = Duration::from_secs(90);
const BREAKS: &str = "REVOKE ALTER ANY ROLE FROM axon_system_dw";
const MENDS: &str = "GRANT ALTER ANY ROLE TO axon_system_dw";

fn credentials() -> Value {
    json!({ "username": ADMIN, "password": PASSWORD })
}

/// The next statement of these words fails.
async fn fails(stand: &Stand, matching: &str) -> anyhow::Result<()> {
    let fault = json!({ "what": { "statement": { "number": 50000, "applied": false } }, "times": 1, "matching": matching });
    stand.pool.ask("POST", "/pool/faults", Some(fault)).await.map(drop)
}

/// Brings an integration that is in use into an error, and waits until it is told.
async fn into(stand: &Stand, id: &str, error: &str, payload: &Value) -> anyhow::Result<()> {
    match error {
        "editError" => {
            fails(stand, "ALTER LOGIN").await?;
            stand.post(&format!("/{id}/regenerate"), &credentials()).await?.is(200)?;
        }
        "deleteError" => {
            fails(stand, "DROP TABLE").await?;
            stand.delete(&format!("/{id}"), Some(&credentials())).await?.is(200)?;
        }
        "migrateError" => {
            older(stand)?;
            fails(stand, "VIEW DATABASE STATE").await?;
            ensure!(stand.put(&format!("/{id}"), payload).await?.is(200)?.body["status"] == "migrating");
        }
        _ => stand.pool.admin().await?.run(BREAKS).await?,
    }
    let told = stand.status(id, error).await?;
    let message = told["message"].as_str().context("a message")?;
    ensure!(message.len() > 20 && !message.contains(".:"), "{message}");
    Ok(())
}

const ERRORS: [&str; 4] = ["editError", "deleteError", "migrateError", "recurringValidationError"];

/// Makes the next integration, and brings it into an error. Gives its number.
async fn made_and_in(stand: &Stand, before: usize, error: &str, payload: &Value) -> anyhow::Result<String> {
    let id = (before + 1).to_string();
    stand.post("", payload).await?.is(201)?;
    stand.status(&id, "enabled").await?;
    into(stand, &id, error, payload).await?;
    Ok(id)
}

#[tokio::test]
async fn out_of_each_error_a_change_leads_back_into_use() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let payload = stand.payload(true, json!({}))?;
    stand.post("", &payload).await?.is(201)?;
    stand.status("1", "enabled").await?;
    for error in ERRORS {
        into(&stand, "1", error, &payload).await?;
        let begun = stand.put("/1", &payload).await?.is(200)?.body;
        // What failed to migrate is of an older version still.
        let wanted = if error == "migrateError" { "migrating" } else { "editing" };
        ensure!(begun["status"] == wanted, "{error}: {begun}");
        let told = stand.status("1", "enabled").await.with_context(|| error)?;
        ensure!(
            told["message"].is_null() && told["validationResults"]["status"] == "passed",
            "{error}: {told}"
        );
    }
    // Another password does the same: with the one before it was in use all the while.
    let file = stand.place.file("axon.db-secrets/1.secret");
    let before = std::fs::read(&file)?;
    into(&stand, "1", "editError", &payload).await?;
    ensure!(std::fs::read(&file)? == before, "the password that did not come to be is kept");
    stand.post("/1/regenerate", &credentials()).await?.is(200)?;
    stand.status("1", "enabled").await?;
    ensure!(std::fs::read(&file)? != before, "it has another password");
    Ok(())
}

#[tokio::test]
async fn an_error_is_looked_at_and_stays_with_its_reason_until_other_work() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let payload = stand.payload(true, json!({}))?;
    stand.post("", &payload).await?.is(201)?;
    stand.status("1", "enabled").await?;
    for error in ["editError", "migrateError", "deleteError"] {
        into(&stand, "1", error, &payload).await?;
        let reason = stand.status("1", error).await?["message"].clone();
        for (batch, verdict) in [(BREAKS, "failed"), (MENDS, "passed")] {
            stand.pool.admin().await?.run(batch).await?;
            let mut last = json!(null);
            let seen = until("a look tells of it", SOON, async || {
                tokio::time::sleep(BETWEEN).await;
                last = stand.get("/1/status").await?.is(200)?.body;
                let results = &last["validationResults"];
                Ok((results["status"] == verdict).then_some(()))
            })
            .await;
            seen.with_context(|| format!("{error}, {verdict}: {last}"))?;
            ensure!(last["status"] == error && last["message"] == reason, "{error}, {verdict}: {last}");
        }
        stand.put("/1", &payload).await?.is(200)?;
        stand.status("1", "enabled").await.with_context(|| error)?;
    }
    Ok(())
}

#[tokio::test]
async fn out_of_each_error_it_can_be_taken_away() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let payload = stand.payload(true, json!({}))?;
    for (n, error) in ERRORS.into_iter().enumerate() {
        let id = made_and_in(&stand, n, error, &payload).await?;
        // Its place is taken all the while.
        stand.post("", &payload).await?.refuses(409, "Conflict", &format!("(id = {id})"))?;
        let begun = stand.delete(&format!("/{id}"), Some(&credentials())).await?.is(200)?.body;
        ensure!(begun["status"] == "deleting" && begun["message"].is_null(), "{error}: {begun}");
        stand.status(&id, "deleted").await.with_context(|| error)?;
        ensure!(
            stand.column(PRINCIPALS).await?.is_empty() && stand.column(SCHEMAS).await?.is_empty(),
            "{error}"
        );
        // The end is one.
        for (verb, answer) in [
            ("edit", stand.put(&format!("/{id}"), &payload).await?),
            ("delete", stand.delete(&format!("/{id}"), Some(&credentials())).await?),
            ("renew", stand.post(&format!("/{id}/regenerate"), &credentials()).await?),
        ] {
            let words = format!("No integration found with ID {id}.");
            answer.refuses(404, "Not Found", &words).context(verb)?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn out_of_each_error_it_can_be_given_up_and_its_place_is_free() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let payload = stand.payload(true, json!({}))?;
    for (n, error) in ERRORS.into_iter().enumerate() {
        let id = made_and_in(&stand, n, error, &payload).await?;
        let told = stand.delete(&format!("/{id}?force=true"), None).await?.is(200)?.body;
        ensure!(told["status"] == "disabled" && told["message"].is_null(), "{error}: {told}");
        ensure!(!stand.place.file(&format!("axon.db-secrets/{id}.secret")).exists(), "{error}");
        let words = "in current state disabled.";
        for again in [format!("/{id}"), format!("/{id}?force=true")] {
            let body = credentials();
            let body = (!again.ends_with("true")).then_some(&body);
            stand.delete(&again, body).await?.refuses(409, "Conflict", words)?;
        }
        stand.post(&format!("/{id}/regenerate"), &credentials()).await?.refuses(409, "Conflict", words)?;
        stand.put(&format!("/{id}"), &payload).await?.refuses(409, "Conflict", words)?;
    }
    Ok(())
}

/// Kills the server in the middle of work on the integration, starts it again, and waits until the work is given up.
async fn killed(stand: Stand, busy: &str, error: &str) -> anyhow::Result<Stand> {
    let Stand { serve, pool, place, key } = stand;
    serve.kill().await?;
    let stand = Stand { serve: Serve::start(&place).await?, pool, place, key };
    let told = stand.get("/1/status").await?.is(200)?.body;
    ensure!(told["status"] == busy, "{told}");
    // Whoever else may work on it is waited for.
    let credentials = credentials();
    let words = format!("in current state {busy}.");
    stand.delete("/1", Some(&credentials)).await?.refuses(409, "Conflict", &words)?;
    let mut last = String::new();
    let seen = until("it is given up", GIVEN_UP, async || {
        let answer = stand.get("/1/status").await?.is(200)?;
        last.clone_from(&answer.text);
        tokio::time::sleep(BETWEEN).await;
        Ok((answer.body["status"] == error).then_some(answer.body))
    })
    .await;
    let told = seen.with_context(|| last)?;
    let message = told["message"].as_str().context("a message")?;
    ensure!(message.contains("was stopped before it was done"), "{message}");
    let helps = if busy == "deleting" {
        "delete it again"
    } else {
        "what was before is in use; send the change again"
    };
    ensure!(message.contains(helps), "{message}");
    Ok(stand)
}

/// An integration in use, and a pool that is slow at a statement.
async fn slow_at(matching: &str) -> anyhow::Result<(Stand, Value)> {
    let stand = Stand::start().await?;
    let payload = stand.payload(true, json!({}))?;
    stand.post("", &payload).await?.is(201)?;
    stand.status("1", "enabled").await?;
    let slow = json!({ "what": { "latency": { "millis": 8000 } }, "times": 1, "matching": matching });
    stand.pool.ask("POST", "/pool/faults", Some(slow)).await?;
    Ok((stand, payload))
}

#[tokio::test]
async fn a_change_whose_server_was_killed_leaves_in_use_what_was_and_is_sent_again() -> anyhow::Result<()> {
    let (stand, payload) = slow_at("KILL DATABASE CONNECTION").await?;
    let mut change = payload.clone();
    change["config"]["impersonation"] = json!({ "enabled": true });
    ensure!(stand.put("/1", &change).await?.is(200)?.body["status"] == "editing");
    let stand = killed(stand, "editing", "editError").await?;
    ensure!(stand.get("/1").await?.is(200)?.body["config"]["impersonation"] == json!({ "enabled": false }));
    stand.put("/1", &change).await?.is(200)?;
    let told = stand.status("1", "enabled").await?;
    ensure!(told["message"].is_null(), "{told}");
    let role = json!({ "enabled": true, "role": "AXON_IMPERSONATION" });
    ensure!(stand.get("/1").await?.is(200)?.body["config"]["impersonation"] == role);
    Ok(())
}

#[tokio::test]
async fn a_migration_whose_server_was_killed_is_sent_again() -> anyhow::Result<()> {
    let (stand, payload) = slow_at("KILL DATABASE CONNECTION").await?;
    older(&stand)?;
    ensure!(stand.put("/1", &payload).await?.is(200)?.body["status"] == "migrating");
    let stand = killed(stand, "migrating", "migrateError").await?;
    ensure!(stand.put("/1", &payload).await?.is(200)?.body["status"] == "migrating");
    stand.status("1", "enabled").await?;
    Ok(())
}

#[tokio::test]
async fn a_delete_whose_server_was_killed_is_sent_again() -> anyhow::Result<()> {
    let (stand, _) = slow_at("DROP TABLE").await?;
    ensure!(stand.delete("/1", Some(&credentials())).await?.is(200)?.body["status"] == "deleting");
    let stand = killed(stand, "deleting", "deleteError").await?;
    stand.delete("/1", Some(&credentials())).await?.is(200)?;
    stand.status("1", "deleted").await?;
    ensure!(stand.column(PRINCIPALS).await?.is_empty() && stand.column(SCHEMAS).await?.is_empty());
    ensure!(stand.secrets()?.is_empty());
    Ok(())
}
