//! The routes of SCIM 2.0 (RFC 7644 section 3.2).

mod discovery;
mod groups;
mod render;
mod users;

use axum::Router;
use axum::routing::get;

use crate::state::Api;

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
        .route(
            "/Users/{id}",
            get(users::get::handle)
                .put(users::replace::handle)
                .patch(users::patch::handle)
                .delete(users::delete::handle),
        )
        .route("/Groups", get(groups::list::handle).post(groups::create::handle))
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
        .route("/ResourceTypes/{name}", get(discovery::resource_type));
    Router::new().nest("/scim/v2", scim)
}

fn internal(error: &axon_store::StoreError, what: &'static str) -> axon_scim::ScimError {
    tracing::error!(error = error as &dyn std::error::Error, what, "a request failed inside");
    axon_scim::ScimError::unavailable("the directory cannot be reached now; try again")
}

/// What a client is told of a failed write; what is inside is logged here, once.
fn refused(error: &axon_store::WriteError) -> crate::reply::Refused {
    if let axon_store::WriteError::Store(inside) = error {
        tracing::error!(error = inside as &dyn std::error::Error, "a write failed inside");
    }
    crate::reply::Refused(error.to_scim())
}
