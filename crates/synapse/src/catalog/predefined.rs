//! Principals that every pool has.

use axon_model::SqlName;

use crate::statement::Dialect;

/// Resource classes: predefined roles of a dedicated pool which the catalog does not mark as fixed. `smallrc` is everybody's
/// default. Source: "resource classes" of the dedicated pool's documentation.
const RESOURCE_CLASSES: [&str; 12] = [
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

/// Whether this role is never created, granted to or dropped, whatever `is_fixed_role` says of it.
pub(super) fn is_predefined_role(name: SqlName, dialect: Dialect) -> bool {
    let folded = name.folded();
    folded == "public"
        || (dialect == Dialect::Dedicated && (RESOURCE_CLASSES.contains(&folded) || folded == "db_exporter"))
}

/// Whether this user belongs to the database itself. Such are no principals of the graph: nobody is mapped to them.
pub(super) fn is_system_user(name: SqlName) -> bool {
    matches!(name.folded(), "dbo" | "guest" | "sys" | "information_schema")
}

/// Whether a schema holds the catalog itself.
pub(super) fn is_system_schema(name: SqlName) -> bool {
    matches!(name.folded(), "sys" | "information_schema")
}
