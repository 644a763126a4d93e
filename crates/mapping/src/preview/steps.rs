//! The steps behind a preview, and the guards that would hold them: from what the map in force asks for to what the new one
//! would ask for, as if the target held the first exactly.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::secure::put_into;
use axon_reconcile::{
    History, ManagedPrincipals, Mode, Planned, Role, Sides, Step, TargetFacts, admit, plan,
};
use serde::Serialize;

use super::views::{self, TablesOf};
use super::{Both, Compared};
use crate::names::TargetName;
use crate::target::{TargetSpec, Words};

/// One step as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The step in words.
    pub step: String,
    /// The statements that it is made of; none where the target takes none, or where they hang on what is found there.
    pub statements: Vec<String>,
    /// Why it would wait; empty if it would not.
    pub reasons: Vec<String>,
}

/// What would be done in one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetSteps {
    /// The target.
    pub target: TargetName,
    /// How far Axon may go there by the new map.
    pub mode: Mode,
    /// What would go by itself, in order.
    pub steps: Vec<Told>,
    /// What guards would hold, each with its reasons.
    pub withheld: Vec<Told>,
    /// What no step can mend.
    pub findings: Vec<String>,
}

/// Puts a step into the words of a target; the names are those of roles there.
pub type Wording<'w> = dyn Fn(&TargetSpec, &BTreeSet<SqlName>, &Step) -> Vec<String> + 'w;

/// The steps of every target in which anything would be done. The mode of each target is taken as authoritative, so that
/// everything shows that a mode may keep back. In a target that the new map does not have nothing is done. What is done about
/// secure views is told where the target's tables are known.
pub fn steps(
    compared: Compared<'_>,
    sides: &BTreeMap<TargetName, Both>,
    tables: &TablesOf,
    wording: &Wording<'_>,
) -> Vec<TargetSteps> {
    sides.iter().filter_map(|(target, both)| in_target(target, both, compared, tables, wording)).collect()
}

fn in_target(
    target: &TargetName,
    both: &Both,
    compared: Compared<'_>,
    tables: &TablesOf,
    wording: &Wording<'_>,
) -> Option<TargetSteps> {
    let (spec, mut scope) = (both.new.spec()?, both.new.scope()?.clone());
    // Who is only on the old side is managed still: the directory knew them.
    if let ManagedPrincipals::Mapped(names) = &mut scope.principals {
        names.extend(both.old.graph().principals.keys());
    }
    let (desired, mut actual) = (both.new.graph().clone(), both.old.graph().clone());
    // Roles that a line puts people into are the target's own: they are there.
    for role in scope.named_roles.iter().filter(|role| !desired.roles.contains_key(role)) {
        actual.roles.entry(*role).or_insert(Role { fixed: true, owner: None });
    }
    let sides = Sides { desired, actual, scope };
    let own_principal = SqlName::parse("dbo").ok()?;
    let facts =
        TargetFacts { version: String::new(), engine_edition: 0, own_principal, administrators: Vec::new() };
    let guards = compared.new.guards.for_target(Mode::Authoritative, &facts, compared.now);
    let mut plan = plan(&sides);
    let views::Between { steps, findings, untold } =
        views::between(target, both, compared, tables, &sides.actual);
    put_into(&mut plan, steps, findings);
    let findings: Vec<String> = plan.findings.iter().map(ToString::to_string).chain(untold).collect();
    let admitted = admit(plan, &sides, &guards, &History::default(), compared.now);
    let roles: BTreeSet<SqlName> =
        sides.desired.roles.keys().chain(sides.actual.roles.keys()).copied().collect();
    let told = |planned: &Planned, reasons: Vec<String>| {
        Some(Told {
            step: in_words(planned, spec.kind.words())?,
            statements: wording(spec, &roles, &planned.step),
            reasons,
        })
    };
    let steps: Vec<Told> = admitted.steps().iter().filter_map(|planned| told(planned, Vec::new())).collect();
    let withheld: Vec<Told> = admitted
        .withheld()
        .iter()
        .filter_map(|held| told(&held.planned, held.reasons.iter().map(ToString::to_string).collect()))
        .collect();
    (!steps.is_empty() || !withheld.is_empty() || !findings.is_empty()).then(|| TargetSteps {
        target: target.clone(),
        mode: spec.mode,
        steps,
        withheld,
        findings,
    })
}

/// A step in words; none where targets of this kind know no such thing: roles that are only assigned have no users to make.
fn in_words(planned: &Planned, words: Words) -> Option<String> {
    match (words, &planned.step) {
        (Words::Sql, _) => Some(planned.to_string()),
        (Words::Roles, Step::AddMember { role, member }) => Some(format!("assign {role} to {member}")),
        (Words::Roles, Step::DropMember { role, member }) => Some(format!("take {role} from {member}")),
        (Words::Roles, _) => None,
    }
}
