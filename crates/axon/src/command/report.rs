//! `axon report ways | leavers`

mod leavers;

use anyhow::Context;
use axon_mapping::target::{Endpoint, TargetKind};
use axon_mapping::{RoleMap, TargetSpec};
use axon_reconcile::InspectScope;
use serde_json::json;

use super::{Status, print_json};
use crate::cli::ReportCommand;
use crate::maps;
use crate::ways::{Report, of_azure, of_pool, of_workspace, print};
use crate::wiring::Parts;

/// Makes a report. Targets are read and nothing is changed.
pub async fn run(parts: Parts, command: ReportCommand) -> anyhow::Result<Status> {
    let (target, json) = match command {
        ReportCommand::Ways { target, json } => (target, json),
        ReportCommand::Leavers { target, since, until, json } => {
            let status = leavers::run(&parts, target.as_deref(), since..until, json).await;
            parts.store.close().await;
            return status;
        }
    };
    let map = maps::in_force(&parts).await?;
    let report = look(&parts, &map, target.as_deref()).await;
    parts.store.close().await;
    let report = report?.sorted();
    if json {
        let ways = report.ways.iter().map(|way| {
            json!({ "target": way.target, "kind": way.kind, "who": way.who, "by": way.by,
                "opens": way.kind.opens(), "remedy": way.kind.remedy() })
        });
        let unseen = report.unseen.iter().map(|(target, what)| json!({ "target": target, "what": what }));
        print_json(
            &json!({ "ways": ways.collect::<Vec<_>>(), "unseen": unseen.collect::<Vec<_>>(), "gaps": report.gaps }),
        )?;
    } else {
        print(&report);
    }
    Ok(if report.unseen.is_empty() && report.gaps.is_empty() { Status::Done } else { Status::Found })
}

async fn look(parts: &Parts, map: &RoleMap, only: Option<&str>) -> anyhow::Result<Report> {
    let mut report = Report::default();
    for (name, target) in parts.targets(map, only)? {
        let spec = map.targets.get(&name).with_context(|| format!("target {name}"))?;
        match spec.kind {
            TargetKind::AzureRbac => {
                let around = axon_azure::around(parts.arm(map, spec)?).await;
                let around = around.with_context(|| format!("target {name}"))?;
                report.add(name.as_str(), of_azure(name.as_str(), &around), around.unseen);
            }
            TargetKind::Script => {
                report.add(name.as_str(), Vec::new(), vec!["it is a file of statements".into()]);
            }
            kind => match target.inspect(InspectScope::Full).await {
                Ok(seen) => {
                    let of = if kind == TargetKind::SynapseWorkspace { of_workspace } else { of_pool };
                    let ways = of(name.as_str(), &seen);
                    report.add(name.as_str(), ways, seen.unseen);
                }
                Err(error) => report.add(name.as_str(), Vec::new(), vec![error.to_string()]),
            },
        }
    }
    if only.is_none() {
        report.gaps = gaps(map);
    }
    Ok(report)
}

/// What the map leads to no place for.
fn gaps(map: &RoleMap) -> Vec<String> {
    let scopes: Vec<String> = map.targets.values().filter_map(scope).collect();
    let sql =
        map.targets.values().any(|spec| matches!(spec.endpoint, Endpoint::Sql(_) | Endpoint::Workspace(_)));
    let mut gaps = Vec::new();
    if sql && !scopes.iter().any(|scope| scope.contains("/providers/microsoft.synapse/workspaces/")) {
        gaps.push(
            "who administers the workspace's SQL, and who of Azure can change that: name a target of kind azure-rbac whose scope is \
             the workspace's resource (mode observe is enough)"
                .to_owned(),
        );
    }
    if sql && !scopes.iter().any(|scope| scope.contains("/providers/microsoft.storage/")) {
        gaps.push(
            "who reads the files beneath views and external tables: name a target of kind azure-rbac whose scope is the storage \
             account or container (mode observe is enough)"
                .to_owned(),
        );
    }
    gaps
}

fn scope(spec: &TargetSpec) -> Option<String> {
    match &spec.endpoint {
        Endpoint::Azure(scope) => Some(scope.to_ascii_lowercase()),
        _ => None,
    }
}
