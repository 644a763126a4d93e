//! The sources that a command names.

use anyhow::Context;
use axon_model::SourceId;

use crate::wiring::Parts;

/// The source that `--source` names.
pub fn source(parts: &Parts, named: Option<&str>) -> anyhow::Result<Option<SourceId>> {
    let Some(named) = named else { return Ok(None) };
    let known: Vec<&str> = parts.config.sources.keys().map(SourceId::as_str).collect();
    let found = parts.config.sources.keys().find(|id| id.as_str() == named);
    let message = || format!("the configuration names no source {named:?}; it names: {}", known.join(", "));
    Ok(Some(found.with_context(message)?.clone()))
}
