//! Drift: what somebody else did in a target.

use serde::{Deserialize, Serialize};

use super::Payload;
use crate::record::RecordKind;

/// A look at a target showed that somebody else changed it, or that this is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftSeen {
    /// The target, as the role map names it.
    pub target: String,
    /// What kind of drift: `added`, `removed`, `recreated`.
    pub drift: String,
    /// Whether it is there; else it is over.
    pub there: bool,
    /// How many more were seen by the same look and have no record of their own.
    #[serde(default)]
    pub more: u64,
    /// The clear part.
    #[serde(skip)]
    pub clear: DriftClear,
}

/// What differs, in words that may name people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftClear {
    /// The words.
    pub what: String,
    /// Whose access it is.
    pub principal: String,
    /// Who granted it, where the catalog tells.
    #[serde(default)]
    pub grantors: Vec<String>,
}

impl Payload for DriftSeen {
    const KIND: RecordKind = RecordKind::DriftSeen;
    type Facts = Self;
    type Clear = DriftClear;

    fn split(mut self) -> (Self, Option<DriftClear>) {
        let clear = std::mem::take(&mut self.clear);
        (self, Some(clear))
    }
}
