//! `axon integration`: what it prints is what the API answers, and what is wrong is told with what helps.

use anyhow::ensure;
use axon_tests::{ADMIN, PASSWORD, Said};
use serde_json::{Value, json};

use crate::kit::{OWN_PASSWORD, PRINCIPALS, SCHEMAS, Stand, Steps, by_hand, operator, run_as};

/// The command with the stand's server and this file of a key.
async fn axon_with(stand: &Stand, key: &str, words: &[&str]) -> anyhow::Result<Said> {
    let mut all = vec!["integration"];
    all.extend(words);
    all.extend(["--url", stand.serve.address(), "--token-file", key]);
    stand.place.axon(&all).await
}

async fn axon(stand: &Stand, words: &[&str]) -> anyhow::Result<Said> {
    axon_with(stand, "key", words).await
}

/// A stand, whose key and whose payloads lie in files: `payload.json`, and `change.json` with a role.
async fn furnished(automatic: bool, config: Value) -> anyhow::Result<(Stand, Value, Value)> {
    let stand = Stand::start().await?;
    stand.place.write("key", &stand.key)?;
    let payload = stand.payload(automatic, config)?;
    let mut change = payload.clone();
    change["config"]["impersonation"] = json!({ "enabled": true });
    stand.place.write("payload.json", &payload.to_string())?;
    stand.place.write("change.json", &change.to_string())?;
    Ok((stand, payload, change))
}

#[tokio::test]
async fn each_script_that_is_printed_is_the_api_s_and_leads_from_the_first_to_the_last() -> anyhow::Result<()>
{
    let own = json!({ "username": "taylor@synapse.com", "password": OWN_PASSWORD });
    let (stand, payload, change) = furnished(false, own).await?;
    // Prints a script, which is the one of the API to the letter.
    let printed = async |path: &str, payload: &Value, words: &[&str]| {
        let mut all = vec!["script"];
        all.extend(words);
        let said = axon(&stand, &all).await?.exits(0)?;
        ensure!(said.err.is_empty(), "{}", said.err);
        ensure!(!said.out.contains(OWN_PASSWORD), "a script holds no password");
        let script = stand.script(path, payload).await?;
        ensure!(said.out == script, "{path}: {}", said.out);
        Ok::<_, anyhow::Error>(script)
    };
    let by = ["--payload", "payload.json"];
    let first = printed("/scripts/initial-create", &payload, &["initial-create", by[0], by[1]]).await?;
    let second = printed("/scripts/create", &payload, &["create", by[0], by[1]]).await?;
    ensure!(run_as(Steps::Password(&stand, "master"), &first).await?.is_empty());
    ensure!(run_as(Steps::Password(&stand, "dw"), &second).await?.is_empty());
    let made = axon(&stand, &["create", "payload.json"]).await?.exits(0)?.json()?;
    ensure!(made["status"] == "enabled" && made == stand.get("/1/status").await?.body, "{made}");

    let edit = ["edit", "--id", "1", "--payload", "change.json"];
    let edit = printed("/1/scripts/edit", &change, &edit).await?;
    ensure!(edit.contains("AXON_IMPERSONATION"), "{edit}");
    // What the script was not run for is refused with the line that failed.
    let refused = axon(&stand, &["update", "1", "change.json"]).await?.exits(1)?;
    refused.says(&["422", "AXON_IMPERSONATION is not there: run the create script"])?;
    ensure!(run_as(Steps::Password(&stand, "dw"), &edit).await? == [15023]);
    let changed = axon(&stand, &["update", "1", "change.json"]).await?.exits(0)?.json()?;
    ensure!(changed["status"] == "enabled", "{changed}");

    let delete = printed("/1/scripts/delete", &json!({}), &["delete", "--id", "1"]).await?;
    let cleanup = printed("/scripts/cleanup", &change, &["cleanup", "--payload", "change.json"]).await?;
    let last = printed("/scripts/post-cleanup", &payload, &["post-cleanup", by[0], by[1]]).await?;
    let all = [&first, &second, &edit, &delete, &cleanup, &last];
    for (n, one) in all.iter().enumerate() {
        ensure!(all[n + 1..].iter().all(|other| other != one), "two kinds are one script: {one}");
    }
    ensure!(run_as(Steps::Password(&stand, "dw"), &by_hand(&cleanup)).await?.is_empty());
    ensure!(run_as(Steps::Password(&stand, "master"), &by_hand(&last)).await?.is_empty());
    ensure!(stand.column(PRINCIPALS).await?.is_empty() && stand.column(SCHEMAS).await?.is_empty());
    let gone = axon(&stand, &["delete", "1"]).await?.exits(0)?.json()?;
    ensure!(gone["status"] == "deleted", "{gone}");
    Ok(())
}

#[tokio::test]
async fn what_a_script_cannot_be_asked_for_is_told_with_what_helps() -> anyhow::Result<()> {
    let (stand, ..) = furnished(false, json!({ "username": "own", "password": OWN_PASSWORD })).await?;
    stand.place.write("automatic.json", &stand.payload(true, json!({}))?.to_string())?;
    stand.place.write("broken.yaml", "type: [")?;
    stand.place.write("long.json", &format!("{{\"x\": \"{}\"}}", "y".repeat(70_000)))?;
    let payload = "--payload";
    for (words, code, says) in [
        (&["script", "initial-create"][..], 1, &["--payload FILE says what is asked for"][..]),
        (&["script", "create"], 1, &["--payload FILE"]),
        (&["script", "cleanup"], 1, &["--payload FILE"]),
        (&["script", "post-cleanup"], 1, &["--payload FILE"]),
        (&["script", "edit", payload, "payload.json"], 1, &["which one? --id NUMBER"]),
        (&["script", "delete"], 1, &["which one? --id NUMBER"]),
        (&["script", "edit", "--id", "1"], 1, &["--payload FILE"]),
        (&["script", "create", "--id", "1", payload, "payload.json"], 1, &["--id is for edit and delete"]),
        (&["script", "cleanup", "--id", "1", payload, "payload.json"], 1, &["--id is for edit and delete"]),
        (&["script", "create", payload, "nowhere.json"], 1, &["cannot read nowhere.json"]),
        (&["script", "create", payload, "long.json"], 1, &["the payload is over 65536 bytes"]),
        (&["script", "create", payload, "broken.yaml"], 1, &["400", "the body is not YAML"]),
        (
            &["script", "create", payload, "automatic.json"],
            1,
            &["400", "scripts are for `autoBootstrap` false"],
        ),
        (
            &["script", "edit", "--id", "7", payload, "payload.json"],
            1,
            &["404", "No integration found with ID 7."],
        ),
        (&["script", "delete", "--id", "7"], 1, &["404", "No integration found with ID 7."]),
        (&["script", "craete", payload, "payload.json"], 2, &["craete", "create"]),
        (&["script", "delete", "--id", "one"], 2, &["--id"]),
        (&["script"], 2, &["<KIND>"]),
    ] {
        let said = axon(&stand, words).await?.exits(code)?;
        ensure!(said.out.is_empty(), "{words:?} prints {}", said.out);
        said.says(says)?;
    }
    Ok(())
}

#[tokio::test]
async fn each_call_ends_with_a_status_that_a_script_can_go_by() -> anyhow::Result<()> {
    let (stand, ..) = furnished(true, json!({})).await?;
    stand.place.write("credentials.yaml", &format!("username: {ADMIN}\npassword: {PASSWORD}\n"))?;
    stand.place.write("wrong.yaml", &format!("username: {ADMIN}\npassword: {OWN_PASSWORD}\n"))?;
    ensure!(axon(&stand, &["list"]).await?.exits(0)?.json()? == json!([]));
    for (words, code, says) in [
        (&["show", "1"][..], 1, &["404", "No integration found with ID 1."][..]),
        (&["status", "1"], 1, &["404", "No integration found with ID 1."]),
        (&["update", "1", "payload.json"], 1, &["404", "No integration found with ID 1."]),
        (&["regenerate", "1", "--credentials", "credentials.yaml"], 1, &["404"]),
        (&["delete", "1"], 1, &["404"]),
        (&["create", "nowhere.json"], 1, &["cannot read nowhere.json"]),
        (&["create"], 2, &["<PAYLOAD>"]),
        (&["update", "1"], 2, &["<PAYLOAD>"]),
        (&["regenerate", "1"], 2, &["--credentials"]),
        (&["show", "first"], 2, &["first"]),
        (&["delete", "1", "--disable", "--credentials", "credentials.yaml"], 2, &["--disable"]),
    ] {
        axon(&stand, words).await?.exits(code)?.says(says)?;
    }
    // Which server, and who asks.
    stand
        .place
        .axon(&["integration", "list"])
        .await?
        .exits(1)?
        .says(&["which server? --url URL, or AXON_URL"])?;
    let url = ["integration", "list", "--url", stand.serve.address()];
    stand.place.axon(&url).await?.exits(1)?.says(&["--token-file FILE, or AXON_OPERATOR_TOKEN"])?;
    axon_with(&stand, "nowhere", &["list"]).await?.exits(1)?.says(&["cannot read the token file nowhere"])?;
    let nobody = ["integration", "list", "--url", "http://127.0.0.1:9", "--token-file", "key"];
    stand.place.axon(&nobody).await?.exits(1)?.says(&["http://127.0.0.1:9 does not answer"])?;
    stand.place.write("guess", "axon_op_guess")?;
    axon_with(&stand, "guess", &["list"]).await?.exits(1)?.says(&["401", "an operator's token is needed"])?;
    stand.place.write("reader", &operator(&stand.place, "integrations.read").await?)?;
    axon_with(&stand, "reader", &["list"]).await?.exits(0)?;
    let refused = axon_with(&stand, "reader", &["create", "payload.json"]).await?.exits(1)?;
    refused.says(&["403", "needs integrations.write"])?;

    // Not waited for, it is under way: 3. Whoever waits gets its end.
    let slow = json!({ "what": { "latency": { "millis": 1500 } }, "times": 1, "matching": "KILL DATABASE CONNECTION" });
    stand.pool.ask("POST", "/pool/faults", Some(slow)).await?;
    let begun = axon(&stand, &["create", "payload.json", "--no-wait"]).await?.exits(3)?.json()?;
    ensure!(begun["status"] == "creating", "{begun}");
    stand.status("1", "enabled").await?;
    for words in [&["show", "1"][..], &["status", "1"], &["list"]] {
        let path = match words[0] {
            "show" => "/1",
            "status" => "/1/status",
            _ => "",
        };
        let printed = axon(&stand, words).await?.exits(0)?.json()?;
        ensure!(printed == stand.get(path).await?.is(200)?.body, "{printed}");
    }

    // Work that fails is 1, and what is printed says why.
    let broken = json!({ "what": { "statement": { "number": 50000, "applied": false } }, "times": 1, "matching": "ALTER LOGIN" });
    stand.pool.ask("POST", "/pool/faults", Some(broken)).await?;
    let renew = ["regenerate", "1", "--credentials", "credentials.yaml"];
    let failed = axon(&stand, &renew).await?.exits(1)?.json()?;
    ensure!(failed["status"] == "editError", "{failed}");
    ensure!(failed["message"].as_str().is_some_and(|message| message.contains("50000")), "{failed}");
    // Credentials that are not taken are told before anything begins.
    let refused = axon(&stand, &["regenerate", "1", "--credentials", "wrong.yaml"]).await?.exits(1)?;
    ensure!(refused.out.is_empty() && !refused.err.contains(OWN_PASSWORD), "{refused:?}");
    refused.says(&["422", "look at the name, the password and the database"])?;
    ensure!(axon(&stand, &renew).await?.exits(0)?.json()?["status"] == "enabled");
    let changed = axon(&stand, &["update", "1", "change.json"]).await?.exits(0)?.json()?;
    ensure!(changed["status"] == "enabled", "{changed}");
    ensure!(axon(&stand, &["delete", "1", "--disable"]).await?.exits(0)?.json()?["status"] == "disabled");
    axon(&stand, &["update", "1", "change.json"])
        .await?
        .exits(1)?
        .says(&["409", "in current state disabled."])?;
    Ok(())
}
