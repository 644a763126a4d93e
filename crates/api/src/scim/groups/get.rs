//! GET by id (RFC 7644 section 3.4.1).

use axon_scim::ScimError;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{KIND, answer, parse_id};
use crate::call::Call;
use crate::reply::Refused;
use crate::scim::internal;
use crate::scim::render::nothing;
use crate::scim::segment::Segment;
use crate::state::Api;

/// Reads one group. With its members, all of them, unless the client excludes them or knows this version: then no row of theirs
/// is read.
#[tracing::instrument(level = "debug", name = "scim.groups.get", skip_all, fields(source.id = %call.source))]
pub async fn handle(State(api): State<Api>, call: Call, Segment(text): Segment) -> Result<Response, Refused> {
    let id = parse_id(&text)?;
    let projection = call.projection(&api, KIND)?;
    let found = api
        .store
        .group(&call.source, id, false)
        .await
        .map_err(|error| internal(&error, "read a group"))?
        .ok_or_else(|| ScimError::no_such_resource(KIND, &text))?;
    if call.if_none_match.meets(found.version) {
        return Ok(nothing(&call, StatusCode::NOT_MODIFIED, &found));
    }
    answer(&api, &call, &projection, StatusCode::OK, found).await
}
