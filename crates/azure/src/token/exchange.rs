//! Entra's token endpoint, where an application shows a secret or an assertion (RFC 6749, section 4.4; RFC 7523, section 2.2).

use std::path::Path;

use axon_model::name::shown;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use time::OffsetDateTime;
use tokio::io::AsyncReadExt as _;

use super::fault::TokenFault;
use super::received::Received;
use crate::cloud::{Cloud, Resource};
use crate::pace::Pace;
use crate::scrub::Scrub;
use crate::wire::{Call, Content, Wire, encoded};

/// The longest assertion in a file, bytes.
const MOST_ASSERTION: u64 = 64 * 1024;
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What the application shows.
pub(super) enum Shown {
    Secret(SecretString),
    Assertion(SecretString),
}

/// The application that asks.
pub(super) struct Application<'a> {
    pub(super) tenant: &'a str,
    pub(super) client_id: &'a str,
}

/// The token endpoint of a tenant: also the audience of an assertion that is signed for it.
pub(super) fn endpoint(cloud: &Cloud, tenant: &str) -> String {
    cloud.authority.at(&format!("/{}/oauth2/v2.0/token", encoded(tenant)))
}

/// How Entra's token endpoint is called in messages.
pub(super) const ENDPOINT: &str = "Entra's token endpoint";

/// Asks Entra for a token.
pub(super) async fn token(
    (wire, pace): (&Wire, &Pace),
    cloud: &Cloud,
    application: Application<'_>,
    shown_to: Shown,
    resource: Resource,
    now: OffsetDateTime,
) -> Result<Received, TokenFault> {
    let (form, presented) = form(application.client_id, &cloud.scope(resource), &shown_to);
    let call =
        Call::new(reqwest::Method::POST, endpoint(cloud, application.tenant)).content(Content::Form(form));
    let answer = wire.send(call).await?;
    if let Some(wait) = pace.note(&answer, now) {
        return Err(TokenFault::Hasty { endpoint: ENDPOINT, wait });
    }
    let who = format!(
        "application {} of tenant {} a token for {resource}",
        shown(application.client_id),
        shown(application.tenant)
    );
    if answer.status() != 200 {
        let (Shown::Secret(secret) | Shown::Assertion(secret)) = &shown_to;
        return Err(TokenFault::of_entra(&answer, &who, presented.as_deref(), now, &Scrub::of([secret])));
    }
    Received::read(answer.body(), now)
        .map_err(|why| TokenFault::Unusable(format!("Entra's answer that gives {who} is of no use: {why}")))
}

/// The form, and what an assertion in it says of itself.
fn form(client_id: &str, scope: &str, shown_to: &Shown) -> (SecretString, Option<String>) {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials")
        .append_pair("client_id", client_id)
        .append_pair("scope", scope);
    let presented = match shown_to {
        Shown::Secret(secret) => {
            form.append_pair("client_secret", secret.expose_secret());
            None
        }
        Shown::Assertion(assertion) => {
            form.append_pair("client_assertion_type", ASSERTION_TYPE)
                .append_pair("client_assertion", assertion.expose_secret());
            said_by(assertion)
        }
    };
    (SecretString::from(form.finish()), presented)
}

/// Reads an assertion from a file. It is read again each time: whoever rotates it tells nobody.
pub(super) async fn assertion_in(path: &Path) -> Result<SecretString, TokenFault> {
    let from = || format!("the token file {}", path.display());
    let unusable = |why: &str| TokenFault::Unusable(format!("{} {why}", from()));
    let read = async {
        let file = tokio::fs::File::open(path).await?;
        let mut text = String::new();
        file.take(MOST_ASSERTION + 1).read_to_string(&mut text).await?;
        Ok::<_, std::io::Error>(SecretString::from(text))
    };
    let text = read.await.map_err(|e| unusable(&format!("cannot be read: {e}")))?;
    let line = text.expose_secret().trim();
    if line.is_empty() {
        return Err(unusable("is empty"));
    }
    if line.len() as u64 > MOST_ASSERTION || !line.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(unusable("does not hold one line of token characters"));
    }
    Ok(SecretString::from(line))
}

/// What an assertion says of itself, to be compared with the federated credential: who made it, of whom, for whom. These are
/// no secrets; the signature, which is one, is left out.
fn said_by(assertion: &SecretString) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        iss: Option<String>,
        sub: Option<String>,
        aud: Option<serde_json::Value>,
    }
    let payload = assertion.expose_secret().split('.').nth(1)?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let word = |claim: Option<String>| {
        claim.map_or_else(|| "none".to_owned(), |c| shown(&c).chars().take(300).collect())
    };
    let audience = claims.aud.map(|aud| aud.as_str().map_or_else(|| aud.to_string(), str::to_owned));
    Some(format!("issuer {}, subject {}, audience {}", word(claims.iss), word(claims.sub), word(audience)))
}
