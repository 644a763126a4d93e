//! Who writes, when, and under which rules.

use std::sync::Arc;

use axon_model::{Actor, IdSource, RequestId, SourceId};
use axon_scim::{Profile, Registry};
use time::OffsetDateTime;

/// Who does something, when, and where new ids come from.
#[derive(Debug, Clone)]
pub struct Act {
    /// Who.
    pub actor: Actor,
    /// Through which HTTP request.
    pub request: Option<RequestId>,
    /// When.
    pub now: OffsetDateTime,
    /// Where ids and salts come from.
    pub ids: Arc<IdSource>,
}

/// What a SCIM write is made with.
#[derive(Debug, Clone)]
pub struct WriteContext {
    /// Whose directory. Nothing of another source is seen or touched.
    pub source: SourceId,
    /// How the source speaks SCIM.
    pub profile: Profile,
    /// The schemas that its resources follow.
    pub registry: Arc<Registry>,
    /// Who, when.
    pub act: Act,
    /// `If-Match`: one of these versions, or 412. None asks for nothing.
    pub if_match: Option<Vec<u64>>,
}
