//! One shape for every error under `/scim`: what is not a SCIM Error yet becomes one (RFC 7644 section 3.12).

use axon_scim::ScimError;
use axum::http::{StatusCode, header};
use axum::response::Response;

use crate::reply::{scim_error, too_large};

/// Whether an address is of SCIM, by whatever path below it.
pub fn is_scim(path: &str) -> bool {
    path.strip_prefix("/scim").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The router's 404 and 405, time-outs and panics as a SCIM Error; anything else as it is.
pub fn of_scim(response: Response, verb: &str, body_bytes: usize) -> Response {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let is_typed = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/scim+json"));
    if is_typed {
        return response;
    }
    let mut shaped = if status == StatusCode::METHOD_NOT_ALLOWED && verb == "OPTIONS" {
        // RFC 9110 section 9.3.7: it asks for the methods, which `Allow` names.
        no_content()
    } else {
        scim_error(&error(status, verb, body_bytes))
    };
    for name in [header::ALLOW, header::RETRY_AFTER, header::WWW_AUTHENTICATE] {
        if let Some(value) = response.headers().get(&name) {
            shaped.headers_mut().insert(name, value.clone());
        }
    }
    shaped
}

fn no_content() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn error(status: StatusCode, verb: &str, body_bytes: usize) -> ScimError {
    match status {
        StatusCode::NOT_FOUND => {
            ScimError::not_found("there is nothing at this path; SCIM lives under /scim/v2")
        }
        StatusCode::METHOD_NOT_ALLOWED => ScimError::method_not_allowed(format!(
            "this path has no {verb}; the Allow header names what it has"
        )),
        StatusCode::PAYLOAD_TOO_LARGE => too_large(body_bytes),
        StatusCode::REQUEST_TIMEOUT => {
            ScimError::request_timeout("the body did not arrive in time; nothing was changed")
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_below_scim_is_scim() {
        assert!(is_scim("/scim") && is_scim("/scim/v2") && is_scim("/scim/x/y"));
        assert!(!is_scim("/scimitar") && !is_scim("/") && !is_scim("/healthz"));
    }
}
