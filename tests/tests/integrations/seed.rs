//! Each request of the API that this one follows, as its page has it, and the answer of that page: the same members and the same words, with
//! the host, the people and the product's name of here.

use anyhow::{Context, ensure};
use axon_tests::{ADMIN, PASSWORD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Stand, Steps, by_hand, run_as, secrets};

/// The payload of the page: `automatic`, with which of `impersonation` (left out, false, true) and with delimiters or without.
fn payload(automatic: bool, impersonation: Option<bool>, delimiters: bool) -> Value {
    let mut config = json!({
        "host": "organization.azure.com", "schema": "sample_schema", "database": "immuta",
        "username": "taylor@synapse.com", "password": "abc1234", "authenticationType": "userPassword",
    });
    match impersonation {
        Some(true) => config["impersonation"] = json!({ "enabled": true, "role": "IMMUTA_IMPERSONATION" }),
        Some(false) => config["impersonation"] = json!({ "enabled": false }),
        None => {}
    }
    if delimiters {
        config["metadataDelimiters"] =
            json!({ "hashDelimiter": "|", "hashKeyDelimiter": "-", "arrayDelimiter": "," });
    }
    json!({ "type": "Azure Synapse Analytics", "autoBootstrap": automatic, "config": config })
}

/// The same for this stand: where its pool is, who administers it, and Axon's own password.
fn here(stand: &Stand, mut payload: Value) -> anyhow::Result<Value> {
    let automatic = payload["autoBootstrap"] == true;
    let config = &mut payload["config"];
    config["host"] = json!("127.0.0.1");
    config["database"] = json!("dw");
    config["port"] = json!(stand.pool.port()?);
    config["tls"] = json!("off");
    if automatic {
        config["username"] = json!(ADMIN);
        config["password"] = json!(PASSWORD);
    } else {
        config["password"] = json!(crate::kit::OWN_PASSWORD);
    }
    Ok(payload)
}

/// The members of an object, in order.
fn members(value: &Value) -> Vec<&str> {
    value.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

/// What the page answers where work begins, and where one is shown.
fn as_on_the_page(answer: &Value, status: &str, is_whole: bool) -> anyhow::Result<()> {
    ensure!(answer["id"].is_string() && answer["status"] == status, "{answer}");
    let wanted: &[&str] = if is_whole {
        &["autoBootstrap", "config", "id", "status", "type", "validationResults"]
    } else {
        &["id", "status", "validationResults"]
    };
    ensure!(members(answer) == wanted, "{answer}");
    let results = &answer["validationResults"];
    ensure!(results["status"] == "passed" && members(results) == ["status", "validationTests"], "{answer}");
    let tests = results["validationTests"].as_array().context("tests")?;
    let named = |name: &str| tests.iter().find(|test| test["name"] == name).with_context(|| name.to_owned());
    let connect = named("Initial Validation: Connect")?;
    ensure!(named("Initial Validation: Delimiters")?["status"] == "passed");
    let manages = named("Validate Axon system user can manage database")?;
    ensure!(connect["status"] == "passed" && manages["status"] == "passed", "{answer}");
    ensure!(members(&manages["result"][0]) == ["name"], "{manages}");
    if let Some(schema) = connect["result"].as_array().and_then(|rows| rows.first()) {
        let columns = [
            "CATALOG_NAME",
            "DEFAULT_CHARACTER_SET_CATALOG",
            "DEFAULT_CHARACTER_SET_NAME",
            "DEFAULT_CHARACTER_SET_SCHEMA",
            "SCHEMA_NAME",
            "SCHEMA_OWNER",
        ];
        ensure!(members(schema) == columns && schema["DEFAULT_CHARACTER_SET_NAME"] == "iso_1", "{schema}");
    }
    Ok(())
}

/// What the page answers with an error.
fn conflicts(answer: &Value, message: &str) -> anyhow::Result<()> {
    let wanted = json!({ "statusCode": 409, "error": "Conflict", "message": message });
    ensure!(*answer == wanted, "{answer}");
    Ok(())
}

/// The config that the page shows.
fn shown(stand: &Stand, impersonation: &Value) -> anyhow::Result<Value> {
    Ok(json!({
        "host": "127.0.0.1", "schema": "sample_schema", "database": "dw", "port": stand.pool.port()?,
        "impersonation": impersonation,
        "metadataDelimiters": { "hashDelimiter": "|", "hashKeyDelimiter": "-", "arrayDelimiter": "," },
        "username": "<REDACTED>", "tls": "off",
    }))
}

/// Sends a payload in one of the two languages.
async fn send(
    stand: &Stand,
    method: Method,
    path: &str,
    payload: &Value,
    yaml: bool,
) -> anyhow::Result<Value> {
    let (text, kind) = if yaml {
        // Flow style: YAML holds JSON, with keys that need no quotes.
        let text = payload.to_string().replace("\"config\":", "config: ").replace("\"type\":", "type: ");
        (text, "application/yaml")
    } else {
        (payload.to_string(), "application/json")
    };
    let answer = stand.send_as(&stand.key, method, path, Some((text, kind)), "application/json").await?;
    ensure!(answer.status < 300, "{path}: {}", answer.text);
    Ok(answer.body)
}

/// So many statements with this text are late by so much, or until the faults of the pool are forgotten.
async fn slow(stand: &Stand, (millis, times): (u32, u32), text: &str) -> anyhow::Result<()> {
    let slow = json!({ "what": { "latency": { "millis": millis } }, "times": times, "matching": text });
    stand.pool.ask("POST", "/pool/faults", Some(slow)).await.map(drop)
}

/// Whose callers may ask as often as a test does: who is told to come back later would come when what it asks about is over.
async fn start() -> anyhow::Result<Stand> {
    Stand::start_with(&format!("{}, requests_per_second: 1000", secrets())).await
}

#[tokio::test]
async fn every_automatic_request_of_the_page_is_answered_as_on_the_page() -> anyhow::Result<()> {
    let stand = start().await?;
    let mut id = 0;
    let without = (None, false, json!({ "enabled": false }));
    let off = (Some(false), true, json!({ "enabled": false }));
    let with = (Some(true), true, json!({ "enabled": true, "role": "IMMUTA_IMPERSONATION" }));
    for (impersonation, delimiters, is_shown) in [without, off, with] {
        for yaml in [false, true] {
            id += 1;
            let path = format!("/{id}");
            let create = here(&stand, payload(true, impersonation, delimiters))?;
            as_on_the_page(&send(&stand, Method::POST, "", &create, yaml).await?, "creating", false)?;
            stand.status(&id.to_string(), "enabled").await?;
            let there =
                format!("Azure Synapse Analytics integration already exists on host 127.0.0.1 (id = {id})");
            conflicts(&stand.post("", &create).await?.is(409)?.body, &there)?;

            let one = stand.get(&path).await?.is(200)?.body;
            as_on_the_page(&one, "enabled", true)?;
            ensure!(one["config"] == shown(&stand, &is_shown)?, "{one}");
            ensure!(stand.get("").await?.is(200)?.body == json!([one]));

            slow(&stand, (30_000, 1), "KILL DATABASE CONNECTION").await?;
            let update = here(&stand, payload(true, None, true))?;
            as_on_the_page(&send(&stand, Method::PUT, &path, &update, yaml).await?, "editing", false)?;
            let busy = format!("Unable to edit integration with ID {id} in current state editing.");
            conflicts(&stand.put(&path, &update).await?.is(409)?.body, &busy)?;
            stand.pool.ask("DELETE", "/pool/faults", None).await?;
            stand.status(&id.to_string(), "enabled").await?;

            let credentials =
                json!({ "authenticationType": "userPassword", "username": ADMIN, "password": PASSWORD });
            as_on_the_page(
                &send(&stand, Method::DELETE, &path, &credentials, yaml).await?,
                "deleting",
                false,
            )?;
            stand.status(&id.to_string(), "deleted").await?;
        }
    }
    Ok(())
}

/// A script in both languages, sent as the page has it: the same text.
async fn script_of(stand: &Stand, path: &str, payload: &Value) -> anyhow::Result<String> {
    let script = stand.script(path, payload).await?;
    for yaml in [false, true] {
        let told = send(stand, Method::POST, path, payload, yaml).await?;
        ensure!(told == json!(script), "{path}: not the same as YAML {yaml}: {told}");
    }
    Ok(script)
}

/// Runs a script as people do; gives the numbers of the refusals.
async fn run(stand: &Stand, database: &str, script: &str) -> anyhow::Result<Vec<u32>> {
    run_as(Steps::Password(stand, database), script).await
}

const ROLES: &str = "SELECT name FROM sys.database_principals WHERE name = 'IMMUTA_IMPERSONATION'";

/// Edits, and is refused another edit while that one is under way. Each look is slowed down, also the one before the answer; where this
/// machine was slower still, and the first edit was over, both are made again over slower looks.
async fn edit_under_way(stand: &Stand, id: u64, update: &Value, yaml: bool) -> anyhow::Result<()> {
    let path = format!("/{id}");
    let busy = format!("Unable to edit integration with ID {id} in current state editing.");
    for millis in [50, 200, 800] {
        slow(stand, (millis, 1_000), "INFORMATION_SCHEMA.SCHEMATA").await?;
        as_on_the_page(&send(stand, Method::PUT, &path, update, yaml).await?, "editing", false)?;
        let other = stand.put(&path, update).await?;
        stand.pool.ask("DELETE", "/pool/faults", None).await?;
        if other.status == 409 {
            return conflicts(&other.body, &busy);
        }
        as_on_the_page(&other.is(200)?.body, "editing", false)?;
        stand.status(&id.to_string(), "enabled").await?;
    }
    anyhow::bail!("no edit of {id} was under way when another one came")
}

/// The manual story of the page from the first script to the end, with this `impersonation` and all payloads in this language.
async fn by_scripts(stand: &Stand, id: u64, impersonation: bool, yaml: bool) -> anyhow::Result<()> {
    let path = format!("/{id}");
    let create = here(stand, payload(false, Some(impersonation), true))?;
    for (path, database) in [("/scripts/initial-create", "master"), ("/scripts/create", "dw")] {
        let script = script_of(stand, path, &create).await?;
        ensure!(script.contains("IMMUTA_IMPERSONATION") == (impersonation && database == "dw"), "{script}");
        ensure!(run(stand, database, &script).await?.is_empty());
    }
    as_on_the_page(&send(stand, Method::POST, "", &create, yaml).await?, "creating", false)?;
    stand.status(&id.to_string(), "enabled").await?;
    let there = format!("Azure Synapse Analytics integration already exists on host 127.0.0.1 (id = {id})");
    conflicts(&stand.post("", &create).await?.is(409)?.body, &there)?;
    let role = |is_on: bool| {
        if is_on {
            json!({ "enabled": true, "role": "IMMUTA_IMPERSONATION" })
        } else {
            json!({ "enabled": false })
        }
    };
    let one = stand.get(&path).await?.is(200)?.body;
    as_on_the_page(&one, "enabled", true)?;
    ensure!(one["autoBootstrap"] == false && one["config"] == shown(stand, &role(impersonation))?, "{one}");
    ensure!(stand.get("").await?.is(200)?.body == json!([one]));

    // To the other one and back: each in the page's shape, its script first.
    for is_on in [!impersonation, impersonation] {
        let update = here(stand, payload(false, Some(is_on), true))?;
        let edit = script_of(stand, &format!("{path}/scripts/edit"), &update).await?;
        // That the account has its user says 15023: it is there since the create.
        ensure!(run(stand, "dw", &edit).await? == [15023], "{edit}");
        ensure!(stand.column(ROLES).await?.len() == usize::from(is_on), "{edit}");
        if is_on == impersonation {
            as_on_the_page(&send(stand, Method::PUT, &path, &update, yaml).await?, "editing", false)?;
        } else {
            edit_under_way(stand, id, &update, yaml).await?;
        }
        stand.status(&id.to_string(), "enabled").await?;
        let one = stand.get(&path).await?.is(200)?.body;
        as_on_the_page(&one, "enabled", true)?;
        ensure!(one["autoBootstrap"] == false && one["config"] == shown(stand, &role(is_on))?, "{one}");
    }

    let delete = by_hand(&script_of(stand, "/scripts/cleanup", &create).await?);
    ensure!(run(stand, "dw", &delete).await?.is_empty());
    let last = by_hand(&script_of(stand, "/scripts/post-cleanup", &create).await?);
    ensure!(run(stand, "master", &last).await?.is_empty());
    // Without a payload.
    let begun = stand.delete(&path, None).await?.is(200)?.body;
    ensure!(
        begun["status"] == "deleting" && members(&begun) == ["id", "status", "validationResults"],
        "{begun}"
    );
    stand.status(&id.to_string(), "deleted").await?;
    Ok(())
}

#[tokio::test]
async fn every_manual_request_of_the_page_is_answered_as_on_the_page() -> anyhow::Result<()> {
    let stand = start().await?;
    let rounds = [(false, false), (false, true), (true, false), (true, true)];
    for (id, (impersonation, yaml)) in (1..).zip(rounds) {
        by_scripts(&stand, id, impersonation, yaml).await?;
    }
    Ok(())
}
