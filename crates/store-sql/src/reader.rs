//! Rows of users and groups, and reads by id.

use std::collections::HashMap;
use std::sync::Arc;

use crate::args;
use crate::session::Session;
use axon_model::{GroupId, MemberKind, SourceId, UserId};
use axon_scim::{Resource, ResourceKind};
use axon_store::{GroupRef, Member, StoreError, StoredGroup, StoredUser};
use uuid::Uuid;

use crate::codec::Place;

/// The columns of a user; `$links` is [`user_groups!`] or a NULL.
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
    (sqlite) => {
        "(SELECT json_group_array(json_array(hex(g.id), g.display_name) ORDER BY g.seq) \
         FROM members m JOIN groups g ON g.seq = m.grp WHERE m.member = u.seq AND m.kind = 0)"
    };
    (postgres) => {
        "(SELECT coalesce(json_agg(json_build_array(encode(g.id, 'hex'), g.display_name) ORDER BY g.seq)::text, '[]') \
         FROM members m JOIN groups g ON g.seq = m.grp WHERE m.member = u.seq AND m.kind = 0)"
    };
}

/// The SELECT of a user: with the groups where `$linked`, which is told in both dialects.
macro_rules! user_sql {
    ($dialect:expr, $linked:expr, $rest:literal) => {
        if $linked {
            $dialect.pick(
                $crate::reader::user_select!($crate::reader::user_groups!(sqlite), $rest),
                $crate::reader::user_select!($crate::reader::user_groups!(postgres), $rest),
            )
        } else {
            $crate::reader::user_select!("CAST(NULL AS TEXT)", $rest)
        }
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

pub(crate) use {group_select, user_groups, user_select, user_sql};

/// A row of [`user_select!`].
pub(crate) type UserRow = (i64, Vec<u8>, i64, i64, i64, String, Option<String>);

/// A row of [`group_select!`].
pub(crate) type GroupRow = (i64, Vec<u8>, i64, i64, i64, String, i64, i64);

/// Two numbers (kind and key, or group and kind), a member's id and display; the last two are missing where the row points at
/// nothing.
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
    session: &mut dyn Session,
    source: &SourceId,
    id: UserId,
    links: bool,
) -> Result<Option<KeyedUser>, StoreError> {
    let sql = user_sql!(session.dialect(), links, "WHERE u.id = $1 AND u.source = $2");
    let row: Option<UserRow> =
        session.first("read a user", sql, args![&id.as_uuid().as_bytes()[..], source.as_str()]).await?;
    row.map(user).transpose()
}

/// A group of a source, without its members.
pub(crate) async fn read_group(
    session: &mut dyn Session,
    source: &SourceId,
    id: GroupId,
) -> Result<Option<KeyedGroup>, StoreError> {
    let row: Option<GroupRow> = session
        .first(
            "read a group",
            group_select!("WHERE g.id = $1 AND g.source = $2"),
            args![&id.as_uuid().as_bytes()[..], source.as_str()],
        )
        .await?;
    row.map(group).transpose()
}

/// Members of a group behind `after` (kind, seq), in the order of kind and creation; at most `limit`.
pub(crate) async fn read_members(
    session: &mut dyn Session,
    group: i64,
    after: (i64, i64),
    limit: i64,
) -> Result<Vec<(i64, Member)>, StoreError> {
    let rows: Vec<MemberRow> = session
        .all(
            "read the members of a group",
            "SELECT m.kind, m.member, coalesce(u.id, g.id), \
                CASE m.kind WHEN 0 THEN coalesce(u.display_name, u.user_name) ELSE g.display_name END \
         FROM members m \
         LEFT JOIN users u ON m.kind = 0 AND u.seq = m.member \
         LEFT JOIN groups g ON m.kind = 1 AND g.seq = m.member \
         WHERE m.grp = $1 AND (m.kind, m.member) > ($2, $3) ORDER BY m.kind, m.member LIMIT $4",
            args![group, after.0, after.1, limit],
        )
        .await?;
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
pub(crate) async fn all_members(session: &mut dyn Session, group: i64) -> Result<Vec<Member>, StoreError> {
    let members = read_members(session, group, (-1, -1), i64::MAX).await?;
    Ok(members.into_iter().map(|(_, member)| member).collect())
}

/// The members of several groups, put into them: one statement for them all.
pub(crate) async fn members_of(
    session: &mut dyn Session,
    groups: &mut [KeyedGroup],
) -> Result<(), StoreError> {
    let wanted: Vec<i64> = groups.iter().filter(|g| g.group.member_count > 0).map(|g| g.seq).collect();
    for keyed in groups.iter_mut() {
        keyed.group.members = Some(Vec::new());
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let sql = "SELECT m.grp, m.kind, coalesce(u.id, g.id), \
                      CASE m.kind WHEN 0 THEN coalesce(u.display_name, u.user_name) ELSE g.display_name END \
               FROM members m \
               LEFT JOIN users u ON m.kind = 0 AND u.seq = m.member \
               LEFT JOIN groups g ON m.kind = 1 AND g.seq = m.member \
               WHERE m.grp IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) \
               ORDER BY m.grp, m.kind, m.member";
    let args = args![serde_json::Value::from(wanted).to_string()];
    let rows: Vec<MemberRow> = session.all("read the members of groups", sql, args).await?;
    let places: HashMap<i64, usize> = groups.iter().enumerate().map(|(at, g)| (g.seq, at)).collect();
    for (group, kind, id, display) in rows {
        let place = Place { table: "members", row: &group };
        let id = place.uuid("member", &id.unwrap_or_default())?;
        let member = Member { value: member_kind(kind, id), display: display.unwrap_or_default() };
        if let Some(members) = places.get(&group).and_then(|at| groups[*at].group.members.as_mut()) {
            members.push(member);
        }
    }
    Ok(())
}
