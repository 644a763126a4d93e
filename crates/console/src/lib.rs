//! Pages for the people who operate Axon, under `/console`.
//!
//! ```text
//!  browser ── cookie ── session (memory) ── the token's hash ──> Operator of the operators' API, asked of the store each time
//!      form ── same origin ── session ── key of the form ──> Posted ── a function of the operators' API ── 303, or the page again
//! ```
//!
//! The pages have no logic of their own: what may be done, by whom, and what comes of it is said by the functions of
//! `axon_api::operators`, which the routes for programs call, too. They work without scripts. All markup is made by
//! `html`, which escapes what comes from elsewhere. To add a page: a file with its handlers, a line in [`routes`], and
//! `visitor::Visitor` or `visitor::Posted` as the handler's last argument, so that nobody is shown or does anything unknown.

mod acting;
mod cookie;
mod holds;
mod html;
mod page;
mod requests;
mod same_site;
mod session;
mod shown;
mod sign_in;
mod sign_out;
mod style;
mod targets;
mod visitor;

use std::sync::Arc;

use axon_api::Api;
use axon_api::operators::Problem;
use axum::http::StatusCode;
use axum::routing::{any, get, post};
use axum::{Extension, Router, middleware};

pub use session::Lives;

/// What the console is set up with.
pub struct Console {
    sessions: session::Sessions,
    /// What somebody does in the target who is to read as another.
    how_to_act: String,
}

impl Console {
    /// Nobody is signed in yet.
    pub fn new(lives: Lives, how_to_act: String) -> Self {
        Self { sessions: session::Sessions::new(lives), how_to_act }
    }
}

/// The routes.
pub fn routes(console: Console) -> Router<Api> {
    Router::new()
        .route("/console", get(targets::show))
        .route(sign_in::PATH, get(sign_in::show).post(sign_in::enter))
        .route(sign_out::PATH, post(sign_out::leave))
        .route(style::PATH, get(style::show))
        .route("/console/acting", get(acting::show).post(acting::start))
        .route("/console/acting/{id}/stop", post(acting::stop))
        .route("/console/holds", get(holds::show))
        .route("/console/holds/{id}", get(holds::one))
        .route("/console/holds/{id}/release", post(holds::release))
        .route("/console/holds/{id}/reject", post(holds::reject))
        .route("/console/requests", get(requests::show))
        .route("/console/{*path}", any(nowhere))
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::map_response(page::guarded))
        .layer(Extension(Arc::new(console)))
}

async fn nowhere() -> axum::response::Response {
    page::outside_problem(&Problem::not_found("there is no such page"))
}

async fn wrong_method() -> axum::response::Response {
    let detail = "this page takes no such request";
    page::outside_problem(&Problem::new(StatusCode::METHOD_NOT_ALLOWED, "refused", detail))
}
