//! The routes of SCIM 2.0 (RFC 7644 section 3.2).

mod bulk;
mod defaults;
mod discovery;
mod groups;
mod me;
mod page;
mod render;
mod root;
mod segment;
mod users;

use axon_scim::ScimError;
use axon_store::{StoreError, WriteError};
use axum::Router;
use axum::routing::{any, get, post};

use crate::call::Call;
use crate::reply::Refused;
use crate::state::Api;

pub use defaults::Defaults;

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
        .route("/Me", any(me::handle))
        .route("/Bulk", post(bulk::handle))
        .route("/", get(root::list))
        .route("/.search", post(root::search));
    let routes = Router::new().nest("/scim/v2", scim);
    OTHER_VERSIONS.iter().fold(routes, |routes, version| {
        let (root, below) = (format!("/scim/{version}"), format!("/scim/{version}/{{*path}}"));
        routes.route(&root, any(other_version)).route(&below, any(other_version))
    })
}

/// Versions that a client may ask for (RFC 7644 section 3.13) and that are not spoken here.
const OTHER_VERSIONS: [&str; 3] = ["v1", "v1.1", "v3"];

async fn other_version(_: Call) -> Refused {
    ScimError::invalid_version("this server speaks SCIM 2.0, under /scim/v2").into()
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
