//! `axon script list | confirm | catalog`

use std::path::Path;

use anyhow::{Context, bail};
use axon_audit::payload::ScriptVerb;
use axon_controller::{script_notes, script_record};
use axon_mapping::target::Endpoint;
use axon_mapping::{RoleMap, TargetName};
use axon_reconcile::ScriptEnd;
use axon_store::operators::Permission;
use axon_synapse::ScriptTarget;
use axon_synapse::script::{Folder, NotFound, OpenScript};
use serde_json::json;

use super::{Status, print_json};
use crate::cli::ScriptCommand;
use crate::maps;
use crate::person::{self, Proof};
use crate::wiring::Parts;

/// The longest sentence that goes into the journal, in characters.
const LONGEST: usize = 1_000;

/// Lists, confirms or exports.
pub async fn run(parts: Parts, command: ScriptCommand) -> anyhow::Result<Status> {
    let map = maps::in_force(&parts).await?;
    let status = match command {
        ScriptCommand::List { target, json } => list(&parts, &map, target.as_deref(), json),
        ScriptCommand::Confirm { file, target, reason, proof } => {
            confirm(&parts, &map, (&file, target.as_deref()), &reason, &proof).await
        }
        ScriptCommand::Catalog { target, out } => catalog(&parts, &map, &target, out.as_deref()).await,
    };
    parts.store.close().await;
    status
}

/// The folders of the map's scripts, or of one of them.
fn folders(parts: &Parts, map: &RoleMap, only: Option<&str>) -> anyhow::Result<Vec<(TargetName, Folder)>> {
    let mut folders = Vec::new();
    for (name, spec) in &map.targets {
        if let Endpoint::Script(place) = &spec.endpoint
            && only.is_none_or(|only| only == name.as_str())
        {
            folders.push((name.clone(), Folder::new(name.as_str(), parts.beside_map(&place.out))));
        }
    }
    if folders.is_empty() {
        match only {
            Some(only) => bail!("the role map names no target {only:?} of kind script"),
            None => bail!("the role map names no target of kind script"),
        }
    }
    Ok(folders)
}

fn list(parts: &Parts, map: &RoleMap, only: Option<&str>, as_json: bool) -> anyhow::Result<Status> {
    let mut waiting: Vec<(TargetName, std::path::PathBuf, OpenScript)> = Vec::new();
    for (name, folder) in folders(parts, map, only)? {
        let files = folder.waiting()?;
        waiting.extend(files.into_iter().map(|open| (name.clone(), folder.path().to_owned(), open)));
    }
    if as_json {
        let all: Vec<_> = waiting
            .iter()
            .map(|(name, path, OpenScript { file, unchanged })| {
                json!({
                    "target": name.as_str(),
                    "run": file.run,
                    "plan": file.plan,
                    "file": path.join(&file.name),
                    "written": axon_store::stored::shown_instant(file.at),
                    "sha256": file.digest,
                    "unchanged": unchanged,
                    "steps": file.steps.iter().map(|s| s.planned.to_string()).collect::<Vec<_>>(),
                })
            })
            .collect();
        print_json(&all)?;
    } else if waiting.is_empty() {
        println!("no file waits to be run");
    }
    for (name, path, OpenScript { file, unchanged }) in waiting.iter().filter(|_| !as_json) {
        println!("{name}: {}", path.join(&file.name).display());
        println!(
            "    {} steps, written {}, run {}",
            file.steps.len(),
            axon_store::stored::shown_instant(file.at),
            file.run
        );
        if !unchanged {
            println!("    ! its text is not what Axon wrote: it cannot be confirmed");
        }
    }
    Ok(if waiting.is_empty() { Status::Done } else { Status::Found })
}

async fn confirm(
    parts: &Parts,
    map: &RoleMap,
    (named, only): (&str, Option<&str>),
    reason: &str,
    proof: &Proof,
) -> anyhow::Result<Status> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST {
        bail!("--reason takes 1 to {LONGEST} characters");
    }
    let act = person::act(parts, proof, Permission::HoldsRelease).await?;
    let mut missing = None;
    for (name, folder) in folders(parts, map, only)? {
        let OpenScript { file, unchanged } = match folder.find(named) {
            Ok(found) => found,
            Err(NotFound::Named(words)) => {
                missing = Some(words);
                continue;
            }
            Err(NotFound::Folder(error)) => return Err(error.into()),
        };
        if !unchanged {
            bail!(
                "{} is not as Axon wrote it (SHA-256 {}): what was run is not known. Let a target that is seen \
                 (`host`, `catalog`) tell what came of it, or move the file away and run what is written anew",
                file.name,
                file.digest
            );
        }
        let record = script_record(
            &act.ids,
            name.as_str(),
            &file,
            (ScriptVerb::Confirmed, None, Some(reason.to_owned())),
            (act.actor.clone(), act.now),
        )?;
        let notes = script_notes(name.as_str(), &file, file.steps.iter().enumerate(), act.now);
        // The journal first: what the folder says without a record would be nobody's word.
        parts.store.append_noting(vec![record], None, notes).await?;
        folder.close(file.run, ScriptEnd::Confirmed, act.now)?;
        println!("{name}: {} steps count as done", file.steps.len());
        return Ok(Status::Done);
    }
    bail!(missing.unwrap_or_else(|| format!("no file {named:?} waits")))
}

async fn catalog(parts: &Parts, map: &RoleMap, target: &str, out: Option<&Path>) -> anyhow::Result<Status> {
    let name: TargetName = target.parse().with_context(|| format!("{target:?} is no target's name"))?;
    let pool = parts.pool(map, &name)?;
    let text = ScriptTarget::export(&pool, parts.clock.now()).await?;
    match out {
        Some(file) => {
            std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        None => println!("{text}"),
    }
    Ok(Status::Done)
}
