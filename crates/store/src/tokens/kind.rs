//! What a token is for.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::TokenId;

/// What a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind {
    /// A connector shows it with each request.
    Bearer,
    /// The secret of an OAuth client: it opens the token endpoint and nothing else. A client may have several.
    Secret {
        /// The client.
        client: ClientId,
    },
    /// Made by the token endpoint, for a short time. Not journalled: there may be many.
    Access {
        /// For which client, or by which trust of the configuration.
        client: ClientId,
        /// The secret that was shown for it; it ends with it.
        secret: Option<TokenId>,
    },
}

impl TokenKind {
    /// The word in lists and in the store.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::Secret { .. } => "secret",
            Self::Access { .. } => "access",
        }
    }

    /// The OAuth client, where there is one.
    pub const fn client(&self) -> Option<&ClientId> {
        match self {
            Self::Bearer => None,
            Self::Secret { client } | Self::Access { client, .. } => Some(client),
        }
    }
}

/// The name of an OAuth client: 1 to 80 of `A-Z`, `a-z`, `0-9`, `-`, `_`, `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(Arc<str>);

impl ClientId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not a client's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a client's name: 1 to 80 letters, digits, `-`, `_` or `.`")]
pub struct BadClientId;

impl FromStr for ClientId {
    type Err = BadClientId;

    fn from_str(text: &str) -> Result<Self, BadClientId> {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if plain && (1..=80).contains(&text.len()) { Ok(Self(text.into())) } else { Err(BadClientId) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_s_name_needs_no_quoting_anywhere() {
        assert!("entra-prod.1".parse::<ClientId>().is_ok());
        for bad in ["", "a b", "a:b", "a%62", "é", &"a".repeat(81)] {
            assert_eq!(bad.parse::<ClientId>(), Err(BadClientId), "{bad}");
        }
    }
}
