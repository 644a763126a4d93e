//! The erasable half of a record: everything that names a person, committed to by a salted digest.

use std::fmt;
use std::str::FromStr;

use axon_model::IdSource;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canonical::{CanonicalError, canonical};
use crate::digest::Digest;

const DOMAIN: &str = "axon.clear.v1";
const SALT_DOMAIN: &str = "axon.salt.v1";

/// 128 bits that keep a commitment from being guessed: names are few, salts are not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt([u8; 16]);

impl Salt {
    /// Draws a salt. Two ids of an [`IdSource`] hold more than 128 random bits; the digest folds them into 16 bytes.
    pub fn draw(ids: &IdSource, now: time::OffsetDateTime) -> Self {
        let (a, b) = (ids.uuid(now), ids.uuid(now));
        let digest = Digest::of(SALT_DOMAIN, &[a.as_bytes(), b.as_bytes()]);
        let mut salt = [0; 16];
        salt.copy_from_slice(&digest.as_bytes()[..16]);
        Self(salt)
    }

    /// The salt with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// The text is not 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a salt: expected 32 lower-case hexadecimal digits")]
pub struct BadSalt;

impl FromStr for Salt {
    type Err = BadSalt;

    fn from_str(text: &str) -> Result<Self, BadSalt> {
        // A digest's parser on a doubled text: the digits are checked in one place.
        let doubled: Digest = format!("{text}{text}").parse().map_err(|_| BadSalt)?;
        let mut salt = [0; 16];
        salt.copy_from_slice(&doubled.as_bytes()[..16]);
        Ok(Self(salt))
    }
}

impl Serialize for Salt {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Salt {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a record says in clear: kept beside it, and erasable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClearPart {
    /// Keeps the commitment from being guessed.
    pub salt: Salt,
    /// The personal fields and texts.
    pub body: Value,
}

impl ClearPart {
    /// The digest that the record carries.
    pub fn commitment(&self) -> Result<Digest, CanonicalError> {
        Ok(Self::commit(&self.salt, &canonical(&self.body)?))
    }

    /// The digest of a salt and a body that is canonical text already.
    pub fn commit(salt: &Salt, canonical_body: &str) -> Digest {
        Digest::of(DOMAIN, &[&salt.0, canonical_body.as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_commitment_depends_on_salt_and_body() {
        let clear =
            |salt: u8, name: &str| ClearPart { salt: Salt::from_bytes([salt; 16]), body: json!({"n": name}) };
        let first = clear(1, "kim").commitment().unwrap();
        assert_eq!(first, clear(1, "kim").commitment().unwrap());
        assert_ne!(first, clear(2, "kim").commitment().unwrap());
        assert_ne!(first, clear(1, "kit").commitment().unwrap());
    }

    #[test]
    fn random_salts_differ() {
        let now = time::OffsetDateTime::UNIX_EPOCH;
        assert_ne!(Salt::draw(&IdSource::Random, now), Salt::draw(&IdSource::Random, now));
    }

    #[test]
    fn a_salt_reads_back_from_its_text() {
        let salt = Salt::from_bytes([0xa7; 16]);
        assert_eq!(salt.to_string().parse(), Ok(salt));
        assert!("a7".parse::<Salt>().is_err());
        assert!("é".repeat(16).parse::<Salt>().is_err());
    }
}
