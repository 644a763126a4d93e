//! What pages for people ask of a request and of its answer, beside what the routes for programs do.

use axum::http::request::Parts;

use crate::auth;
use crate::layers::Admitted;
use crate::state::Api;

/// How a browser came here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Browser {
    /// Whether it spoke https: to us, or to a proxy that is trusted.
    pub is_https: bool,
    /// The origins (RFC 6454) of our own pages, as this browser may know them.
    pub origins: Vec<String>,
}

impl Browser {
    /// Of a request.
    pub fn of(parts: &Parts, api: &Api) -> Self {
        let origin = parts.extensions.get::<Admitted>().and_then(|admitted| admitted.origin.get());
        let is_https = origin.is_some_and(|origin| origin.is_https);
        let scheme = if is_https { "https" } else { "http" };
        let asked = auth::host(origin, &parts.headers, &parts.uri).map(|host| format!("{scheme}://{host}"));
        let public = api.public_url.as_deref().and_then(|url| {
            let (scheme, rest) = url.split_once("://")?;
            Some(format!("{scheme}://{}", rest.split('/').next()?))
        });
        Self { is_https, origins: asked.into_iter().chain(public).collect() }
    }
}

/// Set on an answer that is not to be compressed: where a secret stands beside what a stranger may choose, its length would tell
/// of the secret.
#[derive(Debug, Clone, Copy)]
pub struct Unpacked;
