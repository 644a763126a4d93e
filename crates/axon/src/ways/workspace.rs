//! Ways in a workspace: its administrators, and who acts as the workspace.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::Inspection;

use super::{Way, WayKind};

/// What the roles of a workspace show.
pub fn of_workspace(target: &str, seen: &Inspection) -> Vec<Way> {
    let mut found: BTreeSet<(WayKind, SqlName, String)> = BTreeSet::new();
    for who in &seen.facts.administrators {
        found.insert((WayKind::SynapseAdministrator, *who, "Synapse Administrator".to_owned()));
    }
    for membership in &seen.graph.members {
        let role = membership.role.folded();
        let administers =
            ["synapse administrator", "workspace admin", "synapse sql administrator", "sql admin"];
        // On an item of the workspace it administers nothing of SQL.
        let kind = if administers.contains(&role) {
            WayKind::SynapseAdministrator
        } else if role.starts_with("synapse credential user") && role.ends_with("workspacesystemidentity") {
            WayKind::WorkspaceIdentity
        } else {
            continue;
        };
        found.insert((kind, membership.member, membership.role.to_string()));
    }
    let own = seen.facts.own_principal;
    let others = found.into_iter().filter(|(_, who, _)| *who != own);
    others.map(|(kind, who, by)| Way::new(target, kind, who.to_string(), by)).collect()
}

#[cfg(test)]
mod tests {
    use axon_reconcile::{Graph, Membership, Shape, TargetFacts};

    use super::*;

    #[test]
    fn administrators_and_who_acts_as_the_workspace_are_told_once() {
        let name = |text: &str| SqlName::parse(text).unwrap();
        let mut graph = Graph::default();
        for (role, member) in [
            ("Synapse Administrator", "ana@acme.com"),
            ("Synapse SQL Administrator", "SG-SQL"),
            ("Synapse Administrator on spark-pool::small", "ben@acme.com"),
            ("Synapse Credential User on credential::WorkspaceSystemIdentity", "pipelines"),
            ("Synapse Artifact User", "kim@acme.com"),
            ("Synapse Administrator", "axon"),
        ] {
            graph.members.insert(Membership { role: name(role), member: name(member) });
        }
        let facts = TargetFacts {
            version: String::new(),
            engine_edition: 0,
            own_principal: name("axon"),
            administrators: vec![name("ana@acme.com")],
        };
        let seen = Inspection { graph, shape: Shape::default(), facts, unseen: Vec::new() };
        let told: Vec<String> =
            of_workspace("w", &seen).iter().map(|w| format!("{} {}", w.kind.as_str(), w.who)).collect();
        assert_eq!(
            told,
            [
                "synapse-administrator ana@acme.com",
                "synapse-administrator SG-SQL",
                "workspace-identity pipelines"
            ]
        );
    }
}
