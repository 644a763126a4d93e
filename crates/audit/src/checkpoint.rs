//! Signed places of the chain. A chain proves that nothing between two records was changed; a signature proves that whoever holds the
//! key saw it end in this record, so that whoever writes the store alone cannot write it anew.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use axon_model::RecordSeq;
use serde::{Deserialize, Serialize};

use crate::chain::Chain;
use crate::digest::Digest;
use crate::payload::Payload;
use crate::record::RecordKind;

const DOMAIN: &[u8] = b"axon.checkpoint.v1\0";
/// Bytes of a public key of Ed25519.
const PUBLIC: usize = 32;

/// The journal was as it is up to a record, says whoever holds a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The last record that is signed.
    pub upto: RecordSeq,
    /// Its hash, which covers all records before it.
    pub head: Digest,
    /// The public key, in hexadecimal digits.
    pub key: String,
    /// The signature of both by Ed25519, in hexadecimal digits.
    pub signature: String,
}

impl Payload for Checkpoint {
    const KIND: RecordKind = RecordKind::Checkpoint;
    type Facts = Self;
    type Clear = ();

    fn split(self) -> (Self, Option<()>) {
        (self, None)
    }
}

/// What is wrong with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// The text is no public key.
    #[error("not a public key: expected 64 hexadecimal digits, as `axon audit key` prints them")]
    Public,
    /// The bytes are no private key.
    #[error("not a private key of Ed25519 in PKCS #8")]
    Private,
    /// This machine gives no random numbers.
    #[error("this machine has no random numbers")]
    NoRandom,
}

/// The key that signs.
pub struct SigningKey(Ed25519KeyPair);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public())
    }
}

impl SigningKey {
    /// A new one, in PKCS #8.
    pub fn draw() -> Result<Vec<u8>, BadKey> {
        let drawn = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| BadKey::NoRandom)?;
        Ok(drawn.as_ref().to_vec())
    }

    /// The key in these bytes.
    pub fn from_pkcs8(bytes: &[u8]) -> Result<Self, BadKey> {
        Ed25519KeyPair::from_pkcs8(bytes).map(Self).map_err(|_| BadKey::Private)
    }

    /// What its signatures are verified with.
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; PUBLIC];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(bytes)
    }

    /// Signs a place of the chain.
    pub fn sign(&self, at: Chain) -> Checkpoint {
        let signature = self.0.sign(&message(at));
        Checkpoint {
            upto: at.seq,
            head: at.hash,
            key: self.public().to_string(),
            signature: hex(signature.as_ref()),
        }
    }
}

/// The key by which an auditor verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; PUBLIC]);

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl std::str::FromStr for PublicKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let bytes = unhex(text.trim()).ok_or(BadKey::Public)?;
        Ok(Self(bytes.try_into().map_err(|_| BadKey::Public)?))
    }
}

impl PublicKey {
    /// Whether this key signed the checkpoint; whether the chain is as it says is not looked at.
    pub fn signed(&self, checkpoint: &Checkpoint) -> bool {
        let at = Chain { seq: checkpoint.upto, hash: checkpoint.head };
        let Some(signature) = unhex(&checkpoint.signature) else { return false };
        UnparsedPublicKey::new(&ED25519, self.0).verify(&message(at), &signature).is_ok()
    }
}

fn message(at: Chain) -> Vec<u8> {
    [DOMAIN, &at.seq.0.to_be_bytes(), at.hash.as_bytes()].concat()
}

fn hex(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    let pairs = text.as_bytes().chunks_exact(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_signed_by_one_key_and_by_no_other() {
        let key = SigningKey::from_pkcs8(&SigningKey::draw().unwrap()).unwrap();
        let other = SigningKey::from_pkcs8(&SigningKey::draw().unwrap()).unwrap();
        let signed = key.sign(Chain { seq: RecordSeq(7), hash: Digest::of("x", &[]) });
        let public: PublicKey = signed.key.parse().unwrap();
        assert_eq!(public, key.public());
        assert!(public.signed(&signed) && !other.public().signed(&signed));
        for altered in [
            Checkpoint { upto: RecordSeq(8), ..signed.clone() },
            Checkpoint { head: Digest::GENESIS, ..signed.clone() },
            Checkpoint { signature: "00".repeat(64), ..signed.clone() },
            Checkpoint { signature: "none".into(), ..signed.clone() },
        ] {
            assert!(!public.signed(&altered), "{altered:?}");
        }
        assert!("0".repeat(63).parse::<PublicKey>().is_err() && "x".repeat(64).parse::<PublicKey>().is_err());
        assert!(!format!("{key:?}").contains(&hex(&SigningKey::draw().unwrap())));
    }
}
