//! The rows of operators' tokens.

use axon_audit::payload::{OperatorTokenChange, OperatorTokenClear, OperatorTokenVerb};
use axon_store::operators::{LIVE_SERVICE_TOKENS, NewOperatorToken, OperatorToken, OperatorTokenKind};
use axon_store::{Act, StoreError, TokenHash, TokenId};
use time::OffsetDateTime;

use crate::args;
use crate::codec::{Place, micros};
use crate::journal;
use crate::session::Session;
use crate::writer::Txn;

/// What is read of a token, in this order.
macro_rules! columns {
    () => {
        "seq, id, kind, name, may, job, created, expires, revoked, last_used"
    };
}

type Row = (i64, Vec<u8>, String, String, String, Option<String>, i64, Option<i64>, Option<i64>, Option<i64>);

fn token(row: Row) -> Result<OperatorToken, StoreError> {
    let (seq, id, kind, name, may, job, created, expires, revoked, last_used) = row;
    let place = Place { table: "operator_tokens", row: &seq };
    let kind = match (kind.as_str(), job) {
        ("operator", _) => OperatorTokenKind::Operator { may: place.parsed("may", &may)? },
        ("service", Some(job)) => OperatorTokenKind::Service { job: place.json("job", &job)? },
        (other, _) => return Err(place.bad("kind", format!("{other:?} is no kind of token"))),
    };
    Ok(OperatorToken {
        id: TokenId::from_bytes(place.bytes("id", &id)?),
        name,
        kind,
        created: place.instant("created", created)?,
        expires: expires.map(|at| place.instant("expires", at)).transpose()?,
        revoked: revoked.map(|at| place.instant("revoked", at)).transpose()?,
        last_used: last_used.map(|at| place.instant("last_used", at)).transpose()?,
    })
}

fn change(token: &OperatorToken, verb: OperatorTokenVerb) -> OperatorTokenChange {
    let (may, job) = match &token.kind {
        OperatorTokenKind::Operator { may } => (may.to_string(), None),
        OperatorTokenKind::Service { job } => (format!("service {}", token.name), Some(job.clone())),
    };
    let clear = OperatorTokenClear { name: token.name.clone(), job };
    OperatorTokenChange { verb, token: token.id.to_string(), may, clear }
}

/// Keeps a token.
pub(crate) async fn add(txn: &mut Txn, new: NewOperatorToken, act: Act) -> Result<OperatorToken, StoreError> {
    let token = OperatorToken {
        id: TokenId::from_bytes(*act.ids.uuid(act.now).as_bytes()),
        name: new.name,
        kind: new.kind,
        created: act.now,
        expires: new.expires,
        revoked: None,
        last_used: None,
    };
    let (kind, may, job, verb) = match &token.kind {
        OperatorTokenKind::Operator { may } => {
            ("operator", may.to_string(), None, OperatorTokenVerb::Created)
        }
        OperatorTokenKind::Service { job } => {
            make_room(txn, &token.name, act.now).await?;
            let job = serde_json::to_string(job).map_err(|e| StoreError::unavailable("keep a token", e))?;
            ("service", String::new(), Some(job), OperatorTokenVerb::Exchanged)
        }
    };
    txn.session()?
        .run(
            "keep an operator's token",
            "INSERT INTO operator_tokens (id, kind, name, prefix, hash, may, job, created, expires) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            args![
                token.id.as_bytes(),
                kind,
                &token.name,
                new.hash.prefix(),
                new.hash.as_bytes(),
                may,
                job,
                micros(act.now),
                token.expires.map(micros),
            ],
        )
        .await?;
    journal::record(txn, &act, change(&token, verb))?;
    Ok(token)
}

/// Drops the services' tokens that have ended, and the oldest of the service that gets another.
async fn make_room(txn: &mut Txn, name: &str, now: OffsetDateTime) -> Result<(), StoreError> {
    let session = txn.session()?;
    let sql = "DELETE FROM operator_tokens WHERE kind = 'service' AND expires <= $1";
    session.run("drop ended tokens", sql, args![micros(now)]).await?;
    let sql = "DELETE FROM operator_tokens WHERE seq IN (SELECT seq FROM operator_tokens WHERE kind = 'service' \
               AND name = $1 ORDER BY seq DESC LIMIT 1000 OFFSET $2)";
    let others = i64::try_from(LIVE_SERVICE_TOKENS - 1).unwrap_or(i64::MAX);
    session.run("drop the oldest tokens", sql, args![name, others]).await?;
    Ok(())
}

/// The tokens of operators, oldest first.
pub(crate) async fn all(session: &mut dyn Session) -> Result<Vec<OperatorToken>, StoreError> {
    let sql = concat!("SELECT ", columns!(), " FROM operator_tokens WHERE kind = 'operator' ORDER BY seq");
    let rows: Vec<Row> = session.all("read operators' tokens", sql, args![]).await?;
    rows.into_iter().map(token).collect()
}

/// Revokes a token.
pub(crate) async fn revoke(txn: &mut Txn, id: TokenId, act: Act) -> Result<bool, StoreError> {
    let sql = concat!(
        "UPDATE operator_tokens SET revoked = $2 WHERE id = $1 AND revoked IS NULL RETURNING ",
        columns!()
    );
    let row: Option<Row> = txn
        .session()?
        .first("revoke an operator's token", sql, args![id.as_bytes(), micros(act.now)])
        .await?;
    let Some(row) = row else { return Ok(false) };
    let revoked = token(row)?;
    journal::record(txn, &act, change(&revoked, OperatorTokenVerb::Revoked))?;
    Ok(true)
}

/// The token of a hash: candidates by its prefix, all of them compared whole.
pub(crate) async fn find(
    session: &mut dyn Session,
    hash: &TokenHash,
) -> Result<Option<OperatorToken>, StoreError> {
    let sql = concat!("SELECT ", columns!(), ", hash FROM operator_tokens WHERE prefix = $1");
    let rows: Vec<crate::Row> = session.all("look an operator's token up", sql, args![hash.prefix()]).await?;
    let mut found = None;
    for mut row in rows {
        let stored = row.0.pop();
        let read: Row = crate::session::read("look an operator's token up", vec![row])?.remove(0);
        let Some(crate::Value::Blob(stored)) = stored else { continue };
        let place = Place { table: "operator_tokens", row: &read.0 };
        if TokenHash::from_bytes(place.bytes("hash", &stored)?).same(hash) {
            found = Some(token(read)?);
        }
    }
    Ok(found)
}

/// Notes that a token was used.
pub(crate) async fn touch(txn: &mut Txn, id: TokenId, at: OffsetDateTime) -> Result<(), StoreError> {
    let sql =
        "UPDATE operator_tokens SET last_used = $2 WHERE id = $1 AND (last_used IS NULL OR last_used < $2)";
    txn.session()?
        .run("note the last use of an operator's token", sql, args![id.as_bytes(), micros(at)])
        .await?;
    Ok(())
}
