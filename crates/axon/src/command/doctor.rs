//! `axon doctor`: looks at everything that Axon needs, changes nothing, and says what helps where something is wrong.

mod pace;
mod pool;
mod remedy;
mod report;
mod script;
mod setup;
mod shipping;

use std::path::Path;

use axon_mapping::target::Words;
use axon_mapping::{RoleMap, TargetKind, TargetName, TargetSpec};
use axon_reconcile::{InspectScope, Target as _};

use super::{Status, print_json};
use crate::cli::DoctorArgs;
use crate::config::Config;
use crate::identities;
use crate::wiring::{self, Parts};
use report::Report;

/// Looks, reports, and ends with 3 where something was found.
pub async fn run(path: &Path, args: DoctorArgs) -> anyhow::Result<Status> {
    let mut report = Report::default();
    if let Some(config) = setup::configuration(path, &mut report) {
        let parts = setup::store(&config, &mut report).await;
        if let Some(parts) = &parts {
            setup::sources(parts, &mut report).await?;
        }
        shipping::look(&config, parts.as_ref(), &mut report).await;
        if let Some(map) = setup::role_map(&config, parts.as_ref(), &mut report).await {
            if let Some(parts) = &parts {
                setup::signing(parts, &map, &mut report);
            }
            targets(&config, parts.as_ref(), &map, &args, &mut report).await?;
        }
        if let Some(parts) = parts {
            parts.store.close().await;
        }
    }
    if args.json {
        print_json(&report.as_json())?;
    } else {
        print!("{report}");
    }
    Ok(if report.is_sound() { Status::Done } else { Status::Found })
}

async fn targets(
    config: &Config,
    parts: Option<&Parts>,
    map: &RoleMap,
    args: &DoctorArgs,
    report: &mut Report,
) -> anyhow::Result<()> {
    let is_meant = |name: &TargetName| args.target.as_deref().is_none_or(|only| only == name.as_str());
    if !map.targets.keys().any(is_meant) {
        let known: Vec<&str> = map.targets.keys().map(TargetName::as_str).collect();
        let only = args.target.as_deref().unwrap_or_default();
        anyhow::bail!("the role map names no target {only:?}; it names: {}", known.join(", "));
    }
    let who = match parts {
        Some(parts) => identities::all(parts.store.as_ref(), map).await?,
        None => std::collections::BTreeMap::new(),
    };
    for (name, spec) in map.targets.iter().filter(|(name, _)| is_meant(name)) {
        match spec.kind.words() {
            Words::Sql if spec.kind == TargetKind::Script => script::look(config, map, spec, report).await,
            Words::Sql => pool::look(config, parts, map, spec, args, report).await,
            Words::Roles => {
                assigned(config, map, name, spec, report).await;
                if let (Some(who), Some(parts)) = (who.get(name.as_str()), parts) {
                    let (area, now) = (format!("target {name}"), parts.clock.now());
                    report.well(&area, format!("who is who: {}", who.line(now)));
                    report.detail(&area, "identities", who.shown(now));
                }
            }
        }
    }
    Ok(())
}

/// A target whose roles are only assigned: one look at everything tells.
async fn assigned(config: &Config, map: &RoleMap, name: &TargetName, spec: &TargetSpec, report: &mut Report) {
    let area = format!("target {name}");
    let target = match wiring::assigned_of(config, map, spec) {
        Ok(target) => target,
        Err(error) => return report.found(&area, format!("{error:#}"), remedy::WIRING),
    };
    match target.inspect(InspectScope::Full).await {
        Ok(seen) => {
            let (people, held) = (seen.graph.principals.len(), seen.graph.members.len());
            report.well(&area, format!("{held} assignments of {people} principals were read"));
            for unseen in seen.unseen {
                report.found(&area, unseen, remedy::UNSEEN_THERE);
            }
            for note in target.advice() {
                report.well(&area, format!("note: {note}"));
            }
        }
        Err(error) => report.found(&area, error.to_string(), remedy::AZURE),
    }
}
