//! `/Groups`: one file a verb.

pub mod create;
pub mod delete;
pub mod get;
pub mod list;
pub mod patch;
pub mod replace;

use axon_model::GroupId;
use axon_scim::{Projection, ResourceKind, ScimError};
use axon_store::StoredGroup;

use super::internal;
use crate::call::Call;
use crate::state::Api;

/// The kind of resource that this folder serves.
const KIND: ResourceKind = ResourceKind::Group;

/// An id that is not one of ours is nobody's: 404, not 400.
fn parse_id(text: &str) -> Result<GroupId, ScimError> {
    text.parse().map_err(|_| ScimError::no_such_resource(KIND, text))
}

/// The group with its members, where the answer shows them and the write did not read them.
async fn with_members(
    api: &Api,
    call: &Call,
    projection: &Projection,
    stored: StoredGroup,
) -> Result<StoredGroup, ScimError> {
    if stored.members.is_some() || !projection.wants("members") {
        return Ok(stored);
    }
    let read = api
        .store
        .group(&call.source, stored.id, true)
        .await
        .map_err(|error| internal(&error, "read a group"))?;
    // A group that another request deleted meanwhile was there when this one was answered.
    Ok(read.unwrap_or(stored))
}
