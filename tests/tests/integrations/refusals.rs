//! What is refused: who may not, and what cannot be meant. No answer holds what was sent as a secret.

use anyhow::ensure;
use axon_tests::{ADMIN, PASSWORD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{BETWEEN, Stand, operator};

#[tokio::test]
async fn only_a_key_of_this_scope_opens_it() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let payload = stand.payload(true, json!({}))?;
    let other = operator(&stand.place, "map.read,map.push,holds.release").await?;
    let reader = operator(&stand.place, "integrations.read").await?;
    let source = stand.place.token("entra").await?;
    let send = async |key: &str, method: Method, body: Option<&Value>| {
        let body = body.map(|body| (body.to_string(), "application/json"));
        stand.send_as(key, method, "", body, "application/json").await
    };
    for nobody in ["", &source, "846e9e43c86a4ct1be14290d95127d13f", "Basic YTpi", "Bearer a b"] {
        send(nobody, Method::GET, None).await?.refuses(401, "Unauthorized", "token")?;
    }
    send(&other, Method::GET, None).await?.refuses(403, "Forbidden", "integrations.read")?;
    send(&other, Method::POST, Some(&payload)).await?.refuses(403, "Forbidden", "integrations.write")?;
    send(&reader, Method::POST, Some(&payload)).await?.refuses(403, "Forbidden", "integrations.write")?;
    // Bare, as clients of this API send it, and as a bearer token.
    for key in [reader.clone(), format!("Bearer {reader}")] {
        ensure!(send(&key, Method::GET, None).await?.is(200)?.body == json!([]));
    }
    Ok(())
}

#[tokio::test]
async fn payloads_that_cannot_be_meant_are_refused_by_their_key() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    // It can be read, and this server does not do it.
    let not_here = async |more: Value, words: &str| {
        let payload = stand.payload(true, more)?;
        let answer = stand.post("", &payload).await?.refuses(422, "Unprocessable Entity", words)?;
        ensure!(!answer.text.contains(PASSWORD), "{}", answer.text);
        Ok::<_, anyhow::Error>(())
    };
    not_here(json!({ "host": "169.254.169.254" }), "none of the servers").await?;
    not_here(json!({ "schema": "dbo" }), "name of the engine").await?;
    let same = json!({ "hashDelimiter": "|", "hashKeyDelimiter": "|", "arrayDelimiter": "," });
    not_here(json!({ "metadataDelimiters": same }), "three different").await?;
    let bad = async |more: Value, words: &str| {
        let payload = stand.payload(true, more)?;
        let answer = stand.post("", &payload).await?.refuses(400, "Bad Request", words)?;
        ensure!(!answer.text.contains(PASSWORD), "{}", answer.text);
        Ok::<_, anyhow::Error>(())
    };
    bad(json!({ "host": null }), "config.host").await?;
    bad(json!({ "host": "evil.example/x" }), "no host's name").await?;
    bad(json!({ "port": 0 }), "config.port").await?;
    bad(json!({ "schema": "$(x)" }), "config.schema").await?;
    bad(json!({ "password": 7 }), "config.password").await?;
    bad(json!({ "password": null }), "config.password").await?;
    bad(json!({ "clientSecret": "x" }), "config.clientSecret").await?;
    bad(json!({ "authenticationType": "magic" }), "authenticationType").await?;
    bad(json!({ "impersonation": { "role": "x" } }), "impersonation.enabled").await?;
    bad(json!({ "systemAccount": { "username": "x", "tenantId": "t" } }), "systemAccount.tenantId").await?;
    bad(
        json!({ "authenticationType": "managedIdentity", "password": null, "username": 7 }),
        "config.username",
    )
    .await?;
    bad(json!({ "warehouse": "x" }), "no key").await?;
    let account =
        json!({ "systemAccount": { "username": "axon-mi", "authenticationType": "managedIdentity" } });
    bad(account, "33159").await?;
    for (body, kind, status) in [
        ("{", "application/json", 400),
        ("", "application/json", 400),
        ("[]", "application/json", 400),
        ("a: b: c", "application/yaml", 400),
        ("{}", "text/plain", 415),
        ("{\"type\": \"Snowflake\", \"autoBootstrap\": true, \"config\": {}}", "application/json", 400),
    ] {
        let body = Some((body.to_owned(), kind));
        stand.send_as(&stand.key, Method::POST, "", body, "application/json").await?.is(status)?;
    }
    let large = Some((format!("{{\"x\": \"{}\"}}", "y".repeat(70_000)), "application/json"));
    stand.send_as(&stand.key, Method::POST, "", large, "application/json").await?.is(413)?;
    for path in ["/5", "/5/status", "/x", "/99999999999999999999"] {
        let id = path.split('/').nth(1).unwrap_or_default();
        stand.get(path).await?.refuses(404, "Not Found", &format!("No integration found with ID {id}."))?;
    }
    stand.get("/5/nothing").await?.refuses(404, "Not Found", "integrations live under")?;
    stand.send(Method::PATCH, "/5", None).await?.refuses(405, "Method Not Allowed", "Allow")?;
    stand.holds_nowhere(PASSWORD)
}

#[tokio::test]
async fn what_would_tear_is_refused_and_a_disabled_one_leaves_its_place() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let payload = stand.payload(true, json!({}))?;
    stand.post("", &payload).await?.is(201)?;
    stand.status("1", "enabled").await?;
    let credentials = json!({ "username": ADMIN, "password": PASSWORD });
    let put = async |key: &str, value: Value, words: &str| {
        let mut change = payload.clone();
        change["config"][key] = value;
        stand.put("/1", &change).await?.refuses(422, "Unprocessable Entity", words)
    };
    put(
        "metadataDelimiters",
        json!({ "hashDelimiter": ";", "hashKeyDelimiter": "-", "arrayDelimiter": "," }),
        "disable",
    )
    .await?;
    put("database", json!("other"), "cannot be changed").await?;
    put("systemAccount", json!({ "username": "x" }), "systemAccount").await?;
    let manual = stand.payload(false, json!({}))?;
    stand.put("/1", &manual).await?.refuses(422, "Unprocessable Entity", "autoBootstrap")?;
    stand.post("/scripts/create", &payload).await?.refuses(400, "Bad Request", "autoBootstrap")?;

    // While the role map has the database as its target, nothing of it is taken away.
    let entry = stand.place.axon(&["integration", "target", "1"]).await?.exits(0)?.out;
    stand.place.write("role-map.yaml", &format!("axon: 1\nroles: {{ reader: {{}} }}\n{entry}"))?;
    axon_tests::until("the map names the database", axon_tests::SOON, async || {
        tokio::time::sleep(BETWEEN).await;
        let one = stand.get("/1").await?.is(200)?.body;
        Ok((one["target"] == "warehouse").then_some(()))
    })
    .await?;
    stand.delete("/1", Some(&credentials)).await?.refuses(409, "Conflict", "its target warehouse")?;
    stand.place.write("role-map.yaml", "axon: 1\nroles: { reader: {} }\n")?;
    axon_tests::until("the map names it no more", axon_tests::SOON, async || {
        tokio::time::sleep(BETWEEN).await;
        Ok(stand.get("/1").await?.is(200)?.body["target"].is_null().then_some(()))
    })
    .await?;

    // Given up: nothing is taken away, other delimiters may come.
    stand.delete("/1?force=true", Some(&credentials)).await?.refuses(
        400,
        "Bad Request",
        "without a payload",
    )?;
    stand.delete("/1?x=1", None).await?.refuses(400, "Bad Request", "force")?;
    ensure!(stand.delete("/1?force=true", None).await?.is(200)?.body["status"] == "disabled");
    ensure!(stand.get("/1").await?.is(200)?.body["status"] == "disabled");
    stand.put("/1", &payload).await?.refuses(409, "Conflict", "in current state disabled.")?;
    // The same create with nothing but other delimiters: it takes over what was given up.
    let other = stand.payload(
        true,
        json!({
            "metadataDelimiters": { "hashDelimiter": ";", "hashKeyDelimiter": "-", "arrayDelimiter": "," },
        }),
    )?;
    stand.post("", &other).await?.is(201)?;
    stand.status("2", "enabled").await?;
    ensure!(stand.get("/2").await?.is(200)?.body["config"]["metadataDelimiters"]["hashDelimiter"] == ";");
    Ok(())
}
