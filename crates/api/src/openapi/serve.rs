//! `GET /openapi.json`, and the page made of it. Both are the same for everybody and hold nothing of this server: they need no token.

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use super::operation::{Family, Op};
use super::schema::{some_object, text};
use super::{DOCUMENT, PAGE, STYLE, Table, page};

static WRITTEN: LazyLock<Bytes> = LazyLock::new(|| super::text().into());
static READABLE: LazyLock<Bytes> = LazyLock::new(|| page::of(&super::document()).into());

/// Nothing is loaded but the page's own style, and nothing of it runs.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub fn routes() -> Table {
    let op = |id, summary| Op::new(Family::Open, id, summary);
    Table::new()
        .get(
            DOCUMENT,
            op("getDocument", "This document").gives(200, "OpenAPI 3.1.", some_object()),
            async || answer(WRITTEN.clone(), "application/json"),
        )
        .get(
            PAGE,
            op("getPage", "This document as a page").gives_as(200, "The page.", &["text/html"], &text()),
            async || answer(READABLE.clone(), "text/html; charset=utf-8"),
        )
        .get(
            STYLE,
            op("getStyle", "The page's style").gives_as(200, "The style.", &["text/css"], &text()),
            async || answer(Bytes::from_static(page::STYLE.as_bytes()), "text/css; charset=utf-8"),
        )
}

fn answer(body: Bytes, kind: &'static str) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_TYPE, kind);
    set(header::CACHE_CONTROL, "no-cache");
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    response
}
