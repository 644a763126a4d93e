//! Users and roles of the database, and the logins of the server.

use serde::{Deserialize, Serialize};
use time::PrimitiveDateTime;

/// The `public` role.
pub const PUBLIC: i32 = 0;
/// The owner of the database.
pub const DBO: i32 = 1;
/// The guest user (no CONNECT).
pub const GUEST: i32 = 2;
/// The owner of the ANSI views.
pub const INFORMATION_SCHEMA: i32 = 3;
/// The owner of the system views.
pub const SYS: i32 = 4;
/// The fixed role whose members may do everything.
pub const DB_OWNER: i32 = 16384;

/// What a principal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PrincipalKind {
    /// `S`: a SQL user, with or without login.
    SqlUser,
    /// `E`: an Entra user or application.
    ExternalUser,
    /// `X`: an Entra group.
    ExternalGroup,
    /// `R`: a database role.
    Role,
}

impl PrincipalKind {
    /// The letter in `sys.database_principals.type`.
    pub fn letter(self) -> &'static str {
        match self {
            Self::SqlUser => "S",
            Self::ExternalUser => "E",
            Self::ExternalGroup => "X",
            Self::Role => "R",
        }
    }

    /// The word in `type_desc`.
    pub fn description(self) -> &'static str {
        match self {
            Self::SqlUser => "SQL_USER",
            Self::ExternalUser => "EXTERNAL_USER",
            Self::ExternalGroup => "EXTERNAL_GROUPS",
            Self::Role => "DATABASE_ROLE",
        }
    }
}

/// How a principal signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Authentication {
    /// 0: not at all.
    None,
    /// 1: through a login of the server.
    Instance,
    /// 4: through Entra.
    External,
}

impl Authentication {
    /// `authentication_type`
    pub fn number(self) -> i64 {
        match self {
            Self::None => 0,
            Self::Instance => 1,
            Self::External => 4,
        }
    }

    /// `authentication_type_desc`
    pub fn description(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Instance => "INSTANCE",
            Self::External => "EXTERNAL",
        }
    }
}

/// A row of `sys.database_principals`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// `principal_id`
    pub id: i32,
    /// Name, spelled as given.
    pub name: String,
    /// What it is.
    pub kind: PrincipalKind,
    /// Security id; none for `sys` and `INFORMATION_SCHEMA`.
    pub sid: Option<Vec<u8>>,
    /// Schema in which bare names are looked up first; need not exist.
    pub default_schema: Option<String>,
    /// The owner, of roles only.
    pub owner: Option<i32>,
    /// Whether it is one of the nine fixed roles.
    pub fixed: bool,
    /// How it signs in.
    pub authentication: Authentication,
    /// When it was made.
    pub created: PrimitiveDateTime,
    /// When it was changed last.
    pub modified: PrimitiveDateTime,
}

impl Principal {
    /// Whether it is a role.
    pub fn is_role(&self) -> bool {
        self.kind == PrincipalKind::Role
    }
}

/// A login of the server.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// `principal_id` at the server.
    pub id: i32,
    /// Name, spelled as given.
    pub name: String,
    /// Password; none for a login from Entra (serverless).
    pub password: Option<String>,
    /// Security id, shared with the users made for it.
    pub sid: Vec<u8>,
    /// What it is (`R` does not occur here).
    pub kind: PrincipalKind,
    /// Member of `sysadmin` (serverless), or the SQL administrator.
    pub administrator: bool,
    /// When it was made.
    pub created: PrimitiveDateTime,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}
