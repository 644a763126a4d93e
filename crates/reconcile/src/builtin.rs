//! Names that every pool gives to its own principals. Source: the reference of `sys.database_principals`, of fixed database roles,
//! and of resource classes in dedicated pools.

/// Principals of the database itself: nobody is mapped to them, and nothing of them is changed.
pub const SYSTEM_PRINCIPALS: [&str; 5] = ["dbo", "guest", "public", "sys", "INFORMATION_SCHEMA"];

/// Fixed database roles. Their powers are in no catalog view.
pub const FIXED_ROLES: [&str; 9] = [
    "db_accessadmin",
    "db_backupoperator",
    "db_datareader",
    "db_datawriter",
    "db_ddladmin",
    "db_denydatareader",
    "db_denydatawriter",
    "db_owner",
    "db_securityadmin",
];

/// Predefined roles of a dedicated pool that its catalog does not mark as fixed: resource classes (`smallrc` is everybody's
/// default) and the export role.
pub const PREDEFINED_ROLES: [&str; 13] = [
    "db_exporter",
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
