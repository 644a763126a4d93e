//! What no part of a map can see alone: names that clash in a target, lines that a target refuses, ways in that cannot be.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::{Permission, Securable};

use crate::diagnostic::{Chapter, Fault};
use crate::grant::GrantLine;
use crate::names::{RoleName, TargetName};
use crate::read::Reader;
use crate::reserved::is_reserved;
use crate::role::ReadRole;
use crate::rule::ReadMapping;
use crate::secure_view::SecureView;
use crate::target::{TargetSpec, Via, Words};

/// A role is given by lines or left to people.
const EITHER: &str = "leave the line out, or take the role out of `manage.except`";

pub(crate) fn check(
    reader: &Reader<'_>,
    targets: &BTreeMap<TargetName, TargetSpec>,
    roles: &BTreeMap<RoleName, ReadRole>,
    mappings: &[ReadMapping],
) {
    for target in targets.values() {
        if target.kind.words() == Words::Sql {
            reader.within(Chapter::Roles, || role_names(reader, target, roles));
        }
        for role in roles.values() {
            reader.within(Chapter::Grants, || lines(reader, target, role));
            reader.within(Chapter::Roles, || defined(reader, target, role));
        }
        for mapping in mappings {
            way_in(reader, target, roles, mapping);
        }
    }
}

/// A role of Azure that the map makes is its own, whether a line gives it or not.
fn defined(reader: &Reader<'_>, target: &TargetSpec, role: &ReadRole) {
    let Some(defined) = role.spec.define.get(&target.name) else { return };
    if target.manage.except.contains(&defined.name) {
        let message = format!(
            "role `{}` defines {} in target `{}`, which `manage.except` leaves to people",
            role.spec.name, defined.name, target.name
        );
        let help = "take the definition out, or the role out of `manage.except`";
        reader.fault_help(Fault::Invalid, role.span, message, help);
    }
}

/// Each role that exists in the target has a name there that is valid, managed and its own.
fn role_names(reader: &Reader<'_>, target: &TargetSpec, roles: &BTreeMap<RoleName, ReadRole>) {
    let mut taken: BTreeMap<SqlName, &RoleName> = BTreeMap::new();
    for role in roles.values().filter(|r| !r.spec.direct && r.spec.held.contains_key(&target.name)) {
        let (name, of) = (&role.spec.name, format!("in target `{}`", target.name));
        let sql = match target.role(name) {
            Ok(sql) => sql,
            Err(e) => {
                reader.fault(Fault::Invalid, role.span, format!("role `{name}` cannot be named {of}: {e}"));
                continue;
            }
        };
        if is_reserved(sql) {
            reader.fault(
                Fault::Invalid,
                role.span,
                format!("role `{name}` would be named {sql} {of}, which is reserved"),
            );
        } else if !target.manage.roles.iter().any(|glob| glob.matches(sql)) {
            let message = format!("role `{name}` would be named {sql} {of}, which `manage.roles` leaves out");
            reader.fault_help(
                Fault::Invalid,
                role.span,
                message,
                "widen `manage.roles` or change `role_name`",
            );
        }
        if target.manage.except.contains(&sql) {
            let message =
                format!("role `{name}` would be named {sql} {of}, which `manage.except` leaves to people");
            reader.fault_help(Fault::Invalid, role.span, message, EITHER);
        }
        if let Some(other) = taken.insert(sql, name) {
            let message = format!("roles `{other}` and `{name}` would both be named {sql} {of}");
            reader.fault(Fault::Invalid, role.span, message);
        }
    }
}

/// Views ask a pool who is in which role: of a direct role it could not tell.
pub(crate) fn direct_in_views(
    reader: &Reader<'_>,
    roles: &BTreeMap<RoleName, ReadRole>,
    views: &[SecureView],
) {
    for view in views {
        let named: BTreeSet<&RoleName> = view.roles().collect();
        // Whoever has a role that includes it has it too.
        let concerned =
            roles.values().filter(|role| named.iter().any(|named| role.spec.whole.contains(*named)));
        for role in concerned.filter(|role| role.spec.direct) {
            let message = format!(
                "role `{}` is direct, so that view {} cannot tell who has it",
                role.spec.name, view.name
            );
            reader.fault_help(Fault::Invalid, role.span, message, "take `direct` out");
        }
    }
}

/// Whoever has a role that includes a reader reads the columns that are open to it, and so does whom a reader's role puts into another one:
/// neither may be a role of the pool that sees every row.
pub(crate) fn unfiltered_readers(
    reader: &Reader<'_>,
    targets: &BTreeMap<TargetName, TargetSpec>,
    roles: &BTreeMap<RoleName, ReadRole>,
    views: &[SecureView],
) {
    for view in views {
        let Some(native) = &view.native else { continue };
        for target in view.targets.iter().filter_map(|target| targets.get(target)) {
            for role in roles.values().filter(|role| view.readers.iter().any(|r| role.spec.whole.contains(r)))
            {
                let own = target.role(&role.spec.name).ok().filter(|_| {
                    // What readers themselves are called is told where the view stands.
                    !role.spec.direct && !view.readers.contains(&role.spec.name)
                });
                let held = role.spec.held.get(&target.name).into_iter().flatten();
                let joined = held.filter_map(|held| match &held.grant.line {
                    GrantLine::MemberOf(name) if name.as_str() != "db_owner" => Some(*name),
                    _ => None,
                });
                if let Some(name) =
                    own.into_iter().chain(joined).find(|name| native.unfiltered.contains(name))
                {
                    let message = format!(
                        "role `{}` reads view {}, and role {name} of target `{}` sees every row of its table",
                        role.spec.name, view.name, target.name
                    );
                    reader.fault_help(Fault::Invalid, role.span, message, "take it out of `unfiltered`");
                }
            }
        }
    }
}

/// Lines that this target must refuse.
fn lines(reader: &Reader<'_>, target: &TargetSpec, role: &ReadRole) {
    let own = role.spec.grants.get(&target.name).map_or(&[][..], Vec::as_slice);
    let spans = role.spans.get(&target.name).map_or(&[][..], Vec::as_slice);
    for (grant, text) in own.iter().zip(spans) {
        match &grant.line {
            GrantLine::Permissions { on: Securable::Schema(schema), permissions, .. }
                if permissions.contains(&Permission::Select)
                    || permissions.contains(&Permission::Control) =>
            {
                // A new view in such a schema would be readable before anybody decided who may.
                if target.manage.schemas.iter().any(|glob| glob.matches(*schema)) {
                    let message = format!("{schema} is a schema of secure views: it is not given as a whole");
                    reader.fault_help(Fault::Invalid, text.span, message, "name each view");
                }
            }
            GrantLine::MemberOf(left) | GrantLine::Assigned(left) if target.manage.except.contains(left) => {
                let message =
                    format!("{left} is left to people in target `{}` (`manage.except`)", target.name);
                reader.fault_help(Fault::Invalid, text.span, message, EITHER);
            }
            GrantLine::MemberOf(pool_role)
                if target.manage.roles.iter().any(|glob| glob.matches(*pool_role)) =>
            {
                let message =
                    format!("{pool_role} is one of the map's own roles in target `{}`", target.name);
                reader.fault_help(Fault::Invalid, text.span, message, "use `includes`");
            }
            GrantLine::Permissions { .. }
            | GrantLine::MemberOf(_)
            | GrantLine::Classifier(_)
            | GrantLine::Assigned(_) => {}
        }
    }
}

/// A group that is one principal cannot be split by what its people are.
fn way_in(
    reader: &Reader<'_>,
    target: &TargetSpec,
    roles: &BTreeMap<RoleName, ReadRole>,
    mapping: &ReadMapping,
) {
    // Where only the target says `via: group`, such a mapping goes person by person there.
    if mapping.spec.via != Some(Via::Group) {
        return;
    }
    let Some(why) = mapping.spec.personal() else { return };
    let touches =
        mapping.spec.possible().any(|r| roles.get(r).is_some_and(|r| r.spec.held.contains_key(&target.name)));
    if touches {
        let message =
            format!("groups get into target `{}` as a whole by this mapping, but it has {why}", target.name);
        reader.fault_help(Fault::Invalid, mapping.span, message, "say `via: person`");
    }
}
