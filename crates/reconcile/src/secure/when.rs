//! Where steps about views stand among those about permissions.

use crate::finding::Finding;
use crate::plan::{Plan, Planned};
use crate::step::{Step, StepKind};

use super::SecureStep;

/// Puts them into a plan about permissions, whose own order stays what it is.
///
/// What closes comes right after those who leave: a view that is altered waits for whoever reads it. What gives comes before the first step that gives a permission: whoever is let in by this plan finds
/// the text that the map means. A view, and a filter, is dropped when every permission was taken that stood on it.
pub fn put_into(plan: &mut Plan, steps: Vec<SecureStep>, findings: Vec<Finding>) {
    plan.findings.extend(findings);
    plan.findings.sort();
    plan.findings.dedup();
    if steps.is_empty() {
        return;
    }
    let planned = |step: SecureStep| Planned::from(Step::Secure(step));
    let (drops, steps): (Vec<_>, Vec<_>) =
        steps.into_iter().partition(|step| matches!(step.kind(), StepKind::DropView | StepKind::DropFilter));
    // A function stands on what is made before.
    let late = |step: &SecureStep| step.gives() || matches!(step, SecureStep::SetFilter { make: true, .. });
    let (gives, takes): (Vec<_>, Vec<_>) = steps.into_iter().partition(late);
    let first = plan.steps.iter().position(|planned| planned.step.gives()).unwrap_or(plan.steps.len());
    let rest = plan.steps.split_off(first);
    let leaving = std::mem::take(&mut plan.steps);
    plan.steps = leaving
        .into_iter()
        .chain(takes.into_iter().map(planned))
        .chain(gives.into_iter().map(planned))
        .chain(rest)
        .chain(drops.into_iter().map(planned))
        .collect();
}
