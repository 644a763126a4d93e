//! `/ServiceProviderConfig`, `/Schemas`, `/ResourceTypes` (RFC 7644 section 4).

use axon_scim::ScimError;
use axon_scim::discovery::{self, AuthenticationScheme, ServiceProviderConfig};
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::bulk::MAX_OPERATIONS;
use super::page::{DEFAULT_RESULTS, MAX_RESULTS};
use super::segment::Segment;
use crate::call::Call;
use crate::layers::Admitted;
use crate::reply::{Refused, scim_json};
use crate::state::Api;

/// RFC 7644 section 4: a filter on discovery is forbidden.
fn no_filter(call: &Call) -> Result<(), ScimError> {
    if call.query.filter.is_some() {
        return Err(ScimError::forbidden("discovery endpoints take no filter"));
    }
    Ok(())
}

/// What this server can do, for this source.
pub async fn config(call: Call, Extension(admitted): Extension<Admitted>) -> Result<Response, Refused> {
    let mut authentication = vec![AuthenticationScheme::BEARER];
    if call.profile.basic_token {
        authentication.push(AuthenticationScheme::BASIC);
    }
    let config = ServiceProviderConfig {
        bulk: Some((MAX_OPERATIONS as u64, admitted.body_bytes as u64)),
        max_results: MAX_RESULTS as u64,
        sort: true,
        etag: true,
        cursor: Some(DEFAULT_RESULTS as u64),
        authentication,
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
