//! The port for a target whose steps are written down for somebody else to run.
//!
//! ```text
//!  admitted plan ──> write ──> FILE ──> a person reviews and runs it ──> confirmed, or seen by an inspection ──> close
//! ```

use axon_model::{MapVersion, PlanId, RecordSeq, RunId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::admit::Withheld;
use crate::graph::Graph;
use crate::plan::Planned;
use crate::step::Step;
use crate::target::TargetError;
use crate::wave::LeaseProof;

/// One step of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptStep {
    /// The step.
    pub planned: Planned,
    /// The rules that caused it, as people read them.
    pub because: Vec<String>,
    /// Whether it shuts somebody out, and how much it takes: what a budget counts of it once it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<(bool, u64)>,
}

/// What goes into one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptRun<'a> {
    /// The run.
    pub run: RunId,
    /// The plan in the journal.
    pub plan: PlanId,
    /// When it is written.
    pub at: OffsetDateTime,
    /// The map that it was made from.
    pub map: &'a MapVersion,
    /// The directory's position that it was made from.
    pub directory: RecordSeq,
    /// The steps, in order.
    pub steps: Vec<ScriptStep>,
    /// What guards keep back.
    pub withheld: &'a [Withheld],
    /// What no step can bring about, and what waits on things that are not there.
    pub remarks: Vec<String>,
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptFile {
    /// Its run.
    pub run: RunId,
    /// The plan in the journal.
    pub plan: PlanId,
    /// When it was written.
    pub at: OffsetDateTime,
    /// Its name in the folder.
    pub name: String,
    /// SHA-256 of its text, in hexadecimal digits.
    pub digest: String,
    /// The steps in it.
    pub steps: Vec<ScriptStep>,
}

impl ScriptFile {
    /// Whether it holds just these steps, whatever caused them.
    pub fn is_about<'s>(&self, steps: impl ExactSizeIterator<Item = &'s Step>) -> bool {
        steps.len() == self.steps.len() && steps.zip(&self.steps).all(|(step, own)| *step == own.planned.step)
    }
}

/// Why a file waits no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScriptEnd {
    /// Somebody says that it was run.
    Confirmed,
    /// An inspection shows that all of it is in force.
    Inspected,
    /// Something else is asked for by now.
    Superseded,
}

impl ScriptEnd {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Inspected => "inspected",
            Self::Superseded => "superseded",
        }
    }
}

/// A step that cannot be written into a file, and why.
pub type NotWritten = (Step, String);

/// A target whose steps are written down. All of it is about one folder, which nobody else writes to.
pub trait Script: Send + Sync {
    /// The files that nobody answered yet, oldest first.
    fn open(&self) -> Result<Vec<ScriptFile>, TargetError>;
    /// Why a step must not stand in a file that people run with their own programs, if so.
    fn unwritable(&self, step: &Step) -> Option<String>;
    /// The text of a run, and the file that it would be. Nothing is written yet.
    fn draft(&self, run: &ScriptRun<'_>) -> (ScriptFile, String);
    /// Writes a draft, whole or not at all. The lease shows that nobody else writes.
    fn write(&self, file: &ScriptFile, text: &str, lease: &LeaseProof) -> Result<(), TargetError>;
    /// A file waits no longer.
    fn close(&self, file: &ScriptFile, end: ScriptEnd, at: OffsetDateTime) -> Result<(), TargetError>;
    /// Whether the catalog of the place is seen, and not only what people said about it.
    fn is_seen(&self) -> bool;
    /// Whether this graph shows a step's effect.
    fn shows(&self, graph: &Graph, step: &Step) -> bool;
}
