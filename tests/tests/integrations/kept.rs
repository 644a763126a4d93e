//! Credentials that are lent for a piece of work are in no row, no record, no file and no log: while it goes on, after it failed, and
//! after its end.

use anyhow::ensure;
use axon_tests::{ADMIN, PASSWORD};
use serde_json::{Value, json};

use crate::kit::Stand;

const WRONG: &str = "Wr0ng-but-somebody-s";

/// What was lent is nowhere, also not in what auditors are given.
async fn is_nowhere(stand: &Stand) -> anyhow::Result<()> {
    let exported = stand.place.axon(&["audit", "export"]).await?.exits(0)?.out;
    for secret in [PASSWORD, WRONG] {
        stand.holds_nowhere(secret)?;
        ensure!(!exported.contains(secret), "{exported}");
    }
    Ok(())
}

async fn fault(stand: &Stand, what: Value, matching: &str) -> anyhow::Result<()> {
    let fault = json!({ "what": what, "times": 1, "matching": matching });
    stand.pool.ask("POST", "/pool/faults", Some(fault)).await.map(drop)
}

#[tokio::test]
async fn what_is_lent_is_kept_nowhere_also_where_everything_is_logged() -> anyhow::Result<()> {
    let stand = Stand::talkative().await?;
    let payload = stand.payload(true, json!({ "impersonation": { "enabled": true } }))?;
    let mut wrong = payload.clone();
    wrong["config"]["password"] = json!(WRONG);
    let (credentials, refused) =
        (json!({ "username": ADMIN, "password": PASSWORD }), json!({ "username": ADMIN, "password": WRONG }));
    let (late, fails) = (
        json!({ "latency": { "millis": 1500 } }),
        json!({ "statement": { "number": 50000, "applied": false } }),
    );

    stand.post("", &wrong).await?.is(422)?;
    fault(&stand, fails.clone(), "VIEW DATABASE STATE").await?;
    stand.post("", &payload).await?.is(201)?;
    stand.status("1", "createError").await?;
    is_nowhere(&stand).await?;
    stand.delete("/1", Some(&credentials)).await?.is(200)?;
    stand.status("1", "deleted").await?;

    // In the middle of the work its row is there, and holds nothing of them.
    fault(&stand, late.clone(), "KILL DATABASE CONNECTION").await?;
    let begun = stand.post("", &payload).await?.is(201)?;
    ensure!(!begun.text.contains(PASSWORD), "{}", begun.text);
    is_nowhere(&stand).await?;
    stand.status("2", "enabled").await?;

    for (path, body) in [("/2/regenerate", &refused), ("/2/regenerate", &credentials)] {
        let answer = stand.post(path, body).await?;
        ensure!([200, 422].contains(&answer.status), "{}", answer.text);
    }
    stand.status("2", "enabled").await?;
    stand.put("/2", &wrong).await?.is(422)?;
    fault(&stand, fails.clone(), "VIEW DATABASE STATE").await?;
    stand.put("/2", &payload).await?.is(200)?;
    stand.status("2", "editError").await?;
    is_nowhere(&stand).await?;
    fault(&stand, fails, "DROP TABLE").await?;
    stand.delete("/2", Some(&refused)).await?.is(422)?;
    stand.delete("/2", Some(&credentials)).await?.is(200)?;
    stand.status("2", "deleteError").await?;
    is_nowhere(&stand).await?;

    // What is meant to be kept is found by the same search, so that it looks where things lie; and so are the words of the log.
    let store = if stand.place.has_its_store() { "axon.db" } else { "the database" };
    let of_account = stand.holding("axon_system_dw")?;
    ensure!(of_account.iter().any(|place| place.starts_with(store)), "{of_account:?}");
    for words in ["\"level\":\"DEBUG\"", "the work on an integration failed"] {
        ensure!(stand.holding(words)? == ["serve.log"], "the log has no {words}");
    }
    // Axon's own password is in its file alone.
    let own = stand.place.read("axon.db-secrets/2.secret")?;
    ensure!(own.trim().len() >= 20);
    stand.holds_nowhere(own.trim())?;
    stand.delete("/2", Some(&credentials)).await?.is(200)?;
    stand.status("2", "deleted").await?;
    is_nowhere(&stand).await
}
