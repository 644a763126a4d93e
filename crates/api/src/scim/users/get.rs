//! GET by id (RFC 7644 section 3.4.1).

use axon_scim::ScimError;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{KIND, kept, parse_id};
use crate::call::Call;
use crate::reply::Refused;
use crate::scim::internal;
use crate::scim::render::{View, nothing};
use crate::scim::segment::Segment;
use crate::state::Api;

/// Reads one user. The entity tag speaks of the user's own document: `groups`, which groups say, do not move it.
#[tracing::instrument(level = "debug", name = "scim.users.get", skip_all, fields(source.id = %call.source))]
pub async fn handle(State(api): State<Api>, call: Call, Segment(text): Segment) -> Result<Response, Refused> {
    let id = parse_id(&text)?;
    let projection = call.projection(&api, KIND)?;
    let may_be_kept = kept::may_be(&call, &projection);
    if may_be_kept
        && let Some(answer) = api.reads.user(&call.source, id, |user| kept::answer_call(&call, user))
    {
        return Ok(answer);
    }
    let reading = if may_be_kept { api.reads.begin().await } else { None };
    let found = api
        .store
        .user(&call.source, id, projection.wants("groups"))
        .await
        .map_err(|error| internal(&error, "read a user"))?
        .ok_or_else(|| ScimError::no_such_resource(KIND, &text))?;
    kept::keep(&api, &call, reading, &found);
    if call.if_none_match.meets(found.version) {
        return Ok(nothing(&call, StatusCode::NOT_MODIFIED, &found));
    }
    Ok(View::new(&api, &call, &projection).answer(StatusCode::OK, &found))
}
