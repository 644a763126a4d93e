//! From what a request shows to the source whose connector it is.

use std::sync::Arc;

use axon_identity_token::Refusal;
use axon_identity_token::token::looks_signed;
use axon_scim::{Profile, ScimError};
use axon_store::tokens::TokenKind;
use axon_store::{StoreError, Token, TokenHash};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::Slowed;
use super::caller::{Caller, Credential, Known};
use super::shown::{NotShown, Shown, shown};
use crate::layers::Admitted;
use crate::reply::Refused;
use crate::state::Api;

/// Why a request that shows nothing is not let in.
const NO_TOKEN: &str = "no-token";

/// Why a request is not let in.
enum Why {
    /// The word for the metric.
    Refused(&'static str),
    /// It cannot be found out now.
    NotNow,
    /// It cannot be found out now, and what was shown may be made up.
    NotNowOrNever,
}

impl From<StoreError> for Why {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "tokens cannot be read");
        Self::NotNow
    }
}

impl From<Refusal> for Why {
    fn from(refusal: Refusal) -> Self {
        match (refusal.is_passing(), refusal.may_be_a_guess()) {
            (false, _) => Self::Refused(refusal.as_str()),
            (true, false) => Self::NotNow,
            (true, true) => Self::NotNowOrNever,
        }
    }
}

/// How long a client waits that finds no place to wait in.
pub(crate) const COME_BACK_SECONDS: u64 = 5;

/// Whose connector this is. Every refusal reads the same to the caller; the reason is in the metrics only.
pub(crate) async fn authenticate(
    headers: &HeaderMap,
    admitted: &Admitted,
    api: &Api,
) -> Result<(Arc<Caller>, Profile), Refused> {
    let why = match identify(headers, api).await {
        Ok((known, profile)) => return Ok((known.caller, profile)),
        Err(Why::Refused(why)) => why,
        Err(why) => {
            count("cannot-be-checked");
            if matches!(why, Why::NotNowOrNever) && !is_answered_after_a_while(admitted, api).await {
                return Err(too_many());
            }
            return Err(ScimError::unavailable("tokens cannot be checked now; try again").into());
        }
    };
    count(why);
    // Only what was shown and refused is a guess.
    if why != NO_TOKEN && !is_answered_after_a_while(admitted, api).await {
        return Err(too_many());
    }
    Err(ScimError::unauthorized("a valid bearer token of a configured source is needed").into())
}

fn too_many() -> Refused {
    ScimError::too_many_requests("too many requests without a token that is accepted").into()
}

/// Counts a refused request.
pub(super) fn count(why: &'static str) {
    metrics::counter!("axon_http_unauthorized_total", "why" => why).increment(1);
}

/// Notes a guess, and waits where there were many of that address. False where there is no place left to wait in.
pub(crate) async fn is_answered_after_a_while(admitted: &Admitted, api: &Api) -> bool {
    let _ = admitted.was_refused.set(());
    let slowed = api.failures.note(admitted.origin.get().and_then(|origin| origin.address));
    let is_answered = !matches!(slowed, Slowed::ComeBack);
    admitted.slow_down(slowed).await;
    is_answered
}

/// Tells what would be accepted (RFC 6750 section 3, RFC 7617 section 2).
pub(crate) fn challenge(api: &Api, admitted: &Admitted, response: &mut Response) {
    let bearer = match response.status() {
        StatusCode::UNAUTHORIZED if admitted.was_refused.get().is_some() => {
            "Bearer realm=\"axon\", error=\"invalid_token\""
        }
        StatusCode::UNAUTHORIZED => "Bearer realm=\"axon\"",
        StatusCode::FORBIDDEN if admitted.lacks_scope.get().is_some() => {
            "Bearer realm=\"axon\", error=\"insufficient_scope\""
        }
        _ => return,
    };
    let headers = response.headers_mut();
    headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(bearer));
    if response.status() == StatusCode::UNAUTHORIZED
        && api.sources.values().any(|profile| profile.basic_token)
    {
        let basic = HeaderValue::from_static("Basic realm=\"axon\", charset=\"UTF-8\"");
        response.headers_mut().append(header::WWW_AUTHENTICATE, basic);
    }
}

/// Whose connector this is, where a bearer token is shown that the book has. None says nothing about who calls.
pub(crate) fn known_at_once(headers: &HeaderMap, api: &Api) -> Option<Arc<Caller>> {
    let Ok(Shown::Bearer(text)) = shown(headers) else { return None };
    let known = api.tokens.find(TokenHash::of(text).as_bytes())?;
    let holds = known.holds_at(api.clock.now()) && api.sources.contains_key(&known.caller.source);
    holds.then_some(known.caller)
}

async fn identify(headers: &HeaderMap, api: &Api) -> Result<(Known, Profile), Why> {
    let shown = shown(headers).map_err(|not| match not {
        NotShown::Nothing => Why::Refused(NO_TOKEN),
        NotShown::NotOne => Why::Refused("not-a-token"),
    })?;
    let text = match &shown {
        Shown::Bearer(text) | Shown::Plain(text) => text,
        Shown::Basic { password, .. } => password.as_str(),
    };
    let known = known(text, api).await?;
    if !known.holds_at(api.clock.now()) {
        return Err(Why::Refused("expired-or-revoked"));
    }
    // A source that the configuration no longer names speaks for nobody.
    let profile = *api.sources.get(&known.caller.source).ok_or(Why::Refused("source-not-configured"))?;
    match &shown {
        Shown::Plain(_) if !profile.plain_token => Err(Why::Refused("not-a-bearer-token")),
        Shown::Basic { user, .. } if !profile.basic_token || user != known.caller.source.as_str() => {
            Err(Why::Refused("not-a-bearer-token"))
        }
        _ => Ok((known, profile)),
    }
}

/// Whose token this is: by the book, by a signature, or by the store. Only good ones are kept: a guess costs one look each time.
async fn known(text: &str, api: &Api) -> Result<Known, Why> {
    let hash = TokenHash::of(text);
    if let Some(known) = api.tokens.find(hash.as_bytes()) {
        return Ok(known);
    }
    let asked = api.tokens.ask();
    let known = if looks_signed(text) && !api.trusts.signed.is_empty() {
        signed(text, api).await?
    } else {
        let token = api.store.find_token(&hash).await?.ok_or(Why::Refused("unknown"))?;
        opaque(token, api)?
    };
    if let Credential::Token(id) = known.caller.by {
        api.tokens.used(id, api.clock.now());
    }
    api.tokens.keep(*hash.as_bytes(), asked, known.clone());
    Ok(known)
}

async fn signed(text: &str, api: &Api) -> Result<Known, Why> {
    let verified = api.trusts.signed.verify(text).await?;
    let grant = verified.gives[0];
    // One token that speaks for two sources would act for whichever rule stands first.
    if verified.gives.iter().any(|other| other.source != grant.source) {
        tracing::error!(source.id = %grant.source, "a signed token meets rules of several sources: make their conditions differ");
        return Err(Why::Refused("several-sources"));
    }
    let scopes = verified.gives.iter().fold(grant.scopes, |narrowest, grant| narrowest.and(grant.scopes));
    let caller = Caller { source: grant.source.clone(), scopes, by: Credential::Signed };
    Ok(Known::new(caller, Some(verified.until)))
}

fn opaque(token: Token, api: &Api) -> Result<Known, Why> {
    if !token.accepted_at(api.clock.now()) {
        if api.failures.is_news(token.id) {
            let is_revoked = token.revoked.is_some();
            tracing::warn!(source.id = %token.source, token.id = %token.id, token.revoked = is_revoked,
                "a token that is not accepted any more is still shown");
        }
        if let Some(cared) = api.care.of(&token.source) {
            cared.ledger.token_refused(api.clock.now());
        }
        return Err(Why::Refused("expired-or-revoked"));
    }
    match &token.kind {
        TokenKind::Secret { .. } => return Err(Why::Refused("a-client-s-secret")),
        // What was given to a trust ends when the configuration would no longer give it.
        TokenKind::Access { client, secret: None }
            if !api.trusts.would_give(client, &token.source, token.scopes) =>
        {
            return Err(Why::Refused("expired-or-revoked"));
        }
        TokenKind::Bearer if api.trusts.signed_only.contains(&token.source) => {
            return Err(Why::Refused("signed-tokens-only"));
        }
        TokenKind::Bearer | TokenKind::Access { .. } => {}
    }
    let caller = Caller { source: token.source, scopes: token.scopes, by: Credential::Token(token.id) };
    Ok(Known::new(caller, token.expires))
}
