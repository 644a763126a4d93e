//! docs/INTEGRATIONS.md, read as a newcomer does: its request is sent, its calls are there, its statuses are all there are.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use axon_store::integrations::IntegrationStatus;
use axon_tests::{ADMIN, PASSWORD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{PRINCIPALS, SCHEMAS, Stand};

const PAGE: &str = include_str!("../../../docs/INTEGRATIONS.md");

const VERBS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];

/// What stands between these two, the first time.
fn between(text: &'static str, from: &str, to: &str) -> anyhow::Result<&'static str> {
    let (_, after) = text.split_once(from).with_context(|| from.to_owned())?;
    Ok(after.split_once(to).with_context(|| to.to_owned())?.0)
}

/// The lines of the table under this heading, without its head.
fn table(heading: &str) -> anyhow::Result<Vec<&'static str>> {
    let (_, after) = PAGE.split_once(heading).with_context(|| heading.to_owned())?;
    let lines = after.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    Ok(lines.take_while(|line| line.starts_with('|')).collect())
}

/// What stands between backticks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[tokio::test]
async fn the_request_of_the_page_makes_what_the_page_says() -> anyhow::Result<()> {
    ensure!(PAGE.matches("\n```").count() == 2, "the page has one block");
    let stand = Stand::start().await?;
    let (path, kind) =
        (between(PAGE, "curl -X POST https://axon.acme.example/integrations", " -H")?, "application/yaml");
    ensure!(PAGE.contains(&format!("-H 'Content-Type: {kind}'")) && path.is_empty());
    let here = format!("host: 127.0.0.1\n  port: {}\n  tls: off", stand.pool.port()?);
    let payload = between(PAGE, " -d '\n", "\n'\n")?
        .replace("host: acme.sql.azuresynapse.net", &here)
        .replace("username: admin@acme.example", &format!("username: {ADMIN}"))
        .replace("password: …", &format!("password: {PASSWORD}"));
    ensure!(payload.contains(&here) && payload.contains(PASSWORD) && payload.contains(ADMIN), "{payload}");
    let body = Some((payload, kind));
    let begun = stand.send_as(&stand.key, Method::POST, path, body, "application/json").await?.is(201)?.body;
    ensure!(begun["id"] == "1" && begun["status"] == "creating", "{begun}");
    let tests = begun["validationResults"]["validationTests"].as_array().context("tests")?;
    ensure!(tests.iter().any(|test| test["name"] == "Validate Secret Can Be Kept"), "{begun}");
    stand.status("1", "enabled").await?;
    ensure!(stand.column(SCHEMAS).await? == ["axon", "secure"]);
    ensure!(stand.column(PRINCIPALS).await? == ["AXON_IMPERSONATION", "axon_owner", "axon_system_dw"]);
    // `username: …` of the system's account is an identity of Entra, for which whoever lends credentials must be one, too.
    let mut other: Value = stand.payload(true, json!({ "database": "other" }))?;
    other["config"]["systemAccount"] =
        json!({ "username": "axon-mi", "authenticationType": "managedIdentity" });
    stand.post("", &other).await?.refuses(400, "Bad Request", "33159")?;
    Ok(())
}

#[tokio::test]
async fn the_calls_and_the_commands_of_the_page_are_there() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let document: Value = serde_json::from_str(&stand.serve.page("/openapi.json").await?.1)?;
    let mut seen = 0;
    for line in table("## Afterwards")? {
        let mut verb = String::new();
        let is_call = |code: &&str| {
            code.starts_with('…') || code.split(' ').next().is_some_and(|word| VERBS.contains(&word))
        };
        for call in code(line).filter(is_call) {
            // What follows the first one has its verb, and begins where it began.
            let (of, path) = call.split_once(' ').unwrap_or((verb.as_str(), call));
            let of = of.to_lowercase();
            let path = path.split('?').next().unwrap_or_default();
            let scripts = if path.contains("cleanup") { "/integrations/scripts" } else { "/integrations" };
            let path = path.replace('…', scripts);
            ensure!(document["paths"][&path][&of].is_object(), "{of} {path}");
            verb = of;
            seen += 1;
        }
    }
    ensure!(seen == 11, "{seen} calls");
    let commands = between(PAGE, "`axon integration list|", "`")?;
    for command in commands.split('|').chain(["list", "target"]) {
        stand.place.axon(&["integration", command, "--help"]).await?.exits(0)?;
    }
    let told: BTreeSet<&str> = table("## Statuses")?
        .iter()
        .flat_map(|line| code(line.split('|').nth(1).unwrap_or_default()))
        .collect();
    let all: BTreeSet<&str> = IntegrationStatus::ALL.iter().map(|status| status.as_str()).collect();
    ensure!(told == all, "{told:?} and {all:?}");
    Ok(())
}
