//! Members that were named before they exist, and their arrival.

use std::collections::BTreeSet;

use axon_model::Delta;
use axon_scim::ScimError;
use axon_store::directory::MAX_PARKED;
use axon_store::{StoreError, WriteContext, WriteError};

use crate::codec::{Place, failed, micros, signed};
use crate::directory::Change;
use crate::members::{Found, resolve};
use crate::reader::member_kind;
use crate::writer::Txn;

/// The groups in which this value waits, of any source.
pub(crate) async fn waiting_for(
    txn: &mut Txn,
    value: Option<&str>,
) -> Result<Vec<(i64, String)>, StoreError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    sqlx::query_as("SELECT grp, value FROM parked WHERE value = ?1")
        .bind(value)
        .fetch_all(txn.connection()?)
        .await
        .map_err(failed("read parked members"))
}

/// Lets those that waited for a value join, where it now names exactly one resource of the source.
pub(crate) async fn join(
    txn: &mut Txn,
    context: &WriteContext,
    waiting: Vec<(i64, String)>,
    change: &mut Change,
) -> Result<(), StoreError> {
    if waiting.is_empty() {
        return Ok(());
    }
    let values: BTreeSet<String> = waiting.iter().map(|(_, value)| value.clone()).collect();
    let values: Vec<String> = values.into_iter().collect();
    let found = resolve(txn.connection()?, &context.source, &values).await?;
    let record = signed(txn.next_seq().0);
    for (group, value) in waiting {
        let Some(Found { kind, seq, id, .. }) = found.iter().find(|f| values[f.index] == value) else {
            continue;
        };
        let group_id: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT id FROM groups WHERE seq = ?1 AND source = ?2")
                .bind(group)
                .bind(context.source.as_str())
                .fetch_optional(txn.connection()?)
                .await
                .map_err(failed("read a group"))?;
        let Some(group_id) = group_id else { continue };
        let added =
            sqlx::query("INSERT OR IGNORE INTO members (grp, kind, member, record) VALUES (?1, ?2, ?3, ?4)")
                .bind(group)
                .bind(kind)
                .bind(seq)
                .bind(record)
                .execute(txn.connection()?)
                .await
                .map_err(failed("let a parked member join"))?
                .rows_affected();
        sqlx::query(
            "DELETE FROM parked WHERE grp = ?1 AND value = ?2; \
             UPDATE groups SET parked_count = parked_count - 1, member_count = member_count + ?3, \
                    modified = ?4, version = version + 1 WHERE seq = ?1",
        )
        .bind(group)
        .bind(&value)
        .bind(signed(added))
        .bind(micros(context.act.now))
        .execute(txn.connection()?)
        .await
        .map_err(failed("let a parked member join"))?;
        if added > 0 {
            let place = Place { table: "groups", row: &group };
            let group = axon_model::GroupId::from_uuid(place.uuid("id", &group_id)?);
            change.deltas.push(Delta::MemberAdded { group, member: member_kind(*kind, *id) });
            change.joined += 1;
        }
    }
    Ok(())
}

/// Keeps members that do not exist. Answers how many are new.
pub(crate) async fn park(
    txn: &mut Txn,
    context: &WriteContext,
    group: i64,
    already: u64,
    unknown: Vec<String>,
) -> Result<u64, WriteError> {
    if unknown.is_empty() {
        return Ok(0);
    }
    if !context.profile.park_unknown_members {
        let text = format!("{} of the members do not exist", unknown.len());
        return Err(ScimError::invalid_value(text).into());
    }
    let parked = sqlx::query("INSERT OR IGNORE INTO parked (grp, value) SELECT ?1, value FROM json_each(?2)")
        .bind(group)
        .bind(serde_json::Value::from(unknown).to_string())
        .execute(txn.connection()?)
        .await
        .map_err(failed("park members"))?
        .rows_affected();
    if already + parked > MAX_PARKED {
        let text = format!("more than {MAX_PARKED} members of this group do not exist");
        return Err(ScimError::invalid_value(text).into());
    }
    Ok(parked)
}

/// Forgets parked members that are named. Answers how many were there.
pub(crate) async fn forget(txn: &mut Txn, group: i64, values: &str) -> Result<u64, StoreError> {
    sqlx::query("DELETE FROM parked WHERE grp = ?1 AND value IN (SELECT value FROM json_each(?2))")
        .bind(group)
        .bind(values)
        .execute(txn.connection()?)
        .await
        .map(|done| done.rows_affected())
        .map_err(failed("forget parked members"))
}

/// Forgets parked members that are not named. Answers how many were there.
pub(crate) async fn forget_others(txn: &mut Txn, group: i64, values: &str) -> Result<u64, StoreError> {
    sqlx::query("DELETE FROM parked WHERE grp = ?1 AND value NOT IN (SELECT value FROM json_each(?2))")
        .bind(group)
        .bind(values)
        .execute(txn.connection()?)
        .await
        .map(|done| done.rows_affected())
        .map_err(failed("forget parked members"))
}

/// What waits in a group.
pub(crate) async fn all(txn: &mut Txn, group: i64) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar("SELECT value FROM parked WHERE grp = ?1")
        .bind(group)
        .fetch_all(txn.connection()?)
        .await
        .map_err(failed("read parked members"))
}
