//! Lines that give away the keys; roles of workspaces and of Azure that open a way around SQL.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::{GrantState, Permission, Securable};

use super::{Findings, Lint};
use crate::effect::{fixed_role, leads_to_control};
use crate::grant::GrantLine;
use crate::grant::assigned::{AZURE_ROLES, WORKSPACE_ROLES, known};
use crate::map::RoleMap;
use crate::names::RoleName;
use crate::nearest::nearest;
use crate::role::{DefinedRole, Definitions, PlacedGrant, RoleSpec};
use crate::target::{Endpoint, TargetKind, TargetSpec};
use crate::together::Together;

/// Roles of Azure that reset the SQL administrator, or let their holder give themselves anything.
const AZURE_ADMINISTRATORS: &[&str] = &[
    "Owner",
    "Contributor",
    "User Access Administrator",
    "Role Based Access Control Administrator",
    "SQL Security Manager",
    "SQL Server Contributor",
];

/// Roles of a workspace that are administrators of its SQL.
const WORKSPACE_ADMINISTRATORS: &[&str] = &["Synapse Administrator", "Synapse SQL Administrator"];

/// What every line of a role is looked at for.
pub(super) fn lines(map: &RoleMap, defined: &Definitions<'_>, role: &RoleSpec, findings: &mut Findings) {
    for (target, made) in &role.define {
        let reaches = map.targets.get(target).is_some_and(holds_a_workspace);
        if let Some(action) = made.makes_administrators().filter(|_| reaches) {
            findings.add(Lint::AroundSql, &made.place, makes_administrators(made, action), None);
        } else if let Some(action) = made.takes_off().filter(|_| reaches) {
            let message = format!("{} allows {action}, which takes off what protects the data", made.name);
            findings.add(Lint::AroundSql, &made.place, message, None);
        }
    }
    for (target, grants) in &role.grants {
        let Some(spec) = map.targets.get(target) else { continue };
        for grant in grants {
            if let Some(what) = administrator(&grant.line, spec, defined) {
                if let GrantLine::Assigned(_) = &grant.line {
                    findings.add(Lint::AroundSql, &grant.place, what, None);
                } else {
                    let message = format!("{what} lets people give themselves everything else");
                    findings.add(Lint::PowerfulGrant, &grant.place, message, None);
                }
            }
            misplaced(grant, spec, findings);
        }
    }
}

/// What makes a line that of an administrator.
pub(crate) fn administrator(
    line: &GrantLine,
    target: &TargetSpec,
    defined: &Definitions<'_>,
) -> Option<String> {
    match line {
        GrantLine::MemberOf(name) => {
            let (permissions, state) = fixed_role(*name);
            let leads = permissions.iter().any(|p| {
                matches!(leads_to_control(&(*p, Securable::Database)), Some((Securable::Database, _)))
            });
            (state == GrantState::Grant && leads).then(|| format!("member of {name}"))
        }
        GrantLine::Permissions {
            state: GrantState::Grant,
            permissions,
            on: on @ (Securable::Database | Securable::Server),
            ..
        } => {
            let key = permissions.iter().find(|p| {
                matches!(leads_to_control(&(**p, Securable::Database)), Some((Securable::Database, _)))
            })?;
            Some(format!("{key} on the {on}"))
        }
        GrantLine::Permissions { .. } | GrantLine::Classifier(_) => None,
        GrantLine::Assigned(name) => match target.kind {
            TargetKind::SynapseWorkspace => known(*name, WORKSPACE_ADMINISTRATORS)
                .map(|role| format!("{role} opens the workspace's SQL without any grant in a pool")),
            TargetKind::AzureRbac if holds_a_workspace(target) => {
                let built_in = known(*name, AZURE_ADMINISTRATORS).map(|role| {
                    format!("{role} at this scope can make themselves the SQL administrator of a workspace")
                });
                let mut made = defined.named(&target.name, *name).iter();
                built_in.or_else(|| {
                    made.find_map(|made| Some(makes_administrators(made, made.makes_administrators()?)))
                })
            }
            _ => None,
        },
    }
}

fn makes_administrators(made: &DefinedRole, action: &str) -> String {
    format!(
        "{} allows {action}: at this scope its holder can make themselves the SQL administrator of a workspace",
        made.name
    )
}

/// Whether a scope is a workspace or a server, or may hold one: a scope of another provider holds none.
fn holds_a_workspace(target: &TargetSpec) -> bool {
    let Endpoint::Azure(scope) = &target.endpoint else { return false };
    let scope = scope.to_ascii_lowercase();
    match scope.rsplit_once("/providers/") {
        None => true,
        Some((_, rest)) => ["microsoft.synapse/", "microsoft.sql/", "microsoft.management/"]
            .iter()
            .any(|p| rest.starts_with(p)),
    }
}

/// Roles that a target of this kind does not know.
fn misplaced(grant: &PlacedGrant, target: &TargetSpec, findings: &mut Findings) {
    let GrantLine::Assigned(name) = &grant.line else { return };
    match target.kind {
        TargetKind::SynapseWorkspace if known(*name, WORKSPACE_ROLES).is_none() => {
            if let Some(role) = known(*name, AZURE_ROLES) {
                let message = format!("{role} is a role of Azure, not of a workspace");
                let help = "put it under a target of kind azure-rbac".to_owned();
                findings.add(Lint::MisplacedRole, &grant.place, message, Some(help));
            } else {
                let near = nearest(name.as_str(), WORKSPACE_ROLES.iter().copied());
                let help = near.map(|near| format!("did you mean `{near}`?"));
                let message = format!("no role of a workspace is named {name}");
                findings.add(Lint::UnknownWorkspaceRole, &grant.place, message, help);
            }
        }
        TargetKind::AzureRbac => {
            if let Some(role) = known(*name, WORKSPACE_ROLES) {
                let message = format!("{role} is a role of a workspace, not of Azure");
                let help = "put it under a target of kind synapse-workspace".to_owned();
                findings.add(Lint::MisplacedRole, &grant.place, message, Some(help));
            }
        }
        _ => {}
    }
}

/// Roles of a workspace that write artifacts.
const ARTIFACT_WRITERS: [&str; 2] = ["Synapse Contributor", "Synapse Artifact Publisher"];

/// Who may write artifacts and use the workspace's credential, by one role or by two that the same person can hold, runs them as
/// the workspace's identity.
pub(super) fn credentials(map: &RoleMap, together: &Together<'_>, findings: &mut Findings) {
    for target in map.targets.values().filter(|target| target.kind == TargetKind::SynapseWorkspace) {
        let holding = |wanted: &[&str]| holding(map, target, wanted);
        let publishing = holding(&ARTIFACT_WRITERS);
        for (role, uses) in holding(&["Synapse Credential User"]) {
            let own = publishing.iter().find(|(writer, _)| writer.name == role.name);
            let other = || publishing.iter().find(|(writer, _)| together.can(&writer.name, &role.name));
            let Some((writer, line)) = own.or_else(other) else { continue };
            let who = if writer.name == role.name {
                format!("role `{}`", role.name)
            } else {
                format!("whoever has roles `{}` and `{}`", writer.name, role.name)
            };
            let message = format!(
                "{who} writes pipelines ({}) and runs them as the workspace's identity, which may have SQL control",
                line.place
            );
            findings.add(Lint::CredentialAroundSql, &uses.place, message, None);
        }
    }
}

/// The roles that hold one of these roles of a workspace, each with a line that says so.
fn holding<'m>(
    map: &'m RoleMap,
    target: &TargetSpec,
    wanted: &[&str],
) -> Vec<(&'m RoleSpec, &'m PlacedGrant)> {
    let says = |line: &GrantLine| matches!(line, GrantLine::Assigned(name) if known(*name, wanted).is_some());
    let of_role = |role: &'m RoleSpec| {
        let held = role.held.get(&target.name)?;
        Some((role, &*held.iter().find(|held| says(&held.grant.line))?.grant))
    };
    map.roles.values().filter_map(of_role).collect()
}

/// Mappings of groups that give an administrator's role to whoever is in them.
pub(super) fn mappings(map: &RoleMap, defined: &Definitions<'_>, findings: &mut Findings) {
    let administrators: BTreeSet<&RoleName> = map
        .roles
        .values()
        .filter(|role| {
            role.held.iter().any(|(target, held)| {
                map.targets.get(target).is_some_and(|spec| {
                    held.iter().any(|h| administrator(&h.grant.line, spec, defined).is_some())
                })
            })
        })
        .map(|role| &role.name)
        .collect();
    for mapping in map.mappings.iter().filter(|mapping| !mapping.is_of_service()) {
        let empty = match &mapping.when {
            None => "without `when`",
            Some(condition) if condition.says_nothing() => "by a `when` that holds for anybody",
            Some(_) => continue,
        };
        if let Some(role) = mapping.possible().find(|role| administrators.contains(role)) {
            let message = format!("role `{role}` is an administrator's, and this mapping gives it {empty}");
            findings.add(Lint::AdministratorWithoutWhen, &mapping.place, message, None);
        }
    }
}

/// Whether a permission changes what code runs or who owns it.
pub(super) fn writes(permission: Permission) -> bool {
    matches!(permission, Permission::Alter | Permission::Control | Permission::TakeOwnership)
}

/// A role of the target by its name.
pub(super) fn is_member_of(line: &GrantLine, roles: &[&str]) -> Option<SqlName> {
    match line {
        GrantLine::MemberOf(name) if roles.contains(&name.folded()) => Some(*name),
        _ => None,
    }
}
