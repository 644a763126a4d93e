//! Versions in the configured store.

use std::path::Path;

use axon_api::operators::shown;
use axon_audit::payload::{MapAuthor, MapWay};
use axon_controller::versions::{self, Gate, Offer, Outcome};
use axon_model::{Actor, MapVersion};
use axon_store::Act;
use axon_store::maps::{Answer, Expected};
use axon_store::operators::Permission;
use serde_json::{Value, json};

use super::Pushed;
use crate::maps;
use crate::person::{self, Proof};
use crate::wiring::{Parts, load_config};

/// How many proposals are looked at.
const PROPOSALS: u32 = 100;

/// The configured store, and who works on it.
pub struct InStore {
    parts: Parts,
    gate: Gate,
    author: MapAuthor,
    act: Act,
}

impl InStore {
    /// Opens the store for somebody who may do this.
    pub async fn open(config: &Path, proof: &Proof, permission: Permission) -> anyhow::Result<Self> {
        Self::over(Parts::open_existing(load_config(config)?).await?, proof, permission).await
    }

    /// Over a store that is open, for somebody who may do this.
    pub async fn over(parts: Parts, proof: &Proof, permission: Permission) -> anyhow::Result<Self> {
        let gate = maps::gate(&parts)?;
        let act = person::act(&parts, proof, permission).await?;
        let name = match &act.actor {
            Actor::Operator { name } => name.clone(),
            other => other.to_string(),
        };
        let way = if proof.token_file.is_some() { MapWay::Operator } else { MapWay::Login };
        Ok(Self { parts, gate, author: MapAuthor { way, name, job: None }, act })
    }

    /// The version in force.
    pub async fn current(&self) -> anyhow::Result<Option<Value>> {
        Ok(versions::current(&*self.parts.store).await?.as_ref().map(shown::stored))
    }

    /// The newest versions.
    pub async fn list(&self, limit: u32) -> anyhow::Result<Vec<Value>> {
        Ok(self.parts.store.map_heads(None, limit).await?.iter().map(shown::head).collect())
    }

    /// The newest proposals.
    pub async fn proposals(&self) -> anyhow::Result<Vec<Value>> {
        let proposals = self.parts.store.map_proposals(PROPOSALS).await?;
        Ok(proposals.iter().map(|one| shown::proposal(one, self.act.now)).collect())
    }

    /// A version, or what was proposed under its hash.
    pub async fn one(&self, version: &str) -> anyhow::Result<Option<Value>> {
        let version = MapVersion(version.into());
        if let Some(stored) = self.parts.store.map(&version).await? {
            return Ok(Some(shown::stored(&versions::accepted(&*self.parts.store, stored).await?)));
        }
        let proposals = self.parts.store.map_proposals(PROPOSALS).await?;
        let Some(proposed) = proposals.iter().find(|one| one.version == version) else { return Ok(None) };
        let mut value = shown::proposal(proposed, self.act.now);
        let files = self.parts.store.proposed_files(&version).await?.unwrap_or_default();
        versions::is_of(&files, &version)?;
        value["files"] = shown::files(&files);
        Ok(Some(value))
    }

    /// Offers a version.
    pub async fn push(&self, pushed: Pushed) -> anyhow::Result<Value> {
        let offer = Offer {
            files: pushed.files,
            author: self.author.clone(),
            comment: pushed.comment,
            expected: Expected::Parent(pushed.parent.map(|parent| MapVersion(parent.into()))),
            second_person: false,
        };
        Ok(match self.gate.offer(self.parts.store.as_ref(), offer, self.act.clone()).await? {
            Outcome::Taken(head) => json!({ "outcome": "in-force", "version": shown::head(&head) }),
            Outcome::Same(head) => json!({ "outcome": "unchanged", "version": shown::head(&head) }),
            Outcome::Waits(proposal) => {
                json!({ "outcome": "proposed", "proposal": shown::proposal(&proposal, self.act.now) })
            }
        })
    }

    /// Answers a proposal.
    pub async fn answer(&self, version: &str, release: bool, reason: &str) -> anyhow::Result<Value> {
        let answer = Answer { by: self.author.clone(), release, reason: reason.to_owned() };
        let version = MapVersion(version.into());
        let answered =
            self.gate.answer(self.parts.store.as_ref(), &version, answer, self.act.clone()).await?;
        Ok(match answered {
            Some(head) => json!({ "outcome": "in-force", "version": shown::head(&head) }),
            None => json!({ "outcome": "rejected" }),
        })
    }

    /// Closes the store.
    pub async fn close(&self) {
        self.parts.store.close().await;
    }
}
