//! POST (RFC 7644 section 3.3).

use axon_scim::parse_new;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{KIND, answer};
use crate::body::JsonBody;
use crate::call::Call;
use crate::reply::Refused;
use crate::scim::refused;
use crate::state::Api;

/// Creates a group, with the members that the body names.
#[tracing::instrument(level = "debug", name = "scim.groups.create", skip_all, fields(source.id = %call.source))]
pub async fn handle(
    State(api): State<Api>,
    call: Call,
    JsonBody(body): JsonBody,
) -> Result<Response, Refused> {
    let projection = call.projection(&api, KIND)?;
    let parsed = parse_new(&api.registry, KIND, body, &call.profile)?;
    call.tell(&api, &parsed.notices);
    let projection = projection.with_written(parsed.resource.written_on_request(&api.registry));
    let members = parsed.members.unwrap_or_default();
    let written = api
        .store
        .create_group(call.write(&api), parsed.resource, members)
        .await
        .map_err(|error| refused(&error))?;
    answer(&api, &call, &projection, StatusCode::CREATED, written.stored).await
}
