//! `/Users`: one file a verb.

pub mod create;
pub mod delete;
pub mod get;
pub mod list;
pub mod patch;
pub mod replace;

use axon_model::UserId;
use axon_scim::{ResourceKind, ScimError};

/// The kind of resource that this folder serves.
const KIND: ResourceKind = ResourceKind::User;

/// An id that is not one of ours is nobody's: 404, not 400.
fn parse_id(text: &str) -> Result<UserId, ScimError> {
    text.parse().map_err(|_| ScimError::no_such_resource(KIND, text))
}
