//! Grants that a DENY makes void or that a wider grant covers, and DENYs that a column grant defeats: within one role, and in
//! one person who can hold two.

use std::collections::{BTreeMap, BTreeSet};

use axon_reconcile::{GrantState, Securable};

use super::{Findings, Lint};
use crate::effect::{Power, covers, fixed_role};
use crate::grant::GrantLine;
use crate::map::RoleMap;
use crate::names::TargetName;
use crate::place::Place;
use crate::role::{HeldGrant, PlacedGrant, RoleSpec};
use crate::together::Together;

/// One thing that a line gives or denies.
#[derive(Clone, Copy)]
struct Atom<'m> {
    line: &'m PlacedGrant,
    state: GrantState,
    power: Power,
}

/// A fixed role that people are put into.
struct Fixed<'m> {
    line: &'m PlacedGrant,
    powers: Vec<Power>,
}

/// What the lines of one role come to in one target.
struct Lines<'m> {
    role: &'m RoleSpec,
    given: Vec<Atom<'m>>,
    denied: Vec<Atom<'m>>,
    /// Fixed roles that give something, with what they give.
    fixed: Vec<Fixed<'m>>,
    /// Where its lines stand.
    places: BTreeSet<&'m Place>,
}

impl<'m> Lines<'m> {
    fn of(role: &'m RoleSpec, held: &'m [HeldGrant]) -> Self {
        let places = held.iter().map(|held| &held.grant.place).collect();
        let mut lines = Self { role, given: Vec::new(), denied: Vec::new(), fixed: Vec::new(), places };
        for line in held.iter().map(|held| &held.grant) {
            let (state, powers) = match &line.line {
                GrantLine::Permissions { state, .. } => (*state, line.line.atoms()),
                // What a fixed role gives is no second saying of a line: whoever reads a map need not know all of it.
                GrantLine::MemberOf(name) => {
                    let (permissions, state) = fixed_role(*name);
                    let powers = permissions.iter().map(|permission| (*permission, Securable::Database));
                    if state != GrantState::Deny {
                        lines.fixed.push(Fixed { line, powers: powers.collect() });
                        continue;
                    }
                    (state, powers.collect())
                }
                GrantLine::Assigned(_) | GrantLine::Classifier(_) => continue,
            };
            let into = if state == GrantState::Deny { &mut lines.denied } else { &mut lines.given };
            into.extend(powers.into_iter().map(|power| Atom { line, state, power }));
        }
        lines
    }
}

/// All contradictions of a map.
pub(super) fn all(map: &RoleMap, together: &Together<'_>, findings: &mut Findings) {
    for target in map.targets.keys() {
        let roles = in_target(map, target);
        for lines in &roles {
            in_one_role(lines, findings);
        }
        let mut told = BTreeSet::new();
        for denying in roles.iter().filter(|lines| !lines.denied.is_empty()) {
            for giving in roles.iter().filter(|lines| lines.role.name != denying.role.name) {
                in_one_person(giving, denying, together, &mut told, findings);
            }
        }
    }
}

fn in_target<'m>(map: &'m RoleMap, target: &TargetName) -> Vec<Lines<'m>> {
    let of_role = |role: &'m RoleSpec| Some(Lines::of(role, role.held.get(target)?));
    map.roles.values().filter_map(of_role).collect()
}

fn in_one_role(lines: &Lines<'_>, findings: &mut Findings) {
    let role = &lines.role.name;
    // Wider lines are few: those on the whole database or on a schema, by what they are on.
    let mut wide: BTreeMap<Securable, Vec<&Atom<'_>>> = BTreeMap::new();
    for atom in &lines.given {
        wide.entry(atom.power.1).or_default().push(atom);
    }
    for Atom { line, state, power } in &lines.given {
        if let Some(by) = lines.denied.iter().find(|denied| makes_void(denied, power)) {
            let message = format!(
                "role `{role}` gets nothing by {} on {}: {} denies it",
                power.0, power.1, by.line.place
            );
            findings.add(Lint::VoidGrant, &line.place, message, None);
            continue;
        }
        let covered = around(&power.1).into_iter().filter_map(|on| wide.get(&on)).flatten().find(|wider| {
            wider.line.place != line.place
                && wider.power != *power
                && covers(&wider.power, power)
                && wider.state == *state
        });
        if let Some(by) = covered {
            let message =
                format!("role `{role}` has {} on {} already by {}", power.0, power.1, by.line.place);
            findings.add(Lint::CoveredGrant, &line.place, message, None);
        }
    }
    for fixed in &lines.fixed {
        if let Some(by) = fixed.void_by(&lines.denied) {
            let message =
                format!("role `{role}` gets nothing by {}: {} denies it", fixed.line.line, by.line.place);
            findings.add(Lint::VoidGrant, &fixed.line.place, message, None);
        }
    }
    for denied in &lines.denied {
        if let Some(by) = defeating(&lines.given, &denied.power) {
            let (power, granted) = (denied.power, by.power);
            let message = format!(
                "role `{role}` denies {} on {}, but {} on a column ({}) beats it",
                power.0, power.1, granted.0, by.line.place
            );
            findings.add(Lint::DefeatedDeny, &denied.line.place, message, None);
        }
    }
}

/// What one role gives and another one denies, where one person can have both. Told once for each line, by the first role that
/// shows it: a role that denies much meets many others.
fn in_one_person<'m>(
    giving: &Lines<'m>,
    denying: &Lines<'m>,
    together: &Together<'_>,
    told: &mut BTreeSet<(Lint, &'m Place)>,
    findings: &mut Findings,
) {
    let (a, b) = (&giving.role.name, &denying.role.name);
    // A role that includes the other one says it by itself.
    let apart = |grant: &Atom<'_>, deny: &Atom<'_>| {
        !giving.places.contains(&deny.line.place) && !denying.places.contains(&grant.line.place)
    };
    let void: Vec<(&Atom<'m>, &Atom<'m>)> = giving
        .given
        .iter()
        .filter_map(|grant| {
            let by = denying.denied.iter().find(|denied| makes_void(denied, &grant.power))?;
            apart(grant, by).then_some((grant, by))
        })
        .collect();
    let defeated: Vec<(&Atom<'m>, &Atom<'m>)> = denying
        .denied
        .iter()
        .filter_map(|denied| {
            let by = defeating(&giving.given, &denied.power)?;
            apart(by, denied).then_some((denied, by))
        })
        .collect();
    let fixed: Vec<(&Fixed<'m>, &Atom<'m>)> = giving
        .fixed
        .iter()
        .filter_map(|fixed| {
            let by = fixed.void_by(&denying.denied)?;
            let apart =
                !giving.places.contains(&by.line.place) && !denying.places.contains(&fixed.line.place);
            apart.then_some((fixed, by))
        })
        .collect();
    if (void.is_empty() && defeated.is_empty() && fixed.is_empty()) || !together.can(a, b) {
        return;
    }
    for (Fixed { line, .. }, by) in fixed {
        if told.insert((Lint::VoidGrant, &line.place)) {
            let message = format!(
                "whoever has roles `{a}` and `{b}` gets nothing by {}: {} denies it",
                line.line, by.line.place
            );
            findings.add(Lint::VoidGrant, &line.place, message, None);
        }
    }
    for (Atom { line, power, .. }, by) in void {
        if !told.insert((Lint::VoidGrant, &line.place)) {
            continue;
        }
        let message = format!(
            "whoever has roles `{a}` and `{b}` gets nothing by {} on {}: {} denies it",
            power.0, power.1, by.line.place
        );
        findings.add(Lint::VoidGrant, &line.place, message, None);
    }
    for (Atom { line, power, .. }, by) in defeated {
        if !told.insert((Lint::DefeatedDeny, &line.place)) {
            continue;
        }
        let message = format!(
            "role `{b}` denies {} on {}, but for whoever has role `{a}` too {} on a column ({}) beats it",
            power.0, power.1, by.power.0, by.line.place
        );
        findings.add(Lint::DefeatedDeny, &line.place, message, None);
    }
}

impl Fixed<'_> {
    /// A DENY that leaves something of it nothing, where DENYs leave nothing of all that it gives.
    fn void_by<'a, 'm>(&self, denied: &'a [Atom<'m>]) -> Option<&'a Atom<'m>> {
        let by = |power: &Power| denied.iter().find(|denied| makes_void(denied, power));
        let first = self.powers.first().and_then(by)?;
        self.powers.iter().all(|power| by(power).is_some()).then_some(first)
    }
}

/// Whether a DENY leaves nothing of a grant: a grant on a column beats the DENY of the same permission on its object.
fn makes_void(denied: &Atom<'_>, power: &Power) -> bool {
    let column = matches!(power.1, Securable::Column(..));
    let beaten = column && denied.power.0 == power.0 && matches!(denied.power.1, Securable::Object(_));
    covers(&denied.power, power) && !beaten
}

/// A grant on a column that beats a DENY on its object.
fn defeating<'a, 'm>(given: &'a [Atom<'m>], denied: &Power) -> Option<&'a Atom<'m>> {
    let Securable::Object(object) = denied.1 else { return None };
    let of = |on: &Securable| matches!(on, Securable::Column(of, _) if *of == object);
    given.iter().find(|atom| atom.power.0 == denied.0 && of(&atom.power.1))
}

/// A securable and all that it is in.
fn around(on: &Securable) -> Vec<Securable> {
    match on {
        Securable::Database | Securable::Server => vec![*on],
        Securable::Schema(_) | Securable::Principal(_) | Securable::Other(_) => {
            vec![*on, Securable::Database]
        }
        Securable::Credential(_) => vec![*on, Securable::Database, Securable::Server],
        Securable::Object(object) => vec![*on, Securable::Schema(object.schema), Securable::Database],
        Securable::Column(object, _) => {
            vec![*on, Securable::Object(*object), Securable::Schema(object.schema), Securable::Database]
        }
    }
}
