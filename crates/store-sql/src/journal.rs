//! The journal's rows.

use axon_audit::payload::Erasure;
use axon_audit::{Chain, ClearPart, Digest, NewRecord, Record, RecordKind, Salt};
use axon_model::{RecordId, RecordSeq, RunId};
use axon_reconcile::LeaseProof;
use axon_store::{Act, JournalEntry, StoreError};

use crate::args;
use crate::codec::{Place, signed};
use crate::leases;
use crate::session::Session;
use crate::writer::Txn;

/// Appends records, under a lease where one is shown.
pub(crate) async fn append(
    txn: &mut Txn,
    records: Vec<NewRecord>,
    lease: Option<LeaseProof>,
) -> Result<Vec<Record>, StoreError> {
    if let Some(lease) = lease {
        leases::check(txn.session()?, &lease).await?;
    }
    records.into_iter().map(|new| Ok(txn.record(new)?.record.clone())).collect()
}

/// Where the chain stands.
pub(crate) async fn head(session: &mut dyn Session) -> Result<Chain, StoreError> {
    let row: Option<(i64, Vec<u8>)> = session
        .first("read the journal's head", "SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1", args![])
        .await?;
    row.map_or(Ok(Chain::EMPTY), |(seq, hash)| chain(seq, &hash))
}

/// Where the chain stands, and whether any member is parked: what the writer begins with. Of an empty journal the latter is
/// not told.
pub(crate) async fn head_and_parked(session: &mut dyn Session) -> Result<(Chain, Option<bool>), StoreError> {
    let sql = "SELECT seq, hash, (SELECT count(*) FROM (SELECT grp FROM parked LIMIT 1) p) FROM journal \
               ORDER BY seq DESC LIMIT 1";
    let row: Option<(i64, Vec<u8>, i64)> = session.first("read the journal's head", sql, args![]).await?;
    let Some((seq, hash, parked)) = row else { return Ok((Chain::EMPTY, None)) };
    Ok((chain(seq, &hash)?, Some(parked > 0)))
}

fn chain(seq: i64, hash: &[u8]) -> Result<Chain, StoreError> {
    let place = Place { table: "journal", row: &seq };
    Ok(Chain {
        seq: RecordSeq(place.count("seq", seq)?),
        hash: Digest::from_bytes(place.bytes("hash", hash)?),
    })
}

/// A row: seq, id, at, actor, request, run, kind, facts, commitment, prev, hash, salt, body.
type Row = (
    i64,
    Vec<u8>,
    i64,
    String,
    Option<String>,
    Option<Vec<u8>>,
    String,
    String,
    Option<Vec<u8>>,
    Vec<u8>,
    Vec<u8>,
    Option<Vec<u8>>,
    Option<String>,
);

/// Records `from` to `upto`, at most `limit`, of one kind or of all.
pub(crate) async fn entries_of(
    session: &mut dyn Session,
    kind: Option<RecordKind>,
    from: RecordSeq,
    upto: RecordSeq,
    limit: u32,
) -> Result<Vec<JournalEntry>, StoreError> {
    let sql = "SELECT j.seq, j.id, j.at, j.actor, j.request, j.run, j.kind, j.facts, j.commitment, j.prev, j.hash, \
                      c.salt, c.body \
               FROM journal j LEFT JOIN journal_clear c ON c.seq = j.seq \
               WHERE j.seq >= $1 AND j.seq <= $2 AND ($3 IS NULL OR j.kind = $3) ORDER BY j.seq LIMIT $4";
    let kind = kind.map(RecordKind::as_str);
    let args = args![signed(from.0), signed(upto.0), kind, i64::from(limit)];
    let rows: Vec<Row> = session.all("read the journal", sql, args).await?;
    rows.into_iter().map(entry).collect()
}

fn entry(row: Row) -> Result<JournalEntry, StoreError> {
    let (seq, id, at, actor, request, run, kind, facts, commitment, prev, hash, salt, body) = row;
    let place = Place { table: "journal", row: &seq };
    let record = Record {
        id: RecordId::from_uuid(place.uuid("id", &id)?),
        seq: RecordSeq(place.count("seq", seq)?),
        at: place.instant("at", at)?,
        actor: place.json("actor", &actor)?,
        request: request.map(|r| place.parsed("request", &r)).transpose()?,
        run: run.map(|r| place.uuid("run", &r).map(RunId::from_uuid)).transpose()?,
        kind: RecordKind::parse(&kind).ok_or_else(|| place.bad("kind", "an unknown word"))?,
        facts: place.json("facts", &facts)?,
        commitment: commitment.map(|c| place.bytes("commitment", &c).map(Digest::from_bytes)).transpose()?,
        prev: Digest::from_bytes(place.bytes("prev", &prev)?),
        hash: Digest::from_bytes(place.bytes("hash", &hash)?),
    };
    let place = Place { table: "journal_clear", row: &seq };
    let clear = match (salt, body) {
        (Some(salt), Some(body)) => {
            let salt = Salt::from_bytes(place.bytes("salt", &salt)?);
            Some(ClearPart { salt, body: place.json("body", &body)? })
        }
        _ => None,
    };
    Ok(JournalEntry { record, clear })
}

/// Erases a clear part, and records that.
pub(crate) async fn erase(txn: &mut Txn, seq: RecordSeq, act: Act) -> Result<bool, StoreError> {
    let gone = txn
        .session()?
        .run("erase a clear part", "DELETE FROM journal_clear WHERE seq = $1", args![signed(seq.0)])
        .await?;
    if gone == 0 {
        return Ok(false);
    }
    record(txn, &act, Erasure { record: seq })?;
    Ok(true)
}

/// Appends the record of an act.
pub(crate) fn record<P: axon_audit::Payload>(
    txn: &mut Txn,
    act: &Act,
    payload: P,
) -> Result<RecordSeq, StoreError> {
    let new = NewRecord::of(&act.ids, act.now, act.actor.clone(), payload)
        .map_err(|e| StoreError::Seal(e.into()))?
        .with_request(act.request.clone());
    Ok(txn.record(new)?.record.seq)
}
