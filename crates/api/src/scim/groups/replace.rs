//! PUT (RFC 7644 section 3.5.1).

use axon_scim::parse_resource;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::{KIND, parse_id, with_members};
use crate::body::read_json;
use crate::call::Call;
use crate::reply::Refused;
use crate::scim::{refused, render};
use crate::state::Api;

/// Replaces a group: afterwards the members in the body alone are in it; a body without `members` keeps those that are.
#[tracing::instrument(name = "scim.groups.replace", skip_all, fields(source.id = %call.source))]
pub async fn handle(
    State(api): State<Api>,
    call: Call,
    Path(id): Path<String>,
    body: Body,
) -> Result<Response, Refused> {
    let id = parse_id(&id)?;
    let body = read_json(&call.headers, body).await?;
    let parsed = parse_resource(&api.registry, KIND, body, &call.profile)?;
    let members = parsed.members;
    let written = api
        .store
        .replace_group(call.write(&api)?, id, parsed.resource, members)
        .await
        .map_err(|error| refused(&error))?;
    let projection = call.projection(&api, KIND);
    let stored = with_members(&api, &call, &projection, written.stored).await?;
    Ok(render::resource(&api, &call, &projection, StatusCode::OK, &stored))
}
