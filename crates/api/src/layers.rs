//! What every request goes through: an id, a span, limits, and one shape for every error, middleware's own included.

use std::time::Duration;

use axon_model::{Clock, IdSource, RequestId};
use axon_scim::ScimError;
use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;
use tracing::Instrument;

use crate::reply::scim_error;
use crate::state::Api;

/// Limits on what comes in.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest body, bytes.
    pub body_bytes: usize,
    /// The most bytes of headers.
    pub header_bytes: usize,
    /// How long a request may take.
    pub request_time: Duration,
    /// How many requests are worked on at once; more wait their turn within their time.
    pub concurrent_requests: usize,
}

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Puts the layers round the routes, outermost first.
pub fn wrap(routes: Router<Api>, api: &Api, limits: Limits) -> Router<Api> {
    routes.layer(
        ServiceBuilder::new()
            .layer(middleware::from_fn_with_state(api.clone(), identify))
            .layer(middleware::from_fn(one_error_shape))
            .layer(middleware::from_fn(move |request, next| header_limit(limits.header_bytes, request, next)))
            .layer(CatchPanicLayer::new())
            .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, limits.request_time))
            .layer(GlobalConcurrencyLimitLayer::new(limits.concurrent_requests))
            .layer(RequestBodyLimitLayer::new(limits.body_bytes)),
    )
}

/// Gives the request its id (the caller's where it is well-formed), a span and its metrics, and answers the id.
async fn identify(
    axum::extract::State(api): axum::extract::State<Api>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = request
        .headers()
        .get(&X_REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<RequestId>().ok())
        .unwrap_or_else(|| fresh(&api.ids, api.clock.as_ref()));
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().clone();
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!("http", request.id = %id, http.method = %method, http.route = %route);
    let began = tokio::time::Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let took = began.elapsed();
    let status = response.status();
    // Connectors may invent methods: a label comes from an enum.
    let verb = match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    };
    metrics::histogram!("axon_http_request_seconds", "method" => verb, "route" => route, "status" => status.as_u16().to_string())
        .record(took.as_secs_f64());
    span.in_scope(|| {
        if status.is_server_error() {
            tracing::warn!(http.status = status.as_u16(), http.micros = took.as_micros(), "answered");
        } else {
            tracing::debug!(http.status = status.as_u16(), http.micros = took.as_micros(), "answered");
        }
    });
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(X_REQUEST_ID.clone(), value);
    }
    response
}

fn fresh(ids: &IdSource, clock: &dyn Clock) -> RequestId {
    ids.uuid(clock.now()).to_string().parse().expect("a UUID is visible ASCII")
}

/// Under `/scim`, an error that is not a SCIM Error yet becomes one: the router's 404 and 405, limits, time-outs, panics.
async fn one_error_shape(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let response = next.run(request).await;
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || !path.starts_with("/scim") {
        return response;
    }
    let typed = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/scim+json"));
    if typed {
        return response;
    }
    let error = match status {
        StatusCode::NOT_FOUND => {
            ScimError::not_found("there is nothing at this path; SCIM lives under /scim/v2")
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            ScimError::method_not_allowed(format!("{method} is not for this path"))
        }
        StatusCode::PAYLOAD_TOO_LARGE => ScimError::payload_too_large("the body is over the server's limit"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            ScimError::unsupported_media_type("send application/scim+json or application/json")
        }
        StatusCode::SERVICE_UNAVAILABLE => ScimError::unavailable("the request took too long; try again"),
        status if status.is_server_error() => {
            ScimError::internal("internal error; the log has it by the request id")
        }
        status => {
            let mut error = ScimError::bad_request("the request cannot be read");
            error.status = status.as_u16();
            error
        }
    };
    let mut shaped = scim_error(&error);
    for name in [header::ALLOW, header::RETRY_AFTER, header::WWW_AUTHENTICATE] {
        if let Some(value) = response.headers().get(&name) {
            shaped.headers_mut().insert(name, value.clone());
        }
    }
    shaped
}

async fn header_limit(most: usize, request: Request, next: Next) -> Response {
    let target = request.uri().path_and_query().map_or(0, |p| p.as_str().len());
    let headers: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if target + headers > most {
        return scim_error(&ScimError::headers_too_large(format!("headers and path are over {most} bytes")))
            .into_response();
    }
    next.run(request).await
}
