//! What waits for a person, and which names were bound to which groups.

use axon_model::{HoldId, SourceId};
use serde::{Deserialize, Serialize};

use super::Payload;
use crate::record::RecordKind;

/// What happened to a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldVerb {
    /// It began to wait.
    Opened,
    /// One person let it go on; it waits for another one.
    Seconded,
    /// A person let it go on.
    Released,
    /// A person said no.
    Rejected,
    /// Its time ran out.
    Expired,
    /// What it was about is no more.
    Lapsed,
    /// What was released has been done.
    Done,
}

/// Something waits for a person, or waits no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldChange {
    /// What happened.
    pub verb: HoldVerb,
    /// The hold.
    pub hold: HoldId,
    /// What kind of hold it is.
    pub about: String,
    /// The source that it is about.
    pub source: Option<SourceId>,
    /// The target that it is about.
    pub target: Option<String>,
    /// The clear part.
    #[serde(skip)]
    pub clear: HoldClear,
}

/// What names people in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldClear {
    /// What waits.
    pub what: String,
    /// Why it waits.
    pub why: String,
    /// What the person said who ended it.
    pub reason: Option<String>,
}

/// Names were bound to the groups that had them when they were first looked at, or kept for the first that comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamesBound {
    /// Each name's source and group; no group where nobody had the name yet.
    pub groups: Vec<BoundGroup>,
    /// The clear part.
    #[serde(skip)]
    pub clear: BoundClear,
}

/// A group to which a name was bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundGroup {
    /// Whose group.
    pub source: SourceId,
    /// Its SCIM id.
    pub group: Option<String>,
}

/// The names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundClear {
    /// In the order of the groups.
    pub names: Vec<String>,
}

impl Payload for HoldChange {
    const KIND: RecordKind = RecordKind::Hold;
    type Facts = Self;
    type Clear = HoldClear;

    fn split(mut self) -> (Self, Option<HoldClear>) {
        let clear = std::mem::take(&mut self.clear);
        (self, Some(clear))
    }
}

impl Payload for NamesBound {
    const KIND: RecordKind = RecordKind::NamesBound;
    type Facts = Self;
    type Clear = BoundClear;

    fn split(mut self) -> (Self, Option<BoundClear>) {
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
        let hold = HoldChange {
            verb: HoldVerb::Released,
            hold: HoldId::from_uuid(ids.uuid(now)),
            about: "new-person".into(),
            source: Some("entra".parse().unwrap()),
            target: None,
            clear: HoldClear {
                what: "kim@acme.com".into(),
                why: "another externalId".into(),
                reason: Some("rehired".into()),
            },
        };
        let record = NewRecord::of(&ids, now, Actor::Operator { name: "ana".into() }, hold.clone()).unwrap();
        let facts = record.facts.to_string();
        assert!(!facts.contains("kim") && !facts.contains("rehired"), "{facts}");
        assert_eq!(record.clear.unwrap().body_of::<HoldChange>().unwrap(), hold.clear);
    }
}
