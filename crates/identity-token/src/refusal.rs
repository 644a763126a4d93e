//! Why a token proves nothing.

/// Why a token is refused. It says nothing of the token's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// Not three parts of base64url that hold JSON, or too long.
    #[error("it is not a signed token")]
    NotAToken,
    /// Its type is that of another kind of token (RFC 8725 section 3.11).
    #[error("it is a token of another type")]
    WrongType,
    /// It has extensions that must be understood (RFC 7515 section 4.1.11).
    #[error("it has a critical extension")]
    CriticalExtension,
    /// No rule names its issuer.
    #[error("its issuer is not trusted")]
    UnknownIssuer,
    /// Not signed in a way that the rule takes.
    #[error("its algorithm is not taken")]
    WrongAlgorithm,
    /// The issuer shows no such key.
    #[error("its issuer has no such key")]
    UnknownKey,
    /// The issuer's keys cannot be read now: it may be worth another try.
    #[error("its issuer's keys cannot be read now")]
    KeysUnavailable,
    /// The issuer's keys were read a moment ago and had not this one. It may have come since, or be invented.
    #[error("its issuer showed no such key a moment ago")]
    KeyNotSeen,
    /// The signature is not by that key.
    #[error("its signature does not hold")]
    BadSignature,
    /// It has ended, or does not say when it ends.
    #[error("it has expired")]
    Expired,
    /// It does not hold yet.
    #[error("it does not hold yet")]
    NotYet,
    /// It is for somebody else.
    #[error("it is for another audience")]
    WrongAudience,
    /// A claim does not say what it must.
    #[error("a claim is not as it must be")]
    WrongClaim,
}

impl Refusal {
    /// A word for metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAToken => "not-a-token",
            Self::WrongType => "wrong-type",
            Self::CriticalExtension => "critical-extension",
            Self::UnknownIssuer => "unknown-issuer",
            Self::WrongAlgorithm => "wrong-algorithm",
            Self::UnknownKey => "unknown-key",
            Self::KeysUnavailable => "keys-unavailable",
            Self::KeyNotSeen => "key-not-seen",
            Self::BadSignature => "bad-signature",
            Self::Expired => "expired",
            Self::NotYet => "not-yet",
            Self::WrongAudience => "wrong-audience",
            Self::WrongClaim => "wrong-claim",
        }
    }

    /// Whether the same token may be taken in a moment.
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::KeysUnavailable | Self::KeyNotSeen)
    }

    /// Whether whoever showed the token may have made it up: many of those from one address are answered late.
    pub const fn may_be_a_guess(self) -> bool {
        !matches!(self, Self::KeysUnavailable)
    }
}
