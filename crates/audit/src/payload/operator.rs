//! Tokens of operators, and of jobs that showed who they are.

use serde::{Deserialize, Serialize};

use super::Payload;
use super::map::JobRun;
use crate::record::RecordKind;

/// What happened to a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperatorTokenVerb {
    /// It was made at the command line.
    Created,
    /// It was revoked.
    Revoked,
    /// A job's token was exchanged for it.
    Exchanged,
}

/// An operator's token was made or revoked, or a job's token was exchanged. The token itself and its hash are not said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorTokenChange {
    /// What happened.
    pub verb: OperatorTokenVerb,
    /// The token's id.
    pub token: String,
    /// What it may do; of an exchanged one, the service identity of the role map.
    pub may: String,
    /// The clear part.
    #[serde(skip)]
    pub clear: OperatorTokenClear,
}

/// Whom it names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorTokenClear {
    /// The operator, or the service identity.
    pub name: String,
    /// The job's run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobRun>,
}

impl Payload for OperatorTokenChange {
    const KIND: RecordKind = RecordKind::OperatorToken;
    type Facts = Self;
    type Clear = OperatorTokenClear;

    fn split(mut self) -> (Self, Option<OperatorTokenClear>) {
        let clear = std::mem::take(&mut self.clear);
        (self, Some(clear))
    }
}
