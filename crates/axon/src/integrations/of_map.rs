//! What the role map made in the database of an integration while that was a target.

mod sending;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axon_api::integrations::Config;
use axon_controller::{Leases, Left, Looked};
use axon_mapping::RoleMap;
use axon_model::{Clock, SqlName};
use axon_reconcile::{Classifier, InspectScope, Inspection, Outcome, Target as _};
use axon_scim::Registry;
use axon_store::{Act, Store};
use axon_synapse::bootstrap::{OfMap, Setup, Sweep};
use axon_synapse::{Connection, Dialect, SynapseTarget, hides};
use time::OffsetDateTime;

use super::setup::{is_here, target_of};
use sending::Sending;

/// How many versions of the role map are asked for at once.
const PAGE: u32 = 100;
/// How often it is looked whether the targets must be held for longer, while a statement is under way.
const HELD: Duration = Duration::from_secs(20);

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
    roles_made: BTreeMap<SqlName, OffsetDateTime>,
    /// What could not be read, and keeps nobody out.
    notes: Vec<String>,
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
        let targets = self.targets(config).await?;
        self.find_of(config, setup, connection, targets).await
    }

    /// The same of these targets, with what cannot be told of others.
    async fn find_of(
        &self,
        config: &Config,
        setup: &Setup,
        connection: &Connection,
        (targets, doubts): (Vec<String>, Vec<String>),
    ) -> anyhow::Result<(Left, OfMap)> {
        if targets.is_empty() {
            let place = format!("{}:{}/{}", config.host, config.port, config.database);
            return Ok((Left::untold(place, doubts), OfMap::default()));
        }
        let sight = look(connection).await?;
        let mut left = self.left(setup, targets, &sight).await?;
        left.stays.extend(doubts);
        left.stays.extend(sight.seen.unseen.iter().chain(&sight.notes).cloned());
        let roles = sight.seen.graph.roles.keys().copied().collect();
        let of_map = OfMap { steps: left.steps.clone(), roles };
        Ok((left, of_map))
    }

    /// What is left as this sight shows it.
    async fn left(&self, setup: &Setup, targets: Vec<String>, sight: &Sight) -> anyhow::Result<Left> {
        let Sight { seen, classifiers, roles_made, .. } = sight;
        let dbo = SqlName::parse("dbo").context("a name")?;
        let own = [seen.facts.own_principal, setup.account.name, setup.metadata.owner, dbo];
        let spared: BTreeSet<SqlName> = own.into_iter().chain(setup.impersonation).collect();
        let own = BTreeSet::from([setup.account.name, setup.metadata.owner]);
        let schemas = BTreeSet::from([setup.views, setup.metadata.schema]);
        let unseen = sight.hidden();
        let looked = Looked {
            graph: &seen.graph,
            classifiers,
            roles_made,
            unseen: &unseen,
            spared: &spared,
            own: &own,
            schemas: &schemas,
        };
        Ok(Left::of(&*self.store, targets, &looked).await?)
    }

    /// Takes it away, each step on record before it is sent and after, and then does what is `last`: all under the leases of the targets,
    /// which are taken before it is looked what is there, so that no run that is under way gives anything behind that look. Fails where
    /// people would keep what a role or a permission gives them. `map` gives the map in force: it may name the place again at any moment.
    pub async fn sweep<T>(
        &self,
        place: (&Config, &Setup, &Connection),
        act: &Act,
        map: &(dyn Fn() -> Arc<RoleMap> + Send + Sync),
        last: impl AsyncFnOnce(&Swept) -> anyhow::Result<T>,
    ) -> anyhow::Result<(Swept, T)> {
        let targets = self.targets(place.0).await?;
        let mut leases = Leases::take(&*self.store, &*self.clock, act, &targets.0).await?;
        let done = Box::pin(async {
            let swept = self.sweep_held(place, targets, &mut leases, act, map).await?;
            is_free(place.0, &map())?;
            leases.hold().await?;
            let (done, held) = leases.hold_while(last(&swept), HELD).await;
            // What is gone is gone, also where another process has the targets by now.
            if let Err(error) = held {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the targets of an integration were not held until it was gone"
                );
            }
            anyhow::Ok((swept, done?))
        })
        .await;
        leases.give_back().await;
        done
    }

    async fn sweep_held<'a>(
        &'a self,
        (config, setup, connection): (&Config, &Setup, &Connection),
        targets: (Vec<String>, Vec<String>),
        leases: &mut Leases<'a>,
        act: &Act,
        map: &(dyn Fn() -> Arc<RoleMap> + Send + Sync),
    ) -> anyhow::Result<Swept> {
        let found = self.find_of(config, setup, connection, targets);
        let (found, held) = leases.hold_while(Box::pin(found), HELD).await;
        let (left, of_map) = found?;
        held?;
        let mut swept = Swept { stays: left.stays.clone(), ..Swept::default() };
        let version = map().version().clone();
        let Some(mut removal) = left.begin(leases, act, &version).await? else {
            return unread(&left).map_or(Ok(swept), Err);
        };
        let sweep = Sweep::new(connection, setup, &of_map);
        let mut sending = Sending {
            of_maps: self,
            place: (config, setup, connection),
            map,
            left: &left,
            sweep: &sweep,
            outcomes: vec![Outcome::NotTried; left.steps.len()],
            still: BTreeSet::new(),
            off: BTreeSet::new(),
        };
        Box::pin(sending.all(&mut removal, &mut swept.stays)).await?;
        let Sending { outcomes, still, off, .. } = sending;
        for (n, step) in left.steps.iter().enumerate().filter(|(n, _)| !off.contains(n)) {
            if still.contains(&n) {
                swept.stays.push(format!("{step}: {}", why(outcomes.get(n))));
            } else {
                swept.done.push(step.to_string());
            }
        }
        unread(&left).map_or(Ok(swept), Err)
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

/// Why a step was not done.
fn why(outcome: Option<&Outcome>) -> String {
    match outcome {
        Some(Outcome::Refused { refusal, .. }) => refusal.to_string(),
        Some(Outcome::Done { .. }) => "the pool says done, and its catalog shows it still".to_owned(),
        _ => "no batch can say its name".to_owned(),
    }
}

/// That something of Axon's stays only since not all was seen: then nobody would look after it any more.
fn unread(left: &Left) -> Option<anyhow::Error> {
    let shown: Vec<&str> = left.stays.iter().take(5).map(String::as_str).collect();
    left.is_unread.then(|| {
        anyhow::anyhow!(
            "{}; so nothing of the integration was taken away. Let whoever lends the credentials see all of it, then delete again",
            shown.join("; ")
        )
    })
}

/// Fails where this map has the place as a target.
fn is_free(config: &Config, map: &RoleMap) -> anyhow::Result<()> {
    match target_of(map, config) {
        Some((name, _)) => bail!(
            "the role map in force has the database as its target {name} again: take the target out, then delete again"
        ),
        None => Ok(()),
    }
}

impl Sight {
    /// Why memberships or permissions may be there that nobody sees.
    fn hidden(&self) -> Vec<String> {
        self.seen.unseen.iter().filter(|note| hides(note)).cloned().collect()
    }
}

/// Reads all of the database.
async fn look(connection: &Connection) -> anyhow::Result<Sight> {
    let pool = SynapseTarget::new("the pool", Dialect::Dedicated, connection.clone())?;
    let seen = pool.inspect(InspectScope::Full).await?;
    let mut notes = Vec::new();
    let classifiers = match pool.inspect_classifiers().await {
        Ok(found) => found.unwrap_or_default(),
        Err(error) => {
            notes.push(format!("workload classifiers, which cannot be read: {error}"));
            Vec::new()
        }
    };
    let roles_made = pool.roles_made().await?;
    Ok(Sight { seen, classifiers, roles_made, notes })
}
