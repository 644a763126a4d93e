//! A server with an operators' API, and a client of it.

use anyhow::{Context, ensure};
use axon_identity_token::testing::{FakeIssuer, SigningKey};
use axon_model::{Clock as _, SystemClock};
use axon_tests::{CONFIG, Place, SOON, Serve, until};
use reqwest::{Method, header};
use serde_json::{Value, json};

/// A map without targets: it needs no pool.
pub fn map(name: &str) -> String {
    format!("axon: 1\nroles: {{ {name}: {{}} }}\n")
}

/// The same with a test that fails.
pub fn failing(name: &str) -> String {
    format!(
        "{}mappings: [{{ groups: {{ any: [G] }}, source: entra, roles: [{name}] }}]\n\
         tests: [{{ user: {{ userName: kim, groups: [] }}, roles: [{name}] }}]\n",
        map(name)
    )
}

/// A server on a small map, with these lines of `operators:`.
pub struct Stand {
    pub serve: Serve,
    pub place: Place,
}

impl Stand {
    pub async fn start(operators: &str) -> anyhow::Result<Self> {
        Self::start_on(Place::new([""; 0])?, operators, &map("first")).await
    }

    pub async fn start_on(place: Place, operators: &str, text: &str) -> anyhow::Result<Self> {
        place.write("role-map.yaml", text)?;
        let section = if operators.is_empty() { String::new() } else { format!("operators:\n{operators}") };
        place.write("axon.yaml", &format!("{CONFIG}{section}"))?;
        let serve = Serve::start(&place).await?;
        Ok(Self { serve, place })
    }

    /// An operator with a token of their own.
    pub async fn operator(&self, name: &str, may: &str) -> anyhow::Result<Client> {
        let said = self.place.axon(&["token", "create", "--operator", name, "--may", may]).await?.exits(0)?;
        Ok(self.client(said.out.trim()))
    }

    pub fn client(&self, token: &str) -> Client {
        Client { base: self.serve.address().to_owned(), token: token.to_owned() }
    }

    /// The version that this server has in force, as readiness tells it.
    pub async fn version(&self) -> anyhow::Result<String> {
        let ready = self.serve.ready().await?;
        Ok(ready["map"]["version"].as_str().context("readiness tells the version")?.to_owned())
    }

    /// Waits until the server has another version than this in force, and gives it.
    pub async fn version_after(&self, before: &str) -> anyhow::Result<String> {
        until("another version is in force", SOON, async || {
            let now = self.version().await?;
            Ok((now != before).then_some(now))
        })
        .await
    }

    /// The heads, newest first.
    pub async fn log(&self) -> anyhow::Result<Vec<Value>> {
        let said = self.place.axon(&["map", "log", "--json"]).await?.exits(0)?.json()?;
        Ok(said["versions"].as_array().context("versions")?.clone())
    }

    /// A metric's value for a reason.
    pub async fn counted(&self, metric: &str, label: &str) -> anyhow::Result<f64> {
        let (_, text) = self.serve.page("/metrics").await?;
        let of = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            (series.starts_with(metric) && series.contains(label))
                .then(|| value.parse::<f64>().ok())
                .flatten()
        };
        Ok(text.lines().filter_map(of).sum())
    }
}

/// Somebody who speaks to the operators' API.
#[derive(Clone)]
pub struct Client {
    pub base: String,
    pub token: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub headers: header::HeaderMap,
}

impl Answer {
    pub fn is(self, status: u16) -> anyhow::Result<Self> {
        ensure!(self.status == status, "answered {} instead of {status}: {}", self.status, self.body);
        Ok(self)
    }

    /// Insists on a problem of this status and word.
    pub fn refuses(self, status: u16, code: &str) -> anyhow::Result<Self> {
        let answer = self.is(status)?;
        let kind = answer.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        ensure!(kind == "application/problem+json", "{kind}: {}", answer.body);
        ensure!(answer.body["code"] == code && answer.body["status"] == status, "{}", answer.body);
        ensure!(answer.body["detail"].is_string(), "{}", answer.body);
        Ok(answer)
    }
}

impl Client {
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        more: &[(&str, &str)],
    ) -> anyhow::Result<Answer> {
        let mut request = reqwest::Client::new().request(method, format!("{}/api/v1{path}", self.base));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = answer.bytes().await?;
        let body =
            if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).context("JSON")? };
        Ok(Answer { status, body, headers })
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::GET, path, None, &[]).await
    }

    pub async fn post(&self, path: &str, body: Value) -> anyhow::Result<Answer> {
        self.send(Method::POST, path, Some(body), &[]).await
    }

    /// Pushes a map onto a parent.
    pub async fn push(&self, text: &str, parent: &str) -> anyhow::Result<Answer> {
        self.post("/map", json!({ "files": files(text), "comment": "a change", "parent": parent })).await
    }
}

pub fn files(text: &str) -> Value {
    json!([{ "name": "role-map.yaml", "text": text }])
}

/// A system that signs tokens for jobs.
pub struct Ci {
    /// Answers as long as this lives.
    _issuer: FakeIssuer,
    key: SigningKey,
    pub name: String,
}

impl Ci {
    pub async fn start() -> Self {
        let (issuer, key) = (FakeIssuer::start().await, SigningKey::rsa("k1"));
        let name = format!("{}/ci", issuer.base());
        issuer.issue("/ci", &name, &[&key]);
        Self { _issuer: issuer, key, name }
    }

    /// A token for `axon`, with these claims beside or in the place of the usual ones.
    pub fn token(&self, claims: &Value) -> String {
        let now = SystemClock.now().unix_timestamp();
        let mut all =
            json!({ "iss": self.name, "aud": "axon", "sub": "job-1", "iat": now, "exp": now + 3600 });
        for (name, value) in claims.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        self.key.sign(&all)
    }
}

/// Posts a form.
pub async fn post_form(address: &str, form: &[(&str, &str)]) -> anyhow::Result<Answer> {
    // All that is sent here stands in a form as it is, but for these.
    let escaped =
        |text: &str| text.replace('%', "%25").replace('&', "%26").replace('+', "%2B").replace('=', "%3D");
    let body: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    let request = reqwest::Client::new().post(address).body(body.join("&"));
    let answer = request.header("content-type", "application/x-www-form-urlencoded").send().await?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Ok(Answer { status, headers, body: answer.json().await? })
}
