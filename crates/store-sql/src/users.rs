//! SCIM writes of users, inside the writer's transaction.

mod create;

use std::sync::Arc;

use axon_audit::payload::WriteVerb;
use axon_model::{Delta, RecordSeq, UserEntry, UserId};
use axon_scim::compare::fold;
use axon_scim::{PatchRequest, Resource, ResourceKind, ScimError, apply, replace};
use axon_store::{StoreError, StoredUser, WriteContext, WriteError, Written};

use crate::args;
use crate::codec::{micros, signed};
use crate::directory::{Change, check_key, check_version, document_text};
use crate::reader::{KeyedUser, UserRow, read_user, user_sql};
use crate::session::{Dialect, SqlError};
use crate::writer::Txn;
use crate::{holds, parked};

pub(crate) use self::create::{NewUser, create};

/// The columns that lists and matches ask for.
struct Keys {
    name: String,
    name_key: String,
    external_id: Option<String>,
    display_name: Option<String>,
    active: bool,
    /// Whether the name is one of the addresses.
    name_is_address: bool,
    /// The other addresses, folded, each once.
    emails: Vec<String>,
}

impl Keys {
    fn of(resource: &Resource) -> Result<Self, WriteError> {
        let name = resource.user_name().ok_or_else(|| ScimError::invalid_value("'userName' is missing"))?;
        let mut addresses: Vec<String> =
            resource.emails().filter_map(|e| e.get("value")?.as_str()).map(fold).collect();
        let name_key = fold(name);
        check_key("userName", name)?;
        check_key("userName", &name_key)?;
        check_key("externalId", resource.external_id().unwrap_or_default())?;
        addresses.iter().try_for_each(|address| check_key("emails.value", address))?;
        let all = addresses.len();
        addresses.retain(|address| *address != name_key);
        Ok(Self {
            name: name.to_owned(),
            name_key,
            external_id: resource.external_id().map(str::to_owned),
            display_name: resource.display_name().map(str::to_owned),
            active: resource.is_active(),
            name_is_address: addresses.len() < all,
            emails: {
                addresses.sort_unstable();
                addresses.dedup();
                addresses
            },
        })
    }
}

impl Keys {
    /// The other addresses as a JSON list.
    fn emails_text(&self) -> String {
        serde_json::Value::from(self.emails.as_slice()).to_string()
    }

    /// Who this is to the source.
    fn person(&self, id: UserId) -> holds::Person<'_> {
        holds::Person { id, name_key: &self.name_key, external_id: self.external_id.as_deref() }
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

/// The inactive user that a POST gives back where the source wants that.
async fn inactive(
    txn: &mut Txn,
    context: &WriteContext,
    keys: &Keys,
) -> Result<Option<KeyedUser>, StoreError> {
    let sql =
        user_sql!(Dialect::Sqlite, false, "WHERE u.source = $1 AND u.user_name_key = $2 AND u.active = 0");
    let row: Option<UserRow> =
        txn.session()?.first("read a user", sql, args![context.source.as_str(), &keys.name_key]).await?;
    row.map(crate::reader::user).transpose()
}

/// PUT.
pub(crate) async fn put(
    txn: &mut Txn,
    context: WriteContext,
    id: UserId,
    resource: Resource,
) -> Result<Written<StoredUser>, WriteError> {
    let old = read_user(txn.session()?, &context.source, id, true).await?.ok_or_else(|| missing(id))?;
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
    let old = read_user(txn.session()?, &context.source, id, true).await?.ok_or_else(|| missing(id))?;
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
    let sql = "UPDATE users SET user_name = $2, user_name_key = $3, external_id = $4, display_name = $5, active = $6, \
                      modified = $7, version = version + 1, record = $8, document = $9, name_is_address = $10 WHERE seq = $1";
    let args = args![
        row,
        &keys.name,
        &keys.name_key,
        &keys.external_id,
        &keys.display_name,
        keys.active,
        micros(context.act.now),
        signed(seq.0),
        &document,
        keys.name_is_address,
    ];
    txn.session()?.execute(sql.into(), args).await.map_err(|error| match error {
        SqlError::Taken(_) => in_use(&keys.name),
        error => error.during("write a user").into(),
    })?;
    if (keys.name_is_address, &keys.emails) != (before.name_is_address, &before.emails) {
        let sql = "DELETE FROM user_emails WHERE \"user\" = $1; INSERT INTO user_emails (value_key, \"user\") \
                   SELECT DISTINCT value, CAST($1 AS BIGINT) FROM json_each($2)";
        let args = args![row, keys.emails_text()];
        txn.session()?.run_script("write a user's addresses", sql, args).await?;
    }
    let mut change = Change::new(verb);
    change.deltas.push(entry(context, old.id, &keys, &document));
    let mut groups = old.groups;
    let another =
        holds::changed_person(txn, &context.source, before.person(old.id), keys.person(old.id)).await?;
    if another {
        // Another person under the same resource inherits nothing; what the source says from now on counts.
        change.deltas.extend(holds::drop_memberships(txn, row, old.id, context.act.now).await?);
        groups = None;
    }
    if keys.external_id != before.external_id {
        change.external_id_changed = before.external_id.is_some();
        let waiting = parked::waiting_for(txn, keys.external_id.as_deref()).await?;
        parked::join(txn, context, waiting, &mut change).await?;
        if change.joined > 0 || groups.is_none() {
            groups =
                read_user(txn.session()?, &context.source, old.id, true).await?.and_then(|u| u.user.groups);
        }
    }
    change.record(txn, context);
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
    let old = read_user(txn.session()?, &context.source, id, false).await?.ok_or_else(|| missing(id))?;
    check_version(&context, old.user.version)?;
    holds::leave_name(txn, &context.source, Keys::of(&old.user.resource)?.person(id)).await?;
    txn.session()?
        .run_script(
            "delete a user",
            "UPDATE groups SET member_count = member_count - 1, modified = $2, version = version + 1 \
         WHERE seq IN (SELECT grp FROM members WHERE member = $1 AND kind = 0); \
         DELETE FROM members WHERE member = $1 AND kind = 0; \
         DELETE FROM users WHERE seq = $1",
            args![old.seq, micros(context.act.now)],
        )
        .await?;
    let mut change = Change::new(WriteVerb::DeleteUser);
    change.deltas.push(Delta::UserRemoved { id });
    Ok(change.record(txn, &context))
}
