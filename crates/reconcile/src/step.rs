//! One step: one statement, which leaves no choice to the executor.

use std::fmt;

use axon_model::SqlName;
use serde::{Deserialize, Serialize};

use crate::graph::{GrantState, PrincipalKind};
use crate::permission::Permission;
use crate::shape::Securable;
use crate::target::Sid;

/// One change of a target. `columns` is empty unless `on` is an object; then the permission is on just these columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "step")]
#[expect(missing_docs, reason = "the fields are the words of the statement")]
pub enum Step {
    /// `CREATE USER [name] FROM EXTERNAL PROVIDER`; `sid` is what the catalog must show afterwards, where it is known.
    CreatePrincipal { name: SqlName, kind: PrincipalKind, sid: Option<Sid> },
    /// `CREATE ROLE [name] AUTHORIZATION dbo`
    CreateRole { name: SqlName },
    /// The member joins the role.
    AddMember { role: SqlName, member: SqlName },
    /// The member leaves the role.
    DropMember { role: SqlName, member: SqlName },
    /// `GRANT`
    Grant { grantee: SqlName, permission: Permission, on: Securable, columns: Vec<SqlName> },
    /// `DENY`
    Deny { grantee: SqlName, permission: Permission, on: Securable, columns: Vec<SqlName> },
    /// `REVOKE`; `was` is what it takes away. CASCADE where that was grantable.
    Revoke { grantee: SqlName, permission: Permission, on: Securable, columns: Vec<SqlName>, was: GrantState },
    /// `DENY CONNECT`: the principal may no longer enter.
    DenyConnect { principal: SqlName },
    /// `GRANT CONNECT`, which also lifts the DENY: the principal may enter again.
    GrantConnect { principal: SqlName },
    /// Kills every session of the principal and looks again until none is left.
    KillSessions { principal: SqlName },
    /// `DROP ROLE`
    DropRole { name: SqlName },
    /// `DROP USER`
    DropPrincipal { name: SqlName },
}

impl Step {
    /// Whether somebody may do more after it, or (a lifted DENY) may.
    pub fn gives(&self) -> bool {
        match self {
            Self::CreatePrincipal { .. }
            | Self::CreateRole { .. }
            | Self::AddMember { .. }
            | Self::Grant { .. }
            | Self::GrantConnect { .. }
            | Self::Revoke { was: GrantState::Deny, .. } => true,
            Self::DropMember { .. }
            | Self::Deny { .. }
            | Self::Revoke { .. }
            | Self::DenyConnect { .. }
            | Self::KillSessions { .. }
            | Self::DropRole { .. }
            | Self::DropPrincipal { .. } => false,
        }
    }

    /// Whether somebody may do less after it: what the removal budget counts.
    pub fn takes(&self) -> bool {
        !self.gives()
    }
}

struct Columns<'a>(&'a [SqlName]);

impl fmt::Display for Columns<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        write!(f, " ({})", names.join(", "))
    }
}

impl fmt::Display for Step {
    /// The change as people read it, everywhere the same. Every field is named, so that a new one cannot stay unseen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreatePrincipal { name, kind, sid } => {
                let kind = match kind {
                    PrincipalKind::External => "external user",
                    PrincipalKind::ExternalGroup => "external group",
                    PrincipalKind::Sql => "SQL user",
                };
                write!(f, "create {kind} {name}")?;
                sid.as_ref().map_or(Ok(()), |sid| write!(f, " with sid {sid}"))
            }
            Self::CreateRole { name } => write!(f, "create role {name}"),
            Self::AddMember { role, member } => write!(f, "add {member} to role {role}"),
            Self::DropMember { role, member } => write!(f, "remove {member} from role {role}"),
            Self::Grant { grantee, permission, on, columns } => {
                write!(f, "grant {permission} on {on}{} to {grantee}", Columns(columns))
            }
            Self::Deny { grantee, permission, on, columns } => {
                write!(f, "deny {permission} on {on}{} to {grantee}", Columns(columns))
            }
            Self::Revoke { grantee, permission, on, columns, was } => {
                write!(f, "revoke {permission} on {on}{} from {grantee} (was {was})", Columns(columns))
            }
            Self::DenyConnect { principal } => write!(f, "deny connect to {principal}"),
            Self::GrantConnect { principal } => write!(f, "grant connect to {principal}"),
            Self::KillSessions { principal } => write!(f, "kill the sessions of {principal}"),
            Self::DropRole { name } => write!(f, "drop role {name}"),
            Self::DropPrincipal { name } => write!(f, "drop user {name}"),
        }
    }
}
