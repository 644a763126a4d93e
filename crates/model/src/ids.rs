//! Typed ids. One macro makes them, so that a user's id never stands where a group's is wanted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {kind}")]
pub struct IdError {
    /// The kind of id that was wanted.
    pub kind: &'static str,
    /// The text that was given, cut to 80 characters.
    pub text: String,
}

impl IdError {
    fn new(kind: &'static str, text: &str) -> Self {
        Self { kind, text: text.chars().take(80).collect() }
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The id with these bits.
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The bits of this id.
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.as_hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                // Only the hyphenated form: one id has one spelling (letters compare without case).
                if text.len() != 36 {
                    return Err(IdError::new($kind, text));
                }
                Uuid::try_parse(text).map(Self).map_err(|_| IdError::new($kind, text))
            }
        }
    };
}

uuid_id!(
    /// A user of one source, as this service names it: the SCIM `id`.
    UserId, "user id"
);
uuid_id!(
    /// A group of one source, as this service names it: the SCIM `id`.
    GroupId, "group id"
);
uuid_id!(
    /// One tick's work on one target.
    RunId, "run id"
);
uuid_id!(
    /// One plan.
    PlanId, "plan id"
);
uuid_id!(
    /// Something that waits for a person's release.
    HoldId, "hold id"
);
uuid_id!(
    /// Something that was asked for beside the role map.
    AccessRequestId, "access request id"
);
uuid_id!(
    /// One record of the journal, known before its position is.
    RecordId, "record id"
);

/// A source's name, as the configuration spells it: 1 to 40 of `a-z`, `0-9`, `-`, `_`, beginning with a letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SourceId(std::sync::Arc<str>);

impl SourceId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SourceId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut chars = text.chars();
        let first = chars.next().is_some_and(|c| c.is_ascii_lowercase());
        let rest = chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
        if first && rest && text.len() <= 40 {
            Ok(Self(text.into()))
        } else {
            Err(IdError::new("source name", text))
        }
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SourceId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The id of one HTTP request: ours, or the caller's `X-Request-Id` where it is 1 to 128 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct RequestId(std::sync::Arc<str>);

impl RequestId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RequestId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let visible = text.bytes().all(|b| (0x21..=0x7e).contains(&b));
        if visible && (1..=128).contains(&text.len()) {
            Ok(Self(text.into()))
        } else {
            Err(IdError::new("request id", text))
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RequestId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A record's position in the journal: 1, 2, 3 … without a gap, in the order of commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordSeq(pub u64);

impl RecordSeq {
    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for RecordSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A role map's version: the SHA-256 of its text, in hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MapVersion(pub std::sync::Arc<str>);

impl fmt::Display for MapVersion {
    /// The first twelve digits, as people quote it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get(..12).unwrap_or(&self.0))
    }
}

/// Where new ids come from. Production draws randomness from the system; tests count.
#[derive(Debug)]
pub enum IdSource {
    /// Random bits from the operating system.
    Random,
    /// A counter that starts here, for tests.
    Counting(std::sync::atomic::AtomicU64),
}

impl IdSource {
    /// A counter for tests.
    pub fn counting() -> Self {
        Self::Counting(std::sync::atomic::AtomicU64::new(1))
    }

    /// A UUIDv7 whose time part is `now`.
    pub fn uuid(&self, now: time::OffsetDateTime) -> Uuid {
        let millis = u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
        let mut bytes = [0_u8; 10];
        match self {
            Self::Random => {
                // A version 4 UUID has fixed bits in bytes 6 and 8; each one is a call into the kernel, so one must do.
                let random = Uuid::new_v4();
                let random = random.as_bytes();
                bytes[..6].copy_from_slice(&random[..6]);
                bytes[6] = random[7];
                bytes[7..].copy_from_slice(&random[9..12]);
            }
            Self::Counting(n) => {
                let n = n.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                bytes[2..].copy_from_slice(&n.to_be_bytes());
            }
        }
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id: UserId = "018f3a00-0000-7000-8000-000000000001".parse().unwrap();
        assert_eq!(id.to_string(), "018f3a00-0000-7000-8000-000000000001");
        for bad in ["", "018f3a00000070008000000000000001", "{018f3a00-0000-7000-8000-000000000001}", "x"] {
            assert!(bad.parse::<UserId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_source_name_is_plain() {
        assert!("entra".parse::<SourceId>().is_ok());
        for bad in ["", "Entra", "1x", "a b", "a/b", &"a".repeat(41)] {
            assert!(bad.parse::<SourceId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_request_id_from_outside_cannot_hold_line_breaks() {
        assert!("abc-1".parse::<RequestId>().is_ok());
        for bad in ["", "a b", "a\nb", "é", &"a".repeat(129)] {
            assert!(bad.parse::<RequestId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn random_ids_differ_and_carry_the_time() {
        let now = time::macros::datetime!(2026-11-22 00:00 UTC);
        let (a, b) = (IdSource::Random.uuid(now), IdSource::Random.uuid(now));
        assert_ne!(a, b);
        assert_eq!(a.get_version_num(), 7);
        assert_eq!(a.as_bytes()[..6], b.as_bytes()[..6]);
    }
}
