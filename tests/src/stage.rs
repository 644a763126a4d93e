//! A pool, a server and a connector, ready to play.

use anyhow::{Context, ensure};

use crate::catalog::Catalog;
use crate::place::Place;
use crate::pool::{ENTRA_ADMIN, Pool, entra_token};
use crate::scim::Scim;
use crate::serve::Serve;
use crate::wait::{SOON, until};

/// The suites' configuration.
pub const CONFIG: &str = "listen: 127.0.0.1:0\nstore: sqlite:axon.db\nrole_map: role-map.yaml\n\
    reconcile: { retry_seconds: 1 }\nlog: { format: json, level: info }\n\
    sources:\n  entra: { kind: entra }\n  okta: { kind: okta }\n";

/// The suites' role map; `PORT` stands for the pool's.
pub const MAP: &str = include_str!("role-map.yaml");

/// Everything that most stories need.
pub struct Stage {
    /// The pool.
    pub pool: Pool,
    /// The server.
    pub serve: Serve,
    /// The connector of the source `entra`.
    pub scim: Scim,
    /// Its token.
    pub token: String,
    /// The folder: dropped last.
    pub place: Place,
}

impl Place {
    /// Writes configuration, role map and access token for a pool on this port.
    pub fn furnish(&self, map: &str, port: u16) -> anyhow::Result<()> {
        self.write("axon.yaml", CONFIG)?;
        self.write("role-map.yaml", &map.replace("PORT", &port.to_string()))?;
        self.write("pool.token", &entra_token(ENTRA_ADMIN))
    }
}

impl Stage {
    /// Sets the stage: the pool's directory knows these people, the map is the suites' own.
    pub async fn set(people: &[&str]) -> anyhow::Result<Self> {
        Self::set_with(people, MAP).await
    }

    /// The same with another map.
    pub async fn set_with(people: &[&str], map: &str) -> anyhow::Result<Self> {
        let place = Place::new(people)?;
        let pool = Pool::start(&place, 0).await?;
        place.furnish(map, pool.port()?)?;
        let token = place.token("entra").await?;
        let serve = Serve::start(&place).await?;
        let scim = serve.scim(&token);
        Ok(Self { pool, serve, scim, token, place })
    }

    /// What the pool's catalog says now.
    pub async fn catalog(&self) -> anyhow::Result<Catalog> {
        Catalog::read(&mut self.pool.admin().await?).await
    }

    /// Waits until the catalog is as wanted, and gives it.
    pub async fn catalog_when(
        &self,
        what: &str,
        mut wanted: impl FnMut(&Catalog) -> bool,
    ) -> anyhow::Result<Catalog> {
        let mut last = None;
        let seen = until(what, SOON, async || {
            let catalog = self.catalog().await?;
            let found = wanted(&catalog).then(|| catalog.clone());
            last = Some(catalog);
            Ok(found)
        })
        .await;
        seen.with_context(|| format!("the catalog was {last:#?}"))
    }

    /// Waits until the reconciler has looked at every change that was acknowledged, and left nothing but what waits.
    pub async fn settled(&self) -> anyhow::Result<()> {
        let journal = self.place.journal().await?;
        let last =
            journal.iter().filter(|r| r.kind == "directory-change").map(|r| r.seq).max().unwrap_or_default();
        until("the reconciler settles", SOON, async || {
            let position = self.serve.metric("axon_target_settled_position").await?;
            #[expect(clippy::cast_precision_loss, reason = "a journal of a test is short")]
            let reached = position >= last as f64;
            Ok((reached && !matches!(self.serve.state().await?.as_str(), "starting" | "elsewhere"))
                .then_some(()))
        })
        .await
    }

    /// Waits until the target's state is this word.
    pub async fn state(&self, wanted: &str) -> anyhow::Result<()> {
        until(&format!("/readyz says {wanted}"), SOON, async || {
            let state = self.serve.state().await?;
            ensure!(state == wanted, "it says {state}");
            Ok(Some(()))
        })
        .await
    }

    /// Goes on with this server, after the one before was stopped or killed.
    pub fn takes(&mut self, serve: Serve) {
        self.scim = serve.scim(&self.token);
        self.serve = serve;
    }
}
