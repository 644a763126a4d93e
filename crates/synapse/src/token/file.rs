//! A token in a file that somebody else keeps fresh.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use axon_model::Clock;
use axon_reconcile::TokenSource;
use axon_reconcile::target::TokenError;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::AsyncReadExt as _;

use super::{MOST_BYTES, jwt, token_in};

/// A file that holds one token. It is read each time, so whoever keeps it fresh need tell nobody.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    clock: Arc<dyn Clock>,
}

impl TokenFile {
    /// The token in the file at `path`.
    pub fn new(path: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self { path, clock }
    }
}

#[async_trait]
impl TokenSource for TokenFile {
    async fn token(&self) -> Result<SecretString, TokenError> {
        let from = format!("the token file {}", self.path.display());
        let file = tokio::fs::File::open(&self.path).await.map_err(|e| TokenError(format!("{from}: {e}")))?;
        let mut bytes = Vec::with_capacity(8 * 1024);
        // One more than is taken, and room for a line end, so that too much is seen as such.
        let most = u64::try_from(MOST_BYTES + 16).unwrap_or(u64::MAX);
        file.take(most).read_to_end(&mut bytes).await.map_err(|e| TokenError(format!("{from}: {e}")))?;
        let token = token_in(bytes, &from)?;
        match jwt::expiry(token.expose_secret()) {
            Some(expiry) if expiry <= self.clock.now() => {
                Err(TokenError(format!("{from} holds a token that expired at {expiry}")))
            }
            Some(_) | None => Ok(token),
        }
    }
}

#[cfg(test)]
mod tests {
    use axon_model::ManualClock;
    use time::OffsetDateTime;

    use super::*;

    const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJleHAiOjE3OTAwMDAwMDAsInVwbiI6ImtpbUBhY21lLmNvbSJ9.";

    fn at(seconds: i64) -> Arc<ManualClock> {
        Arc::new(ManualClock::at(OffsetDateTime::from_unix_timestamp(seconds).unwrap()))
    }

    struct Temporary(PathBuf);

    impl Temporary {
        fn new(name: &str, content: &str) -> Self {
            let path = std::env::temp_dir().join(format!("axon-synapse-{name}-{}", std::process::id()));
            std::fs::write(&path, content).unwrap();
            Self(path)
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[tokio::test]
    async fn the_file_is_read_each_time() {
        let file = Temporary::new("fresh", "one\n");
        let source = TokenFile::new(file.0.clone(), at(0));
        assert_eq!(source.token().await.unwrap().expose_secret(), "one");
        std::fs::write(&file.0, "two").unwrap();
        assert_eq!(source.token().await.unwrap().expose_secret(), "two");
    }

    #[tokio::test]
    async fn an_expired_token_and_a_missing_file_are_named_without_the_token() {
        let file = Temporary::new("old", TOKEN);
        assert!(TokenFile::new(file.0.clone(), at(1_789_999_999)).token().await.is_ok());
        let error = TokenFile::new(file.0.clone(), at(1_790_000_000)).token().await.unwrap_err().to_string();
        assert!(error.contains("expired at 2026-") && !error.contains("eyJ"), "{error}");
        let error = TokenFile::new("/nowhere/t".into(), at(0)).token().await.unwrap_err().to_string();
        assert!(error.starts_with("the token file /nowhere/t: "), "{error}");
    }
}
