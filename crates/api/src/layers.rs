//! What every request goes through: an id, limits, and one shape for every error, the routes' own included.
//!
//! It is one function and not a tower of layers: each function of axum boxes and copies what is below it, for every request,
//! and a concurrency limit of its own would wait for a turn before the clock of the time limit runs.

mod address;
mod admission;
mod error_shape;
mod gzip;
mod route_name;
mod times;
mod told;
mod too_large;
mod unanswered;
mod verb;

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axon_model::{Clock, IdSource, RequestId};
use axon_scim::ScimError;
use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use tokio::sync::Semaphore;
use tower::{Service, ServiceExt as _};
use tower_http::limit::RequestBodyLimitLayer;

use crate::auth::{self, Peer};
use crate::care::{Answered, Head};
use crate::integrations;
use crate::operators;
use crate::reply::{Told, scim_error};
use crate::routes::Route;
use crate::scim::users;
use crate::state::Api;

use self::times::Times;
use self::unanswered::Unanswered;

pub use self::admission::{Admission, Admitted};
pub use self::route_name::RouteName;
pub use self::told::{InRequest, in_request};

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

/// Where every request comes in; cheap to clone.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    api: Api,
    limits: Limits,
    turns: Arc<Semaphore>,
    times: Times,
    beside: Router,
}

impl Gate {
    /// Before the table of routes, and the router `beside` it.
    pub fn new(beside: Router<Api>, api: Api, limits: Limits) -> Self {
        let turns = Arc::new(Semaphore::new(limits.concurrent_requests.clamp(1, Semaphore::MAX_PERMITS)));
        let beside = beside
            .layer(middleware::from_fn(route_name::note))
            .layer(RequestBodyLimitLayer::new(limits.body_bytes))
            .with_state(api.clone());
        Self(Arc::new(Inner { api, limits, turns, times: Times::default(), beside }))
    }

    /// Answers a request that came over the connection of this peer: gives it its id (the caller's where it is well-formed) and
    /// its metrics, holds it to the limits, and answers the id.
    pub async fn answer(&self, request: Request, peer: Option<Peer>) -> Response {
        let gate = &*self.0;
        let request = address::tidy(request);
        let id = request
            .headers()
            .get(&X_REQUEST_ID)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.parse::<RequestId>().ok())
            .unwrap_or_else(|| fresh(&gate.api.ids, gate.api.clock.as_ref()));
        let verb = verb::verb(request.method());
        let admitted = Admitted::new(id, verb, gate.limits.body_bytes, gate.turns.clone());
        let route = Route::of(request.uri().path());
        if let Some(route) = route {
            let _ = admitted.route.set(RouteName::Known(route));
        }
        let _ = admitted.origin.set(gate.api.trusts.proxies.origin(peer, request.headers()));
        if route == Some(Route::User)
            && let Some(response) = told::at_once(admitted.clone(), || gate.at_once(&admitted, &request))
        {
            return response;
        }
        told::within(admitted.clone(), gate.pass(admitted, route, request)).await
    }
}

impl Service<Request> for Gate {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    /// As [`Gate::answer`], for a request whose peer is among its extensions.
    fn call(&mut self, request: Request) -> Self::Future {
        let (gate, peer) = (self.clone(), request.extensions().get::<Peer>().copied());
        Box::pin(async move { Ok(gate.answer(request, peer).await) })
    }
}

impl Inner {
    /// The answer to a request for which nothing has to be waited: most reads by id. It holds no place among those that are worked
    /// on, since it is done before another one begins on this thread.
    fn at_once(&self, admitted: &Admitted, request: &Request) -> Option<Response> {
        let began = tokio::time::Instant::now();
        if self.api.care.recorder().is_some() || head_bytes(request) > self.limits.header_bytes {
            return None;
        }
        // After a panic the other way is gone, which says what happened.
        let work = AssertUnwindSafe(|| users::at_once::answer(&self.api, admitted, request));
        let response = std::panic::catch_unwind(work).ok().flatten()?;
        self.enter(admitted, None, &response);
        let takes_gzip = gzip::accepts(request.headers());
        Some(self.finished(admitted, began, takes_gzip, response))
    }

    async fn pass(&self, admitted: Admitted, route: Option<Route>, mut request: Request) -> Response {
        let began = tokio::time::Instant::now();
        let is_head = *request.method() == Method::HEAD;
        let scim = error_shape::is_scim(request.uri().path());
        let api = operators::is_api(request.uri().path());
        let integrates = integrations::is_api(request.uri().path());
        let takes_gzip = !is_head && gzip::accepts(request.headers());
        request.extensions_mut().insert(admitted.clone());
        let address = request.uri().path_and_query().filter(|address| address.query().is_some()).cloned();
        let head = self.api.care.recorder().filter(|_| scim).map(|recorder| recorder.head(&request));
        let unanswered = Unanswered::new(&self.api, &admitted);
        let mut response = self.held(&admitted, route, request).await;
        unanswered.answered();
        if scim {
            response = error_shape::of_scim(response, admitted.method, admitted.body_bytes);
            auth::challenge(&self.api, &admitted, &mut response);
            self.enter(&admitted, address.as_ref().and_then(|address| address.query()), &response);
            if head.is_some() {
                response = self.recorded(&admitted, head, response).await;
            }
        } else if api {
            response = operators::shaped(response, admitted.body_bytes);
        } else if integrates {
            response = integrations::shaped(response, admitted.body_bytes);
        }
        let response = self.finished(&admitted, began, takes_gzip, response);
        if is_head { without_body(response) } else { response }
    }

    /// Counts an answer in its source's ledger.
    fn enter(&self, admitted: &Admission, query: Option<&str>, response: &Response) {
        let answered = Answered {
            method: admitted.method,
            route: admitted.route().as_str(),
            query,
            status: response.status().as_u16(),
            error: response.extensions().get::<Told>().map(|told| &told.0),
            admission: admitted,
        };
        self.api.care.enter(&answered, self.api.clock.as_ref());
    }

    /// What every answer goes through at its end.
    fn finished(
        &self,
        admitted: &Admission,
        began: tokio::time::Instant,
        takes_gzip: bool,
        mut response: Response,
    ) -> Response {
        if takes_gzip {
            response = gzip::pack(response);
        }
        let (took, status) = (began.elapsed(), response.status());
        self.times.record(admitted.method, admitted.route(), status, took);
        tell(status, took, admitted);
        if let (StatusCode::TOO_MANY_REQUESTS, Some(seconds)) = (status, admitted.retry_after.get()) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
        }
        if let Ok(value) = HeaderValue::from_str(admitted.id.as_str()) {
            response.headers_mut().insert(X_REQUEST_ID.clone(), value);
        }
        response
    }

    /// Writes the exchange down where sessions are recorded.
    async fn recorded(&self, admitted: &Admission, head: Option<Head>, response: Response) -> Response {
        match (self.api.care.recorder(), head, admitted.cared.get()) {
            (Some(recorder), Some(head), Some(cared)) => {
                recorder.take(&cared.source, head, admitted.sent.get(), response).await
            }
            _ => response,
        }
    }

    /// Runs the request within its limits. A panic in it ends it alone.
    async fn held(&self, admitted: &Admission, route: Option<Route>, request: Request) -> Response {
        if head_bytes(&request) > self.limits.header_bytes {
            let text = format!("headers and address are over {} bytes", self.limits.header_bytes);
            return scim_error(&ScimError::headers_too_large(text));
        }
        let work = async {
            admitted.step_forward().await;
            AssertUnwindSafe(self.routed(route, request)).catch_unwind().await
        };
        match tokio::time::timeout(self.limits.request_time, work).await {
            Ok(Ok(response)) => response,
            // The panic's text may name people; the hook of the process has written where it came from.
            Ok(Err(_)) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            // Who is too slow is told so: the client with its body, or we.
            Err(_) if admitted.is_reading() => StatusCode::REQUEST_TIMEOUT.into_response(),
            Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        }
    }

    async fn routed(&self, route: Option<Route>, request: Request) -> Response {
        let most = self.limits.body_bytes as u64;
        let answering = if too_large::is_declared(most, request.headers()) {
            Box::pin(too_large::refuse(most, request))
        } else if let Some(route) = route {
            route.answer(request, self.api.clone())
        } else {
            let beside = self.beside.clone();
            Box::pin(beside.oneshot(request).map(|answer| match answer {
                Ok(response) => response,
                Err(never) => match never {},
            }))
        };
        answering.await
    }
}

/// What a HEAD is answered (RFC 9110 section 9.3.2): the length is that of the body that a GET would have.
fn without_body(mut response: Response) -> Response {
    if let (Some(length), false) =
        (response.body().size_hint().exact(), response.headers().contains_key(header::CONTENT_LENGTH))
    {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    *response.body_mut() = Body::empty();
    response
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

fn head_bytes(request: &Request) -> usize {
    let address = request.uri().path_and_query().map_or(0, |p| p.as_str().len());
    request.headers().iter().fold(address, |sum, (name, value)| sum + name.as_str().len() + value.len() + 4)
}

fn fresh(ids: &IdSource, clock: &dyn Clock) -> RequestId {
    let mut text = [0; 36];
    let id = ids.uuid(clock.now());
    id.hyphenated().encode_lower(&mut text).parse().expect("a UUID is visible ASCII")
}
