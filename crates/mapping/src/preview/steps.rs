//! The steps behind a preview, and the guards that would hold them: from what the map in force asks for to what the new one
//! would ask for, as if the target held the first exactly.

use std::collections::BTreeMap;

use axon_model::SqlName;
use axon_reconcile::{History, Mode, Sides, TargetFacts, admit, plan};
use serde::Serialize;

use super::{Both, Compared};
use crate::names::TargetName;

/// What would be done in one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetSteps {
    /// The target.
    pub target: TargetName,
    /// What would go by itself, in order.
    pub steps: Vec<String>,
    /// What would wait, each with its reasons.
    pub withheld: Vec<String>,
}

/// The steps of every target in which anything would be done. The mode of each target is taken as authoritative, so that
/// everything shows that a mode may keep back.
pub fn steps(compared: Compared<'_>, sides: &BTreeMap<TargetName, Both>) -> Vec<TargetSteps> {
    let mut out = Vec::new();
    for (target, both) in sides {
        let Some(scope) = both.new.scope().or(both.old.scope()) else { continue };
        let mut scope = scope.clone();
        // Who is only on the old side is managed still: the directory knew them.
        if let axon_reconcile::ManagedPrincipals::Mapped(names) = &mut scope.principals {
            names.extend(both.old.graph().principals.keys());
        }
        let sides = Sides { desired: both.new.graph().clone(), actual: both.old.graph().clone(), scope };
        let Some(own_principal) = SqlName::parse("dbo").ok() else { continue };
        let facts = TargetFacts {
            version: String::new(),
            engine_edition: 0,
            own_principal,
            administrators: Vec::new(),
        };
        let guards = compared.new.guards.for_target(Mode::Authoritative, &facts, compared.now);
        let admitted = admit(plan(&sides), &sides, &guards, &History::default(), compared.now);
        let steps: Vec<String> = admitted.steps().iter().map(ToString::to_string).collect();
        let withheld: Vec<String> = admitted
            .withheld()
            .iter()
            .map(|held| {
                let reasons: Vec<String> = held.reasons.iter().map(ToString::to_string).collect();
                format!("{}: {}", held.planned, reasons.join("; "))
            })
            .collect();
        if !steps.is_empty() || !withheld.is_empty() {
            out.push(TargetSteps { target: target.clone(), steps, withheld });
        }
    }
    out
}
