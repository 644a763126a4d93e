//! Tokens of operators: apart from those of sources in every way.

use axon_store::Minted;
use axon_store::operators::{NewOperatorToken, OperatorToken, OperatorTokenKind, Permissions};
use time::OffsetDateTime;

use super::{Status, print_json};
use crate::cli::Terms;
use crate::wiring::Parts;

/// What they begin with.
const PREFIX: &str = "axon_op_";

/// Makes a token and prints it, alone, once.
pub async fn create(parts: &Parts, name: String, may: Permissions, terms: &Terms) -> anyhow::Result<Status> {
    let act = parts.act();
    let made = Minted::new(PREFIX, &parts.ids, act.now);
    let new = NewOperatorToken {
        name,
        hash: made.hash(),
        kind: OperatorTokenKind::Operator { may: may.clone() },
        expires: terms.life().map(|life| act.now.saturating_add(life)),
    };
    let kept = parts.store.add_operator_token(new, act).await?;
    println!("{}", made.text());
    eprintln!("token {} for operator {} ({may}): shown once, stored as a hash", kept.id, kept.name);
    Ok(Status::Done)
}

/// Lists them, never the secrets.
pub async fn list(parts: &Parts, json: bool) -> anyhow::Result<Status> {
    let now = parts.clock.now();
    let tokens = parts.store.operator_tokens().await?;
    if json {
        let rows: Vec<_> = tokens.iter().map(|token| row(token, now)).collect();
        print_json(&rows)?;
        return Ok(Status::Done);
    }
    if tokens.is_empty() {
        println!("no operators' tokens; make one with: axon token create --operator NAME --may map.read");
    }
    for token in &tokens {
        println!("{}  {:<20} {:<26} {}", token.id, token.name, state(token, now), may(token));
    }
    Ok(Status::Done)
}

fn may(token: &OperatorToken) -> String {
    match &token.kind {
        OperatorTokenKind::Operator { may } => may.to_string(),
        OperatorTokenKind::Service { .. } => String::new(),
    }
}

fn state(token: &OperatorToken, now: OffsetDateTime) -> String {
    match (token.revoked, token.accepted_at(now), token.expires) {
        (Some(at), _, _) => format!("revoked {}", at.date()),
        (None, false, _) => "expired".to_owned(),
        (None, true, Some(until)) => format!("accepted until {}", until.date()),
        (None, true, None) => "accepted".to_owned(),
    }
}

fn row(token: &OperatorToken, now: OffsetDateTime) -> serde_json::Value {
    let seconds = |at: Option<OffsetDateTime>| at.map(OffsetDateTime::unix_timestamp);
    serde_json::json!({
        "id": token.id.to_string(),
        "operator": token.name,
        "may": may(token),
        "created": token.created.unix_timestamp(),
        "expires": seconds(token.expires),
        "revoked": seconds(token.revoked),
        "lastUsed": seconds(token.last_used),
        "accepted": token.accepted_at(now),
    })
}
