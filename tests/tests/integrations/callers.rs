//! Who opens the integrations API: operators' keys and the short-lived tokens of jobs, each by its own permission, until it ends.

use anyhow::{Context, ensure};
use axon_identity_token::testing::{FakeIssuer, SigningKey};
use axon_model::{Clock as _, SystemClock};
use axon_tests::{ADMIN, PASSWORD, Postgres};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::kit::{Answer, Stand, operator};

const READS: [(&str, &str); 9] = [
    ("GET", ""),
    ("GET", "/1"),
    ("GET", "/1/status"),
    ("POST", "/scripts/initial-create"),
    ("POST", "/scripts/create"),
    ("POST", "/scripts/cleanup"),
    ("POST", "/scripts/post-cleanup"),
    ("POST", "/1/scripts/edit"),
    ("POST", "/1/scripts/delete"),
];
const WRITES: [(&str, &str); 4] = [("POST", ""), ("PUT", "/1"), ("DELETE", "/1"), ("POST", "/1/regenerate")];

/// A system that signs tokens for jobs.
struct Ci {
    /// Answers as long as this lives.
    _issuer: FakeIssuer,
    key: SigningKey,
    name: String,
}

impl Ci {
    async fn start() -> Self {
        let (issuer, key) = (FakeIssuer::start().await, SigningKey::rsa("k1"));
        let name = format!("{}/ci", issuer.base());
        issuer.issue("/ci", &name, &[&key]);
        Self { _issuer: issuer, key, name }
    }

    /// A token for a job of this repository, with these claims in the place of the usual ones.
    fn token(&self, repository: &str, other: &Value) -> String {
        let now = SystemClock.now().unix_timestamp();
        let mut claims = json!({ "iss": self.name, "aud": "axon", "sub": "job-1", "iat": now, "nbf": now, "exp": now + 600,
            "repository": repository, "ref": "refs/heads/main", "event_name": "push", "run_id": "4711", "actor": "kim" });
        for (name, value) in other.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        self.key.sign(&claims)
    }

    /// Jobs of three repositories, and what each may do; and that tokens for another audience may be exchanged.
    fn rules(&self) -> String {
        let job = |name: &str, may: &str| {
            format!(
                "    {name}: {{ github: {{ repository: acme/{name}, branch: main }}, issuer: \"{}\", audience: axon, may: [{may}] }}\n",
                self.name
            )
        };
        let jobs = [
            job("setup", "integrations.write"),
            job("look", "integrations.read"),
            job("maps", "map.read, map.push, map.release, holds.read, holds.release, offboard, grant"),
        ];
        format!(
            "operators:\n  jobs:\n{}  exchange: [{{ issuer: \"{}\", audience: services }}]\n",
            jobs.concat(),
            self.name
        )
    }

    /// A map with a service identity, which a job is by its token.
    fn map(&self) -> String {
        format!(
            "axon: 1\nroles: {{ reader: {{}} }}\nservices:\n  loader: {{ principal: axon-loader, token: {{ issuer: \"{}\", audience: services, \
             subject: job-1, claims: {{ repository: acme/w }} }} }}\nmappings: [{{ service: loader, roles: [reader] }}]\n",
            self.name
        )
    }
}

/// Asks with this token, as a bearer token.
async fn ask(
    stand: &Stand,
    token: &str,
    verb: &str,
    path: &str,
    body: Option<&Value>,
) -> anyhow::Result<Answer> {
    let body = body.map(|body| (body.to_string(), "application/json"));
    let method: Method = verb.parse()?;
    stand.send_as(&format!("Bearer {token}"), method, path, body, "application/json").await
}

#[tokio::test]
async fn a_job_s_token_opens_what_its_rule_says_until_it_ends() -> anyhow::Result<()> {
    let ci = Ci::start().await;
    let stand = Stand::configured(&ci.rules(), &ci.map()).await?;
    let payload = stand.payload(true, json!({}))?;
    let none = json!({});
    let setup = ci.token("acme/setup", &none);
    let look = ci.token("acme/look", &none);
    let maps = ci.token("acme/maps", &none);

    // Another permission opens nothing, and one that reads changes nothing.
    for (verb, path) in READS.iter().chain(&WRITES) {
        let needs = if WRITES.contains(&(*verb, *path)) { "integrations.write" } else { "integrations.read" };
        let words = format!("may not do this: it needs {needs}, and has map.read");
        ask(&stand, &maps, verb, path, Some(&payload)).await?.refuses(403, "Forbidden", &words)?;
    }
    for (verb, path) in WRITES {
        let words = "may not do this: it needs integrations.write, and has integrations.read";
        ask(&stand, &look, verb, path, Some(&payload)).await?.refuses(403, "Forbidden", words)?;
    }
    ensure!(ask(&stand, &look, "GET", "", None).await?.is(200)?.body == json!([]));

    // One that changes does so whole, with a token that is sent bare as well.
    ask(&stand, &setup, "POST", "", Some(&payload)).await?.is(201)?;
    stand.status("1", "enabled").await?;
    let bare = stand.send_as(&setup, Method::GET, "/1", None, "application/json").await?.is(200)?;
    ensure!(bare.body == ask(&stand, &look, "GET", "/1", None).await?.is(200)?.body);
    let script = ask(&stand, &look, "POST", "/1/scripts/delete", None).await?.is(200)?.body;
    ensure!(script.as_str().is_some_and(|text| text.contains("DROP USER")), "{script}");
    let credentials = json!({ "username": ADMIN, "password": PASSWORD });
    ask(&stand, &setup, "POST", "/1/regenerate", Some(&credentials)).await?.is(200)?;
    stand.status("1", "enabled").await?;
    ask(&stand, &setup, "PUT", "/1", Some(&payload)).await?.is(200)?;
    stand.status("1", "enabled").await?;
    ask(&stand, &setup, "DELETE", "/1", Some(&credentials)).await?.is(200)?;
    stand.status("1", "deleted").await?;
    // What it did is on record by its name.
    let journal = stand.place.journal().await?;
    let acts = journal.iter().filter(|record| record.kind == "operator-act");
    let named = acts.filter(|record| record.record["actor"]["name"] == "setup").count();
    ensure!(named >= 8, "{named} records have its name");

    // Over is over, and what is not the rule's is nobody's.
    let past = SystemClock.now().unix_timestamp() - 3600;
    let other_key = SigningKey::rsa("k1");
    for (why, token) in [
        ("expired", ci.token("acme/setup", &json!({ "iat": past - 60, "nbf": past - 60, "exp": past }))),
        ("another audience", ci.token("acme/setup", &json!({ "aud": "services" }))),
        ("another branch", ci.token("acme/setup", &json!({ "ref": "refs/heads/x" }))),
        ("another repository", ci.token("acme/else", &none)),
        ("another signature", Ci { key: other_key, ..ci }.token("acme/setup", &none)),
    ] {
        let refused = ask(&stand, &token, "GET", "", None).await?;
        refused.refuses(401, "Unauthorized", "an operator's token is needed").context(why)?;
    }
    Ok(())
}

#[tokio::test]
async fn tokens_for_anything_else_open_nothing() -> anyhow::Result<()> {
    let ci = Ci::start().await;
    let stand = Stand::configured(&ci.rules(), &ci.map()).await?;
    let form = async |path: &str, form: &[(&str, &str)]| -> anyhow::Result<String> {
        let pairs: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", value.replace('+', "%2B"))).collect();
        let request = reqwest::Client::new().post(format!("{}{path}", stand.serve.address()));
        let request =
            request.header("content-type", "application/x-www-form-urlencoded").body(pairs.join("&"));
        let answer = request.send().await?;
        ensure!(answer.status() == StatusCode::OK, "{path}: {}", answer.text().await?);
        let given: Value = serde_json::from_str(&answer.text().await?)?;
        Ok(given["access_token"].as_str().context("a token")?.to_owned())
    };
    let opens = async |token: &str, path: &str| -> anyhow::Result<StatusCode> {
        let request = reqwest::Client::new().get(format!("{}{path}", stand.serve.address()));
        Ok(request.bearer_auth(token).send().await?.status())
    };
    // What a service of the role map holds is no permission of an operator.
    let signed = ci.token("acme/w", &json!({ "aud": "services" }));
    let service = form(
        "/api/v1/token",
        &[
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ("subject_token", &signed),
        ],
    )
    .await?;
    // A connector's token, and the short-lived one of a client of the token endpoint.
    let source = stand.place.token("entra").await?;
    let client = ["token", "client", "create", "--source", "entra", "--client", "hr"];
    let secret = stand.place.axon(&client).await?.exits(0)?.out.trim().to_owned();
    let grant =
        [("grant_type", "client_credentials"), ("client_id", "hr"), ("client_secret", secret.as_str())];
    let short = form("/oauth2/token", &grant).await?;
    for (what, token, own) in [
        ("a service's token", &service, "/api/v1/entitlements"),
        ("a connector's token", &source, "/scim/v2/Users"),
        ("a connector's short-lived token", &short, "/scim/v2/Users"),
    ] {
        ensure!(opens(token, own).await? == StatusCode::OK, "{what} opens {own}");
        for token in [token.clone(), format!("Bearer {token}")] {
            let refused = stand.send_as(&token, Method::GET, "", None, "application/json").await?;
            refused.refuses(401, "Unauthorized", "an operator's token is needed").context(what)?;
        }
    }
    // Nor does what opens this open any of these.
    ensure!(opens(&stand.key, "/integrations").await? == StatusCode::OK);
    for path in ["/scim/v2/Users", "/api/v1/entitlements"] {
        ensure!(opens(&stand.key, path).await? == StatusCode::UNAUTHORIZED, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn a_key_that_ended_or_was_revoked_opens_nothing() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    let create = ["token", "create", "--operator", "bea", "--may", "integrations.read", "--expires", "1h"];
    let ends = stand.place.axon(&create).await?.exits(0)?.out.trim().to_owned();
    let revoked = operator(&stand.place, "integrations.read").await?;
    for key in [&ends, &revoked] {
        ask(&stand, key, "GET", "", None).await?.is(200)?;
    }
    // An hour passes for this key.
    let set = "UPDATE operator_tokens SET expires = created WHERE name = 'bea'";
    if let Some(database) = stand.place.database() {
        Postgres::shared()?.changes(database, set, 1)?;
    } else {
        let store = rusqlite::Connection::open(stand.place.file("axon.db"))?;
        store.busy_timeout(axon_tests::SOON)?;
        ensure!(store.execute(set, [])? == 1, "one key has the name");
    }
    let listed = stand.place.axon(&["token", "list", "--operators", "--json"]).await?.exits(0)?.json()?;
    let keys = listed.as_array().context("a list")?;
    let last = keys.last().and_then(|key| key["id"].as_str()).context("its id")?;
    stand.place.axon(&["token", "revoke", last]).await?.exits(0)?;
    for key in [&ends, &revoked] {
        ask(&stand, key, "GET", "", None).await?.refuses(
            401,
            "Unauthorized",
            "an operator's token is needed",
        )?;
    }
    stand.get("").await?.is(200)?;
    Ok(())
}
