//! The rows of tokens: bearers, secrets of clients, access tokens.

use axon_audit::payload::{TokenChange, TokenVerb};
use axon_store::tokens::LIVE_ACCESS_TOKENS;
use axon_store::{Act, ClientId, NewToken, StoreError, Token, TokenHash, TokenId, TokenKind};
use time::OffsetDateTime;

use crate::args;
use crate::codec::{Place, micros};
use crate::journal;
use crate::session::Session;
use crate::writer::Txn;

/// What is read of a token, in this order.
macro_rules! columns {
    () => {
        "seq, id, source, label, created, expires, revoked, kind, client, secret, scopes, last_used"
    };
}

type Row = (
    i64,
    Vec<u8>,
    String,
    String,
    i64,
    Option<i64>,
    Option<i64>,
    String,
    Option<String>,
    Option<Vec<u8>>,
    String,
    Option<i64>,
);

fn token(row: Row) -> Result<Token, StoreError> {
    let (seq, id, source, label, created, expires, revoked, kind, client, secret, scopes, last_used) = row;
    let place = Place { table: "tokens", row: &seq };
    Ok(Token {
        id: TokenId::from_bytes(place.bytes("id", &id)?),
        source: place.parsed("source", &source)?,
        label,
        created: place.instant("created", created)?,
        expires: expires.map(|at| place.instant("expires", at)).transpose()?,
        revoked: revoked.map(|at| place.instant("revoked", at)).transpose()?,
        scopes: place.parsed("scopes", &scopes)?,
        kind: kind_of(&place, &kind, client.as_deref(), secret.as_deref())?,
        last_used: last_used.map(|at| place.instant("last_used", at)).transpose()?,
    })
}

fn kind_of(
    place: &Place<'_>,
    kind: &str,
    client: Option<&str>,
    secret: Option<&[u8]>,
) -> Result<TokenKind, StoreError> {
    let client = || -> Result<ClientId, StoreError> { place.parsed("client", client.unwrap_or_default()) };
    match kind {
        "bearer" => Ok(TokenKind::Bearer),
        "secret" => Ok(TokenKind::Secret { client: client()? }),
        "access" => {
            let secret = secret.map(|id| place.bytes("secret", id).map(TokenId::from_bytes)).transpose()?;
            Ok(TokenKind::Access { client: client()?, secret })
        }
        other => Err(place.bad("kind", format!("{other:?} is no kind of token"))),
    }
}

/// Keeps a token.
pub(crate) async fn add(txn: &mut Txn, new: NewToken, act: Act) -> Result<Token, StoreError> {
    let id = TokenId::from_bytes(*act.ids.uuid(act.now).as_bytes());
    let secret = match &new.kind {
        TokenKind::Access { client, secret } => {
            make_room(txn, &new, client, micros(act.now)).await?;
            *secret
        }
        TokenKind::Bearer | TokenKind::Secret { .. } => None,
    };
    // It may have been revoked since it was shown: what is given for it then was never good.
    let revoked = match &secret {
        Some(secret) if !lives(txn, secret).await? => Some(act.now),
        _ => None,
    };
    txn.session()?
        .run(
            "keep a token",
            "INSERT INTO tokens (id, source, prefix, hash, label, created, expires, kind, client, secret, scopes, revoked)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            args![
                id.as_bytes(),
                new.source.as_str(),
                new.hash.prefix(),
                new.hash.as_bytes(),
                &new.label,
                micros(act.now),
                new.expires.map(micros),
                new.kind.as_str(),
                new.kind.client().map(ClientId::as_str),
                secret.as_ref().map(|id| &id.as_bytes()[..]),
                new.scopes.to_string(),
                revoked.map(micros),
            ],
        )
        .await?;
    if !matches!(new.kind, TokenKind::Access { .. }) {
        let change =
            TokenChange { verb: TokenVerb::Created, token: id.to_string(), source: new.source.clone() };
        journal::record(txn, &act, change)?;
    }
    Ok(Token {
        id,
        source: new.source,
        label: new.label,
        created: act.now,
        expires: new.expires,
        revoked,
        scopes: new.scopes,
        kind: new.kind,
        last_used: None,
    })
}

/// Whether a secret is there and not revoked.
async fn lives(txn: &mut Txn, secret: &TokenId) -> Result<bool, StoreError> {
    let sql = "SELECT seq FROM tokens WHERE id = $1 AND kind = 'secret' AND revoked IS NULL";
    let found: Option<i64> = txn.session()?.value("look at a secret", sql, args![secret.as_bytes()]).await?;
    Ok(found.is_some())
}

/// Drops the access tokens that have ended, and the oldest of the client that gets another.
async fn make_room(txn: &mut Txn, new: &NewToken, client: &ClientId, now: i64) -> Result<(), StoreError> {
    let session = txn.session()?;
    session
        .run("drop ended tokens", "DELETE FROM tokens WHERE kind = 'access' AND expires <= $1", args![now])
        .await?;
    let others = i64::try_from(LIVE_ACCESS_TOKENS - 1).unwrap_or(i64::MAX);
    let sql = "DELETE FROM tokens WHERE seq IN (SELECT seq FROM tokens WHERE kind = 'access' AND source = $1 AND \
               client = $2              ORDER BY seq DESC LIMIT 1000 OFFSET $3)";
    let args = args![new.source.as_str(), client.as_str(), others];
    session.run("drop the oldest tokens", sql, args).await?;
    Ok(())
}

/// All tokens, oldest first.
pub(crate) async fn all(session: &mut dyn Session) -> Result<Vec<Token>, StoreError> {
    let sql = concat!("SELECT ", columns!(), " FROM tokens ORDER BY seq");
    let rows: Vec<Row> = session.all("read the tokens", sql, args![]).await?;
    rows.into_iter().map(token).collect()
}

/// Revokes a token, and the access tokens that were given for it.
pub(crate) async fn revoke(txn: &mut Txn, id: TokenId, act: Act) -> Result<bool, StoreError> {
    let source: Option<String> = txn
        .session()?
        .value(
            "revoke a token",
            "UPDATE tokens SET revoked = $2 WHERE id = $1 AND revoked IS NULL RETURNING source",
            args![id.as_bytes(), micros(act.now)],
        )
        .await?;
    let Some(source) = source else { return Ok(false) };
    txn.session()?
        .run(
            "revoke what was given for a token",
            "UPDATE tokens SET revoked = $2 WHERE secret = $1 AND revoked IS NULL",
            args![id.as_bytes(), micros(act.now)],
        )
        .await?;
    let source = Place { table: "tokens", row: &id }.parsed("source", &source)?;
    journal::record(txn, &act, TokenChange { verb: TokenVerb::Revoked, token: id.to_string(), source })?;
    Ok(true)
}

/// The token of a hash: candidates by its prefix, all of them compared whole.
pub(crate) async fn find(session: &mut dyn Session, hash: &TokenHash) -> Result<Option<Token>, StoreError> {
    let sql = concat!("SELECT ", columns!(), ", hash FROM tokens WHERE prefix = $1");
    let rows: Vec<crate::Row> = session.all("look a token up", sql, args![hash.prefix()]).await?;
    let mut found = None;
    for mut row in rows {
        let stored = row.0.pop();
        let read: Row = crate::session::read("look a token up", vec![row])?.remove(0);
        let Some(crate::Value::Blob(stored)) = stored else { continue };
        let stored = TokenHash::from_bytes(Place { table: "tokens", row: &read.0 }.bytes("hash", &stored)?);
        if stored.same(hash) {
            found = Some(token(read)?);
        }
    }
    Ok(found)
}

/// Notes when tokens were used last.
pub(crate) async fn touch(txn: &mut Txn, used: Vec<(TokenId, OffsetDateTime)>) -> Result<(), StoreError> {
    for (id, at) in used {
        txn.session()?
            .run(
                "note the last use of a token",
                "UPDATE tokens SET last_used = $2 WHERE id = $1 AND (last_used IS NULL OR last_used < $2)",
                args![id.as_bytes(), micros(at)],
            )
            .await?;
    }
    Ok(())
}
