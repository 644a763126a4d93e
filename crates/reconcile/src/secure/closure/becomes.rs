//! Who may put on somebody else by `EXECUTE AS`, where people may read as others.

use std::collections::BTreeSet;

use axon_model::SqlName;

use crate::finding::Finding;
use crate::graph::{GrantState, Graph, PrincipalKind};
use crate::permission::Permission;
use crate::shape::Securable;

/// Who may put on somebody who can enter: views take the one for the other, and no permission of Axon's is asked. `own` are accounts
/// as which Axon works.
pub fn puts_on(graph: &Graph, own: &BTreeSet<SqlName>) -> Vec<Finding> {
    let given = graph.grants.iter().filter(|(_, grant)| grant.state != GrantState::Deny);
    let given = given.filter(|(key, _)| {
        matches!(key.permission, Permission::Impersonate | Permission::Control) && !own.contains(&key.grantee)
    });
    let by_grant = given.filter_map(|(key, _)| match key.securable {
        Securable::Principal(whom) => {
            let enters = graph.principals.get(&whom).is_some_and(|p| p.kind == PrincipalKind::External);
            enters.then_some(Finding::PutsOnAnother { who: key.grantee, whom })
        }
        Securable::Database => {
            let by = format!("{} on the database", key.permission);
            Some(Finding::PutsOnAnybody { who: key.grantee, by })
        }
        _ => None,
    });
    let owners = SqlName::parse("db_owner").ok().into_iter().flat_map(|role| graph.members_of(role));
    let owners = owners.filter(|who| !own.contains(who) && who.as_str() != "dbo");
    let by_role = owners.map(|who| Finding::PutsOnAnybody { who, by: "membership of db_owner".into() });
    by_grant.chain(by_role).collect()
}
