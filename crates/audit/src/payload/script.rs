//! Files of statements that people run: what was written, and how it ended.

use axon_model::{PlanId, RunId};
use serde::{Deserialize, Serialize};

use super::Payload;
use crate::record::RecordKind;

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScriptVerb {
    /// It is about to be written.
    Written,
    /// A person says that it was run.
    Confirmed,
    /// The catalog shows that it was run.
    Inspected,
    /// Something else is asked for: nobody need run it any more.
    Superseded,
}

/// A file of statements was written for people, or waits no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptChange {
    /// What happened.
    pub verb: ScriptVerb,
    /// The target, as the role map names it.
    pub target: String,
    /// The run that wrote it.
    pub run: RunId,
    /// The plan that it holds.
    pub plan: PlanId,
    /// SHA-256 of its text, in hexadecimal digits.
    pub sha256: String,
    /// How many of its steps give.
    pub gives: u64,
    /// How many take away.
    pub takes: u64,
    /// How many of its steps the catalog shows, where somebody looked.
    pub in_force: Option<u64>,
    /// The clear part.
    #[serde(skip)]
    pub clear: ScriptClear,
}

/// What names people in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptClear {
    /// The file's name.
    pub file: String,
    /// Its steps as people read them.
    pub steps: Vec<String>,
    /// What the person said who confirmed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Payload for ScriptChange {
    const KIND: RecordKind = RecordKind::ScriptChange;
    type Facts = Self;
    type Clear = ScriptClear;

    fn split(mut self) -> (Self, Option<ScriptClear>) {
        let clear = std::mem::take(&mut self.clear);
        (self, Some(clear))
    }
}
