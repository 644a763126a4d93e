//! Who is trusted, as the configuration says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_identity_token::verifier::NoClient;
use axon_identity_token::{Rule, Verifier};
use axon_model::{Clock, SourceId};
use axon_store::Scopes;
use axon_store::tokens::ClientId;
use time::Duration;

use super::origin::Proxies;

/// How long a token of the token endpoint is accepted, where nothing else is configured.
const ACCESS: Duration = Duration::HOUR;

/// Who is trusted, and how.
#[derive(Debug, Clone)]
pub struct AuthSettings {
    /// Sources whose opaque tokens are not accepted any more, since all of their connectors show signed ones.
    pub signed_only: BTreeSet<SourceId>,
    /// Signed tokens that are accepted as they are.
    pub signed: Vec<(Rule, SourceGrant)>,
    /// Signed tokens that the token endpoint takes for a secret.
    pub federated: Vec<(Rule, Federated)>,
    /// How long a token of the token endpoint is accepted.
    pub access_time: Duration,
    /// The proxies that are believed.
    pub proxies: Proxies,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            signed_only: BTreeSet::new(),
            signed: Vec::new(),
            federated: Vec::new(),
            access_time: ACCESS,
            proxies: Proxies::default(),
        }
    }
}

/// What a signed token gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceGrant {
    /// Whose connector shows it.
    pub source: SourceId,
    /// What it may do.
    pub scopes: Scopes,
}

/// What an assertion is taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Federated {
    /// The client as which it is known.
    pub client: ClientId,
    /// What a token for it gives at most.
    pub grant: SourceGrant,
}

/// The settings, ready for use.
pub struct Trusts {
    pub(crate) signed_only: BTreeSet<SourceId>,
    pub(crate) signed: Verifier<SourceGrant>,
    pub(crate) federated: Verifier<Federated>,
    /// What trusts give, by the client that they make known.
    pub(crate) federated_clients: BTreeMap<ClientId, Vec<SourceGrant>>,
    pub(crate) access_time: Duration,
    pub(crate) proxies: Proxies,
}

impl Trusts {
    /// Makes the settings ready. No issuer is asked for anything before its first token.
    pub fn new(settings: AuthSettings, clock: Arc<dyn Clock>) -> Result<Self, NoClient> {
        let mut federated_clients: BTreeMap<ClientId, Vec<SourceGrant>> = BTreeMap::new();
        for (_, federated) in &settings.federated {
            let grants = federated_clients.entry(federated.client.clone()).or_default();
            grants.push(federated.grant.clone());
        }
        Ok(Self {
            signed_only: settings.signed_only,
            signed: Verifier::new(settings.signed, clock.clone())?,
            federated: Verifier::new(settings.federated, clock)?,
            federated_clients,
            access_time: settings.access_time,
            proxies: settings.proxies,
        })
    }

    /// Whether a trust of the configuration, as it is now, would give such a token.
    pub(crate) fn would_give(&self, client: &ClientId, source: &SourceId, scopes: Scopes) -> bool {
        let mut grants = self.federated_clients.get(client).into_iter().flatten();
        grants.any(|grant| grant.source == *source && scopes.within(grant.scopes))
    }
}
