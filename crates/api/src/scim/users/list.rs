//! GET of a list (RFC 7644 section 3.4.2).

use axum::extract::State;
use axum::response::Response;

use super::answer_list;
use crate::call::Call;
use crate::reply::Refused;
use crate::state::Api;

/// Lists users in the order of their creation.
#[tracing::instrument(level = "debug", name = "scim.users.list", skip_all, fields(source.id = %call.source))]
pub async fn handle(State(api): State<Api>, call: Call) -> Result<Response, Refused> {
    answer_list(&api, &call).await
}
