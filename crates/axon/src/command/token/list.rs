//! The tokens, for people and machines.

use axon_store::{ClientId, Token, TokenKind};
use time::OffsetDateTime;

use super::{Status, print_json};
use crate::wiring::Parts;

/// Lists the tokens, never the secrets.
pub async fn run(parts: &Parts, source: Option<&str>, all: bool, json: bool) -> anyhow::Result<Status> {
    let now = parts.clock.now();
    let mut tokens = parts.store.tokens().await?;
    tokens.retain(|token| {
        (all || !matches!(token.kind, TokenKind::Access { .. }))
            && source.is_none_or(|s| token.source.as_str() == s)
    });
    if json {
        let rows: Vec<_> = tokens.iter().map(|token| row(token, now)).collect();
        print_json(&rows)?;
        return Ok(Status::Done);
    }
    if tokens.is_empty() {
        println!("no tokens; make one with: axon token create --source NAME");
    }
    for token in tokens {
        let used =
            token.last_used.map_or_else(|| "never used".to_owned(), |at| format!("used {}", minute(at)));
        let name = token.kind.client().map_or(token.label.as_str(), ClientId::as_str);
        println!(
            "{}  {:<12} {:<7} {:<16} {:<25} made {}  {:<21}  {name}",
            token.id,
            token.source.as_str(),
            token.kind.as_str(),
            token.scopes.to_string(),
            state(&token, now),
            token.created.date(),
            used,
        );
    }
    Ok(Status::Done)
}

fn state(token: &Token, now: OffsetDateTime) -> String {
    match (token.revoked, token.accepted_at(now), token.expires) {
        (Some(at), _, _) => format!("revoked {}", at.date()),
        (None, false, _) => "expired".to_owned(),
        (None, true, Some(until)) => format!("accepted until {}", until.date()),
        (None, true, None) => "accepted".to_owned(),
    }
}

/// An instant as people write it, to the minute, UTC.
fn minute(at: OffsetDateTime) -> String {
    format!("{} {:02}:{:02}", at.date(), at.hour(), at.minute())
}

fn row(token: &Token, now: OffsetDateTime) -> serde_json::Value {
    let seconds = |at: Option<OffsetDateTime>| at.map(OffsetDateTime::unix_timestamp);
    serde_json::json!({
        "id": token.id.to_string(),
        "source": token.source,
        "kind": token.kind.as_str(),
        "client": token.kind.client().map(ClientId::as_str),
        "label": token.label,
        "scope": token.scopes.to_string(),
        "created": token.created.unix_timestamp(),
        "expires": seconds(token.expires),
        "revoked": seconds(token.revoked),
        "lastUsed": seconds(token.last_used),
        "accepted": token.accepted_at(now),
    })
}
