//! PATCH (RFC 7644 section 3.5.2).

use axon_scim::PatchRequest;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{KIND, parse_id};
use crate::body::JsonBody;
use crate::call::Call;
use crate::reply::Refused;
use crate::scim::refused;
use crate::scim::render::{View, nothing};
use crate::scim::segment::Segment;
use crate::state::Api;

/// Changes a user: all operations or none.
#[tracing::instrument(level = "debug", name = "scim.users.patch", skip_all, fields(source.id = %call.source))]
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
    let written = api.store.patch_user(call.write(&api), id, patch).await.map_err(|error| refused(&error))?;
    if call.profile.user_patch_no_content && !projection.is_explicit() {
        return Ok(nothing(&call, StatusCode::NO_CONTENT, &written.stored));
    }
    Ok(View::new(&api, &call, &projection).answer(StatusCode::OK, &written.stored))
}
