//! The ordered steps from actual to desired, as one value that a person can read.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::diff::diff;
use crate::finding::Finding;
use crate::order::order;
use crate::scope::Sides;
use crate::step::Step;

/// One step in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// What is to be done.
    pub step: Step,
    /// Why somebody loses for a while, from this step on, what both sides give: no order avoids it without giving too much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupts: Option<String>,
}

impl From<Step> for Planned {
    fn from(step: Step) -> Self {
        Self { step, interrupts: None }
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, interrupts } = self;
        step.fmt(f)?;
        interrupts.as_ref().map_or(Ok(()), |reason| write!(f, " [interrupts: {reason}]"))
    }
}

/// Steps in order, and what they leave different.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The steps, each safe to stop after.
    pub steps: Vec<Planned>,
    /// What no step can bring about.
    pub findings: Vec<Finding>,
}

impl Plan {
    /// Whether there is nothing to do. Findings may be left.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

impl fmt::Display for Plan {
    /// Numbered lines, then the findings.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { steps, findings } = self;
        if steps.is_empty() {
            writeln!(f, "nothing to do")?;
        }
        let width = steps.len().to_string().len();
        for (i, planned) in steps.iter().enumerate() {
            writeln!(f, "{:>width$}. {planned}", i + 1)?;
        }
        findings.iter().try_for_each(|finding| writeln!(f, "! {finding}"))
    }
}

/// The steps that bring actual to desired within the scope, ordered by effect. Total and deterministic.
///
/// Every prefix grants nobody more than both sides together, and takes from nobody what both sides give; where no order
/// does both, the first law wins and the step says what it interrupts.
pub fn plan(sides: &Sides) -> Plan {
    let needed = diff(sides);
    let (steps, unsafe_steps) = order(sides, needed.steps);
    let mut findings = needed.findings;
    findings.extend(unsafe_steps);
    Plan { steps, findings }
}
