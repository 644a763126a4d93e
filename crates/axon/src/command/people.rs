//! The people that a command names.

use anyhow::{Context, bail};
use axon_controller::World;
use axon_model::name::shown;
use axon_model::{MeantRecord, SourceId, UserEntry, Whom};
use axon_scim::compare::fold;
use axon_scim::nearest::nearest;

use crate::wiring::Parts;

/// The source that `--source` names.
pub fn source(parts: &Parts, named: Option<&str>) -> anyhow::Result<Option<SourceId>> {
    let Some(named) = named else { return Ok(None) };
    let known: Vec<&str> = parts.config.sources.keys().map(SourceId::as_str).collect();
    let found = parts.config.sources.keys().find(|id| id.as_str() == named);
    let message = || format!("the configuration names no source {named:?}; it names: {}", known.join(", "));
    Ok(Some(found.with_context(message)?.clone()))
}

/// The records with this user name, in one source or in all.
pub fn called<'w>(world: &'w World, user: &str, source: Option<&SourceId>) -> Vec<&'w UserEntry> {
    let wanted = fold(user);
    let theirs = |entry: &&UserEntry| {
        source.is_none_or(|source| *source == entry.source) && fold(&entry.user_name) == wanted
    };
    world.directory().users().filter(theirs).collect()
}

/// Why nobody is found: with the nearest name, since a mistyped one must not look like a person who is gone.
pub fn unknown(world: &World, user: &str) -> String {
    let near = nearest(user, world.directory().users().map(|entry| &*entry.user_name));
    let help = near.map(|near| format!(": did you mean {}?", shown(near))).unwrap_or_default();
    format!("no source knows {}{help}", shown(user))
}

/// Who is meant by a name and these records.
pub fn whom(user: &str, source: Option<SourceId>, records: &[&UserEntry]) -> Whom {
    let record = |entry: &&UserEntry| MeantRecord {
        source: entry.source.clone(),
        id: entry.id,
        external_id: entry.external_id.as_deref().map(str::to_owned),
    };
    Whom { user_name: user.to_owned(), source, records: records.iter().map(record).collect() }
}

/// A user name as it may stand in the store.
pub fn user_name(text: &str) -> anyhow::Result<&str> {
    let text = text.trim();
    if text.is_empty() || text.len() > 1_024 || text.chars().any(char::is_control) {
        bail!("{} is no userName", shown(text));
    }
    Ok(text)
}
