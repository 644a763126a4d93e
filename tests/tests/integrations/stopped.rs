//! A server that is stopped in the middle of a create: what it had begun is given up and named, and is taken away.

use std::time::Duration;

use anyhow::{Context, ensure};
use axon_tests::{ADMIN, PASSWORD, SOON, Serve, until};
use serde_json::{Value, json};

use crate::kit::{BETWEEN, PRINCIPALS, SCHEMAS, Stand};
use crate::others::has_login;

/// A lease ends half a minute after whoever held it; then it is looked for.
const GIVEN_UP: Duration = Duration::from_secs(90);
const VIEWS_STATE: &str = "SELECT p.permission_name FROM sys.database_permissions p JOIN sys.database_principals u \
    ON u.principal_id = p.grantee_principal_id WHERE u.name = 'axon_system_dw' AND p.permission_name = 'VIEW DATABASE STATE'";

const OWNER: &str = "SELECT u.name FROM sys.database_principals u WHERE u.name = 'axon_owner'";

fn credentials() -> Value {
    json!({ "username": ADMIN, "password": PASSWORD })
}

/// The pool is slow at a statement; once this query finds something there, the server is killed and started again.
async fn killed_at(stand: Stand, slow: &str, query: &str) -> anyhow::Result<(Stand, Value)> {
    let fault = json!({ "what": { "latency": { "millis": 8000 } }, "times": 1, "matching": slow });
    stand.pool.ask("POST", "/pool/faults", Some(fault)).await?;
    let payload = stand.payload(true, json!({ "impersonation": { "enabled": true } }))?;
    stand.post("", &payload).await?.is(201)?;
    until("the create has come this far", SOON, async || {
        tokio::time::sleep(BETWEEN).await;
        Ok((!stand.column(query).await?.is_empty()).then_some(()))
    })
    .await?;
    let Stand { serve, pool, place, key } = stand;
    serve.kill().await?;
    let stand = Stand { serve: Serve::start(&place).await?, pool, place, key };
    ensure!(stand.get("/1/status").await?.is(200)?.body["status"] == "creating");
    let mut last = String::new();
    let seen = until("it is given up", GIVEN_UP, async || {
        let answer = stand.get("/1/status").await?.is(200)?;
        last.clone_from(&answer.text);
        tokio::time::sleep(BETWEEN).await;
        Ok((answer.body["status"] == "createError").then_some(answer.body))
    })
    .await;
    let told = seen.with_context(|| last)?;
    Ok((stand, told))
}

fn names(told: &Value, all: &[&str]) -> anyhow::Result<()> {
    let message = told["message"].as_str().context("a message")?;
    for name in all {
        ensure!(message.contains(name), "{message} does not name {name}");
    }
    Ok(())
}

async fn nothing_is_left(stand: &Stand) -> anyhow::Result<()> {
    let there = stand.column(PRINCIPALS).await?;
    ensure!(there.is_empty() && stand.column(SCHEMAS).await?.is_empty(), "{there:?}");
    ensure!(!has_login(stand, "axon_system_dw").await?, "its login is left");
    Ok(())
}

#[tokio::test]
async fn a_create_that_was_killed_is_named_and_deleted() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let (stand, told) = killed_at(stand, "KILL DATABASE CONNECTION", VIEWS_STATE).await?;
    names(
        &told,
        &[
            "was stopped before it was done",
            "the login axon_system_dw",
            "the user axon_system_dw",
            "the user axon_owner",
            "the schema axon",
            "the schema sample_schema",
            "Delete it",
        ],
    )?;
    let payload = stand.payload(true, json!({ "impersonation": { "enabled": true } }))?;
    stand.post("", &payload).await?.refuses(409, "Conflict", "(id = 1)")?;
    stand.delete("/1", Some(&credentials())).await?.is(200)?;
    stand.status("1", "deleted").await?;
    nothing_is_left(&stand).await?;
    let kept = stand.secrets()?;
    ensure!(kept.is_empty(), "a password is left that nobody needs: {kept:?}");
    stand.post("", &payload).await?.is(201)?;
    stand.status("2", "enabled").await?;
    Ok(())
}

#[tokio::test]
async fn a_create_that_was_killed_is_given_up_and_tried_again() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let (stand, _) = killed_at(stand, "KILL DATABASE CONNECTION", VIEWS_STATE).await?;
    stand.delete("/1?force=true", None).await?.is(200)?;
    let payload = stand.payload(true, json!({ "impersonation": { "enabled": true } }))?;
    stand.post("", &payload).await?.is(201)?;
    stand.status("2", "enabled").await?;
    stand.delete("/2", Some(&credentials())).await?.is(200)?;
    stand.status("2", "deleted").await?;
    nothing_is_left(&stand).await
}

#[tokio::test]
async fn a_login_that_a_killed_create_left_alone_goes_with_its_delete() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    // The login is there, and its user is not.
    let (stand, told) = killed_at(stand, "CREATE USER [axon_system_dw]", OWNER).await?;
    names(&told, &["the login axon_system_dw"])?;
    stand.delete("/1", Some(&credentials())).await?.is(200)?;
    stand.status("1", "deleted").await?;
    ensure!(!has_login(&stand, "axon_system_dw").await?, "its login is left");
    Ok(())
}
