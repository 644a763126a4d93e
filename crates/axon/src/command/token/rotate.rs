//! A second token beside the first, so that a connector never stands without one.

use anyhow::bail;
use axon_store::{NewToken, Token, TokenKind};

use super::{Status, keep, no_hash, secrets_of};
use crate::wiring::Parts;

/// Makes a bearer with the name, the scopes and the length of life of those in use.
pub async fn bearer(parts: &Parts, source: &str, name: Option<&str>, now: bool) -> anyhow::Result<Status> {
    let at = parts.clock.now();
    let is_one = |token: &Token| {
        token.kind == TokenKind::Bearer
            && token.source.as_str() == source
            && name.is_none_or(|name| token.label == name)
            && token.accepted_at(at)
    };
    let before: Vec<Token> = parts.store.tokens().await?.into_iter().filter(is_one).collect();
    if before.is_empty() {
        if parts.config.sources.keys().all(|id| id.as_str() != source) {
            let known: Vec<&str> = parts.config.sources.keys().map(axon_model::SourceId::as_str).collect();
            bail!("the configuration names no source {source:?}; it names: {}", known.join(", "));
        }
        bail!("source {source} has no such token that is accepted: `axon token create` makes one");
    }
    after(parts, before, "axon token rotate --name", now).await
}

/// Makes a second secret of a client.
pub async fn secret(parts: &Parts, client: &str, now: bool) -> anyhow::Result<Status> {
    let before = secrets_of(parts, client).await?;
    if before.is_empty() {
        bail!("there is no client {client:?} with a secret that is accepted; `axon token list` shows them");
    }
    after(parts, before, "axon token client", now).await
}

async fn after(parts: &Parts, before: Vec<Token>, choose: &str, now: bool) -> anyhow::Result<Status> {
    let last = &before[before.len() - 1];
    if before.iter().any(|token| token.scopes != last.scopes) {
        bail!("the tokens in use may do different things: say which one with `{choose}`");
    }
    let life = last.expires.map(|end| end - last.created);
    let next = NewToken {
        scopes: last.scopes,
        kind: last.kind.clone(),
        expires: life.map(|life| parts.clock.now().saturating_add(life)),
        ..NewToken::bearer(last.source.clone(), no_hash(), last.label.clone())
    };
    keep(parts, next).await?;
    for token in before {
        if now {
            parts.store.revoke_token(token.id, parts.act()).await?;
            eprintln!("revoked {} {}", token.id, token.label);
        } else {
            eprintln!(
                "still accepted: {} {}; once the other side has the new one: axon token revoke {}",
                token.id, token.label, token.id
            );
        }
    }
    Ok(Status::Done)
}
