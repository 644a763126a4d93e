//! The tokens seen lately, so that a request need not ask the store who is calling.
//!
//! An entry is believed for one second: a token that another process revokes opens nothing after that. The book is looked up
//! by the SHA-256 of what was shown, so that the time of a look-up says nothing about a token that is near a true one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axon_store::{Store, StoreError, Token, TokenHash};
use tokio::time::Instant;

const BELIEVED: Duration = Duration::from_secs(1);
/// More tokens than any installation has; a flood of wrong ones cannot grow the book past it.
const MOST: usize = 1024;

/// When a token was looked up, and what the store said.
type Entry = (Instant, Arc<Token>);

/// Known tokens by the hash of what was shown.
#[derive(Default)]
pub struct TokenBook(Mutex<HashMap<[u8; 32], Entry>>);

impl TokenBook {
    /// The token that was shown, if the store knows it. Only known ones are kept: a guess costs one look-up each time.
    pub async fn find(&self, store: &dyn Store, shown: &str) -> Result<Option<Arc<Token>>, StoreError> {
        let hash = TokenHash::of(shown);
        let now = Instant::now();
        if let Some((at, token)) = self.book().get(hash.as_bytes())
            && now.duration_since(*at) < BELIEVED
        {
            return Ok(Some(token.clone()));
        }
        let found = store.find_token(&hash).await?.map(Arc::new);
        let mut book = self.book();
        match &found {
            Some(token) => {
                if book.len() >= MOST {
                    book.clear();
                }
                book.insert(*hash.as_bytes(), (now, token.clone()));
            }
            None => {
                book.remove(hash.as_bytes());
            }
        }
        Ok(found)
    }

    fn book(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
