//! A step in the words of its target: T-SQL where it takes T-SQL, none where it takes other requests.

use std::collections::BTreeSet;

use axon_mapping::target::Endpoint;
use axon_mapping::{TargetKind, TargetSpec};
use axon_model::SqlName;
use axon_reconcile::Step;
use axon_synapse::{Dialect, Wording, Work, render};

/// The statements that a step would be; `roles` are names of roles there.
pub fn of(target: &TargetSpec, roles: &BTreeSet<SqlName>, step: &Step) -> Vec<String> {
    let (kind, database) = match &target.endpoint {
        Endpoint::Sql(server) => (target.kind, server.database.as_str()),
        // A file of statements says no database: whoever runs it is in one.
        Endpoint::Script { dialect, .. } => (*dialect, "database"),
        Endpoint::Workspace(_) | Endpoint::Azure(_) => return Vec::new(),
    };
    let dialect = match kind {
        TargetKind::SynapseDedicated => Dialect::Dedicated,
        TargetKind::SynapseServerless => Dialect::Serverless,
        TargetKind::SynapseWorkspace | TargetKind::AzureRbac | TargetKind::Script => return Vec::new(),
    };
    let Ok(database) = database.parse::<SqlName>() else { return Vec::new() };
    match (Wording { dialect, database, roles }).work(step) {
        Ok(Work::One(statement)) => vec![render(&statement, dialect).into_string()],
        // Which sessions there are is known when it is done.
        Ok(Work::KillSessions { .. }) => Vec::new(),
        Err(refused) => vec![format!("-- refused: {refused}")],
    }
}
