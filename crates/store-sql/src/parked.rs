//! Members that were named before they exist, and their arrival.

use std::collections::BTreeSet;

use axon_model::Delta;
use axon_scim::ScimError;
use axon_store::directory::MAX_PARKED;
use axon_store::{StoreError, WriteContext, WriteError};

use crate::args;
use crate::codec::{Place, micros, signed};
use crate::directory::{Change, check_key};
use crate::members::{Found, resolve};
use crate::reader::member_kind;
use crate::writer::Txn;

/// The groups in which this value waits, of any source.
pub(crate) async fn waiting_for(
    txn: &mut Txn,
    value: Option<&str>,
) -> Result<Vec<(i64, String)>, StoreError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    txn.session()?
        .all("read parked members", "SELECT grp, value FROM parked WHERE value = $1", args![value])
        .await
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
    let found = resolve(txn.session()?, &context.source, &values).await?;
    let record = signed(txn.next_seq().0);
    for (group, value) in waiting {
        let Some(Found { kind, seq, id, .. }) = found.iter().find(|f| values[f.index] == value) else {
            continue;
        };
        let group_id: Option<Vec<u8>> = txn
            .session()?
            .value(
                "read a group",
                "SELECT id FROM groups WHERE seq = $1 AND source = $2",
                args![group, context.source.as_str()],
            )
            .await?;
        let Some(group_id) = group_id else { continue };
        let sql =
            "INSERT INTO members (grp, kind, member, record) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        let args = args![group, *kind, *seq, record];
        let added = txn.session()?.run("let a parked member join", sql, args).await?;
        txn.session()?
            .run_script(
                "let a parked member join",
                "DELETE FROM parked WHERE grp = $1 AND value = $2; \
             UPDATE groups SET parked_count = parked_count - 1, member_count = member_count + $3, \
                    modified = $4, version = version + 1 WHERE seq = $1",
                args![group, &value, signed(added), micros(context.act.now)],
            )
            .await?;
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
    unknown.iter().try_for_each(|value| check_key("members.value", value))?;
    txn.parks();
    // It may be refused after the rows are there.
    txn.guard().await?;
    let sql = "INSERT INTO parked (grp, value) SELECT $1, value FROM json_each($2) WHERE true ON CONFLICT DO \
               NOTHING";
    let args = args![group, serde_json::Value::from(unknown).to_string()];
    let parked = txn.session()?.run("park members", sql, args).await?;
    if already + parked > MAX_PARKED {
        let text = format!("more than {MAX_PARKED} members of this group do not exist");
        return Err(ScimError::invalid_value(text).into());
    }
    Ok(parked)
}

/// Forgets parked members that are named. Answers how many were there.
pub(crate) async fn forget(txn: &mut Txn, group: i64, values: &str) -> Result<u64, StoreError> {
    txn.session()?
        .run(
            "forget parked members",
            "DELETE FROM parked WHERE grp = $1 AND value IN (SELECT value FROM json_each($2))",
            args![group, values],
        )
        .await
}

/// Forgets parked members that are not named. Answers how many were there.
pub(crate) async fn forget_others(txn: &mut Txn, group: i64, values: &str) -> Result<u64, StoreError> {
    txn.session()?
        .run(
            "forget parked members",
            "DELETE FROM parked WHERE grp = $1 AND value NOT IN (SELECT value FROM json_each($2))",
            args![group, values],
        )
        .await
}

/// What waits in a group.
pub(crate) async fn all(txn: &mut Txn, group: i64) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT value FROM parked WHERE grp = $1";
    let rows: Vec<(String,)> = txn.session()?.all("read parked members", sql, args![group]).await?;
    Ok(rows.into_iter().map(|(value,)| value).collect())
}
