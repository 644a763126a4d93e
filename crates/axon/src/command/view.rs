//! `axon view`

mod key;
mod probe;

use anyhow::{Context, bail};
use axon_mapping::views::{asked, of_target};
use axon_reconcile::InspectScope;
use axon_synapse::render::{ViewVerb, secure_view};

use super::Status;
use crate::cli::ViewCommand;
use crate::maps;
use crate::wiring::Parts;

/// One of the commands.
pub async fn run(parts: Parts, command: ViewCommand) -> anyhow::Result<Status> {
    let status = match command {
        ViewCommand::Render { view, target } => render(&parts, view.as_deref(), target.as_deref()).await,
        ViewCommand::Probe { view, target, json } => {
            probe::run(&parts, view.as_deref(), target.as_deref(), json).await
        }
        ViewCommand::Key { id, target, reason } => key::run(&parts, &id, target.as_deref(), &reason).await,
    };
    parts.store.close().await;
    status
}

/// Prints the texts. Nothing is changed, and no key is read.
async fn render(parts: &Parts, view: Option<&str>, only: Option<&str>) -> anyhow::Result<Status> {
    let map = maps::in_force(parts).await?;
    let meant =
        |name: &dyn std::fmt::Display| view.is_none_or(|only| name.to_string().eq_ignore_ascii_case(only));
    let (mut printed, mut faults) = (0, 0);
    for (name, target) in parts.targets(&map, only)? {
        let Some(spec) = map.targets.get(&name) else { continue };
        let Some(asked) = asked(&map, spec) else { continue };
        let inspection =
            target.inspect(InspectScope::Full).await.with_context(|| format!("target {name}"))?;
        let there = target.inspect_views(&asked).await.with_context(|| format!("target {name}"))?;
        let Some(there) = there else { continue };
        let compiled = of_target(&map, spec, &there, &inspection.shape.schemas);
        for body in compiled.bodies.iter().filter(|body| meant(&body.name)) {
            let verb = if there.views.contains_key(&body.name) { ViewVerb::Alter } else { ViewVerb::Create };
            println!("-- {name}: {body}");
            println!("{}\nGO", secure_view(body, verb, axon_synapse::managed(&spec.metadata)).as_str());
            printed += 1;
        }
        for fault in compiled.faults.iter().filter(|fault| meant(&fault.view)) {
            println!("-- {name}: {}", fault.to_string().replace('\n', "\n-- "));
            faults += 1;
        }
    }
    if printed + faults == 0 {
        match view {
            Some(view) => bail!("no target of the role map holds a view {view:?}"),
            None => println!("-- the role map has no secure views"),
        }
    }
    Ok(if faults == 0 { Status::Done } else { Status::Found })
}
