//! Tokens that are kept: one per resource, renewed ahead, never two requests for one resource at the same time.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axon_model::{Clock, IdSource};
use axon_reconcile::TokenSource;
use axon_reconcile::target::TokenError;
use secrecy::SecretString;
use time::OffsetDateTime;

use super::exchange::{self, Application, Shown};
use super::fault::TokenFault;
use super::identity::{Identity, Platform};
use super::managed;
use super::received::{Received, SHORTEST};
use crate::cloud::{Cloud, Resource};
use crate::pace::{Pace, Paces};
use crate::wire::Wire;

/// How long a failed renewal is left alone while the old token holds, and a failure is repeated to those who ask again at once.
const PAUSE: time::Duration = time::Duration::seconds(30);
/// A request that does not end would hold up all who wait for it.
const LONGEST: Duration = Duration::from_secs(45);

/// The tokens of one identity. Cheap to clone; clones share what is kept.
#[derive(Clone)]
pub struct Tokens(Arc<Inner>);

struct Inner {
    identity: Identity,
    platform: Platform,
    cloud: Cloud,
    wire: Wire,
    clock: Arc<dyn Clock>,
    ids: Arc<IdSource>,
    slots: Mutex<HashMap<Resource, Arc<Slot>>>,
    /// How fast the endpoint may be asked: one for all resources.
    pace: Arc<Pace>,
    /// How fast services may be asked with these tokens.
    paces: Paces,
}

#[derive(Default)]
struct Slot {
    /// Whoever holds it asks; the others wait for what comes of it.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Option<Received>,
    /// How many requests have ended.
    ended: u64,
    /// What came of the last one, if that was no token, and when.
    failed: Option<(TokenFault, OffsetDateTime)>,
    renewing: bool,
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({})", self.0.identity)
    }
}

impl Tokens {
    /// The tokens of an identity. Nothing is asked before the first is wanted.
    pub fn new(
        identity: Identity,
        platform: Platform,
        cloud: Cloud,
        wire: Wire,
        clock: Arc<dyn Clock>,
        ids: Arc<IdSource>,
    ) -> Self {
        Self::at_pace_of(identity, platform, cloud, wire, clock, ids, Paces::default())
    }

    /// The same, where others have asked in the name of this identity before: what was said to them of its pace holds.
    pub fn at_pace_of(
        identity: Identity,
        platform: Platform,
        cloud: Cloud,
        wire: Wire,
        clock: Arc<dyn Clock>,
        ids: Arc<IdSource>,
        paces: Paces,
    ) -> Self {
        let pace = match &identity {
            Identity::Managed { .. } => paces.of(managed::ENDPOINT, &cloud.imds),
            _ => paces.of(exchange::ENDPOINT, &cloud.authority),
        };
        let slots = Mutex::default();
        Self(Arc::new(Inner { identity, platform, cloud, wire, clock, ids, slots, pace, paces }))
    }

    /// Who it is.
    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// Tokens for one resource, as a port.
    pub fn of(&self, resource: Resource) -> ResourceToken {
        ResourceToken { tokens: self.clone(), resource }
    }

    fn slot(&self, resource: Resource) -> Arc<Slot> {
        let mut slots = self.0.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry(resource).or_default().clone()
    }

    /// A token that holds for a minute at least.
    pub async fn token(&self, resource: Resource) -> Result<SecretString, TokenFault> {
        let slot = self.slot(resource);
        let before = {
            let now = self.0.clock.now();
            let mut state = slot.state();
            if let Some(kept) = state.kept.clone().filter(|kept| now + SHORTEST < kept.until) {
                let tried = state.failed.as_ref().is_some_and(|(_, at)| now < *at + PAUSE);
                if kept.renew <= now && !state.renewing && !tried {
                    state.renewing = true;
                    let (tokens, slot) = (self.clone(), slot.clone());
                    tokio::spawn(async move { tokens.renew(resource, &slot).await });
                }
                return Ok(kept.token);
            }
            state.ended
        };
        let _turn = slot.turn.lock().await;
        {
            let now = self.0.clock.now();
            let state = slot.state();
            if let Some(kept) = state.kept.as_ref().filter(|kept| now + SHORTEST < kept.until) {
                return Ok(kept.token.clone());
            }
            // Somebody asked while this one waited: the answer is for all who waited.
            if let (true, Some((fault, _))) = (state.ended > before, &state.failed) {
                return Err(fault.clone());
            }
        }
        self.ask(resource, &slot).await
    }

    /// Gives up a token that its resource refused, so that the next one is asked for anew.
    pub fn refused(&self, resource: Resource) {
        self.slot(resource).state().kept = None;
    }

    async fn renew(&self, resource: Resource, slot: &Slot) {
        let _turn = slot.turn.lock().await;
        if let Err(fault) = self.ask(resource, slot).await {
            tracing::warn!(
                error = &fault as &dyn std::error::Error,
                resource = resource.name(),
                "a token could not be renewed ahead: the old one is used while it holds"
            );
        }
        slot.state().renewing = false;
    }

    /// Asks; under the slot's turn only.
    async fn ask(&self, resource: Resource, slot: &Slot) -> Result<SecretString, TokenFault> {
        let asked = tokio::time::timeout(LONGEST, self.received(resource)).await.unwrap_or_else(|_| {
            Err(TokenFault::Unusable(format!("a token for {resource} was not given in time")))
        });
        let mut state = slot.state();
        state.ended += 1;
        let result = match asked {
            Ok(received) => {
                state.failed = None;
                let token = received.token.clone();
                state.kept = Some(received);
                Ok(token)
            }
            Err(fault) => {
                state.failed = Some((fault.clone(), self.0.clock.now()));
                Err(fault)
            }
        };
        let word = if result.is_ok() { "given" } else { "failed" };
        metrics::counter!("axon_azure_tokens_total", "result" => word).increment(1);
        result
    }

    async fn received(&self, resource: Resource) -> Result<Received, TokenFault> {
        let Inner { identity, platform, cloud, wire, clock, ids, pace, .. } = &*self.0;
        let now = clock.now();
        if let Some(wait) = pace.wait(now) {
            let managed = matches!(identity, Identity::Managed { .. });
            let endpoint = if managed { managed::ENDPOINT } else { exchange::ENDPOINT };
            return Err(TokenFault::Hasty { endpoint, wait });
        }
        let wire = (wire, pace.as_ref());
        match identity {
            Identity::Managed { client_id } => {
                managed::token(wire, cloud, platform, client_id.as_deref(), resource, now).await
            }
            Identity::Federated { tenant, client_id, token_file } => {
                let assertion = exchange::assertion_in(token_file).await?;
                let who = Application { tenant, client_id };
                exchange::token(wire, cloud, who, Shown::Assertion(assertion), resource, now).await
            }
            Identity::Secret { tenant, client_id, secret } => {
                let who = Application { tenant, client_id };
                exchange::token(wire, cloud, who, Shown::Secret(secret.clone()), resource, now).await
            }
            Identity::Certificate { tenant, client_id, certificate } => {
                let audience = exchange::endpoint(cloud, tenant);
                let assertion = certificate
                    .assertion(&audience, client_id, ids.uuid(now), now)
                    .map_err(|why| TokenFault::Unusable(format!("the certificate cannot be used: {why}")))?;
                let who = Application { tenant, client_id };
                exchange::token(wire, cloud, who, Shown::Assertion(assertion), resource, now).await
            }
        }
    }
}

/// Tokens for one resource.
#[derive(Debug, Clone)]
pub struct ResourceToken {
    tokens: Tokens,
    resource: Resource,
}

impl ResourceToken {
    /// How fast services may be asked with the tokens of its identity.
    pub(crate) fn paces(&self) -> &Paces {
        &self.tokens.0.paces
    }

    /// Gives up a token that its resource refused.
    pub fn refused(&self) {
        self.tokens.refused(self.resource);
    }
}

#[async_trait]
impl TokenSource for ResourceToken {
    async fn token(&self) -> Result<SecretString, TokenError> {
        self.tokens.token(self.resource).await.map_err(|fault| TokenError(fault.to_string()))
    }
}

#[cfg(test)]
mod tests;
