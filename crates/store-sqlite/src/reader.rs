//! Rows of users and groups, and reads by id.

use std::sync::Arc;

use axon_model::{GroupId, MemberKind, SourceId, UserId};
use axon_scim::{Resource, ResourceKind};
use axon_store::{GroupRef, Member, StoreError, StoredGroup, StoredUser};
use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::codec::{Place, failed};

/// The columns of a user; `$links` is [`user_groups!`] or NULL.
macro_rules! user_select {
    ($links:expr, $rest:literal) => {
        concat!(
            "SELECT u.seq, u.id, u.created, u.modified, u.version, u.document, ",
            $links,
            " FROM users u ",
            $rest
        )
    };
}

/// The groups of a user as JSON, in the order of their creation.
macro_rules! user_groups {
    () => {
        "(SELECT json_group_array(json_array(hex(g.id), g.display_name) ORDER BY g.seq) \
         FROM members m JOIN groups g ON g.seq = m.grp WHERE m.member = u.seq AND m.kind = 0)"
    };
}

/// The columns of a group.
macro_rules! group_select {
    ($rest:literal) => {
        concat!(
            "SELECT g.seq, g.id, g.created, g.modified, g.version, g.document, g.member_count, g.parked_count \
             FROM groups g ",
            $rest
        )
    };
}

pub(crate) use {group_select, user_groups, user_select};

/// A row of [`user_select!`].
pub(crate) type UserRow = (i64, Vec<u8>, i64, i64, i64, String, Option<String>);

/// A row of [`group_select!`].
pub(crate) type GroupRow = (i64, Vec<u8>, i64, i64, i64, String, i64, i64);

/// A member's kind, key, id and display; the last two are missing where the row points at nothing.
type MemberRow = (i64, i64, Option<Vec<u8>>, Option<Arc<str>>);

/// A user with its key.
pub(crate) struct KeyedUser {
    pub seq: i64,
    pub user: StoredUser,
}

/// A group with its key.
pub(crate) struct KeyedGroup {
    pub seq: i64,
    pub parked: u64,
    pub group: StoredGroup,
}

/// Decodes a user.
pub(crate) fn user(row: UserRow) -> Result<KeyedUser, StoreError> {
    let (seq, id, created, modified, version, document, groups) = row;
    let place = Place { table: "users", row: &seq };
    let groups = match groups {
        None => None,
        Some(text) => {
            let pairs: Vec<(String, Arc<str>)> = place.json("groups", &text)?;
            let group = |(id, display): (String, Arc<str>)| {
                let id = Uuid::try_parse(&id).map_err(|e| place.bad("groups", e))?;
                Ok(GroupRef { id: GroupId::from_uuid(id), display })
            };
            Some(pairs.into_iter().map(group).collect::<Result<_, StoreError>>()?)
        }
    };
    let user = StoredUser {
        id: UserId::from_uuid(place.uuid("id", &id)?),
        created: place.instant("created", created)?,
        modified: place.instant("modified", modified)?,
        version: place.count("version", version)?,
        resource: Resource::from_document(ResourceKind::User, place.json("document", &document)?),
        groups,
    };
    Ok(KeyedUser { seq, user })
}

/// Decodes a group.
pub(crate) fn group(row: GroupRow) -> Result<KeyedGroup, StoreError> {
    let (seq, id, created, modified, version, document, members, parked) = row;
    let place = Place { table: "groups", row: &seq };
    let group = StoredGroup {
        id: GroupId::from_uuid(place.uuid("id", &id)?),
        created: place.instant("created", created)?,
        modified: place.instant("modified", modified)?,
        version: place.count("version", version)?,
        resource: Resource::from_document(ResourceKind::Group, place.json("document", &document)?),
        member_count: place.count("member_count", members)?,
        members: None,
    };
    Ok(KeyedGroup { seq, parked: place.count("parked_count", parked)?, group })
}

/// A user of a source.
pub(crate) async fn read_user(
    connection: &mut SqliteConnection,
    source: &SourceId,
    id: UserId,
    links: bool,
) -> Result<Option<KeyedUser>, StoreError> {
    let sql = if links {
        user_select!(user_groups!(), "WHERE u.id = ?1 AND u.source = ?2")
    } else {
        user_select!("NULL", "WHERE u.id = ?1 AND u.source = ?2")
    };
    let row: Option<UserRow> = sqlx::query_as(sql)
        .bind(&id.as_uuid().as_bytes()[..])
        .bind(source.as_str())
        .fetch_optional(connection)
        .await
        .map_err(failed("read a user"))?;
    row.map(user).transpose()
}

/// A group of a source, without its members.
pub(crate) async fn read_group(
    connection: &mut SqliteConnection,
    source: &SourceId,
    id: GroupId,
) -> Result<Option<KeyedGroup>, StoreError> {
    let row: Option<GroupRow> = sqlx::query_as(group_select!("WHERE g.id = ?1 AND g.source = ?2"))
        .bind(&id.as_uuid().as_bytes()[..])
        .bind(source.as_str())
        .fetch_optional(connection)
        .await
        .map_err(failed("read a group"))?;
    row.map(group).transpose()
}

/// Members of a group behind `after` (kind, seq), in the order of kind and creation; at most `limit`.
pub(crate) async fn read_members(
    connection: &mut SqliteConnection,
    group: i64,
    after: (i64, i64),
    limit: i64,
) -> Result<Vec<(i64, Member)>, StoreError> {
    let rows: Vec<MemberRow> = sqlx::query_as(
        "SELECT m.kind, m.member, coalesce(u.id, g.id), \
                CASE m.kind WHEN 0 THEN coalesce(u.display_name, u.user_name) ELSE g.display_name END \
         FROM members m \
         LEFT JOIN users u ON m.kind = 0 AND u.seq = m.member \
         LEFT JOIN groups g ON m.kind = 1 AND g.seq = m.member \
         WHERE m.grp = ?1 AND (m.kind, m.member) > (?2, ?3) ORDER BY m.kind, m.member LIMIT ?4",
    )
    .bind(group)
    .bind(after.0)
    .bind(after.1)
    .bind(limit)
    .fetch_all(connection)
    .await
    .map_err(failed("read the members of a group"))?;
    let member = |(kind, seq, id, display): MemberRow| {
        let place = Place { table: "members", row: &group };
        let id = place.uuid("member", &id.unwrap_or_default())?;
        Ok((seq, Member { value: member_kind(kind, id), display: display.unwrap_or_default() }))
    };
    rows.into_iter().map(member).collect()
}

/// The member of a kind (0 a user, 1 a group) and an id.
pub(crate) fn member_kind(kind: i64, id: Uuid) -> MemberKind {
    if kind == 0 {
        MemberKind::User(UserId::from_uuid(id))
    } else {
        MemberKind::Group(GroupId::from_uuid(id))
    }
}

/// All members of a group.
pub(crate) async fn all_members(
    connection: &mut SqliteConnection,
    group: i64,
) -> Result<Vec<Member>, StoreError> {
    let members = read_members(connection, group, (-1, -1), -1).await?;
    Ok(members.into_iter().map(|(_, member)| member).collect())
}
