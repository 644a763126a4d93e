//! Identities of Entra: each way in which Axon enters a database that is set up over the API, with tokens of the neighbours.

use anyhow::{Context, ensure};
use axon_model::{Clock as _, SystemClock};
use axon_tests::{ENTRA_ADMIN, SOON, entra_token, until};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

use crate::kit::{BETWEEN, PRINCIPALS, SCHEMAS, Stand, Steps, run_as, test};

const TENANT: &str = "11111111-1111-1111-1111-111111111111";
const CLIENT: &str = "22222222-2222-2222-2222-222222222222";
const SECRET: &str = "right-secret-of-axon";

/// A token of the cluster for our application. The neighbours look at no signature.
fn of_the_cluster() -> String {
    let now = SystemClock.now().unix_timestamp();
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({ "iss": "https://cluster.example", "sub": "system:serviceaccount:axon:axon",
        "aud": "api://AzureADTokenExchange", "iat": now, "nbf": now, "exp": now + 3600 });
    format!("{}.{}.{}", part(json!({ "alg": "RS256" })), part(claims), URL_SAFE_NO_PAD.encode("x"))
}

#[tokio::test]
async fn each_identity_of_entra_enters_with_a_token_of_its_own() -> anyhow::Result<()> {
    let (pem, certificate) = certificate("axon.example")?;
    let stand = Stand::in_azure(&of_the_cluster()).await?;
    let app = json!({
        "displayName": "axon-mi", "appId": CLIENT, "objectId": "33333333-3333-3333-3333-333333333333",
        "registrationId": "66666666-6666-6666-6666-666666666666",
        "secrets": [{ "value": SECRET }], "certificates": [certificate],
        "federated": [{ "name": "cluster", "issuer": "https://cluster.example",
            "subject": "system:serviceaccount:axon:axon", "audiences": ["api://AzureADTokenExchange"] }],
    });
    let administrator = json!({ "upn": ENTRA_ADMIN, "objectId": "bbbbbbbb-0000-0000-0000-000000000099" });
    let directory = json!({ "apps": [app], "users": [administrator] });
    stand.pool.ask("POST", "/directory", Some(directory)).await?;
    stand.pool.ask("PATCH", "/cloud", Some(json!({ "managedIdentities": [CLIENT] }))).await?;

    let application = json!({ "tenantId": TENANT, "clientId": CLIENT });
    let with = |kind: &str, more: Value| {
        let mut way = json!({ "authenticationType": kind, "username": "axon-mi", "password": null });
        for part in [&more, &json!({})] {
            for (name, value) in part.as_object().into_iter().flatten() {
                way[name] = value.clone();
            }
        }
        way
    };
    let of_application = |kind: &str, name: &str, value: &str| {
        let mut more = application.clone();
        if !name.is_empty() {
            more[name] = json!(value);
        }
        with(kind, more)
    };
    let ways = [
        (of_application("clientSecret", "clientSecret", SECRET), "authority"),
        (of_application("certificate", "certificate", &pem), "authority"),
        (of_application("workloadIdentity", "", ""), "authority"),
        (with("managedIdentity", json!({ "clientId": CLIENT })), "imds"),
    ];
    let mut asked = 0;
    for (n, (way, service)) in ways.into_iter().enumerate() {
        let id = (n + 1).to_string();
        let payload = stand.payload(false, way.clone())?;
        if n == 0 {
            // The user of an identity is made by somebody of Entra (33159).
            let script = stand.script("/scripts/create", &payload).await?;
            ensure!(script.contains("CREATE USER [axon-mi] FROM EXTERNAL PROVIDER"), "{script}");
            let person = entra_token(ENTRA_ADMIN);
            let refused = run_as(Steps::Token(&stand, &person), &script).await?;
            ensure!(refused.is_empty(), "{refused:?}");
        }
        let kind = way["authenticationType"].as_str().unwrap_or_default();
        let begun = stand.post("", &payload).await?.is(201)?.body;
        let kept = if kind.ends_with("Identity") { "skipped" } else { "passed" };
        ensure!(test(&begun, "Validate Secret Can Be Kept")?["status"] == kept, "{kind}: {begun}");
        let told = stand.status(&id, "enabled").await?;
        ensure!(told["validationResults"]["status"] == "passed", "{kind}: {told}");
        ensure!(test(&told, "Validate Principals")?["status"] == "passed", "{kind}: {told}");
        let one = stand.get(&format!("/{id}")).await?.is(200)?;
        ensure!(one.body["config"]["authenticationType"] == kind, "{}", one.text);
        ensure!(one.body["config"]["username"] == "<REDACTED>" && !one.text.contains(CLIENT), "{}", one.text);
        let requests = stand.tokens().await?;
        ensure!(requests.len() > asked, "{kind}: no token was asked for");
        let others: Vec<&Value> = requests.iter().skip(asked).filter(|r| r["service"] != service).collect();
        ensure!(others.is_empty(), "{kind}: {others:?}");
        // It goes on entering with what is kept, after what was shown is gone.
        let before = requests.len();
        let mut change = payload.clone();
        change["config"]["impersonation"] = json!({ "enabled": false });
        stand.put(&format!("/{id}"), &change).await?.is(200)?;
        stand.status(&id, "enabled").await?;
        until("tokens are asked for again", SOON, async || {
            tokio::time::sleep(BETWEEN).await;
            Ok((stand.tokens().await?.len() > before).then_some(()))
        })
        .await?;
        stand.delete(&format!("/{id}"), None).await?.is(200)?;
        stand.status(&id, "deleted").await?;
        asked = stand.tokens().await?.len();
    }
    for secret in [SECRET, line_of_key(&pem)?] {
        stand.holds_nowhere_but(secret, &["cluster.jwt"])?;
    }

    // A name is no proof: whoever is named must be whom Axon enters as, or nobody is let past a view by it.
    let mut admin = stand.pool.admin().await?;
    admin.run("CREATE USER [kim@acme.example] WITHOUT LOGIN").await?;
    for way in ["managedIdentity", "clientSecret"] {
        let mut named = if way == "managedIdentity" {
            with(way, json!({ "clientId": CLIENT }))
        } else {
            of_application(way, "clientSecret", SECRET)
        };
        named["username"] = json!("kim@acme.example");
        let named = stand.payload(false, named)?;
        let words = "Axon enters as axon-mi, not as kim@acme.example";
        let refused = stand.post("", &named).await?.refuses(422, "Unprocessable Entity", words)?.body;
        ensure!(test(&refused, "Validate Axon System Account")?["status"] == "failed", "{refused}");
    }
    ensure!(stand.get("").await?.is(200)?.body == json!([]), "no row names anybody");

    // A secret that is not the application's.
    let wrong = stand.payload(false, of_application("clientSecret", "clientSecret", "not-the-secret"))?;
    let refused = stand.post("", &wrong).await?.refuses(422, "Unprocessable Entity", "Connect")?;
    ensure!(!refused.text.contains("not-the-secret"), "{}", refused.text);
    Ok(())
}

/// The application that is lent to make everything.
const SETUP: &str = "77777777-7777-7777-7777-777777777777";

/// A certificate with its key, as PEM, and without it.
fn certificate(of: &str) -> anyhow::Result<(String, String)> {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
    let public = CertificateParams::new(vec![of.to_owned()])?.self_signed(&key)?.pem();
    Ok((format!("{public}{}", key.serialize_pem()), public))
}

/// A line of the key in a PEM that no other one has.
fn line_of_key(pem: &str) -> anyhow::Result<&str> {
    let (_, key) = pem.split_once("PRIVATE KEY-----").context("a key")?;
    key.lines().nth(3).context("a line of it")
}

#[tokio::test]
async fn whoever_administers_by_entra_makes_an_account_that_is_a_managed_identity() -> anyhow::Result<()> {
    let stand = Stand::in_azure(&of_the_cluster()).await?;
    let (pem, public) = certificate("setup.example")?;
    let administrator = json!({ "upn": ENTRA_ADMIN, "objectId": "bbbbbbbb-0000-0000-0000-000000000099" });
    let operator = json!({
        "displayName": "setup", "appId": SETUP, "objectId": "88888888-8888-8888-8888-888888888888",
        "registrationId": "99999999-9999-9999-9999-999999999999",
        "secrets": [{ "value": SECRET }], "certificates": [public],
        "federated": [{ "name": "cluster", "issuer": "https://cluster.example",
            "subject": "system:serviceaccount:axon:axon", "audiences": ["api://AzureADTokenExchange"] }],
    });
    let own = json!({ "displayName": "axon-mi", "appId": CLIENT, "objectId": "33333333-3333-3333-3333-333333333333" });
    let directory = json!({ "apps": [operator, own], "users": [administrator] });
    stand.pool.ask("POST", "/directory", Some(directory)).await?;
    stand.pool.ask("PATCH", "/cloud", Some(json!({ "managedIdentities": [CLIENT, SETUP] }))).await?;
    let person = entra_token(ENTRA_ADMIN);
    let made = "CREATE USER [setup] FROM EXTERNAL PROVIDER\nGO\nEXEC sp_addrolemember 'db_owner', 'setup'";
    ensure!(run_as(Steps::Token(&stand, &person), made).await?.is_empty());

    // Each way in which whoever administers can be lent, with what of it is secret.
    let lent = |kind: &str, more: Value| {
        let mut way =
            json!({ "username": null, "password": null, "authenticationType": kind, "clientId": SETUP });
        for (name, value) in more.as_object().into_iter().flatten() {
            way[name] = value.clone();
        }
        way
    };
    let ways = [
        (lent("clientSecret", json!({ "tenantId": TENANT, "clientSecret": SECRET })), SECRET, true),
        (lent("certificate", json!({ "tenantId": TENANT, "certificate": pem })), line_of_key(&pem)?, true),
        (lent("workloadIdentity", json!({ "tenantId": TENANT })), "", true),
        (lent("managedIdentity", json!({})), "", false),
    ];
    let account =
        json!({ "username": "axon-mi", "authenticationType": "managedIdentity", "clientId": CLIENT });
    for (n, (shown, secret, by_authority)) in ways.into_iter().enumerate() {
        let (id, kind) = ((n + 1).to_string(), shown["authenticationType"].as_str().context("a kind")?);
        let path = format!("/{id}");
        let asked = stand.tokens().await?.len();
        let mut config = shown.clone();
        config["systemAccount"] = account.clone();
        stand.post("", &stand.payload(true, config.clone())?).await?.is(201).context(id.clone())?;
        stand.status(&id, "enabled").await.with_context(|| kind.to_owned())?;
        let one = stand.get(&path).await?.is(200)?.body;
        ensure!(one["config"]["systemAccount"] == json!({ "username": "axon-mi" }), "{one}");
        ensure!(one["config"]["authenticationType"] == kind, "{one}");
        let made = stand.column(PRINCIPALS).await?;
        ensure!(["axon-mi", "axon_owner"].iter().all(|own| made.iter().any(|name| name == own)), "{made:?}");
        ensure!(
            !made.iter().any(|name| name.starts_with("axon_system")),
            "no account with a password: {made:?}"
        );
        // Axon enters as its own identity from then on. Whoever was lent is asked for at the way that was said, and nowhere else.
        let services: Vec<Value> = stand.tokens().await?.split_off(asked);
        let asks = |service: &str| services.iter().any(|r| r["service"] == service);
        ensure!(asks("imds") && asks("authority") == by_authority, "{kind}: {services:?}");
        // A change with what was lent anew.
        config["impersonation"] = json!({ "enabled": true });
        stand.put(&path, &stand.payload(true, config)?).await?.is(200)?;
        stand.status(&id, "enabled").await.with_context(|| kind.to_owned())?;
        ensure!(stand.column(PRINCIPALS).await?.iter().any(|name| name == "AXON_IMPERSONATION"), "{kind}");

        if !secret.is_empty() {
            stand.holds_nowhere_but(secret, &["cluster.jwt"])?;
        }
        ensure!(stand.secrets()?.is_empty(), "{kind}: an identity has nothing to keep");
        stand.post(&format!("{path}/regenerate"), &shown).await?.refuses(
            422,
            "Unprocessable Entity",
            "no password",
        )?;
        stand.delete(&path, Some(&shown)).await?.is(200)?;
        stand.status(&id, "deleted").await?;
        let others = stand.column(PRINCIPALS).await?;
        ensure!(others == ["setup"] && stand.column(SCHEMAS).await?.is_empty(), "{kind}: {others:?}");
    }

    // What is not the application's, or is no identity of this server's, makes nothing and is not told.
    let (foreign, _) = certificate("setup.example")?;
    let nobody = "12121212-1212-1212-1212-121212121212";
    for (shown, secret) in [
        (lent("certificate", json!({ "tenantId": TENANT, "certificate": foreign })), line_of_key(&foreign)?),
        (
            lent("clientSecret", json!({ "tenantId": TENANT, "clientSecret": "not-the-secret" })),
            "not-the-secret",
        ),
        (lent("workloadIdentity", json!({ "tenantId": TENANT, "clientId": nobody })), nobody),
        (lent("managedIdentity", json!({ "clientId": nobody })), ""),
    ] {
        let mut config = shown.clone();
        config["systemAccount"] = account.clone();
        let answer = stand.post("", &stand.payload(true, config)?).await?;
        let refused =
            answer.refuses(422, "Unprocessable Entity", "Connect").with_context(|| shown.to_string())?;
        ensure!(secret.is_empty() || secret == nobody || !refused.text.contains(secret), "{}", refused.text);
        if !secret.is_empty() && secret != nobody {
            stand.holds_nowhere_but(secret, &["cluster.jwt"])?;
        }
    }
    ensure!(stand.column(PRINCIPALS).await? == ["setup"] && stand.get("").await?.is(200)?.body == json!([]));
    Ok(())
}
