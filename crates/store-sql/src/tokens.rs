//! The rows of bearer tokens.

use crate::args;
use crate::session::Session;
use axon_audit::payload::{TokenChange, TokenVerb};
use axon_store::{Act, NewToken, StoreError, Token, TokenHash, TokenId};

use crate::codec::{Place, micros};
use crate::journal;
use crate::writer::Txn;

type Row = (i64, Vec<u8>, String, String, i64, Option<i64>, Option<i64>);

/// A token behind its hash.
type HashedRow = (Vec<u8>, i64, Vec<u8>, String, String, i64, Option<i64>, Option<i64>);

fn token((seq, id, source, label, created, expires, revoked): Row) -> Result<Token, StoreError> {
    let place = Place { table: "tokens", row: &seq };
    Ok(Token {
        id: TokenId::from_bytes(place.bytes("id", &id)?),
        source: place.parsed("source", &source)?,
        label,
        created: place.instant("created", created)?,
        expires: expires.map(|at| place.instant("expires", at)).transpose()?,
        revoked: revoked.map(|at| place.instant("revoked", at)).transpose()?,
    })
}

/// Keeps a token.
pub(crate) async fn add(txn: &mut Txn, new: NewToken, act: Act) -> Result<Token, StoreError> {
    let id = TokenId::from_bytes(*act.ids.uuid(act.now).as_bytes());
    txn.session()?.run("keep a token", "INSERT INTO tokens (id, source, prefix, hash, label, created, expires) VALUES ($1, $2, $3, $4, $5, $6, $7)", args![&id.as_bytes()[..], new.source.as_str(), new.hash.prefix(), &new.hash.as_bytes()[..], &new.label, micros(act.now), new.expires.map(micros)]).await?;
    let change = TokenChange { verb: TokenVerb::Created, token: id.to_string(), source: new.source.clone() };
    journal::record(txn, &act, change)?;
    Ok(Token {
        id,
        source: new.source,
        label: new.label,
        created: act.now,
        expires: new.expires,
        revoked: None,
    })
}

/// All tokens, oldest first.
pub(crate) async fn all(session: &mut dyn Session) -> Result<Vec<Token>, StoreError> {
    let rows: Vec<Row> = session
        .all(
            "read the tokens",
            "SELECT seq, id, source, label, created, expires, revoked FROM tokens ORDER BY seq",
            args![],
        )
        .await?;
    rows.into_iter().map(token).collect()
}

/// Revokes a token.
pub(crate) async fn revoke(txn: &mut Txn, id: TokenId, act: Act) -> Result<bool, StoreError> {
    let source: Option<String> = txn
        .session()?
        .value(
            "revoke a token",
            "UPDATE tokens SET revoked = $2 WHERE id = $1 AND revoked IS NULL RETURNING source",
            args![&id.as_bytes()[..], micros(act.now)],
        )
        .await?;
    let Some(source) = source else { return Ok(false) };
    let source = Place { table: "tokens", row: &id }.parsed("source", &source)?;
    journal::record(txn, &act, TokenChange { verb: TokenVerb::Revoked, token: id.to_string(), source })?;
    Ok(true)
}

/// The token of a hash: candidates by its prefix, all of them compared whole.
pub(crate) async fn find(session: &mut dyn Session, hash: &TokenHash) -> Result<Option<Token>, StoreError> {
    let rows: Vec<HashedRow> = session
        .all(
            "look a token up",
            "SELECT hash, seq, id, source, label, created, expires, revoked FROM tokens WHERE prefix = $1",
            args![hash.prefix()],
        )
        .await?;
    let mut found = None;
    for (stored, seq, id, source, label, created, expires, revoked) in rows {
        let stored = TokenHash::from_bytes(Place { table: "tokens", row: &seq }.bytes("hash", &stored)?);
        if stored.same(hash) {
            found = Some(token((seq, id, source, label, created, expires, revoked))?);
        }
    }
    Ok(found)
}
