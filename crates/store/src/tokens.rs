//! Bearer tokens of sources: kept as SHA-256 of 256 random bits, so that a stolen store lets nobody in.

mod kind;
mod mint;
mod scopes;

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use axon_model::SourceId;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use time::OffsetDateTime;

use crate::context::Act;
use crate::error::StoreError;

pub use kind::{BadClientId, ClientId, TokenKind};
pub use mint::Minted;
pub use scopes::{BadScopes, Scopes};

/// The id of a token: what people name it by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId([u8; 16]);

impl TokenId {
    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({self})")
    }
}

/// The text is not 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a token id: expected 32 hexadecimal digits")]
pub struct BadTokenId;

impl FromStr for TokenId {
    type Err = BadTokenId;

    fn from_str(text: &str) -> Result<Self, BadTokenId> {
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(BadTokenId);
        }
        u128::from_str_radix(text, 16).map(|n| Self(n.to_be_bytes())).map_err(|_| BadTokenId)
    }
}

/// SHA-256 of a token. Shown as nothing, compared in constant time.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a token as the client shows it.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// The hash with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be stored.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What a store looks candidates up by: the first eight bytes. The rest is compared with [`TokenHash::same`], so that the
    /// time of a look-up says nothing about it.
    pub fn prefix(&self) -> &[u8] {
        &self.0[..8]
    }

    /// Whether the two are one, in constant time.
    pub fn same(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// A token to be kept.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Whose.
    pub source: SourceId,
    /// Its hash.
    pub hash: TokenHash,
    /// What people call it.
    pub label: String,
    /// The first instant at which it is no longer accepted.
    pub expires: Option<OffsetDateTime>,
    /// What it may do.
    pub scopes: Scopes,
    /// What it is for.
    pub kind: TokenKind,
}

impl NewToken {
    /// A connector's token that may do everything and never ends.
    pub fn bearer(source: SourceId, hash: TokenHash, label: impl Into<String>) -> Self {
        Self {
            source,
            hash,
            label: label.into(),
            expires: None,
            scopes: Scopes::ALL,
            kind: TokenKind::Bearer,
        }
    }
}

/// A token that is kept, without its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// Whose.
    pub source: SourceId,
    /// What people call it.
    pub label: String,
    /// When it was made.
    pub created: OffsetDateTime,
    /// The first instant at which it is no longer accepted.
    pub expires: Option<OffsetDateTime>,
    /// When it was revoked.
    pub revoked: Option<OffsetDateTime>,
    /// What it may do.
    pub scopes: Scopes,
    /// What it is for.
    pub kind: TokenKind,
    /// When it was used last, as far as that was written: a minute late at most.
    pub last_used: Option<OffsetDateTime>,
}

impl Token {
    /// Whether it opens the door at `now`.
    pub fn accepted_at(&self, now: OffsetDateTime) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|until| now < until)
    }
}

/// The tokens.
#[async_trait]
pub trait TokenStore: Send + Sync {
    /// Keeps a token, and records that. An access token is not recorded, drops those that have ended, and ends the oldest of
    /// its client beyond [`LIVE_ACCESS_TOKENS`]; one for a secret that does not live any more comes back revoked.
    async fn add_token(&self, token: NewToken, act: Act) -> Result<Token, StoreError>;

    /// All tokens, revoked ones too, oldest first.
    async fn tokens(&self) -> Result<Vec<Token>, StoreError>;

    /// Revokes a token, with the access tokens that were given for it, and records that. False where there is none, or it was revoked before.
    async fn revoke_token(&self, id: TokenId, act: Act) -> Result<bool, StoreError>;

    /// The token of a hash, revoked and expired ones too: ask [`Token::accepted_at`].
    async fn find_token(&self, hash: &TokenHash) -> Result<Option<Token>, StoreError>;

    /// Notes when tokens were used last. An earlier instant than the one that is known changes nothing.
    async fn touch_tokens(&self, used: Vec<(TokenId, OffsetDateTime)>) -> Result<(), StoreError>;
}

/// How many access tokens of one client are accepted at once.
pub const LIVE_ACCESS_TOKENS: usize = 256;

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_hash_is_never_shown_and_compares_whole() {
        let (a, b) = (TokenHash::of("a"), TokenHash::of("b"));
        assert!(a.same(&TokenHash::of("a")) && !a.same(&b));
        assert_eq!(format!("{a:?}"), "TokenHash(…)");
        let mut near = *a.as_bytes();
        near[31] ^= 1;
        assert!(!a.same(&TokenHash::from_bytes(near)));
    }

    #[test]
    fn an_id_reads_back_from_its_text() {
        let id = TokenId::from_bytes([0xa7; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "+7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7", "a7"] {
            assert_eq!(bad.parse::<TokenId>(), Err(BadTokenId), "{bad}");
        }
    }

    #[test]
    fn a_revoked_or_expired_token_is_not_accepted() {
        let mut token = Token {
            id: TokenId::from_bytes([0; 16]),
            source: "entra".parse().unwrap(),
            label: String::new(),
            created: datetime!(2026-01-01 00:00 UTC),
            expires: Some(datetime!(2026-02-01 00:00 UTC)),
            revoked: None,
            scopes: Scopes::ALL,
            kind: TokenKind::Bearer,
            last_used: None,
        };
        assert!(token.accepted_at(datetime!(2026-01-31 23:59:59 UTC)));
        assert!(!token.accepted_at(datetime!(2026-02-01 00:00 UTC)));
        token.revoked = Some(datetime!(2026-01-02 00:00 UTC));
        assert!(!token.accepted_at(datetime!(2026-01-03 00:00 UTC)));
    }
}
