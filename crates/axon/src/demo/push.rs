//! An identity provider's side of SCIM, over HTTP: sends what the connectors send and refuses answers they would refuse.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use axon_model::{Clock, RequestId, SystemClock};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use time::OffsetDateTime;

/// When each request was sent, by the id that it was sent with.
#[derive(Clone, Default)]
pub struct Sent(Arc<Mutex<BTreeMap<RequestId, OffsetDateTime>>>);

impl Sent {
    /// Notes a request that is about to be sent; gives its id.
    fn note(&self) -> anyhow::Result<RequestId> {
        let id: RequestId = uuid::Uuid::new_v4().to_string().parse()?;
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sent.insert(id.clone(), SystemClock.now());
        Ok(id)
    }

    /// When it was sent.
    pub fn at(&self, id: &RequestId) -> Option<OffsetDateTime> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied()
    }
}

/// One connector: a base address, a token, and how it names its media type.
pub struct Connector {
    client: reqwest::Client,
    base: String,
    token: String,
    agent: &'static str,
    sent: Sent,
}

/// What came back.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body; null where there is none.
    pub body: Value,
}

impl Connector {
    /// A connector that pushes to `base` (…/scim/v2) with this token.
    pub fn new(base: String, token: String, agent: &'static str, sent: Sent) -> Self {
        Self { client: reqwest::Client::new(), base, token, agent, sent }
    }

    /// Sends one request. `path` begins with a slash and may hold a query, in the connector's own encoding.
    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Answer> {
        let what = format!("{method} {path}");
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.token)
            .header("User-Agent", self.agent)
            .header("X-Request-Id", self.sent.note()?.as_str())
            .header("Accept", "application/scim+json");
        if let Some(body) = body {
            request = request
                .header("Content-Type", "application/scim+json; charset=utf-8")
                .body(serde_json::to_vec(&body)?);
        }
        let answer = request.send().await.with_context(|| what.clone())?;
        let status = answer.status();
        let typed = answer
            .headers()
            .get("content-type")
            .is_none_or(|t| t.as_bytes().starts_with(b"application/scim+json"));
        let bytes = answer.bytes().await?;
        if !typed {
            bail!("{what} was not answered in application/scim+json");
        }
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? };
        Ok(Answer { status, body })
    }

    /// Sends and insists on one of the wanted statuses.
    pub async fn expect(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        wanted: &[u16],
    ) -> anyhow::Result<Value> {
        let answer = self.send(method.clone(), path, body).await?;
        if !wanted.contains(&answer.status.as_u16()) {
            bail!("{method} {path} was answered {} {}", answer.status, answer.body);
        }
        Ok(answer.body)
    }

    /// GET that must find a list, as a match filter does; gives `Resources`.
    pub async fn matching(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let list = self.expect(Method::GET, path, None, &[200]).await?;
        let total = list["totalResults"].as_u64().context("totalResults is a number")?;
        let resources = list["Resources"].as_array().context("Resources is an array")?.clone();
        anyhow::ensure!(total >= resources.len() as u64, "totalResults counts all");
        Ok(resources)
    }

    /// POST that must create; gives the new id.
    pub async fn create(&self, path: &str, body: Value) -> anyhow::Result<String> {
        let made = self.expect(Method::POST, path, Some(body), &[201]).await?;
        Ok(made["id"].as_str().context("a created resource has an id")?.to_owned())
    }

    /// PATCH with these operations.
    pub async fn patch(&self, path: &str, operations: Value) -> anyhow::Result<()> {
        let body = serde_json::json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations,
        });
        self.expect(Method::PATCH, path, Some(body), &[200, 204]).await.map(drop)
    }
}
