//! The ordered steps from actual to desired, as one value that a person can read.

use std::collections::BTreeSet;
use std::fmt;

use axon_model::SqlName;
use axon_model::name::NameSet;
use serde::{Deserialize, Serialize};

use crate::diff::{Needed, diff};
use crate::finding::Finding;
use crate::focus::{Concerned, Tied, focus, with_those_below};
use crate::order::order;
use crate::scope::Sides;
use crate::step::Step;
use crate::ties::Ties;

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

    /// Whom it is about: a plan over these, and whoever changed since, is the next whole plan. None where that cannot be told.
    pub fn concerned(&self) -> Option<Concerned> {
        let mut told = BTreeSet::new();
        for finding in &self.findings {
            told.extend(finding.names()?);
        }
        Some(Concerned { differ: self.steps.iter().map(|planned| planned.step.subject()).collect(), told })
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
    if needed.steps.is_empty() {
        return Plan { steps: Vec::new(), findings: needed.findings };
    }
    match around(sides, &needed.steps) {
        Some(near) => in_order(&near, needed),
        None => in_order(sides, needed),
    }
}

/// The same plan, its order sought among all that both sides hold, however few the steps are.
pub fn plan_among_all(sides: &Sides) -> Plan {
    in_order(sides, diff(sides))
}

fn in_order(sides: &Sides, needed: Needed) -> Plan {
    let (steps, unsafe_steps) = order(sides, needed.steps);
    let mut findings = needed.findings;
    findings.extend(unsafe_steps);
    Plan { steps, findings }
}

/// So few names, or one in so many: then the order of steps is sought among what those can touch.
const FEW: usize = 64;
const SHARE: usize = 8;

/// The part of the sides that the order of these steps depends on, where it is a small one.
fn around(sides: &Sides, steps: &[Planned]) -> Option<Sides> {
    let Sides { desired, actual, scope } = sides;
    let most = FEW.max(actual.principals.len().max(desired.principals.len()) / SHARE);
    let names: NameSet = steps.iter().map(|planned| planned.step.subject()).collect();
    if names.len() > most {
        return None;
    }
    let names: BTreeSet<SqlName> = names.into_iter().collect();
    let concerned: NameSet = with_those_below(desired, actual, &names).into_iter().collect();
    if concerned.len() > most {
        return None;
    }
    let [wanted, there] = [desired, actual].map(|graph| Ties::among(graph, |name| concerned.contains(&name)));
    Some(focus(Tied { graph: desired, ties: &wanted }, Tied { graph: actual, ties: &there }, scope, &names))
}
