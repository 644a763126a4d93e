//! What every request goes through: an id, a span, limits, and one shape for every error, the router's own included.
//!
//! It is one function and not a tower of layers: each function of axum boxes and copies what is below it, for every request,
//! and a concurrency limit of its own would wait for a turn before the clock of the time limit runs.

mod address;
mod admission;
mod error_shape;
mod gzip;
mod too_large;
mod unanswered;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axon_model::{Clock, IdSource, RequestId};
use axon_scim::ScimError;
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use tokio::sync::Semaphore;
use tower::ServiceBuilder;
use tower_http::limit::RequestBodyLimitLayer;
use tracing::Instrument as _;

use crate::auth::{self, Peer};
use crate::care::{Answered, Head};
use crate::reply::{Told, scim_error};
use crate::state::Api;

pub use self::admission::{Admission, Admitted};
use self::unanswered::Unanswered;

/// Limits on what comes in.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest body, bytes.
    pub body_bytes: usize,
    /// The most bytes of headers, the address counted with them.
    pub header_bytes: usize,
    /// How long a request may take, its waiting for a turn and the arrival of its body included.
    pub request_time: Duration,
    /// How many requests are worked on at once; more wait their turn within their time.
    pub concurrent_requests: usize,
}

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

#[derive(Clone)]
struct Gate {
    api: Api,
    limits: Limits,
    turns: Arc<Semaphore>,
}

/// Puts the layer round the routes, and tidies addresses before they are routed.
pub fn wrap(routes: Router<Api>, api: Api, limits: Limits) -> Router {
    let turns = Arc::new(Semaphore::new(limits.concurrent_requests.clamp(1, Semaphore::MAX_PERMITS)));
    let gate = Gate { api: api.clone(), limits, turns };
    let layers = ServiceBuilder::new()
        .layer(middleware::from_fn_with_state(gate, pass))
        .layer(middleware::from_fn(move |request, next| {
            too_large::refuse(limits.body_bytes as u64, request, next)
        }))
        .layer(RequestBodyLimitLayer::new(limits.body_bytes));
    let inner = routes.layer(layers).with_state(api);
    Router::new().fallback_service(ServiceBuilder::new().map_request(address::tidy).service(inner))
}

/// Gives the request its id (the caller's where it is well-formed), a span and its metrics, holds it to the limits, and
/// answers the id.
async fn pass(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let began = tokio::time::Instant::now();
    let id = request
        .headers()
        .get(&X_REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<RequestId>().ok())
        .unwrap_or_else(|| fresh(&gate.api.ids, gate.api.clock.as_ref()));
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let verb = verb(request.method());
    let scim = error_shape::is_scim(request.uri().path());
    let takes_gzip = *request.method() != Method::HEAD && gzip::accepts(request.headers());
    let admitted = Admitted::new(id.clone(), gate.limits.body_bytes, gate.turns.clone());
    let peer = request.extensions().get::<Peer>().copied();
    let _ = admitted.origin.set(gate.api.trusts.proxies.origin(peer, request.headers()));
    request.extensions_mut().insert(admitted.clone());
    let span = tracing::info_span!("http", request.id = %id, http.method = verb, http.route = route);
    let uri = request.uri().clone();
    let head = gate.api.care.recorder().filter(|_| scim).map(|recorder| recorder.head(&request));
    let unanswered = Unanswered::new(&gate.api, &admitted, verb, route);
    let mut response = held(&gate, &admitted, request, next).instrument(span.clone()).await;
    unanswered.answered();
    if scim {
        response = error_shape::of_scim(response, verb, admitted.body_bytes);
        auth::challenge(&gate.api, &admitted, &mut response);
        let answered = Answered {
            method: verb,
            route,
            query: uri.query(),
            status: response.status().as_u16(),
            error: response.extensions().get::<Told>().map(|told| &told.0),
            admission: &admitted,
        };
        span.in_scope(|| gate.api.care.enter(&answered, gate.api.clock.as_ref()));
        response = recorded(&gate, &admitted, head, response).await;
    }
    if takes_gzip {
        response = gzip::pack(response);
    }
    let (took, status) = (began.elapsed(), response.status());
    metrics::histogram!("axon_http_request_seconds",
        "method" => verb, "route" => route.to_owned(), "status" => status_label(status))
    .record(took.as_secs_f64());
    span.in_scope(|| tell(status, took, &admitted));
    if let (StatusCode::TOO_MANY_REQUESTS, Some(seconds)) = (status, admitted.retry_after.get()) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
    }
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(X_REQUEST_ID.clone(), value);
    }
    response
}

/// Writes the exchange down where sessions are recorded.
async fn recorded(gate: &Gate, admitted: &Admission, head: Option<Head>, response: Response) -> Response {
    match (gate.api.care.recorder(), head, admitted.cared.get()) {
        (Some(recorder), Some(head), Some(cared)) => {
            recorder.take(&cared.source, head, admitted.sent.get(), response).await
        }
        _ => response,
    }
}

fn tell(status: StatusCode, took: Duration, admitted: &Admission) {
    let (status, micros) = (status.as_u16(), took.as_micros());
    if status >= 500 {
        tracing::warn!(http.status = status, http.micros = micros, "answered");
    } else if status >= 400
        && let Some(outline) = admitted.outline.get()
    {
        tracing::debug!(http.status = status, http.micros = micros, scim.shape = outline, "refused");
    } else {
        tracing::debug!(http.status = status, http.micros = micros, "answered");
    }
}

/// Runs the request within its limits. A panic in it ends it alone.
async fn held(gate: &Gate, admitted: &Admission, request: Request, next: Next) -> Response {
    if head_bytes(&request) > gate.limits.header_bytes {
        let text = format!("headers and address are over {} bytes", gate.limits.header_bytes);
        return scim_error(&ScimError::headers_too_large(text));
    }
    let work = async {
        admitted.step_forward().await;
        AssertUnwindSafe(next.run(request)).catch_unwind().await
    };
    match tokio::time::timeout(gate.limits.request_time, work).await {
        Ok(Ok(response)) => response,
        // The panic's text may name people; the hook of the process has written where it came from.
        Ok(Err(_)) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        // Who is too slow is told so: the client with its body, or we.
        Err(_) if admitted.is_reading() => StatusCode::REQUEST_TIMEOUT.into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

fn head_bytes(request: &Request) -> usize {
    let address = request.uri().path_and_query().map_or(0, |p| p.as_str().len());
    request.headers().iter().fold(address, |sum, (name, value)| sum + name.as_str().len() + value.len() + 4)
}

/// Clients may invent methods: labels and logs come from a closed set.
fn verb(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

fn status_label(status: StatusCode) -> std::borrow::Cow<'static, str> {
    match status.as_u16() {
        200 => "200".into(),
        201 => "201".into(),
        204 => "204".into(),
        404 => "404".into(),
        other => other.to_string().into(),
    }
}

fn fresh(ids: &IdSource, clock: &dyn Clock) -> RequestId {
    ids.uuid(clock.now()).to_string().parse().expect("a UUID is visible ASCII")
}
