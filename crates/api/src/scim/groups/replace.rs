//! PUT (RFC 7644 section 3.5.1).

use axon_scim::parse_resource;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{KIND, answer, parse_id};
use crate::body::JsonBody;
use crate::call::Call;
use crate::reply::Refused;
use crate::scim::refused;
use crate::scim::segment::Segment;
use crate::state::Api;

/// Replaces a group. Where the body has `members`, afterwards those alone are in it: `[]` empties the group.
///
/// A body without `members`, or with `null`, keeps them, whatever the profile. RFC 7644 section 3.5.1 leaves it to the server
/// what an attribute means that a client does not speak of. Okta sends the full list with each PUT; a client that read the group with
/// `excludedAttributes=members` and sends its echo back must not put everybody out.
#[tracing::instrument(level = "debug", name = "scim.groups.replace", skip_all, fields(source.id = %call.source))]
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
        .replace_group(call.write(&api), id, parsed.resource, parsed.members)
        .await
        .map_err(|error| refused(&error))?;
    answer(&api, &call, &projection, StatusCode::OK, written.stored).await
}
