//! PUT (RFC 7644 section 3.5.1).

use axon_scim::parse_resource;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{KIND, parse_id};
use crate::body::JsonBody;
use crate::call::Call;
use crate::reply::Refused;
use crate::scim::refused;
use crate::scim::render::View;
use crate::scim::segment::Segment;
use crate::state::Api;

/// Replaces a user; an absent `active` keeps what was (Okta leaves it out).
#[tracing::instrument(level = "debug", name = "scim.users.replace", skip_all, fields(source.id = %call.source))]
pub async fn handle(
    State(api): State<Api>,
    call: Call,
    Segment(id): Segment,
    JsonBody(body): JsonBody,
) -> Result<Response, Refused> {
    let id = parse_id(&id)?;
    let projection = call.projection(&api, KIND)?;
    let parsed = parse_resource(&api.registry, KIND, body, &call.profile)?;
    call.tell(&api, &parsed.notices);
    let projection = projection.with_written(parsed.resource.written_on_request(&api.registry));
    let written = api
        .store
        .replace_user(call.write(&api), id, parsed.resource)
        .await
        .map_err(|error| refused(&error))?;
    Ok(View::new(&api, &call, &projection).answer(StatusCode::OK, &written.stored))
}
