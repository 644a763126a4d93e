//! Principals that every pool has.

use axon_model::SqlName;
use axon_reconcile::builtin::PREDEFINED_ROLES;

use crate::statement::Dialect;

/// Whether this role is never created, granted to or dropped, whatever `is_fixed_role` says of it.
pub(super) fn is_predefined_role(name: SqlName, dialect: Dialect) -> bool {
    let folded = name.folded();
    folded == "public" || (dialect == Dialect::Dedicated && PREDEFINED_ROLES.contains(&folded))
}

/// Whether this user belongs to the database itself. Such are no principals of the graph: nobody is mapped to them.
pub(super) fn is_system_user(name: SqlName) -> bool {
    matches!(name.folded(), "dbo" | "guest" | "sys" | "information_schema")
}

/// Whether a schema holds the catalog itself.
pub(super) fn is_system_schema(name: SqlName) -> bool {
    matches!(name.folded(), "sys" | "information_schema")
}
