//! POST (RFC 7644 section 3.3).

use axon_scim::parse_new;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::KIND;
use crate::body::JsonBody;
use crate::call::Call;
use crate::reply::Refused;
use crate::scim::refused;
use crate::scim::render::View;
use crate::state::Api;

/// Creates a user. A user name that the source has already is 409.
#[tracing::instrument(level = "debug", name = "scim.users.create", skip_all, fields(source.id = %call.source))]
pub async fn handle(
    State(api): State<Api>,
    call: Call,
    JsonBody(body): JsonBody,
) -> Result<Response, Refused> {
    let projection = call.projection(&api, KIND)?;
    let parsed = parse_new(&api.registry, KIND, body, &call.profile)?;
    call.tell(&api, &parsed.notices);
    let projection = projection.with_written(parsed.resource.written_on_request(&api.registry));
    let written =
        api.store.create_user(call.write(&api), parsed.resource).await.map_err(|error| refused(&error))?;
    let status = if written.restored { StatusCode::OK } else { StatusCode::CREATED };
    Ok(View::new(&api, &call, &projection).answer(status, &written.stored))
}
