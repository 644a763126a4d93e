//! `axon explain USER`

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use axon_mapping::TargetName;
use axon_mapping::explain::{Question, explain};

use super::{Status, print_json};
use crate::wiring::{Parts, load_map};

/// Explains from the directory and the map; asks no target.
pub async fn run(parts: &Parts, user: &str, target: Option<&str>, json: bool) -> anyhow::Result<Status> {
    let map = Arc::new(load_map(&parts.config)?);
    let target: Option<&TargetName> = match target {
        None => None,
        Some(wanted) => {
            let known: Vec<&str> = map.targets.keys().map(TargetName::as_str).collect();
            let found = map.targets.keys().find(|name| name.as_str() == wanted);
            Some(found.with_context(|| {
                format!("the role map names no target {wanted:?}; it names: {}", known.join(", "))
            })?)
        }
    };
    let directory = parts.store.load_directory().await?;
    let identity = Arc::default();
    let question = Question { who: user, target, identity: &identity, around: &BTreeMap::new() };
    let explanation = explain(&map, &directory, question, parts.clock.now());
    let known = !explanation.people.is_empty();
    if json {
        print_json(&explanation)?;
    } else {
        print!("{explanation}");
    }
    parts.store.close().await;
    Ok(if known { Status::Done } else { Status::Failed })
}
