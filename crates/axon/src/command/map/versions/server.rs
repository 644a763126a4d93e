//! Versions over a server's operators' API.

use std::time::Duration;

use anyhow::{Context, bail};
use axon_model::name::shown;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::Pushed;
use crate::person::Proof;
use crate::remote::Remote;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// The largest answer, bytes.
const LARGEST: usize = 64 * 1024 * 1024;

/// A server's versions.
pub struct Server(Remote);

impl Server {
    /// Asks nothing yet.
    pub fn new(url: &str, proof: &Proof) -> anyhow::Result<Self> {
        Ok(Self(Remote::new(url, proof, PATIENCE, LARGEST)?))
    }

    /// The version in force.
    pub async fn current(&self) -> anyhow::Result<Option<Value>> {
        self.find("/map").await
    }

    /// The newest versions.
    pub async fn list(&self, limit: u32) -> anyhow::Result<Vec<Value>> {
        let page = self.find(&format!("/map/versions?limit={limit}")).await?;
        Ok(list_of(page, "versions"))
    }

    /// The newest proposals.
    pub async fn proposals(&self) -> anyhow::Result<Vec<Value>> {
        Ok(list_of(self.find("/map/proposals").await?, "proposals"))
    }

    /// A version, or what was proposed under its hash.
    pub async fn one(&self, version: &str) -> anyhow::Result<Option<Value>> {
        match self.find(&format!("/map/versions/{version}")).await? {
            Some(found) => Ok(Some(found)),
            None => self.find(&format!("/map/proposals/{version}")).await,
        }
    }

    /// Offers a version.
    pub async fn push(&self, pushed: Pushed) -> anyhow::Result<Value> {
        let Pushed { files, comment, parent, pipeline, commit } = pushed;
        let files: Vec<Value> =
            files.iter().map(|(name, text)| json!({ "name": name, "text": text })).collect();
        let mut body = json!({ "files": files, "comment": comment, "parent": parent });
        if pipeline.is_some() || commit.is_some() {
            body["run"] = json!({ "pipeline": pipeline, "commit": commit });
        }
        self.send(Method::POST, "/map", Some(&body)).await?.context("the server has no operators' API")
    }

    /// Answers a proposal.
    pub async fn answer(&self, version: &str, release: bool, reason: &str) -> anyhow::Result<Value> {
        let verb = if release { "release" } else { "reject" };
        let path = format!("/map/proposals/{version}/{verb}");
        let answered = self.send(Method::POST, &path, Some(&json!({ "reason": reason }))).await?;
        answered.context("no version with this hash waits for a second person")
    }

    async fn find(&self, path: &str) -> anyhow::Result<Option<Value>> {
        self.send(Method::GET, path, None).await
    }

    /// What is answered; none where there is no such thing.
    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Option<Value>> {
        let with = |request: RequestBuilder| match body {
            Some(body) => request.json(body),
            None => request,
        };
        let (status, bytes) = self.0.send(method, &format!("/api/v1{path}"), with).await?;
        let read: Option<Value> = serde_json::from_slice(&bytes).ok();
        if status.is_success() {
            return Ok(Some(read.with_context(|| self.0.stranger())?));
        }
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let detail = read.as_ref().and_then(|problem| problem["detail"].as_str()).unwrap_or_default();
        // A refused map is told with its faults, line by line.
        let told: Vec<String> = detail.lines().map(shown).collect();
        bail!("the server answered {}: {}", status.as_u16(), told.join("\n"))
    }
}

fn list_of(page: Option<Value>, member: &str) -> Vec<Value> {
    page.and_then(|mut page| page[member].as_array_mut().map(std::mem::take)).unwrap_or_default()
}
