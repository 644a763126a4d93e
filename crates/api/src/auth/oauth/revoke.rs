//! `POST /oauth2/revoke` (RFC 7009): a client takes a token back that was given to it. In this process it opens nothing from
//! then on; in others within a second.

use axon_model::Actor;
use axon_store::{Act, TokenHash, TokenKind};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::client::{self, Client};
use super::error::OAuthError;
use super::{answer, read};
use crate::layers::Admitted;
use crate::state::Api;

/// Revokes. A token that is unknown, or another client's, is answered as if it were gone (section 2.2).
pub(super) async fn handle(State(api): State<Api>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(admitted) = parts.extensions.get::<Admitted>() else {
        return OAuthError::ServerError.into_response();
    };
    let revoked = async {
        let form = read(&parts.headers, body).await?;
        let client = client::authenticate(&parts.headers, &form, &api).await?;
        let text = form.get("token").ok_or(OAuthError::InvalidRequest("token is missing"))?;
        revoke(&api, admitted, client, text).await
    };
    let outcome = revoked.await.map(|()| StatusCode::OK);
    answer(outcome, admitted, &api).await
}

async fn revoke(api: &Api, admitted: &Admitted, client: Client, text: &str) -> Result<(), OAuthError> {
    let found = api.store.find_token(&TokenHash::of(text)).await.map_err(OAuthError::store)?;
    let is_own = |kind: &TokenKind| matches!(kind, TokenKind::Access { client: of, .. } if *of == client.id);
    let Some(token) = found.filter(|token| token.source == client.source && is_own(&token.kind)) else {
        return Ok(());
    };
    let act = Act {
        actor: Actor::Source { source: client.source },
        request: Some(admitted.id.clone()),
        now: api.clock.now(),
        ids: api.ids.clone(),
    };
    api.store.revoke_token(token.id, act).await.map_err(OAuthError::store)?;
    api.tokens.forget();
    Ok(())
}
