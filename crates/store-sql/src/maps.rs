//! The rows of role map versions.

use crate::args;
use crate::session::Session;
use axon_audit::payload::MapVersionAdopted;
use axon_model::{MapVersion, RecordSeq};
use axon_store::{Act, StoreError, StoredMap};

use crate::codec::{Place, micros, signed};
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
    let before = current(txn.session()?).await?.map(|map| map.version);
    if before.as_ref() == Some(&version) {
        return Ok(false);
    }
    let text = serde_json::to_string(&files).map_err(|e| StoreError::unavailable("write a role map", e))?;
    let record = signed(txn.next_seq().0);
    txn.session()?
        .run(
            "write a role map",
            "INSERT INTO role_maps (version, files, at, record) VALUES ($1, $2, $3, $4)",
            args![&*version.0, text, micros(act.now), record],
        )
        .await?;
    let adopted = MapVersionAdopted {
        version,
        before,
        files: files.len() as u64,
        bytes: files.iter().map(|(_, text)| text.len() as u64).sum(),
        way: None,
        clear: None,
    };
    journal::record(txn, &act, adopted)?;
    Ok(true)
}

/// The version in force.
pub(crate) async fn current(session: &mut dyn Session) -> Result<Option<StoredMap>, StoreError> {
    let row: Option<Row> = session
        .first(
            "read the role map",
            "SELECT seq, version, files, at, record FROM role_maps ORDER BY seq DESC LIMIT 1",
            args![],
        )
        .await?;
    row.map(map).transpose()
}

/// A version that is or was in force.
pub(crate) async fn by_version(
    session: &mut dyn Session,
    version: &MapVersion,
) -> Result<Option<StoredMap>, StoreError> {
    let sql =
        "SELECT seq, version, files, at, record FROM role_maps WHERE version = $1 ORDER BY seq DESC LIMIT 1";
    let args = args![&*version.0];
    let row: Option<Row> = session.first("read a role map", sql, args).await?;
    row.map(map).transpose()
}
