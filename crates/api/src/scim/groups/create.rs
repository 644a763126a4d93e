//! POST (RFC 7644 section 3.3).

use axon_scim::parse_new;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{KIND, with_members};
use crate::body::JsonBody;
use crate::call::Call;
use crate::reply::Refused;
use crate::scim::refused;
use crate::scim::render::View;
use crate::state::Api;

/// Creates a group, with the members that the body names.
#[tracing::instrument(name = "scim.groups.create", skip_all, fields(source.id = %call.source))]
pub async fn handle(
    State(api): State<Api>,
    call: Call,
    JsonBody(body): JsonBody,
) -> Result<Response, Refused> {
    let projection = call.projection(&api, KIND)?;
    let parsed = parse_new(&api.registry, KIND, body, &call.profile)?;
    let members = parsed.members.unwrap_or_default();
    let written = api
        .store
        .create_group(call.write(&api), parsed.resource, members)
        .await
        .map_err(|error| refused(&error))?;
    let stored = with_members(&api, &call, &projection, written.stored).await?;
    Ok(View::new(&api, &call, &projection).answer(StatusCode::CREATED, &stored))
}
