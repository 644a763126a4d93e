//! A server with an integrations API, a pool, and a client that sends what clients of this API send.

use std::time::Duration;

use anyhow::{Context, ensure};
use axon_tests::{ADMIN, CONFIG, PASSWORD, Place, Pool, SOON, Serve, until};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// A map without targets: it needs no pool.
const MAP: &str = "axon: 1\nroles: { reader: {} }\n";
/// Loopback may be entered, and each integration is looked at every second.
const SECTION: &str = "integrations: { hosts: [\"127.0.0.1\"], look_every_seconds: 1 }\n";
/// Beside a store that is no file it must be said where Axon's own secrets lie.
const SECRETS: &str =
    "integrations: { hosts: [\"127.0.0.1\"], look_every_seconds: 1, secrets: axon.db-secrets }\n";

/// Between two looks: an operator may ask ten times a second.
pub const BETWEEN: Duration = Duration::from_millis(150);

pub struct Stand {
    pub serve: Serve,
    pub pool: Pool,
    pub place: Place,
    /// The key of an operator who may change integrations.
    pub key: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub text: String,
}

impl Answer {
    pub fn is(self, status: u16) -> anyhow::Result<Self> {
        ensure!(self.status == status, "answered {} instead of {status}: {}", self.status, self.text);
        Ok(self)
    }

    /// Insists on an error of this status, whole, with these words in its message.
    pub fn refuses(self, status: u16, reason: &str, words: &str) -> anyhow::Result<Self> {
        let answer = self.is(status)?;
        ensure!(answer.body["statusCode"] == status && answer.body["error"] == reason, "{}", answer.text);
        let message = answer.body["message"].as_str().context("a message")?;
        ensure!(message.contains(words), "{message:?} does not say {words:?}");
        Ok(answer)
    }
}

impl Stand {
    pub async fn start() -> anyhow::Result<Self> {
        let place = Place::new([""; 0])?;
        place.write("role-map.yaml", MAP)?;
        let section = if place.has_its_store() { SECTION } else { SECRETS };
        place.write("axon.yaml", &format!("{CONFIG}{section}"))?;
        let pool = Pool::start_empty(&place, 0, &[]).await?;
        let serve = Serve::start(&place).await?;
        let key = operator(&place, "integrations.write").await?;
        Ok(Self { serve, pool, place, key })
    }

    /// The seed's payload for this stand's pool.
    pub fn payload(&self, automatic: bool, more: Value) -> anyhow::Result<Value> {
        let mut config = json!({
            "host": "127.0.0.1", "port": self.pool.port()?, "tls": "off", "database": "dw",
            "schema": "sample_schema", "username": ADMIN, "password": PASSWORD, "authenticationType": "userPassword",
        });
        if let (Value::Object(config), Value::Object(more)) = (&mut config, more) {
            config.extend(more);
        }
        Ok(json!({ "type": "Azure Synapse Analytics", "autoBootstrap": automatic, "config": config }))
    }

    /// A request as the seed's: the key bare, JSON both ways.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
        let body = body.map(|body| (body.to_string(), "application/json"));
        self.send_as(&self.key, method, path, body, "application/json").await
    }

    pub async fn send_as(
        &self,
        authorization: &str,
        method: Method,
        path: &str,
        body: Option<(String, &str)>,
        accept: &str,
    ) -> anyhow::Result<Answer> {
        let address = format!("{}/integrations{path}", self.serve.address());
        let mut request = reqwest::Client::new().request(method, address).header("accept", accept);
        if !authorization.is_empty() {
            request = request.header("authorization", authorization);
        }
        if let Some((body, kind)) = body {
            request = request.header("content-type", kind).body(body);
        }
        let mut answer = request.try_clone().context("a body that can be sent again")?.send().await?;
        for _ in 0..3 {
            if answer.status() != StatusCode::TOO_MANY_REQUESTS {
                break;
            }
            // As an honest client does: who was told to come back later comes back then.
            let later = answer.headers().get("retry-after").context("no word of when")?.to_str()?.parse()?;
            tokio::time::sleep(Duration::from_secs(later)).await;
            answer = request.try_clone().context("a body that can be sent again")?.send().await?;
        }
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Answer { status, body, text })
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.send(Method::POST, path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.send(Method::PUT, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
        self.send(Method::DELETE, path, body).await
    }

    /// Waits until an integration is in this status, and gives what is told of it.
    pub async fn status(&self, id: &str, wanted: &str) -> anyhow::Result<Value> {
        let mut last = String::new();
        let what = format!("integration {id} is {wanted}");
        let seen = until(&what, SOON, async || {
            let answer = self.get(&format!("/{id}/status")).await?.is(200)?;
            last.clone_from(&answer.text);
            if answer.body["status"] == wanted {
                return Ok(Some(answer.body));
            }
            tokio::time::sleep(BETWEEN).await;
            Ok(None)
        })
        .await;
        seen.with_context(|| last)
    }

    /// The first column of a query of the pool's administrator.
    pub async fn column(&self, query: &str) -> anyhow::Result<Vec<String>> {
        self.pool.admin().await?.column(query).await
    }

    /// No file of the server holds this text: not its store, nor its log.
    pub fn holds_nowhere(&self, secret: &str) -> anyhow::Result<()> {
        for entry in std::fs::read_dir(self.place.path())? {
            let file = entry?.path();
            // The emulator's own log is not the server's.
            if file.is_file() && !file.ends_with("emulator.log") {
                let bytes = std::fs::read(&file)?;
                let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
                ensure!(!found, "{} holds it", file.display());
            }
        }
        Ok(())
    }
}

/// A test of what a look told.
pub fn test<'v>(told: &'v Value, name: &str) -> anyhow::Result<&'v Value> {
    let tests = told["validationResults"]["validationTests"].as_array().context("tests")?;
    tests.iter().find(|test| test["name"] == name).with_context(|| format!("{name}: {told}"))
}

/// The key of an operator who may do this.
pub async fn operator(place: &Place, may: &str) -> anyhow::Result<String> {
    let said = place.axon(&["token", "create", "--operator", "ana", "--may", may]).await?.exits(0)?;
    Ok(said.out.trim().to_owned())
}

pub const SCHEMAS: &str = "SELECT s.name FROM sys.schemas s JOIN sys.database_principals p \
    ON p.principal_id = s.principal_id WHERE p.name = 'axon_owner' ORDER BY s.name";
pub const PRINCIPALS: &str = "SELECT u.name FROM sys.database_principals u WHERE u.is_fixed_role = 0 AND u.name NOT IN \
    ('dbo', 'guest', 'sys', 'INFORMATION_SCHEMA', 'public') AND u.name NOT LIKE '%rc%' ORDER BY u.name";
