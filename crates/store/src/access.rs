//! What was asked for beside the role map: offboardings, and roles for a while.

use async_trait::async_trait;
use axon_model::{AccessRequest, AccessRequestId, AccessState, Asked, RecordSeq, Whom};
use time::OffsetDateTime;

use crate::context::Act;
use crate::error::StoreError;

/// Something to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccessRequest {
    /// What.
    pub asked: Asked,
    /// For whom.
    pub whom: Whom,
    /// Why.
    pub reason: String,
    /// Whether it waits until somebody else than whoever asks lets it come into force.
    pub second_person: bool,
    /// The first instant at which it no longer waits.
    pub waits_until: Option<OffsetDateTime>,
    /// Why it is refused, where it is kept only to be told: it ends as it begins, and never counts.
    pub refused: Option<String>,
}

/// How an access request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessEnd {
    /// It is taken back: by a person, or by Axon where somebody left whom it is about.
    Lift,
    /// Its time is over.
    Elapse,
}

impl AccessEnd {
    /// The state that it leads to.
    pub const fn state(self) -> AccessState {
        match self {
            Self::Lift => AccessState::Lifted,
            Self::Elapse => AccessState::Over,
        }
    }
}

/// Access requests. Every change of one has its record, in the same transaction.
#[async_trait]
pub trait AccessStore: Send + Sync {
    /// Keeps what is asked. Where it needs a second person a hold is opened with it: the answer to that hold brings it into force
    /// or ends it, in the answer's own transaction.
    async fn ask_access(&self, new: NewAccessRequest, act: Act) -> Result<AccessRequest, StoreError>;

    /// Ends one that waits or counts. None where there is none such.
    async fn end_access(
        &self,
        id: AccessRequestId,
        end: AccessEnd,
        reason: String,
        act: Act,
    ) -> Result<Option<AccessRequest>, StoreError>;

    /// Those that a record after `since` changed, in the order of these records.
    async fn access_requests(&self, since: RecordSeq) -> Result<Vec<AccessRequest>, StoreError>;
}
