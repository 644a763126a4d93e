//! The directory as the controller wants it: whole at one position, or as deltas since another.

use std::sync::Arc;

use axon_audit::payload::{DirectoryChange, Erased};
use axon_audit::{Payload, RecordKind};
use axon_model::{Delta, Directory, GroupEntry, GroupId, RecordSeq, UserEntry, UserId};
use axon_store::{Since, SourceCounts, StoreError};
use futures_util::TryStreamExt as _;
use sqlx::SqliteConnection;

use crate::codec::{Place, failed};
use crate::journal;
use crate::reader::member_kind;

type UserRow = (i64, Vec<u8>, String, Arc<str>, Option<Arc<str>>, bool, Arc<str>, i64);
type GroupRow = (i64, Vec<u8>, String, Arc<str>, Option<Arc<str>>, Arc<str>, i64);

/// Reads everything, row by row, inside one read transaction.
pub(crate) async fn directory(connection: &mut SqliteConnection) -> Result<Directory, StoreError> {
    let mut directory = Directory::default();
    let head = journal::head(connection).await?;
    users(connection, &mut directory).await?;
    groups(connection, &mut directory).await?;
    members(connection, &mut directory).await?;
    directory.advance(head.seq);
    Ok(directory)
}

async fn users(connection: &mut SqliteConnection, directory: &mut Directory) -> Result<(), StoreError> {
    let mut rows = sqlx::query_as::<_, UserRow>(
        "SELECT seq, id, source, user_name, external_id, active, document, record FROM users ORDER BY seq",
    )
    .fetch(connection);
    while let Some(row) = rows.try_next().await.map_err(failed("read users"))? {
        let (seq, id, source, user_name, external_id, active, document, record) = row;
        let place = Place { table: "users", row: &seq };
        let user = UserEntry {
            id: UserId::from_uuid(place.uuid("id", &id)?),
            source: place.parsed("source", &source)?,
            user_name,
            external_id,
            active,
            document,
        };
        directory.apply(&Delta::UserPut { user }, RecordSeq(place.count("record", record)?));
    }
    Ok(())
}

async fn groups(connection: &mut SqliteConnection, directory: &mut Directory) -> Result<(), StoreError> {
    let mut rows = sqlx::query_as::<_, GroupRow>(
        "SELECT seq, id, source, display_name, external_id, document, record FROM groups ORDER BY seq",
    )
    .fetch(connection);
    while let Some(row) = rows.try_next().await.map_err(failed("read groups"))? {
        let (seq, id, source, display_name, external_id, document, record) = row;
        let place = Place { table: "groups", row: &seq };
        let group = GroupEntry {
            id: GroupId::from_uuid(place.uuid("id", &id)?),
            source: place.parsed("source", &source)?,
            display_name,
            external_id,
            document,
        };
        directory.apply(&Delta::GroupPut { group }, RecordSeq(place.count("record", record)?));
    }
    Ok(())
}

async fn members(connection: &mut SqliteConnection, directory: &mut Directory) -> Result<(), StoreError> {
    let mut rows = sqlx::query_as::<_, (i64, Vec<u8>, i64, Option<Vec<u8>>, i64)>(
        "SELECT m.grp, g.id, m.kind, coalesce(u.id, n.id), m.record FROM members m \
         JOIN groups g ON g.seq = m.grp \
         LEFT JOIN users u ON m.kind = 0 AND u.seq = m.member \
         LEFT JOIN groups n ON m.kind = 1 AND n.seq = m.member \
         ORDER BY m.grp, m.kind, m.member",
    )
    .fetch(connection);
    while let Some((seq, group, kind, member, record)) =
        rows.try_next().await.map_err(failed("read members"))?
    {
        let place = Place { table: "members", row: &seq };
        let group = GroupId::from_uuid(place.uuid("grp", &group)?);
        let member = member_kind(kind, place.uuid("member", &member.unwrap_or_default())?);
        let record = RecordSeq(place.count("record", record)?);
        directory.apply(&Delta::MemberAdded { group, member }, record);
    }
    Ok(())
}

/// What records behind `position` changed.
pub(crate) async fn deltas(
    connection: &mut SqliteConnection,
    position: RecordSeq,
    limit: u32,
) -> Result<Since, StoreError> {
    let head = journal::head(connection).await?;
    if position > head.seq {
        return Ok(Since::Reload);
    }
    let upto = RecordSeq(position.0.saturating_add(u64::from(limit)).min(head.seq.0));
    let entries =
        journal::entries_of(connection, Some(DirectoryChange::KIND), position.next(), upto, u32::MAX).await?;
    let mut deltas = Vec::with_capacity(entries.len());
    for entry in entries {
        debug_assert_eq!(entry.record.kind, RecordKind::DirectoryChange);
        match DirectoryChange::deltas_of(&entry.record, entry.clear.as_ref()) {
            Ok(found) => deltas.extend(found.into_iter().map(|delta| (entry.record.seq, delta))),
            Err(Erased::Gone(_)) => return Ok(Since::Reload),
            Err(Erased::Payload(error)) => {
                return Err(Place { table: "journal", row: &entry.record.seq }.bad("facts", error));
            }
        }
    }
    Ok(Since::Deltas { deltas, upto })
}

/// What each source has pushed.
pub(crate) async fn counts(connection: &mut SqliteConnection) -> Result<Vec<SourceCounts>, StoreError> {
    let rows: Vec<(String, i64, i64, i64, i64)> = sqlx::query_as(
        "SELECT source, sum(users), sum(groups), sum(memberships), sum(parked) FROM ( \
             SELECT source, count(*) AS users, 0 AS groups, 0 AS memberships, 0 AS parked FROM users GROUP BY source \
             UNION ALL \
             SELECT source, 0, count(*), sum(member_count), sum(parked_count) FROM groups GROUP BY source) \
         GROUP BY source ORDER BY source",
    )
    .fetch_all(connection)
    .await
    .map_err(failed("count the directory"))?;
    let counts = |(source, users, groups, memberships, parked): (String, i64, i64, i64, i64)| {
        let place = Place { table: "users", row: &source };
        Ok(SourceCounts {
            source: place.parsed("source", &source)?,
            users: place.count("seq", users)?,
            groups: place.count("seq", groups)?,
            memberships: place.count("member_count", memberships)?,
            parked: place.count("parked_count", parked)?,
        })
    };
    rows.into_iter().map(counts).collect()
}
