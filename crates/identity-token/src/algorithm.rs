//! The signatures that are taken: public keys only. `none` and shared secrets (HS256 and the like) are no choice.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a token is signed (RFC 7518 section 3.1, RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Algorithm {
    /// RSA, PKCS #1 version 1.5, SHA-256.
    Rs256,
    /// The same with SHA-384.
    Rs384,
    /// The same with SHA-512.
    Rs512,
    /// RSA, PSS, SHA-256.
    Ps256,
    /// The same with SHA-384.
    Ps384,
    /// The same with SHA-512.
    Ps512,
    /// ECDSA on P-256, SHA-256.
    Es256,
    /// ECDSA on P-384, SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

/// All of them.
pub const ALL: [Algorithm; 9] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
];

/// What is taken where a rule names none: what Entra ID, Okta and the CI services sign with.
pub const USUAL: [Algorithm; 2] = [Algorithm::Rs256, Algorithm::Es256];

impl Algorithm {
    /// The name in a header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    pub(crate) const fn inner(self) -> jsonwebtoken::Algorithm {
        use jsonwebtoken::Algorithm as Inner;
        match self {
            Self::Rs256 => Inner::RS256,
            Self::Rs384 => Inner::RS384,
            Self::Rs512 => Inner::RS512,
            Self::Ps256 => Inner::PS256,
            Self::Ps384 => Inner::PS384,
            Self::Ps512 => Inner::PS512,
            Self::Es256 => Inner::ES256,
            Self::Es384 => Inner::ES384,
            Self::EdDsa => Inner::EdDSA,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name is not one of the algorithms that are taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a signature by a public key: one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA"
)]
pub struct BadAlgorithm(String);

impl FromStr for Algorithm {
    type Err = BadAlgorithm;

    /// Exactly as a header spells it: names are compared with case (RFC 7515 section 4.1.1).
    fn from_str(text: &str) -> Result<Self, BadAlgorithm> {
        let known = ALL.into_iter().find(|a| a.as_str() == text);
        known.ok_or_else(|| BadAlgorithm(text.chars().take(40).collect()))
    }
}

impl TryFrom<String> for Algorithm {
    type Error = BadAlgorithm;

    fn try_from(text: String) -> Result<Self, BadAlgorithm> {
        text.parse()
    }
}

impl From<Algorithm> for String {
    fn from(algorithm: Algorithm) -> Self {
        algorithm.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_none_nor_a_shared_secret_can_be_named() {
        for bad in ["none", "None", "HS256", "HS384", "HS512", "rs256", "ES512", ""] {
            assert!(bad.parse::<Algorithm>().is_err(), "{bad}");
        }
        for good in ALL {
            assert_eq!(good.as_str().parse(), Ok(good));
        }
    }
}
