//! What a probe of a secure view came to.

use serde::{Deserialize, Serialize};

use super::Payload;
use crate::record::RecordKind;

/// A view was read as one of its readers, and what was seen was compared with the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewProbed {
    /// The target, as the role map names it.
    pub target: String,
    /// The view.
    pub view: String,
    /// The digest of its text.
    pub text: String,
    /// Whether it was read as somebody to whom the map does not open it.
    pub stranger: bool,
    /// Whether a user without a login stood in for the class.
    #[serde(default)]
    pub canary: bool,
    /// How many readers are of the same class.
    pub readers: u64,
    /// How many rows were seen.
    pub rows: Option<u64>,
    /// In how many ways it was otherwise than the policy says.
    pub differs: u64,
    /// How many hostile questions told something.
    pub leaks: u64,
    /// How much could not be tried.
    pub untried: u64,
    /// The clear part.
    #[serde(skip)]
    pub clear: ProbeClear,
}

/// Who read, and what was found, in words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeClear {
    /// As whom.
    pub reader: String,
    /// What was otherwise.
    #[serde(default)]
    pub differs: Vec<String>,
    /// What hostile questions told.
    #[serde(default)]
    pub leaks: Vec<String>,
    /// What could not be tried, and why.
    #[serde(default)]
    pub untried: Vec<String>,
}

impl Payload for ViewProbed {
    const KIND: RecordKind = RecordKind::ViewProbe;
    type Facts = Self;
    type Clear = ProbeClear;

    fn split(mut self) -> (Self, Option<ProbeClear>) {
        let clear = std::mem::take(&mut self.clear);
        (self, Some(clear))
    }
}
