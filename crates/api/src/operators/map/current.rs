//! `GET /api/v1/map`: the version in force, with its text.

use axon_controller::versions;
use axon_store::operators::Permission;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::shown;
use crate::operators::{Operator, Problem, json};
use crate::state::Api;

/// Answers it; its entity tag is what a push onto it says in `If-Match`.
pub(in crate::operators) async fn handle(
    State(api): State<Api>,
    operator: Operator,
) -> Result<Response, Problem> {
    operator.needs(Permission::MapRead)?;
    let map = versions::current(&*api.store).await?;
    let map = map.ok_or_else(|| Problem::not_found("no version of the role map is in force"))?;
    let mut response = json(StatusCode::OK, &shown::stored(&map));
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", map.head.version.0)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}
