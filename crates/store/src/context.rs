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
    /// `If-None-Match`: 412 where it is met.
    pub unless: Unless,
}

/// A condition under which a resource that is there is left as it is (RFC 9110 section 13.1.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Unless {
    /// Under none.
    #[default]
    Never,
    /// It has one of these versions.
    OneOf(Vec<u64>),
    /// It is there at all.
    Exists,
}

impl WriteContext {
    /// Whether a resource of this version may be written.
    pub fn allows(&self, version: u64) -> bool {
        let wanted = self.if_match.as_ref().is_none_or(|versions| versions.contains(&version));
        let unwanted = match &self.unless {
            Unless::Never => false,
            Unless::OneOf(versions) => versions.contains(&version),
            Unless::Exists => true,
        };
        wanted && !unwanted
    }
}
