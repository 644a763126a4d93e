//! Who calls, against the real binary: tokens with scopes and a last use, signed ones, clients of the token endpoint.

use std::time::Duration;

use anyhow::{Context, ensure};
use axon_identity_token::testing::{FakeIssuer, SigningKey};
use axon_model::{Clock as _, SystemClock};
use axon_tests::{Place, Provider, until};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);
/// A token that another process revokes opens nothing after this.
const REVOKED: Duration = Duration::from_secs(1);
const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const PROVISIONING: &str = "8adf8e6e-67b2-4cf2-a259-e3dc5476c621";

fn now() -> i64 {
    SystemClock.now().unix_timestamp()
}

fn claims(iss: &str, aud: &str, sub: &str) -> Value {
    json!({"iss": iss, "aud": aud, "sub": sub, "oid": sub, "tid": TENANT, "iat": now(), "nbf": now(), "exp": now() + 3900})
}

#[tokio::test]
async fn a_token_has_a_name_scopes_an_end_and_a_last_use_and_two_live_at_once() -> anyhow::Result<()> {
    let provider = Provider::start(&[("entra", "{ kind: entra }")]).await?;
    let place = &provider.place;
    let create = [
        "token",
        "create",
        "--source",
        "entra",
        "--name",
        "reports",
        "--scope",
        "read users-only",
        "--expires",
        "90d",
    ];
    let token = place.axon(&create).await?.exits(0)?.out.trim().to_owned();
    let scim = provider.serve.scim(&token);
    scim.get("/Users").await?.is(200)?;
    scim.get("/Groups").await?.refuses(403, "", &["users only"])?;
    scim.post("/Users", &json!({"userName": "kim"})).await?.refuses(403, "", &["may not write"])?;
    let listed = async || -> anyhow::Result<Value> {
        Ok(place.axon(&["token", "list", "--json"]).await?.exits(0)?.json()?[0].clone())
    };
    let row = listed().await?;
    ensure!(
        row["label"] == "reports" && row["scope"] == "read users-only" && row["accepted"] == true,
        "{row}"
    );
    let life = row["expires"].as_i64().context("an end")? - row["created"].as_i64().context("a begin")?;
    ensure!(life == 90 * 86_400, "{life}");
    // A second one beside it has its name, scopes and length of life.
    let next = place.axon(&["token", "rotate", "--source", "entra"]).await?.exits(0)?.out.trim().to_owned();
    for both in [&token, &next] {
        let scim = provider.serve.scim(both);
        scim.get("/Users").await?.is(200)?;
        scim.get("/Groups").await?.is(403)?;
    }
    place.axon(&["token", "revoke", row["id"].as_str().context("an id")?]).await?.exits(0)?;
    until("the first is refused", REVOKED, async || {
        Ok((scim.get("/Users").await?.status == 401).then_some(()))
    })
    .await?;
    provider.serve.scim(&next).get("/Users").await?.is(200)?;
    // The last use is written beside the requests, at the latest when the server stops.
    ensure!(provider.serve.stop().await?.success());
    let rows = place.axon(&["token", "list", "--json"]).await?.exits(0)?.json()?;
    for row in rows.as_array().context("a list")? {
        let used = row["lastUsed"].as_i64().context("a last use")?;
        ensure!((now() - used).abs() < 600, "{row}");
    }
    for (wrong, said) in [(["--scope", "admin"], "is not a scope"), (["--expires", "soon"], "90d")] {
        let arguments = [&["token", "create", "--source", "entra"][..], &wrong[..]].concat();
        place.axon(&arguments).await?.exits(2)?.says(&[said])?;
    }
    Ok(())
}

#[tokio::test]
async fn signed_tokens_are_taken_as_the_configuration_says() -> anyhow::Result<()> {
    let (issuer, key) = (FakeIssuer::start().await, SigningKey::rsa("k1"));
    let base = issuer.base();
    let (v1, v2) = (format!("https://sts.windows.net/{TENANT}/"), format!("{base}/{TENANT}/v2.0"));
    issuer.issue(&format!("/{TENANT}"), &v1, &[&key]);
    issuer.issue(&format!("/{TENANT}/v2.0"), &v2, &[&key]);
    issuer.issue("/okta", &format!("{base}/okta"), &[&key]);
    let entra = format!(
        "\n    kind: entra\n    auth:\n      signed:\n        - entra: {{ tenant: {TENANT}, version: v1, authority: '{base}' }}\n          claims: {{ oid: provisioner }}\n        - entra: {{ tenant: {TENANT}, version: v2, authority: '{base}' }}\n          claims: {{ oid: provisioner }}"
    );
    let okta = format!(
        "{{ kind: okta, auth: {{ tokens: false, signed: [{{ issuer: '{base}/okta', audience: axon, claims: {{ sub: [a, b] }}, scope: read }}] }} }}"
    );
    let provider = Provider::start(&[("entra", &entra), ("okta", &okta)]).await?;
    let with = |claims: &Value| provider.serve.scim(&key.sign(claims));
    for iss in [&v1, &v2] {
        with(&claims(iss, PROVISIONING, "provisioner")).get("/Users").await?.is(200)?;
        with(&claims(iss, PROVISIONING, "another")).get("/Users").await?.is(401)?;
        with(&claims(iss, "api://other", "provisioner")).get("/Users").await?.is(401)?;
    }
    let reader = with(&claims(&format!("{base}/okta"), "axon", "b"));
    reader.get("/Users").await?.is(200)?;
    reader.post("/Users", &json!({"userName": "kim"})).await?.is(403)?;
    let said = provider.place.axon(&["token", "create", "--source", "okta"]).await?.exits(1)?;
    said.says(&["auth.tokens"])?;
    // Rotation at the issuer, without anything to do here.
    let next = SigningKey::p256("k2");
    issuer.issue(&format!("/{TENANT}/v2.0"), &v2, &[&next]);
    until("the new key is known", SOON, async || {
        let answer =
            provider.serve.scim(&next.sign(&claims(&v2, PROVISIONING, "provisioner"))).get("/Users").await?;
        ensure!([200, 503].contains(&answer.status), "{}", answer.status);
        Ok((answer.status == 200).then_some(()))
    })
    .await?;
    let log = provider.place.read("serve.log")?;
    ensure!(!log.contains("eyJ"), "a token is in the log");
    Ok(())
}

#[tokio::test]
async fn a_client_gets_short_lived_tokens_by_secret_or_by_assertion() -> anyhow::Result<()> {
    let (issuer, key) = (FakeIssuer::start().await, SigningKey::rsa("k1"));
    let name = format!("{}/{TENANT}/v2.0", issuer.base());
    issuer.issue(&format!("/{TENANT}/v2.0"), &name, &[&key]);
    let entra = format!(
        "\n    kind: entra\n    auth:\n      federated:\n        entra-prod: {{ entra: {{ tenant: {TENANT}, version: v2, authority: '{}' }}, subject: provisioner, audience: 'api://axon' }}",
        issuer.base()
    );
    let provider =
        Provider::start_with(&[("entra", &entra)], "oauth: { access_token_seconds: 600 }\n").await?;
    let place = &provider.place;
    let secret =
        ["token", "client", "create", "--source", "entra", "--client", "hr-sync", "--scope", "users-only"];
    let secret = place.axon(&secret).await?.exits(0)?.out.trim().to_owned();
    let endpoint = format!("{}/oauth2/token", provider.serve.address());
    let client = reqwest::Client::new();
    let ask = async |form: &str, basic: Option<(&str, &str)>| -> anyhow::Result<(u16, Value)> {
        let mut request = client
            .post(&endpoint)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned());
        if let Some((id, secret)) = basic {
            request = request.basic_auth(id, Some(secret));
        }
        let answer = request.send().await?;
        Ok((answer.status().as_u16(), serde_json::from_slice(&answer.bytes().await?)?))
    };
    let (status, given) = ask("grant_type=client_credentials", Some(("hr-sync", &secret))).await?;
    ensure!(status == 200 && given["expires_in"] == 600 && given["scope"] == "write users-only", "{given}");
    let first = provider.serve.scim(given["access_token"].as_str().context("a token")?);
    first.person("kim").await?;
    first.get("/Groups").await?.is(403)?;
    let assertion = key.sign(&claims(&name, "api://axon", "provisioner"));
    let kind = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
    let form =
        format!("grant_type=client_credentials&client_assertion_type={kind}&client_assertion={assertion}");
    let (status, given) = ask(&form, None).await?;
    ensure!(status == 200 && given["scope"] == "write", "{given}");
    provider.serve.scim(given["access_token"].as_str().context("a token")?).get("/Groups").await?.is(200)?;
    // A second secret lives beside the first; the client's revocation ends everything that was given.
    let second = place.axon(&["token", "client", "rotate", "--client", "hr-sync"]).await?.exits(0)?;
    for secret in [&secret, second.out.trim()] {
        ensure!(ask("grant_type=client_credentials", Some(("hr-sync", secret))).await?.0 == 200);
    }
    place.axon(&["token", "client", "revoke", "--client", "hr-sync"]).await?.exits(0)?;
    until("what was given is refused", REVOKED, async || {
        Ok((first.get("/Users").await?.status == 401).then_some(()))
    })
    .await?;
    let (status, refused) = ask("grant_type=client_credentials", Some(("hr-sync", &secret))).await?;
    ensure!(status == 401 && refused["error"] == "invalid_client", "{refused}");
    for text in
        [place.read("serve.log")?, place.axon(&["token", "list", "--all", "--json"]).await?.exits(0)?.out]
    {
        ensure!(
            !text.contains(&secret) && !text.contains("eyJ") && !text.contains("axon_at_"),
            "a secret is shown"
        );
    }
    Ok(())
}

#[tokio::test]
async fn many_wrong_tokens_are_counted_logged_and_slowed_and_a_good_one_passes() -> anyhow::Result<()> {
    let provider = Provider::start_in(Place::new([""; 0])?, &[("entra", "{ kind: entra }")], "").await?;
    let good = provider.connector("entra").await?;
    let wrong = good.with_token("axon_guess");
    let guesses: Vec<_> = (0..30)
        .map(|_| {
            let wrong = wrong.clone();
            tokio::spawn(async move { wrong.get("/Users").await.map(|answer| answer.status) })
        })
        .collect();
    until("the log says so", SOON, async || {
        Ok(provider.place.read("serve.log")?.contains("many requests without a token").then_some(()))
    })
    .await?;
    let began = std::time::Instant::now();
    good.get("/Users").await?.is(200)?;
    ensure!(began.elapsed() < Duration::from_secs(2), "a good token waited {:?}", began.elapsed());
    for guess in guesses {
        ensure!(guess.await?? == 401);
    }
    ensure!(provider.serve.metric("axon_http_unauthorized_total").await? >= 30.0);
    ensure!(provider.serve.metric("axon_auth_floods_total").await? >= 1.0);
    ensure!(!provider.place.read("serve.log")?.contains("axon_guess"));
    Ok(())
}
