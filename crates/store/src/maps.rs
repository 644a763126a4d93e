//! Versions of the role map: which is in force, which were, which wait for a second person.
//!
//! ```text
//!  file · push · API ── adopt_map(expected parent) ──> role_maps (one more row) + record     = in force
//!                  └─ propose_map ──> map_proposals ── release by another ──> role_maps + records
//! ```
//!
//! The newest row is in force. Nothing here reads the text: whoever offers a version has parsed it and run its tests.

use async_trait::async_trait;
use axon_audit::payload::MapAuthor;
use axon_model::{MapVersion, RecordSeq};
use time::OffsetDateTime;

use crate::context::Act;
use crate::error::StoreError;

/// A map's files: name and text.
pub type MapFiles = Vec<(String, String)>;

/// A version to be put in force or proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMap {
    /// The version: the digest of the text.
    pub version: MapVersion,
    /// The files.
    pub files: MapFiles,
    /// Who brings it.
    pub author: MapAuthor,
    /// What they say.
    pub comment: String,
    /// What it was made from.
    pub expected: Expected,
}

/// What must be in force for a version to follow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Whatever there is.
    Anything,
    /// This version, or nothing at all.
    Parent(Option<MapVersion>),
}

impl Expected {
    /// Whether what is in force is what was expected.
    pub fn is(&self, current: Option<&MapVersion>) -> bool {
        match self {
            Self::Anything => true,
            Self::Parent(parent) => parent.as_ref() == current,
        }
    }
}

/// A version that is or was in force, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapHead {
    /// Its number: they only grow, and the greatest is in force.
    pub number: u64,
    /// The version.
    pub version: MapVersion,
    /// The version that it followed.
    pub parent: Option<MapVersion>,
    /// Who brought it; not known of versions of earlier releases.
    pub author: Option<MapAuthor>,
    /// What they said.
    pub comment: String,
    /// The second person, where one was needed.
    pub released_by: Option<MapAuthor>,
    /// When it came into force.
    pub at: OffsetDateTime,
    /// The record that says so.
    pub record: RecordSeq,
}

/// A version with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMap {
    /// All but the text.
    pub head: MapHead,
    /// The files: name and text.
    pub files: MapFiles,
}

/// What came of putting a version in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adopted {
    /// It is in force.
    Taken(MapHead),
    /// It was in force already: nothing changed.
    Same(MapHead),
    /// Another one is in force than was expected: nothing changed.
    Moved(Option<MapHead>),
}

/// A version that waits for a second person, or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Its number.
    pub number: u64,
    /// The version.
    pub version: MapVersion,
    /// The version that it is to follow.
    pub parent: Option<MapVersion>,
    /// Who proposed it.
    pub author: MapAuthor,
    /// What they said.
    pub comment: String,
    /// When.
    pub opened: OffsetDateTime,
    /// The first instant at which it can no longer be released.
    pub expires: OffsetDateTime,
    /// How it ended.
    pub ended: Option<ProposalEnd>,
    /// The record that last changed it.
    pub record: RecordSeq,
}

/// How a proposal ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposalEnd {
    /// When.
    pub at: OffsetDateTime,
    /// By whom.
    pub by: MapAuthor,
    /// Whether it was released; rejected else.
    pub released: bool,
    /// What they said.
    pub reason: String,
}

impl Proposal {
    /// Whether it can still be answered.
    pub fn is_open(&self, now: OffsetDateTime) -> bool {
        self.ended.is_none() && now < self.expires
    }

    /// The word for where it stands.
    pub fn state(&self, now: OffsetDateTime) -> &'static str {
        match &self.ended {
            Some(end) if end.released => "released",
            Some(_) => "rejected",
            None if now < self.expires => "open",
            None => "expired",
        }
    }
}

/// What came of proposing a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposed {
    /// It waits.
    Waits(Proposal),
    /// It waits already, proposed before.
    Already(Proposal),
    /// It is in force already.
    Same(MapHead),
    /// Another one is in force than was expected.
    Moved(Option<MapHead>),
    /// [`OPEN_PROPOSALS`] wait already.
    Crowded,
}

/// How many proposals wait at most: each keeps a whole map.
pub const OPEN_PROPOSALS: i64 = 20;

/// How a proposal is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Who answers.
    pub by: MapAuthor,
    /// Whether it is let go on.
    pub release: bool,
    /// What they say.
    pub reason: String,
}

/// What came of answering a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// It is in force.
    Released(MapHead),
    /// It is not, and does not wait any more.
    Rejected(Proposal),
    /// There is none of this version that waits.
    Gone,
    /// Its time ran out.
    Expired(Proposal),
    /// Who answers may be who proposed.
    SamePerson(Proposal),
    /// What it was to follow is in force no longer.
    Stale(Box<(Proposal, Option<MapHead>)>),
}

/// The versions.
#[async_trait]
pub trait MapStore: Send + Sync {
    /// Puts a version in force, with its record, where what is in force is what was expected. What the configured file says is
    /// kept as taken also where it is in force already.
    async fn adopt_map(&self, new: NewMap, act: Act) -> Result<Adopted, StoreError>;

    /// The version in force.
    async fn current_map(&self) -> Result<Option<StoredMap>, StoreError>;

    /// The version in force, without its text.
    async fn map_head(&self) -> Result<Option<MapHead>, StoreError>;

    /// The number and the version in force: what is asked often.
    async fn map_number(&self) -> Result<Option<(u64, MapVersion)>, StoreError>;

    /// A version that is or was in force, latest first where it came into force more than once.
    async fn map(&self, version: &MapVersion) -> Result<Option<StoredMap>, StoreError>;

    /// Versions from before a number, newest first.
    async fn map_heads(&self, before: Option<u64>, limit: u32) -> Result<Vec<MapHead>, StoreError>;

    /// Whether the configured file, where it says this, is older than the version in force: it said so when it was last taken
    /// (be that superseded, only proposed, or found to be in force already), or this came into force since by another way.
    async fn is_old_file_map(&self, version: &MapVersion) -> Result<bool, StoreError>;

    /// Keeps a version for a second person, with its record, where what is in force is what was expected.
    async fn propose_map(
        &self,
        new: NewMap,
        expires: OffsetDateTime,
        act: Act,
    ) -> Result<Proposed, StoreError>;

    /// The newest proposals, answered ones too.
    async fn map_proposals(&self, limit: u32) -> Result<Vec<Proposal>, StoreError>;

    /// The text of the newest proposal of a version.
    async fn proposed_files(&self, version: &MapVersion) -> Result<Option<MapFiles>, StoreError>;

    /// Releases or rejects the proposal of a version that waits, with its record. A release is made by another person than the
    /// proposer, in time, and while what it was to follow is in force.
    async fn answer_map_proposal(
        &self,
        version: &MapVersion,
        answer: Answer,
        act: Act,
    ) -> Result<Answered, StoreError>;
}
