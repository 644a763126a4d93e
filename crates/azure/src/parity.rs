//! Parity: what an identity provider holds, read slowly, beside what it pushed. A provisioning service does not look at what it
//! pushed, so a request that was lost is never made good; this finds it.
//!
//! ```text
//!  Upstream (Graph, Okta) ── GroupSeen, PersonSeen ──┐
//!  Directory (what was pushed) ── Index ─────────────┴──> compare ──> Difference: what, and which request was likely lost
//! ```
//! Only GET requests are sent. Nothing here changes anything: a difference is told, and what would take something away waits for
//! a person (ADR 30).

mod compare;
mod graph;
mod okta;
mod slow;

use async_trait::async_trait;

pub use compare::{Difference, DifferenceKind, Found, Index, Removal, Subject};
pub use graph::GraphRoll;
pub use okta::OktaRoll;
pub use slow::Slow;

/// How the directory knows somebody or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// `externalId`, where the source sends one.
    pub external_id: Option<String>,
    /// `userName` or `displayName`.
    pub name: String,
}

/// A person as the identity provider shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonThere {
    /// Its own id.
    pub id: String,
    /// Names by which it may have been pushed, the first one for people.
    pub names: Vec<String>,
    /// False: may not sign in.
    pub enabled: bool,
}

/// A direct member of a group there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberThere {
    /// A person.
    Person(PersonThere),
    /// A group.
    Group {
        /// Its own id.
        id: String,
        /// Its name.
        name: String,
    },
    /// Something that is not pushed over SCIM: an application, a device.
    Other,
}

/// A group there, without its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupFound {
    /// Its own id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A group there, with all its direct members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupThere {
    /// Its own id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// All of its members.
    pub members: Vec<MemberThere>,
}

/// What came of looking for a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupSeen {
    /// It is there.
    There(GroupThere),
    /// It was deleted; when, where that is told.
    Deleted(Option<String>),
    /// There is no such group.
    Missing,
    /// Several have its name, and nothing tells which one was pushed.
    Several(Vec<String>),
}

/// What came of looking for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonSeen {
    /// They are there.
    There(PersonThere),
    /// They were deleted; when, where that is told.
    Deleted(Option<String>),
    /// There is no such person.
    Missing,
}

/// Why nothing can be said of something. It never means that something is gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// The requests of this look are used up: the rest is for the next one.
    #[error("the requests of this look are used up")]
    Enough,
    /// No answer, or none that makes sense.
    #[error("{0}")]
    Fault(String),
}

/// An identity provider that is read.
#[async_trait]
pub trait Upstream: Send + Sync {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// The groups of an id or name, without their members.
    async fn called(&self, key: &Key, slow: &mut Slow) -> Result<Vec<GroupFound>, Unread>;

    /// A group with all its direct members. Half a list is a fault.
    async fn group(&self, key: &Key, slow: &mut Slow) -> Result<GroupSeen, Unread>;

    /// People, in the order of their keys.
    async fn people(&self, keys: &[Key], slow: &mut Slow) -> Result<Vec<PersonSeen>, Unread>;

    /// How many people one request finds.
    fn people_at_once(&self) -> usize;
}
