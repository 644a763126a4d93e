//! PATCH (RFC 7644 section 3.5.2).

use axon_scim::PatchRequest;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{KIND, answer, parse_id};
use crate::body::JsonBody;
use crate::call::Call;
use crate::reply::Refused;
use crate::scim::render::nothing;
use crate::scim::segment::Segment;
use crate::scim::{MANY_MEMBERS, refused};
use crate::state::Api;

/// Changes a group: all operations or none. What it costs follows from the change, not from the size of the group.
#[tracing::instrument(level = "debug", name = "scim.groups.patch", skip_all, fields(source.id = %call.source))]
pub async fn handle(
    State(api): State<Api>,
    call: Call,
    Segment(id): Segment,
    JsonBody(body): JsonBody,
) -> Result<Response, Refused> {
    let id = parse_id(&id)?;
    let projection = call.projection(&api, KIND)?;
    let patch = PatchRequest::parse(body, &api.registry, KIND, &call.profile)?;
    call.tell(&api, &patch.notices);
    let projection = projection.with_written(patch.written_on_request());
    let written =
        api.store.patch_group(call.write(&api), id, patch).await.map_err(|error| refused(&error))?;
    // RFC 7644 section 3.5.2: a body is owed only to a client that says which attributes it wants.
    let is_quiet = call.profile.group_patch_no_content || written.stored.member_count > MANY_MEMBERS;
    if is_quiet && !projection.is_explicit() {
        return Ok(nothing(&call, StatusCode::NO_CONTENT, &written.stored));
    }
    answer(&api, &call, &projection, StatusCode::OK, written.stored).await
}
