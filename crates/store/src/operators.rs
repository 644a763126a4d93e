//! Tokens of operators, and what jobs' tokens were exchanged for. They lie in a table of their own: no token of a source is
//! ever looked up there, nor one of these where sources' tokens are.

mod permission;

use async_trait::async_trait;
use axon_audit::payload::JobRun;
use time::OffsetDateTime;

pub use permission::{BadPermission, Permission, Permissions};

use crate::context::Act;
use crate::error::StoreError;
use crate::tokens::{TokenHash, TokenId};

/// What a token of this kind is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperatorTokenKind {
    /// An operator's: it opens the operators' API as far as its permissions go.
    Operator {
        /// What it may do.
        may: Permissions,
    },
    /// A job's, for a service identity of the role map: it tells what that holds, and nothing else.
    Service {
        /// The run.
        job: JobRun,
    },
}

/// A token to be kept.
#[derive(Debug, Clone)]
pub struct NewOperatorToken {
    /// The operator's or the service identity's name.
    pub name: String,
    /// Its hash.
    pub hash: TokenHash,
    /// What it is for.
    pub kind: OperatorTokenKind,
    /// The first instant at which it is no longer accepted.
    pub expires: Option<OffsetDateTime>,
}

/// A token that is kept, without its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorToken {
    /// Its id.
    pub id: TokenId,
    /// The operator's or the service identity's name.
    pub name: String,
    /// What it is for.
    pub kind: OperatorTokenKind,
    /// When it was made.
    pub created: OffsetDateTime,
    /// The first instant at which it is no longer accepted.
    pub expires: Option<OffsetDateTime>,
    /// When it was revoked.
    pub revoked: Option<OffsetDateTime>,
    /// When it was used last, to the minute.
    pub last_used: Option<OffsetDateTime>,
}

impl OperatorToken {
    /// Whether it opens the door at `now`.
    pub fn accepted_at(&self, now: OffsetDateTime) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|until| now < until)
    }
}

/// How many exchanged tokens of one service identity are accepted at once: the oldest goes first.
pub const LIVE_SERVICE_TOKENS: usize = 256;

/// The tokens of operators.
#[async_trait]
pub trait OperatorStore: Send + Sync {
    /// Keeps a token, and records that. A service identity's drops those that have ended, and the oldest of the service beyond
    /// [`LIVE_SERVICE_TOKENS`].
    async fn add_operator_token(&self, new: NewOperatorToken, act: Act) -> Result<OperatorToken, StoreError>;

    /// The tokens of operators, revoked ones too, oldest first; those of services are not among them.
    async fn operator_tokens(&self) -> Result<Vec<OperatorToken>, StoreError>;

    /// Revokes a token, and records that. False where there is none, or it was revoked before.
    async fn revoke_operator_token(&self, id: TokenId, act: Act) -> Result<bool, StoreError>;

    /// The token of a hash, revoked and expired ones too: ask [`OperatorToken::accepted_at`].
    async fn find_operator_token(&self, hash: &TokenHash) -> Result<Option<OperatorToken>, StoreError>;

    /// Notes that a token was used.
    async fn touch_operator_token(&self, id: TokenId, at: OffsetDateTime) -> Result<(), StoreError>;
}
