//! Errors of the token endpoint (RFC 6749 section 5.2).

use axon_store::StoreError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why no token is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OAuthError {
    /// The request lacks something, has it twice, or authenticates in two ways.
    InvalidRequest(&'static str),
    /// The client is not known by what it showed; the word is for the metrics alone.
    InvalidClient(&'static str),
    /// Another grant than client credentials.
    UnsupportedGrantType,
    /// A scope that there is not, or that the client has not.
    InvalidScope,
    /// Too many requests of this source, or bad ones of this address, wait already.
    ComeBack,
    /// The store or an issuer cannot be asked now.
    Unavailable,
    /// An issuer cannot be asked now, and what was shown may be made up.
    UnavailableOrGuessed,
    /// The server is at fault.
    ServerError,
}

impl OAuthError {
    /// The store could not: it is logged here.
    #[expect(clippy::needless_pass_by_value, reason = "stands where an error is mapped")]
    pub(super) fn store(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "tokens cannot be read or kept");
        Self::Unavailable
    }

    /// The code of the answer.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidClient(_) => "invalid_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::ComeBack | Self::Unavailable | Self::UnavailableOrGuessed => "temporarily_unavailable",
            Self::ServerError => "server_error",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest(_) | Self::UnsupportedGrantType | Self::InvalidScope => {
                StatusCode::BAD_REQUEST
            }
            Self::InvalidClient(_) => StatusCode::UNAUTHORIZED,
            Self::ComeBack => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable | Self::UnavailableOrGuessed => StatusCode::SERVICE_UNAVAILABLE,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::InvalidRequest(what) => what,
            Self::InvalidClient(_) => "the client is not known by this secret or assertion",
            Self::UnsupportedGrantType => "the one grant is client_credentials",
            Self::InvalidScope => "the scopes are read, write and users-only, as far as the client has them",
            Self::ComeBack => "too many requests; try again later",
            Self::Unavailable | Self::UnavailableOrGuessed => "the client cannot be checked now; try again",
            Self::ServerError => "internal error; the log has it by the request id",
        }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = json!({"error": self.as_str(), "error_description": self.description()});
        let mut response = (self.status(), Json(body)).into_response();
        let headers = response.headers_mut();
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"axon\""));
        }
        if matches!(self, Self::ComeBack | Self::Unavailable) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}
