//! A running `axon serve`.

use std::process::ExitStatus;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::child::Child;
use crate::place::Place;
use crate::scim::Scim;

/// The server under test.
pub struct Serve {
    child: Child,
    address: String,
}

impl Serve {
    /// Starts it on the folder's configuration.
    pub async fn start(place: &Place) -> anyhow::Result<Self> {
        Self::start_in(place, &[]).await
    }

    /// The same, with variables in its environment.
    pub async fn start_in(place: &Place, environment: &[(&str, &str)]) -> anyhow::Result<Self> {
        let child = Child::start(place, "serve", &["serve"], environment).await?;
        let address = child.said("listening on ")?;
        Ok(Self { child, address })
    }

    /// Where it listens, as `http://…`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A SCIM client with this token.
    pub fn scim(&self, token: &str) -> Scim {
        Scim::new(&format!("{}/scim/v2", self.address), token)
    }

    /// GET of a path that needs no token: status and text.
    pub async fn page(&self, path: &str) -> anyhow::Result<(u16, String)> {
        let answer = reqwest::get(format!("{}{path}", self.address)).await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// `/readyz`, which must answer 200: SCIM is served whatever the target does.
    pub async fn ready(&self) -> anyhow::Result<Value> {
        let (status, text) = self.page("/readyz").await?;
        ensure!(status == 200, "{status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// The target's state as `/readyz` tells it.
    pub async fn state(&self) -> anyhow::Result<String> {
        let ready = self.ready().await?;
        Ok(ready["targets"]["warehouse"].as_str().context("the target's state")?.to_owned())
    }

    /// The sum of a metric over its labels; 0 where it is not there yet.
    pub async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let (_, text) = self.page("/metrics").await?;
        let values = text.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let of = series.split_once('{').map_or(series, |(name, _)| name);
            if of == name { value.parse::<f64>().ok() } else { None }
        });
        Ok(values.sum())
    }

    /// The process.
    pub fn child(&self) -> &Child {
        &self.child
    }

    /// SIGTERM; gives how it ended.
    pub async fn stop(self) -> anyhow::Result<ExitStatus> {
        self.child.stop().await
    }

    /// SIGKILL.
    pub async fn kill(self) -> anyhow::Result<()> {
        self.child.kill().await
    }
}
