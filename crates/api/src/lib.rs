//! HTTP: SCIM 2.0 under `/scim/v2`, health, metrics, authentication of sources.
//!
//! ```text
//!  request ── address tidied ── routed ── id, span, limits, one error shape (layers) ── token -> source (call)
//!                                                                                            │
//!              answer: scim+json (reply, render) <── store, one command <── handler <── JSON (body)
//! ```
//!
//! A folder per resource, a file per verb: reading the tree is reading the API. To add an endpoint: a file in its folder and a
//! line in `scim`'s routes; take `call::Call` first, so that nobody is heard without a token, and
//! `body::JsonBody` last, so that every body is read under the limits.

pub mod auth;
mod body;
mod call;
pub mod care;
mod health;
mod layers;
mod reads;
mod reply;
pub mod scim;
mod state;

use axum::Router;
use axum::routing::get;

pub use auth::Peer;
pub use layers::Limits;
pub use state::{Api, ApiParts, Readiness};

/// All routes with their layers.
pub fn router(api: Api, limits: Limits) -> Router {
    let routes = Router::new()
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .merge(auth::oauth::routes())
        .merge(scim::routes());
    layers::wrap(routes, api, limits)
}
