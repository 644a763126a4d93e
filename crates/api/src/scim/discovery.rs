//! `/ServiceProviderConfig`, `/Schemas`, `/ResourceTypes` (RFC 7644 section 4).

use axon_scim::ScimError;
use axon_scim::discovery::{self, ServiceProviderConfig};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::MAX_RESULTS;
use super::segment::Segment;
use crate::call::Call;
use crate::reply::{Refused, scim_json};
use crate::state::Api;

/// RFC 7644 section 4: a filter on discovery is forbidden.
fn no_filter(call: &Call) -> Result<(), ScimError> {
    if call.query.filter.is_some() {
        return Err(ScimError::forbidden("discovery endpoints take no filter"));
    }
    Ok(())
}

/// What this server can do.
pub async fn config(call: Call) -> Result<Response, Refused> {
    let config = ServiceProviderConfig {
        etag: true,
        max_results: MAX_RESULTS as u64,
        ..ServiceProviderConfig::default()
    };
    Ok(scim_json(StatusCode::OK, &config.render(&call.base)))
}

/// All schemas.
pub async fn schemas(State(api): State<Api>, call: Call) -> Result<Response, Refused> {
    no_filter(&call)?;
    Ok(scim_json(StatusCode::OK, &discovery::schemas(&api.registry, &call.base)))
}

/// One schema.
pub async fn schema(State(api): State<Api>, call: Call, Segment(urn): Segment) -> Result<Response, Refused> {
    let schema = discovery::schema(&api.registry, &call.base, &urn)
        .ok_or_else(|| ScimError::not_found("there is no schema with this URN; GET /Schemas lists them"))?;
    Ok(scim_json(StatusCode::OK, &schema))
}

/// All resource types.
pub async fn resource_types(State(api): State<Api>, call: Call) -> Result<Response, Refused> {
    no_filter(&call)?;
    Ok(scim_json(StatusCode::OK, &discovery::resource_types(&api.registry, &call.base)))
}

/// One resource type.
pub async fn resource_type(
    State(api): State<Api>,
    call: Call,
    Segment(name): Segment,
) -> Result<Response, Refused> {
    let kind = discovery::resource_type(&api.registry, &call.base, &name).ok_or_else(|| {
        ScimError::not_found("there is no resource type of this name; GET /ResourceTypes lists them")
    })?;
    Ok(scim_json(StatusCode::OK, &kind))
}
