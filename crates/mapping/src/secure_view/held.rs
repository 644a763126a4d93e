//! What views add to roles: readers may read them, and every role that tells people apart is one of the pool.

use std::collections::{BTreeMap, BTreeSet};

use axon_reconcile::{GrantState, Permission, Securable};

use super::SecureView;
use crate::grant::GrantLine;
use crate::names::RoleName;
use crate::role::{HeldGrant, PlacedGrant, ReadRole};

/// Puts it into the roles. Whoever has a role has those that it includes: it stands for them in a view's text, too.
pub(crate) fn into_roles(roles: &mut BTreeMap<RoleName, ReadRole>, views: &[SecureView]) {
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
                    let held = spec.held.entry(target.clone()).or_default();
                    // The views of a pattern are known when its tables are.
                    if view.pattern.is_none() {
                        held.push(select_on(view, &spec.name, reader));
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
    let through = if role == reader { vec![role.clone()] } else { vec![role.clone(), reader.clone()] };
    let text = line.to_string().into();
    HeldGrant { grant: PlacedGrant { line, text, place: view.place.clone() }, through }
}
