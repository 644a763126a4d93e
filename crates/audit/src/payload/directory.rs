//! A SCIM write's change of the directory, enough to rebuild any past directory.

mod text;

use axon_model::{Delta, GroupEntry, GroupId, SourceId, UserEntry, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Payload, PayloadError};
use crate::clear::ClearPart;
use crate::record::{Record, RecordKind};

/// What the source asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum WriteVerb {
    CreateUser,
    ReplaceUser,
    PatchUser,
    DeleteUser,
    CreateGroup,
    ReplaceGroup,
    PatchGroup,
    DeleteGroup,
}

/// One SCIM write's effect on the directory.
#[derive(Debug, Clone, PartialEq)]
pub struct DirectoryChange {
    /// What was asked for.
    pub verb: WriteVerb,
    /// Whose directory.
    pub source: SourceId,
    /// What changed, in order.
    pub deltas: Vec<Delta>,
    /// Whether an existing user or group got another `externalId`: perhaps another person or group under the same id.
    pub external_id_changed: bool,
    /// How many members were named that do not exist, and wait.
    pub parked: u64,
    /// How many members that waited have joined.
    pub joined: u64,
}

/// One delta, with the entry of a put taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "put")]
pub enum SplitDelta {
    /// A user's entry is in the clear part.
    User {
        /// Whose.
        id: UserId,
        /// Whether the user is active after it.
        active: bool,
    },
    /// A group's entry is in the clear part.
    Group {
        /// Whose.
        id: GroupId,
    },
    /// A change that holds ids only.
    #[serde(untagged)]
    Whole(Delta),
}

/// The part that names nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryFacts {
    /// What was asked for.
    pub verb: WriteVerb,
    /// Whose directory.
    pub source: SourceId,
    /// What changed, in order.
    pub deltas: Vec<SplitDelta>,
    /// Whether an existing user or group got another `externalId`.
    pub external_id_changed: bool,
    /// How many members were named that do not exist, and wait.
    pub parked: u64,
    /// How many members that waited have joined.
    pub joined: u64,
}

/// The entries that were put, in the order of the facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryClear {
    /// User and group entries.
    pub entries: Vec<Value>,
}

impl Payload for DirectoryChange {
    const KIND: RecordKind = RecordKind::DirectoryChange;
    type Facts = DirectoryFacts;
    type Clear = DirectoryClear;

    fn split(self) -> (DirectoryFacts, Option<DirectoryClear>) {
        let mut entries = Vec::new();
        let mut deltas = Vec::with_capacity(self.deltas.len());
        for delta in self.deltas {
            deltas.push(match delta {
                Delta::UserPut { user } => {
                    let split = SplitDelta::User { id: user.id, active: user.active };
                    entries.push(entry(&user));
                    split
                }
                Delta::GroupPut { group } => {
                    let split = SplitDelta::Group { id: group.id };
                    entries.push(entry(&group));
                    split
                }
                whole => SplitDelta::Whole(whole),
            });
        }
        let facts = DirectoryFacts {
            verb: self.verb,
            source: self.source,
            deltas,
            external_id_changed: self.external_id_changed,
            parked: self.parked,
            joined: self.joined,
        };
        let clear = (!entries.is_empty()).then_some(DirectoryClear { entries });
        (facts, clear)
    }
}

fn entry<T: Serialize>(entry: &T) -> Value {
    // Entries are structs of texts, ids and one boolean: they always have a value.
    serde_json::to_value(entry).unwrap_or(Value::Null)
}

/// The clear part that holds an entry was erased: this change can no longer be replayed.
#[derive(Debug, thiserror::Error)]
pub enum Erased {
    /// The clear part is gone.
    #[error("the clear part of record {0} was erased")]
    Gone(axon_model::RecordSeq),
    /// What is there cannot be read.
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

impl DirectoryChange {
    /// The deltas of a record and its clear part, in order.
    pub fn deltas_of(record: &Record, clear: Option<&ClearPart>) -> Result<Vec<Delta>, Erased> {
        let facts = record.facts_of::<Self>()?;
        let entries = match clear {
            Some(clear) => clear.body_of::<Self>()?.entries,
            None => Vec::new(),
        };
        let mut entries = entries.into_iter();
        let mut take = || entries.next().ok_or(Erased::Gone(record.seq));
        let shape = |source| PayloadError::Shape { kind: Self::KIND, source };
        let mut deltas = Vec::with_capacity(facts.deltas.len());
        for split in facts.deltas {
            deltas.push(match split {
                SplitDelta::User { .. } => {
                    Delta::UserPut { user: serde_json::from_value::<UserEntry>(take()?).map_err(shape)? }
                }
                SplitDelta::Group { .. } => {
                    Delta::GroupPut { group: serde_json::from_value::<GroupEntry>(take()?).map_err(shape)? }
                }
                SplitDelta::Whole(delta) => delta,
            });
        }
        Ok(deltas)
    }
}

#[cfg(test)]
mod tests {
    use axon_model::{Actor, IdSource, MemberKind};
    use time::OffsetDateTime;

    use super::*;
    use crate::chain::{Chain, seal};
    use crate::record::NewRecord;

    fn change() -> DirectoryChange {
        let ids = IdSource::counting();
        let now = OffsetDateTime::UNIX_EPOCH;
        let source: SourceId = "entra".parse().unwrap();
        let (user, group) = (UserId::from_uuid(ids.uuid(now)), GroupId::from_uuid(ids.uuid(now)));
        DirectoryChange {
            verb: WriteVerb::PatchGroup,
            source: source.clone(),
            deltas: vec![
                Delta::UserPut {
                    user: UserEntry {
                        id: user,
                        source: source.clone(),
                        user_name: "kim@acme.com".into(),
                        external_id: None,
                        active: true,
                        document: r#"{"userName":"kim@acme.com","x":1.5}"#.into(),
                    },
                },
                Delta::MemberAdded { group, member: MemberKind::User(user) },
                Delta::GroupPut {
                    group: GroupEntry {
                        id: group,
                        source,
                        display_name: "SG-Sales".into(),
                        external_id: Some("g1".into()),
                        document: "{}".into(),
                    },
                },
                Delta::MemberRemoved { group, member: MemberKind::User(user) },
                Delta::UserRemoved { id: user },
            ],
            external_id_changed: false,
            parked: 0,
            joined: 1,
        }
    }

    #[test]
    fn names_are_in_the_clear_part_only_and_deltas_come_back_in_order() {
        let change = change();
        let deltas = change.deltas.clone();
        let new =
            NewRecord::of(&IdSource::counting(), OffsetDateTime::UNIX_EPOCH, Actor::Axon, change).unwrap();
        let sealed = seal(Chain::EMPTY, new.clone()).unwrap();
        assert!(!sealed.facts.contains("kim") && !sealed.facts.contains("SG-Sales"), "{}", sealed.facts);
        assert_eq!(DirectoryChange::deltas_of(&sealed.record, new.clear.as_ref()).unwrap(), deltas);
        assert!(matches!(DirectoryChange::deltas_of(&sealed.record, None), Err(Erased::Gone(_))));
    }

    #[test]
    fn a_change_of_ids_alone_survives_every_erasure() {
        let mut change = change();
        change.deltas.retain(|d| !matches!(d, Delta::UserPut { .. } | Delta::GroupPut { .. }));
        let deltas = change.deltas.clone();
        let new =
            NewRecord::of(&IdSource::counting(), OffsetDateTime::UNIX_EPOCH, Actor::Axon, change).unwrap();
        assert!(new.clear.is_none());
        let sealed = seal(Chain::EMPTY, new).unwrap();
        assert_eq!(DirectoryChange::deltas_of(&sealed.record, None).unwrap(), deltas);
    }
}
