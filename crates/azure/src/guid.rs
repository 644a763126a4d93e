//! Ids of Entra and Azure, and names of rows that are made from what the rows say.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use axon_reconcile::Sid;
use uuid::Uuid;

/// A GUID as Azure writes it: hyphens, small letters. Compares without case, as Azure does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(Uuid);

/// The text is not a GUID with hyphens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a GUID")]
pub struct BadGuid;

/// The namespace of the names that Axon gives to rows: it tells them from other tools' names, and must never change.
const ROWS: Uuid = Uuid::from_u128(0x6b1d_52c0_9f0a_5b5e_8d6f_3f1c_8a41_7e21);

impl Guid {
    /// The GUID with these bits.
    pub const fn from_u128(bits: u128) -> Self {
        Self(Uuid::from_u128(bits))
    }

    /// The name of a row (RFC 9562, section 5.5, version 5) over what makes it unique, letter case apart. The scope belongs to it:
    /// names of role assignments are unique in the whole tenant.
    pub fn of_row(parts: &[&str]) -> Self {
        let mut bytes = ROWS.as_bytes().to_vec();
        for part in parts {
            bytes.extend_from_slice(part.to_ascii_lowercase().as_bytes());
            // No two lists of parts make one text.
            bytes.push(0);
        }
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &bytes);
        let mut head = [0; 16];
        head.copy_from_slice(&hash.as_ref()[..16]);
        Self(uuid::Builder::from_sha1_bytes(head).into_uuid())
    }

    /// The security id that a pool shows for the object.
    pub fn sid(self) -> Option<Sid> {
        Sid::from_object_id(&self.to_string())
    }

    /// The GUID behind a security id of 16 bytes: the first three fields are turned.
    pub fn of_sid(sid: &Sid) -> Option<Self> {
        let mut bytes: [u8; 16] = sid.as_bytes().try_into().ok()?;
        bytes[0..4].reverse();
        bytes[4..6].reverse();
        bytes[6..8].reverse();
        Some(Self(Uuid::from_bytes(bytes)))
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl FromStr for Guid {
    type Err = BadGuid;

    fn from_str(text: &str) -> Result<Self, BadGuid> {
        if text.len() != 36 {
            return Err(BadGuid);
        }
        Uuid::try_parse(text).map(Self).map_err(|_| BadGuid)
    }
}

impl serde::Serialize for Guid {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Guid {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_has_one_spelling_and_turns_into_a_sid_and_back() {
        let guid: Guid = "01234567-89AB-cdef-0123-456789abcdef".parse().unwrap();
        assert_eq!(guid.to_string(), "01234567-89ab-cdef-0123-456789abcdef");
        let sid = guid.sid().unwrap();
        assert_eq!(sid.to_string(), "0x67452301AB89EFCD0123456789ABCDEF");
        assert_eq!(Guid::of_sid(&sid), Some(guid));
        for bad in ["", "0123456789abcdef0123456789abcdef", "{01234567-89ab-cdef-0123-456789abcdef}"] {
            assert_eq!(bad.parse::<Guid>(), Err(BadGuid), "{bad}");
        }
    }

    #[test]
    fn a_row_s_name_follows_from_its_parts_and_their_places() {
        let name = Guid::of_row(&["/subscriptions/A", "role", "principal"]);
        assert_eq!(name, Guid::of_row(&["/SUBSCRIPTIONS/a", "ROLE", "principal"]));
        assert_ne!(name, Guid::of_row(&["/subscriptions/B", "role", "principal"]));
        assert_ne!(Guid::of_row(&["ab", "c"]), Guid::of_row(&["a", "bc"]));
        let text = name.to_string();
        assert_eq!((&text[14..15], text.len()), ("5", 36), "{text}");
        assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"), "{text}");
    }
}
