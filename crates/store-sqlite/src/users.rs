//! SCIM writes of users, inside the writer's transaction.

use std::sync::Arc;

use axon_audit::payload::WriteVerb;
use axon_model::{Delta, RecordSeq, UserEntry, UserId};
use axon_scim::compare::fold;
use axon_scim::{PatchRequest, Resource, ResourceKind, ScimError, apply, replace};
use axon_store::{StoredUser, WriteContext, WriteError, Written};

use crate::codec::{failed, micros, signed};
use crate::directory::{Change, check_version, document_text};
use crate::parked;
use crate::reader::{KeyedUser, read_user, user_select};
use crate::writer::Txn;

/// The columns that lists and matches ask for.
struct Keys {
    name: String,
    name_key: String,
    external_id: Option<String>,
    display_name: Option<String>,
    active: bool,
    /// Folded addresses, as a JSON list.
    emails: String,
}

impl Keys {
    fn of(resource: &Resource) -> Result<Self, WriteError> {
        let name = resource.user_name().ok_or_else(|| ScimError::invalid_value("'userName' is missing"))?;
        let addresses: Vec<String> =
            resource.emails().filter_map(|e| e.get("value")?.as_str()).map(fold).collect();
        Ok(Self {
            name: name.to_owned(),
            name_key: fold(name),
            external_id: resource.external_id().map(str::to_owned),
            display_name: resource.display_name().map(str::to_owned),
            active: resource.is_active(),
            emails: serde_json::Value::from(addresses).to_string(),
        })
    }
}

fn in_use(name: &str) -> WriteError {
    let shown: String = name.chars().take(120).filter(|c| !c.is_control()).collect();
    ScimError::uniqueness(format!("a user with userName '{shown}' exists already")).into()
}

fn missing(id: UserId) -> WriteError {
    ScimError::no_such_resource(ResourceKind::User, &id.to_string()).into()
}

fn entry(context: &WriteContext, id: UserId, keys: &Keys, document: &str) -> Delta {
    Delta::UserPut {
        user: UserEntry {
            id,
            source: context.source.clone(),
            user_name: keys.name.as_str().into(),
            external_id: keys.external_id.as_deref().map(Arc::from),
            active: keys.active,
            document: document.into(),
        },
    }
}

/// POST.
pub(crate) async fn create(
    txn: &mut Txn,
    context: WriteContext,
    resource: Resource,
) -> Result<Written<StoredUser>, WriteError> {
    let keys = Keys::of(&resource)?;
    let id = UserId::from_uuid(context.act.ids.uuid(context.act.now));
    let seq = txn.next_seq();
    let document = document_text(&resource)?;
    // One round trip: the row, its addresses, and the groups that wait for it. Parameters that a statement leaves out stand
    // first, since sqlx counts those as used.
    let inserted = sqlx::query_as::<_, (i64, String)>(
        "INSERT INTO users (id, source, user_name, user_name_key, external_id, display_name, active, created, modified, \
                            version, record, document) \
         VALUES (?4, ?5, ?6, ?7, ?1, ?8, ?9, ?10, ?10, 1, ?11, ?12); \
         INSERT INTO user_emails (value_key, user) \
         SELECT DISTINCT value, last_insert_rowid() FROM json_each(?3); \
         SELECT grp, value FROM parked WHERE value IN (?1, ?2)",
    )
    .bind(&keys.external_id)
    .bind(id.to_string())
    .bind(&keys.emails)
    .bind(&id.as_uuid().as_bytes()[..])
    .bind(context.source.as_str())
    .bind(&keys.name)
    .bind(&keys.name_key)
    .bind(&keys.display_name)
    .bind(keys.active)
    .bind(micros(context.act.now))
    .bind(signed(seq.0))
    .bind(&document)
    .fetch_all(txn.connection()?)
    .await;
    let waiting = match inserted {
        Ok(waiting) => waiting,
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
            return name_taken(txn, context, resource, &keys).await;
        }
        Err(error) => return Err(failed("write a user")(error).into()),
    };
    let mut change = Change::new(WriteVerb::CreateUser);
    change.deltas.push(entry(&context, id, &keys, &document));
    parked::join(txn, &context, waiting, &mut change).await?;
    let groups = if change.joined == 0 { Some(Vec::new()) } else { None };
    change.record(txn, &context)?;
    let groups = match groups {
        Some(groups) => Some(groups),
        None => read_user(txn.connection()?, &context.source, id, true).await?.and_then(|u| u.user.groups),
    };
    let user =
        StoredUser { id, created: context.act.now, modified: context.act.now, version: 1, resource, groups };
    Ok(Written { stored: user, changed: true, restored: false, parked: 0, position: seq })
}

/// A POST of a name that is there: 409, or where the source wants it an inactive user back.
async fn name_taken(
    txn: &mut Txn,
    context: WriteContext,
    resource: Resource,
    keys: &Keys,
) -> Result<Written<StoredUser>, WriteError> {
    if !context.profile.restore_on_post {
        return Err(in_use(&keys.name));
    }
    let row =
        sqlx::query_as(user_select!("NULL", "WHERE u.source = ?1 AND u.user_name_key = ?2 AND u.active = 0"))
            .bind(context.source.as_str())
            .bind(&keys.name_key)
            .fetch_optional(txn.connection()?)
            .await
            .map_err(failed("read a user"))?;
    let Some(row) = row else { return Err(in_use(&keys.name)) };
    let old = crate::reader::user(row)?;
    let mut written = update(txn, &context, old, resource, WriteVerb::CreateUser).await?;
    written.restored = true;
    Ok(written)
}

/// PUT.
pub(crate) async fn put(
    txn: &mut Txn,
    context: WriteContext,
    id: UserId,
    resource: Resource,
) -> Result<Written<StoredUser>, WriteError> {
    let old = read_user(txn.connection()?, &context.source, id, true).await?.ok_or_else(|| missing(id))?;
    check_version(&context, old.user.version)?;
    let new = replace(&context.registry, &old.user.resource, resource, &context.profile)?;
    update(txn, &context, old, new, WriteVerb::ReplaceUser).await
}

/// PATCH.
pub(crate) async fn patch(
    txn: &mut Txn,
    context: WriteContext,
    id: UserId,
    patch: PatchRequest,
) -> Result<Written<StoredUser>, WriteError> {
    let old = read_user(txn.connection()?, &context.source, id, true).await?.ok_or_else(|| missing(id))?;
    check_version(&context, old.user.version)?;
    let mut new = old.user.decorated();
    apply(&patch.ops, &mut new, &context.profile)?;
    update(txn, &context, old, new, WriteVerb::PatchUser).await
}

async fn update(
    txn: &mut Txn,
    context: &WriteContext,
    old: KeyedUser,
    new: Resource,
    verb: WriteVerb,
) -> Result<Written<StoredUser>, WriteError> {
    let KeyedUser { seq: row, user: old } = old;
    let new = Resource::from_document(ResourceKind::User, new.into_document());
    if new == old.resource {
        let position = txn.head().seq;
        return Ok(Written { stored: old, changed: false, restored: false, parked: 0, position });
    }
    let (keys, before) = (Keys::of(&new)?, Keys::of(&old.resource)?);
    let document = document_text(&new)?;
    let seq = txn.next_seq();
    sqlx::query(
        "UPDATE users SET user_name = ?2, user_name_key = ?3, external_id = ?4, display_name = ?5, active = ?6, \
                modified = ?7, version = version + 1, record = ?8, document = ?9 WHERE seq = ?1",
    )
    .bind(row)
    .bind(&keys.name)
    .bind(&keys.name_key)
    .bind(&keys.external_id)
    .bind(&keys.display_name)
    .bind(keys.active)
    .bind(micros(context.act.now))
    .bind(signed(seq.0))
    .bind(&document)
    .execute(txn.connection()?)
    .await
    .map_err(|error| match error.as_database_error() {
        Some(e) if e.is_unique_violation() => in_use(&keys.name),
        _ => failed("write a user")(error).into(),
    })?;
    if keys.emails != before.emails {
        sqlx::query(
            "DELETE FROM user_emails WHERE user = ?1; \
             INSERT INTO user_emails (value_key, user) SELECT DISTINCT value, ?1 FROM json_each(?2)",
        )
        .bind(row)
        .bind(&keys.emails)
        .execute(txn.connection()?)
        .await
        .map_err(failed("write a user's addresses"))?;
    }
    let mut change = Change::new(verb);
    change.deltas.push(entry(context, old.id, &keys, &document));
    let mut groups = old.groups;
    if keys.external_id != before.external_id {
        change.external_id_changed = before.external_id.is_some();
        let waiting = parked::waiting_for(txn, keys.external_id.as_deref()).await?;
        parked::join(txn, context, waiting, &mut change).await?;
        if change.joined > 0 || groups.is_none() {
            groups = read_user(txn.connection()?, &context.source, old.id, true)
                .await?
                .and_then(|u| u.user.groups);
        }
    }
    change.record(txn, context)?;
    let stored = StoredUser {
        id: old.id,
        created: old.created,
        modified: context.act.now,
        version: old.version + 1,
        resource: new,
        groups,
    };
    Ok(Written { stored, changed: true, restored: false, parked: 0, position: seq })
}

/// DELETE, with the memberships.
pub(crate) async fn delete(
    txn: &mut Txn,
    context: WriteContext,
    id: UserId,
) -> Result<RecordSeq, WriteError> {
    let old = read_user(txn.connection()?, &context.source, id, false).await?.ok_or_else(|| missing(id))?;
    check_version(&context, old.user.version)?;
    sqlx::query(
        "UPDATE groups SET member_count = member_count - 1, modified = ?2, version = version + 1 \
         WHERE seq IN (SELECT grp FROM members WHERE member = ?1 AND kind = 0); \
         DELETE FROM members WHERE member = ?1 AND kind = 0; \
         DELETE FROM users WHERE seq = ?1",
    )
    .bind(old.seq)
    .bind(micros(context.act.now))
    .execute(txn.connection()?)
    .await
    .map_err(failed("delete a user"))?;
    let mut change = Change::new(WriteVerb::DeleteUser);
    change.deltas.push(Delta::UserRemoved { id });
    Ok(change.record(txn, &context)?)
}
