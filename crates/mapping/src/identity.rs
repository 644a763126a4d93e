//! Whom names belong to: what each source may name, which group held a name first, who is not who they were.
//!
//! A name in the directory is what a source says. What it says counts as far as the source may speak (`may_name`), for the
//! group that the name was bound to (a pin), and for the person who had the name before. Whatever else comes under a name
//! gives nothing and waits for a person; it never stops what the name gave until then.

mod claim;
mod excused;
mod holder;
mod sight;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_model::{GroupId, RecordSeq, SourceId, SqlName, UserEntry, UserId};
use axon_scim::compare::fold;

pub use claim::{BadClaim, SourceClaims};
pub use excused::Breach;
pub use holder::Holder;
pub use sight::{GroupDoubt, HeldGroup, Sights};
pub(crate) use sight::{Seen, Through};

/// A name within a source, as SCIM compares it: without case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameKey {
    /// The source.
    pub source: SourceId,
    /// The folded name.
    pub name: String,
}

impl NameKey {
    /// The key of a name as it is spelled.
    pub fn of(source: &SourceId, name: &str) -> Self {
        Self { source: source.clone(), name: fold(name) }
    }
}

/// Which group a name is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPin {
    /// The group; none while a mapping uses the name and no group has had it.
    pub holder: Option<Holder>,
    /// Whether a person, or a mapping that says `trust: true`, let it serve patterns.
    pub cleared: bool,
    /// The record that bound it.
    pub since: RecordSeq,
}

/// All that an evaluation needs to know of whom names belong to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Identity {
    /// What each source may say. One that is not here may name everybody and joins nobody.
    pub sources: BTreeMap<SourceId, SourceClaims>,
    /// The groups that names are bound to.
    pub groups: BTreeMap<NameKey, GroupPin>,
    /// The record in which a group took the name that it has now from another one that it had.
    pub renamed: BTreeMap<GroupId, RecordSeq>,
    /// Users under whose names somebody else was known: they are given nothing until a person releases them.
    pub strangers: BTreeSet<UserId>,
    /// Breaches of rules of separation that a person released.
    pub excused: BTreeSet<Breach>,
}

impl Identity {
    /// What of it was said by this record: names that were bound or taken later are left out. Who waits now waited then too.
    #[must_use]
    pub fn as_of(&self, position: RecordSeq) -> Self {
        let mut then = self.clone();
        then.groups.retain(|_, pin| pin.since <= position);
        then.renamed.retain(|_, record| *record <= position);
        then
    }

    /// Whether this source may speak for the principal of this name.
    pub fn may_name(&self, source: &SourceId, name: SqlName) -> bool {
        self.sources.get(source).is_none_or(|claims| claims.may_name(name))
    }

    /// What tells that this user and one of another source are one person, where the source declares such an attribute.
    pub(crate) fn join_key(&self, user: &UserEntry) -> Option<Arc<str>> {
        self.sources.get(&user.source)?.join_key(user)
    }

    /// Whether an evaluation would find other groups by it.
    pub(crate) fn same_groups(&self, other: &Self) -> bool {
        self.groups == other.groups && self.renamed == other.renamed
    }
}
