//! The directory as the controller wants it: whole at one position, or as deltas since another.

use std::sync::Arc;

use crate::args;
use crate::session::Session;
use axon_audit::payload::{DirectoryChange, Erased};
use axon_audit::{Payload, RecordKind};
use axon_model::{Delta, Directory, GroupEntry, GroupId, RecordSeq, UserEntry, UserId};
use axon_store::{Since, SourceCounts, StoreError};

use crate::codec::Place;
use crate::journal;
use crate::reader::member_kind;

type UserRow = (i64, Vec<u8>, String, Arc<str>, Option<Arc<str>>, bool, Arc<str>, i64);
type GroupRow = (i64, Vec<u8>, String, Arc<str>, Option<Arc<str>>, Arc<str>, i64);
type MemberRow = (i64, i64, i64, Vec<u8>, Option<Vec<u8>>, i64);

/// How many rows are read at a time, so that the rows are never all in memory beside what is made of them.
const PIECE: i64 = 5_000;

/// Reads everything, piece by piece, inside one read transaction.
pub(crate) async fn directory(session: &mut dyn Session) -> Result<Directory, StoreError> {
    let mut directory = Directory::default();
    let head = journal::head(session).await?;
    users(session, &mut directory).await?;
    groups(session, &mut directory).await?;
    members(session, &mut directory).await?;
    directory.advance(head.seq);
    Ok(directory)
}

async fn users(session: &mut dyn Session, directory: &mut Directory) -> Result<(), StoreError> {
    let sql = "SELECT seq, id, source, user_name, external_id, active, document, record FROM users \
               WHERE seq > $1 ORDER BY seq LIMIT $2";
    let mut after = 0;
    loop {
        let rows: Vec<UserRow> = session.all("read users", sql, args![after, PIECE]).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.0;
        for (seq, id, source, user_name, external_id, active, document, record) in rows {
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
    }
}

async fn groups(session: &mut dyn Session, directory: &mut Directory) -> Result<(), StoreError> {
    let sql = "SELECT seq, id, source, display_name, external_id, document, record FROM groups \
               WHERE seq > $1 ORDER BY seq LIMIT $2";
    let mut after = 0;
    loop {
        let rows: Vec<GroupRow> = session.all("read groups", sql, args![after, PIECE]).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.0;
        for (seq, id, source, display_name, external_id, document, record) in rows {
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
    }
}

async fn members(session: &mut dyn Session, directory: &mut Directory) -> Result<(), StoreError> {
    let sql = "SELECT m.grp, m.kind, m.member, g.id, coalesce(u.id, n.id), m.record FROM members m \
               JOIN groups g ON g.seq = m.grp \
               LEFT JOIN users u ON m.kind = 0 AND u.seq = m.member \
               LEFT JOIN groups n ON m.kind = 1 AND n.seq = m.member \
               WHERE (m.grp, m.kind, m.member) > ($1, $2, $3) ORDER BY m.grp, m.kind, m.member LIMIT $4";
    let mut after = (0, 0, 0);
    loop {
        let args = args![after.0, after.1, after.2, PIECE];
        let rows: Vec<MemberRow> = session.all("read members", sql, args).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = (last.0, last.1, last.2);
        for (seq, kind, _, group, member, record) in rows {
            let place = Place { table: "members", row: &seq };
            let group = GroupId::from_uuid(place.uuid("grp", &group)?);
            let member = member_kind(kind, place.uuid("member", &member.unwrap_or_default())?);
            let record = RecordSeq(place.count("record", record)?);
            directory.apply(&Delta::MemberAdded { group, member }, record);
        }
    }
}

/// What records behind `position` changed.
pub(crate) async fn deltas(
    session: &mut dyn Session,
    position: RecordSeq,
    limit: u32,
) -> Result<Since, StoreError> {
    let head = journal::head(session).await?;
    if position > head.seq {
        return Ok(Since::Reload);
    }
    let upto = RecordSeq(position.0.saturating_add(u64::from(limit)).min(head.seq.0));
    let entries =
        journal::entries_of(session, Some(DirectoryChange::KIND), position.next(), upto, u32::MAX).await?;
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
pub(crate) async fn counts(session: &mut dyn Session) -> Result<Vec<SourceCounts>, StoreError> {
    let sql = "SELECT source, CAST(sum(users) AS BIGINT), CAST(sum(groups) AS BIGINT), \
                      CAST(sum(memberships) AS BIGINT), CAST(sum(parked) AS BIGINT) FROM ( \
                   SELECT source, count(*) AS users, 0 AS groups, 0 AS memberships, 0 AS parked \
                   FROM users GROUP BY source \
                   UNION ALL \
                   SELECT source, 0, count(*), sum(member_count), sum(parked_count) FROM groups GROUP BY source \
               ) AS counted GROUP BY source ORDER BY source";
    let rows: Vec<(String, i64, i64, i64, i64)> = session.all("count the directory", sql, args![]).await?;
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
