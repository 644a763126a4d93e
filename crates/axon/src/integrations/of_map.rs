//! What the role map made in the database of an integration while that was a target.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context;
use axon_api::integrations::Config;
use axon_controller::Left;
use axon_model::SqlName;
use axon_reconcile::{InspectScope, Target as _};
use axon_scim::Registry;
use axon_store::Store;
use axon_synapse::bootstrap::{OfMap, Setup};
use axon_synapse::{Connection, Dialect, SynapseTarget};

use super::setup::target_of;

/// How many versions of the role map are asked for at once.
const PAGE: u32 = 100;

/// Finds it.
pub struct Finder {
    /// What was made in which target.
    pub store: Arc<dyn Store>,
    /// The schemas that conditions are typed by.
    pub registry: Arc<Registry>,
}

impl Finder {
    /// What is there still, as whoever enters by this connection sees it, and what takes it away.
    pub async fn find(
        &self,
        config: &Config,
        setup: &Setup,
        connection: &Connection,
    ) -> anyhow::Result<(Left, OfMap)> {
        let (targets, unread) = self.targets(config).await?;
        if targets.is_empty() && unread.is_empty() {
            return Ok(<_>::default());
        }
        let pool = SynapseTarget::new("the pool", Dialect::Dedicated, connection.clone())?;
        let seen = pool.inspect(InspectScope::Full).await?;
        // Whoever may not read them made none.
        let classifiers = pool.inspect_classifiers().await.ok().flatten().unwrap_or_default();
        let dbo = SqlName::parse("dbo").context("a name")?;
        let own = [seen.facts.own_principal, setup.account.name, setup.metadata.owner, dbo];
        let spared: BTreeSet<SqlName> = own.into_iter().chain(setup.impersonation).collect();
        let graph = &seen.graph;
        let mut left = Left::of(&*self.store, targets, graph, &classifiers, &spared).await?;
        left.stays.extend(unread);
        left.stays.extend(seen.unseen);
        let of_map = OfMap { steps: left.steps.clone(), roles: graph.roles.keys().copied().collect() };
        Ok((left, of_map))
    }

    /// The names under which versions of the role map had the database as a target, newest first; and what versions cannot be read.
    async fn targets(&self, config: &Config) -> anyhow::Result<(Vec<String>, Vec<String>)> {
        let (mut targets, mut unread, mut read) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut before = None;
        loop {
            let heads = self.store.map_heads(before, PAGE).await?;
            let Some(last) = heads.last() else { return Ok((targets, unread)) };
            before = Some(last.number);
            for head in heads {
                if !read.insert(head.version.clone()) {
                    continue;
                }
                let Some(stored) = self.store.map(&head.version).await? else { continue };
                match crate::maps::parse_stored(&stored.files, &self.registry) {
                    Ok(map) => {
                        targets.extend(target_of(&map, config).map(|(name, _)| name));
                    }
                    Err(_) => unread.push(format!(
                        "what version {} of the role map made, which this server cannot read",
                        head.version
                    )),
                }
            }
            let mut seen = BTreeSet::new();
            targets.retain(|name| seen.insert(name.clone()));
        }
    }
}
