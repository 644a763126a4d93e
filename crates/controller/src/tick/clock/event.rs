//! When the identity provider itself says that somebody left: an attribute that its administrator maps into SCIM.

use axon_audit::RecordKind;
use axon_audit::payload::{DirectoryChange, LeaverEvent, LeftBy, SplitDelta};
use axon_model::{Delta, RecordSeq, UserEntry, UserId};
use axon_scim::{AttrPath, DataType, Mutability, Registry, ResourceKind, compare};
use axon_store::{JournalEntry, Leaver, Store, StoreError};
use serde_json::Value;
use time::OffsetDateTime;

use super::LeaverSettings;

/// The last value of somebody who was deleted is looked for in so many records before that, so many at once.
const BACK: u64 = 50_000;
const SOME: u64 = 2_000;

/// An attribute of users that holds an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventAttribute(AttrPath);

impl EventAttribute {
    /// Reads a path such as `urn:example:leaving:2.0:User:leaveDateTime`. The error says what is wrong with it.
    pub fn parse(registry: &Registry, text: &str) -> Result<Self, String> {
        let path = registry.attr_path(ResourceKind::User, text).map_err(|error| error.to_string())?;
        let leaf = path.leaf();
        if leaf.data_type != DataType::DateTime {
            let is = leaf.data_type.as_str();
            return Err(format!("{path} is of type {is}: an attribute of type dateTime is needed"));
        }
        if path.attribute.multi_valued || leaf.multi_valued {
            return Err(format!("{path} has several values: one with a single value is needed"));
        }
        match (path.attribute.mutability, leaf.mutability) {
            (Mutability::ReadOnly, _) | (_, Mutability::ReadOnly) => {
                return Err(format!("{path} is Axon's own: no source can say it"));
            }
            (Mutability::WriteOnly, _) | (_, Mutability::WriteOnly) => {
                return Err(format!("{path} is never kept"));
            }
            _ => {}
        }
        Ok(Self(path))
    }

    /// What a user has there. Absent and null are the same.
    fn value(&self, user: &UserEntry) -> Option<Value> {
        let document: Value = serde_json::from_str(&user.document).ok()?;
        let part = |value: &Value, name: &str| {
            let mut keys = value.as_object()?.iter();
            keys.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
        };
        let mut value = document;
        if let Some(urn) = &self.0.extension {
            value = part(&value, urn)?;
        }
        value = part(&value, &self.0.attribute.name)?;
        if let Some(sub) = &self.0.sub {
            value = part(&value, &sub.name)?;
        }
        Some(value).filter(|value| !value.is_null())
    }
}

/// What a value says of somebody whose leaving arrived then.
fn said(value: Option<&Value>, arrived: OffsetDateTime) -> (LeaverEvent, Option<OffsetDateTime>) {
    let Some(value) = value else { return (LeaverEvent::Absent, None) };
    let instant = value.as_str().and_then(compare::instant);
    // Nobody's identity provider is older than computers are, and the journal has no years before the first.
    match instant.filter(|at| *at >= OffsetDateTime::UNIX_EPOCH) {
        None => (LeaverEvent::Unreadable, None),
        Some(at) if at > arrived => (LeaverEvent::Ahead, None),
        Some(at) => (LeaverEvent::Known, Some(at)),
    }
}

/// Whom a record is about that left by it.
pub(super) fn left_by(entry: &JournalEntry, way: LeftBy) -> Option<UserId> {
    let facts = entry.record.facts_of::<DirectoryChange>().ok()?;
    facts.deltas.iter().find_map(|delta| match (way, delta) {
        (LeftBy::Deactivated, SplitDelta::User { id, active: false })
        | (LeftBy::Deleted, SplitDelta::Whole(Delta::UserRemoved { id })) => Some(*id),
        _ => None,
    })
}

/// The user as a record put it; an error where it was erased.
fn put(entry: &JournalEntry, user: UserId) -> Option<Result<UserEntry, ()>> {
    let facts = entry.record.facts_of::<DirectoryChange>().ok()?;
    let puts = |delta: &SplitDelta| matches!(delta, SplitDelta::User { id, .. } if *id == user);
    if !facts.deltas.iter().any(puts) {
        return None;
    }
    let deltas = DirectoryChange::deltas_of(&entry.record, entry.clear.as_ref()).map_err(drop);
    let last = |deltas: Vec<Delta>| {
        let mut puts = deltas.into_iter().filter_map(|delta| match delta {
            Delta::UserPut { user: put } if put.id == user => Some(put),
            _ => None,
        });
        puts.next_back().ok_or(())
    };
    Some(deltas.and_then(last))
}

impl LeaverSettings {
    /// What is known of the identity provider's own event.
    pub(super) async fn event(
        &self,
        store: &dyn Store,
        leaver: &Leaver,
    ) -> Result<(LeaverEvent, Option<OffsetDateTime>), StoreError> {
        const NOT_ASKED: (LeaverEvent, Option<OffsetDateTime>) = (LeaverEvent::NotAsked, None);
        const LOST: (LeaverEvent, Option<OffsetDateTime>) = (LeaverEvent::Lost, None);
        if self.events.is_empty() || leaver.way == LeftBy::Offboarded {
            return Ok(NOT_ASKED);
        }
        let found = store.records(leaver.cause, 1).await?;
        let Some(cause) = found.first().filter(|entry| entry.record.seq == leaver.cause) else {
            return Ok(LOST);
        };
        let Ok(facts) = cause.record.facts_of::<DirectoryChange>() else { return Ok(NOT_ASKED) };
        let Some(attribute) = self.events.get(&facts.source) else { return Ok(NOT_ASKED) };
        let Some(user) = left_by(cause, leaver.way) else { return Ok(LOST) };
        let told = |found: Result<UserEntry, ()>| match found {
            Ok(user) => said(attribute.value(&user).as_ref(), leaver.arrived),
            Err(()) => LOST,
        };
        if let Some(found) = put(cause, user) {
            return Ok(told(found));
        }
        // Of who was deleted the last value counts.
        let mut before = leaver.cause.0;
        let end = before.saturating_sub(BACK);
        while before > end.max(1) {
            let from = before.saturating_sub(SOME).max(end).max(1);
            let most = u32::try_from(before - from).unwrap_or(u32::MAX);
            let some = store.records_of(RecordKind::DirectoryChange, RecordSeq(from), most).await?;
            let earlier = some.iter().rev().filter(|entry| entry.record.seq.0 < before);
            if let Some(found) = earlier.filter_map(|entry| put(entry, user)).next() {
                return Ok(told(found));
            }
            before = from;
        }
        Ok(LOST)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_value_that_cannot_be_the_event_is_not_known_and_never_a_time() {
        let arrived = datetime!(2026-11-23 08:00 UTC);
        for (value, event) in [
            (json!("2026-11-23T07:59:00Z"), LeaverEvent::Known),
            (json!("2026-11-23T08:00:00Z"), LeaverEvent::Known),
            (json!("2026-11-23T09:59:00+02:00"), LeaverEvent::Known),
            (json!("2026-11-23T08:00:00.000001Z"), LeaverEvent::Ahead),
            (json!("9999-12-31T23:59:59Z"), LeaverEvent::Ahead),
            (json!("-0001-01-01T00:00:00Z"), LeaverEvent::Unreadable),
            (json!("0001-01-01T00:00:00Z"), LeaverEvent::Unreadable),
            (json!("yesterday"), LeaverEvent::Unreadable),
            (json!(-1), LeaverEvent::Unreadable),
            (json!({ "at": 1 }), LeaverEvent::Unreadable),
        ] {
            let (said, at) = said(Some(&value), arrived);
            assert_eq!(said, event, "{value}");
            assert_eq!(at.is_some(), event == LeaverEvent::Known, "{value}");
            assert!(at.is_none_or(|at| at <= arrived), "{value}");
        }
        assert_eq!(said(None, arrived), (LeaverEvent::Absent, None));
    }
}
