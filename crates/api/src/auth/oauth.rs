//! `POST /oauth2/token`: client credentials for a short-lived token (RFC 6749 section 4.4), by a secret, or by an assertion of
//! a trusted issuer (RFC 7523), as Entra's workload identity federation sends it.

mod client;
mod error;
mod form;
mod revoke;

use axon_model::Actor;
use axon_store::{Act, Minted, NewToken, Scopes, TokenKind};
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use self::client::Client;
use self::error::OAuthError;
use super::authenticate::{count, is_answered_after_a_while};
use crate::body::form::Form;
use crate::layers::Admitted;
use crate::openapi::{Table, oauth as told};
use crate::state::Api;

/// The largest request, bytes: an assertion and some parameters.
const MAX_BODY: usize = 64 * 1024;
/// What tokens of this endpoint begin with.
const PREFIX: &str = "axon_at_";

/// The endpoints.
pub fn routes() -> Table {
    Table::new().post("/oauth2/token", told::token(), handle).post(
        "/oauth2/revoke",
        told::revoke(),
        revoke::handle,
    )
}

/// The answer of RFC 6749 section 5.1.
#[derive(Serialize)]
struct Issued {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    scope: String,
}

async fn handle(State(api): State<Api>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(admitted) = parts.extensions.get::<Admitted>() else {
        return OAuthError::ServerError.into_response();
    };
    let issued = async {
        let form = read(&parts.headers, body).await?;
        match form.get("grant_type") {
            Some("client_credentials") => {}
            Some(_) => return Err(OAuthError::UnsupportedGrantType),
            None => return Err(OAuthError::InvalidRequest("grant_type is missing")),
        }
        let client = client::authenticate(&parts.headers, &form, &api).await?;
        // A connector that asks for a token before each request waits among the requests of its source.
        if let Some(cared) = api.care.of(&client.source) {
            cared.admit(admitted).await.map_err(|_| OAuthError::ComeBack)?;
        }
        issue(&api, admitted, client, form.get("scope")).await
    };
    let outcome = issued.await.map(Json);
    let word = outcome.as_ref().map_or_else(OAuthError::as_str, |_| "issued");
    metrics::counter!("axon_oauth_tokens_total", "outcome" => word).increment(1);
    answer(outcome, admitted, &api).await
}

/// The answer, late where there were many refusals.
async fn answer(outcome: Result<impl IntoResponse, OAuthError>, admitted: &Admitted, api: &Api) -> Response {
    let mut response = match outcome {
        Ok(good) => good.into_response(),
        Err(OAuthError::InvalidClient(why)) => {
            count(why);
            let is_answered = is_answered_after_a_while(admitted, api).await;
            let error = if is_answered { OAuthError::InvalidClient(why) } else { OAuthError::ComeBack };
            error.into_response()
        }
        Err(OAuthError::UnavailableOrGuessed) => {
            let is_answered = is_answered_after_a_while(admitted, api).await;
            let error = if is_answered { OAuthError::Unavailable } else { OAuthError::ComeBack };
            error.into_response()
        }
        Err(other) => other.into_response(),
    };
    // RFC 6749 section 5.1: nobody on the way keeps it.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

async fn read(headers: &axum::http::HeaderMap, body: Body) -> Result<Form, OAuthError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(OAuthError::InvalidRequest("the body must be application/x-www-form-urlencoded"));
    }
    let bytes =
        to_bytes(body, MAX_BODY).await.map_err(|_| OAuthError::InvalidRequest("the body is too large"))?;
    // Each parameter at most once (RFC 6749 section 3.2).
    Form::parse(&bytes).map_err(OAuthError::InvalidRequest)
}

async fn issue(
    api: &Api,
    admitted: &Admitted,
    client: Client,
    scope: Option<&str>,
) -> Result<Issued, OAuthError> {
    let scopes = narrowed(client.scopes, scope)?;
    let now = api.clock.now();
    let until = now.saturating_add(api.trusts.access_time);
    let until = client.until.map_or(until, |end| end.min(until));
    let made = Minted::new(PREFIX, &api.ids, now);
    let token = NewToken {
        source: client.source.clone(),
        hash: made.hash(),
        label: String::new(),
        expires: Some(until),
        scopes,
        kind: TokenKind::Access { client: client.id.clone(), secret: client.secret },
    };
    let actor = Actor::Source { source: client.source };
    let act = Act { actor, request: Some(admitted.id.clone()), now, ids: api.ids.clone() };
    let kept = api.store.add_token(token, act).await.map_err(OAuthError::store)?;
    if !kept.accepted_at(now) {
        return Err(OAuthError::InvalidClient("expired-or-revoked"));
    }
    tracing::info!(source.id = %kept.source, oauth.client = %client.id, token.id = %kept.id, "a short-lived token was given");
    Ok(Issued {
        access_token: made.text().to_owned(),
        token_type: "Bearer",
        expires_in: (until - now).whole_seconds(),
        scope: scopes.to_string(),
    })
}

/// The scopes that are asked for, if the client has them; all that it has, where none are asked for. Entra asks for
/// `…/.default`, which means just that.
fn narrowed(granted: Scopes, asked: Option<&str>) -> Result<Scopes, OAuthError> {
    let Some(asked) = asked.map(str::trim).filter(|asked| !asked.is_empty() && !asked.ends_with("/.default"))
    else {
        return Ok(granted);
    };
    let mut scopes: Scopes = asked.parse().map_err(|_| OAuthError::InvalidScope)?;
    // Who is for users only may leave that unsaid.
    if !granted.groups {
        scopes.groups = false;
    }
    if scopes.within(granted) { Ok(scopes) } else { Err(OAuthError::InvalidScope) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_never_has_more_than_its_client() {
        let of = |text: &str| text.parse::<Scopes>().unwrap();
        for (granted, asked, given) in [
            ("write", None, Some("write")),
            ("write", Some(""), Some("write")),
            ("write", Some("api://axon/.default"), Some("write")),
            ("write", Some("read"), Some("read")),
            ("write", Some("read users-only"), Some("read users-only")),
            ("read", Some("write"), None),
            ("write users-only", Some("write"), Some("write users-only")),
            ("read users-only", None, Some("read users-only")),
            ("write", Some("admin"), None),
        ] {
            let narrowed = narrowed(of(granted), asked).ok().map(|scopes| scopes.to_string());
            assert_eq!(narrowed.as_deref(), given, "{granted}: {asked:?}");
        }
    }
}
