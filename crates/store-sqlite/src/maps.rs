//! The rows of role map versions.

use axon_audit::payload::MapVersionAdopted;
use axon_model::{MapVersion, RecordSeq};
use axon_store::{Act, StoreError, StoredMap};
use sqlx::SqliteConnection;

use crate::codec::{Place, failed, micros, signed};
use crate::journal;
use crate::writer::Txn;

type Row = (i64, String, String, i64, i64);

fn map((seq, version, files, at, record): Row) -> Result<StoredMap, StoreError> {
    let place = Place { table: "role_maps", row: &seq };
    Ok(StoredMap {
        version: MapVersion(version.into()),
        files: place.json("files", &files)?,
        at: place.instant("at", at)?,
        record: RecordSeq(place.count("record", record)?),
    })
}

/// Puts a version in force.
pub(crate) async fn put(
    txn: &mut Txn,
    version: MapVersion,
    files: Vec<(String, String)>,
    act: Act,
) -> Result<bool, StoreError> {
    let before = current(txn.connection()?).await?.map(|map| map.version);
    if before.as_ref() == Some(&version) {
        return Ok(false);
    }
    let text = serde_json::to_string(&files).map_err(|e| StoreError::unavailable("write a role map", e))?;
    sqlx::query("INSERT INTO role_maps (version, files, at, record) VALUES (?1, ?2, ?3, ?4)")
        .bind(&*version.0)
        .bind(text)
        .bind(micros(act.now))
        .bind(signed(txn.next_seq().0))
        .execute(txn.connection()?)
        .await
        .map_err(failed("write a role map"))?;
    let adopted = MapVersionAdopted {
        version,
        before,
        files: files.len() as u64,
        bytes: files.iter().map(|(_, text)| text.len() as u64).sum(),
    };
    journal::record(txn, &act, adopted)?;
    Ok(true)
}

/// The version in force.
pub(crate) async fn current(connection: &mut SqliteConnection) -> Result<Option<StoredMap>, StoreError> {
    let row: Option<Row> =
        sqlx::query_as("SELECT seq, version, files, at, record FROM role_maps ORDER BY seq DESC LIMIT 1")
            .fetch_optional(connection)
            .await
            .map_err(failed("read the role map"))?;
    row.map(map).transpose()
}

/// A version that is or was in force.
pub(crate) async fn by_version(
    connection: &mut SqliteConnection,
    version: &MapVersion,
) -> Result<Option<StoredMap>, StoreError> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT seq, version, files, at, record FROM role_maps WHERE version = ?1 ORDER BY seq DESC LIMIT 1",
    )
    .bind(&*version.0)
    .fetch_optional(connection)
    .await
    .map_err(failed("read a role map"))?;
    row.map(map).transpose()
}
