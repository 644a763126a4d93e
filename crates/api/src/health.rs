//! Liveness, readiness, metrics. They tell states from closed sets, never names of people, and need no token.

use std::collections::BTreeMap;

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
/// `durability` is what the connection that writes says of itself: what an acknowledged write can rely on.
pub async fn ready(State(api): State<Api>) -> Response {
    // Both wait for the writer, in one group.
    let (answers, durability) = tokio::join!(api.store.ping(), api.store.durability());
    let (store, durability) = match answers.and(durability) {
        Ok(d) => {
            let told = serde_json::json!({ "journal_mode": d.journal_mode, "synchronous": d.synchronous });
            ("ok", told)
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the store does not answer");
            ("unavailable", serde_json::Value::Null)
        }
    };
    let status = if store == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let (targets, breakers) = (api.readiness.targets(), api.readiness.breakers());
    let sources: BTreeMap<&str, &str> =
        api.care.states(api.clock.now()).map(|(source, state)| (source.as_str(), state.as_str())).collect();
    let mut told = serde_json::json!({
        "store": store, "durability": durability, "targets": targets, "breakers": breakers,
        "sources": sources
    });
    if let Some(map) = api.readiness.map() {
        told["map"] =
            serde_json::json!({ "version": map.version, "state": map.state, "refused": map.refused });
    }
    (status, Json(told)).into_response()
}

/// Prometheus' text format.
pub async fn metrics(State(api): State<Api>) -> Response {
    api.show_ledgers();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (api.render_metrics)())
        .into_response()
}
