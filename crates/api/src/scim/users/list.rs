//! GET of a list (RFC 7644 section 3.4.2).

use axon_scim::{Filter, ListResponse};
use axon_store::Query;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::KIND;
use crate::call::Call;
use crate::reply::{Refused, scim_json};
use crate::scim::{DEFAULT_RESULTS, MAX_RESULTS, refused, render};
use crate::state::Api;

/// Lists users in the order of their creation.
#[tracing::instrument(name = "scim.users.list", skip_all, fields(source.id = %call.source))]
pub async fn handle(State(api): State<Api>, call: Call) -> Result<Response, Refused> {
    let filter = match &call.query.filter {
        Some(text) => Some(
            Filter::parse(text, &api.registry, KIND, &call.profile).map_err(axon_scim::ScimError::from)?,
        ),
        None => None,
    };
    let projection = call.projection(&api, KIND);
    let query = Query {
        filter,
        start: call.query.start_index as u64,
        count: call.query.count.unwrap_or(DEFAULT_RESULTS).min(MAX_RESULTS) as u64,
        links: projection.wants("groups"),
    };
    let page = api.store.list_users(&call.source, query).await.map_err(|error| refused(&error))?;
    let resources = page.items.iter().map(|found| render::object(&api, &call, &projection, found)).collect();
    let total = usize::try_from(page.total).unwrap_or(usize::MAX);
    Ok(scim_json(StatusCode::OK, &ListResponse::new(total, call.query.start_index, resources)))
}
