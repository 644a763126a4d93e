//! The tokens seen lately, so that a request need not ask the store, or check a signature, to know who is calling.
//!
//! An entry is believed for one second: a token that another process revokes opens nothing after that, nor as soon as the
//! database tells of it (PostgreSQL does), and one that this process revokes opens nothing at once. The book is looked up by the SHA-256 of what was shown, so that the time of a
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
    known: Mutex<Pages>,
    used: Mutex<HashMap<TokenId, OffsetDateTime>>,
}

#[derive(Default)]
struct Pages {
    entries: HashMap<[u8; 32], (Instant, Known)>,
    /// Grows whenever everything is forgotten.
    edition: u64,
}

/// When a look-up began: what it found is not kept if something was revoked here meanwhile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    at: Instant,
    edition: u64,
}

impl TokenBook {
    /// Whose token this is, if that was found out within the last second.
    pub(crate) fn find(&self, hash: &[u8; 32]) -> Option<Known> {
        let (at, known) = self.lock().entries.get(hash).cloned()?;
        (at.elapsed() < BELIEVED).then_some(known)
    }

    /// To be called before a token is looked up.
    pub(super) fn ask(&self) -> Asked {
        Asked { at: Instant::now(), edition: self.lock().edition }
    }

    /// Keeps what a look-up found that began at `asked`.
    pub(super) fn keep(&self, hash: [u8; 32], asked: Asked, known: Known) {
        let mut book = self.lock();
        if book.edition != asked.edition {
            return;
        }
        let entries = &mut book.entries;
        if entries.len() >= MOST && !entries.contains_key(&hash) {
            entries.retain(|_, (at, _)| at.elapsed() < BELIEVED);
            if entries.len() >= MOST {
                entries.clear();
            }
        }
        entries.insert(hash, (asked.at, known));
    }

    /// Forgets everything: a token was revoked here.
    pub(super) fn forget(&self) {
        let mut book = self.lock();
        book.entries.clear();
        book.edition += 1;
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

    fn lock(&self) -> std::sync::MutexGuard<'_, Pages> {
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

#[cfg(test)]
mod tests {
    use axon_store::Scopes;

    use super::*;
    use crate::auth::Caller;
    use crate::auth::caller::Credential;

    fn known() -> Known {
        let source = "entra".parse().unwrap();
        Known::new(Caller { source, scopes: Scopes::ALL, by: Credential::Signed }, None)
    }

    #[tokio::test(start_paused = true)]
    async fn an_entry_is_believed_for_a_second_from_when_it_was_asked_for() {
        let book = TokenBook::default();
        let asked = book.ask();
        tokio::time::advance(Duration::from_millis(600)).await;
        book.keep([1; 32], asked, known());
        assert!(book.find(&[1; 32]).is_some() && book.find(&[2; 32]).is_none());
        tokio::time::advance(Duration::from_millis(400)).await;
        assert!(book.find(&[1; 32]).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_revoked_here_is_gone_at_once_also_for_look_ups_on_their_way() {
        let book = TokenBook::default();
        book.keep([1; 32], book.ask(), known());
        let on_its_way = book.ask();
        book.forget();
        book.keep([2; 32], on_its_way, known());
        assert!(book.find(&[1; 32]).is_none() && book.find(&[2; 32]).is_none());
        book.keep([2; 32], book.ask(), known());
        assert!(book.find(&[2; 32]).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn the_book_and_the_uses_are_bounded() {
        let book = TokenBook::default();
        for n in 0..3 * MOST {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&n.to_be_bytes());
            book.keep(hash, book.ask(), known());
            let mut id = [0; 16];
            id[..8].copy_from_slice(&n.to_be_bytes());
            book.used(TokenId::from_bytes(id), OffsetDateTime::UNIX_EPOCH);
        }
        assert!(book.lock().entries.len() <= MOST);
        assert!(book.take_used().len() <= MOST && book.take_used().is_empty());
    }
}
