//! An issuer's keys: a JWK Set (RFC 7517), of which only what can prove something is kept.

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use serde_json::Value;

use crate::algorithm::Algorithm;

/// The most keys of a set.
const MAX_KEYS: usize = 128;
/// RSA keys below 2048 bits can be broken; over 8192 they are a way to make us work.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// The keys of an issuer at one moment.
pub(crate) struct KeySet(Vec<Key>);

struct Key {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    public: DecodingKey,
}

impl KeySet {
    /// Reads a JWK Set. Keys of other kinds are left out: a set may hold what we do not know (RFC 7517 section 5).
    pub(crate) fn read(document: &Value) -> Option<Self> {
        let list = document.get("keys")?.as_array()?;
        Some(Self(list.iter().take(MAX_KEYS).filter_map(Key::read).collect()))
    }

    /// The keys that may have signed. A token without `kid` is proved only by the one key that suits it.
    pub(crate) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Vec<&DecodingKey> {
        let suits = |key: &&Key| key.algorithms.contains(&algorithm);
        if let Some(kid) = kid {
            let named = self.0.iter().filter(suits).filter(|key| key.kid.as_deref() == Some(kid));
            return named.map(|key| &key.public).collect();
        }
        let all: Vec<_> = self.0.iter().filter(suits).map(|key| &key.public).collect();
        if all.len() == 1 { all } else { Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Key {
    fn read(value: &Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
        if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return None;
        }
        let verifies = |op: &Value| op.as_str() == Some("verify");
        if value.get("key_ops").is_some_and(|ops| !ops.as_array().is_some_and(|l| l.iter().any(verifies))) {
            return None;
        }
        let mut algorithms = suited(&jwk.algorithm)?;
        if let Some(only) = value.get("alg") {
            algorithms.retain(|algorithm| only.as_str() == Some(algorithm.as_str()));
        }
        let public = DecodingKey::from_jwk(&jwk).ok()?;
        (!algorithms.is_empty()).then_some(Self { kid: jwk.common.key_id, algorithms, public })
    }
}

/// What a key can verify. A shared secret verifies nothing here.
fn suited(parameters: &AlgorithmParameters) -> Option<Vec<Algorithm>> {
    use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    match parameters {
        AlgorithmParameters::RSA(rsa) => {
            let bytes = rsa.n.len() * 3 / 4;
            RSA_BYTES.contains(&bytes).then(|| vec![Rs256, Rs384, Rs512, Ps256, Ps384, Ps512])
        }
        AlgorithmParameters::EllipticCurve(ec) => match ec.curve {
            EllipticCurve::P256 => Some(vec![Es256]),
            EllipticCurve::P384 => Some(vec![Es384]),
            _ => None,
        },
        AlgorithmParameters::OctetKeyPair(pair) => {
            (pair.curve == EllipticCurve::Ed25519).then(|| vec![EdDsa])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_keys_that_can_prove_something_are_kept() {
        let n = "A".repeat(342) + "E";
        let rsa = |more: Value| {
            let mut key = json!({"kty": "RSA", "kid": "k", "n": n, "e": "AQAB"});
            key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            key
        };
        let found = |key: Value, algorithm| {
            KeySet::read(&json!({"keys": [key]})).unwrap().find(Some("k"), algorithm).len()
        };
        assert_eq!(found(rsa(json!({})), Algorithm::Rs256), 1);
        assert_eq!(found(rsa(json!({"use": "sig", "alg": "RS256"})), Algorithm::Rs256), 1);
        assert_eq!(found(rsa(json!({"alg": "PS256"})), Algorithm::Rs256), 0, "its own algorithm alone");
        assert_eq!(found(rsa(json!({"use": "enc"})), Algorithm::Rs256), 0);
        assert_eq!(found(rsa(json!({"key_ops": ["encrypt"]})), Algorithm::Rs256), 0);
        assert_eq!(found(rsa(json!({"key_ops": ["verify"]})), Algorithm::Rs256), 1);
        assert_eq!(found(rsa(json!({})), Algorithm::Es256), 0);
        assert_eq!(found(rsa(json!({"n": "AQAB"})), Algorithm::Rs256), 0, "far too short");
        let secret = json!({"kty": "oct", "kid": "k", "k": "c2VjcmV0"});
        for algorithm in crate::algorithm::ALL {
            assert_eq!(found(secret.clone(), algorithm), 0, "a shared secret in a public document is none");
        }
        assert_eq!(found(json!({"kty": "new", "kid": "k"}), Algorithm::Rs256), 0);
        assert!(KeySet::read(&json!({"keys": 7})).is_none());
    }

    #[test]
    fn without_a_kid_one_suitable_key_alone_counts() {
        let key = json!({"kty": "RSA", "n": "A".repeat(342) + "E", "e": "AQAB"});
        let set = |n: usize| KeySet::read(&json!({"keys": vec![key.clone(); n]})).unwrap();
        assert_eq!(set(1).find(None, Algorithm::Rs256).len(), 1);
        assert_eq!(set(2).find(None, Algorithm::Rs256).len(), 0);
        assert_eq!(set(1).find(Some("k"), Algorithm::Rs256).len(), 0);
    }
}
