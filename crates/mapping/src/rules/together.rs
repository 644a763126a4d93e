//! What lines of several roles amount to in one person: code made in a schema reads and writes what the schema's owner owns.

use std::collections::BTreeMap;

use axon_model::SqlName;
use axon_reconcile::{GrantState, Permission, Securable};

use super::Rules;
use crate::diagnostic::Fault;
use crate::effect::{Holding, contains};
use crate::grant::GrantLine;
use crate::names::{RoleName, TargetName};
use crate::place::{Place, Span};
use crate::read::Reader;
use crate::role::{PlacedGrant, ReadRole};
use crate::rule::ReadMapping;
use crate::target::{TargetSpec, Words};
use crate::together::Together;
use crate::yaml::shown;

/// What may be reached through an owner.
const DATA: [Permission; 5] =
    [Permission::Select, Permission::Insert, Permission::Update, Permission::Delete, Permission::Execute];

/// The parts of one way to code that runs for its owner, which a role holds in a target.
#[derive(Default)]
struct Parts<'r> {
    /// The line that makes views, procedures or functions.
    makes: Option<&'r PlacedGrant>,
    /// By schema, the line that lets something be put into it; `None` is every schema.
    into: BTreeMap<Option<SqlName>, &'r PlacedGrant>,
    /// By schema, the line that lets what is in it be read or run.
    uses: BTreeMap<Option<SqlName>, &'r PlacedGrant>,
    /// Lines that let what is there be written anew.
    alters: Vec<(Securable, &'r PlacedGrant)>,
    /// Lines that run code: what can be run is code.
    runs: Vec<(Securable, &'r PlacedGrant)>,
}

impl<'r> Parts<'r> {
    fn of(lines: impl Iterator<Item = &'r PlacedGrant>) -> Self {
        let mut parts = Self::default();
        for grant in lines {
            if matches!(&grant.line, GrantLine::Permissions { state: GrantState::Deny, .. }) {
                continue;
            }
            for (permission, on) in Holding::of([&grant.line]).given() {
                parts.take(grant, *permission, on);
            }
        }
        parts
    }

    fn take(&mut self, grant: &'r PlacedGrant, permission: Permission, on: &Securable) {
        match permission {
            Permission::Alter
            | Permission::AlterAnySchema
            | Permission::Control
            | Permission::TakeOwnership => {
                self.alters.push((*on, grant));
            }
            Permission::Execute => self.runs.push((*on, grant)),
            _ => {}
        }
        let schema = match on {
            Securable::Database => None,
            Securable::Schema(name) => Some(*name),
            // Who may read or run one thing of a schema, and may make things there, makes it anew under its name.
            Securable::Object(object) | Securable::Column(object, _) => {
                if matches!(permission, Permission::Select | Permission::Execute | Permission::Control) {
                    self.uses.entry(Some(object.schema)).or_insert(grant);
                }
                return;
            }
            Securable::Principal(_) | Securable::Server | Securable::Credential(_) | Securable::Other(_) => {
                return;
            }
        };
        match permission {
            Permission::CreateView | Permission::CreateProcedure | Permission::CreateFunction => {
                self.makes.get_or_insert(grant);
            }
            Permission::Alter | Permission::AlterAnySchema => {
                self.into.entry(schema).or_insert(grant);
            }
            Permission::Select | Permission::Execute => {
                self.uses.entry(schema).or_insert(grant);
            }
            Permission::Control | Permission::TakeOwnership => {
                self.into.entry(schema).or_insert(grant);
                self.uses.entry(schema).or_insert(grant);
            }
            _ => {}
        }
    }

    fn is_empty(&self) -> bool {
        self.makes.is_none() && self.into.is_empty() && self.uses.is_empty() && self.alters.is_empty()
    }
}

/// Three lines of roles that one person can hold.
struct Way<'r> {
    makes: (&'r RoleName, &'r PlacedGrant),
    into: (&'r RoleName, &'r PlacedGrant),
    uses: (&'r RoleName, &'r PlacedGrant),
}

/// Refuses roles that amount to what is forbidden once one person holds them together.
pub(crate) fn check(
    reader: &Reader<'_>,
    said: &Rules,
    targets: &BTreeMap<TargetName, TargetSpec>,
    roles: &BTreeMap<RoleName, ReadRole>,
    mappings: &[ReadMapping],
) {
    let forbidden: Vec<&PlacedGrant> = said.forbid.iter().filter(|rule| is_of_data(&rule.line)).collect();
    if forbidden.is_empty() {
        return;
    }
    let whole = |role: &RoleName| roles.get(role).map(|role| &role.spec.whole);
    let together = Together::of(mappings.iter().map(|mapping| &mapping.spec), &said.separate, whole);
    for target in targets.values().filter(|target| target.kind.words() == Words::Sql) {
        let of_role = |name: &'_ RoleName| {
            let held = roles.get(name)?.spec.held.get(&target.name)?;
            let parts = Parts::of(held.iter().map(|held| &*held.grant));
            (!parts.is_empty()).then_some(parts)
        };
        let parts: Vec<(&RoleName, Parts<'_>)> =
            together.roles().filter_map(|name| Some((name, of_role(name)?))).collect();
        let Some(way) = way(&parts, &together).or_else(|| rewrites(&parts, &together)) else { continue };
        for rule in &forbidden {
            tell(reader, roles, target, &way, rule);
        }
    }
}

/// The rule that forbids what these lines amount to in one person, by code that runs for its owner.
pub(crate) fn forbidden_in_one<'m>(
    said: &'m Rules,
    lines: impl Iterator<Item = &'m PlacedGrant>,
) -> Option<&'m PlacedGrant> {
    let rule = said.forbid.iter().find(|rule| is_of_data(&rule.line))?;
    let parts = Parts::of(lines);
    if rewritten(&parts.alters, &parts.runs).is_some() {
        return Some(rule);
    }
    parts.makes?;
    let used = |schema: &Option<SqlName>| match schema {
        None => !parts.uses.is_empty(),
        Some(_) => parts.uses.contains_key(schema) || parts.uses.contains_key(&None),
    };
    parts.into.keys().any(used).then_some(rule)
}

/// Whether code can be made to give what is forbidden: its owner can do all of it but what only administrators do.
pub(crate) fn is_of_data(line: &GrantLine) -> bool {
    let on_data = |on: &Securable| !matches!(on, Securable::Principal(_) | Securable::Credential(_));
    line.atoms().iter().any(|(permission, on)| DATA.contains(permission) && on_data(on))
}

/// The lines by which code that is there is written anew and run: no permission to make any is needed. What can be run by its name is
/// code; in a schema where people may run things there is some.
fn rewritten<'r>(
    alters: &[(Securable, &'r PlacedGrant)],
    runs: &[(Securable, &'r PlacedGrant)],
) -> Option<(&'r PlacedGrant, &'r PlacedGrant)> {
    let one = |on: &Securable| matches!(on, Securable::Object(_) | Securable::Column(..));
    alters.iter().find_map(|(altered, by)| {
        let run = runs.iter().find(|(run, _)| {
            contains(altered, run) || !one(altered) && !one(run) && contains(run, altered)
        })?;
        Some((*by, run.1))
    })
}

/// The same over the roles that one person can hold.
fn rewrites<'r>(parts: &'r [(&'r RoleName, Parts<'r>)], together: &Together<'_>) -> Option<Way<'r>> {
    let altering = || parts.iter().filter(|(_, of)| !of.alters.is_empty());
    altering().find_map(|(altering, of_altering)| {
        let running = parts.iter().filter(|(role, of)| !of.runs.is_empty() && together.can(altering, role));
        running.into_iter().find_map(|(running, of_running)| {
            let (by, run) = rewritten(&of_altering.alters, &of_running.runs)?;
            Some(Way { makes: (altering, by), into: (altering, by), uses: (running, run) })
        })
    })
}

fn way<'r>(parts: &'r [(&'r RoleName, Parts<'r>)], together: &Together<'_>) -> Option<Way<'r>> {
    let makers = parts.iter().filter_map(|(role, parts)| Some((*role, parts.makes?)));
    for makes in makers {
        for (into_role, of_into) in
            parts.iter().filter(|(role, of)| !of.into.is_empty() && together.can(makes.0, role))
        {
            let with_both = |role: &RoleName| together.can(makes.0, role) && together.can(into_role, role);
            for (uses_role, of_uses) in
                parts.iter().filter(|(role, of)| !of.uses.is_empty() && with_both(role))
            {
                for (schema, into) in &of_into.into {
                    let uses = match schema {
                        None => of_uses.uses.values().next(),
                        Some(_) => of_uses.uses.get(schema).or_else(|| of_uses.uses.get(&None)),
                    };
                    if let Some(uses) = uses {
                        return Some(Way { makes, into: (into_role, into), uses: (uses_role, uses) });
                    }
                }
            }
        }
    }
    None
}

fn tell(
    reader: &Reader<'_>,
    roles: &BTreeMap<RoleName, ReadRole>,
    target: &TargetSpec,
    way: &Way<'_>,
    rule: &PlacedGrant,
) {
    let Way { makes, into, uses } = way;
    // A line that gives it alone is told as such.
    let alone = |grant: &PlacedGrant| super::amounts_to(&grant.line, &rule.line).is_some();
    if [makes.1, into.1, uses.1].into_iter().any(alone) {
        return;
    }
    let Some(span) = span_of(roles, &target.name, &makes.1.place) else { return };
    let mut others: Vec<String> = Vec::new();
    for (role, grant) in [into, uses] {
        let told = format!("`{}` of role `{role}` ({})", shown(&grant.text), grant.place);
        if grant.place != makes.1.place && !others.contains(&told) {
            others.push(told);
        }
    }
    let with = if others.is_empty() { String::new() } else { format!("with {}, ", others.join(" and ")) };
    let message = format!(
        "{with}this line gives `{}` in {}, which {} forbids",
        shown(&rule.text),
        target.name,
        rule.place
    );
    let help = if makes.0 == into.0 && makes.0 == uses.0 {
        "code that is made in a schema does what the schema's owner may: take one of these lines out"
    } else {
        "code that is made in a schema does what the schema's owner may, and one person can hold all of these: take a line out, or \
         name the roles under `rules.separate`"
    };
    reader.fault_help(Fault::Invalid, span, message, help);
}

fn span_of(roles: &BTreeMap<RoleName, ReadRole>, target: &TargetName, place: &Place) -> Option<Span> {
    roles.values().find_map(|role| {
        let lines = role.spec.grants.get(target)?;
        let number = lines.iter().position(|line| line.place == *place)?;
        Some(role.spans.get(target)?.get(number)?.span)
    })
}
