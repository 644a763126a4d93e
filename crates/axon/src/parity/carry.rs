//! What a release lets happen: the directory is changed as the lost request would have changed it, where the identity provider still
//! says the same at this very look.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_azure::parity::{Removal, Subject};
use axon_model::{Actor, GroupId, MemberKind, SourceId, UserId};
use axon_scim::patch::{Op, PatchRequest};
use axon_scim::resource::Notices;
use axon_scim::{Registry, ResourceKind};
use axon_store::{Hold, HoldEnd, Unless, WriteContext, WriteError};
use time::OffsetDateTime;

use super::Kept;
use super::waiting::key_of;
use crate::wiring::Parts;

/// Carries released holds out. `read` is what this look has read: of others nothing is known now, and they wait.
pub(super) async fn released(
    parts: &Parts,
    registry: &Arc<Registry>,
    source: &SourceId,
    (kept, read): (&mut Kept, &BTreeSet<Subject>),
    holds: Vec<(Hold, Vec<String>)>,
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    for (hold, lines) in holds {
        let mut removals: BTreeMap<&str, (Removal, bool)> = BTreeMap::new();
        for line in &lines {
            if let Some(known) = kept.found.get(key_of(line))
                && let Some(removal) = known.difference.removal
            {
                removals.insert(key_of(line), (removal, read.contains(&known.difference.subject)));
            }
        }
        if removals.values().any(|(_, read)| !read) {
            continue;
        }
        let act = axon_store::Act { actor: Actor::Axon, request: None, now, ids: parts.ids.clone() };
        let context = context(parts, registry, source, act.clone())?;
        let done = write(parts, &context, removals.values().map(|(removal, _)| *removal)).await?;
        for key in removals.keys() {
            kept.found.remove(*key);
        }
        let words = format!("{done} of {} removals were made in the directory", lines.len());
        parts.store.end_hold(hold.id, HoldEnd::Finish, words, act).await?;
        tracing::info!(hold.id = %hold.id, source = %source, removals = done, "a released removal was carried out");
    }
    Ok(())
}

fn context(
    parts: &Parts,
    registry: &Arc<Registry>,
    source: &SourceId,
    act: axon_store::Act,
) -> anyhow::Result<WriteContext> {
    let configured = parts.config.sources.get(source);
    let profile = configured.ok_or_else(|| anyhow::anyhow!("source {source} is not configured"))?.profile();
    let (source, registry) = (source.clone(), registry.clone());
    Ok(WriteContext { source, profile, registry, act, if_match: None, unless: Unless::Never })
}

/// How many of them changed something. Who or what is not there any more needs no removal.
async fn write(
    parts: &Parts,
    context: &WriteContext,
    removals: impl Iterator<Item = Removal>,
) -> anyhow::Result<usize> {
    let (mut members, mut people, mut groups) =
        (BTreeMap::<GroupId, Vec<String>>::new(), Vec::<UserId>::new(), Vec::<GroupId>::new());
    for removal in removals {
        match removal {
            Removal::Member { group, member } => members.entry(group).or_default().push(match member {
                MemberKind::User(id) => id.to_string(),
                MemberKind::Group(id) => id.to_string(),
            }),
            Removal::Person(id) => people.push(id),
            Removal::Group(id) => groups.push(id),
        }
    }
    let mut done = 0;
    for (group, ids) in members {
        let count = ids.len();
        let patch = PatchRequest { ops: vec![Op::RemoveMembers(ids)], notices: Notices::default() };
        done += of(parts.store.patch_group(context.clone(), group, patch).await.map(|_| count))?;
    }
    for person in people {
        let body = serde_json::json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "replace", "path": "active", "value": false}],
        });
        let patch = PatchRequest::parse(body, &context.registry, ResourceKind::User, &context.profile)
            .map_err(|error| anyhow::anyhow!("{error:?}"))?;
        done += of(parts.store.patch_user(context.clone(), person, patch).await.map(|_| 1))?;
    }
    for group in groups {
        done += of(parts.store.delete_group(context.clone(), group).await.map(|_| 1))?;
    }
    Ok(done)
}

fn of(written: Result<usize, WriteError>) -> anyhow::Result<usize> {
    match written {
        Ok(count) => Ok(count),
        // It went meanwhile.
        Err(WriteError::Scim(error)) if error.status == 404 => Ok(0),
        Err(error) => Err(anyhow::anyhow!("{error}")),
    }
}
