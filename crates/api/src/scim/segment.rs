//! The last segment of an address, decoded.

use axon_scim::ScimError;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::reply::Refused;
use crate::state::Api;

/// An id or a name as the address has it. One that does not decode to UTF-8 names nothing: 404, as for any other.
pub struct Segment(pub String);

impl FromRequestParts<Api> for Segment {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refused> {
        match Path::<String>::from_request_parts(parts, api).await {
            Ok(Path(text)) => Ok(Self(text)),
            Err(_) => {
                Err(ScimError::not_found("the end of this address is not UTF-8, so it names nothing").into())
            }
        }
    }
}
