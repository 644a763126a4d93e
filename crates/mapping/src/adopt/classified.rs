//! Workload classifiers of the pool: which lines of the map say, and why no line says the others.

use std::collections::BTreeMap;

use axon_model::SqlName;
use axon_reconcile::classifier::name_of;
use axon_reconcile::{Classified, Classifier};

use super::Adopting;
use super::pool_roles::PoolRoles;
use crate::grant::GrantLine;

/// Those of a role that become lines. A plan drops every other one that is called after the role, so that a role with such a
/// one cannot be the map's own.
pub(super) fn of_role(of: Adopting<'_>, role: SqlName) -> Result<Vec<Classified>, String> {
    let mut said = Vec::new();
    for there in of.classifiers.iter().filter(|there| there.member == role && is_called_after(there, role)) {
        let name = there.name;
        let Some(does) = there.does else {
            return Err(format!("its classifier {name} does more than a line says"));
        };
        if name_of(role, does.group) != Some(name) {
            let group = does.group;
            return Err(format!(
                "its classifier {name} is called after it, and a line for {group} would make {role}:{group}"
            ));
        }
        let line = GrantLine::Classifier(does);
        if !GrantLine::parse(&line.to_string()).is_ok_and(|read| read == line) {
            return Err(format!("no line of a map says its classifier {name}"));
        }
        said.push(does);
    }
    said.sort();
    Ok(said)
}

/// Whether a plan takes it for one that a line of this role made.
fn is_called_after(there: &Classifier, role: SqlName) -> bool {
    let rest = there.name.folded().strip_prefix(role.folded());
    rest.is_some_and(|rest| rest.starts_with(':'))
}

/// Those that no line says, with the reason. No plan touches them.
pub(super) fn left(of: Adopting<'_>, pool: &PoolRoles) -> BTreeMap<SqlName, String> {
    let mut left = BTreeMap::new();
    for there in of.classifiers {
        let Classifier { name, member, does: _, unread: _ } = there;
        let own = pool.managed.contains_key(member);
        let why = if own && is_called_after(there, *member) {
            continue;
        } else if own {
            format!(
                "its name is not {member}:GROUP, so it is let be: a line would make another one beside it"
            )
        } else if of.actual.roles.get(member).is_some_and(|role| !role.fixed) {
            format!("role {member} is not the map's own")
        } else {
            "a line classifies requests of a role of the map, not of one principal".into()
        };
        left.insert(*name, why);
    }
    left
}
