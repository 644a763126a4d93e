//! Errors of the operators' API (RFC 9457).

use axon_controller::versions::{Altered, Refusal};
use axon_scim::ScimError;
use axon_store::StoreError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::shown;

/// Why something was not done.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    /// A word of a closed set, for programs.
    code: &'static str,
    detail: String,
    more: Map<String, Value>,
}

impl Problem {
    /// A problem with its status, its word and a sentence.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), more: Map::new() }
    }

    /// The same with one more member.
    #[must_use]
    pub fn with(mut self, member: &str, value: Value) -> Self {
        self.more.insert(member.to_owned(), value);
        self
    }

    /// The request is not as it must be.
    pub fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    /// There is no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// Axon's own fault, which the log tells.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "internal error; the log has it by the request id",
        )
    }

    /// The status.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The sentence.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The word.
    pub const fn code(&self) -> &'static str {
        self.code
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the store does not answer an operator");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the store does not answer; try again")
    }
}

/// A version that somebody changed where it is kept.
impl From<Altered> for Problem {
    fn from(altered: Altered) -> Self {
        match altered {
            Altered::Store(error) => error.into(),
            altered => {
                tracing::error!("{altered}");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "altered", altered.to_string())
            }
        }
    }
}

/// What the readers of bodies say.
impl From<ScimError> for Problem {
    fn from(error: ScimError) -> Self {
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
        Self::new(status, "bad-request", error.detail)
    }
}

/// A version that was not taken. `is_condition`: what must be in force was said by `If-Match`.
pub(super) fn of_refusal(refusal: Refusal, is_condition: bool) -> Problem {
    let code = refusal.as_str();
    let detail = refusal.to_string();
    metrics::counter!("axon_map_refusals_total", "way" => "api", "why" => code).increment(1);
    match refusal {
        Refusal::Store(error) => error.into(),
        Refusal::Altered(altered) => altered.into(),
        Refusal::Malformed(_) => Problem::new(StatusCode::BAD_REQUEST, code, detail),
        Refusal::Faults(_) | Refusal::Tests(_) | Refusal::NotCarriedOut(_) | Refusal::Unusable(_) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
        }
        Refusal::Moved(head) => {
            let status = if is_condition { StatusCode::PRECONDITION_FAILED } else { StatusCode::CONFLICT };
            let head = head.as_deref().map_or(Value::Null, shown::head);
            Problem::new(status, code, detail).with("in_force", head)
        }
        Refusal::Gone => Problem::new(StatusCode::NOT_FOUND, code, detail),
        Refusal::Crowded => Problem::new(StatusCode::CONFLICT, code, detail),
        Refusal::Expired(proposal) => {
            Problem::new(StatusCode::GONE, code, detail).with("proposal", shown::proposal_end(&proposal))
        }
        Refusal::SamePerson(_) => Problem::new(StatusCode::FORBIDDEN, code, detail),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        if let Value::Object(members) = &mut body {
            members.extend(self.more);
        }
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer realm=\"axon operators\""),
                );
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response
    }
}
