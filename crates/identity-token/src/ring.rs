//! An issuer's keys, kept and renewed.
//!
//! Keys that are an hour old are read again beside the request that notices; keys that could not be read again serve for half a
//! day, so that an issuer's outage locks nobody out. A `kid` that is not there is looked for once more at the issuer, at most
//! every ten seconds, whoever invents how many.

use std::sync::{Arc, Mutex, PoisonError};

use jsonwebtoken::DecodingKey;
use time::{Duration, OffsetDateTime};

use axon_model::Clock;

use crate::algorithm::Algorithm;
use crate::fetch::Fetcher;
use crate::issuer::Issuer;
use crate::key::KeySet;
use crate::refusal::Refusal;

/// How old keys may be before they are read again.
const FRESH: Duration = Duration::HOUR;
/// How old keys may be when they cannot be read again.
const USABLE: Duration = Duration::hours(12);
/// The least time between two readings.
const BETWEEN: Duration = Duration::seconds(10);

pub(crate) struct KeyRing {
    pub(crate) issuer: Issuer,
    fetcher: Fetcher,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// One reading at a time; who waits for it takes what it brought.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    keys: Option<(Arc<KeySet>, OffsetDateTime)>,
    tried: Option<OffsetDateTime>,
    /// How many readings went well.
    readings: u64,
}

impl KeyRing {
    pub(crate) fn new(issuer: Issuer, fetcher: Fetcher, clock: Arc<dyn Clock>) -> Self {
        let (state, reading) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { issuer, fetcher, clock, state, reading }
    }

    /// The keys that may have signed a token with this header.
    pub(crate) async fn find(
        self: &Arc<Self>,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Vec<DecodingKey>, Refusal> {
        let owned = |set: &KeySet| set.find(kid, algorithm).into_iter().cloned().collect::<Vec<_>>();
        let before = self.state().readings;
        if let Some((set, age)) = self.kept() {
            let found = owned(&set);
            if age < USABLE && !found.is_empty() {
                if age >= FRESH && self.may_read() {
                    let ring = self.clone();
                    tokio::spawn(async move { ring.read(before).await });
                }
                return Ok(found);
            }
        }
        let has_read = self.read(before).await;
        match self.kept().filter(|(_, age)| *age < USABLE) {
            Some((set, _)) => match owned(&set) {
                found if !found.is_empty() => Ok(found),
                _ if has_read => Err(Refusal::UnknownKey),
                // The issuer may have begun to use it since we last looked.
                _ => Err(Refusal::KeyNotSeen),
            },
            None => Err(Refusal::KeysUnavailable),
        }
    }

    /// Reads the keys, unless that was done a moment ago. Whether what is kept was read after `before` readings.
    async fn read(&self, before: u64) -> bool {
        let _one = self.reading.lock().await;
        if !self.may_read() {
            // Somebody else read them while we waited for the turn.
            return self.state().readings > before;
        }
        self.state().tried = Some(self.clock.now());
        let read = self.fetcher.keys(&self.issuer).await;
        let outcome = if read.is_ok() { "read" } else { "failed" };
        metrics::counter!("axon_issuer_keys_total", "outcome" => outcome).increment(1);
        match read {
            Ok(keys) => {
                let now = self.clock.now();
                let mut state = self.state();
                state.keys = Some((Arc::new(keys), now));
                state.tried = Some(now);
                state.readings += 1;
                true
            }
            Err(error) => {
                let issuer = self.issuer.name.as_str();
                tracing::warn!(
                    issuer,
                    error = &error as &dyn std::error::Error,
                    "an issuer's keys cannot be read"
                );
                false
            }
        }
    }

    fn may_read(&self) -> bool {
        let now = self.clock.now();
        self.state().tried.is_none_or(|at| age(at, now) >= BETWEEN)
    }

    fn kept(&self) -> Option<(Arc<KeySet>, Duration)> {
        let now = self.clock.now();
        self.state().keys.as_ref().map(|(set, at)| (set.clone(), age(*at, now)))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A clock that was set back makes things old, never young for ever.
fn age(at: OffsetDateTime, now: OffsetDateTime) -> Duration {
    (now - at).abs()
}
