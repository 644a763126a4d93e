//! `axon explain USER`

pub mod grant;
mod records;
mod tombstones;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context;
use axon_controller::World;
use axon_mapping::explain::{Question, explain};
use axon_mapping::{Explanation, Pending, RoleMap, TargetName};
use axon_store::{Hold, HoldKind};

use super::{Status, holds, print_json};
use crate::identities;
use crate::maps;
use crate::wiring::Parts;

/// Explains from the directory and the map; asks no target.
pub async fn run(parts: &Parts, user: &str, target: Option<&str>, json: bool) -> anyhow::Result<Status> {
    let map = Arc::new(maps::in_force(parts).await?);
    let target: Option<&TargetName> = match target {
        None => None,
        Some(wanted) => Some(self::target(&map, wanted)?),
    };
    let now = parts.clock.now();
    let mut world = World::of(parts.config.claims());
    world.follow(parts.store.as_ref(), now).await?;
    let (identity, beside) = (world.identity(), world.beside());
    let question = Question { who: user, target, identity, around: &BTreeMap::new(), beside };
    let mut explanation = explain(&map, world.directory(), question, now);
    let held = concerning(holds::open(parts).await?, &explanation);
    explanation.tell(&records::of(parts, explanation.records()).await?);
    let all = identities::all(parts.store.as_ref(), &map).await?;
    let who = identities::concerning(&all, &explanation);
    let left = tombstones::concerning(parts.store.as_ref(), &map, &explanation).await?;
    let known = !explanation.is_empty();
    if json {
        let mut value = serde_json::to_value(&explanation)?;
        value["holds"] = held.iter().map(holds::shown_hold).collect();
        value["identities"] = who
            .iter()
            .map(|(target, one)| serde_json::json!({ "target": target, "identity": one.shown(now) }))
            .collect();
        value["tombstones"] = left
            .iter()
            .map(|(target, told)| serde_json::json!({ "target": target, "tombstone": told }))
            .collect();
        print_json(&value)?;
    } else {
        print!("{explanation}");
        for (target, one) in &who {
            println!("in {target}: {}", one.told(now));
        }
        for (target, told) in &left {
            println!("in {target}: {told}");
        }
        for hold in &held {
            println!("HELD: {}", holds::text(hold));
        }
    }
    parts.store.close().await;
    Ok(if known { Status::Done } else { Status::Failed })
}

/// A target of the map by its name.
fn target<'m>(map: &'m RoleMap, wanted: &str) -> anyhow::Result<&'m TargetName> {
    let known: Vec<&str> = map.targets.keys().map(TargetName::as_str).collect();
    let found = map.targets.keys().find(|name| name.as_str() == wanted);
    found.with_context(|| format!("the role map names no target {wanted:?}; it names: {}", known.join(", ")))
}

/// Of what waits, what keeps something from these people.
fn concerning(mut held: Vec<Hold>, explanation: &Explanation) -> Vec<Hold> {
    let mut about: BTreeSet<String> = BTreeSet::new();
    for person in &explanation.people {
        about.insert(person.id.to_string());
        for pending in person.targets.iter().flat_map(|target| target.waits.iter().chain(&target.withheld)) {
            if let Pending::GroupHeld { group, .. } = pending {
                about.insert(group.to_string());
            }
        }
    }
    let of_people = explanation.people.iter().flat_map(|person| &person.targets);
    let of_services = explanation.services.iter().flat_map(|service| &service.targets);
    let principals: BTreeSet<String> = of_people
        .chain(of_services)
        .filter_map(|target| target.principal.map(|name| name.to_string()))
        .collect();
    held.retain(|hold| {
        let named = matches!(hold.held.kind, HoldKind::Step | HoldKind::Grant)
            && principals.iter().any(|name| hold.held.what.contains(name.as_str()));
        if named {
            return true;
        }
        let holder = hold.held.binds.as_ref().and_then(|pin| pin.holder.as_ref());
        holder.is_some_and(|id| about.contains(id))
    });
    held
}
