//! The rows of remembered principals and of summaries.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_store::StoreError;
use serde_json::Value;
use sqlx::SqliteConnection;
use time::OffsetDateTime;

use crate::codec::{Place, failed, micros};
use crate::writer::Txn;

/// Remembers principals of a target.
pub(crate) async fn remember(txn: &mut Txn, target: &str, names: &[SqlName]) -> Result<(), StoreError> {
    let names: Vec<Value> = names.iter().map(|name| name.as_str().into()).collect();
    sqlx::query("INSERT OR IGNORE INTO principals (target, name) SELECT ?1, value FROM json_each(?2)")
        .bind(target)
        .bind(Value::from(names).to_string())
        .execute(txn.connection()?)
        .await
        .map_err(failed("remember principals"))?;
    Ok(())
}

/// The principals of a target.
pub(crate) async fn remembered(
    connection: &mut SqliteConnection,
    target: &str,
) -> Result<BTreeSet<SqlName>, StoreError> {
    let names: Vec<String> = sqlx::query_scalar("SELECT name FROM principals WHERE target = ?1")
        .bind(target)
        .fetch_all(connection)
        .await
        .map_err(failed("read remembered principals"))?;
    let place = Place { table: "principals", row: &target };
    names.iter().map(|name| place.parsed("name", name)).collect()
}

/// Keeps a target's summary.
pub(crate) async fn save(
    txn: &mut Txn,
    target: &str,
    summary: &Value,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO summaries (target, summary, at) VALUES (?1, ?2, ?3) \
         ON CONFLICT (target) DO UPDATE SET summary = excluded.summary, at = excluded.at",
    )
    .bind(target)
    .bind(summary.to_string())
    .bind(micros(at))
    .execute(txn.connection()?)
    .await
    .map_err(failed("keep a summary"))?;
    Ok(())
}

/// A target's summary.
pub(crate) async fn summary(
    connection: &mut SqliteConnection,
    target: &str,
) -> Result<Option<(Value, OffsetDateTime)>, StoreError> {
    let row: Option<(String, i64)> = sqlx::query_as("SELECT summary, at FROM summaries WHERE target = ?1")
        .bind(target)
        .fetch_optional(connection)
        .await
        .map_err(failed("read a summary"))?;
    let Some((summary, at)) = row else { return Ok(None) };
    let place = Place { table: "summaries", row: &target };
    Ok(Some((place.json("summary", &summary)?, place.instant("at", at)?)))
}
