//! What views add to roles: readers may read them, and every role that tells people apart is one of the pool.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_model::SqlName;
use axon_reconcile::{GrantState, Permission, Securable};

use super::{SecureView, native};
use crate::grant::GrantLine;
use crate::names::{RoleName, TargetName};
use crate::role::{HeldGrant, PlacedGrant, ReadRole};

/// Puts it into the roles. Whoever has a role has those that it includes: it stands for them in a view's text, too.
pub(crate) fn into_roles(roles: &mut BTreeMap<RoleName, ReadRole>, views: &[SecureView]) {
    let acts: BTreeSet<TargetName> =
        roles.values().flat_map(|role| role.spec.impersonate.keys().cloned()).collect();
    for view in views {
        let named: BTreeSet<&RoleName> = view.roles().collect();
        for role in roles.values_mut() {
            let spec = &mut role.spec;
            if !spec.direct && named.iter().any(|name| spec.whole.contains(*name)) {
                for target in &view.targets {
                    spec.held.entry(target.clone()).or_default();
                }
            }
            for reader in view.readers.iter().filter(|reader| spec.whole.contains(*reader)) {
                for target in &view.targets {
                    let open = native::open_to(view, spec, acts.contains(target));
                    let held = spec.held.entry(target.clone()).or_default();
                    // The views of a pattern are known when its tables are.
                    if view.pattern.is_none() {
                        held.push(select_on(view, &spec.name, reader));
                        // What stands on single people is no role's, and the filter opens columns to roles.
                        if view.native.is_some() && !spec.direct && !open.is_empty() {
                            held.push(columns_of(view, open, &spec.name, reader));
                        }
                    }
                }
            }
        }
    }
}

fn select_on(view: &SecureView, role: &RoleName, reader: &RoleName) -> HeldGrant {
    let line = GrantLine::Permissions {
        state: GrantState::Grant,
        permissions: vec![Permission::Select],
        on: Securable::Object(view.name),
        columns: Vec::new(),
    };
    held(view, line, role, reader, false)
}

/// Columns of the table itself, for as long as it is filtered.
fn columns_of(view: &SecureView, columns: Vec<SqlName>, role: &RoleName, reader: &RoleName) -> HeldGrant {
    let line = GrantLine::Permissions {
        state: GrantState::Grant,
        permissions: vec![Permission::Select],
        on: Securable::Object(view.from),
        columns,
    };
    held(view, line, role, reader, true)
}

fn held(view: &SecureView, line: GrantLine, role: &RoleName, reader: &RoleName, filtered: bool) -> HeldGrant {
    let reader = (role != reader).then_some(reader);
    let through = [role].into_iter().chain(reader).cloned().collect();
    let text = line.to_string().into();
    HeldGrant { grant: Arc::new(PlacedGrant { line, text, place: view.place.clone() }), through, filtered }
}
