//! PATCH (RFC 7644 section 3.5.2).

use axon_scim::PatchRequest;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::{KIND, parse_id, with_members};
use crate::body::read_json;
use crate::call::Call;
use crate::reply::Refused;
use crate::scim::{MANY_MEMBERS, refused, render};
use crate::state::Api;

/// Changes a group: all operations or none. What it costs follows from the change, not from the size of the group.
#[tracing::instrument(name = "scim.groups.patch", skip_all, fields(source.id = %call.source))]
pub async fn handle(
    State(api): State<Api>,
    call: Call,
    Path(id): Path<String>,
    body: Body,
) -> Result<Response, Refused> {
    let id = parse_id(&id)?;
    let body = read_json(&call.headers, body).await?;
    let patch = PatchRequest::parse(body, &api.registry, KIND, &call.profile)?;
    let written =
        api.store.patch_group(call.write(&api)?, id, patch).await.map_err(|error| refused(&error))?;
    let projection = call.projection(&api, KIND);
    // RFC 7644 section 3.5.2: a body is owed only to a client that says which attributes it wants.
    let quiet = call.profile.group_patch_no_content || written.stored.member_count > MANY_MEMBERS;
    if quiet && !projection.is_explicit() {
        return Ok(render::nothing(&call, &written.stored));
    }
    let stored = with_members(&api, &call, &projection, written.stored).await?;
    Ok(render::resource(&api, &call, &projection, StatusCode::OK, &stored))
}
