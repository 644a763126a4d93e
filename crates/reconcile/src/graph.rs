//! The one graph type that both sides of the diff have: principals, roles, memberships, permissions, views.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use axon_model::SqlName;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::permission::Permission;
use crate::shape::{ObjectName, Securable};
use crate::shared::Shared;
use crate::target::Sid;

/// What kind of principal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrincipalKind {
    /// An Entra user or application (`E`).
    External,
    /// An Entra group (`X`).
    ExternalGroup,
    /// A SQL user (`S`). Axon never makes one.
    Sql,
}

/// Whether a principal may enter the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Connect {
    /// CONNECT is granted, as a new user has it.
    Granted,
    /// CONNECT is denied: a leaver's tombstone.
    Denied,
    /// No CONNECT row.
    Absent,
}

/// A user, or a group that is one principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// Its kind.
    pub kind: PrincipalKind,
    /// Its security id, where known: identity is the object id, names are for people.
    pub sid: Option<Sid>,
    /// Whether it may enter.
    pub connect: Connect,
    /// `create_date`, on the actual side.
    pub created: Option<OffsetDateTime>,
}

/// A database role.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Role {
    /// Fixed roles and resource classes: never created, granted to, or dropped.
    pub fixed: bool,
    /// The owner, on the actual side.
    pub owner: Option<SqlName>,
}

/// A member of a role: a principal or another role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Membership {
    /// The role.
    pub role: SqlName,
    /// Who is in it.
    pub member: SqlName,
}

/// Which permission it is: at most one state per key is in force for Axon's own grantor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GrantKey {
    /// A role, or a principal.
    pub grantee: SqlName,
    /// On what.
    pub securable: Securable,
    /// What.
    pub permission: Permission,
}

/// `state` of `sys.database_permissions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GrantState {
    /// `G`
    Grant,
    /// `W`
    GrantWithOption,
    /// `D`
    Deny,
}

impl fmt::Display for GrantState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grant => "GRANT",
            Self::GrantWithOption => "GRANT WITH GRANT OPTION",
            Self::Deny => "DENY",
        })
    }
}

/// A permission's state, and whose rows of the catalog say so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The state: of several rows the one in force (DENY before GRANT).
    pub state: GrantState,
    /// Grantors other than the one that Axon's statements act as: rows that a plain REVOKE does not reach.
    pub foreign_grantors: Vec<SqlName>,
    /// Whether a row of the grantor that Axon's statements act as is there.
    pub own_row: bool,
    /// Whether that row leaves out columns by a REVOKE (`R`): a statement about the whole makes it whole again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaves_out: bool,
}

impl Grant {
    /// A state as the desired side holds it.
    pub fn wanted(state: GrantState) -> Self {
        Self { state, foreign_grantors: Vec::new(), own_row: true, leaves_out: false }
    }
}

/// A view that Axon owns, by the hash of its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// SHA-256 of the statement text, hex.
    pub text_hash: String,
}

/// Permissions of one target, on either side of the diff. CONNECT is a state of the principal, not a grant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    /// Users and groups.
    pub principals: BTreeMap<SqlName, Principal>,
    /// Roles.
    pub roles: BTreeMap<SqlName, Role>,
    /// Role memberships.
    pub members: Shared<BTreeSet<Membership>>,
    /// Permissions, columns one by one.
    pub grants: Shared<BTreeMap<GrantKey, Grant>>,
    /// Axon's own views.
    pub views: BTreeMap<ObjectName, View>,
}

impl Graph {
    /// The roles that this name is directly in.
    pub fn roles_of(&self, member: SqlName) -> impl Iterator<Item = SqlName> {
        self.members.iter().filter(move |m| m.member == member).map(|m| m.role)
    }

    /// The direct members of a role.
    pub fn members_of(&self, role: SqlName) -> impl Iterator<Item = SqlName> {
        // Memberships are ordered by role first.
        let from = Membership { role, member: SqlName::lowest() };
        self.members.range(from..).take_while(move |m| m.role == role).map(|m| m.member)
    }

    /// The permissions that this name holds itself.
    pub fn grants_of(&self, grantee: SqlName) -> impl Iterator<Item = (&GrantKey, &Grant)> {
        let from = GrantKey { grantee, securable: Securable::Database, permission: Permission::Select };
        self.grants.range(from..).take_while(move |(key, _)| key.grantee == grantee)
    }
}
