//! What a database is made ready for.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::{Metadata, Step};

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

/// What a set-up made itself. What of the same name was there before, or came since, belongs to somebody else: only what was made is
/// taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Made {
    /// The account's login.
    pub login: bool,
    /// The account's user.
    pub user: bool,
    /// By what that user is told from another one of its name that came later. None where that is not known.
    pub user_mark: Option<String>,
    /// The owner of views and profiles.
    pub owner: bool,
    /// Schemas.
    pub schemas: BTreeSet<SqlName>,
}

/// What the role map made in a database that is its target no more, and what takes it away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfMap {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// Names that are roles there.
    pub roles: BTreeSet<SqlName>,
}

/// What was there before.
#[derive(Debug, Clone, Copy)]
pub enum Before<'a> {
    /// Nothing that Axon made.
    Nothing,
    /// This, which is in use and is changed.
    InUse(&'a Setup),
    /// This, which was given up: how Axon entered is forgotten.
    GivenUp(&'a Setup),
}
