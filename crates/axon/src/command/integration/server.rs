//! The API of a server, as a client sees it.

use std::time::Duration;

use anyhow::{Context, bail};
use axon_identity_token::Address;
use axon_model::name::shown;
use reqwest::{Method, header};
use serde_json::Value;

use crate::person::{self, Proof};

/// Where the token may stand, beside a file.
const TOKEN: &str = "AXON_OPERATOR_TOKEN";
/// How long an answer may take: a pool is entered for some.
const PATIENCE: Duration = Duration::from_mins(2);
/// The largest answer, bytes.
const LARGEST: usize = 8 * 1024 * 1024;

/// A server's API, and the token that is shown to it.
pub struct Server {
    client: reqwest::Client,
    base: String,
    token: String,
}

impl Server {
    /// Asks nothing yet. A token goes over https alone, or to this machine.
    pub fn new(url: &str, proof: &Proof) -> anyhow::Result<Self> {
        let base = url.trim_end_matches('/').to_owned();
        Address::parse(&base).context("--url")?;
        let token = match &proof.token_file {
            Some(file) => person::read_token(file)?,
            None => std::env::var(TOKEN)
                .with_context(|| format!("a server asks for a token: --token-file FILE, or {TOKEN}"))?,
        };
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("no client can be made")?;
        Ok(Self { client, base, token: token.trim().to_owned() })
    }

    /// What is answered, as a value.
    pub async fn json(&self, method: Method, path: &str, body: Option<String>) -> anyhow::Result<Value> {
        let text = self.send(method, path, body, "application/json").await?;
        serde_json::from_str(&text).with_context(|| format!("{} does not answer as Axon does", self.base))
    }

    /// What is answered, as a text.
    pub async fn text(&self, method: Method, path: &str, body: Option<String>) -> anyhow::Result<String> {
        self.send(method, path, body, "text/plain").await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        accept: &'static str,
    ) -> anyhow::Result<String> {
        let address = format!("{}/integrations{path}", self.base);
        let mut request =
            self.client.request(method, address).bearer_auth(&self.token).header(header::ACCEPT, accept);
        if let Some(body) = body {
            // Every JSON is YAML.
            request = request.header(header::CONTENT_TYPE, "application/yaml").body(body);
        }
        let mut answer = request.send().await.with_context(|| format!("{} does not answer", self.base))?;
        let status = answer.status();
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await.context("the answer ended early")? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > LARGEST {
                bail!("the answer is over {LARGEST} bytes");
            }
        }
        let text = String::from_utf8(bytes).context("the answer is not UTF-8")?;
        if status.is_success() {
            return Ok(text);
        }
        let told: Value = serde_json::from_str(&text).unwrap_or_default();
        let message = told["message"].as_str().unwrap_or_default();
        bail!("the server answered {}: {}", status.as_u16(), shown(message))
    }
}
