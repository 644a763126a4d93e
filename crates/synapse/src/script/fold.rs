//! What is in force where nobody looks: an empty database, and then what people confirmed.

use axon_model::SqlName;
use axon_reconcile::builtin::{FIXED_ROLES, PREDEFINED_ROLES};
use axon_reconcile::{Graph, Role, ScriptFile, Step, apply_step};

/// A database that nobody was let into yet.
pub(super) fn beginning() -> Graph {
    let mut graph = Graph::default();
    let fixed = FIXED_ROLES.iter().chain(&PREDEFINED_ROLES).filter_map(|name| SqlName::parse(name).ok());
    graph.roles.extend(fixed.map(|name| (name, Role { fixed: true, owner: None })));
    graph
}

/// Moves the graph by files that were run, in this order.
pub(super) fn fold(graph: &mut Graph, files: &[ScriptFile]) -> Result<(), String> {
    for file in files {
        for step in file.steps.iter().map(|s| &s.planned.step) {
            // Run twice is run once.
            if matches!(step, Step::KillSessions { .. } | Step::KillFormer { .. } | Step::Classify(_))
                || crate::read_back::holds(graph, step)
            {
                continue;
            }
            apply_step(graph, step).map_err(|why| {
                format!(
                    "{}, which was confirmed, cannot have been run after the ones before it: {why}",
                    file.name
                )
            })?;
        }
    }
    Ok(())
}
