//! DELETE (RFC 7644 section 3.6).

use axum::extract::State;
use axum::http::StatusCode;

use super::parse_id;
use crate::call::Call;
use crate::reply::Refused;
use crate::scim::refused;
use crate::scim::segment::Segment;
use crate::state::Api;

/// Removes a group, with the memberships on both sides; a second time it is 404.
#[tracing::instrument(level = "debug", name = "scim.groups.delete", skip_all, fields(source.id = %call.source))]
pub async fn handle(State(api): State<Api>, call: Call, Segment(id): Segment) -> Result<StatusCode, Refused> {
    let id = parse_id(&id)?;
    api.store.delete_group(call.write(&api), id).await.map_err(|error| refused(&error))?;
    Ok(StatusCode::NO_CONTENT)
}
