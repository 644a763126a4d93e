//! Which client asks: by its secret, or by an assertion of a trusted issuer.

use axon_identity_token::Refusal;
use axon_model::SourceId;
use axon_store::tokens::{ClientId, TokenKind};
use axon_store::{Scopes, TokenHash, TokenId};
use axum::http::{HeaderMap, header};
use time::OffsetDateTime;

use super::error::OAuthError;
use super::form::decoded;
use crate::auth::shown::basic;
use crate::body::form::Form;
use crate::state::Api;

/// The only assertion that there is (RFC 7523 section 2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client that is known.
pub(super) struct Client {
    pub(super) id: ClientId,
    pub(super) source: SourceId,
    pub(super) scopes: Scopes,
    /// The secret that it showed, if it showed one.
    pub(super) secret: Option<TokenId>,
    /// When that secret ends.
    pub(super) until: Option<OffsetDateTime>,
}

/// The client, by one way of authenticating and not by two (RFC 6749 section 2.3).
pub(super) async fn authenticate(headers: &HeaderMap, form: &Form, api: &Api) -> Result<Client, OAuthError> {
    let in_header = in_header(headers)?;
    let assertion = form.get("client_assertion");
    let in_body = form.get("client_secret");
    if usize::from(in_header.is_some()) + usize::from(assertion.is_some()) + usize::from(in_body.is_some())
        > 1
    {
        return Err(OAuthError::InvalidRequest("the client authenticates in two ways"));
    }
    let client = if let Some((id, secret)) = in_header {
        if form.get("client_id").is_some_and(|said| said != id) {
            return Err(OAuthError::InvalidRequest("client_id is another one in the header"));
        }
        by_secret(&id, &secret, api).await?
    } else if let Some(secret) = in_body {
        let id = form.get("client_id").ok_or(OAuthError::InvalidRequest("client_id is missing"))?;
        by_secret(id, secret, api).await?
    } else if let Some(assertion) = assertion {
        if form.get("client_assertion_type") != Some(JWT_BEARER) {
            return Err(OAuthError::InvalidRequest("client_assertion_type must be that of a JWT bearer"));
        }
        by_assertion(form.get("client_id"), assertion, api).await?
    } else {
        return Err(OAuthError::InvalidClient("no-token"));
    };
    if !api.sources.contains_key(&client.source) {
        return Err(OAuthError::InvalidClient("source-not-configured"));
    }
    Ok(client)
}

/// Name and secret in Basic credentials.
fn in_header(headers: &HeaderMap) -> Result<Option<(String, String)>, OAuthError> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = given.next() else { return Ok(None) };
    let bad = OAuthError::InvalidClient("not-a-token");
    let (scheme, rest) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(bad)?;
    if given.next().is_some() || !scheme.eq_ignore_ascii_case("basic") {
        return Err(bad);
    }
    let (id, secret) = basic(rest.trim()).ok_or(bad)?;
    Ok(Some((decoded(&id).ok_or(bad)?, decoded(&secret).ok_or(bad)?)))
}

async fn by_secret(id: &str, secret: &str, api: &Api) -> Result<Client, OAuthError> {
    let found = api.store.find_token(&TokenHash::of(secret)).await.map_err(OAuthError::store)?;
    let token = found.ok_or(OAuthError::InvalidClient("unknown"))?;
    let TokenKind::Secret { client } = &token.kind else {
        return Err(OAuthError::InvalidClient("not-a-client-s-secret"));
    };
    if client.as_str() != id {
        return Err(OAuthError::InvalidClient("another-client"));
    }
    let now = api.clock.now();
    if !token.accepted_at(now) {
        return Err(OAuthError::InvalidClient("expired-or-revoked"));
    }
    api.tokens.used(token.id, now);
    Ok(Client {
        id: client.clone(),
        source: token.source,
        scopes: token.scopes,
        secret: Some(token.id),
        until: token.expires,
    })
}

async fn by_assertion(id: Option<&str>, assertion: &str, api: &Api) -> Result<Client, OAuthError> {
    let verified = api.trusts.federated.verify(assertion).await.map_err(|refusal: Refusal| {
        match (refusal.is_passing(), refusal.may_be_a_guess()) {
            (false, _) => OAuthError::InvalidClient(refusal.as_str()),
            (true, false) => OAuthError::Unavailable,
            (true, true) => OAuthError::UnavailableOrGuessed,
        }
    })?;
    let first = verified.gives[0];
    if verified.gives.len() > 1 {
        tracing::error!(oauth.client = %first.client, "an assertion meets several trusts: make their conditions differ");
        return Err(OAuthError::InvalidClient("several-sources"));
    }
    // RFC 7521 section 4.2: a client_id, where there is one, names whom the assertion names. Providers send our name for the
    // client, or their own.
    let named = |id: &str| {
        first.client.as_str() == id
            || ["sub", "appid", "azp", "oid"].iter().any(|claim| verified.claims.text(claim) == Some(id))
    };
    if id.is_some_and(|id| !named(id)) {
        return Err(OAuthError::InvalidClient("another-client"));
    }
    Ok(Client {
        id: first.client.clone(),
        source: first.grant.source.clone(),
        scopes: first.grant.scopes,
        secret: None,
        until: None,
    })
}
