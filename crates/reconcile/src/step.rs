//! One step: one statement, which leaves no choice to the executor.

use std::fmt;
use std::str::FromStr;

use axon_model::SqlName;
use serde::{Deserialize, Serialize};

use crate::classifier::ClassifierStep;
use crate::graph::{GrantState, Graph, PrincipalKind};
use crate::permission::Permission;
use crate::secure::SecureStep;
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
    /// The same for an object that had this name once, and whose user is not there any more.
    KillFormer { principal: SqlName, sid: Sid },
    /// `DROP ROLE`
    DropRole { name: SqlName },
    /// `DROP USER`; `sid` is whom it is about, where that is known: another object that has the name by then is not dropped.
    DropPrincipal {
        name: SqlName,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sid: Option<Sid>,
    },
    /// A step about secure views: none of them changes a permission.
    Secure(SecureStep),
    /// A step about a workload classifier.
    Classify(ClassifierStep),
}

/// What kind of step it is, as the role map and people name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant is a variant of Step")]
pub enum StepKind {
    CreatePrincipal,
    CreateRole,
    AddMember,
    DropMember,
    Grant,
    Deny,
    Revoke,
    DenyConnect,
    GrantConnect,
    KillSessions,
    DropRole,
    DropPrincipal,
    CreateOwner,
    CreateSchema,
    CreateTable,
    CreateKey,
    WriteProfile,
    LetAct,
    StopActing,
    CreateView,
    AlterView,
    CloseView,
    DropView,
    SetFilter,
    DropFilter,
    CreateClassifier,
    DropClassifier,
}

impl Step {
    /// The drop of whoever has this name in the graph, and of nobody who comes under it later.
    pub fn drop_of(name: SqlName, graph: &Graph) -> Self {
        let sid = graph.principals.get(&name).and_then(|there| there.sid.clone()).filter(Sid::tells);
        Self::DropPrincipal { name, sid }
    }
}

impl StepKind {
    /// All of them.
    pub const ALL: [Self; 27] = [
        Self::CreatePrincipal,
        Self::CreateRole,
        Self::AddMember,
        Self::DropMember,
        Self::Grant,
        Self::Deny,
        Self::Revoke,
        Self::DenyConnect,
        Self::GrantConnect,
        Self::KillSessions,
        Self::DropRole,
        Self::DropPrincipal,
        Self::CreateOwner,
        Self::CreateSchema,
        Self::CreateTable,
        Self::CreateKey,
        Self::WriteProfile,
        Self::LetAct,
        Self::StopActing,
        Self::CreateView,
        Self::AlterView,
        Self::CloseView,
        Self::DropView,
        Self::SetFilter,
        Self::DropFilter,
        Self::CreateClassifier,
        Self::DropClassifier,
    ];

    /// The words for it in `guards.steps.hold` of the role map.
    pub fn name(self) -> &'static str {
        match self {
            Self::CreatePrincipal => "create user",
            Self::CreateRole => "create role",
            Self::AddMember => "add member",
            Self::DropMember => "drop member",
            Self::Grant => "grant",
            Self::Deny => "deny",
            Self::Revoke => "revoke",
            Self::DenyConnect => "deny connect",
            Self::GrantConnect => "grant connect",
            Self::KillSessions => "kill sessions",
            Self::DropRole => "drop role",
            Self::DropPrincipal => "drop user",
            Self::CreateOwner => "create owner",
            Self::CreateSchema => "create schema",
            Self::CreateTable => "create table",
            Self::CreateKey => "create key",
            Self::WriteProfile => "write profile",
            Self::LetAct => "let act",
            Self::StopActing => "stop acting",
            Self::CreateView => "create view",
            Self::AlterView => "alter view",
            Self::CloseView => "close view",
            Self::DropView => "drop view",
            Self::SetFilter => "set filter",
            Self::DropFilter => "drop filter",
            Self::CreateClassifier => "create classifier",
            Self::DropClassifier => "drop classifier",
        }
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No kind of step has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a kind of step")]
pub struct UnknownStepKind(pub String);

impl FromStr for StepKind {
    type Err = UnknownStepKind;

    /// Reads a name without regard to case or to how many blanks part its words.
    fn from_str(text: &str) -> Result<Self, UnknownStepKind> {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Self::ALL
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(&words))
            .ok_or_else(|| UnknownStepKind(text.chars().take(80).collect()))
    }
}

impl Step {
    /// Its kind.
    pub fn kind(&self) -> StepKind {
        match self {
            Self::CreatePrincipal { .. } => StepKind::CreatePrincipal,
            Self::CreateRole { .. } => StepKind::CreateRole,
            Self::AddMember { .. } => StepKind::AddMember,
            Self::DropMember { .. } => StepKind::DropMember,
            Self::Grant { .. } => StepKind::Grant,
            Self::Deny { .. } => StepKind::Deny,
            Self::Revoke { .. } => StepKind::Revoke,
            Self::DenyConnect { .. } => StepKind::DenyConnect,
            Self::GrantConnect { .. } => StepKind::GrantConnect,
            Self::KillSessions { .. } | Self::KillFormer { .. } => StepKind::KillSessions,
            Self::DropRole { .. } => StepKind::DropRole,
            Self::DropPrincipal { .. } => StepKind::DropPrincipal,
            Self::Secure(step) => step.kind(),
            Self::Classify(step) => step.kind(),
        }
    }

    /// Whose access it changes: the grantee, the member, the principal or role itself.
    pub fn subject(&self) -> SqlName {
        match self {
            Self::CreatePrincipal { name, .. }
            | Self::CreateRole { name }
            | Self::DropRole { name }
            | Self::DropPrincipal { name, .. } => *name,
            Self::AddMember { member, .. } | Self::DropMember { member, .. } => *member,
            Self::Grant { grantee, .. } | Self::Deny { grantee, .. } | Self::Revoke { grantee, .. } => {
                *grantee
            }
            Self::DenyConnect { principal }
            | Self::GrantConnect { principal }
            | Self::KillSessions { principal }
            | Self::KillFormer { principal, .. } => *principal,
            Self::Secure(step) => step.subject(),
            Self::Classify(step) => step.subject(),
        }
    }

    /// Whether somebody may do more after it, or (a lifted DENY) may.
    pub fn gives(&self) -> bool {
        match self {
            Self::CreatePrincipal { .. }
            | Self::CreateRole { .. }
            | Self::AddMember { .. }
            | Self::Grant { .. }
            | Self::GrantConnect { .. }
            | Self::Revoke { was: GrantState::Deny, .. } => true,
            Self::Secure(step) => step.gives(),
            // Memory and turn in a queue are no access; made anew, a classifier goes for a moment.
            Self::Classify(step) => step.kind() == StepKind::CreateClassifier,
            Self::DropMember { .. }
            | Self::Deny { .. }
            | Self::Revoke { .. }
            | Self::DenyConnect { .. }
            | Self::KillSessions { .. }
            | Self::KillFormer { .. }
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
            Self::KillFormer { principal, sid } => {
                write!(f, "kill the sessions of who was {principal} with sid {sid}")
            }
            Self::DropRole { name } => write!(f, "drop role {name}"),
            Self::DropPrincipal { name, .. } => write!(f, "drop user {name}"),
            Self::Secure(step) => step.fmt(f),
            Self::Classify(step) => step.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_step_reads_back_from_its_name() {
        for kind in StepKind::ALL {
            assert_eq!(kind.name().to_uppercase().parse(), Ok(kind));
        }
        assert_eq!("drop   user".parse(), Ok(StepKind::DropPrincipal));
        assert!("drop users".parse::<StepKind>().is_err());
    }
}
