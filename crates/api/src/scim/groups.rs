//! `/Groups`: one file a verb.

pub mod create;
pub mod delete;
pub mod get;
pub mod list;
pub mod patch;
pub mod replace;
pub mod search;

use axon_model::GroupId;
use axon_scim::{Projection, ResourceKind, ScimError};
use axon_store::{StoreError, StoredGroup};
use axum::http::StatusCode;
use axum::response::Response;

use super::render::View;
use super::{MANY_MEMBERS, internal, page, refused};
use crate::call::Call;
use crate::reply::Refused;
use crate::state::Api;

/// The kind of resource that this folder serves.
const KIND: ResourceKind = ResourceKind::Group;

/// An id that is not one of ours is nobody's: 404, not 400.
fn parse_id(text: &str) -> Result<GroupId, ScimError> {
    text.parse().map_err(|_| ScimError::no_such_resource(KIND, text))
}

/// The answer with a group and, where it shows them and the write did not read them, its members: a few at once, many piece by
/// piece. A group that another request deletes meanwhile is 404: shown without members, it would seem empty.
async fn answer(
    api: &Api,
    call: &Call,
    projection: &Projection,
    status: StatusCode,
    stored: StoredGroup,
) -> Result<Response, Refused> {
    let view = View::new(api, call, projection);
    if stored.members.is_some() || stored.member_count == 0 || !projection.wants("members") {
        return Ok(view.answer(status, &stored));
    }
    let gone = || Refused(ScimError::no_such_resource(KIND, &stored.id.to_string()));
    let failed = |error: StoreError| Refused(internal(&error, "read a group"));
    if stored.member_count > MANY_MEMBERS {
        let read = api.store.group_members(&call.source, stored.id).await.map_err(failed)?;
        let (group, reader) = read.ok_or_else(gone)?;
        return Ok(view.stream(status, &group, reader));
    }
    let read = api.store.group(&call.source, stored.id, true).await.map_err(failed)?;
    Ok(view.answer(status, &read.ok_or_else(gone)?))
}

/// The page that a query asks for.
async fn answer_list(api: &Api, call: &Call) -> Result<Response, Refused> {
    let projection = call.projection(api, KIND)?;
    let query = page::query(api, call, KIND, projection.wants("members"))?;
    let found = api.store.list_groups(&call.source, query).await.map_err(|error| refused(&error))?;
    Ok(page::answer(View::new(api, call, &projection), &found))
}
