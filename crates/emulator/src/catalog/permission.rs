//! Permissions: what can be granted, on what, and the rows that say so.

use serde::{Deserialize, Serialize};

/// Kinds of securables; the number is `sys.database_permissions.class`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// 0: the database itself.
    Database,
    /// 1: a table, view, procedure or function, or a column of one.
    Object,
    /// 3: a schema.
    Schema,
    /// 4: a user or role.
    Principal,
    /// 32: a credential of the database (serverless).
    Credential,
    /// Any other number: no statement of a pool's speaks of such things, the control address puts rows on them.
    Other(u8),
}

impl Class {
    /// `class`
    pub fn number(self) -> i64 {
        match self {
            Self::Database => 0,
            Self::Object => 1,
            Self::Schema => 3,
            Self::Principal => 4,
            Self::Credential => 32,
            Self::Other(number) => i64::from(number),
        }
    }

    /// `class_desc`
    pub fn description(self) -> &'static str {
        match self {
            Self::Database => "DATABASE",
            Self::Object => "OBJECT_OR_COLUMN",
            Self::Schema => "SCHEMA",
            Self::Principal => "DATABASE_PRINCIPAL",
            Self::Credential => "DATABASE_SCOPED_CREDENTIAL",
            Self::Other(5) => "ASSEMBLY",
            Self::Other(6) => "TYPE",
            Self::Other(10) => "XML_SCHEMA_COLLECTION",
            Self::Other(24) => "SYMMETRIC_KEYS",
            Self::Other(25) => "CERTIFICATE",
            Self::Other(26) => "ASYMMETRIC_KEY",
            Self::Other(_) => "OTHER",
        }
    }

    /// The class of a number that has no case of its own.
    pub fn other(number: u8) -> Option<Self> {
        (!matches!(number, 0 | 1 | 3 | 4 | 32)).then_some(Self::Other(number))
    }
}

/// One thing on which permissions are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Securable {
    /// What kind of thing.
    pub class: Class,
    /// Its id (0 for the database).
    pub major: i32,
    /// Column id for a column, else 0.
    pub minor: i32,
}

impl Securable {
    /// The database.
    pub const DATABASE: Self = Self { class: Class::Database, major: 0, minor: 0 };

    /// A schema.
    pub fn schema(id: i32) -> Self {
        Self { class: Class::Schema, major: id, minor: 0 }
    }

    /// A whole table, view, procedure or function.
    pub fn object(id: i32) -> Self {
        Self { class: Class::Object, major: id, minor: 0 }
    }

    /// A column of a table or view.
    pub fn column(id: i32, column: i32) -> Self {
        Self { class: Class::Object, major: id, minor: column }
    }

    /// A credential of the database.
    pub fn credential(id: i32) -> Self {
        Self { class: Class::Credential, major: id, minor: 0 }
    }

    /// A user or role.
    pub fn principal(id: i32) -> Self {
        Self { class: Class::Principal, major: id, minor: 0 }
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $code:literal, $scope:ident;)+) => {
        /// A permission by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Action { $(#[doc = $name] $variant,)+ }

        impl Action {
            /// Every permission that the pool knows.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// `permission_name`
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// `type`, without the padding to four characters.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            fn scope(self) -> Scope {
                match self { $(Self::$variant => Scope::$scope,)+ }
            }
        }
    };
}

/// Where a permission can be given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Database, schema, object, user, role.
    Anywhere,
    /// All but users.
    Ownable,
    /// Database, schema, object.
    Content,
    /// The database only.
    DatabaseOnly,
    /// A user only.
    UserOnly,
}

actions! {
    Control = "CONTROL", "CL", Anywhere;
    Alter = "ALTER", "AL", Anywhere;
    ViewDefinition = "VIEW DEFINITION", "VW", Anywhere;
    TakeOwnership = "TAKE OWNERSHIP", "TO", Ownable;
    Impersonate = "IMPERSONATE", "IM", UserOnly;
    Select = "SELECT", "SL", Content;
    Insert = "INSERT", "IN", Content;
    Update = "UPDATE", "UP", Content;
    Delete = "DELETE", "DL", Content;
    Execute = "EXECUTE", "EX", Content;
    References = "REFERENCES", "RF", Content;
    Unmask = "UNMASK", "UMSK", Content;
    Connect = "CONNECT", "CO", DatabaseOnly;
    CreateTable = "CREATE TABLE", "CRTB", DatabaseOnly;
    CreateView = "CREATE VIEW", "CRVW", DatabaseOnly;
    CreateProcedure = "CREATE PROCEDURE", "CRPR", DatabaseOnly;
    CreateFunction = "CREATE FUNCTION", "CRFN", DatabaseOnly;
    CreateSchema = "CREATE SCHEMA", "CRSM", DatabaseOnly;
    CreateRole = "CREATE ROLE", "CRRL", DatabaseOnly;
    AlterAnyUser = "ALTER ANY USER", "ALUS", DatabaseOnly;
    AlterAnyRole = "ALTER ANY ROLE", "ALRL", DatabaseOnly;
    AlterAnySchema = "ALTER ANY SCHEMA", "ALSM", DatabaseOnly;
    AlterAnyDataspace = "ALTER ANY DATASPACE", "ALDS", DatabaseOnly;
    AlterAnyMask = "ALTER ANY MASK", "AAMK", DatabaseOnly;
    AlterAnySecurityPolicy = "ALTER ANY SECURITY POLICY", "ALSP", DatabaseOnly;
    AlterAnyExternalDataSource = "ALTER ANY EXTERNAL DATA SOURCE", "AEDS", DatabaseOnly;
    AlterAnyExternalFileFormat = "ALTER ANY EXTERNAL FILE FORMAT", "AEFF", DatabaseOnly;
    AdministerBulk = "ADMINISTER DATABASE BULK OPERATIONS", "DABO", DatabaseOnly;
    BackupDatabase = "BACKUP DATABASE", "BADB", DatabaseOnly;
    KillConnection = "KILL DATABASE CONNECTION", "KIDC", DatabaseOnly;
    Showplan = "SHOWPLAN", "SPLN", DatabaseOnly;
    ViewDatabaseState = "VIEW DATABASE STATE", "VWDS", DatabaseOnly;
}

impl Action {
    /// The permission of this name (words separated by single spaces, any case).
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.name().eq_ignore_ascii_case(name))
    }

    /// Whether it can be given on this kind of securable. `on_user` tells a user from a role for [`Class::Principal`].
    pub fn fits(self, class: Class, on_user: bool) -> bool {
        match self.scope() {
            Scope::Anywhere => true,
            Scope::Ownable => !on_user,
            Scope::Content if class == Class::Credential => self == Self::References,
            Scope::Content if matches!(class, Class::Other(_)) => {
                matches!(self, Self::References | Self::Execute)
            }
            Scope::Content => class != Class::Principal,
            Scope::DatabaseOnly => class == Class::Database,
            Scope::UserOnly => class == Class::Principal && on_user,
        }
    }

    /// Whether it can be given on the database only, so that `ON` may be left out.
    pub fn is_database_only(self) -> bool {
        self.scope() == Scope::DatabaseOnly
    }

    /// Whether it can be given on columns.
    pub fn fits_columns(self) -> bool {
        matches!(self, Self::Select | Self::Update | Self::References)
    }
}

/// What a row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// `D`
    Deny,
    /// `G`
    Grant,
    /// `W`: granted, and may be granted on.
    GrantWithGrantOption,
    /// `R`: a column taken out of what is granted or denied on its whole object.
    Revoke,
}

impl State {
    /// `state`
    pub fn letter(self) -> &'static str {
        match self {
            Self::Deny => "D",
            Self::Grant => "G",
            Self::GrantWithGrantOption => "W",
            Self::Revoke => "R",
        }
    }

    /// `state_desc`
    pub fn description(self) -> &'static str {
        match self {
            Self::Deny => "DENY",
            Self::Grant => "GRANT",
            Self::GrantWithGrantOption => "GRANT_WITH_GRANT_OPTION",
            Self::Revoke => "REVOKE",
        }
    }

    /// Whether the row gives the permission.
    pub fn gives(self) -> bool {
        matches!(self, Self::Grant | Self::GrantWithGrantOption)
    }
}

/// What identifies a row of `sys.database_permissions`; ordered so that one grantee's rows stand together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PermissionKey {
    /// Who has it.
    pub grantee: i32,
    /// On what.
    pub securable: Securable,
    /// What.
    pub action: Action,
    /// Who gave it.
    pub grantor: i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_without_case_and_codes_are_unique() {
        assert_eq!(Action::by_name("view definition"), Some(Action::ViewDefinition));
        assert_eq!(Action::by_name("ALL"), None);
        let mut codes: Vec<_> = Action::ALL.iter().map(|action| action.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Action::ALL.len());
    }

    #[test]
    fn pairs_of_class_and_permission() {
        assert!(Action::Impersonate.fits(Class::Principal, true));
        assert!(!Action::Impersonate.fits(Class::Principal, false));
        assert!(!Action::TakeOwnership.fits(Class::Principal, true));
        assert!(!Action::CreateTable.fits(Class::Schema, false));
        assert!(Action::Select.fits(Class::Database, false));
    }
}
