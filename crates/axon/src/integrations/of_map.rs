//! What the role map made in the database of an integration while that was a target.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, bail};
use axon_api::integrations::Config;
use axon_controller::{Left, Looked, Removal, SWEEP};
use axon_mapping::RoleMap;
use axon_model::{Clock, SqlName};
use axon_reconcile::{Classifier, InspectScope, Inspection, Outcome, Step, Target as _};
use axon_scim::Registry;
use axon_store::{Act, Store};
use axon_synapse::bootstrap::{OfMap, Setup, Sweep};
use axon_synapse::{Connection, Dialect, SynapseTarget};

use super::setup::{is_here, target_of};

/// How many versions of the role map are asked for at once.
const PAGE: u32 = 100;

/// Finds it, and takes it away.
pub struct OfMaps {
    /// What was made in which target.
    pub store: Arc<dyn Store>,
    /// The schemas that conditions are typed by.
    pub registry: Arc<Registry>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// A place as somebody sees it.
struct Sight {
    seen: Inspection,
    classifiers: Vec<Classifier>,
}

/// What was taken, for people.
#[derive(Debug, Default)]
pub struct Swept {
    /// What was done.
    pub done: Vec<String>,
    /// What stays, with the reason.
    pub stays: Vec<String>,
}

impl OfMaps {
    /// What is there still, as whoever enters by this connection sees it, and what takes it away.
    pub async fn find(
        &self,
        config: &Config,
        setup: &Setup,
        connection: &Connection,
    ) -> anyhow::Result<(Left, OfMap)> {
        let (targets, doubts) = self.targets(config).await?;
        if targets.is_empty() {
            let mut left = Left::default();
            left.stays = doubts;
            return Ok((left, OfMap::default()));
        }
        let Sight { seen, classifiers } = look(connection).await?;
        let dbo = SqlName::parse("dbo").context("a name")?;
        let own = [seen.facts.own_principal, setup.account.name, setup.metadata.owner, dbo];
        let spared: BTreeSet<SqlName> = own.into_iter().chain(setup.impersonation).collect();
        let own = BTreeSet::from([setup.account.name, setup.metadata.owner]);
        let schemas = BTreeSet::from([setup.views, setup.metadata.schema]);
        let looked = Looked {
            graph: &seen.graph,
            classifiers: &classifiers,
            unseen: &seen.unseen,
            spared: &spared,
            own: &own,
            schemas: &schemas,
        };
        let mut left = Left::of(&*self.store, targets, &looked).await?;
        left.stays.extend(doubts);
        left.stays.extend(seen.unseen.iter().cloned());
        let roles = seen.graph.roles.keys().copied().collect();
        let of_map = OfMap { steps: left.steps.clone(), roles };
        Ok((left, of_map))
    }

    /// Takes it away, each step on record before it is sent and after. Fails where people would keep what a role or a permission gives them.
    /// `named` says whether the map in force names the place again.
    pub async fn sweep(
        &self,
        (config, setup, connection): (&Config, &Setup, &Connection),
        act: &Act,
        map: &(dyn Fn() -> Arc<RoleMap> + Send + Sync),
    ) -> anyhow::Result<Swept> {
        let (left, of_map) = self.find(config, setup, connection).await?;
        let mut swept = Swept { stays: left.stays.clone(), ..Swept::default() };
        let version = map().version().clone();
        let Some(mut removal) = left.begin(&*self.store, &*self.clock, act, &version).await? else {
            return Ok(swept);
        };
        let sweep = Sweep::new(connection, setup, &of_map);
        let gone = take(&left, &mut removal, &sweep, connection, &|| target_of(&map(), config)).await;
        let given_back = removal.give_back().await;
        let (outcomes, still) = gone?;
        given_back?;
        let mut kept = Vec::new();
        for (n, step) in left.steps.iter().enumerate() {
            if !still.contains(&n) {
                swept.done.push(step.to_string());
                continue;
            }
            let why = match outcomes.get(n) {
                Some(Outcome::Refused { refusal, .. }) => refusal.to_string(),
                Some(Outcome::Done { .. }) => "the pool says done, and its catalog shows it still".to_owned(),
                _ => "no batch can say its name".to_owned(),
            };
            let told = format!("{step}: {why}");
            match step {
                Step::DropMember { .. } | Step::Revoke { .. } => kept.push(told),
                _ => swept.stays.push(told),
            }
        }
        if let Some(first) = kept.first() {
            let others = kept.len() - 1;
            bail!(
                "{first}{}: somebody would keep what this gives, so nothing of the integration was taken away. Do it by hand, then delete again",
                if others == 0 { String::new() } else { format!(" (and {others} more)") }
            );
        }
        Ok(swept)
    }

    /// The names under which versions of the role map had the database as a target, and no other database, newest first; and what cannot be
    /// told of others.
    async fn targets(&self, config: &Config) -> anyhow::Result<(Vec<String>, Vec<String>)> {
        let (mut here, mut elsewhere) = (Vec::new(), BTreeSet::new());
        let (mut doubts, mut read) = (Vec::new(), BTreeSet::new());
        let mut before = None;
        loop {
            let heads = self.store.map_heads(before, PAGE).await?;
            let Some(last) = heads.last() else { break };
            before = Some(last.number);
            for head in heads {
                if !read.insert(head.version.clone()) {
                    continue;
                }
                let Some(stored) = self.store.map(&head.version).await? else { continue };
                let Ok(map) = crate::maps::parse_stored(&stored.files, &self.registry) else {
                    doubts.push(format!(
                        "what version {} of the role map made, which this server cannot read",
                        head.version
                    ));
                    continue;
                };
                for spec in map.targets.values() {
                    let name = spec.name.to_string();
                    if !is_here(spec, config) {
                        elsewhere.insert(name);
                    } else if !here.contains(&name) {
                        here.push(name);
                    }
                }
            }
        }
        // What was made is kept by the target's name alone.
        let (mixed, alone): (Vec<String>, Vec<String>) =
            here.into_iter().partition(|name| elsewhere.contains(name));
        doubts.extend(mixed.into_iter().map(|name| {
            format!("what was made as target {name}: versions of the role map have another place under that name, so nobody knows what was made where")
        }));
        Ok((alone, doubts))
    }
}

/// Sends all steps, some at a time, and looks what is there after them. Gives what came of each, and the numbers of those whose effect is not
/// there.
async fn take(
    left: &Left,
    removal: &mut Removal<'_>,
    sweep: &Sweep,
    connection: &Connection,
    named: &(dyn Fn() -> Option<(String, Option<String>)> + Send + Sync),
) -> anyhow::Result<(Vec<Outcome>, BTreeSet<usize>)> {
    let is_free = || match named() {
        Some((name, _)) => bail!(
            "the role map in force has the database as its target {name} again: take the target out, then delete again"
        ),
        None => Ok(()),
    };
    let mut outcomes = Vec::with_capacity(left.steps.len());
    while outcomes.len() < left.steps.len() {
        is_free()?;
        let some = outcomes.len()..left.steps.len().min(outcomes.len() + SWEEP);
        removal.intend(some.clone()).await?;
        let came = sweep.take(some.clone()).await;
        removal.outcome(some, &came).await?;
        let lost = came.iter().find_map(|outcome| match outcome {
            Outcome::Unknown { reason, .. } => Some(reason.clone()),
            _ => None,
        });
        outcomes.extend(came);
        if let Some(reason) = lost {
            bail!(
                "the connection broke while what the role map made was taken away ({reason}): delete again"
            );
        }
    }
    let Sight { seen, classifiers } = look(connection).await?;
    let still = removal.read_back(&outcomes, &seen.graph, &classifiers).await?;
    is_free()?;
    Ok((outcomes, still))
}

/// Reads all of the database.
async fn look(connection: &Connection) -> anyhow::Result<Sight> {
    let pool = SynapseTarget::new("the pool", Dialect::Dedicated, connection.clone())?;
    let mut seen = pool.inspect(InspectScope::Full).await?;
    let classifiers = match pool.inspect_classifiers().await {
        Ok(found) => found.unwrap_or_default(),
        Err(error) => {
            seen.unseen.push(format!("workload classifiers cannot be read: {error}"));
            Vec::new()
        }
    };
    Ok(Sight { seen, classifiers })
}
