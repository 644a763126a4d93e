//! The lines of `validationResults` that no other story is about: each as it must be, and as it must not.

use anyhow::{Context, ensure};
use axon_tests::{PASSWORD, SOON, until};
use serde_json::{Value, json};

use crate::kit::{BETWEEN, OWN_PASSWORD, PRINCIPALS, Stand, Steps, run_as, test};

const MANAGES: &str = "Validate Axon system user can manage database";
const RUNS: &str = "Initial Validation: Dedicated SQL Pool Is Running";
const ROLE_IS_FREE: &str = "Validate Automatic: Impersonation Role Does Not Exist";

/// A refused payload, whose look has this one line that failed.
async fn fails(stand: &Stand, payload: &Value, line: &str, words: &str) -> anyhow::Result<()> {
    let refused = stand.post("", payload).await?.refuses(422, "Unprocessable Entity", words)?.body;
    let tests = refused["validationResults"]["validationTests"].as_array().context("tests")?;
    let failed: Vec<&str> = tests
        .iter()
        .filter(|test| test["status"] == "failed")
        .filter_map(|test| test["name"].as_str())
        .collect();
    ensure!(failed == [line], "{refused}");
    let message = test(&refused, line)?["message"].as_str().unwrap_or_default();
    ensure!(message.contains(words), "{message}");
    ensure!(stand.get("").await?.is(200)?.body == json!([]), "nothing was begun");
    Ok(())
}

fn passes(told: &Value, line: &str) -> anyhow::Result<Value> {
    let found = test(told, line)?;
    ensure!(found["status"] == "passed" && found["message"].is_null(), "{found}");
    Ok(found["result"].clone())
}

/// From now on the pool answers this number to what holds these words.
async fn refuses(stand: &Stand, number: u32, words: &str) -> anyhow::Result<()> {
    let fault =
        json!({ "what": { "statement": { "number": number } }, "times": 1_000_000, "matching": words });
    stand.pool.ask("POST", "/pool/faults", Some(fault)).await.map(drop)
}

#[tokio::test]
async fn a_serverless_pool_is_refused_by_its_dialect() -> anyhow::Result<()> {
    let stand = Stand::beside(&["--kind", "serverless"]).await?;
    let words = "this is a serverless pool, whose readers reach the files past any view";
    for automatic in [true, false] {
        let payload = stand.payload(automatic, json!({}))?;
        let refused = stand.post("", &payload).await?.refuses(422, "Unprocessable Entity", words)?.body;
        ensure!(test(&refused, "Validate Dialect")?["status"] == "failed", "{refused}");
    }
    ensure!(stand.get("").await?.is(200)?.body == json!([]));
    ensure!(stand.column(PRINCIPALS).await?.is_empty(), "nothing was made");
    // A dedicated one.
    let stand = Stand::start().await?;
    let begun = stand.post("", &stand.payload(true, json!({}))?).await?.is(201)?.body;
    ensure!(passes(&begun, "Validate Dialect")? == json!([{ "EngineEdition": 6 }]), "{begun}");
    Ok(())
}

#[tokio::test]
async fn a_collation_that_tells_names_apart_by_case_is_told() -> anyhow::Result<()> {
    for (collation, status) in
        [("SQL_Latin1_General_CP1_CI_AS", "passed"), ("Latin1_General_100_CS_AS", "warning")]
    {
        let stand = Stand::beside(&["--collation", collation]).await?;
        // It can be used all the same.
        let begun = stand.post("", &stand.payload(true, json!({}))?).await?.is(201)?.body;
        for told in [&begun, &stand.status("1", "enabled").await?] {
            let line = test(told, "Validate Collation")?;
            ensure!(
                line["status"] == status && line["result"] == json!([{ "collation": collation }]),
                "{line}"
            );
            let says = line["message"].as_str().unwrap_or_default();
            ensure!(says.contains("differ by case alone") == (status == "warning"), "{line}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_the_pool_lacks_of_the_words_of_views_is_told() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let payload = stand.payload(true, json!({}))?;
    let acting = stand.payload(true, json!({ "impersonation": { "enabled": true } }))?;
    refuses(&stand, 195, "IS_ROLEMEMBER(").await?;
    fails(&stand, &payload, "Validate Dialect Probes", "the pool has no IS_ROLEMEMBER").await?;
    stand.pool.ask("DELETE", "/pool/faults", None).await?;

    // What only acting as somebody else needs ends nothing.
    refuses(&stand, 195, "SESSION_CONTEXT(").await?;
    let begun = stand.post("", &acting).await?.is(201)?.body;
    let line = test(&begun, "Validate Dialect Probes")?;
    ensure!(line["status"] == "warning", "{line}");
    ensure!(line["message"].as_str().is_some_and(|m| m.contains("no SESSION_CONTEXT")), "{line}");
    stand.status("1", "enabled").await?;
    stand.put("/1", &payload).await?.is(200)?;
    let told = stand.status("1", "enabled").await?;
    let answers = passes(&told, "Validate Dialect Probes")?;
    ensure!(answers[0] == json!({ "name": "session-context", "answer": "no" }), "{answers}");
    ensure!(answers[1] == json!({ "name": "is-rolemember", "answer": "yes" }), "{answers}");
    Ok(())
}

#[tokio::test]
async fn whoever_may_not_manage_grants_sets_nothing_up() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let login = format!("CREATE LOGIN plain WITH PASSWORD = '{OWN_PASSWORD}'");
    ensure!(run_as(Steps::Password(&stand, "master"), &login).await?.is_empty());
    let mut admin = stand.pool.admin().await?;
    admin.run("CREATE USER plain FOR LOGIN plain").await?;
    let lent = stand.payload(true, json!({ "username": "plain", "password": OWN_PASSWORD }))?;
    fails(&stand, &lent, MANAGES, "plain may not manage grants: it must be a member of db_owner").await?;

    let begun = stand.post("", &stand.payload(true, json!({}))?).await?.is(201)?.body;
    ensure!(passes(&begun, MANAGES)? == json!([{ "name": "dbo" }]));
    let told = stand.status("1", "enabled").await?;
    ensure!(passes(&told, MANAGES)? == json!([{ "name": "axon_system_dw" }]));
    // The same holds of who changes it, renews the password, or takes it away.
    let credentials = json!({ "username": "plain", "password": OWN_PASSWORD });
    let words = "plain may not manage grants";
    stand.put("/1", &lent).await?.refuses(422, "Unprocessable Entity", words)?;
    stand.post("/1/regenerate", &credentials).await?.refuses(422, "Unprocessable Entity", words)?;
    stand.delete("/1", Some(&credentials)).await?.refuses(422, "Unprocessable Entity", words)?;
    ensure!(stand.get("/1").await?.is(200)?.body["status"] == "enabled");
    Ok(())
}

#[tokio::test]
async fn a_pool_that_does_not_run_is_not_taken_for_a_wrong_password() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let payload = stand.payload(true, json!({}))?;
    for (power, number) in [("paused", "42108"), ("resuming", "42109"), ("scaling", "40613")] {
        stand.pool.lever(&format!("power {power}")).await?;
        fails(&stand, &payload, RUNS, number).await?;
        fails(&stand, &payload, RUNS, "resume the pool, then try again").await?;
    }
    stand.pool.lever("power online").await?;
    // A password that is wrong is another line.
    let mut wrong = payload.clone();
    wrong["config"]["password"] = json!(OWN_PASSWORD);
    fails(&stand, &wrong, "Initial Validation: Connect", "look at the name, the password and the database")
        .await?;
    let begun = stand.post("", &payload).await?.is(201)?.body;
    passes(&begun, RUNS)?;
    passes(&begun, "Initial Validation: Connect")?;
    passes(&begun, "Initial Validation: Delimiters")?;
    passes(&begun, "Validate Secret Can Be Kept")?;
    Ok(())
}

#[tokio::test]
async fn names_that_are_taken_are_told_before_and_what_went_is_told_afterwards() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let payload = stand.payload(true, json!({ "impersonation": { "enabled": true } }))?;
    let mut admin = stand.pool.admin().await?;
    for (made, gone, line, words) in [
        (
            "CREATE ROLE AXON_IMPERSONATION",
            "DROP ROLE AXON_IMPERSONATION",
            ROLE_IS_FREE,
            "choose another name for the role",
        ),
        (
            "CREATE USER axon_system_dw WITHOUT LOGIN",
            "DROP USER axon_system_dw",
            "Validate Axon System Account",
            "choose another name for the account",
        ),
        (
            "CREATE SCHEMA sample_schema",
            "DROP SCHEMA sample_schema",
            "Validate Schemas And Their Owner",
            "must belong to axon_owner",
        ),
    ] {
        admin.run(made).await?;
        fails(&stand, &payload, line, words).await?;
        admin.run(gone).await?;
    }
    let begun = stand.post("", &payload).await?.is(201)?.body;
    for line in [
        ROLE_IS_FREE,
        "Validate Axon System Account",
        "Validate Schemas And Their Owner",
        "Validate Owner Of Views And Tables",
    ] {
        passes(&begun, line)?;
    }
    let told = stand.status("1", "enabled").await?;
    let lines = [
        "Validate Impersonation Role",
        "Validate Axon System Account",
        "Validate Schemas And Their Owner",
        "Validate Owner Of Views And Tables",
    ];
    for line in lines {
        passes(&told, line)?;
    }

    // Each of these leaves `enabled` by itself, with what helps, and comes back by itself.
    let broken = [
        (
            "REVOKE ALTER ANY ROLE FROM axon_system_dw",
            "GRANT ALTER ANY ROLE TO axon_system_dw",
            MANAGES,
            "axon_system_dw lacks ALTER ANY ROLE: run the create script again",
        ),
        (
            "REVOKE CONTROL ON SCHEMA::axon FROM axon_system_dw",
            "GRANT CONTROL ON SCHEMA::axon TO axon_system_dw",
            MANAGES,
            "axon_system_dw lacks CONTROL on the schema axon",
        ),
        (
            "DROP ROLE AXON_IMPERSONATION",
            "CREATE ROLE AXON_IMPERSONATION AUTHORIZATION axon_owner",
            "Validate Impersonation Role",
            "the role AXON_IMPERSONATION is not there",
        ),
        (
            "ALTER AUTHORIZATION ON SCHEMA::sample_schema TO dbo",
            "ALTER AUTHORIZATION ON SCHEMA::sample_schema TO axon_owner\nGRANT CONTROL ON SCHEMA::sample_schema TO axon_system_dw",
            "Validate Schemas And Their Owner",
            "the schema sample_schema belongs to dbo, and must belong to axon_owner",
        ),
    ];
    for (breaks, mends, line, words) in broken {
        admin.run(breaks).await.with_context(|| breaks.to_owned())?;
        let what = format!("it is told: {words}");
        until(&what, SOON, async || {
            tokio::time::sleep(BETWEEN).await;
            let told = stand.get("/1/status").await?.is(200)?.body;
            let says = told["message"].as_str().is_some_and(|message| message.contains(words));
            let is_told = told["status"] == "recurringValidationError" && says;
            Ok((is_told && test(&told, line)?["status"] == "failed").then_some(()))
        })
        .await?;
        for batch in mends.split('\n') {
            admin.run(batch).await.with_context(|| batch.to_owned())?;
        }
        let told = stand.status("1", "enabled").await?;
        ensure!(told["message"].is_null(), "{told}");
        passes(&told, line)?;
    }
    // What goes whole leaves nothing to tell.
    let credentials = json!({ "username": axon_tests::ADMIN, "password": PASSWORD });
    stand.delete("/1", Some(&credentials)).await?.is(200)?;
    passes(&stand.status("1", "deleted").await?, "What Stays")?;
    Ok(())
}
