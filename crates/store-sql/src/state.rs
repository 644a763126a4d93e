//! The rows of remembered principals and of summaries.

use std::collections::BTreeSet;

use crate::args;
use crate::session::Session;
use axon_model::SqlName;
use axon_store::StoreError;
use serde_json::Value;
use time::OffsetDateTime;

use crate::codec::{Place, micros};
use crate::writer::Txn;

/// Remembers principals of a target.
pub(crate) async fn remember(txn: &mut Txn, target: &str, names: &[SqlName]) -> Result<(), StoreError> {
    let names: Vec<Value> = names.iter().map(|name| name.as_str().into()).collect();
    let sql = "INSERT INTO principals (target, name) SELECT $1, value FROM json_each($2) WHERE true ON CONFLICT DO \
               NOTHING";
    let args = args![target, Value::from(names).to_string()];
    txn.session()?.run("remember principals", sql, args).await?;
    Ok(())
}

/// The principals of a target.
pub(crate) async fn remembered(
    session: &mut dyn Session,
    target: &str,
) -> Result<BTreeSet<SqlName>, StoreError> {
    let names: Vec<(String,)> = session
        .all("read remembered principals", "SELECT name FROM principals WHERE target = $1", args![target])
        .await?;
    let place = Place { table: "principals", row: &target };
    names.iter().map(|(name,)| place.parsed("name", name)).collect()
}

/// Keeps a target's summary.
pub(crate) async fn save(
    txn: &mut Txn,
    target: &str,
    summary: &Value,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    txn.session()?
        .run(
            "keep a summary",
            "INSERT INTO summaries (target, summary, at) VALUES ($1, $2, $3) \
         ON CONFLICT (target) DO UPDATE SET summary = excluded.summary, at = excluded.at",
            args![target, summary.to_string(), micros(at)],
        )
        .await?;
    Ok(())
}

/// A target's summary.
pub(crate) async fn summary(
    session: &mut dyn Session,
    target: &str,
) -> Result<Option<(Value, OffsetDateTime)>, StoreError> {
    let row: Option<(String, i64)> = session
        .first("read a summary", "SELECT summary, at FROM summaries WHERE target = $1", args![target])
        .await?;
    let Some((summary, at)) = row else { return Ok(None) };
    let place = Place { table: "summaries", row: &target };
    Ok(Some((place.json("summary", &summary)?, place.instant("at", at)?)))
}
