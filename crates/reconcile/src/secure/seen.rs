//! What is asked of a target about views, and what it tells.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;

use super::{Filters, KeyMarks, ManagedTable, Metadata, ProfileRow, Windows};
use crate::column_type::ColumnType;
use crate::scope::Glob;
use crate::shape::ObjectName;
use crate::view_body::ViewBody;

/// What to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewsAsked {
    /// Where profiles and keys are.
    pub metadata: Metadata,
    /// Schemas of views.
    pub schemas: Vec<Glob>,
    /// Schemas of tables that views show.
    pub bases: Vec<Glob>,
}

/// A table as the catalog shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseTable {
    /// Who owns it: its own owner, else its schema's.
    pub owner: Option<SqlName>,
    /// Its columns in order.
    pub columns: Vec<(SqlName, ColumnType)>,
}

/// A view that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundView {
    /// The digest of its text; none where the text cannot be seen.
    pub digest: Option<String>,
    /// Whether its text says that Axon made it.
    pub made: bool,
    /// Whether it still is as Axon wrote it.
    pub intact: bool,
    /// Who owns it, where that is not its schema's owner: the chain to the table is broken then.
    pub owner: Option<SqlName>,
}

/// What a target shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ViewsThere {
    /// Tables that views may show.
    pub tables: BTreeMap<ObjectName, BaseTable>,
    /// Those of them that are files elsewhere: who reads the files reads them past any view.
    pub external: BTreeSet<ObjectName>,
    /// Views in the schemas of views.
    pub views: BTreeMap<ObjectName, FoundView>,
    /// What there is under the owner's name, if anything: whether nobody can enter as it.
    pub owner: Option<bool>,
    /// Tables of the managed schema.
    pub managed: BTreeSet<ManagedTable>,
    /// Ids of the keys that are there. The keys themselves are never read.
    pub keys: BTreeSet<String>,
    /// Digests of the keys, made in the target.
    pub key_marks: KeyMarks,
    /// All profiles.
    pub profile: BTreeSet<ProfileRow>,
    /// Who may read as whom.
    pub acting: Windows,
    /// Whether the pool gives one person's result to another who asks in the same words; none where it cannot tell.
    pub result_set_caching: Option<bool>,
    /// Filters of tables; none where the target shows nothing of the kind.
    pub filters: Option<Filters>,
}

/// What a view's text ought to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewText<'a> {
    /// All of it.
    Body(&'a ViewBody),
    /// Nothing, to anybody.
    Closed(ObjectName),
}
