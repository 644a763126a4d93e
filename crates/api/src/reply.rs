//! Answers in `application/scim+json`.

use axon_scim::ScimError;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use serde::Serialize;

/// The media type of RFC 7644 section 3.1.
pub const SCIM_JSON: &str = "application/scim+json; charset=utf-8";
/// Answers name people: no cache on the way keeps them, the client's own asks each time (an entity tag makes that cheap).
const PRIVATE: &str = "private, no-cache";

/// What one resource takes, about: it is written without asking for more room on the way.
const ONE: usize = 1000;

/// An answer with this status and body.
pub fn scim_json(status: StatusCode, body: &impl Serialize) -> Response {
    let mut bytes = Vec::with_capacity(ONE);
    match serde_json::to_writer(&mut bytes, body) {
        Ok(()) => typed(status, Body::from(bytes)),
        Err(error) => unwritable(&error),
    }
}

/// An answer whose body is JSON text already.
pub fn scim_text(status: StatusCode, body: Vec<u8>) -> Response {
    typed(status, Body::from(body))
}

/// An answer whose body comes in pieces.
pub fn scim_stream(
    status: StatusCode,
    pieces: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static,
) -> Response {
    typed(status, Body::from_stream(pieces))
}

fn typed(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(SCIM_JSON));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(PRIVATE));
    response
}

/// The answer in the place of one that does not serialise.
pub fn unwritable(error: &serde_json::Error) -> Response {
    tracing::error!(%error, "an answer does not serialise");
    scim_error(&ScimError::internal("internal error; the log has it by the request id"))
}

/// The error that an answer tells, kept beside it for those who count.
#[derive(Debug, Clone)]
pub struct Told(pub ScimError);

/// A SCIM Error (RFC 7644 section 3.12).
pub fn scim_error(error: &ScimError) -> Response {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = scim_json(status, error);
    response.extensions_mut().insert(Told(error.clone()));
    if status == StatusCode::UNAUTHORIZED {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"axon\""));
    }
    if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// 413: what a body may have at most. Of a bulk request it is `maxPayloadSize`.
pub fn too_large(limit: usize) -> ScimError {
    ScimError::payload_too_large(format!("the body is over the limit of {limit} bytes"))
}

/// A refusal on its way out of a handler.
#[derive(Debug)]
pub struct Refused(pub ScimError);

impl From<ScimError> for Refused {
    fn from(error: ScimError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        scim_error(&self.0)
    }
}
