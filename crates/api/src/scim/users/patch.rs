//! PATCH (RFC 7644 section 3.5.2).

use axon_scim::PatchRequest;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::{KIND, parse_id};
use crate::body::read_json;
use crate::call::Call;
use crate::reply::Refused;
use crate::scim::{refused, render};
use crate::state::Api;

/// Changes a user: all operations or none.
#[tracing::instrument(name = "scim.users.patch", skip_all, fields(source.id = %call.source))]
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
        api.store.patch_user(call.write(&api)?, id, patch).await.map_err(|error| refused(&error))?;
    Ok(render::resource(&api, &call, &call.projection(&api, KIND), StatusCode::OK, &written.stored))
}
