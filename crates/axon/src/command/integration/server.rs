//! The API of a server, as a client sees it.

use std::time::Duration;

use anyhow::{Context, bail};
use axon_model::name::shown;
use reqwest::{Method, header};
use serde_json::Value;

use crate::person::Proof;
use crate::remote::Remote;

/// How long an answer may take: a pool is entered for some.
const PATIENCE: Duration = Duration::from_mins(2);
/// The largest answer, bytes.
const LARGEST: usize = 8 * 1024 * 1024;

/// A server's integrations.
pub struct Server(Remote);

impl Server {
    /// Asks nothing yet.
    pub fn new(url: &str, proof: &Proof) -> anyhow::Result<Self> {
        Ok(Self(Remote::new(url, proof, PATIENCE, LARGEST)?))
    }

    /// What is answered, as a value.
    pub async fn json(&self, method: Method, path: &str, body: Option<String>) -> anyhow::Result<Value> {
        let text = self.send(method, path, body, "application/json").await?;
        serde_json::from_str(&text).with_context(|| self.0.stranger())
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
        let with = |request: reqwest::RequestBuilder| {
            let request = request.header(header::ACCEPT, accept);
            match body {
                // Every JSON is YAML.
                Some(body) => request.header(header::CONTENT_TYPE, "application/yaml").body(body),
                None => request,
            }
        };
        let (status, bytes) = self.0.send(method, &format!("/integrations{path}"), with).await?;
        let text = String::from_utf8(bytes).context("the answer is not UTF-8")?;
        if status.is_success() {
            return Ok(text);
        }
        let told: Value = serde_json::from_str(&text).unwrap_or_default();
        let message = told["message"].as_str().unwrap_or_default();
        bail!("the server answered {}: {}", status.as_u16(), shown(message))
    }
}
