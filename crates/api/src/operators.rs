//! The operators' API under `/api/v1`: versions of the role map, proposals, previews; and the exchange of jobs' tokens.
//!
//! ```text
//!  Bearer ── opaque: operators' tokens (a table of their own) ─┐
//!          └ signed: rules of `operators.jobs`, by JWKS ───────┴─> Operator { identity, may } ── need of the route ── handler
//!                          refused: counted by reason, slowed by address as for sources
//!
//!  POST /token ── a job's signed token ── issuer, audience; subject, project by the map's service ── a short-lived token
//! ```
//!
//! Nothing that opens SCIM opens this, and nothing that opens this opens SCIM: tokens lie in other tables, and signed ones are
//! taken by other rules. To add an endpoint: a file, a line in [`routes`] with its operation of `openapi`, [`auth::Operator`] as the handler's first argument.

mod access;
mod acting;
mod auth;
mod exchange;
mod holds;
mod map;
mod problem;
mod rates;
mod run;
mod settings;
mod standing;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use crate::openapi::{Table, asking, map as told, oauth};

pub use access::{end as end_request, requests, shown as shown_request};
pub use acting::{ACTING, Acting, start as start_acting, start_unread, targets as acting_targets};
pub use auth::Operator;
pub use holds::{Taken, answer as answer_hold, find as find_hold, open as open_holds, shown as shown_hold};
pub use map::shown;
pub use problem::Problem;
pub(crate) use rates::Rates;
pub use settings::{JobRule, MapInForce, OperatorSettings, Operators};
pub use standing::{Standing, standing};

/// The routes.
pub(crate) fn routes() -> Table {
    Table::new()
        .get("/api/v1/map", told::current(), map::current::handle)
        .post("/api/v1/map", told::push(), map::push::handle)
        .post("/api/v1/map/preview", told::preview(), map::preview::handle)
        .get("/api/v1/map/versions", told::versions(), map::versions::list)
        .get("/api/v1/map/versions/{version}", told::version(), map::versions::one)
        .get("/api/v1/map/proposals", told::proposals(), map::proposals::list)
        .get("/api/v1/map/proposals/{version}", told::proposal(), map::proposals::one)
        .post("/api/v1/map/proposals/{version}/release", told::release(), map::proposals::release)
        .post("/api/v1/map/proposals/{version}/reject", told::reject(), map::proposals::reject)
        .get("/api/v1/holds", asking::holds(), holds::list)
        .get("/api/v1/holds/{id}", asking::hold(), holds::one)
        .post("/api/v1/holds/{id}/release", asking::release(), holds::release)
        .post("/api/v1/holds/{id}/reject", asking::reject(), holds::reject)
        .get("/api/v1/offboardings", asking::offboardings(), access::offboardings)
        .post("/api/v1/offboardings", asking::offboard(), access::offboard)
        .post("/api/v1/offboardings/{id}/release", asking::lift(), access::lift)
        .get("/api/v1/grants", asking::grants(), access::grants)
        .post("/api/v1/grants", asking::grant(), access::ask)
        .post("/api/v1/grants/{id}/revoke", asking::revoke(), access::revoke)
        .get("/api/v1/impersonations", asking::impersonations(), acting::list)
        .post("/api/v1/impersonations", asking::impersonate(), acting::ask)
        .post("/api/v1/impersonations/{id}/stop", asking::stop(), acting::stop)
        .post("/api/v1/token", oauth::exchange(), exchange::handle)
        .get("/api/v1/entitlements", oauth::held(), exchange::entitlements)
}

/// Whether an address is of this API, by whatever path below it.
pub(crate) fn is_api(path: &str) -> bool {
    path.strip_prefix("/api").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What an error of the router's own says. `nowhere`: for a path that is none.
pub(crate) fn of_router(status: StatusCode, body_bytes: usize, nowhere: &str) -> String {
    match status {
        StatusCode::NOT_FOUND => nowhere.to_owned(),
        StatusCode::METHOD_NOT_ALLOWED => {
            "this path has no such method; the Allow header names what it has".into()
        }
        StatusCode::PAYLOAD_TOO_LARGE => format!("the body is over the limit of {body_bytes} bytes"),
        StatusCode::REQUEST_TIMEOUT => "the body did not arrive in time; nothing was changed".into(),
        StatusCode::SERVICE_UNAVAILABLE => {
            "the request took too long; look whether it was done, and try again".into()
        }
        status if status.is_server_error() => "internal error; the log has it by the request id".into(),
        _ => "the request cannot be read".to_owned(),
    }
}

/// The router's own errors, time-outs and panics as problems; anything else as it is.
pub(crate) fn shaped(response: Response, body_bytes: usize) -> Response {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || is_typed(&response) {
        return response;
    }
    let detail = of_router(
        status,
        body_bytes,
        "there is nothing at this path; the operators' API lives under /api/v1",
    );
    let mut shaped = Problem::new(status, "refused", detail).into_response();
    for name in [header::ALLOW, header::RETRY_AFTER] {
        if let Some(value) = response.headers().get(&name) {
            shaped.headers_mut().insert(name, value.clone());
        }
    }
    shaped
}

fn is_typed(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/"))
}

/// An answer in JSON that no cache keeps.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            let mut response = (status, bytes).into_response();
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(error) => {
            tracing::error!(%error, "an answer does not serialise");
            Problem::internal().into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_below_api_is_of_the_api() {
        assert!(is_api("/api") && is_api("/api/v1/map") && is_api("/api/x"));
        assert!(!is_api("/apiary") && !is_api("/") && !is_api("/scim/v2/api"));
    }
}
