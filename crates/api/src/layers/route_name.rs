//! What metrics, logs and the ledger call the place that a request is for: from a closed set, never the address itself.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;

use super::Admitted;
use crate::routes::Route;

/// The name.
#[derive(Debug, Clone)]
pub enum RouteName {
    /// A line of the table.
    Known(Route),
    /// A pattern of the router beside it.
    Beside(MatchedPath),
    /// There is nothing at this address.
    Nowhere,
}

impl RouteName {
    /// As text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(route) => route.name(),
            Self::Beside(pattern) => pattern.as_str(),
            Self::Nowhere => "none",
        }
    }
}

/// Notes the pattern by which the router beside the table found a handler.
pub async fn note(request: Request, next: Next) -> Response {
    let pattern = request.extensions().get::<MatchedPath>().cloned();
    if let (Some(pattern), Some(admitted)) = (pattern, request.extensions().get::<Admitted>()) {
        // A request has one route.
        let _ = admitted.route.set(RouteName::Beside(pattern));
    }
    next.run(request).await
}
