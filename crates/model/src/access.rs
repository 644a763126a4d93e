//! What people ask for beside the role map: to shut somebody out at once, or to give somebody a role for a while.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::ids::{AccessRequestId, HoldId, RecordSeq, SourceId, UserId};

/// One record of the person who is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeantRecord {
    /// Whose record.
    pub source: SourceId,
    /// Its SCIM id.
    pub id: UserId,
    /// Its `externalId`, where the source sends one.
    pub external_id: Option<String>,
}

/// Who is meant: a name, and the records that had it when it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whom {
    /// `userName`, as it was typed.
    pub user_name: String,
    /// The one source in which the name counts; every source, if there is none.
    pub source: Option<SourceId>,
    /// The records. A person stays the person under another name.
    pub records: Vec<MeantRecord>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// The person has nothing and may not enter, whatever sources say, until it is released.
    Offboard,
    /// The person has a role for a while.
    Grant {
        /// The role of the map.
        role: String,
        /// One target; every target that the role has lines for, if there is none.
        target: Option<String>,
        /// For how long, in seconds, counted from when it comes into force.
        seconds: u64,
    },
    /// The person may read secure views as another one for a while.
    Impersonate {
        /// As whom.
        person: Whom,
        /// In which target.
        target: String,
        /// For how long, in seconds, counted from when it comes into force.
        seconds: u64,
        /// The one session of the target in which it holds, where sessions have no context to choose it by.
        session: Option<String>,
    },
}

impl Asked {
    /// The word in tables and records.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Offboard => "offboard",
            Self::Grant { .. } => "grant",
            Self::Impersonate { .. } => "impersonate",
        }
    }
}

/// Where an access request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessState {
    /// It waits for a second person.
    Proposed,
    /// It counts, as long as its time is not over.
    InForce,
    /// A person took it back.
    Lifted,
    /// The second person said no.
    Rejected,
    /// Nobody answered in time.
    Expired,
    /// Its time is over.
    Over,
}

impl AccessState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Proposed, Self::InForce, Self::Lifted, Self::Rejected, Self::Expired, Self::Over];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::InForce => "in-force",
            Self::Lifted => "lifted",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Over => "over",
        }
    }

    /// The state of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether it waits or counts.
    pub const fn stands(self) -> bool {
        matches!(self, Self::Proposed | Self::InForce)
    }
}

/// Who said something of an access request, when, and in which words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// When.
    pub at: OffsetDateTime,
    /// By whom.
    pub by: String,
    /// The reason.
    pub reason: String,
}

/// Something that was asked for beside the role map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRequest {
    /// Its id.
    pub id: AccessRequestId,
    /// What.
    pub asked: Asked,
    /// For whom.
    pub whom: Whom,
    /// By whom, when and why.
    pub asking: Said,
    /// Where it stands.
    pub state: AccessState,
    /// The hold that it waits by, where it needs a second person.
    pub hold: Option<HoldId>,
    /// Who let it come into force, where that took a second person.
    pub released: Option<Said>,
    /// The first instant at which it no longer holds.
    pub until: Option<OffsetDateTime>,
    /// How it ended.
    pub ended: Option<Said>,
    /// The record that last changed it.
    pub record: RecordSeq,
}

impl AccessRequest {
    /// Whether it counts at this instant.
    pub fn in_force_at(&self, now: OffsetDateTime) -> bool {
        self.state == AccessState::InForce && self.until.is_none_or(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back() {
        for state in AccessState::ALL {
            assert_eq!(AccessState::parse(state.as_str()), Some(state));
        }
        assert_eq!(AccessState::parse("gone"), None);
    }
}
