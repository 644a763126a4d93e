//! The journal's rows.

use axon_audit::payload::Erasure;
use axon_audit::{Chain, ClearPart, Digest, NewRecord, Record, RecordKind, Salt};
use axon_model::{RecordId, RecordSeq, RunId};
use axon_reconcile::LeaseProof;
use axon_store::{Act, JournalEntry, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use crate::codec::{Place, failed, signed};
use crate::leases;
use crate::writer::Txn;

/// Appends records, under a lease where one is shown.
pub(crate) async fn append(
    txn: &mut Txn,
    records: Vec<NewRecord>,
    lease: Option<LeaseProof>,
) -> Result<Vec<Record>, StoreError> {
    if let Some(lease) = lease {
        leases::check(txn.connection()?, &lease).await?;
    }
    records.into_iter().map(|new| Ok(txn.record(new)?.record.clone())).collect()
}

/// Where the chain stands.
pub(crate) async fn head(connection: &mut SqliteConnection) -> Result<Chain, StoreError> {
    let row: Option<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1")
            .fetch_optional(connection)
            .await
            .map_err(failed("read the journal's head"))?;
    let Some((seq, hash)) = row else { return Ok(Chain::EMPTY) };
    let place = Place { table: "journal", row: &seq };
    Ok(Chain {
        seq: RecordSeq(place.count("seq", seq)?),
        hash: Digest::from_bytes(place.bytes("hash", &hash)?),
    })
}

/// Records `from` to `upto`, at most `limit`, of one kind or of all.
pub(crate) async fn entries_of(
    connection: &mut SqliteConnection,
    kind: Option<RecordKind>,
    from: RecordSeq,
    upto: RecordSeq,
    limit: u32,
) -> Result<Vec<JournalEntry>, StoreError> {
    let rows = sqlx::query(
        "SELECT j.seq, j.id, j.at, j.actor, j.request, j.run, j.kind, j.facts, j.commitment, j.prev, j.hash, c.salt, c.body \
         FROM journal j LEFT JOIN journal_clear c ON c.seq = j.seq \
         WHERE j.seq >= ?1 AND j.seq <= ?2 AND (?3 IS NULL OR j.kind = ?3) ORDER BY j.seq LIMIT ?4",
    )
    .bind(signed(from.0))
    .bind(signed(upto.0))
    .bind(kind.map(RecordKind::as_str))
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await
    .map_err(failed("read the journal"))?;
    rows.iter().map(|row| entry(row).map_err(failed("read the journal"))?).collect()
}

/// Decodes one row. A column of the wrong type is the outer error, a value that makes no sense the inner one.
fn entry(row: &SqliteRow) -> Result<Result<JournalEntry, StoreError>, sqlx::Error> {
    let seq: i64 = row.try_get(0)?;
    let (id, at, actor): (&[u8], i64, &str) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    let (request, run): (Option<&str>, Option<&[u8]>) = (row.try_get(4)?, row.try_get(5)?);
    let (kind, facts): (&str, &str) = (row.try_get(6)?, row.try_get(7)?);
    let commitment: Option<&[u8]> = row.try_get(8)?;
    let (prev, hash): (&[u8], &[u8]) = (row.try_get(9)?, row.try_get(10)?);
    let (salt, body): (Option<&[u8]>, Option<&str>) = (row.try_get(11)?, row.try_get(12)?);
    let place = Place { table: "journal", row: &seq };
    let decode = || {
        let record = Record {
            id: RecordId::from_uuid(place.uuid("id", id)?),
            seq: RecordSeq(place.count("seq", seq)?),
            at: place.instant("at", at)?,
            actor: place.json("actor", actor)?,
            request: request.map(|r| place.parsed("request", r)).transpose()?,
            run: run.map(|r| place.uuid("run", r).map(RunId::from_uuid)).transpose()?,
            kind: RecordKind::parse(kind).ok_or_else(|| place.bad("kind", "an unknown word"))?,
            facts: place.json("facts", facts)?,
            commitment: commitment
                .map(|c| place.bytes("commitment", c).map(Digest::from_bytes))
                .transpose()?,
            prev: Digest::from_bytes(place.bytes("prev", prev)?),
            hash: Digest::from_bytes(place.bytes("hash", hash)?),
        };
        let place = Place { table: "journal_clear", row: &seq };
        let clear = match (salt, body) {
            (Some(salt), Some(body)) => {
                let salt = Salt::from_bytes(place.bytes("salt", salt)?);
                Some(ClearPart { salt, body: place.json("body", body)? })
            }
            _ => None,
        };
        Ok(JournalEntry { record, clear })
    };
    Ok(decode())
}

/// Erases a clear part, and records that.
pub(crate) async fn erase(txn: &mut Txn, seq: RecordSeq, act: Act) -> Result<bool, StoreError> {
    let gone = sqlx::query("DELETE FROM journal_clear WHERE seq = ?1")
        .bind(signed(seq.0))
        .execute(txn.connection()?)
        .await
        .map_err(failed("erase a clear part"))?
        .rows_affected();
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
