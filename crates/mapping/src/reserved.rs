//! Names that a pool gives to its own principals: nobody may be named so, and nothing of them is touched.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use axon_model::SqlName;

/// Principals and fixed roles that every pool has, and the resource classes. Source: reference of `sys.database_principals`
/// and of resource classes in dedicated pools.
const NAMES: &[&str] = &[
    "dbo",
    "guest",
    "public",
    "sys",
    "INFORMATION_SCHEMA",
    "sa",
    "db_accessadmin",
    "db_backupoperator",
    "db_datareader",
    "db_datawriter",
    "db_ddladmin",
    "db_denydatareader",
    "db_denydatawriter",
    "db_exporter",
    "db_owner",
    "db_securityadmin",
    "smallrc",
    "mediumrc",
    "largerc",
    "xlargerc",
    "staticrc10",
    "staticrc20",
    "staticrc30",
    "staticrc40",
    "staticrc50",
    "staticrc60",
    "staticrc70",
    "staticrc80",
];

/// All of them.
pub(crate) fn reserved() -> &'static BTreeSet<SqlName> {
    static SET: OnceLock<BTreeSet<SqlName>> = OnceLock::new();
    SET.get_or_init(|| NAMES.iter().filter_map(|n| SqlName::parse(n).ok()).collect())
}

/// Whether a pool uses the name itself.
pub(crate) fn is_reserved(name: SqlName) -> bool {
    reserved().contains(&name)
}

/// Principals that are never touched, whatever a map says.
pub(crate) fn untouchable() -> impl Iterator<Item = SqlName> {
    ["dbo", "guest", "public", "sys", "INFORMATION_SCHEMA", "sa"]
        .iter()
        .filter_map(|n| SqlName::parse(n).ok())
}
