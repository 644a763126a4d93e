//! Reading an issuer's documents: no redirects, bounded in size and time.

use std::time::Duration;

use reqwest::redirect::Policy;
use serde_json::Value;

use crate::address::{Address, BadAddress};
use crate::issuer::{Issuer, KeysAt};
use crate::key::KeySet;

/// The largest document, bytes. Entra's key set has about 20,000.
const MAX_BYTES: usize = 512 * 1024;
const CONNECT: Duration = Duration::from_secs(3);
const WHOLE: Duration = Duration::from_secs(8);

/// Why an issuer's keys could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("{address} does not answer")]
    Unreachable {
        address: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("{address} answers {status}")]
    Status { address: String, status: u16 },
    #[error("{address} answers more than {MAX_BYTES} bytes")]
    TooLarge { address: String },
    #[error("{address} answers something that is not a {wanted}")]
    NotOne { address: String, wanted: &'static str },
    #[error("{address} is the document of another issuer")]
    OtherIssuer { address: String },
    #[error("{address} names its keys at a place that is not taken")]
    KeysElsewhere {
        address: String,
        #[source]
        source: BadAddress,
    },
    #[error("no client for https")]
    Client(#[source] reqwest::Error),
}

#[derive(Clone)]
pub(crate) struct Fetcher(reqwest::Client);

impl Fetcher {
    pub(crate) fn new() -> Result<Self, FetchError> {
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .pool_max_idle_per_host(1)
            .referer(false)
            .user_agent(concat!("axon/", env!("CARGO_PKG_VERSION")))
            .build();
        client.map(Self).map_err(FetchError::Client)
    }

    /// The keys that an issuer shows now.
    pub(crate) async fn keys(&self, issuer: &Issuer) -> Result<KeySet, FetchError> {
        let at = match &issuer.keys {
            KeysAt::Jwks(at) => at.clone(),
            KeysAt::Discovery(at) => {
                let document = self.json(at).await?;
                if document.get("issuer").and_then(Value::as_str) != Some(issuer.name.as_str()) {
                    return Err(FetchError::OtherIssuer { address: at.to_string() });
                }
                let keys = document.get("jwks_uri").and_then(Value::as_str);
                let keys = keys.ok_or_else(|| not_one(at, "discovery document"))?;
                at.follow(keys)
                    .map_err(|source| FetchError::KeysElsewhere { address: at.to_string(), source })?
            }
        };
        let set = KeySet::read(&self.json(&at).await?).filter(|set| !set.is_empty());
        set.ok_or_else(|| not_one(&at, "set of usable keys"))
    }

    async fn json(&self, at: &Address) -> Result<Value, FetchError> {
        let lost = |source: reqwest::Error| FetchError::Unreachable {
            address: at.to_string(),
            source: source.without_url(),
        };
        let request = self.0.get(at.url().clone()).header("accept", "application/json");
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(FetchError::Status { address: at.to_string(), status });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(FetchError::TooLarge { address: at.to_string() });
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|_| not_one(at, "JSON document"))
    }
}

fn not_one(at: &Address, wanted: &'static str) -> FetchError {
    FetchError::NotOne { address: at.to_string(), wanted }
}
