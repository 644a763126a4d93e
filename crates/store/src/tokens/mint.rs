//! Making tokens.

use axon_model::IdSource;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use super::TokenHash;

/// A token that was just made. Its text is shown once, to whom it is for.
pub struct Minted(String);

impl Minted {
    /// A token of 256 random bits behind a prefix, by which secret scanners and people tell what it is.
    pub fn new(prefix: &str, ids: &IdSource, now: OffsetDateTime) -> Self {
        // Each UUID carries 74 random bits of the system's; the hash of eight keeps 256 of 592.
        let mut random = Sha256::new();
        for _ in 0..8 {
            random.update(ids.uuid(now).as_bytes());
        }
        Self(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random.finalize())))
    }

    /// The token itself.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl std::fmt::Debug for Minted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Minted(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_differ_and_are_not_shown() {
        let now = time::macros::datetime!(2026-11-22 08:00 UTC);
        let make = || Minted::new("axon_", &IdSource::Random, now);
        let (a, b) = (make(), make());
        assert_ne!(a.text(), b.text());
        assert_eq!((a.text().len(), &a.text()[..5]), (48, "axon_"));
        assert_eq!(format!("{a:?}"), "Minted(…)");
        assert!(a.hash().same(&TokenHash::of(a.text())));
    }
}
