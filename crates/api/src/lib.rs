//! HTTP: SCIM 2.0 under `/scim/v2`, health, metrics, authentication of sources.
//!
//! ```text
//!  request ── address tidied ── id, limits, one error shape (layers) ── routed (routes) ── token -> source (call)
//!                                                                                            │
//!              answer: scim+json (reply, render) <── store, one command <── handler <── JSON (body)
//! ```
//!
//! A folder per resource, a file per verb: reading the tree is reading the API. To add an endpoint: a file in its folder and a
//! line in `routes`; take `call::Call` first, so that nobody is heard without a token, and
//! `body::JsonBody` last, so that every body is read under the limits.

pub mod auth;
mod body;
mod browser;
mod call;
pub mod care;
mod health;
pub mod integrations;
mod layers;
pub mod openapi;
pub mod operators;
mod reads;
mod reply;
mod routes;
pub mod scim;
mod state;

use axum::Router;

pub use auth::Peer;
pub use body::form::Form;
pub use browser::{Browser, Unpacked};
pub use layers::{Gate, InRequest, Limits, in_request};
pub use state::{Api, ApiParts, MapStanding, Readiness};

/// All routes with what every request goes through.
pub fn router(api: Api, limits: Limits) -> Gate {
    router_beside(Router::new(), api, limits)
}

/// The same with pages for people beside them. The document does not tell of pages.
pub fn router_beside(pages: Router<Api>, api: Api, limits: Limits) -> Gate {
    Gate::new(table().router().merge(pages), api, limits)
}

/// Beside the table of `routes`: what is asked seldom, each route with what the document tells of it.
fn table() -> openapi::Table {
    auth::oauth::routes().merge(operators::routes()).merge(integrations::routes()).merge(openapi::routes())
}
