//! The tables that secure views show, as the targets have them: their columns' types stand in the views' statements.

use std::collections::BTreeMap;
use std::time::Duration;

use axon_mapping::preview::{Tables, TablesOf, tables_asked};
use axon_mapping::{RoleMap, TargetName};
use axon_reconcile::{InspectScope, Target, ViewsAsked};

use crate::wiring::Parts;

/// So long a preview waits for one target: without it, the rest is told all the same.
const LONGEST: Duration = Duration::from_secs(30);

/// Reads the tables of every target whose views the maps may say otherwise.
///
/// Targets are entered as the map in force says it, never as a new one does: whoever writes a map that nobody accepted yet would
/// choose where Axon's own way in is shown.
pub async fn of_targets(parts: &Parts, old: Option<&RoleMap>, new: &RoleMap) -> TablesOf {
    let asked = tables_asked(old, new);
    if asked.is_empty() {
        return TablesOf::new();
    }
    let in_force = match crate::maps::in_force(parts).await {
        Ok(map) => map,
        Err(error) => return refused(asked, &format!("the map in force cannot be read: {error:#}")),
    };
    let mut out = TablesOf::new();
    for (name, asked) in asked {
        let tables = of_target(parts, &in_force, new, &name, &asked).await;
        out.insert(name, tables.map_err(|error| format!("{error:#}")));
    }
    out
}

fn refused(asked: BTreeMap<TargetName, ViewsAsked>, why: &str) -> TablesOf {
    asked.into_keys().map(|name| (name, Err(why.to_owned()))).collect()
}

async fn of_target(
    parts: &Parts,
    in_force: &RoleMap,
    new: &RoleMap,
    name: &TargetName,
    asked: &ViewsAsked,
) -> anyhow::Result<Tables> {
    let spec = |map: &RoleMap| map.targets.get(name).map(|spec| spec.endpoint.clone());
    anyhow::ensure!(
        spec(in_force).is_some() && spec(in_force) == spec(new),
        "the map in force does not have this target there, and no other way in is taken"
    );
    let targets = parts.targets(in_force, Some(name.as_str()))?;
    let target = targets.get(name).ok_or_else(|| anyhow::anyhow!("there is no such target"))?;
    let looked = tokio::time::timeout(LONGEST, read(target.as_ref(), asked)).await;
    looked.map_err(|_| anyhow::anyhow!("the target did not answer in {} s", LONGEST.as_secs()))?
}

/// What stands there, without what it knows of people.
pub async fn read(target: &dyn Target, asked: &ViewsAsked) -> anyhow::Result<Tables> {
    let schemas = target.inspect(InspectScope::Full).await?.shape.schemas;
    let there = target.inspect_views(asked).await?;
    let mut there = there.ok_or_else(|| anyhow::anyhow!("the target holds no views"))?;
    there.profile.clear();
    Ok(Tables { there, schemas })
}
