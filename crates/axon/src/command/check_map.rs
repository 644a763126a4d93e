//! `axon map check`

use std::path::Path;
use std::sync::Arc;

use axon_mapping::{check, map_test};
use axon_model::{Clock, SystemClock};
use axon_scim::Registry;

use super::{Status, print_json};
use crate::wiring::{Parts, load_config, map_files, parse_map};

/// Checks a map: the configured one also against the directory that the store holds.
pub async fn run(config: &Path, path: Option<&Path>, set: &[String], json: bool) -> anyhow::Result<Status> {
    let vars = super::map::variables(set)?;
    let (files, registry, parts) = if let Some(path) = path {
        // A map elsewhere may be checked without a configuration; where there is one, its extensions are known.
        let extended = if config.exists() { load_config(config)?.registry()? } else { Registry::standard() };
        (map_files(path)?, extended, None)
    } else {
        let config = load_config(config)?;
        (map_files(&config.role_map)?, config.registry()?, Some(config))
    };
    let map = parse_map(&files, &vars, &Arc::new(registry))?;
    let now = SystemClock.now();
    let failures = map_test::run(&map, now);
    // Before the first push there is no store, and no directory to look names up in.
    let store = match parts {
        Some(config) if Parts::store_exists(&config).await? => Some(config),
        _ => None,
    };
    let findings = match store {
        Some(config) => {
            let parts = Parts::open(config).await?;
            let directory = parts.store.load_directory().await?;
            parts.store.close().await;
            let pushed = directory.groups().next().is_some();
            check::check(&map, pushed.then_some(&directory), now)
        }
        None => check::check(&map, None, now),
    };
    if json {
        print_json(&serde_json::json!({
            "version": map.version(), "failed_tests": failures, "findings": findings
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
    }
    Ok(match (failures.is_empty(), findings.is_empty()) {
        (false, _) => Status::Failed,
        (true, false) => Status::Found,
        (true, true) => Status::Done,
    })
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
