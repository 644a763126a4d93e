//! The tokens seen lately, so that a request need not ask the store, or check a signature, to know who is calling.
//!
//! An entry is believed for one second: a token that another process revokes opens nothing after that, and one that this
//! process revokes opens nothing at once. The book is looked up by the SHA-256 of what was shown, so that the time of a
//! look-up says nothing about a token that is near a true one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axon_store::TokenId;
use time::OffsetDateTime;
use tokio::time::Instant;

use super::caller::Known;

/// How long an entry is believed: the bound of a revocation between processes.
const BELIEVED: Duration = Duration::from_secs(1);
/// More tokens than any installation has; a flood of wrong ones is not kept at all.
const MOST: usize = 1024;

/// Known tokens by the hash of what was shown.
#[derive(Default)]
pub(crate) struct TokenBook {
    known: Mutex<HashMap<[u8; 32], (Instant, Known)>>,
    used: Mutex<HashMap<TokenId, OffsetDateTime>>,
}

impl TokenBook {
    /// Whose token this is, if that was found out within the last second.
    pub(crate) fn find(&self, hash: &[u8; 32]) -> Option<Known> {
        let (at, known) = self.lock().get(hash).cloned()?;
        (at.elapsed() < BELIEVED).then_some(known)
    }

    /// Keeps what was found out by looking it up at `asked`: the look-up saw nothing later.
    pub(crate) fn keep(&self, hash: [u8; 32], asked: Instant, known: Known) {
        let mut book = self.lock();
        if book.len() >= MOST && !book.contains_key(&hash) {
            book.retain(|_, (at, _)| at.elapsed() < BELIEVED);
            if book.len() >= MOST {
                book.clear();
            }
        }
        book.insert(hash, (asked, known));
    }

    /// Forgets everything: a token was revoked here.
    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    /// Notes that a token was used. A bearer's uses are noted when it is looked up, so once a second at most.
    pub(super) fn used(&self, token: TokenId, now: OffsetDateTime) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() < MOST || used.contains_key(&token) {
            used.insert(token, now);
        }
    }

    /// Takes what was noted, to be stored.
    pub(super) fn take_used(&self) -> Vec<(TokenId, OffsetDateTime)> {
        std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner)).into_iter().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], (Instant, Known)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Whether it holds at `now`.
    pub(super) fn holds_at(&self, now: OffsetDateTime) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    pub(super) fn new(caller: super::Caller, until: Option<OffsetDateTime>) -> Self {
        Self { caller: Arc::new(caller), until }
    }
}
