//! Liveness, readiness, metrics. They tell states from closed sets, never names of people, and need no token.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::state::Api;

/// The process answers.
pub async fn live() -> &'static str {
    "ok\n"
}

/// The store answers: SCIM can be served. A target that is down does not make the service unready, since pushes are kept.
pub async fn ready(State(api): State<Api>) -> Response {
    let store = match api.store.ping().await {
        Ok(()) => "ok",
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the store does not answer");
            "unavailable"
        }
    };
    let status = if store == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let targets = api.readiness.targets();
    (status, Json(serde_json::json!({ "store": store, "targets": targets }))).into_response()
}

/// Prometheus' text format.
pub async fn metrics(State(api): State<Api>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (api.render_metrics)())
        .into_response()
}
