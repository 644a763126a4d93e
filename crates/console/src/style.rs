//! `/console/style.css`

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;

/// Where it is.
pub const PATH: &str = "/console/style.css";

/// The style: the same for everybody.
pub async fn show() -> Response {
    let mut response = Response::new(Body::from(include_str!("style.css")));
    let kind = HeaderValue::from_static("text/css; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
