//! Assertions: a JWT signed by the application's certificate, or a foreign issuer's token that a federated credential names.

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::authority::Refused;
use crate::cloud::Desk;
use crate::directory::DirectoryApp;

/// The longest assertion that is read.
const MOST: usize = 64 * 1024;
/// The audience of federated tokens.
const EXCHANGE: &str = "api://AzureADTokenExchange";
/// How far clocks may be apart, in seconds.
const SKEW: i64 = 300;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Header {
    alg: String,
    #[serde(rename = "x5t#S256")]
    thumbprint: Option<String>,
    x5t: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Claims {
    iss: String,
    sub: String,
    aud: Value,
    nbf: Option<i64>,
    exp: Option<i64>,
}

impl Claims {
    fn is_for(&self, audience: &str) -> bool {
        let one = |value: &Value| value.as_str() == Some(audience);
        one(&self.aud) || self.aud.as_array().is_some_and(|all| all.iter().any(one))
    }
}

/// Whether an assertion proves to be the application.
pub(super) fn check(desk: &Desk<'_>, app: &DirectoryApp, jwt: &str) -> Result<(), Refused> {
    let malformed = || Refused::client(50_027, "JWT token is invalid or malformed.");
    let parts: Vec<&str> = jwt.split('.').collect();
    let [head, payload, signature] = parts[..] else { return Err(malformed()) };
    if jwt.len() > MOST {
        return Err(malformed());
    }
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed());
    let header: Header = serde_json::from_slice(&bytes(head)?).map_err(|_| malformed())?;
    let claims: Claims = serde_json::from_slice(&bytes(payload)?).map_err(|_| malformed())?;
    let now = desk.now.unix_timestamp();
    let early = claims.nbf.is_some_and(|nbf| nbf > now.saturating_add(SKEW));
    let late = claims.exp.is_none_or(|exp| exp.saturating_add(SKEW) <= now);
    if early || late {
        return Err(Refused::client(700_024, "Client assertion is not within its valid time range."));
    }
    if claims.iss.eq_ignore_ascii_case(&app.app_id) {
        let signed = format!("{head}.{payload}");
        return by_certificate(
            desk,
            app,
            &header,
            &claims,
            signed.as_bytes(),
            &Bytes::from(bytes(signature)?),
        );
    }
    by_issuer(app, &claims, now)
}

fn by_certificate(
    desk: &Desk<'_>,
    app: &DirectoryApp,
    header: &Header,
    claims: &Claims,
    signed: &[u8],
    signature: &[u8],
) -> Result<(), Refused> {
    let bad = |why: &str| {
        Refused::client(700_027, format!("Client assertion failed signature validation. [Reason - {why}]"))
    };
    let endpoint = format!("{}{}", desk.request.origin(), desk.request.path);
    let public = format!("https://login.microsoftonline.com{}", desk.request.path);
    if !claims.sub.eq_ignore_ascii_case(&app.app_id) {
        return Err(Refused::client(
            700_021,
            "Client assertion application identifier doesn't match 'client_id' parameter.",
        ));
    }
    if !claims.is_for(&endpoint) && !claims.is_for(&public) {
        return Err(Refused::client(700_023, "Client assertion audience claim does not match Realm issuer."));
    }
    let named = header.thumbprint.as_deref();
    if named.is_none() && header.x5t.is_none() {
        return Err(bad("The certificate is not named by its thumbprint."));
    }
    let certificate = app
        .certificates
        .iter()
        .filter_map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).ok())
        .find(|der| named.is_none_or(|own| own == URL_SAFE_NO_PAD.encode(Sha256::digest(der))))
        .ok_or_else(|| bad("The key was not found."))?;
    let algorithm = match header.alg.as_str() {
        "PS256" => webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        "RS256" => webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
        _ => return Err(bad("The algorithm is neither PS256 nor RS256.")),
    };
    let certificate =
        webpki::EndEntityCert::try_from(&certificate).map_err(|_| bad("The certificate cannot be read."))?;
    certificate
        .verify_signature(algorithm, signed, signature)
        .map_err(|_| bad("The key was found, but use of the key to verify the signature failed."))
}

/// A federated credential must name issuer, subject and audience exactly. The foreign signature is not checked.
fn by_issuer(app: &DirectoryApp, claims: &Claims, now: i64) -> Result<(), Refused> {
    let shown = |text: &str| text.chars().take(300).collect::<String>();
    let (issuer, subject) = (shown(&claims.iss), shown(&claims.sub));
    let working = || app.federated.iter().filter(|own| own.works_from <= now);
    let of_issuer: Vec<_> = working().filter(|own| own.issuer == claims.iss).collect();
    if of_issuer.is_empty() {
        return Err(Refused::client(
            700_211,
            format!("No matching federated identity record found for presented assertion issuer '{issuer}'."),
        ));
    }
    let Some(own) = of_issuer.iter().find(|own| own.subject == claims.sub) else {
        if of_issuer.iter().any(|own| own.subject.eq_ignore_ascii_case(&claims.sub)) {
            return Err(Refused::client(
                7_002_138,
                format!(
                    "No matching federated identity record found for presented assertion subject '{subject}'. The subject matches when compared without case; it must match exactly."
                ),
            ));
        }
        return Err(Refused::client(
            700_213,
            format!(
                "No matching federated identity record found for presented assertion subject '{subject}'."
            ),
        ));
    };
    let audience = own.audiences.first().map_or(EXCHANGE, String::as_str);
    if !claims.is_for(audience) {
        return Err(Refused::client(
            700_212,
            format!(
                "No matching federated identity record found for presented assertion audience. The audience must be '{}'.",
                shown(audience)
            ),
        ));
    }
    Ok(())
}
