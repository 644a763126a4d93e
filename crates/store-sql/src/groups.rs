//! SCIM writes of groups, inside the writer's transaction.

mod one_member;

use std::sync::Arc;

use axon_audit::payload::WriteVerb;
use axon_model::{Delta, GroupEntry, GroupId, RecordSeq};
use axon_scim::compare::fold;
use axon_scim::{MemberRef, PatchRequest, Resource, ResourceKind, ScimError, apply, replace};
use axon_store::{StoreError, StoredGroup, WriteContext, WriteError, Written};

use crate::args;
use crate::codec::{micros, signed};
use crate::directory::{Change, check_key, check_version, document_text};
use crate::members::{Members, values};
use crate::parked;
use crate::reader::{KeyedGroup, read_group};
use crate::writer::Txn;

pub(crate) use self::one_member::{OneMember, patch_one};

struct Keys {
    name: String,
    name_key: String,
    external_id: Option<String>,
}

impl Keys {
    fn of(resource: &Resource) -> Result<Self, WriteError> {
        let name =
            resource.display_name().ok_or_else(|| ScimError::invalid_value("'displayName' is missing"))?;
        let external_id = resource.external_id().map(str::to_owned);
        let name_key = fold(name);
        check_key("displayName", name)?;
        check_key("displayName", &name_key)?;
        check_key("externalId", external_id.as_deref().unwrap_or_default())?;
        Ok(Self { name: name.to_owned(), name_key, external_id })
    }
}

fn missing(id: GroupId) -> WriteError {
    ScimError::no_such_resource(ResourceKind::Group, &id.to_string()).into()
}

fn entry(context: &WriteContext, id: GroupId, keys: &Keys, document: &str) -> Delta {
    Delta::GroupPut {
        group: GroupEntry {
            id,
            source: context.source.clone(),
            display_name: keys.name.as_str().into(),
            external_id: keys.external_id.as_deref().map(Arc::from),
            document: document.into(),
        },
    }
}

/// Where the source says that names are unique. There is one writer, so what is free now stays free until the commit.
async fn check_name(txn: &mut Txn, context: &WriteContext, keys: &Keys, own: i64) -> Result<(), WriteError> {
    if !context.profile.unique_group_names {
        return Ok(());
    }
    let other: Option<i64> = txn
        .session()?
        .value(
            "look a group up",
            "SELECT seq FROM groups WHERE source = $1 AND display_name_key = $2 AND seq <> $3 LIMIT 1",
            args![context.source.as_str(), &keys.name_key, own],
        )
        .await?;
    if other.is_none() {
        return Ok(());
    }
    let shown: String = keys.name.chars().take(120).filter(|c| !c.is_control()).collect();
    Err(ScimError::uniqueness(format!("a group with displayName '{shown}' exists already")).into())
}

/// Where names are not unique, the `externalId` tells a new group from one that is there: a POST that is sent again after a
/// time-out must not make a second one.
async fn check_external_id(txn: &mut Txn, context: &WriteContext, keys: &Keys) -> Result<(), WriteError> {
    let Some(external_id) = keys.external_id.as_deref().filter(|_| !context.profile.unique_group_names)
    else {
        return Ok(());
    };
    let other: Option<i64> = txn
        .session()?
        .value(
            "look a group up",
            "SELECT seq FROM groups WHERE source = $1 AND external_id = $2 LIMIT 1",
            args![context.source.as_str(), external_id],
        )
        .await?;
    if other.is_none() {
        return Ok(());
    }
    let shown: String = external_id.chars().take(120).filter(|c| !c.is_control()).collect();
    Err(ScimError::uniqueness(format!("a group with externalId '{shown}' exists already")).into())
}

/// POST.
pub(crate) async fn create(
    txn: &mut Txn,
    context: WriteContext,
    resource: Resource,
    members: Vec<MemberRef>,
) -> Result<Written<StoredGroup>, WriteError> {
    let keys = Keys::of(&resource)?;
    check_name(txn, &context, &keys, 0).await?;
    check_external_id(txn, &context, &keys).await?;
    let id = GroupId::from_uuid(context.act.ids.uuid(context.act.now));
    let seq = txn.next_seq();
    let document = document_text(&resource)?;
    let sql = "INSERT INTO groups (id, source, display_name, display_name_key, external_id, member_count, \
               parked_count, created, modified, version, record, document) VALUES ($1, $2, $3, $4, $5, 0, 0, $6, \
               $6, 1, $7, $8) RETURNING seq";
    let args = args![
        &id.as_uuid().as_bytes()[..],
        context.source.as_str(),
        &keys.name,
        &keys.name_key,
        &keys.external_id,
        micros(context.act.now),
        signed(seq.0),
        &document
    ];
    let row: Option<i64> = txn.session()?.value("write a group", sql, args).await?;
    let row = row.ok_or_else(|| StoreError::unavailable("write a group", "the database gave no key"))?;
    let mut change = Change::new(WriteVerb::CreateGroup);
    change.deltas.push(entry(&context, id, &keys, &document));
    let mut rows = Members::of(&context, row, id, 0);
    if !members.is_empty() {
        rows.add(txn, values(&members)).await?;
        set_counts(txn, row, &rows).await?;
    }
    change.deltas.extend(rows.deltas());
    change.parked = rows.newly_parked();
    let waiting = parked::waiting_for(txn, keys.external_id.as_deref()).await?;
    parked::join(txn, &context, waiting, &mut change).await?;
    let parked = rows.newly_parked();
    change.record(txn, &context);
    let group = read_group(txn.session()?, &context.source, id).await?.ok_or_else(|| missing(id))?.group;
    Ok(Written { stored: group, changed: true, restored: false, parked, position: seq })
}

async fn set_counts(txn: &mut Txn, row: i64, rows: &Members<'_>) -> Result<(), WriteError> {
    txn.session()?
        .run(
            "write a group",
            "UPDATE groups SET member_count = member_count + $2, parked_count = $3 WHERE seq = $1",
            args![row, rows.growth(), signed(rows.parked())],
        )
        .await?;
    Ok(())
}

/// PUT.
pub(crate) async fn put(
    txn: &mut Txn,
    context: WriteContext,
    id: GroupId,
    resource: Resource,
    members: Option<Vec<MemberRef>>,
) -> Result<Written<StoredGroup>, WriteError> {
    let old = read_group(txn.session()?, &context.source, id).await?.ok_or_else(|| missing(id))?;
    check_version(&context, old.group.version)?;
    let new = replace(&context.registry, &old.group.resource, resource, &context.profile)?;
    let mut rows = Members::of(&context, old.seq, id, old.parked);
    if let Some(members) = members {
        rows.replace(txn, values(&members)).await?;
    }
    update(txn, &context, old, new, &rows, WriteVerb::ReplaceGroup).await
}

/// PATCH. One of a single member asks for no savepoint: what it changes is said by [`Txn::writing`] and [`Txn::written`].
pub(crate) async fn patch(
    txn: &mut Txn,
    context: WriteContext,
    id: GroupId,
    patch: PatchRequest,
) -> Result<Written<StoredGroup>, WriteError> {
    let old = read_group(txn.session()?, &context.source, id).await?.ok_or_else(|| missing(id))?;
    check_version(&context, old.group.version)?;
    let mut new = old.group.resource.clone();
    if patch.touches_document() {
        new = old.group.decorated();
        apply(&patch.ops, &mut new, &context.profile)?;
    }
    let mut rows = Members::of(&context, old.seq, id, old.parked);
    for op in patch.member_ops() {
        rows.apply(txn, op).await?;
    }
    update(txn, &context, old, new, &rows, WriteVerb::PatchGroup).await
}

async fn update(
    txn: &mut Txn,
    context: &WriteContext,
    old: KeyedGroup,
    new: Resource,
    rows: &Members<'_>,
    verb: WriteVerb,
) -> Result<Written<StoredGroup>, WriteError> {
    let KeyedGroup { seq: row, group: old, parked: _ } = old;
    let new = Resource::from_document(ResourceKind::Group, new.into_document());
    let document_changed = new != old.resource;
    let mut change = Change::new(verb);
    change.parked = rows.newly_parked();
    let seq = txn.next_seq();
    let mut joining = None;
    if document_changed {
        let (keys, before) = (Keys::of(&new)?, Keys::of(&old.resource)?);
        if keys.name_key != before.name_key {
            check_name(txn, context, &keys, row).await?;
            crate::holds::renamed(txn, &context.source, old.id).await?;
        }
        let document = document_text(&new)?;
        let sql = "UPDATE groups SET display_name = $2, display_name_key = $3, external_id = $4, record = $5, \
                   document = $6 WHERE seq = $1";
        let args = args![row, &keys.name, &keys.name_key, &keys.external_id, signed(seq.0), &document];
        txn.session()?.run("write a group", sql, args).await?;
        change.deltas.push(entry(context, old.id, &keys, &document));
        if keys.external_id != before.external_id {
            change.external_id_changed = before.external_id.is_some();
            joining = keys.external_id;
        }
    }
    change.deltas.extend(rows.deltas());
    let changed = !change.deltas.is_empty();
    if !changed && !rows.parked_changed {
        txn.written();
        let position = txn.head().seq;
        return Ok(Written { stored: old, changed: false, restored: false, parked: 0, position });
    }
    // Parked members are not shown: that they came or went changes nothing that a client sees.
    txn.session()?
        .run(
            "write a group",
            "UPDATE groups SET member_count = member_count + $2, parked_count = $3, \
                modified = CASE WHEN $5 = 1 THEN $4 ELSE modified END, version = version + $5 WHERE seq = $1",
            args![row, rows.growth(), signed(rows.parked()), micros(context.act.now), changed],
        )
        .await?;
    let waiting = parked::waiting_for(txn, joining.as_deref()).await?;
    parked::join(txn, context, waiting, &mut change).await?;
    change.record(txn, context);
    txn.written();
    let stored = StoredGroup {
        id: old.id,
        created: old.created,
        modified: if changed { context.act.now } else { old.modified },
        version: old.version + u64::from(changed),
        resource: new,
        member_count: old.member_count.saturating_add_signed(rows.growth()),
        members: None,
    };
    Ok(Written { stored, changed, restored: false, parked: rows.newly_parked(), position: seq })
}

/// DELETE, with the memberships on both sides.
pub(crate) async fn delete(
    txn: &mut Txn,
    context: WriteContext,
    id: GroupId,
) -> Result<RecordSeq, WriteError> {
    let old = read_group(txn.session()?, &context.source, id).await?.ok_or_else(|| missing(id))?;
    check_version(&context, old.group.version)?;
    txn.session()?
        .run_script(
            "delete a group",
            "UPDATE groups SET member_count = member_count - 1, modified = $2, version = version + 1 \
         WHERE seq IN (SELECT grp FROM members WHERE member = $1 AND kind = 1); \
         DELETE FROM members WHERE member = $1 AND kind = 1; \
         DELETE FROM members WHERE grp = $1; \
         DELETE FROM parked WHERE grp = $1; \
         DELETE FROM groups WHERE seq = $1",
            args![old.seq, micros(context.act.now)],
        )
        .await?;
    let mut change = Change::new(WriteVerb::DeleteGroup);
    change.deltas.push(Delta::GroupRemoved { id });
    Ok(change.record(txn, &context))
}
