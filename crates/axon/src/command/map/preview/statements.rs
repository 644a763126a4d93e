//! A step in the words of its target: T-SQL where it takes T-SQL, none where it takes other requests.

use std::collections::BTreeSet;

use axon_mapping::target::Endpoint;
use axon_mapping::{TargetKind, TargetSpec};
use axon_model::SqlName;
use axon_reconcile::Step;
use axon_synapse::{Dialect, Wording};

/// The statements that a step would be; `roles` are names of roles there.
pub fn of(target: &TargetSpec, roles: &BTreeSet<SqlName>, step: &Step) -> Vec<String> {
    let (kind, database) = match &target.endpoint {
        Endpoint::Sql(server) => (target.kind, server.database.as_str()),
        Endpoint::Script(script) => (script.dialect, script.database.as_str()),
        Endpoint::Workspace(_) | Endpoint::Azure(_) => return Vec::new(),
    };
    let dialect = match kind {
        TargetKind::SynapseDedicated => Dialect::Dedicated,
        TargetKind::SynapseServerless => Dialect::Serverless.in_database(database),
        TargetKind::SynapseWorkspace | TargetKind::AzureRbac | TargetKind::Script => return Vec::new(),
    };
    let Ok(database) = database.parse::<SqlName>() else { return Vec::new() };
    Wording { dialect, database, roles }.told(step)
}
