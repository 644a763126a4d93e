//! Permissions by the names T-SQL gives them.

use std::fmt;
use std::str::FromStr;

use axon_model::SqlName;
use serde::{Deserialize, Serialize};

macro_rules! permissions {
    ($($variant:ident $name:literal $code:literal $scope:ident;)*) => {
        /// A permission that a Synapse pool knows, or one that its catalog shows and this version does not know.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each variant is its T-SQL name")]
        pub enum Permission {
            $($variant,)*
            /// One that this version does not know: read, shown, never written.
            Other(SqlName),
        }

        impl Permission {
            /// All that this version knows.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name as GRANT spells it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* Self::Other(name) => name.as_str() }
            }

            /// The `type` code of `sys.database_permissions`, without its padding.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* Self::Other(_) => "" }
            }

            /// Where it may be granted.
            pub fn scope(self) -> GrantableOn {
                match self { $(Self::$variant => GrantableOn::$scope,)* Self::Other(_) => GrantableOn::Nothing }
            }
        }
    };
}

/// Where a permission may be granted. Source: `permissions-grant-deny-revoke-azure-sql-data-warehouse`, read 2026-11.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantableOn {
    /// The database only.
    Database,
    /// Database, schema, object.
    Data,
    /// Data, and also single columns.
    Columns,
    /// Every class: database, schema, object, principal.
    Any,
    /// Users only.
    User,
    /// The server of a serverless pool only.
    Server,
    /// Nothing: it is only known from a catalog.
    Nothing,
}

permissions! {
    Select "SELECT" "SL" Columns;
    Update "UPDATE" "UP" Columns;
    Insert "INSERT" "IN" Data;
    Delete "DELETE" "DL" Data;
    Execute "EXECUTE" "EX" Data;
    References "REFERENCES" "RF" Data;
    Alter "ALTER" "AL" Any;
    Control "CONTROL" "CL" Any;
    ViewDefinition "VIEW DEFINITION" "VW" Any;
    TakeOwnership "TAKE OWNERSHIP" "TO" Any;
    Impersonate "IMPERSONATE" "IM" User;
    Connect "CONNECT" "CO" Database;
    CreateTable "CREATE TABLE" "CRTB" Database;
    CreateView "CREATE VIEW" "CRVW" Database;
    CreateProcedure "CREATE PROCEDURE" "CRPR" Database;
    CreateFunction "CREATE FUNCTION" "CRFN" Database;
    CreateSchema "CREATE SCHEMA" "CRSM" Database;
    CreateRole "CREATE ROLE" "CRRL" Database;
    AlterAnyUser "ALTER ANY USER" "ALUS" Database;
    AlterAnyRole "ALTER ANY ROLE" "ALRL" Database;
    AlterAnySchema "ALTER ANY SCHEMA" "ALSM" Database;
    AlterAnyDataspace "ALTER ANY DATASPACE" "ALDS" Database;
    AlterAnyMask "ALTER ANY MASK" "AAMK" Database;
    AlterAnySecurityPolicy "ALTER ANY SECURITY POLICY" "ALSP" Database;
    AlterAnyExternalDataSource "ALTER ANY EXTERNAL DATA SOURCE" "AEDS" Database;
    AlterAnyExternalFileFormat "ALTER ANY EXTERNAL FILE FORMAT" "AEFF" Database;
    AdministerDatabaseBulkOperations "ADMINISTER DATABASE BULK OPERATIONS" "DABO" Database;
    KillDatabaseConnection "KILL DATABASE CONNECTION" "KIDC" Database;
    Showplan "SHOWPLAN" "SPLN" Database;
    ViewDatabaseState "VIEW DATABASE STATE" "VWDS" Database;
    BackupDatabase "BACKUP DATABASE" "BADB" Database;
    Unmask "UNMASK" "UMSK" Database;
    ConnectSql "CONNECT SQL" "COSQ" Server;
    ConnectAnyDatabase "CONNECT ANY DATABASE" "CADB" Server;
    SelectAllUserSecurables "SELECT ALL USER SECURABLES" "SUS" Server;
    ControlServer "CONTROL SERVER" "CL" Server;
    AlterAnyLogin "ALTER ANY LOGIN" "ALLG" Server;
    AlterAnyCredential "ALTER ANY CREDENTIAL" "ALCD" Server;
    AlterAnyConnection "ALTER ANY CONNECTION" "ALCO" Server;
    AlterAnyServerRole "ALTER ANY SERVER ROLE" "ALSR" Server;
    ViewAnyDatabase "VIEW ANY DATABASE" "VWDB" Server;
    ViewAnyDefinition "VIEW ANY DEFINITION" "VWAD" Server;
    ViewServerState "VIEW SERVER STATE" "VWSS" Server;
    AdministerBulkOperations "ADMINISTER BULK OPERATIONS" "ADBO" Server;
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No permission has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a permission of a Synapse pool")]
pub struct UnknownPermission(pub String);

impl FromStr for Permission {
    type Err = UnknownPermission;

    /// Reads a name without regard to case or to how many blanks part its words.
    fn from_str(text: &str) -> Result<Self, UnknownPermission> {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Self::ALL
            .iter()
            .copied()
            .find(|p| p.name().eq_ignore_ascii_case(&words))
            .ok_or_else(|| UnknownPermission(text.chars().take(80).collect()))
    }
}

impl Serialize for Permission {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Permission {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().or_else(|_| SqlName::parse(&text).map(Self::Other)).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_reads_back_from_its_name() {
        for p in Permission::ALL {
            assert_eq!(p.name().to_lowercase().parse(), Ok(*p));
        }
        assert_eq!("view   definition".parse(), Ok(Permission::ViewDefinition));
        assert!("select; drop".parse::<Permission>().is_err());
    }
}
