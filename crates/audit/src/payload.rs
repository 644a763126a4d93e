//! What each kind of record says, as types. A payload splits into facts (ids, counts, codes) and a clear body.

mod access;
mod directory;
mod drift;
mod hold;
mod leaver;
mod map;
mod operation;
mod operator;
mod probe;
mod script;
mod step;

use axon_model::{Actor, IdSource, RecordId, RequestId, RunId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use time::OffsetDateTime;

pub use self::access::{AccessChange, AccessClear};
pub use self::directory::{DirectoryChange, DirectoryClear, DirectoryFacts, Erased, SplitDelta, WriteVerb};
pub use self::drift::{DriftClear, DriftSeen};
pub use self::hold::{BoundClear, BoundGroup, HoldChange, HoldClear, HoldVerb, NamesBound};
pub use self::leaver::{LeaverClear, LeaverEnd, LeaverEvent, LeaverTime, LeftBy};
pub use self::map::{
    JobRun, MapAuthor, MapClear, MapProposalChange, MapVersionAdopted, MapWay, ProposalVerb,
};
pub use self::operation::{
    ActClear, Erasure, OperatorAct, TargetTrouble, TokenChange, TokenVerb, TroubleClear,
};
pub use self::operator::{OperatorTokenChange, OperatorTokenClear, OperatorTokenVerb};
pub use self::probe::{ProbeClear, ViewProbed};
pub use self::script::{ScriptChange, ScriptClear, ScriptVerb};
pub use self::step::{
    Cause, PlanClear, PlanMade, ReadBack, StepClear, StepIntent, StepOutcome, StepRef, StepResult,
    StepWithheld,
};

use crate::clear::{ClearPart, Salt};
use crate::record::{NewRecord, Record, RecordKind};

/// What a kind of record says.
pub trait Payload {
    /// The kind.
    const KIND: RecordKind;
    /// The part that names nobody.
    type Facts: Serialize + DeserializeOwned;
    /// The part that does.
    type Clear: Serialize + DeserializeOwned;

    /// Parts the two. A payload that names nobody has no clear part.
    fn split(self) -> (Self::Facts, Option<Self::Clear>);
}

/// Why a payload cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// The record is of another kind.
    #[error("a {found} record was read as {wanted}")]
    Kind {
        /// What was wanted.
        wanted: RecordKind,
        /// What it is.
        found: RecordKind,
    },
    /// The JSON does not have the shape.
    #[error("a {kind} record does not have its shape")]
    Shape {
        /// The kind.
        kind: RecordKind,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
}

impl NewRecord {
    /// A record of this payload, with an id and a salt drawn from `ids`.
    pub fn of<P: Payload>(
        ids: &IdSource,
        at: OffsetDateTime,
        actor: Actor,
        payload: P,
    ) -> Result<Self, PayloadError> {
        let shape = |source| PayloadError::Shape { kind: P::KIND, source };
        let (facts, clear) = payload.split();
        let clear = match clear {
            Some(clear) => {
                let body = serde_json::to_value(clear).map_err(shape)?;
                Some(ClearPart { salt: Salt::draw(ids, at), body })
            }
            None => None,
        };
        Ok(Self {
            id: RecordId::from_uuid(ids.uuid(at)),
            at,
            actor,
            request: None,
            run: None,
            kind: P::KIND,
            facts: serde_json::to_value(facts).map_err(shape)?,
            clear,
        })
    }

    /// The same, caused by this request.
    #[must_use]
    pub fn with_request(mut self, request: Option<RequestId>) -> Self {
        self.request = request;
        self
    }

    /// The same, in this run.
    #[must_use]
    pub fn with_run(mut self, run: RunId) -> Self {
        self.run = Some(run);
        self
    }
}

impl Record {
    /// The facts of a record of this kind.
    pub fn facts_of<P: Payload>(&self) -> Result<P::Facts, PayloadError> {
        if self.kind != P::KIND {
            return Err(PayloadError::Kind { wanted: P::KIND, found: self.kind });
        }
        P::Facts::deserialize_from(&self.facts)
            .map_err(|source| PayloadError::Shape { kind: P::KIND, source })
    }
}

impl ClearPart {
    /// The clear body of a record of this kind.
    pub fn body_of<P: Payload>(&self) -> Result<P::Clear, PayloadError> {
        P::Clear::deserialize_from(&self.body).map_err(|source| PayloadError::Shape { kind: P::KIND, source })
    }
}

/// Reads a type from a borrowed value, without a copy of the value.
trait DeserializeFrom: Sized {
    fn deserialize_from(value: &Value) -> Result<Self, serde_json::Error>;
}

impl<T: DeserializeOwned> DeserializeFrom for T {
    fn deserialize_from(value: &Value) -> Result<Self, serde_json::Error> {
        Self::deserialize(value)
    }
}
