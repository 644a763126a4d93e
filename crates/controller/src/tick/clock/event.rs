//! When the identity provider itself says that somebody left: an attribute that its administrator maps into SCIM.

use std::collections::BTreeMap;

use axon_audit::RecordKind;
use axon_audit::payload::{DirectoryChange, LeaverEvent, LeftBy, SplitDelta};
use axon_model::{Delta, RecordSeq, UserEntry, UserId};
use axon_scim::{AttrPath, DataType, Mutability, Registry, ResourceKind, compare};
use axon_store::{JournalEntry, Leaver, Store, StoreError};
use serde_json::Value;
use time::OffsetDateTime;

use super::{Clocks, Ended, LeaverSettings};

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

/// Whom a record is about that left by it: of several the first.
pub(super) fn left_by(entry: &JournalEntry, way: LeftBy) -> Option<UserId> {
    all_left_by(entry, way).into_iter().next()
}

/// All of them.
pub(super) fn all_left_by(entry: &JournalEntry, way: LeftBy) -> Vec<UserId> {
    let Ok(facts) = entry.record.facts_of::<DirectoryChange>() else { return Vec::new() };
    let left = facts.deltas.iter().filter_map(|delta| match (way, delta) {
        (LeftBy::Deactivated, SplitDelta::User { id, active: false })
        | (LeftBy::Deleted, SplitDelta::Whole(Delta::UserRemoved { id })) => Some(*id),
        _ => None,
    });
    left.collect()
}

/// Whom a record put.
fn users_put(entry: &JournalEntry) -> Vec<UserId> {
    let deltas = entry.record.facts_of::<DirectoryChange>().map(|facts| facts.deltas).unwrap_or_default();
    let puts = |delta: &SplitDelta| match delta {
        SplitDelta::User { id, .. } => Some(*id),
        _ => None,
    };
    deltas.iter().filter_map(puts).collect()
}

/// The user as a record put it; an error where it was erased.
fn put(entry: &JournalEntry, user: UserId) -> Option<Result<UserEntry, ()>> {
    if !users_put(entry).contains(&user) {
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

/// What is known of an identity provider's own event.
pub(super) type Event = (LeaverEvent, Option<OffsetDateTime>);

const NOT_ASKED: Event = (LeaverEvent::NotAsked, None);
const LOST: Event = (LeaverEvent::Lost, None);

/// Somebody who was deleted: the last value before that counts.
struct Deleted<'a> {
    leaver: &'a Leaver,
    user: UserId,
    attribute: &'a EventAttribute,
}

impl Deleted<'_> {
    /// What a record before the deletion says of it, where it is about this person.
    fn told(&self, entry: &JournalEntry) -> Option<Event> {
        if entry.record.seq >= self.leaver.cause {
            return None;
        }
        Some(told(put(entry, self.user)?, self.attribute, self.leaver))
    }
}

fn told(found: Result<UserEntry, ()>, attribute: &EventAttribute, leaver: &Leaver) -> Event {
    found.map_or(LOST, |user| said(attribute.value(&user).as_ref(), leaver.arrived))
}

impl Clocks {
    /// Looks for the events of all whose clocks ended, each once, whatever the store then says to the records.
    pub(super) async fn look_for_events(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        let asked = |ended: &&Ended| !self.events.contains_key(&ended.leaver.key());
        let leavers: Vec<Leaver> =
            self.ended.values().filter(asked).map(|ended| ended.leaver.clone()).collect();
        let events = self.settings.events_of(store, &leavers).await?;
        self.events.extend(leavers.iter().map(Leaver::key).zip(events));
        Ok(())
    }
}

impl LeaverSettings {
    /// What is known of the identity providers' own events, of each.
    async fn events_of(&self, store: &dyn Store, leavers: &[Leaver]) -> Result<Vec<Event>, StoreError> {
        let mut events = vec![NOT_ASKED; leavers.len()];
        let mut deleted = BTreeMap::new();
        for (n, leaver) in leavers.iter().enumerate() {
            if self.events.is_empty() || leaver.way == LeftBy::Offboarded {
                continue;
            }
            let found = store.records(leaver.cause, 1).await?;
            let Some(cause) = found.first().filter(|entry| entry.record.seq == leaver.cause) else {
                events[n] = LOST;
                continue;
            };
            let Ok(facts) = cause.record.facts_of::<DirectoryChange>() else { continue };
            let Some(attribute) = self.events.get(&facts.source) else { continue };
            let Some(user) = left_by(cause, leaver.way) else {
                events[n] = LOST;
                continue;
            };
            if let Some(found) = put(cause, user) {
                events[n] = told(found, attribute, leaver);
            } else {
                events[n] = LOST;
                deleted.insert(n, Deleted { leaver, user, attribute });
            }
        }
        look_back(store, deleted, &mut events).await?;
        Ok(events)
    }
}

/// Reads the journal backwards, once for all, until the last value of each is found.
async fn look_back(
    store: &dyn Store,
    mut deleted: BTreeMap<usize, Deleted<'_>>,
    events: &mut [Event],
) -> Result<(), StoreError> {
    let causes = || deleted.values().map(|one| one.leaver.cause.0);
    let (Some(first), Some(mut before)) = (causes().min(), causes().max()) else { return Ok(()) };
    let end = first.saturating_sub(BACK).max(1);
    while before > end && !deleted.is_empty() {
        let from = before.saturating_sub(SOME).max(end);
        let most = u32::try_from(before - from).unwrap_or(u32::MAX);
        let some = store.records_of(RecordKind::DirectoryChange, RecordSeq(from), most).await?;
        for entry in some.iter().rev().filter(|entry| entry.record.seq.0 < before) {
            let users = users_put(entry);
            let found = |one: &Deleted<'_>| users.contains(&one.user).then(|| one.told(entry)).flatten();
            deleted.retain(|n, one| match found(one) {
                Some(event) => {
                    events[*n] = event;
                    false
                }
                None => true,
            });
        }
        before = from;
    }
    Ok(())
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
