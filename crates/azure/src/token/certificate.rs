//! An application's certificate: what it signs to prove who it is (RFC 7523; Entra wants `x5t#S256` and PS256).

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PSS_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::SecretString;
use serde_json::json;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// For how long an assertion holds. Entra takes ten minutes at most.
const HOLDS: Duration = Duration::minutes(5);
/// How far Entra's clock may be behind ours.
const BEFORE: Duration = Duration::minutes(1);
/// The shortest key that is taken, bytes of its modulus.
const SHORTEST: usize = 256;

/// Why a certificate cannot be used. Never shows any of the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// No certificate in PEM.
    #[error("it holds no certificate: it must be PEM with a CERTIFICATE and a PRIVATE KEY block")]
    NoCertificate,
    /// No private key in PEM.
    #[error(
        "it holds no private key that is not encrypted: it must be PEM with a CERTIFICATE and a PRIVATE KEY block"
    )]
    NoKey,
    /// The key is no RSA key, or broken.
    #[error("its private key is not an RSA key in PKCS #8 or PKCS #1: Entra takes RSA certificates")]
    NotRsa,
    /// The key is too short.
    #[error("its RSA key has fewer than 2048 bits")]
    TooShort,
}

/// A certificate with its private key. `Debug` shows the thumbprint only.
pub struct Certificate {
    key: KeyPair,
    /// SHA-256 of the certificate, base64url.
    thumbprint: String,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.thumbprint)
    }
}

impl Certificate {
    /// Reads PEM: the first certificate, and the private key.
    pub fn parse(pem: &[u8]) -> Result<Self, CertificateError> {
        let certificate = CertificateDer::from_pem_slice(pem).map_err(|_| CertificateError::NoCertificate)?;
        let key = match PrivateKeyDer::from_pem_slice(pem).map_err(|_| CertificateError::NoKey)? {
            PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(CertificateError::NotRsa),
        };
        let key = key.map_err(|_| CertificateError::NotRsa)?;
        if key.public_modulus_len() < SHORTEST {
            return Err(CertificateError::TooShort);
        }
        let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, &certificate));
        Ok(Self { key, thumbprint })
    }

    /// The SHA-256 thumbprint, base64url: what the portal shows in hexadecimal digits.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// An assertion for a token endpoint. `id` must be new each time.
    pub(super) fn assertion(
        &self,
        audience: &str,
        client_id: &str,
        id: Uuid,
        now: OffsetDateTime,
    ) -> Result<SecretString, String> {
        let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint});
        let claims = json!({
            "aud": audience,
            "iss": client_id,
            "sub": client_id,
            "jti": id.as_hyphenated().to_string(),
            "nbf": (now - BEFORE).unix_timestamp(),
            "iat": now.unix_timestamp(),
            "exp": (now + HOLDS).unix_timestamp(),
        });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let mut text = format!("{}.{}", part(&header), part(&claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PSS_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .map_err(|_| "its key does not sign".to_owned())?;
        text.push('.');
        text.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(SecretString::from(text))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{KeyPair as _, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
    use secrecy::ExposeSecret as _;

    use super::*;

    /// PEM of a new certificate with an RSA key, and of the key alone.
    pub(crate) fn pem() -> (String, String) {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let der = rustls::pki_types::PrivatePkcs8KeyDer::from(der.as_ref().to_vec());
        let key = rcgen::KeyPair::try_from(&der).unwrap();
        let key_pem = key.serialize_pem();
        let params = rcgen::CertificateParams::new(vec!["axon.example".into()]).unwrap();
        (format!("{}{key_pem}", params.self_signed(&key).unwrap().pem()), key_pem)
    }

    #[test]
    fn an_assertion_names_its_certificate_and_holds_for_minutes() {
        let certificate = Certificate::parse(pem().0.as_bytes()).unwrap();
        let now = time::macros::datetime!(2026-11-22 10:00 UTC);
        let text = certificate.assertion("https://a/t/oauth2/v2.0/token", "app", Uuid::nil(), now).unwrap();
        let parts: Vec<&str> = text.expose_secret().split('.').collect();
        let json = |part: &str| -> serde_json::Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        let (header, claims) = (json(parts[0]), json(parts[1]));
        assert_eq!(header, json!({"alg": "PS256", "typ": "JWT", "x5t#S256": certificate.thumbprint()}));
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("app"), &json!("app")));
        assert_eq!(claims["aud"], "https://a/t/oauth2/v2.0/token");
        let span = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert!((60..=600).contains(&span), "{span}");
        let message = format!("{}.{}", parts[0], parts[1]);
        let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, certificate.key.public_key().as_ref())
            .verify(message.as_bytes(), &signature)
            .unwrap();
    }

    #[test]
    fn a_certificate_of_the_wrong_form_says_what_is_missing() {
        let (whole, key) = pem();
        let only_certificate = whole.replace(&key, "");
        let curve = rcgen::generate_simple_self_signed(vec!["a.example".into()]).unwrap();
        let curve = format!("{}{}", curve.cert.pem(), curve.signing_key.serialize_pem());
        let told = |pem: &str| Certificate::parse(pem.as_bytes()).unwrap_err();
        assert_eq!(told(""), CertificateError::NoCertificate);
        assert_eq!(told(&key), CertificateError::NoCertificate);
        assert_eq!(told(&only_certificate), CertificateError::NoKey);
        assert_eq!(told(&curve), CertificateError::NotRsa);
        assert_eq!(told("\0\u{ff}PKCS12"), CertificateError::NoCertificate);
    }

    #[test]
    fn nothing_of_the_key_is_shown() {
        let certificate = Certificate::parse(pem().0.as_bytes()).unwrap();
        assert_eq!(format!("{certificate:?}"), format!("Certificate({})", certificate.thumbprint()));
    }
}
