//! Who calls: an operator, by a bearer token or by the bare key that clients of this API send.

use axon_store::operators::Permission;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};

use super::fault::Fault;
use super::life;
use crate::operators::Operator;
use crate::state::Api;

/// A caller who is known.
pub struct Caller(pub Operator);

impl FromRequestParts<Api> for Caller {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Fault> {
        if let Some(bearer) = bare(parts) {
            parts.headers.insert(header::AUTHORIZATION, bearer);
        }
        // A client of this API waits for itself and not for what its operator does elsewhere.
        let settings = life::settings(api)?;
        Ok(Self(Operator::of(parts, api, &settings.rates).await?))
    }
}

impl Caller {
    /// Refuses who may not look.
    pub fn reads(&self) -> Result<(), Fault> {
        // Who may change them may see them.
        if self.0.may.has(Permission::IntegrationsWrite) {
            return Ok(());
        }
        Ok(self.0.needs(Permission::IntegrationsRead)?)
    }

    /// Refuses who may not change anything.
    pub fn writes(&self) -> Result<(), Fault> {
        Ok(self.0.needs(Permission::IntegrationsWrite)?)
    }
}

/// A single key without a scheme, as a bearer token.
fn bare(parts: &Parts) -> Option<HeaderValue> {
    let mut given = parts.headers.get_all(header::AUTHORIZATION).iter();
    let key = given.next()?.to_str().ok()?.trim();
    if given.next().is_some() || key.is_empty() || key.contains(' ') {
        return None;
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {key}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}
