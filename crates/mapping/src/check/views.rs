//! The closure around secure views (decision 19): nobody who may read one may read its table, and nobody may change one.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::{GrantState, ObjectName, Permission, Securable};
use axon_scim::schema::ResourceKind;

use super::powers::{is_member_of, writes};
use super::ways::Supposed;
use super::{Findings, Lint};
use crate::condition::near_attribute;
use crate::effect::{Extent, Holding, contains};
use crate::grant::GrantLine;
use crate::map::RoleMap;
use crate::names::TargetName;
use crate::place::Place;
use crate::role::{HeldGrant, RoleSpec};
use crate::secure_view::{Operand, RowLine, SecureView};
use crate::target::TargetSpec;
use crate::together::Together;

/// All that concerns the views of a map.
pub(super) fn all(map: &RoleMap, together: &Together<'_>, findings: &mut Findings) {
    let targets: BTreeSet<&TargetName> = map.views.iter().flat_map(|view| &view.targets).collect();
    for view in &map.views {
        attributes(map, view, findings);
    }
    for spec in targets.into_iter().filter_map(|target| map.targets.get(target)) {
        let holders = Holder::all(map, &spec.name);
        let supposed = Supposed::of(map, spec, &holders);
        for view in map.views.iter().filter(|view| view.targets.contains(&spec.name)) {
            let mut told = past(view, &holders, together, findings);
            loses_rows(spec, view, &holders, findings);
            for Holder { role, lines, .. } in &holders {
                for held in lines {
                    let Some(how) = changes(&held.grant.line, view, spec.metadata.schema) else { continue };
                    let message =
                        format!("role `{}` could change the secure view {}: {how}", role.name, view.name);
                    findings.add(Lint::WritesView, &held.grant.place, message, None);
                    told.insert(&held.grant.place);
                }
            }
            supposed.tell(view, &told, together, findings);
        }
    }
}

/// A role in a target, with what its lines amount to.
pub(super) struct Holder<'m> {
    pub(super) role: &'m RoleSpec,
    pub(super) lines: Vec<&'m HeldGrant>,
    holding: Holding,
}

impl<'m> Holder<'m> {
    fn all(map: &'m RoleMap, target: &TargetName) -> Vec<Self> {
        let of_role = |role: &'m RoleSpec| {
            // Columns that a filter opens are no way past it.
            let lines: Vec<&HeldGrant> =
                role.held.get(target)?.iter().filter(|held| !held.filtered).collect();
            let holding = Holding::of(lines.iter().map(|held| &held.grant.line));
            Some(Self { role, lines, holding })
        };
        map.roles.values().filter_map(of_role).collect()
    }

    /// Whether somebody with this role, and perhaps with another one, reads something.
    fn reads(&self, other: Option<&Self>, object: ObjectName) -> bool {
        let wanted = (Permission::Select, Securable::Object(object));
        match other {
            None => self.holding.extent(&wanted) != Extent::None,
            Some(other) => {
                let lines = self.lines.iter().chain(&other.lines);
                Holding::of(lines.map(|held| &held.grant.line)).extent(&wanted) != Extent::None
            }
        }
    }
}

/// Lines by which whoever may read a view reads its table past it: by the same role, or by another one that the same person can
/// hold. Gives the places that were told.
fn past<'m>(
    view: &SecureView,
    holders: &[Holder<'m>],
    together: &Together<'_>,
    findings: &mut Findings,
) -> BTreeSet<&'m Place> {
    let mut told = BTreeSet::new();
    let readers: Vec<&Holder<'_>> = holders.iter().filter(|holder| holder.reads(None, view.name)).collect();
    for holder in holders.iter().filter(|holder| holder.reads(None, view.from)) {
        let by_itself = holder.reads(None, view.name);
        let other = || {
            readers.iter().find(|reader| {
                together.can(&reader.role.name, &holder.role.name)
                    // What the other one denies is denied to whoever has both.
                    && holder.reads(Some(reader), view.from)
                    && holder.reads(Some(reader), view.name)
            })
        };
        let message = if by_itself {
            format!("role `{}` reads {} past the secure view {}", holder.role.name, view.from, view.name)
        } else if let Some(reader) = other() {
            format!(
                "role `{}` reads {}: whoever has role `{}` too reads it past the secure view {}",
                holder.role.name, view.from, reader.role.name, view.name
            )
        } else {
            continue;
        };
        let table = (Permission::Select, Securable::Object(view.from));
        for held in &holder.lines {
            if Holding::of([&held.grant.line]).extent(&table) != Extent::None {
                findings.add(Lint::PastView, &held.grant.place, message.clone(), None);
                told.insert(&held.grant.place);
            }
        }
    }
    told
}

/// Who reads a table that a view filters and sees fewer rows of it by that.
fn loses_rows(spec: &TargetSpec, view: &SecureView, holders: &[Holder<'_>], findings: &mut Findings) {
    let Some(native) = &view.native else { return };
    if native.unfiltered.is_empty() {
        let message = format!(
            "nobody sees every row of {} any more, its owner and db_owner neither: what loads, updates or deletes there finds no other rows",
            view.from
        );
        findings.add(Lint::LosesRows, &native.place, message, None);
    }
    for Holder { role, .. } in holders.iter().filter(|holder| holder.reads(None, view.from)) {
        let unfiltered = spec.role(&role.name).is_ok_and(|name| native.unfiltered.contains(&name));
        if !unfiltered {
            let message = format!(
                "role `{}` reads {}, and sees the rows of view {} only",
                role.name, view.from, view.name
            );
            findings.add(Lint::LosesRows, &native.place, message, None);
        }
    }
}

/// How a line could be used to change a view, or to read through the owner of what it reads.
/// `believed` is the schema of what views believe.
fn changes(line: &GrantLine, view: &SecureView, believed: SqlName) -> Option<String> {
    if let Some(role) =
        is_member_of(line, &["db_owner", "db_ddladmin", "db_securityadmin", "db_accessadmin", "db_exporter"])
    {
        return Some(format!("member of {role}"));
    }
    if let Some(role) = is_member_of(line, &["db_datawriter"]) {
        return Some(format!("member of {role}, who writes profiles and keys"));
    }
    let GrantLine::Permissions { state: GrantState::Grant, .. } = line else { return None };
    for (permission, on) in line.atoms() {
        let of_schema = |schema| match on {
            Securable::Database => true,
            Securable::Schema(name) => name == schema,
            Securable::Object(_)
            | Securable::Column(..)
            | Securable::Principal(_)
            | Securable::Server
            | Securable::Credential(_)
            | Securable::Other(_) => false,
        };
        let touches = of_schema(view.name.schema)
            || of_schema(view.from.schema)
            || contains(&on, &Securable::Object(view.name))
            || contains(&on, &Securable::Object(view.from));
        if touches && writes(permission) {
            return Some(format!("{permission} on {on}"));
        }
        // What views believe is written by Axon alone, and read by views alone.
        let data = matches!(permission, Permission::Insert | Permission::Update | Permission::Delete);
        let reads = permission == Permission::Select && on != Securable::Database;
        let in_it = |object: ObjectName| believed == object.schema;
        let of_believed = match on {
            Securable::Object(object) | Securable::Column(object, _) => in_it(object),
            Securable::Schema(schema) => believed == schema,
            Securable::Database => true,
            _ => false,
        };
        if of_believed && (data || reads || writes(permission)) {
            return Some(format!("{permission} on {on} concerns profiles and keys, which views believe"));
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
