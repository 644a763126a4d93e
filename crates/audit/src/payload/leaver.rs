//! Leavers: from when to when somebody who left could still be in a target.

use axon_model::RecordSeq;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Payload;
use crate::record::{RecordKind, instant};

/// How somebody left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftBy {
    /// A source said that the person is not active.
    Deactivated,
    /// A source deleted the person.
    Deleted,
    /// A person shut them out.
    Offboarded,
}

impl LeftBy {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Deactivated, Self::Deleted, Self::Offboarded];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deactivated => "deactivated",
            Self::Deleted => "deleted",
            Self::Offboarded => "offboarded",
        }
    }

    /// The way of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.as_str() == word)
    }
}

/// How a clock ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeaverEnd {
    /// No session is left, and none can be opened.
    Out,
    /// The person was let in again before: no time was measured.
    Returned,
}

/// What is known of the identity provider's own event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeaverEvent {
    /// The source names no attribute for it, or no source said that the person left.
    NotAsked,
    /// It is known.
    Known,
    /// The person had no value.
    Absent,
    /// The value is no instant.
    Unreadable,
    /// The value lies after the push: it is not what caused it.
    Ahead,
    /// The record that has it was erased, or lies too far back.
    Lost,
}

/// A clock of somebody who left came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaverTime {
    /// The target, as the role map names it.
    pub target: String,
    /// The record by which they left.
    pub cause: RecordSeq,
    /// How.
    pub way: LeftBy,
    /// How it ended.
    pub result: LeaverEnd,
    /// When the push arrived, or the request of a person was in force.
    #[serde(with = "instant")]
    pub arrived_at: OffsetDateTime,
    /// What is known of the identity provider's own event.
    pub event: LeaverEvent,
    /// When that was.
    #[serde(with = "instant::option")]
    pub event_at: Option<OffsetDateTime>,
    /// Since when no new session can be opened; none where the person was no principal any more.
    #[serde(with = "instant::option")]
    pub shut_out_at: Option<OffsetDateTime>,
    /// When no session was left, or the person was let in again.
    #[serde(with = "instant")]
    pub ended_at: OffsetDateTime,
    /// From the arrival to the end, in milliseconds.
    pub millis: u64,
    /// From the identity provider's own event to the end.
    pub event_millis: Option<u64>,
    /// Within which time it ought to be.
    pub objective_millis: u64,
    /// Whether it was.
    pub within: bool,
    /// The clear part.
    #[serde(skip)]
    pub clear: LeaverClear,
}

/// What names the person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaverClear {
    /// The principal.
    pub principal: String,
}

impl Payload for LeaverTime {
    const KIND: RecordKind = RecordKind::LeaverClock;
    type Facts = Self;
    type Clear = LeaverClear;

    fn split(mut self) -> (Self, Option<LeaverClear>) {
        let clear = std::mem::take(&mut self.clear);
        (self, Some(clear))
    }
}

#[cfg(test)]
mod tests {
    use axon_model::{Actor, IdSource};
    use time::macros::datetime;

    use super::*;
    use crate::record::NewRecord;

    #[test]
    fn the_facts_of_a_leaver_name_nobody_and_read_back() {
        let now = datetime!(2026-11-23 08:00 UTC);
        let time = LeaverTime {
            target: "warehouse".into(),
            cause: RecordSeq(7),
            way: LeftBy::Deleted,
            result: LeaverEnd::Out,
            arrived_at: now,
            event: LeaverEvent::Absent,
            event_at: None,
            shut_out_at: Some(now),
            ended_at: now,
            millis: 0,
            event_millis: None,
            objective_millis: 300_000,
            within: true,
            clear: LeaverClear { principal: "kim@acme.com".into() },
        };
        let record = NewRecord::of(&IdSource::counting(), now, Actor::Axon, time.clone()).unwrap();
        assert!(!record.facts.to_string().contains("kim"), "{}", record.facts);
        let read: LeaverTime = serde_json::from_value(record.facts).unwrap();
        assert_eq!(
            LeaverTime { clear: record.clear.unwrap().body_of::<LeaverTime>().unwrap(), ..read },
            time
        );
        for way in LeftBy::ALL {
            assert_eq!(LeftBy::parse(way.as_str()), Some(way));
        }
    }
}
