//! What was asked for beside the role map.

use axon_model::{AccessRequestId, AccessState, HoldId, SourceId, UserId};
use serde::{Deserialize, Serialize};

use super::Payload;
use crate::record::RecordKind;

/// Something was asked for beside the role map, came into force or ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessChange {
    /// Which request.
    pub access_request: AccessRequestId,
    /// `offboard`, `grant` or `impersonate`.
    pub about: String,
    /// Where it stands now.
    pub state: AccessState,
    /// The source, where only one is meant.
    pub source: Option<SourceId>,
    /// The SCIM ids of the records that are meant.
    pub users: Vec<UserId>,
    /// The records of the person whom those act as, where it is about acting as another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub persons: Vec<UserId>,
    /// The role of a grant.
    pub role: Option<String>,
    /// The target, where only one is meant.
    pub target: Option<String>,
    /// The session of the target, where acting as another holds in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// For how long a grant holds, in seconds.
    pub seconds: Option<u64>,
    /// The hold that it waits by.
    pub hold: Option<HoldId>,
    /// The clear part.
    #[serde(skip)]
    pub clear: AccessClear,
}

/// What names people in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClear {
    /// The `userName` as it was typed.
    pub user_name: String,
    /// The `userName` of the person whom that one acts as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// What the person said who caused the change.
    pub reason: String,
}

impl Payload for AccessChange {
    const KIND: RecordKind = RecordKind::AccessRequest;
    type Facts = Self;
    type Clear = AccessClear;

    fn split(mut self) -> (Self, Option<AccessClear>) {
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
    fn facts_name_nobody() {
        let ids = IdSource::counting();
        let now = datetime!(2026-11-22 00:00 UTC);
        let change = AccessChange {
            access_request: AccessRequestId::from_uuid(ids.uuid(now)),
            about: "offboard".into(),
            state: AccessState::InForce,
            source: None,
            users: vec![UserId::from_uuid(ids.uuid(now))],
            persons: vec![UserId::from_uuid(ids.uuid(now))],
            role: None,
            target: None,
            session: None,
            seconds: None,
            hold: None,
            clear: AccessClear {
                user_name: "kim@acme.com".into(),
                person: Some("lee@acme.com".into()),
                reason: "laptop stolen".into(),
            },
        };
        let record =
            NewRecord::of(&ids, now, Actor::Operator { name: "ana".into() }, change.clone()).unwrap();
        let facts = record.facts.to_string();
        assert!(["kim", "lee", "laptop"].iter().all(|word| !facts.contains(word)), "{facts}");
        assert_eq!(record.clear.unwrap().body_of::<AccessChange>().unwrap(), change.clear);
    }
}
