//! GET by id (RFC 7644 section 3.4.1).

use axon_scim::ScimError;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::Response;

use super::{KIND, parse_id};
use crate::call::Call;
use crate::reply::Refused;
use crate::scim::{internal, render};
use crate::state::Api;

/// Reads one group.
#[tracing::instrument(name = "scim.groups.get", skip_all, fields(source.id = %call.source))]
pub async fn handle(
    State(api): State<Api>,
    call: Call,
    Path(text): Path<String>,
) -> Result<Response, Refused> {
    let id = parse_id(&text)?;
    let projection = call.projection(&api, KIND);
    let found = api
        .store
        .group(&call.source, id, projection.wants("members"))
        .await
        .map_err(|error| internal(&error, "read a group"))?
        .ok_or_else(|| ScimError::no_such_resource(KIND, &text))?;
    if call.versions(&header::IF_NONE_MATCH)?.is_some_and(|known| known.contains(&found.version)) {
        let mut response = render::nothing(&call, &found);
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    Ok(render::resource(&api, &call, &projection, StatusCode::OK, &found))
}
