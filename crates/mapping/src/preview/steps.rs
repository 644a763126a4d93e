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
    /// How many steps would go by themselves.
    pub to_do: usize,
    /// How many steps guards would hold.
    pub would_wait: usize,
    /// What would go by itself, in order: as many as were asked for.
    pub steps: Vec<Told>,
    /// What guards would hold, each with its reasons: as many as were asked for.
    pub withheld: Vec<Told>,
    /// What no step can mend.
    pub findings: Vec<String>,
}

/// Puts a step into the words of a target; the names are those of roles there.
pub type Wording<'w> = dyn Fn(&TargetSpec, &BTreeSet<SqlName>, &Step) -> Vec<String> + 'w;

/// The steps of every target in which anything would be done. The mode of each target is taken as authoritative, so that
/// everything shows that a mode may keep back. In a target that the new map does not have nothing is done. What is done about
/// secure views is told where the target's tables are known. Of each target `most` steps are put into words: a first map has some for
/// every person, and who reads a report reads the first ones.
pub fn steps(
    compared: Compared<'_>,
    sides: &BTreeMap<TargetName, Both>,
    tables: &TablesOf,
    wording: &Wording<'_>,
    most: usize,
) -> Vec<TargetSteps> {
    let of = |(target, both)| in_target(target, both, compared, tables, (wording, most));
    sides.iter().filter_map(of).collect()
}

fn in_target(
    target: &TargetName,
    both: &Both,
    compared: Compared<'_>,
    tables: &TablesOf,
    (wording, most): (&Wording<'_>, usize),
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
    let facts = TargetFacts {
        version: String::new(),
        engine_edition: spec.engine_edition(),
        own_principal,
        administrators: Vec::new(),
    };
    let guards = compared.new.guards.for_target(Mode::Authoritative, &facts, compared.now);
    let mut plan = plan(&sides);
    let views::Between { steps, findings, untold } =
        views::between(target, both, compared, tables, &sides.actual);
    put_into(&mut plan, steps, findings);
    let findings: Vec<String> = plan.findings.iter().map(ToString::to_string).chain(untold).collect();
    let admitted = admit(plan, &sides, &guards, &History::default(), compared.now);
    let roles: BTreeSet<SqlName> =
        sides.desired.roles.keys().chain(sides.actual.roles.keys()).copied().collect();
    let words = spec.kind.words();
    let told = |planned: &Planned, reasons: Vec<String>| Told {
        step: in_words(planned, words),
        statements: wording(spec, &roles, &planned.step),
        reasons,
    };
    let steps = || admitted.steps().iter().filter(|planned| is_known(&planned.step, words));
    let withheld = || admitted.withheld().iter().filter(|held| is_known(&held.planned.step, words));
    let (to_do, would_wait) = (steps().count(), withheld().count());
    (to_do + would_wait + findings.len() > 0).then(|| TargetSteps {
        target: target.clone(),
        mode: spec.mode,
        to_do,
        would_wait,
        steps: steps().take(most).map(|planned| told(planned, Vec::new())).collect(),
        withheld: withheld()
            .take(most)
            .map(|held| told(&held.planned, held.reasons.iter().map(ToString::to_string).collect()))
            .collect(),
        findings,
    })
}

/// Whether targets of this kind know such a step: roles that are only assigned have no users to make, and of roles only those that
/// the map defines are made and dropped.
fn is_known(step: &Step, words: Words) -> bool {
    let roles = || {
        matches!(
            step,
            Step::AddMember { .. }
                | Step::DropMember { .. }
                | Step::CreateRole { .. }
                | Step::DropRole { .. }
        )
    };
    words == Words::Sql || roles()
}

/// A step in words.
fn in_words(planned: &Planned, words: Words) -> String {
    match (words, &planned.step) {
        (Words::Roles, Step::AddMember { role, member }) => format!("assign {role} to {member}"),
        (Words::Roles, Step::DropMember { role, member }) => format!("take {role} from {member}"),
        (Words::Sql | Words::Roles, _) => planned.to_string(),
    }
}
