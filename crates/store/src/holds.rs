//! What waits for a person, and whom names are bound to.
//!
//! A pin binds a name of a source to whoever had it first. A hold is opened for whatever else comes under that name, and for
//! other things that a person has to look at; releasing it may move the pin. Both are read anew by the record that last
//! changed them, so that every replica follows.

use std::collections::BTreeMap;

use async_trait::async_trait;
use axon_audit::payload::HoldVerb;
use axon_model::{HoldId, RecordSeq, SourceId, SqlName};
use time::OffsetDateTime;

use crate::context::Act;
use crate::error::StoreError;

/// What a pin binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PinKind {
    /// A `userName` that somebody gave up: to that person. Written with the SCIM write.
    Person,
    /// A group's `displayName` that a mapping uses: to the group, or to nobody yet.
    Group,
    /// Not a binding, but a mark: the group whose id is the name was renamed last in that record. Written with the SCIM write.
    Renamed,
}

impl PinKind {
    /// As stored.
    pub const fn number(self) -> i64 {
        match self {
            Self::Person => 0,
            Self::Group => 1,
            Self::Renamed => 2,
        }
    }

    /// The kind of a number.
    pub const fn of(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Person),
            1 => Some(Self::Group),
            2 => Some(Self::Renamed),
            _ => None,
        }
    }
}

/// A name, and whom it is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPin {
    /// What it binds.
    pub kind: PinKind,
    /// The source in which the name means something.
    pub source: SourceId,
    /// The folded name; for a mark the group's id.
    pub name: String,
    /// The holder's `externalId`, where it has one.
    pub external_id: Option<String>,
    /// The holder's SCIM id; none where nobody has the name yet.
    pub holder: Option<String>,
    /// Whether patterns may find it without a release.
    pub cleared: bool,
}

/// A pin as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// What it says.
    pub pin: NewPin,
    /// The record that last changed it.
    pub record: RecordSeq,
}

/// What kind of thing waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HoldKind {
    /// Another person under a known name.
    NewPerson,
    /// Another group under a mapped name.
    GroupName,
    /// A group that a pattern finds for the first time.
    GroupMatch,
    /// Roles that a rule separates and that come together in one person.
    Separation,
    /// Steps that a guard withholds.
    Step,
    /// A role for a while, which a second person has to release.
    Grant,
    /// A removal that the identity provider shows and did not push.
    Parity,
}

impl HoldKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::NewPerson,
        Self::GroupName,
        Self::GroupMatch,
        Self::Separation,
        Self::Step,
        Self::Grant,
        Self::Parity,
    ];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NewPerson => "new-person",
            Self::GroupName => "group-name",
            Self::GroupMatch => "group-match",
            Self::Separation => "separation",
            Self::Step => "step",
            Self::Grant => "grant",
            Self::Parity => "parity",
        }
    }

    /// The kind of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// What comes of a release, as people read it.
    pub const fn release_means(self) -> &'static str {
        match self {
            Self::NewPerson => "this is the person from now on; the principal is dropped and made anew",
            Self::GroupName => "the name is this group's from now on; whoever has it by another one waits",
            Self::GroupMatch => "the group gives what the mapping says",
            Self::Separation => "the person has these roles together, until one of them is lost",
            Self::Step => "the steps are done once",
            Self::Grant => "what was asked for counts, from then on for the time that was asked for",
            Self::Parity => "the directory is changed as the lost request would have changed it",
        }
    }
}

/// Where a hold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HoldState {
    /// It waits.
    Open,
    /// A person let it go on.
    Released,
    /// A person said no. It stays as it is, and is not opened again.
    Rejected,
    /// Its time ran out, which is a no.
    Expired,
    /// What it was about is no more.
    Lapsed,
    /// It was released, and what it was about has been done or is no more.
    Done,
}

impl HoldState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Open, Self::Released, Self::Rejected, Self::Expired, Self::Lapsed, Self::Done];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Released => "released",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Lapsed => "lapsed",
            Self::Done => "done",
        }
    }

    /// The state of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether the thing still waits, or was refused and is still there.
    pub const fn stands(self) -> bool {
        matches!(self, Self::Open | Self::Rejected | Self::Expired)
    }
}

/// How a hold ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldEnd {
    /// It goes on. Also ends one that was rejected or expired.
    Release,
    /// It does not.
    Reject,
    /// Its time ran out.
    Expire,
    /// What it was about is no more.
    Lapse,
    /// What was released is done: the release is used up.
    Finish,
}

impl HoldEnd {
    /// The state that it leads to.
    pub const fn state(self) -> HoldState {
        match self {
            Self::Release => HoldState::Released,
            Self::Reject => HoldState::Rejected,
            Self::Expire => HoldState::Expired,
            Self::Lapse => HoldState::Lapsed,
            Self::Finish => HoldState::Done,
        }
    }

    /// What its record says.
    pub const fn verb(self) -> HoldVerb {
        match self {
            Self::Release => HoldVerb::Released,
            Self::Reject => HoldVerb::Rejected,
            Self::Expire => HoldVerb::Expired,
            Self::Lapse => HoldVerb::Lapsed,
            Self::Finish => HoldVerb::Done,
        }
    }

    /// Whether a hold in this state can end so.
    pub const fn fits(self, state: HoldState) -> bool {
        match self {
            Self::Release | Self::Lapse => state.stands(),
            Self::Reject | Self::Expire => matches!(state, HoldState::Open),
            Self::Finish => matches!(state, HoldState::Released),
        }
    }
}

/// Who may answer a hold, and what its answer is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldTerms {
    /// Who asked for it (an [`identity`](axon_model::Actor::identity)): somebody else has to release it.
    pub asked_by: Option<String>,
    /// How many different persons have to release it.
    pub people: u8,
    /// The steps that it is about. They are kept apart, and read with [`HoldStore::hold_parts`].
    pub parts: Vec<String>,
}

impl Default for HoldTerms {
    fn default() -> Self {
        Self { asked_by: None, people: 1, parts: Vec::new() }
    }
}

/// What came of an answer to a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// It ended.
    Ended(Hold),
    /// The release was noted; another person has to say so too.
    Seconded(Hold),
    /// Whoever asked for it, or released it first, cannot be the second person.
    SamePerson(Hold),
    /// It stands in no way that can end so.
    Stands(Hold),
    /// There is no such hold.
    Unknown,
}

/// Something that is to wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHold {
    /// What kind.
    pub kind: HoldKind,
    /// What tells it from others: of two with one key only one waits.
    pub key: String,
    /// The source that it is about.
    pub source: Option<SourceId>,
    /// The target that it is about.
    pub target: Option<String>,
    /// What waits, as people read it.
    pub what: String,
    /// Why, as people read it.
    pub why: String,
    /// The pin that a release writes.
    pub binds: Option<NewPin>,
    /// The first instant at which it no longer waits.
    pub expires: Option<OffsetDateTime>,
    /// Who may answer it.
    pub terms: HoldTerms,
}

/// Something that waits or waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// What waits.
    pub held: NewHold,
    /// Where it stands.
    pub state: HoldState,
    /// When it began to wait.
    pub opened: OffsetDateTime,
    /// Who released it first, where it takes two persons.
    pub first: Option<Ended>,
    /// How it ended.
    pub ended: Option<Ended>,
    /// The record that last changed it.
    pub record: RecordSeq,
}

/// How a hold ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: OffsetDateTime,
    /// By whom.
    pub by: String,
    /// What they said.
    pub reason: String,
}

/// Holds and pins. Every change of a hold, and every pin that a look at the directory makes, has its record.
#[async_trait]
pub trait HoldStore: Send + Sync {
    /// Opens those whose key does not stand already, and gives them.
    async fn open_holds(&self, holds: Vec<NewHold>, act: Act) -> Result<Vec<Hold>, StoreError>;

    /// Answers a hold: ends it and binds what its release binds, or notes the first of two releases. The rule of the second
    /// person is kept here, in one transaction.
    async fn answer_hold(
        &self,
        id: HoldId,
        end: HoldEnd,
        reason: String,
        act: Act,
    ) -> Result<Answered, StoreError>;

    /// The same, where only the end counts. None where it did not end.
    async fn end_hold(
        &self,
        id: HoldId,
        end: HoldEnd,
        reason: String,
        act: Act,
    ) -> Result<Option<Hold>, StoreError>;

    /// Holds that a record after `since` changed, in the order of these records.
    async fn holds(&self, since: RecordSeq) -> Result<Vec<Hold>, StoreError>;

    /// The steps that a hold is about, in order.
    async fn hold_parts(&self, id: HoldId) -> Result<Vec<String>, StoreError>;

    /// Binds names that are bound to nobody. Names that somebody has stay as they are; read what stands with
    /// [`HoldStore::pins`].
    async fn bind_names(&self, pins: Vec<NewPin>, act: Act) -> Result<(), StoreError>;

    /// Keeps for whom principals of a target were made, in the words of the caller.
    async fn keep_principal_holders(
        &self,
        target: &str,
        holders: Vec<(SqlName, String)>,
    ) -> Result<(), StoreError>;

    /// For whom principals of a target were made, by folded name.
    async fn principal_holders(&self, target: &str) -> Result<BTreeMap<String, String>, StoreError>;

    /// Pins that a record after `since` changed, in the order of these records.
    async fn pins(&self, since: RecordSeq) -> Result<Vec<Pin>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_read_back() {
        for kind in HoldKind::ALL {
            assert_eq!(HoldKind::parse(kind.as_str()), Some(kind));
        }
        for state in HoldState::ALL {
            assert_eq!(HoldState::parse(state.as_str()), Some(state));
        }
        for kind in [PinKind::Person, PinKind::Group, PinKind::Renamed] {
            assert_eq!(PinKind::of(kind.number()), Some(kind));
        }
    }

    #[test]
    fn what_was_refused_can_still_be_released_and_what_was_released_cannot_be_refused() {
        for state in [HoldState::Open, HoldState::Rejected, HoldState::Expired] {
            assert!(HoldEnd::Release.fits(state));
        }
        assert!(HoldEnd::Finish.fits(HoldState::Released) && !HoldEnd::Finish.fits(HoldState::Open));
        for end in [HoldEnd::Release, HoldEnd::Reject, HoldEnd::Expire, HoldEnd::Lapse] {
            assert!(!end.fits(HoldState::Released) && !end.fits(HoldState::Lapsed));
        }
        assert!(!HoldEnd::Reject.fits(HoldState::Rejected));
    }
}
