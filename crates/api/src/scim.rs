//! The routes of SCIM 2.0 (RFC 7644 section 3.2).

mod absent;
mod defaults;
mod discovery;
mod groups;
mod render;
mod segment;
mod users;

use axon_scim::{Filter, ResourceKind, ScimError};
use axon_store::{Query, StoreError, WriteError};
use axum::Router;
use axum::routing::{any, get, post};

use crate::call::Call;
use crate::reply::Refused;
use crate::state::Api;

pub use defaults::Defaults;

/// The most resources of one page.
pub const MAX_RESULTS: usize = 1000;
/// The size of a page that does not say how many it wants.
pub const DEFAULT_RESULTS: usize = 100;
/// Over this many members a PATCH is answered without a body, whatever the profile.
pub const MANY_MEMBERS: u64 = 1000;

/// All routes.
pub fn routes() -> Router<Api> {
    let scim = Router::new()
        .route("/Users", get(users::list::handle).post(users::create::handle))
        .route("/Users/.search", post(users::search::handle))
        .route(
            "/Users/{id}",
            get(users::get::handle)
                .put(users::replace::handle)
                .patch(users::patch::handle)
                .delete(users::delete::handle),
        )
        .route("/Groups", get(groups::list::handle).post(groups::create::handle))
        .route("/Groups/.search", post(groups::search::handle))
        .route(
            "/Groups/{id}",
            get(groups::get::handle)
                .put(groups::replace::handle)
                .patch(groups::patch::handle)
                .delete(groups::delete::handle),
        )
        .route("/ServiceProviderConfig", get(discovery::config))
        .route("/ServiceProviderConfigs", get(discovery::config))
        .route("/Schemas", get(discovery::schemas))
        .route("/Schemas/{urn}", get(discovery::schema))
        .route("/ResourceTypes", get(discovery::resource_types))
        .route("/ResourceTypes/{name}", get(discovery::resource_type))
        .route("/Me", any(absent::me))
        .route("/Bulk", post(absent::bulk))
        .route("/.search", post(absent::root_search));
    Router::new().nest("/scim/v2", scim)
}

/// What a list asks the store. An unknown sort is ignored (RFC 7644 section 3.4.2.3): `/ServiceProviderConfig` says that there is none.
fn list_query(api: &Api, call: &Call, kind: ResourceKind, links: bool) -> Result<Query, ScimError> {
    let filter = match &call.query.filter {
        Some(text) => Some(Filter::parse(text, &api.registry, kind, &call.profile).map_err(ScimError::from)?),
        None => None,
    };
    Ok(Query {
        filter,
        start: call.query.start_index as u64,
        count: call.query.count.unwrap_or(DEFAULT_RESULTS).min(MAX_RESULTS) as u64,
        links,
    })
}

fn internal(error: &StoreError, what: &'static str) -> ScimError {
    tracing::error!(error = error as &dyn std::error::Error, what, "a request failed inside");
    ScimError::unavailable("the directory cannot be reached now; try again")
}

/// What a client is told of a failed write; what is inside is logged here, once.
fn refused(error: &WriteError) -> Refused {
    if let WriteError::Store(inside) = error {
        tracing::error!(error = inside as &dyn std::error::Error, "a write failed inside");
    }
    Refused(error.to_scim())
}
