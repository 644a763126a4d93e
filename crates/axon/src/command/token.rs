//! `axon token create | list | rotate | revoke | client`

mod list;
mod operator;
mod rotate;

use anyhow::{Context, bail};
use axon_model::SourceId;
use axon_store::{Minted, NewToken, Token, TokenKind};

use super::{Status, print_json};
use crate::cli::{ClientCommand, Terms, TokenCommand};
use crate::wiring::Parts;

/// What bearer tokens begin with, and secrets of clients.
const BEARER: &str = "axon_";
const SECRET: &str = "axon_cs_";

/// Makes, lists, rotates or revokes tokens.
pub async fn run(parts: Parts, command: TokenCommand) -> anyhow::Result<Status> {
    let status = match command {
        TokenCommand::Create { operator: Some(operator), may: Some(may), terms, .. } => {
            operator::create(&parts, operator, may, &terms).await
        }
        TokenCommand::Create { source, name, terms, .. } => {
            create(&parts, &source.unwrap_or_default(), name, TokenKind::Bearer, &terms).await
        }
        TokenCommand::List { operators: true, json, .. } => operator::list(&parts, json).await,
        TokenCommand::List { source, all, json, .. } => list::run(&parts, source.as_deref(), all, json).await,
        TokenCommand::Rotate { source, name, now } => {
            rotate::bearer(&parts, &source, name.as_deref(), now).await
        }
        TokenCommand::Revoke { id } => revoke(&parts, &id).await,
        TokenCommand::Client { command: ClientCommand::Create { source, client, terms } } => {
            let known = secrets_of(&parts, client.as_str()).await?;
            if let Some(known) = known.first() {
                bail!(
                    "{} has the client {client} already: `axon token client rotate` makes a new secret",
                    known.source
                );
            }
            create(&parts, &source, String::new(), TokenKind::Secret { client }, &terms).await
        }
        TokenCommand::Client { command: ClientCommand::Rotate { client, now } } => {
            rotate::secret(&parts, client.as_str(), now).await
        }
        TokenCommand::Client { command: ClientCommand::Revoke { client } } => {
            revoke_client(&parts, client.as_str()).await
        }
    };
    parts.store.close().await;
    status
}

async fn create(
    parts: &Parts,
    source: &str,
    label: String,
    kind: TokenKind,
    terms: &Terms,
) -> anyhow::Result<Status> {
    let known: Vec<&str> = parts.config.sources.keys().map(SourceId::as_str).collect();
    let source: SourceId =
        source.parse().ok().filter(|id| parts.config.sources.contains_key(id)).with_context(|| {
            format!("the configuration names no source {source:?}; it names: {}", known.join(", "))
        })?;
    if label.len() > 200 || label.contains(char::is_control) {
        bail!("--name is over 200 bytes, or holds line breaks");
    }
    if kind == TokenKind::Bearer && !parts.config.sources[&source].auth.tokens {
        bail!("source {source} has `auth.tokens` off: a token would not be accepted");
    }
    let expires = terms.life().map(|life| parts.clock.now().saturating_add(life));
    let token = NewToken { scopes: terms.scope, expires, kind, ..NewToken::bearer(source, no_hash(), label) };
    keep(parts, token).await
}

/// The hash of nothing: replaced before anything is kept.
fn no_hash() -> axon_store::TokenHash {
    axon_store::TokenHash::from_bytes([0; 32])
}

/// Makes the token itself, keeps it, and prints it.
async fn keep(parts: &Parts, token: NewToken) -> anyhow::Result<Status> {
    let prefix = if token.kind == TokenKind::Bearer { BEARER } else { SECRET };
    let act = parts.act();
    let made = Minted::new(prefix, &parts.ids, act.now);
    let kept = parts.store.add_token(NewToken { hash: made.hash(), ..token }, act).await?;
    println!("{}", made.text());
    let what = match kept.kind.client() {
        Some(client) => format!("secret {} of client {client}", kept.id),
        None => format!("token {}", kept.id),
    };
    eprintln!("{what} for {} ({}): shown once, stored as a hash", kept.source, kept.scopes);
    Ok(Status::Done)
}

async fn revoke(parts: &Parts, id: &str) -> anyhow::Result<Status> {
    let id = id.parse().with_context(|| format!("{id:?}; `axon token list` shows the ids"))?;
    let is_revoked = parts.store.revoke_token(id, parts.act()).await?
        || parts.store.revoke_operator_token(id, parts.act()).await?;
    if is_revoked {
        println!("revoked; a running serve refuses it within a second");
        return Ok(Status::Done);
    }
    eprintln!(
        "axon: there is no such token that is not revoked already; `axon token list [--operators]` shows them"
    );
    Ok(Status::Failed)
}

/// The secrets of a client that are accepted now.
async fn secrets_of(parts: &Parts, client: &str) -> anyhow::Result<Vec<Token>> {
    let now = parts.clock.now();
    let is_secret = |token: &Token| {
        matches!(&token.kind, TokenKind::Secret { client: of } if of.as_str() == client)
            && token.accepted_at(now)
    };
    Ok(parts.store.tokens().await?.into_iter().filter(is_secret).collect())
}

async fn revoke_client(parts: &Parts, client: &str) -> anyhow::Result<Status> {
    let secrets = secrets_of(parts, client).await?;
    if secrets.is_empty() {
        bail!("there is no client {client:?} with a secret that is accepted; `axon token list` shows them");
    }
    for secret in secrets {
        parts.store.revoke_token(secret.id, parts.act()).await?;
        println!(
            "revoked {}; a running serve refuses it, and what was given for it, within a second",
            secret.id
        );
    }
    Ok(Status::Done)
}
