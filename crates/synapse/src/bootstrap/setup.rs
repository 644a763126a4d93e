//! What a database is made ready for.

use axon_model::SqlName;
use axon_reconcile::Metadata;

/// As whom Axon enters afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// The principal's name.
    pub name: SqlName,
    /// An identity of the directory; else a SQL login of the same name.
    pub is_entra: bool,
}

/// What a database is made ready for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// The database.
    pub database: SqlName,
    /// The schema of the views.
    pub views: SqlName,
    /// Schema of profiles and keys, their owner, and how profiles are parted.
    pub metadata: Metadata,
    /// The role of those who may act as others, where that is wanted.
    pub impersonation: Option<SqlName>,
    /// As whom Axon enters.
    pub account: Account,
}

/// What a set-up made of the account itself. An account of the same name can belong to somebody else: only what was made is taken
/// away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MadeAccount {
    /// The login.
    pub login: bool,
    /// The user.
    pub user: bool,
}
