//! Names that a pool gives to its own principals: nobody may be named so, and nothing of them is touched.

use std::sync::OnceLock;

use axon_model::SqlName;
use axon_reconcile::builtin::{FIXED_ROLES, PREDEFINED_ROLES, SYSTEM_PRINCIPALS};
use rustc_hash::FxHashSet;

/// The SQL administrator's usual name.
const ADMINISTRATOR: &str = "sa";

fn names(of: impl IntoIterator<Item = &'static str>) -> impl Iterator<Item = SqlName> {
    of.into_iter().filter_map(|name| SqlName::parse(name).ok())
}

/// All of them.
pub(crate) fn reserved() -> &'static FxHashSet<SqlName> {
    static SET: OnceLock<FxHashSet<SqlName>> = OnceLock::new();
    SET.get_or_init(|| untouchable().chain(names(FIXED_ROLES)).chain(names(PREDEFINED_ROLES)).collect())
}

/// Whether a pool uses the name itself.
pub(crate) fn is_reserved(name: SqlName) -> bool {
    reserved().contains(&name)
}

/// Principals that are never touched, whatever a map says.
pub(crate) fn untouchable() -> impl Iterator<Item = SqlName> {
    names(SYSTEM_PRINCIPALS.into_iter().chain([ADMINISTRATOR]))
}
