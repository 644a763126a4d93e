//! The rows of role map versions.

mod proposals;

use axon_audit::payload::{MapAuthor, MapClear, MapVersionAdopted, MapWay};
use axon_model::{MapVersion, RecordSeq};
use axon_store::maps::{Adopted, MapFiles, MapHead, NewMap, StoredMap};
use axon_store::{Act, StoreError};

use crate::args;
use crate::codec::{Place, micros, signed};
use crate::journal;
use crate::session::Session;
use crate::writer::Txn;

pub(crate) use proposals::{answer, files_of, newest, propose};

/// What is read of a version, in this order.
macro_rules! head_columns {
    () => {
        "seq, version, parent, author, comment, released_by, at, record"
    };
}

type HeadRow = (i64, String, Option<String>, Option<String>, String, Option<String>, i64, i64);
type Row = (i64, String, Option<String>, Option<String>, String, Option<String>, i64, i64, String);

fn head(row: HeadRow) -> Result<MapHead, StoreError> {
    let (seq, version, parent, author, comment, released_by, at, record) = row;
    let place = Place { table: "role_maps", row: &seq };
    Ok(MapHead {
        number: place.count("seq", seq)?,
        version: MapVersion(version.into()),
        parent: parent.map(|parent| MapVersion(parent.into())),
        author: author.map(|author| place.json("author", &author)).transpose()?,
        comment,
        released_by: released_by.map(|by| place.json("released_by", &by)).transpose()?,
        at: place.instant("at", at)?,
        record: RecordSeq(place.count("record", record)?),
    })
}

fn map(
    (seq, version, parent, author, comment, released_by, at, record, files): Row,
) -> Result<StoredMap, StoreError> {
    let place = Place { table: "role_maps", row: &seq };
    let files: MapFiles = place.json("files", &files)?;
    Ok(StoredMap { head: head((seq, version, parent, author, comment, released_by, at, record))?, files })
}

/// Puts a version in force where what is in force is what was expected.
pub(crate) async fn adopt(txn: &mut Txn, new: NewMap, act: Act) -> Result<Adopted, StoreError> {
    let current = newest_head(txn.session()?).await?;
    match current {
        Some(head) if head.version == new.version => {
            if new.author.way == MapWay::File {
                file_says(txn, &new.version, &act).await?;
            }
            Ok(Adopted::Same(head))
        }
        current if !new.expected.is(current.as_ref().map(|head| &head.version)) => {
            Ok(Adopted::Moved(current))
        }
        current => {
            let parent = current.map(|head| head.version);
            Ok(Adopted::Taken(put(txn, new, parent, None, &act).await?))
        }
    }
}

/// One more version, in force from the commit on.
async fn put(
    txn: &mut Txn,
    new: NewMap,
    parent: Option<MapVersion>,
    released_by: Option<MapAuthor>,
    act: &Act,
) -> Result<MapHead, StoreError> {
    let NewMap { version, files, author, comment, expected: _ } = new;
    let adopted = MapVersionAdopted {
        version: version.clone(),
        before: parent.clone(),
        files: files.len() as u64,
        bytes: files.iter().map(|(_, text)| text.len() as u64).sum(),
        way: Some(author.way),
        clear: Some(MapClear {
            author: author.clone(),
            comment: comment.clone(),
            answered_by: released_by.clone(),
        }),
    };
    let text = json(&files)?;
    let record = journal::record(txn, act, adopted)?;
    let sql = "INSERT INTO role_maps (version, files, at, record, parent, way, author, comment, released_by) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING seq";
    let number: Option<i64> = txn
        .session()?
        .value(
            "write a role map",
            sql,
            args![
                &*version.0,
                text,
                micros(act.now),
                signed(record.0),
                parent.as_ref().map(|parent| &*parent.0),
                author.way.as_str(),
                json(&author)?,
                &comment,
                released_by.as_ref().map(json).transpose()?,
            ],
        )
        .await?;
    let number = number.and_then(|seq| u64::try_from(seq).ok()).unwrap_or_default();
    Ok(MapHead { number, version, parent, author: Some(author), comment, released_by, at: act.now, record })
}

fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::unavailable("write a role map", e))
}

/// The version in force.
pub(crate) async fn current(session: &mut dyn Session) -> Result<Option<StoredMap>, StoreError> {
    let sql = concat!("SELECT ", head_columns!(), ", files FROM role_maps ORDER BY seq DESC LIMIT 1");
    let row: Option<Row> = session.first("read the role map", sql, args![]).await?;
    row.map(map).transpose()
}

/// The version in force, without its text.
pub(crate) async fn newest_head(session: &mut dyn Session) -> Result<Option<MapHead>, StoreError> {
    let sql = concat!("SELECT ", head_columns!(), " FROM role_maps ORDER BY seq DESC LIMIT 1");
    let row: Option<HeadRow> = session.first("read the role map's head", sql, args![]).await?;
    row.map(head).transpose()
}

/// The number and the version in force. What stands behind the text in its row is not read: this is asked often.
pub(crate) async fn number(session: &mut dyn Session) -> Result<Option<(u64, MapVersion)>, StoreError> {
    let sql = "SELECT seq, version FROM role_maps ORDER BY seq DESC LIMIT 1";
    let row: Option<(i64, String)> = session.first("read the role map's number", sql, args![]).await?;
    row.map(|(seq, version)| {
        let place = Place { table: "role_maps", row: &seq };
        Ok((place.count("seq", seq)?, MapVersion(version.into())))
    })
    .transpose()
}

/// A version that is or was in force.
pub(crate) async fn by_version(
    session: &mut dyn Session,
    version: &MapVersion,
) -> Result<Option<StoredMap>, StoreError> {
    let sql = concat!(
        "SELECT ",
        head_columns!(),
        ", files FROM role_maps WHERE version = $1 ORDER BY seq DESC LIMIT 1"
    );
    let row: Option<Row> = session.first("read a role map", sql, args![&*version.0]).await?;
    row.map(map).transpose()
}

/// Versions from before a number, newest first.
pub(crate) async fn heads(
    session: &mut dyn Session,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<MapHead>, StoreError> {
    let sql =
        concat!("SELECT ", head_columns!(), " FROM role_maps WHERE seq < $1 ORDER BY seq DESC LIMIT $2");
    let args = args![before.map_or(i64::MAX, signed), i64::from(limit)];
    let rows: Vec<HeadRow> = session.all("list role maps", sql, args).await?;
    rows.into_iter().map(head).collect()
}

/// Keeps what the configured file says where that is in force by another way: it is taken as well as one that it brought.
async fn file_says(txn: &mut Txn, version: &MapVersion, act: &Act) -> Result<(), StoreError> {
    let sql = "INSERT INTO file_map (id, version, at) VALUES (1, $1, $2) \
               ON CONFLICT (id) DO UPDATE SET version = excluded.version, at = excluded.at";
    txn.session()?.run("keep what the file says", sql, args![&*version.0, micros(act.now)]).await?;
    Ok(())
}

/// Whether the configured file says no more than it said when it was last taken, or what came into force since and was
/// superseded: then it is older than the version in force.
pub(crate) async fn is_old_file(session: &mut dyn Session, version: &MapVersion) -> Result<bool, StoreError> {
    let sql = "SELECT version, at FROM (SELECT version, at FROM role_maps WHERE way = 'file' \
               UNION ALL SELECT version, opened AS at FROM map_proposals WHERE way = 'file' \
               UNION ALL SELECT version, at FROM file_map) came \
               ORDER BY at DESC LIMIT 1";
    let last: Option<(String, i64)> = session.first("read the file's last role map", sql, args![]).await?;
    let since = match last {
        Some((last, _)) if *last == *version.0 => return Ok(true),
        Some((_, at)) => at,
        None => i64::MIN,
    };
    let sql = "SELECT seq FROM role_maps WHERE version = $1 AND at > $2 LIMIT 1";
    let later: Option<i64> =
        session.value("look for the file's role map", sql, args![&*version.0, since]).await?;
    Ok(later.is_some())
}
