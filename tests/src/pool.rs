//! A pool: the emulator with its levers.

use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::child::Child;
use crate::place::Place;
use crate::tds::Tds;

/// The SQL administrator, who sets the pool up and reads its catalog.
pub const ADMIN: &str = "sa";
/// Its password. It guards an empty stand-in on loopback.
pub const PASSWORD: &str = "End-2-end!";
/// The Entra administrator that Axon enters the pool as.
pub const ENTRA_ADMIN: &str = "axon@acme.example";

/// A running emulator.
pub struct Pool {
    child: Child,
    address: String,
    control: String,
}

/// An access token as Entra would issue it for a person. The emulator checks no signature.
pub fn entra_token(upn: &str) -> String {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    [
        part(json!({ "alg": "none", "typ": "JWT" })),
        // From 2020 to 2100: no test is about its end.
        part(json!({ "aud": "https://database.windows.net/", "nbf": 1_577_836_800, "exp": 4_102_444_800_u64, "upn": upn })),
        URL_SAFE_NO_PAD.encode("unsigned"),
    ]
    .join(".")
}

impl Pool {
    /// Starts an empty pool on this port (0 takes a free one) and runs the suites' `pool.sql` in it.
    pub async fn start(place: &Place, port: u16) -> anyhow::Result<Self> {
        Self::start_with(place, port, &[]).await
    }

    /// The same, with more arguments.
    pub async fn start_with(place: &Place, port: u16, more: &[&str]) -> anyhow::Result<Self> {
        let pool = Self::start_empty(place, port, more).await?;
        let mut admin = pool.admin().await?;
        for batch in include_str!("pool.sql").split("\nGO\n").map(str::trim).filter(|b| !b.is_empty()) {
            admin.run(batch).await.with_context(|| batch.to_owned())?;
        }
        Ok(pool)
    }

    /// Starts an empty pool, with more arguments.
    pub async fn start_empty(place: &Place, port: u16, more: &[&str]) -> anyhow::Result<Self> {
        let (listen, admin) = (format!("127.0.0.1:{port}"), format!("{ADMIN}:{PASSWORD}"));
        let directory = place.file("directory.json").display().to_string();
        let mut arguments =
            vec!["emulator", "--listen", &listen, "--admin", &admin, "--entra-admin", ENTRA_ADMIN];
        arguments.extend(["--directory", &directory, "--control", "127.0.0.1:0"]);
        arguments.extend(more);
        let child = Child::start(place, "emulator", &arguments, &[]).await?;
        let (address, control) = (child.said("listening on ")?, child.said("control on ")?);
        Ok(Self { child, address, control })
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Where its neighbours in Azure listen, if it was started with `--rest-listen`.
    pub fn rest(&self) -> anyhow::Result<String> {
        Ok(format!("http://{}", self.child.said("rest on ")?))
    }

    /// Where its levers are.
    pub fn control(&self) -> String {
        format!("http://{}", self.control)
    }

    /// The port of the pool.
    pub fn port(&self) -> anyhow::Result<u16> {
        Ok(self.address.rsplit_once(':').context("an address has a port")?.1.parse()?)
    }

    /// A request to the control channel, with JSON both ways; null where nothing comes back.
    pub async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let mut request = client.request(method.parse()?, format!("{}{path}", self.control()));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{method} {path}: {status} {text}");
        if text.is_empty() { Ok(Value::Null) } else { serde_json::from_str(&text).context("it answers JSON") }
    }

    /// Pulls a lever, such as `power paused`.
    pub async fn lever(&self, command: &str) -> anyhow::Result<()> {
        let mut stream = BufReader::new(TcpStream::connect(&self.control).await?);
        stream.write_all(format!("{command}\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_line(&mut answer).await?;
        ensure!(answer == "ok\n", "{command}: {answer}");
        Ok(())
    }

    /// Enters as the SQL administrator.
    pub async fn admin(&self) -> anyhow::Result<Tds> {
        Tds::with_password(&self.address, ADMIN, PASSWORD).await.context("the administrator's login")
    }

    /// Enters as a person, with that person's Entra token.
    pub async fn person(&self, upn: &str) -> Result<Tds, tiberius::error::Error> {
        Tds::with_token(&self.address, &entra_token(upn)).await
    }

    /// The same in another database of a serverless endpoint.
    pub async fn person_in(&self, database: &str, upn: &str) -> Result<Tds, tiberius::error::Error> {
        Tds::with_token_in(&self.address, database, &entra_token(upn)).await
    }

    /// Ends it.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.child.stop().await.map(drop)
    }
}
