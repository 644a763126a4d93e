//! Users and roles of the catalog.

use std::collections::HashMap;

use axon_model::SqlName;
use axon_model::name::shown;
use axon_reconcile::{Connect, Graph, Principal, PrincipalKind, Role, Sid};

use super::notes::Notes;
use super::predefined;
use super::rows::RawPrincipal;
use crate::statement::Dialect;

/// Puts users and roles into the graph and gives the names of all ids, system principals included.
pub(super) fn principals(
    rows: &[RawPrincipal],
    dialect: Dialect,
    graph: &mut Graph,
    notes: &mut Notes,
) -> HashMap<i32, SqlName> {
    let mut order: Vec<&RawPrincipal> = rows.iter().collect();
    order.sort_by_key(|row| row.id);
    let mut by_id: HashMap<i32, SqlName> = HashMap::with_capacity(rows.len());
    let mut taken: HashMap<SqlName, SqlName> = HashMap::with_capacity(rows.len());
    for row in &order {
        let name = match &row.name {
            Ok(name) => *name,
            Err((text, reason)) => {
                notes.add(|| format!("principal {:?} is left out: {reason}", shown(text)));
                continue;
            }
        };
        if let Some(first) = taken.get(&name) {
            // The elder one stays, with its own rows only. What the other holds must not be taken for what it holds.
            notes.add(|| {
                format!(
                    "principals {:?} and {:?} cannot be told apart: rename or drop one",
                    shown(first.as_str()),
                    shown(name.as_str())
                )
            });
            continue;
        }
        taken.insert(name, name);
        by_id.insert(row.id, name);
    }
    for row in order {
        let Some(name) = by_id.get(&row.id).copied() else { continue };
        if row.code == 'R' {
            let fixed = row.fixed || predefined::is_predefined_role(name, dialect);
            let owner = row.owner.and_then(|id| by_id.get(&id).copied());
            graph.roles.insert(name, Role { fixed, owner });
        } else if !predefined::is_system_user(name) {
            let kind = match row.code {
                'E' => PrincipalKind::External,
                'X' => PrincipalKind::ExternalGroup,
                // `S`, and what Synapse is not expected to hold. Axon makes none of them.
                _ => PrincipalKind::Sql,
            };
            let sid = row.sid.as_deref().filter(|bytes| !bytes.is_empty()).map(Sid::from_bytes);
            let created = row.created.map(time::PrimitiveDateTime::assume_utc);
            graph.principals.insert(name, Principal { kind, sid, connect: Connect::Absent, created });
        }
    }
    by_id
}
