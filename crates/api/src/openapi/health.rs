//! The server itself: lines of the table of `routes` that are not SCIM.

use utoipa::openapi::HttpMethod;

use super::operation::{Family, Op};
use super::schema::{object, or_null, some_object, text, word};
use super::table::Line;
use crate::routes::Route;

/// What the document tells of them.
pub fn lines() -> Vec<Line> {
    let line = |route: Route, op| Line { path: route.name(), method: HttpMethod::Get, op };
    let op = |id, summary| Op::new(Family::Open, id, summary);
    let ready = |store: &str| {
        object()
            .has("store", word(&[store]))
            .has("durability", or_null(some_object()))
            .has("targets", some_object())
            .has("breakers", some_object())
            .has("sources", some_object())
            .may("map", some_object())
            .part()
    };
    vec![
        line(
            Route::Live,
            op("isLive", "The process answers").gives_as(200, "It does.", &["text/plain"], &text()),
        ),
        line(
            Route::Ready,
            op("isReady", "The store answers: SCIM can be served")
                .gives(200, "It does. A target that is down does not make the server unready.", ready("ok"))
                .gives(503, "It does not.", ready("unavailable")),
        ),
        line(
            Route::Metrics,
            op("getMetrics", "Metrics in Prometheus' text format").gives_as(
                200,
                "The metrics.",
                &["text/plain"],
                &text(),
            ),
        ),
    ]
}
