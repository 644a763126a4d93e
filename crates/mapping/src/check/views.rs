//! The closure around secure views (decision 19): nobody who may read one may read its table, and nobody may change one.

use axon_reconcile::{GrantState, Permission, Securable};
use axon_scim::schema::ResourceKind;

use super::powers::{is_member_of, writes};
use super::{Findings, Lint};
use crate::condition::near_attribute;
use crate::effect::{Extent, Holding, contains};
use crate::grant::GrantLine;
use crate::map::RoleMap;
use crate::secure_view::{Operand, RowLine, SecureView};

/// All that concerns the views of a map.
pub(super) fn all(map: &RoleMap, findings: &mut Findings) {
    for view in &map.views {
        attributes(map, view, findings);
        for target in &view.targets {
            for role in map.roles.values() {
                let Some(held) = role.held.get(target) else { continue };
                let holding = Holding::of(held.iter().map(|h| &h.grant.line));
                let reads_view = holding.extent(&(Permission::Select, Securable::Object(view.name)));
                let from = Securable::Object(view.from);
                let reads_table = holding.extent(&(Permission::Select, from));
                for held in held {
                    let line = &held.grant.line;
                    let alone = Holding::of([line]);
                    let by_this = alone.extent(&(Permission::Select, from)) != Extent::None;
                    if reads_view != Extent::None && reads_table != Extent::None && by_this {
                        let message = format!(
                            "role `{}` reads {} past the secure view {}",
                            role.name, view.from, view.name
                        );
                        findings.add(Lint::PastView, &held.grant.place, message, None);
                    }
                    if let Some(how) = changes(line, view) {
                        let message =
                            format!("role `{}` could change the secure view {}: {how}", role.name, view.name);
                        findings.add(Lint::WritesView, &held.grant.place, message, None);
                    }
                }
            }
        }
    }
}

/// How a line could be used to change a view, or to read through the owner of what it reads.
fn changes(line: &GrantLine, view: &SecureView) -> Option<String> {
    if let Some(role) = is_member_of(line, &["db_owner", "db_ddladmin", "db_securityadmin", "db_accessadmin"])
    {
        return Some(format!("member of {role}"));
    }
    let GrantLine::Permissions { state: GrantState::Grant, .. } = line else { return None };
    for (permission, on) in line.atoms() {
        let of_schema = |schema| match on {
            Securable::Database => true,
            Securable::Schema(name) => name == schema,
            Securable::Object(_) | Securable::Column(..) | Securable::Principal(_) => false,
        };
        let touches = of_schema(view.name.schema)
            || of_schema(view.from.schema)
            || contains(&on, &Securable::Object(view.name))
            || contains(&on, &Securable::Object(view.from));
        if touches && writes(permission) {
            return Some(format!("{permission} on {on}"));
        }
        // Code that the owner of the table owns reads it for whoever may run it.
        if permission == Permission::Execute && touches {
            return Some(format!("{permission} on {on} runs what the table's owner owns"));
        }
        let makes_code = matches!(
            permission,
            Permission::CreateView | Permission::CreateProcedure | Permission::CreateFunction
        );
        let keys = matches!(
            permission,
            Permission::AlterAnySchema
                | Permission::AlterAnyUser
                | Permission::AlterAnyRole
                | Permission::Impersonate
        );
        if makes_code || keys {
            return Some(format!("{permission} on {on}"));
        }
    }
    None
}

/// Attributes of `rows` that no schema has: nobody would see a row.
fn attributes(map: &RoleMap, view: &SecureView, findings: &mut Findings) {
    for row in &view.rows {
        let RowLine::Where { all, place, .. } = row else { continue };
        for comparison in all {
            let Operand::User(path) = &comparison.operand else { continue };
            if map.registry.attr_path(ResourceKind::User, path).is_err() {
                let shown = crate::yaml::shown(path);
                let message =
                    format!("no schema has the attribute `{shown}`: nobody would see a row by this line");
                let help = near_attribute(path, &map.registry);
                findings.add(Lint::UnknownRowAttribute, place, message, help);
            }
        }
    }
}
