//! `axon explain --grant GRANT` and `axon explain USER --not GRANT`

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::anyhow;
use axon_controller::World;
use axon_mapping::TargetName;
use axon_mapping::explain::{Explainer, Known};

use super::{Status, print_json, records};
use crate::maps;
use crate::wiring::Parts;

/// Who has a grant and why; or what one person lacks for it.
pub async fn run(
    parts: &Parts,
    user: Option<&str>,
    grant: &str,
    target: Option<&str>,
    json: bool,
) -> anyhow::Result<Status> {
    let map = Arc::new(maps::in_force(parts).await?);
    let target: Option<&TargetName> = match target {
        None => None,
        Some(wanted) => Some(super::target(&map, wanted)?),
    };
    let now = parts.clock.now();
    let mut world = World::of(parts.config.claims());
    world.follow(parts.store.as_ref(), now).await?;
    let around = BTreeMap::new();
    let known = Known { target, identity: world.identity(), around: &around, beside: world.beside() };
    let explainer = Explainer::new(&map, world.directory(), known, now);
    let refused = |e: axon_mapping::grant::GrantError| {
        let help = e.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        anyhow!("{grant:?} is no grant: {e}{help}")
    };
    let found = if let Some(user) = user {
        let missing = explainer.missing(user, grant).map_err(refused)?;
        if json {
            print_json(&missing)?;
        } else {
            print!("{missing}");
        }
        !missing.targets.is_empty() || missing.service.is_some()
    } else {
        let mut holders = explainer.holders(grant).map_err(refused)?;
        holders.tell(&records::of(parts, holders.records()).await?);
        if json {
            print_json(&holders)?;
        } else {
            print!("{holders}");
        }
        true
    };
    parts.store.close().await;
    Ok(if found { Status::Done } else { Status::Failed })
}
