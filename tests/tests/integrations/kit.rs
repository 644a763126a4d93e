//! A server with an integrations API, a pool, and a client that sends what clients of this API send.

use std::time::Duration;

use anyhow::{Context, ensure};
use axon_tests::{ADMIN, CONFIG, PASSWORD, Place, Pool, Postgres, SOON, Serve, Tds, number, until};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// A map without targets: it needs no pool.
const MAP: &str = "axon: 1\nroles: { reader: {} }\n";
/// Loopback may be entered, and each integration is looked at every second.
const SECTION: &str = "integrations: { hosts: [\"127.0.0.1\"], look_every_seconds: 1";
/// The password that scripts are given.
pub const OWN_PASSWORD: &str = "abc1234-Of-Axon";

/// Between two looks: a caller may ask twenty times a second.
pub const BETWEEN: Duration = Duration::from_millis(80);

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
        Self::start_with(secrets()).await
    }

    /// With these settings of integrations beside the usual.
    pub async fn start_with(more: &str) -> anyhow::Result<Self> {
        Self::start_of(CONFIG, more).await
    }

    /// Whose targets are read whole every second.
    pub async fn start_looking() -> anyhow::Result<Self> {
        let looking = "reconcile: { retry_seconds: 1, inspect_every_seconds: 1 }";
        Self::start_of(&CONFIG.replace("reconcile: { retry_seconds: 1 }", looking), secrets()).await
    }

    /// Beside a pool that was started with these arguments.
    pub async fn beside(pool: &[&str]) -> anyhow::Result<Self> {
        Self::start_beside(CONFIG, secrets(), MAP, pool).await
    }

    /// With these lines of the configuration beside the usual, and this map.
    pub async fn configured(lines: &str, map: &str) -> anyhow::Result<Self> {
        Self::start_beside(&format!("{CONFIG}{lines}"), secrets(), map, &[]).await
    }

    /// Whose server writes down all that it can.
    pub async fn talkative() -> anyhow::Result<Self> {
        let config = CONFIG.replace("level: info", "level: trace");
        ensure!(config != CONFIG, "the level of the log");
        Self::start_of(&config, secrets()).await
    }

    async fn start_of(config: &str, more: &str) -> anyhow::Result<Self> {
        Self::start_beside(config, more, MAP, &[]).await
    }

    async fn start_beside(config: &str, more: &str, map: &str, pool: &[&str]) -> anyhow::Result<Self> {
        let place = Place::new([""; 0])?;
        place.write("role-map.yaml", map)?;
        place.write("axon.yaml", &format!("{config}{SECTION}{more} }}\n"))?;
        let pool = Pool::start_empty(&place, 0, pool).await?;
        let serve = Serve::start(&place).await?;
        let key = operator(&place, "integrations.write").await?;
        Ok(Self { serve, pool, place, key })
    }

    /// On a machine and in a cluster that have identities, with the neighbours in Azure that give tokens for them.
    pub async fn in_azure(of_the_cluster: &str) -> anyhow::Result<Self> {
        let place = Place::new([""; 0])?;
        place.write("role-map.yaml", MAP)?;
        place.write(
            "cloud.json",
            &json!({ "tenantId": "11111111-1111-1111-1111-111111111111" }).to_string(),
        )?;
        place.write("cluster.jwt", of_the_cluster)?;
        let cloud = place.file("cloud.json").display().to_string();
        let pool = Pool::start_empty(&place, 0, &["--rest-listen", "127.0.0.1:0", "--cloud", &cloud]).await?;
        let base = pool.rest()?;
        let azure = format!("azure: {{ authority: \"{base}\", metadata: \"{base}\" }}\n");
        let section = format!("{SECTION}{} }}\n", secrets());
        place.write("axon.yaml", &format!("{CONFIG}{section}{azure}"))?;
        let token = place.file("cluster.jwt").display().to_string();
        let serve = Serve::start_in(&place, &[("AZURE_FEDERATED_TOKEN_FILE", &token)]).await?;
        let key = operator(&place, "integrations.write").await?;
        Ok(Self { serve, pool, place, key })
    }

    /// The tokens that the neighbours were asked for.
    pub async fn tokens(&self) -> anyhow::Result<Vec<Value>> {
        let asked = self.pool.ask("GET", "/cloud/requests", None).await?;
        let all = asked["requests"].as_array().cloned().unwrap_or_default();
        let is_token =
            |r: &Value| ["authority", "imds", "app-service"].iter().any(|own| r["service"] == *own);
        Ok(all.into_iter().filter(is_token).collect())
    }

    /// A script, as a text; asked for in JSON it is one text.
    pub async fn script(&self, path: &str, payload: &Value) -> anyhow::Result<String> {
        let body = Some((payload.to_string(), "application/json"));
        let text = self.send_as(&self.key, Method::POST, path, body, "text/plain").await?.is(200)?.text;
        ensure!(!text.contains(OWN_PASSWORD) && !text.contains(PASSWORD), "{text}");
        let as_json = self.post(path, payload).await?.is(200)?.body;
        ensure!(as_json == json!(text), "JSON is asked for, and is one text");
        Ok(text)
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

    /// The files of secrets of integrations, which have their numbers.
    pub fn secrets(&self) -> anyhow::Result<Vec<String>> {
        let folder = self.place.file("axon.db-secrets");
        let mut found = Vec::new();
        if folder.exists() {
            for entry in std::fs::read_dir(folder)? {
                found.push(entry?.file_name().to_string_lossy().into_owned());
            }
        }
        found.retain(|name| name.starts_with(|first: char| first.is_ascii_digit()));
        Ok(found)
    }

    /// Neither a file of the server nor its store holds this text: nor does its log.
    pub fn holds_nowhere(&self, secret: &str) -> anyhow::Result<()> {
        self.holds_nowhere_but(secret, &[])
    }

    /// The same, but for files that were put there.
    pub fn holds_nowhere_but(&self, secret: &str, given: &[&str]) -> anyhow::Result<()> {
        let mut holding = self.holding(secret)?;
        holding.retain(|place| !given.contains(&place.as_str()));
        ensure!(holding.is_empty(), "{holding:?} hold it");
        Ok(())
    }

    /// The files of the server that hold this text, and the database that is its store, by its whole dump.
    pub fn holding(&self, text: &str) -> anyhow::Result<Vec<String>> {
        let holds = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        let mut holding = Vec::new();
        for entry in std::fs::read_dir(self.place.path())? {
            let file = entry?.path();
            // The emulator's own log is not the server's.
            if file.is_file() && !file.ends_with("emulator.log") && holds(&std::fs::read(&file)?, text) {
                holding.push(file.file_name().context("a name")?.to_string_lossy().into_owned());
            }
        }
        if let Some(database) = self.place.database() {
            let dump = Postgres::shared()?.dump(database)?;
            // Bytes of a column stand as hexadecimal digits there.
            let digits = text.bytes().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"));
            if holds(&dump, text) || holds(&dump, &digits) {
                holding.push("the database".to_owned());
            }
        }
        Ok(holding)
    }
}

/// Beside a store that is no file it must be said where Axon's own secrets lie.
pub fn secrets() -> &'static str {
    let is_file = std::env::var("AXON_TEST_STORE").map_or(true, |store| store != "postgres");
    if is_file { "" } else { ", secrets: axon.db-secrets" }
}

/// Who runs a script.
pub enum Steps<'a> {
    /// The administrator with a password, in this database.
    Password(&'a Stand, &'a str),
    /// Somebody of Entra, by a token.
    Token(&'a Stand, &'a str),
}

/// Runs a script as people do, each batch for itself; gives the numbers of the refusals.
pub async fn run_as(who: Steps<'_>, script: &str) -> anyhow::Result<Vec<u32>> {
    let mut session = match who {
        Steps::Password(stand, database) => {
            Tds::in_database(stand.pool.address(), database, ADMIN, PASSWORD).await?
        }
        Steps::Token(stand, token) => Tds::with_token(stand.pool.address(), token).await?,
    };
    let mut refused = Vec::new();
    for batch in script.replace("$(AxonPassword)", OWN_PASSWORD).split("\nGO") {
        let has_statement = batch.lines().any(|line| !line.is_empty() && !line.starts_with("--"));
        if let (true, Err(error)) = (has_statement, session.run(batch).await) {
            refused.push(number(&error).with_context(|| format!("{batch}: {error}"))?);
        }
    }
    Ok(refused)
}

/// A script with the lines that are left to whoever runs it: here the account is Axon's alone.
pub fn by_hand(script: &str) -> String {
    script.replace("\n--| ", "\n")
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
/// Who is in which role that is not fixed, as `role member`.
pub const MEMBERS: &str = "SELECT r.name + ' ' + m.name FROM sys.database_role_members x \
    JOIN sys.database_principals r ON r.principal_id = x.role_principal_id \
    JOIN sys.database_principals m ON m.principal_id = x.member_principal_id WHERE r.is_fixed_role = 0 ORDER BY r.name, m.name";
pub const PRINCIPALS: &str = "SELECT u.name FROM sys.database_principals u WHERE u.is_fixed_role = 0 AND u.name NOT IN \
    ('dbo', 'guest', 'sys', 'INFORMATION_SCHEMA', 'public') AND u.name NOT LIKE '%rc%' ORDER BY u.name";
