//! What of a plan may be done now, and what is withheld with which remedy: modes and guards are a filter after the plan.

use std::collections::BTreeSet;

use axon_model::SqlName;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::plan::{Plan, Planned};
use crate::scope::Sides;
use crate::shape::ObjectName;
use crate::step::{Step, StepKind};
use crate::wave::{LeaseProof, Wave};

pub mod budget;
mod gate;
pub mod reason;
mod tally;

pub use budget::{History, Past, RemovalBudget};
pub use reason::{Class, Reason};
pub use tally::{Tally, Totals};

/// How far Axon may go in a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nothing is changed.
    #[default]
    Observe,
    /// What gives is done, what takes is shown.
    Additive,
    /// All is done.
    Authoritative,
}

/// What withholds steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guards {
    /// How far Axon may go.
    pub mode: Mode,
    /// How many memberships and grants may be taken in a window.
    pub removals: Option<RemovalBudget>,
    /// How many principals may be shut out in a window.
    pub leavers: Option<RemovalBudget>,
    /// Principals and roles from which nothing is taken.
    pub protect: BTreeSet<SqlName>,
    /// Kinds of step that always wait for a person.
    pub hold_steps: Vec<StepKind>,
    /// Who may administer the target: the last one is never touched.
    pub administrators: BTreeSet<SqlName>,
    /// The principal that Axon is there.
    pub own: SqlName,
}

/// A step that is not done now, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    /// The step.
    pub planned: Planned,
    /// Each reason alone would withhold it.
    pub reasons: Vec<Reason>,
}

/// The part of a plan that may be applied, made by [`admit`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    steps: Vec<Planned>,
    withheld: Vec<Withheld>,
}

impl Admitted {
    /// What may be done, in order.
    pub fn steps(&self) -> &[Planned] {
        &self.steps
    }

    /// What is withheld, in the plan's order.
    pub fn withheld(&self) -> &[Withheld] {
        &self.withheld
    }

    /// At most `most` steps beginning with the one at `from`, counted from 0.
    pub fn wave(&self, lease: &LeaseProof, from: usize, most: usize) -> Wave {
        let steps = self.steps.iter().skip(from).take(most).map(|planned| planned.step.clone()).collect();
        Wave::of(steps, lease.clone())
    }
}

/// Parts the plan into what may be done now and what is withheld.
///
/// A step that needs the effect of a withheld one is withheld with it, so that what is left keeps the order's laws.
pub fn admit(plan: Plan, sides: &Sides, guards: &Guards, history: &History, now: OffsetDateTime) -> Admitted {
    admit_but(plan, sides, guards, history, now, &|_| None)
}

/// The same, where `against` may have a reason of its own against a step: the target refused it a moment ago, its record
/// cannot be written. Such a step is withheld like any other, and so is what would be unsafe without it.
pub fn admit_but(
    plan: Plan,
    sides: &Sides,
    guards: &Guards,
    history: &History,
    now: OffsetDateTime,
    against: &dyn Fn(&Step) -> Option<Reason>,
) -> Admitted {
    admit_with(
        plan,
        sides,
        guards,
        history,
        now,
        &Known {
            against,
            released: &|_, _| false,
            standing: &|_, _| false,
            announced: 0,
            totals: None,
            closed: &|_| false,
        },
    )
}

/// What is known of steps besides the guards.
pub struct Known<'a> {
    /// A reason of its own against a step.
    pub against: &'a dyn Fn(&Step) -> Option<Reason>,
    /// Whether a person lifted reasons of this class for this step. It is then not part of a budget either.
    pub released: &'a dyn Fn(&Step, Class) -> bool,
    /// Whether a person was asked about this step by this class, a while ago, and it still waits or was refused.
    pub standing: &'a dyn Fn(&Step, Class) -> bool,
    /// How many more leavers were announced for this window.
    pub announced: u64,
    /// What budgets are percentages of, where the sides are only a part of all.
    pub totals: Option<Totals>,
    /// Whether a view that is there shows nobody anything now.
    pub closed: &'a dyn Fn(ObjectName) -> bool,
}

/// The same, where persons released some steps.
pub fn admit_with(
    plan: Plan,
    sides: &Sides,
    guards: &Guards,
    history: &History,
    now: OffsetDateTime,
    known: &Known<'_>,
) -> Admitted {
    let reasons = gate::reasons(&plan, sides, guards, history, now, known);
    let mut admitted = Admitted { steps: Vec::with_capacity(plan.steps.len()), withheld: Vec::new() };
    for (planned, reasons) in plan.steps.into_iter().zip(reasons) {
        if reasons.is_empty() {
            admitted.steps.push(planned);
        } else {
            admitted.withheld.push(Withheld { planned, reasons });
        }
    }
    admitted
}
