//! The rows of what was taken away lately, and the marks of what Axon made.

use axon_audit::{NewRecord, Record};
use axon_reconcile::LeaseProof;
use axon_store::{Notes, Removal, StoreError};
use serde_json::json;

use crate::args;
use crate::codec::{Place, micros, signed};
use crate::journal;
use crate::session::Session;
use crate::writer::Txn;

/// How many marks go in one statement.
const SOME: usize = 5_000;

/// Appends records and keeps notes.
pub(crate) async fn append(
    txn: &mut Txn,
    records: Vec<NewRecord>,
    lease: Option<LeaseProof>,
    notes: Notes,
) -> Result<Vec<Record>, StoreError> {
    let appended = journal::append(txn, records, lease).await?;
    keep(txn.session()?, &notes).await?;
    Ok(appended)
}

async fn keep(session: &mut dyn Session, notes: &Notes) -> Result<(), StoreError> {
    let Notes { target, counted, uncounted, made, unmade, forget } = notes;
    if let Some(before) = forget {
        let sql = "DELETE FROM removals WHERE target = $1 AND at < $2";
        session.run("forget old removals", sql, args![target, micros(*before)]).await?;
    }
    for Removal { key, at, leaver, count } in counted {
        let sql = "INSERT INTO removals (target, key, at, leaver, count) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (target, key) DO UPDATE SET at = excluded.at, count = excluded.count";
        let args = args![target, key, micros(*at), *leaver, signed(*count)];
        session.run("count a removal", sql, args).await?;
    }
    if !uncounted.is_empty() {
        let sql = "DELETE FROM removals WHERE target = $1 AND key IN (SELECT value FROM json_each($2))";
        session.run("count a removal no more", sql, args![target, json!(uncounted).to_string()]).await?;
    }
    for some in unmade.chunks(SOME) {
        let sql = "DELETE FROM made WHERE target = $1 AND mark IN (SELECT CAST(value AS BIGINT) FROM json_each($2))";
        session.run("take marks away", sql, args![target, json!(some).to_string()]).await?;
    }
    for some in made.chunks(SOME) {
        let sql = "INSERT INTO made (target, mark) SELECT $1, CAST(value AS BIGINT) FROM json_each($2) WHERE true \
                   ON CONFLICT DO NOTHING";
        session.run("mark what was made", sql, args![target, json!(some).to_string()]).await?;
    }
    Ok(())
}

/// What was taken from a target.
pub(crate) async fn of(session: &mut dyn Session, target: &str) -> Result<Vec<Removal>, StoreError> {
    let sql = "SELECT key, at, leaver, count FROM removals WHERE target = $1 ORDER BY at, key";
    let rows: Vec<(String, i64, i64, i64)> = session.all("read removals", sql, args![target]).await?;
    rows.into_iter()
        .map(|(key, at, leaver, count)| {
            let place = Place { table: "removals", row: &key };
            let (at, count) = (place.instant("at", at)?, place.count("count", count)?);
            Ok(Removal { at, count, leaver: leaver != 0, key })
        })
        .collect()
}

/// The marks of what Axon made in a target.
pub(crate) async fn made(session: &mut dyn Session, target: &str) -> Result<Vec<i64>, StoreError> {
    let sql = "SELECT mark FROM made WHERE target = $1 ORDER BY mark";
    let rows: Vec<(i64,)> = session.all("read what was made", sql, args![target]).await?;
    Ok(rows.into_iter().map(|(mark,)| mark).collect())
}
