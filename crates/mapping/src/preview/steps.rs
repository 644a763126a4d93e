//! The steps behind a preview, and the guards that would hold them: from what the map in force asks for to what the new one
//! would ask for, as if the target held the first exactly.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::admit::{Known, admit_with};
use axon_reconcile::builtin::{FIXED_ROLES, PREDEFINED_ROLES};
use axon_reconcile::secure::put_into;
use axon_reconcile::{
    Classifier, History, ManagedPrincipals, Mode, Plan, Planned, Reason, Role, Scope, Sides, Step,
    TargetFacts, classifier, plan, plan_assigned, unmanaged_assignments, unmanaged_members,
};
use serde::Serialize;

use super::views::{self, TablesOf};
use super::{Both, Compared};
use crate::evaluator::Evaluator;
use crate::map::RoleMap;
use crate::names::TargetName;
use crate::target::{TargetKind, TargetSpec, Words};
use crate::view::classifiers;

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

/// Takes principals that the map would make for there, where it leaves that to others; says how many.
fn left_to_others(sides: &mut Sides) -> Option<String> {
    let made = |name: &SqlName| !sides.actual.principals.contains_key(name);
    let new: Vec<_> = sides
        .desired
        .principals
        .iter()
        .filter(|(name, _)| made(name))
        .map(|(n, p)| (*n, p.clone()))
        .collect();
    let count = new.len();
    sides.actual.principals.extend(new);
    (count > 0).then(|| {
        format!(
            "{count} new principals are taken for there, since the map makes none (`principals: existing`): who has none waits until somebody makes it"
        )
    })
}

fn in_target(
    target: &TargetName,
    both: &Both,
    compared: Compared<'_>,
    tables: &TablesOf,
    (wording, most): (&Wording<'_>, usize),
) -> Option<TargetSteps> {
    let (spec, mut scope) = (both.new.spec()?, both.new.scope()?.clone());
    let words = spec.kind.words();
    // Who is only on the old side is managed still: the directory knew them.
    if let ManagedPrincipals::Mapped(names) = &mut scope.principals {
        names.extend(both.old.graph().principals.keys());
    }
    let mut sides = between(both, scope, words);
    let others = spec.manage.only_existing.then(|| left_to_others(&mut sides)).flatten();
    let own_principal = SqlName::parse("dbo").ok()?;
    let facts = TargetFacts {
        version: String::new(),
        engine_edition: spec.engine_edition(),
        own_principal,
        administrators: Vec::new(),
    };
    let guards = compared.new.guards.for_target(Mode::Authoritative, &facts, compared.now);
    let mut plan = if words == Words::Roles { plan_assigned(&sides) } else { plan(&sides) };
    let views::Between { steps, findings, untold } =
        views::between(target, both, compared, tables, &sides.actual);
    put_into(&mut plan, steps, findings, &sides.actual);
    classify(&mut plan, spec, both, compared, &sides.scope);
    let findings: Vec<String> =
        plan.findings.iter().map(ToString::to_string).chain(untold).chain(others).collect();
    // A role that the old map only put people into, and never made.
    let foreign = |step: &Step| {
        matches!(step, Step::DropRole { name } if words == Words::Sql && !both.old.graph().roles.contains_key(name))
            .then_some(Reason::NeverMade)
    };
    let known = Known {
        against: &foreign,
        released: &|_, _| false,
        standing: &|_, _| false,
        announced: 0,
        totals: None,
        closed: &|_| false,
    };
    let admitted = admit_with(plan, &sides, &guards, &History::default(), compared.now, &known);
    let roles: BTreeSet<SqlName> =
        sides.desired.roles.keys().chain(sides.actual.roles.keys()).copied().collect();
    let told = |planned: &Planned, reasons: Vec<String>| Told {
        step: in_words(planned, words),
        statements: wording(spec, &roles, &planned.step),
        reasons,
    };
    let (steps, withheld) = (admitted.steps(), admitted.withheld());
    let (to_do, would_wait) = (steps.len(), withheld.len());
    (to_do + would_wait + findings.len() > 0).then(|| TargetSteps {
        target: target.clone(),
        mode: spec.mode,
        to_do,
        would_wait,
        steps: steps.iter().take(most).map(|planned| told(planned, Vec::new())).collect(),
        withheld: withheld
            .iter()
            .take(most)
            .map(|held| told(&held.planned, held.reasons.iter().map(ToString::to_string).collect()))
            .collect(),
        findings,
    })
}

/// The target as it stands when the old map is in force whole, beside what the new one asks for. All that is there is Axon's own doing.
fn between(both: &Both, scope: Scope, words: Words) -> Sides {
    let (desired, mut actual) = (both.new.graph().clone(), both.old.graph().clone());
    // Roles that a line puts people into are the target's own: they are there.
    let named =
        scope.named_roles.iter().chain(both.old.scope().into_iter().flat_map(|scope| &scope.named_roles));
    for role in named.filter(|role| !desired.roles.contains_key(role)) {
        let fixed = words == Words::Roles || is_built_in(*role);
        actual.roles.entry(*role).or_insert(Role { fixed, owner: None });
    }
    if words == Words::Roles {
        // People are in the directory behind the target whatever was assigned to them.
        for (name, principal) in &desired.principals {
            actual.principals.entry(*name).or_insert_with(|| principal.clone());
        }
        // A role that the new map defines otherwise is made anew.
        let [was, is] =
            [&both.old, &both.new].map(|side| side.evaluator().map(Evaluator::defined).unwrap_or_default());
        actual.roles.retain(|name, _| {
            is.get(name).is_none_or(|is| was.get(name).is_none_or(|was| was.allows_as(is)))
        });
    }
    let mut sides = Sides { desired, actual, scope };
    let outside =
        if words == Words::Roles { unmanaged_assignments(&sides) } else { unmanaged_members(&sides) };
    sides.scope.given = outside.into_iter().collect();
    sides
}

/// Puts in what is done about workload classifiers, as if those of the old map were there.
fn classify(plan: &mut Plan, spec: &TargetSpec, both: &Both, compared: Compared<'_>, scope: &Scope) {
    let of = |map: &RoleMap, spec: &TargetSpec| match spec.kind {
        TargetKind::SynapseDedicated => classifiers(map, spec),
        _ => Vec::new(),
    };
    let before = both.old.spec().zip(compared.old).map(|(spec, map)| of(map, spec)).unwrap_or_default();
    let there = before.into_iter().filter_map(|(member, does)| {
        let name = classifier::name_of(member, does.group)?;
        Some(Classifier { name, member, does: Some(does), unread: false })
    });
    let there: Vec<Classifier> = there.collect();
    if spec.kind == TargetKind::SynapseDedicated {
        classifier::put_into(plan, &of(compared.new, spec), &there, scope);
    }
}

/// Whether a pool, or its server, has a role of this name by itself.
fn is_built_in(role: SqlName) -> bool {
    FIXED_ROLES.iter().chain(&PREDEFINED_ROLES).chain(&["sysadmin"]).any(|name| role.folded() == *name)
}

/// A step in words.
fn in_words(planned: &Planned, words: Words) -> String {
    match (words, &planned.step) {
        (Words::Roles, Step::AddMember { role, member }) => format!("assign {role} to {member}"),
        (Words::Roles, Step::DropMember { role, member }) => format!("take {role} from {member}"),
        (Words::Sql | Words::Roles, _) => planned.to_string(),
    }
}
