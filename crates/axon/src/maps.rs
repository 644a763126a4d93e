//! Which version of the role map counts: the store's newest, unless the configured file changed since it was last taken.
//!
//! ```text
//!  the file as it is now ── the same as it was when it was last taken? ── yes ── the store's newest version
//!                                                                      └─ no ─── the file: it becomes the newest version
//! ```
//!
//! So a pushed version stands until the file changes after it (ADR 21).

use std::sync::Arc;

use anyhow::Context;
use axon_audit::payload::MapAuthor;
use axon_controller::versions::{self, Gate, Offer, Outcome, Refusal};
use axon_mapping::RoleMap;
use axon_model::Actor;
use axon_store::Act;
use axon_store::maps::{Adopted, Expected, MapFiles, NewMap};

use crate::config::Config;
use crate::wiring::{Parts, map_files, proved_map};

/// What every version goes through here.
pub fn gate(parts: &Parts) -> anyhow::Result<Gate> {
    let rules = parts.config.operator_rules().map_err(|(key, reason)| anyhow::anyhow!("`{key}` {reason}"))?;
    let usable = parts.clone();
    Ok(Gate {
        registry: Arc::new(parts.config.registry()?),
        usable: Arc::new(move |map| {
            usable.targets(map, None).map(drop).map_err(|error| format!("{error:#}"))
        }),
        second_person: parts.config.operators.second_person,
        proposals_last: rules.proposals_last,
    })
}

/// The configured files as they are now; none where there is no file.
pub fn configured(config: &Config) -> anyhow::Result<Option<MapFiles>> {
    let is_missing =
        std::fs::metadata(&config.role_map).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
    if is_missing { Ok(None) } else { map_files(&config.role_map).map(Some) }
}

/// The map that counts now, for commands that change no version.
pub async fn in_force(parts: &Parts) -> anyhow::Result<RoleMap> {
    let registry = Arc::new(parts.config.registry()?);
    let Some(stored) = versions::current(&*parts.store).await? else {
        return proved_map(&map_files(&parts.config.role_map)?, &registry);
    };
    if let Some(files) = configured(&parts.config)? {
        let version = versions::version_of(&files);
        let is_news = version != stored.head.version
            && !parts.config.operators.second_person
            && !parts.store.is_old_file_map(&version).await?;
        if is_news {
            return proved_map(&files, &registry);
        }
    }
    parse_stored(&stored.files, &registry)
}

/// Offers the configured file, unless it says what it said when it was last taken: then what was pushed since stands. None where
/// there is nothing to offer.
pub async fn offer_file(parts: &Parts, gate: &Gate, files: MapFiles) -> Result<Option<Outcome>, Refusal> {
    let store = parts.store.as_ref();
    let version = versions::version_of(&files);
    let current = store.map_number().await?.map(|(_, version)| version);
    if current.as_ref() == Some(&version) {
        // It is kept that the file says so: it must not come back when this version is reverted.
        let new = NewMap {
            version,
            files,
            author: MapAuthor::file(),
            comment: String::new(),
            expected: Expected::Parent(current),
        };
        return match store.adopt_map(new, file_act(parts)).await? {
            Adopted::Moved(head) => Err(Refusal::Moved(head.map(Box::new))),
            Adopted::Same(_) | Adopted::Taken(_) => Ok(None),
        };
    }
    if store.is_old_file_map(&version).await? {
        tracing::info!(
            file = %version,
            in_force = current.as_ref().map(ToString::to_string),
            "the role map's file is older than the version in force, which stands until the file changes"
        );
        return Ok(None);
    }
    gate.offer(store, file_offer(files, Expected::Parent(current)), file_act(parts)).await.map(Some)
}

/// The map that counts now, for a command that acts by it: what the configured file says becomes a version first, so that the
/// journal names none that the store does not have.
pub async fn put_in_force(parts: &Parts) -> anyhow::Result<RoleMap> {
    let gate = gate(parts)?;
    let files = match configured(&parts.config)? {
        Some(files) => Some(files),
        // Says which file is missing where there is nothing else.
        None if parts.store.map_number().await?.is_none() => Some(map_files(&parts.config.role_map)?),
        None => None,
    };
    if let Some(files) = files {
        match offer_file(parts, &gate, files).await? {
            Some(Outcome::Taken(head)) => eprintln!("the configured file is in force now: {}", head.version),
            Some(Outcome::Waits(proposal)) => {
                eprintln!("the configured file waits for a second person: {}", proposal.version);
            }
            Some(Outcome::Same(_)) | None => {}
        }
    }
    let stored = versions::current(&*parts.store).await?.context("no version of the role map is in force")?;
    parse_stored(&stored.files, &gate.registry)
}

/// A version of the store. Its tests were run when it was taken.
pub fn parse_stored(files: &MapFiles, registry: &Arc<axon_scim::Registry>) -> anyhow::Result<RoleMap> {
    crate::wiring::parse_map(files, &std::collections::BTreeMap::new(), registry)
        .context("the version of the role map that is in force in the store")
}

/// An offer of the configured files.
pub fn file_offer(files: MapFiles, expected: Expected) -> Offer {
    Offer { files, author: MapAuthor::file(), comment: String::new(), expected, second_person: false }
}

/// Who acts where the configured file does.
pub fn file_act(parts: &Parts) -> Act {
    Act { actor: Actor::Axon, ..parts.act() }
}
