//! A token as it came: read, not believed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, Header, Validation};
use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::claims::Claims;
use crate::refusal::Refusal;

/// Longest token, bytes: Entra's with many groups stay far below.
pub const MAX_BYTES: usize = 16 * 1024;
/// Longest `kid`.
const MAX_KID: usize = 512;
/// The types that are taken (RFC 9068 section 2.1, RFC 7523); without a type it is a JWT. With or without `application/`.
const TYPES: [&str; 3] = ["jwt", "at+jwt", "client-authentication+jwt"];

/// Whether a text has the form of a signed token. Opaque tokens of ours never have.
pub fn looks_signed(text: &str) -> bool {
    text.starts_with("eyJ") && text.bytes().filter(|b| *b == b'.').count() == 2
}

/// A token's header, and what it says of its issuer. Nothing of it is proved.
pub(crate) struct Unproved<'t> {
    text: &'t str,
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
    pub(crate) issuer: String,
}

impl<'t> Unproved<'t> {
    pub(crate) fn read(text: &'t str) -> Result<Self, Refusal> {
        if text.len() > MAX_BYTES || !looks_signed(text) {
            return Err(Refusal::NotAToken);
        }
        let mut parts = text.split('.');
        let (Some(head), Some(body)) = (parts.next(), parts.next()) else { return Err(Refusal::NotAToken) };
        let raw = object(head)?;
        // `crit` is looked at before anything else is understood of the header.
        if raw.contains_key("crit") {
            return Err(Refusal::CriticalExtension);
        }
        if let Some(kind) = raw.get("typ") {
            let kind = kind.as_str().ok_or(Refusal::NotAToken)?.to_ascii_lowercase();
            if !TYPES.contains(&kind.strip_prefix("application/").unwrap_or(&kind)) {
                return Err(Refusal::WrongType);
            }
        }
        let name = raw.get("alg").and_then(Value::as_str).ok_or(Refusal::NotAToken)?;
        let algorithm = name.parse().map_err(|_| Refusal::WrongAlgorithm)?;
        let kid = match raw.get("kid") {
            None => None,
            Some(Value::String(kid)) if kid.len() <= MAX_KID => Some(kid.clone()),
            Some(_) => return Err(Refusal::NotAToken),
        };
        let issuer =
            object(body)?.get("iss").and_then(Value::as_str).ok_or(Refusal::UnknownIssuer)?.to_owned();
        Ok(Self { text, algorithm, kid, issuer })
    }

    /// The claims, if the signature is by this key. Times, issuer and audience are the rule's to check.
    pub(crate) fn prove(&self, key: &DecodingKey) -> Result<Claims, Refusal> {
        let mut validation = Validation::new(self.algorithm.inner());
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        let proved = jsonwebtoken::decode::<Map<String, Value>>(self.text, key, &validation)
            .map_err(|_| Refusal::BadSignature)?;
        let Header { alg, .. } = proved.header;
        if alg != self.algorithm.inner() {
            return Err(Refusal::WrongAlgorithm);
        }
        Ok(Claims::new(proved.claims))
    }
}

fn object(part: &str) -> Result<Map<String, Value>, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::NotAToken)?;
    serde_json::from_slice(&bytes).map_err(|_| Refusal::NotAToken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(header: &str, body: &str) -> Option<Refusal> {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        Unproved::read(&format!("{}.{}.c2ln", part(header), part(body))).err()
    }

    #[test]
    fn what_is_not_a_plain_signed_token_is_refused_before_any_key_is_looked_for() {
        let body = r#"{"iss":"i"}"#;
        assert_eq!(refusal(r#"{"alg":"RS256","kid":"1","typ":"JWT"}"#, body), None);
        assert_eq!(refusal(r#"{"alg":"RS256","typ":"application/at+jwt"}"#, body), None);
        for (header, why) in [
            (r#"{"alg":"none"}"#, Refusal::WrongAlgorithm),
            (r#"{"alg":"HS256"}"#, Refusal::WrongAlgorithm),
            (r#"{"typ":"JWT"}"#, Refusal::NotAToken),
            (r#"{"alg":"RS256","crit":["b64"],"b64":false}"#, Refusal::CriticalExtension),
            (r#"{"alg":"RS256","typ":"secevent+jwt"}"#, Refusal::WrongType),
            (r#"{"alg":"RS256","kid":7}"#, Refusal::NotAToken),
            (r#"{"alg":["RS256"]}"#, Refusal::NotAToken),
        ] {
            assert_eq!(refusal(header, body), Some(why), "{header}");
        }
        let plain = r#"{"alg":"RS256"}"#;
        for body in ["{}", r#"{"iss":7}"#, r#"{"iss":["i"]}"#] {
            assert_eq!(refusal(plain, body), Some(Refusal::UnknownIssuer), "{body}");
        }
        assert_eq!(refusal(plain, "[]"), Some(Refusal::NotAToken));
        for text in ["", "a.b.c", "eyJ.eyJ", "eyJ.eyJ.x.y", &format!("eyJ{}..", "A".repeat(MAX_BYTES))] {
            assert!(Unproved::read(text).is_err(), "{}", text.len());
        }
    }
}
