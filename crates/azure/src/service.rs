//! One REST service: its address, its tokens, its pace, and what its refusals mean.

mod fault;

use std::sync::{Arc, Mutex, PoisonError};

use axon_model::Clock;
use axon_reconcile::TokenSource;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};

pub(crate) use fault::{Kind, ServiceFault};

use crate::cloud::Base;
use crate::guid::Guid;
use crate::pace::{Pace, Paces};
use crate::scrub::Scrub;
use crate::token::ResourceToken;
use crate::wire::{Answer, Call, Wire};

/// Where tokens for a service come from.
#[derive(Clone)]
pub struct Bearer {
    source: Arc<dyn TokenSource>,
    own: Option<ResourceToken>,
    paces: Paces,
}

impl Bearer {
    /// Tokens that somebody else makes: a file, a command.
    pub fn from_source(source: Arc<dyn TokenSource>) -> Self {
        Self { source, own: None, paces: Paces::default() }
    }

    /// With the pace that others keep who ask in the name of the same identity.
    #[must_use]
    pub fn at_pace_of(self, paces: Paces) -> Self {
        Self { paces, ..self }
    }
}

impl From<ResourceToken> for Bearer {
    fn from(token: ResourceToken) -> Self {
        let paces = token.paces().clone();
        Self { source: Arc::new(token.clone()), own: Some(token), paces }
    }
}

/// One service.
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) base: Base,
    wire: Wire,
    bearer: Bearer,
    pub(crate) clock: Arc<dyn Clock>,
    /// Shared by all who ask this address in the name of this identity.
    pace: Arc<Pace>,
    own: Mutex<Option<Guid>>,
    told_apart: fn(&crate::wire::Problem) -> (Kind, &'static str),
}

impl Service {
    pub(crate) fn new(
        name: &'static str,
        base: Base,
        wire: Wire,
        bearer: Bearer,
        clock: Arc<dyn Clock>,
        told_apart: fn(&crate::wire::Problem) -> (Kind, &'static str),
    ) -> Self {
        let pace = bearer.paces.of(name, &base);
        Self { name, base, wire, bearer, clock, pace, own: Mutex::default(), told_apart }
    }

    /// Sends a request with a token. A refusal is a fault, whatever the status says.
    pub(crate) async fn call(&self, call: Call<'_>) -> Result<Answer, ServiceFault> {
        if let Some(wait) = self.pace.wait(self.clock.now()) {
            return Err(ServiceFault::Hasty { service: self.name, wait });
        }
        let token = self.bearer.source.token().await.map_err(|e| ServiceFault::NoToken(e.0))?;
        if let Some(own) = object_of(&token) {
            *self.own.lock().unwrap_or_else(PoisonError::into_inner) = Some(own);
        }
        let answer = self.wire.send(call.bearer(&token)).await?;
        if let Some(wait) = self.pace.note(&answer, self.clock.now()) {
            metrics::counter!("axon_azure_throttled_total", "service" => self.name).increment(1);
            return Err(ServiceFault::Hasty { service: self.name, wait });
        }
        let Some(problem) = answer.problem(&Scrub::of([&token])) else { return Ok(answer) };
        if problem.status == 401
            && let Some(own) = &self.bearer.own
        {
            own.refused();
        }
        let (kind, meaning) = (self.told_apart)(&problem);
        Err(ServiceFault::Refused { service: self.name, kind, meaning, problem })
    }

    /// Axon's own object id, as its last token says.
    pub(crate) fn own(&self) -> Option<Guid> {
        *self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request for the page that a link of the service leads to.
    pub(crate) fn link(&self, link: &str) -> Result<Call<'static>, ServiceFault> {
        if link.len() <= 16 * 1024 && self.base.holds(link) {
            return Ok(Call::get(link.to_owned()));
        }
        let text = format!("{} names its next page at another address: it is not followed", self.name);
        Err(ServiceFault::Unreadable(text))
    }
}

/// `oid` of a token: whose it is. Nothing else of it is read.
fn object_of(token: &SecretString) -> Option<Guid> {
    #[derive(serde::Deserialize)]
    struct Claims {
        oid: Option<Guid>,
    }
    let payload = token.expose_secret().split('.').nth(1)?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    claims.oid
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Reply, Server, Static, clock};

    const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJvaWQiOiJhYmMifQ.c2lnbmF0dXJl+LXNpZ25hdHVyZQ";

    #[tokio::test]
    async fn a_bearer_token_that_a_service_repeats_is_not_shown() {
        for said in [TOKEN.to_owned(), crate::wire::encoded(TOKEN), format!("{}{TOKEN}", "x".repeat(570))] {
            for status in [200, 403, 401, 500] {
                let error = serde_json::json!({"code": TOKEN, "message": format!("refused: Bearer {said}")});
                let body = serde_json::json!({ "error": error }).to_string();
                let server = Server::start(move |_| Reply::status(status, &body)).await;
                let now = time::macros::datetime!(2026-11-22 10:00 UTC);
                let (wire, bearer) = (Wire::new().unwrap(), Static::bearer_of(TOKEN));
                let base = server.base().clone();
                let service = Service::new("It", base, wire, bearer, clock(now), |_| (Kind::Other, ""));
                let fault = service.call(Call::get(service.base.at("/x"))).await.unwrap_err();
                let told = format!("{fault} {fault:?} {}", fault.refusal().message);
                assert!(told.contains("refused: Bearer ") && told.contains(" (a secret)"), "{told}");
                assert!(!told.contains("eyJ") && !told.contains("c2ln"), "{told}");
            }
        }
    }
}
