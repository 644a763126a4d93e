//! Manual set-up: scripts that people run, in YAML as in JSON, and the command line.

use anyhow::ensure;
use axon_tests::{ADMIN, PASSWORD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{OWN_PASSWORD, PRINCIPALS, SCHEMAS, Stand, Steps, by_hand, run_as, test};

const OWN: &str = "taylor@synapse.com";

fn own() -> Value {
    json!({ "username": OWN, "password": OWN_PASSWORD })
}

/// Runs a script as the administrator.
async fn run(stand: &Stand, database: &str, script: &str) -> anyhow::Result<Vec<u32>> {
    run_as(Steps::Password(stand, database), script).await
}

async fn script(stand: &Stand, path: &str, payload: &Value) -> anyhow::Result<String> {
    stand.script(path, payload).await
}

#[tokio::test]
async fn a_manual_integration_by_scripts_that_can_be_run_again() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let payload = stand.payload(false, own())?;
    stand.post("", &payload).await?.refuses(422, "Unprocessable Entity", "Connect")?;
    let first = script(&stand, "/scripts/initial-create", &payload).await?;
    let second = script(&stand, "/scripts/create", &payload).await?;
    ensure!(run(&stand, "master", &first).await?.is_empty());
    ensure!(run(&stand, "dw", &second).await?.is_empty());
    // Again: what cannot look first says that it is there.
    ensure!(run(&stand, "master", &first).await? == [15025]);
    ensure!(run(&stand, "dw", &second).await? == [15023]);
    ensure!(stand.column(SCHEMAS).await? == ["axon", "sample_schema"]);

    // YAML says the same as JSON.
    let yaml = format!(
        "type: Azure Synapse Analytics\nautoBootstrap: false\nconfig:\n  host: 127.0.0.1\n  port: {}\n  tls: 'off'\n  \
         database: dw\n  schema: sample_schema\n  impersonation: {{ enabled: false }}\n  username: {OWN}\n  \
         password: {OWN_PASSWORD}\n  authenticationType: userPassword\n",
        stand.pool.port()?
    );
    let body = Some((yaml, "application/yaml"));
    let begun = stand.send_as(&stand.key, Method::POST, "", body, "application/json").await?.is(201)?;
    ensure!(begun.body["status"] == "creating", "{}", begun.text);
    let told = stand.status("1", "enabled").await?;
    let own_name = &test(&told, "Validate Axon system user can manage database")?["result"];
    ensure!(*own_name == json!([{ "name": OWN }]), "{own_name}");
    stand.holds_nowhere(OWN_PASSWORD)?;

    // A change: its script first, then the API is told.
    let mut change = payload.clone();
    change["config"]["impersonation"] = json!({ "enabled": true });
    stand.put("/1", &change).await?.refuses(
        422,
        "Unprocessable Entity",
        "AXON_IMPERSONATION is not there",
    )?;
    let edit = script(&stand, "/1/scripts/edit", &change).await?;
    ensure!(run(&stand, "dw", &edit).await? == [15023]);
    ensure!(stand.put("/1", &change).await?.is(200)?.body["status"] == "editing");
    stand.status("1", "enabled").await?;
    let back = script(&stand, "/1/scripts/edit", &payload).await?;
    ensure!(run(&stand, "dw", &back).await? == [15023] && run(&stand, "dw", &back).await? == [15023]);
    ensure!(stand.column(PRINCIPALS).await? == ["axon_owner", OWN]);
    stand.put("/1", &payload).await?.is(200)?;
    stand.status("1", "enabled").await?;

    // The end: people run the script, credentials are not taken.
    stand.delete("/1", Some(&own())).await?.refuses(400, "Bad Request", "without a payload")?;
    let delete = script(&stand, "/1/scripts/delete", &json!({})).await?;
    let last = script(&stand, "/scripts/post-cleanup", &payload).await?;
    let cleanup = script(&stand, "/scripts/cleanup", &payload).await?;
    ensure!(delete.contains("DROP USER [taylor@synapse.com]") && last.contains("DROP LOGIN"));
    let (cleanup, last) = (by_hand(&cleanup), by_hand(&last));
    ensure!(run(&stand, "dw", &cleanup).await?.is_empty() && run(&stand, "dw", &cleanup).await?.is_empty());
    ensure!(run(&stand, "master", &last).await?.is_empty() && run(&stand, "master", &last).await? == [15151]);
    ensure!(stand.column(PRINCIPALS).await?.is_empty() && stand.column(SCHEMAS).await?.is_empty());
    ensure!(stand.delete("/1", None).await?.is(200)?.body["status"] == "deleting");
    stand.status("1", "deleted").await?;
    ensure!(!stand.place.file("axon.db-secrets/1.secret").exists());
    Ok(())
}

#[tokio::test]
async fn the_command_line_does_the_same() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    stand.place.write("key", &stand.key)?;
    stand.place.write(
        "payload.json",
        &stand.payload(true, json!({ "impersonation": { "enabled": true } }))?.to_string(),
    )?;
    stand.place.write("credentials.yaml", &format!("username: {ADMIN}\npassword: {PASSWORD}\n"))?;
    let axon = async |words: &[&str]| {
        let mut all = vec!["integration"];
        all.extend(words);
        all.extend(["--url", stand.serve.address(), "--token-file", "key"]);
        stand.place.axon(&all).await
    };
    let made = axon(&["create", "payload.json"]).await?.exits(0)?.json()?;
    ensure!(made["status"] == "enabled", "{made}");
    ensure!(axon(&["list"]).await?.exits(0)?.json()?[0]["id"] == "1");
    ensure!(axon(&["show", "1"]).await?.exits(0)?.json()?["config"]["username"] == "<REDACTED>");
    ensure!(axon(&["status", "1"]).await?.exits(0)?.json()?["status"] == "enabled");
    axon(&["create", "payload.json"])
        .await?
        .exits(1)?
        .says(&["409", "already exists on host 127.0.0.1 (id = 1)"])?;
    axon(&["update", "1", "payload.json"]).await?.exits(0)?;
    axon(&["regenerate", "1", "--credentials", "credentials.yaml"]).await?.exits(0)?;
    axon(&["script", "delete", "--id", "1"]).await?.exits(0)?;
    axon(&["script", "create"]).await?.exits(1)?.says(&["--payload"])?;
    // The entry of the role map leads into the pool as Axon's own account.
    let entry = stand.place.axon(&["integration", "target", "1"]).await?.exits(0)?.out;
    stand.place.write("with-target.yaml", &format!("axon: 1\n{entry}"))?;
    // How much may be taken at once is whoever writes the map to say.
    let check = ["map", "check", "with-target.yaml"];
    let said = stand.place.axon(&check).await?.exits(3)?;
    ensure!(said.out.contains("can be used: 1 target") && said.out.contains("[unbounded-removals]"));
    ensure!(entry.contains("axon_system_dw") && entry.contains("1.secret"), "{entry}");
    axon(&["delete", "1"]).await?.exits(1)?.says(&["400"])?;
    axon(&["delete", "1", "--credentials", "credentials.yaml"]).await?.exits(0)?;
    ensure!(stand.column(PRINCIPALS).await?.is_empty());
    axon(&["show", "1"]).await?.exits(1)?.says(&["No integration found with ID 1."])?;
    Ok(())
}
