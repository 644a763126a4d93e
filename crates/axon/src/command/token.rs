//! `axon token create | list | rotate | revoke`

use anyhow::{Context, bail};
use axon_model::SourceId;
use axon_store::{NewToken, Token, TokenHash};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Status, print_json};
use crate::cli::TokenCommand;
use crate::wiring::Parts;

/// Makes, lists, rotates or revokes tokens.
pub async fn run(parts: Parts, command: TokenCommand) -> anyhow::Result<Status> {
    let status = match command {
        TokenCommand::Create { source, label, days } => create(&parts, &source, label, days).await,
        TokenCommand::List { json } => list(&parts, json).await,
        TokenCommand::Rotate { source, now } => rotate(&parts, &source, now).await,
        TokenCommand::Revoke { id } => revoke(&parts, &id).await,
    };
    parts.store.close().await;
    status
}

async fn create(parts: &Parts, source: &str, label: String, days: Option<u16>) -> anyhow::Result<Status> {
    let known: Vec<&str> = parts.config.sources.keys().map(SourceId::as_str).collect();
    let source: SourceId =
        source.parse().ok().filter(|id| parts.config.sources.contains_key(id)).with_context(|| {
            format!("the configuration names no source {source:?}; it names: {}", known.join(", "))
        })?;
    if label.len() > 200 {
        bail!("--label is over 200 bytes");
    }
    // Four version 4 UUIDs carry 488 random bits of the system's; their hash keeps 256 of them.
    let mut random = Vec::with_capacity(64);
    for _ in 0..4 {
        random.extend_from_slice(uuid::Uuid::new_v4().as_bytes());
    }
    let secret = <sha2::Sha256 as sha2::Digest>::digest(&random);
    let token = format!("axon_{}", URL_SAFE_NO_PAD.encode(secret));
    let act = parts.act();
    let expires = days.map(|days| act.now + time::Duration::days(days.into()));
    let made = parts
        .store
        .add_token(NewToken { expires, ..NewToken::bearer(source, TokenHash::of(&token), label) }, act)
        .await?;
    println!("{token}");
    eprintln!("token {} for {}: shown once, stored as a hash", made.id, made.source);
    Ok(Status::Done)
}

async fn list(parts: &Parts, json: bool) -> anyhow::Result<Status> {
    let tokens = parts.store.tokens().await?;
    let now = parts.clock.now();
    if json {
        let rows: Vec<serde_json::Value> = tokens
            .iter()
            .map(|t| {
                serde_json::json!({
                    "id": t.id.to_string(), "source": t.source, "label": t.label,
                    "created": t.created.unix_timestamp(),
                    "expires": t.expires.map(time::OffsetDateTime::unix_timestamp),
                    "revoked": t.revoked.map(time::OffsetDateTime::unix_timestamp),
                    "accepted": t.accepted_at(now),
                })
            })
            .collect();
        print_json(&rows)?;
        return Ok(Status::Done);
    }
    if tokens.is_empty() {
        println!("no tokens; make one with: axon token create --source NAME");
    }
    for token in tokens {
        let state = match (token.revoked, token.accepted_at(now)) {
            (Some(at), _) => format!("revoked {}", at.date()),
            (None, false) => "expired".to_owned(),
            (None, true) => token
                .expires
                .map_or_else(|| "accepted".to_owned(), |at| format!("accepted until {}", at.date())),
        };
        println!(
            "{}  {:<12} {:<24} made {}  {}",
            token.id,
            token.source.as_str(),
            state,
            token.created.date(),
            token.label
        );
    }
    Ok(Status::Done)
}

async fn rotate(parts: &Parts, source: &str, now: bool) -> anyhow::Result<Status> {
    let at = parts.clock.now();
    let before: Vec<Token> = parts
        .store
        .tokens()
        .await?
        .into_iter()
        .filter(|token| token.source.as_str() == source && token.accepted_at(at))
        .collect();
    create(parts, source, "rotated".to_owned(), None).await?;
    for token in before {
        if now {
            parts.store.revoke_token(token.id, parts.act()).await?;
            eprintln!("revoked {} {}", token.id, token.label);
        } else {
            eprintln!(
                "still accepted: {} {}; once the IdP has the new one: axon token revoke {}",
                token.id, token.label, token.id
            );
        }
    }
    Ok(Status::Done)
}

async fn revoke(parts: &Parts, id: &str) -> anyhow::Result<Status> {
    let id = id.parse().with_context(|| format!("{id:?}; `axon token list` shows the ids"))?;
    if parts.store.revoke_token(id, parts.act()).await? {
        println!("revoked; a running serve refuses it within a second");
        return Ok(Status::Done);
    }
    eprintln!("axon: there is no such token that is not revoked already; `axon token list` shows them");
    Ok(Status::Failed)
}
