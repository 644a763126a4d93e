//! `axon map test|schema`

pub mod adopt;
pub mod diff;
pub mod preview;
pub mod snapshot;
pub mod versions;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use axon_mapping::{RoleMap, map_test, schema};
use axon_model::{Clock, SystemClock};
use axon_scim::Registry;

use super::{Status, print_json};
use crate::config::Config;
use crate::wiring::{Parts, load_config, map_files, parse_map};

/// Variables from `--set NAME=VALUE`.
pub fn variables(set: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    set.iter()
        .map(|pair| {
            let (name, value) =
                pair.split_once('=').with_context(|| format!("--set {pair:?} is not NAME=VALUE"))?;
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}

fn read(config: &Path, path: Option<&Path>, set: &[String]) -> anyhow::Result<RoleMap> {
    // A map elsewhere may be read without a configuration; where there is one, its extensions are known.
    let configured = if path.is_none() || config.exists() { Some(load_config(config)?) } else { None };
    let registry = configured.as_ref().map_or_else(|| Ok(Registry::standard()), Config::registry)?;
    let files = match (path, &configured) {
        (Some(path), _) => map_files(path)?,
        (None, Some(config)) => map_files(&config.role_map)?,
        (None, None) => bail!("there is no configuration at {}", config.display()),
    };
    parse_map(&files, &variables(set)?, &Arc::new(registry))
}

/// The map in force: the store's, or that of the configured file where there is no store yet.
async fn in_force(config: &Path) -> anyhow::Result<RoleMap> {
    if !Parts::store_exists(&load_config(config)?).await? {
        return read(config, None, &[]);
    }
    let parts = Parts::open(load_config(config)?).await?;
    let map = crate::maps::in_force(&parts).await;
    parts.store.close().await;
    map
}

/// Runs a map's own tests.
pub fn test(config: &Path, path: Option<&Path>, set: &[String], json: bool) -> anyhow::Result<Status> {
    let map = read(config, path, set)?;
    let failures = map_test::run(&map, SystemClock.now());
    if json {
        print_json(&serde_json::json!({
            "version": map.version(), "tests": map.tests.len(), "failures": failures
        }))?;
    } else {
        for failure in &failures {
            println!("{failure}");
        }
        let failed: std::collections::BTreeSet<_> = failures.iter().map(|f| &f.place).collect();
        let tests = match map.tests.len() {
            1 => "1 test".to_owned(),
            n => format!("{n} tests"),
        };
        match failed.len() {
            0 => println!("{tests}: what they say is so"),
            1 => println!("{tests}: one line of them fails"),
            n => println!("{tests}: {n} lines of them fail"),
        }
    }
    Ok(if failures.is_empty() { Status::Done } else { Status::Failed })
}

/// The JSON Schema of the language.
pub fn print_schema() -> anyhow::Result<Status> {
    print_json(&schema::json_schema())?;
    Ok(Status::Done)
}
