//! What somebody else made is not taken over, and not taken away: roles, logins and users that have the name of Axon's.

use anyhow::{Context, ensure};
use axon_tests::{ADMIN, PASSWORD, SOON, until};
use serde_json::{Value, json};

use crate::kit::{BETWEEN, OWN_PASSWORD, PRINCIPALS, SCHEMAS, Stand, Steps, by_hand, run_as, test};

/// A role of the customer's, with a member, and one in a fixed role.
const THEIRS: [&str; 5] = [
    "CREATE USER bob WITHOUT LOGIN",
    "CREATE ROLE sales_admins",
    "EXEC sp_addrolemember 'sales_admins', 'bob'",
    "EXEC sp_addrolemember 'db_owner', 'bob'",
    "CREATE ROLE empty_one",
];

const MEMBERS: &str = "SELECT r.name FROM sys.database_role_members m \
    JOIN sys.database_principals r ON r.principal_id = m.role_principal_id \
    JOIN sys.database_principals u ON u.principal_id = m.member_principal_id WHERE u.name = 'bob' ORDER BY r.name";

/// Roles of a map, of which one lets its people act as others.
const ACTING: &str =
    "roles:\n  reader: {}\n  support: { impersonate: { warehouse: { roles: [reader], for: 1h } } }\n";

fn credentials() -> Value {
    json!({ "username": ADMIN, "password": PASSWORD })
}

async fn make(stand: &Stand, batches: &[&str]) -> anyhow::Result<()> {
    let mut admin = stand.pool.admin().await?;
    for batch in batches {
        admin.run(batch).await.with_context(|| (*batch).to_owned())?;
    }
    Ok(())
}

/// What bob is in, and the roles that are there.
async fn theirs_stand(stand: &Stand) -> anyhow::Result<()> {
    let of_bob = stand.column(MEMBERS).await?;
    ensure!(of_bob == ["db_owner", "sales_admins"], "{of_bob:?}");
    let there = stand.column(PRINCIPALS).await?;
    for role in ["empty_one", "sales_admins"] {
        ensure!(there.iter().any(|name| name == role), "{role}: {there:?}");
    }
    Ok(())
}

/// Whether the server has this login: a second one of the name is refused, and one that was made for that goes again.
pub async fn has_login(stand: &Stand, login: &str) -> anyhow::Result<bool> {
    let create = format!("CREATE LOGIN [{login}] WITH PASSWORD = '{OWN_PASSWORD}'");
    let refused = run_as(Steps::Password(stand, "master"), &create).await?;
    if refused.is_empty() {
        ensure!(run_as(Steps::Password(stand, "master"), &format!("DROP LOGIN [{login}]")).await?.is_empty());
    }
    Ok(refused == [15025])
}

fn with_role(payload: &Value, role: &str) -> Value {
    let mut change = payload.clone();
    change["config"]["impersonation"] = json!({ "enabled": true, "role": role });
    change
}

#[tokio::test]
async fn a_change_takes_over_no_role_of_somebody_else() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    make(&stand, &THEIRS).await?;
    let payload = stand.payload(true, json!({}))?;
    for fixed in ["db_owner", "DB_DataReader", "public"] {
        let create = with_role(&payload, fixed);
        stand.post("", &create).await?.refuses(422, "Unprocessable Entity", "a name of the engine")?;
    }
    stand.post("", &payload).await?.is(201)?;
    stand.status("1", "enabled").await?;
    for (role, words) in [
        ("sales_admins", "sales_admins is there already"),
        ("empty_one", "empty_one is there already"),
        ("SALES_ADMINS", "is there already"),
        ("db_owner", "a name of the engine"),
        ("public", "a name of the engine"),
        ("bob", "bob is no role"),
    ] {
        let change = with_role(&payload, role);
        stand.put("/1", &change).await?.refuses(422, "Unprocessable Entity", words)?;
    }
    // Its own role comes, may be said again, and goes.
    for change in [with_role(&payload, "AXON_OWN"), with_role(&payload, "AXON_OWN"), payload.clone()] {
        stand.put("/1", &change).await?.is(200)?;
        stand.status("1", "enabled").await?;
    }
    theirs_stand(&stand).await?;
    ensure!(!stand.column(PRINCIPALS).await?.contains(&"AXON_OWN".to_owned()));
    // One that a change made before it failed may be asked for again.
    let broken = json!({ "what": { "statement": { "number": 50000, "applied": false } }, "times": 1, "matching": "VIEW DATABASE STATE" });
    stand.pool.ask("POST", "/pool/faults", Some(broken)).await?;
    stand.put("/1", &with_role(&payload, "AXON_OWN")).await?.is(200)?;
    stand.status("1", "editError").await?;
    stand.put("/1", &with_role(&payload, "AXON_OWN")).await?.is(200)?;
    stand.status("1", "enabled").await?;
    stand.delete("/1", Some(&credentials())).await?.is(200)?;
    stand.status("1", "deleted").await?;
    theirs_stand(&stand).await?;
    ensure!(stand.column(PRINCIPALS).await? == ["bob", "empty_one", "sales_admins"]);
    Ok(())
}

#[tokio::test]
async fn scripts_take_no_role_and_no_account_of_somebody_else() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    make(&stand, &THEIRS).await?;
    let own = json!({ "username": "reports", "password": OWN_PASSWORD });
    let payload = stand.payload(false, own)?;
    // Another program enters as this login and user already.
    let login = format!("CREATE LOGIN reports WITH PASSWORD = '{OWN_PASSWORD}'");
    ensure!(run_as(Steps::Password(&stand, "master"), &login).await?.is_empty());
    make(&stand, &["CREATE USER reports FOR LOGIN reports"]).await?;
    let taking = with_role(&payload, "sales_admins");
    let run = async |database: &'static str, path: &str, payload: &Value| {
        let script = stand.script(path, payload).await?;
        run_as(Steps::Password(&stand, database), &script).await
    };
    ensure!(run("master", "/scripts/initial-create", &payload).await? == [15025]);
    ensure!(run("dw", "/scripts/create", &taking).await? == [15023]);
    stand.post("", &taking).await?.refuses(422, "Unprocessable Entity", "sales_admins is there already")?;
    stand.post("/scripts/create", &with_role(&payload, "db_owner")).await?.is(422)?;
    stand.post("", &payload).await?.is(201)?;
    stand.status("1", "enabled").await?;
    ensure!(run("dw", "/1/scripts/edit", &taking).await? == [15023]);
    stand.put("/1", &taking).await?.refuses(422, "Unprocessable Entity", "sales_admins is there already")?;
    stand.put("/1", &with_role(&payload, "db_owner")).await?.refuses(
        422,
        "Unprocessable Entity",
        "a name of the engine",
    )?;
    ensure!(run("dw", "/scripts/cleanup", &taking).await?.is_empty());
    ensure!(run("master", "/scripts/post-cleanup", &taking).await?.is_empty());
    theirs_stand(&stand).await?;
    ensure!(has_login(&stand, "reports").await?, "the login of another program is gone");
    ensure!(stand.column(PRINCIPALS).await? == ["axon_owner", "bob", "empty_one", "reports", "sales_admins"]);
    ensure!(stand.column(SCHEMAS).await? == ["axon", "sample_schema"]);
    // Whoever knows that the scripts made them runs these lines.
    let last = by_hand(&stand.script("/scripts/post-cleanup", &taking).await?);
    let all = by_hand(&stand.script("/scripts/cleanup", &taking).await?);
    ensure!(run_as(Steps::Password(&stand, "dw"), &all).await?.is_empty());
    ensure!(run_as(Steps::Password(&stand, "master"), &last).await?.is_empty());
    ensure!(!has_login(&stand, "reports").await?);
    ensure!(stand.column(PRINCIPALS).await? == ["bob", "empty_one", "sales_admins"]);
    ensure!(stand.column(SCHEMAS).await?.is_empty());
    theirs_stand(&stand).await
}

#[tokio::test]
async fn a_login_that_was_there_before_outlives_create_and_delete() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let login = format!("CREATE LOGIN other_app WITH PASSWORD = '{OWN_PASSWORD}'");
    ensure!(run_as(Steps::Password(&stand, "master"), &login).await?.is_empty());
    let payload = stand.payload(true, json!({ "systemAccount": { "username": "other_app" } }))?;
    for id in ["1", "2"] {
        stand.post("", &payload).await?.is(201)?;
        let told = stand.status(id, "createError").await?;
        ensure!(told["message"].as_str().is_some_and(|m| m.contains("other_app is there already")), "{told}");
        stand.delete(&format!("/{id}"), Some(&credentials())).await?.is(200)?;
        stand.status(id, "deleted").await?;
        ensure!(has_login(&stand, "other_app").await?, "the login of another program is gone");
    }
    // Given up is no way to it either.
    stand.post("", &payload).await?.is(201)?;
    stand.status("3", "createError").await?;
    stand.delete("/3?force=true", None).await?.is(200)?;
    stand.post("", &payload).await?.is(201)?;
    stand.status("4", "createError").await?;
    ensure!(has_login(&stand, "other_app").await?);
    Ok(())
}

#[tokio::test]
async fn delimiters_change_by_a_disable_and_the_same_create_again() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let payload = stand.payload(true, json!({ "impersonation": { "enabled": true } }))?;
    stand.post("", &payload).await?.is(201)?;
    stand.status("1", "enabled").await?;
    stand.delete("/1?force=true", None).await?.is(200)?;
    ensure!(!stand.place.file("axon.db-secrets/1.secret").exists());
    let mut other = payload.clone();
    other["config"]["metadataDelimiters"] =
        json!({ "hashDelimiter": ";", "hashKeyDelimiter": "-", "arrayDelimiter": "," });
    stand.post("", &other).await?.is(201)?;
    stand.status("2", "enabled").await?;
    let shown = stand.get("/2").await?.is(200)?.body;
    ensure!(shown["config"]["metadataDelimiters"]["hashDelimiter"] == ";", "{shown}");
    // What it took over goes with it, and only with it.
    stand.delete("/2", Some(&credentials())).await?.is(200)?;
    stand.status("2", "deleted").await?;
    ensure!(stand.column(PRINCIPALS).await?.is_empty() && stand.column(SCHEMAS).await?.is_empty());
    ensure!(!has_login(&stand, "axon_system_dw").await?);
    // The one that was given up has nothing left to take over: this login is another program's.
    let login = format!("CREATE LOGIN axon_system_dw WITH PASSWORD = '{OWN_PASSWORD}'");
    ensure!(run_as(Steps::Password(&stand, "master"), &login).await?.is_empty());
    stand.post("", &payload).await?.is(201)?;
    let told = stand.status("3", "createError").await?;
    ensure!(told["message"].as_str().is_some_and(|m| m.contains("is there already")), "{told}");
    Ok(())
}

#[tokio::test]
async fn a_target_that_differs_from_the_integration_is_told() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let payload = stand.payload(true, json!({}))?;
    stand.post("", &with_role(&payload, "AXON_OWN")).await?.is(201)?;
    stand.status("1", "enabled").await?;
    let entry = stand.place.axon(&["integration", "target", "1"]).await?.exits(0)?.out;
    let role = "    metadata: { impersonation: \"AXON_OWN\" }\n";
    ensure!(entry.contains(role) && entry.contains("[\"sample_schema\"]"), "{entry}");
    for (entry, status, words) in [
        (entry.clone(), "passed", ""),
        (entry.replace(role, ""), "warning", "is AXON_IMPERSONATION, and the integration's role is AXON_OWN"),
        (entry.replace("AXON_OWN", "AXON_OTHER"), "warning", "`metadata.impersonation` is AXON_OTHER"),
        (
            entry.replace("[\"sample_schema\"]", "[\"else\"]"),
            "warning",
            "`manage.schemas` do not name sample_schema",
        ),
    ] {
        stand.place.write("role-map.yaml", &format!("axon: 1\n{ACTING}{entry}"))?;
        let mut last = Value::Null;
        let told = until("the look tells of it", SOON, async || {
            tokio::time::sleep(BETWEEN).await;
            last = test(&stand.get("/1").await?.is(200)?.body, "Validate Role Map Target")?.clone();
            let says = last["message"].as_str().unwrap_or_default().contains(words);
            Ok((last["status"] == status && says).then_some(()))
        })
        .await;
        told.with_context(|| format!("{words}: {last}"))?;
    }
    Ok(())
}
