//! `axon map check`

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use axon_mapping::{check, map_test};
use axon_model::{Clock, Directory, SystemClock};
use axon_scim::Registry;

use super::map::snapshot;
use super::{Status, print_json};
use crate::cli::CheckArgs;
use crate::config::Config;
use crate::wiring::{Parts, load_config, map_files, parse_map};

/// Checks a map against the directory of a snapshot, else against the one that the store holds, if there is a store.
pub async fn run(config: &Path, args: &CheckArgs) -> anyhow::Result<Status> {
    let vars = super::map::variables(&args.set)?;
    // A map elsewhere may be checked without a configuration; where there is one, its extensions are known.
    let configured = if args.path.is_none() || config.exists() { Some(load_config(config)?) } else { None };
    let registry = configured.as_ref().map_or_else(|| Ok(Registry::standard()), Config::registry)?;
    let files = match (&args.path, &configured) {
        (Some(path), _) => map_files(path)?,
        (None, Some(config)) => map_files(&config.role_map)?,
        (None, None) => bail!("there is no configuration at {}", config.display()),
    };
    let map = parse_map(&files, &vars, &Arc::new(registry))?;
    let now = SystemClock.now();
    let failures = map_test::run(&map, now);
    let directory = match &args.snapshot {
        Some(path) => Some(snapshot::read(path)?.directory),
        None => stored(configured).await?,
    };
    // Before the first push there is no directory to look names up in.
    let directory = directory.filter(|directory| directory.groups().next().is_some());
    let findings = check::check(&map, directory.as_ref(), now);
    let groups = directory.as_ref().map(|directory| directory.groups().count());
    if args.json {
        print_json(&serde_json::json!({
            "version": map.version(), "failed_tests": failures, "findings": findings, "groups_looked_at": groups
        }))?;
    } else {
        let usable = if failures.is_empty() { "can be used" } else { "cannot be used: its tests fail" };
        println!(
            "the role map {} {usable}: {}, {}, {}, {}",
            map.version(),
            count(map.targets.len(), "target"),
            count(map.roles.len(), "role"),
            count(map.mappings.len(), "mapping"),
            count(map.tests.len(), "test")
        );
        for failure in &failures {
            println!("{failure}");
        }
        for finding in &findings {
            println!("{finding}");
        }
        match groups {
            Some(groups) => println!("its names were looked up among {}", count(groups, "group")),
            None => {
                println!("whether its groups exist was not looked at: no directory is here (see --snapshot)");
            }
        }
    }
    Ok(match (failures.is_empty(), findings.is_empty()) {
        (false, _) => Status::Failed,
        (true, false) => Status::Found,
        (true, true) => Status::Done,
    })
}

/// The directory of the configured store, where there is one.
async fn stored(config: Option<Config>) -> anyhow::Result<Option<Directory>> {
    let Some(config) = config else { return Ok(None) };
    if !Parts::store_exists(&config).await? {
        return Ok(None);
    }
    let parts = Parts::open(config).await?;
    let directory = parts.store.load_directory().await;
    parts.store.close().await;
    Ok(Some(directory?))
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
