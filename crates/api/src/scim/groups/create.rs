//! POST (RFC 7644 section 3.3).

use axon_scim::parse_new;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{KIND, with_members};
use crate::body::read_json;
use crate::call::Call;
use crate::reply::Refused;
use crate::scim::{refused, render};
use crate::state::Api;

/// Creates a group, with the members that the body names.
#[tracing::instrument(name = "scim.groups.create", skip_all, fields(source.id = %call.source))]
pub async fn handle(State(api): State<Api>, call: Call, body: Body) -> Result<Response, Refused> {
    let body = read_json(&call.headers, body).await?;
    let parsed = parse_new(&api.registry, KIND, body, &call.profile)?;
    let members = parsed.members.unwrap_or_default();
    let written = api
        .store
        .create_group(call.write(&api)?, parsed.resource, members)
        .await
        .map_err(|error| refused(&error))?;
    let projection = call.projection(&api, KIND);
    let stored = with_members(&api, &call, &projection, written.stored).await?;
    Ok(render::resource(&api, &call, &projection, StatusCode::CREATED, &stored))
}
