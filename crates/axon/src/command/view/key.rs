//! `axon view key`

use anyhow::{Context, bail};
use axon_audit::NewRecord;
use axon_audit::payload::{ActClear, OperatorAct};
use axon_controller::asking;
use axon_mapping::TargetName;

use crate::command::Status;
use crate::maps;
use crate::wiring::Parts;

/// Forgets what the key of a column was: the one that stands there counts from the next look on, and where none stands one is made.
pub async fn run(parts: &Parts, id: &str, only: Option<&str>, reason: &str) -> anyhow::Result<Status> {
    let reason = asking::reason(reason)?;
    let map = maps::in_force(parts).await?;
    let hashed = |name: &str| {
        map.targets.contains_key(name)
            && map.views.iter().any(|view| view.targets.iter().any(|t| t.as_str() == name))
    };
    let named: Vec<&str> = match only {
        Some(only) if map.targets.contains_key(only) => vec![only],
        Some(only) => bail!("the role map names no target {only:?}"),
        None => map.targets.keys().map(TargetName::as_str).filter(|name| hashed(name)).collect(),
    };
    let [target] = named.as_slice() else {
        bail!("say which target with --target: views stand in {}", named.join(", "));
    };
    let known = axon_controller::known_keys(parts.store.as_ref(), target).await?;
    if !known.contains(id) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        eprintln!("axon: no key of {id:?} was known of target {target} (known: {})", known.join(", "));
    }
    let act = parts.act();
    let words = format!("take the key of {id} in target {target}: {reason}");
    let payload = OperatorAct { act: "mask-key-taken".into(), clear: ActClear { words } };
    // On record first: what is not recorded is not done.
    let record = NewRecord::of(&act.ids, act.now, act.actor, payload)?;
    parts.store.append(vec![record], None).await.context("the journal cannot be written")?;
    axon_controller::accept_key(parts.store.as_ref(), target, id, act.now).await?;
    println!(
        "the key that stands in {target} for {id} counts from the next look on; where none stands one is made"
    );
    Ok(Status::Done)
}
