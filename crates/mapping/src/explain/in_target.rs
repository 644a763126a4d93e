//! What is known of one target, and what a role holds there, whoever has it.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use axon_model::{Directory, GroupId, SqlName, UserEntry};
use axon_reconcile::{GrantState, Permission, Securable, Shape};
use time::OffsetDateTime;

use super::waiting::{Waiting, keeps_all};
use super::{ConditionExplained, GrantExplained, RoleExplained, Way};
use crate::chain::Link;
use crate::evaluator::Evaluator;
use crate::grant::GrantLine;
use crate::grant::assigned::{AZURE_ROLES, WORKSPACE_ROLES, known};
use crate::map::{RoleMap, is_service};
use crate::names::{RoleName, ServiceName};
use crate::nearest::nearest;
use crate::pending::{Claimant, Pending};
use crate::preview::seen_by;
use crate::role::{HeldGrant, RoleSpec};
use crate::rule::Mapping;
use crate::secure_view::{RowLine, Shown};
use crate::target::{TargetKind, TargetSpec, Via};

/// One target with its desired state.
#[derive(Debug)]
pub(super) struct InTarget<'a> {
    pub map: &'a RoleMap,
    pub spec: &'a TargetSpec,
    pub evaluator: Evaluator,
    pub directory: &'a Directory,
    pub now: OffsetDateTime,
    /// What the target holds, where it was asked.
    shape: Option<Arc<Shape>>,
    waiting: OnceCell<Waiting>,
}

impl<'a> InTarget<'a> {
    pub fn new(
        map: &'a RoleMap,
        spec: &'a TargetSpec,
        evaluator: Evaluator,
        shape: Option<Arc<Shape>>,
        directory: &'a Directory,
        now: OffsetDateTime,
    ) -> Self {
        Self { map, spec, evaluator, directory, now, shape, waiting: OnceCell::new() }
    }

    pub fn waiting(&self) -> &Waiting {
        self.waiting.get_or_init(|| Waiting::of(&self.evaluator))
    }

    /// Whether the role is one of this target: by what it holds there, by whom it lets act, by what views show it.
    pub fn exists(&self, role: &RoleName) -> bool {
        let name = &self.spec.name;
        let spec = self.map.roles.get(role);
        spec.is_some_and(|r| {
            r.held.contains_key(name) || r.impersonate.contains_key(name) || self.shown_to(r).next().is_some()
        })
    }

    /// What secure views of this target show to people with a role, and not to others.
    fn shown_to<'r>(&'r self, role: &'r RoleSpec) -> impl Iterator<Item = String> + 'r {
        let views = self.map.views.iter().filter(|view| view.targets.contains(&self.spec.name));
        views.flat_map(move |view| {
            let rows = view.rows.iter().filter_map(move |line| match line {
                RowLine::Role(named) if role.whole.contains(named) => {
                    Some(format!("every row of {}", view.name))
                }
                _ => None,
            });
            let columns = view.columns.iter().filter_map(move |column| match &column.shown {
                Shown::Masked { unless, .. } if unless.iter().any(|named| role.whole.contains(named)) => {
                    Some(format!("{} ({}) clear", view.name, column.name))
                }
                _ => None,
            });
            rows.chain(columns)
        })
    }

    /// All lines that a role holds here.
    pub fn lines(&self, role: &RoleName) -> &'a [HeldGrant] {
        let held = self.map.roles.get(role).and_then(|r| r.held.get(&self.spec.name));
        held.map_or(&[], Vec::as_slice)
    }

    /// Whether a role that is assigned is one that the target's system is known to have, or that a line of the map gives.
    pub fn knows(&self, line: &GrantLine) -> bool {
        let GrantLine::Assigned(name) = line else { return true };
        known(*name, self.system()).is_some() || self.assigned().any(|given| given == *name)
    }

    /// The role that a mistyped one most likely meant.
    pub fn near(&self, line: &GrantLine) -> Option<String> {
        let GrantLine::Assigned(name) = line else { return None };
        let given: Vec<SqlName> = self.assigned().collect();
        let names = self.system().iter().copied().chain(given.iter().map(|name| name.as_str()));
        nearest(name.as_str(), names).map(str::to_owned)
    }

    fn system(&self) -> &'static [&'static str] {
        if self.spec.kind == TargetKind::SynapseWorkspace { WORKSPACE_ROLES } else { AZURE_ROLES }
    }

    fn assigned(&self) -> impl Iterator<Item = SqlName> {
        let held = self.map.roles.values().filter_map(|role| role.held.get(&self.spec.name)).flatten();
        held.filter_map(|held| match held.grant.line {
            GrantLine::Assigned(name) => Some(name),
            _ => None,
        })
    }

    /// Whether a role takes something away.
    pub fn denies(&self, role: &RoleName) -> bool {
        self.lines(role).iter().any(|held| denies(&held.grant.line))
    }

    /// A role with what it holds. What other roles take away of it is told by [`deny`].
    pub fn role(&self, role: &RoleName, ways: Vec<Way>) -> RoleExplained {
        let grants = self.lines(role).iter().map(|held| GrantExplained {
            line: held.grant.text.clone(),
            place: held.grant.place.clone(),
            through: held.through.to_vec(),
            missing: self.missing(&held.grant.line),
            denied_by: Vec::new(),
            seen: None,
        });
        let acting = self.map.roles.get(role).and_then(|r| r.impersonate.get(&self.spec.name));
        let acting = acting.into_iter().flat_map(|acting| {
            let reason = if acting.reason_required { ", saying why" } else { "" };
            let place = &acting.place;
            acting
                .roles
                .iter()
                .map(move |role| format!("{role} for up to {}{reason} ({place})", acting.longest))
        });
        RoleExplained {
            role: role.clone(),
            pool_role: self.evaluator.view().number(role).and_then(|n| self.evaluator.view().roles[n].name),
            ways,
            requests: Vec::new(),
            grants: grants.collect(),
            sees: self.map.roles.get(role).into_iter().flat_map(|spec| self.shown_to(spec)).collect(),
            acting: acting.collect(),
        }
    }

    /// What a line speaks of and the target does not hold.
    fn missing(&self, line: &GrantLine) -> Vec<String> {
        let Some(shape) = &self.shape else { return Vec::new() };
        let atoms = line.atoms();
        let missing: BTreeSet<String> =
            atoms.iter().filter(|(_, on)| !shape.holds(on)).map(|(_, on)| on.to_string()).collect();
        missing.into_iter().collect()
    }

    /// What is denied, and what is seen of secure views, by all roles together: those of this target, and all that the person
    /// holds anywhere.
    pub fn together(&self, roles: &mut [RoleExplained], all: &BTreeSet<&RoleName>) {
        let here: Vec<RoleName> = roles.iter().map(|role| role.role.clone()).collect();
        let denies: Vec<&HeldGrant> =
            here.iter().flat_map(|role| self.lines(role)).filter(|held| denies(&held.grant.line)).collect();
        let views: Vec<_> =
            self.map.views.iter().filter(|view| view.targets.contains(&self.spec.name)).collect();
        if denies.is_empty() && views.is_empty() {
            return;
        }
        for (role, name) in roles.iter_mut().zip(&here) {
            for (grant, held) in role.grants.iter_mut().zip(self.lines(name)) {
                let line = &held.grant.line;
                if denies.iter().any(|deny| deny.grant.line == *line) {
                    continue;
                }
                let taking = denies.iter().filter(|deny| super::missing::takes_away(&deny.grant.line, line));
                let places: BTreeSet<_> = taking.map(|deny| deny.grant.place.clone()).collect();
                grant.denied_by = places.into_iter().collect();
                let reads = |name| {
                    line.atoms().iter().any(|(permission, on)| {
                        *permission == Permission::Select
                            && crate::effect::contains(on, &Securable::Object(name))
                    })
                };
                let view = views.iter().find(|view| !denies_line(line) && reads(view.name));
                grant.seen = view.and_then(|view| seen_by(view, all, self.map));
            }
        }
    }

    /// A mapping's condition with what is seen of a person.
    pub fn condition(mapping: &Mapping, user: &UserEntry) -> Option<ConditionExplained> {
        let condition = mapping.when.as_ref()?;
        let verdict = condition.over(user);
        Some(ConditionExplained {
            text: condition.as_str().to_owned(),
            truth: verdict.truth.to_string(),
            seen: verdict.seen.iter().map(ToString::to_string).collect(),
        })
    }

    /// What keeps everything from a group that is one principal.
    pub fn withheld_from(&self, group: GroupId) -> Vec<Pending> {
        let Some(entry) = self.directory.group(group) else { return Vec::new() };
        let who = Claimant::Group { id: group, source: entry.source.clone() };
        self.waiting().concerning(&who).iter().filter(|pending| keeps_all(pending)).cloned().collect()
    }

    /// The ways on which a whole group comes to roles.
    pub fn ways_of_group(&self, group: GroupId) -> Vec<(RoleName, Way)> {
        let mut ways = Vec::new();
        let Some(entry) = self.directory.group(group) else { return ways };
        for (mapping, found) in self.map.mappings.iter().zip(&self.evaluator.selection().found) {
            let as_group = self.map.via(mapping, self.spec) == Via::Group && mapping.personal().is_none();
            let Some(captured) = found.open.get(&group).filter(|_| as_group && mapping.holds_at(self.now))
            else {
                continue;
            };
            for role in mapping.roles_by(captured.as_ref()).filter(|role| self.exists(role)) {
                let record = self.directory.group_changed(group).unwrap_or_default();
                let name = entry.display_name.clone();
                ways.push((
                    role.clone(),
                    Way {
                        mapping: mapping.place.clone(),
                        groups: vec![Link { group, name, record, brought: None }],
                        as_group: true,
                        withheld: Vec::new(),
                        condition: None,
                        until: mapping.until,
                    },
                ));
            }
        }
        ways
    }

    /// The ways on which a service identity comes to roles.
    pub fn ways_of_service(&self, name: &ServiceName) -> Vec<(RoleName, Way)> {
        let theirs = self.map.mappings.iter().filter(|m| is_service(m, name) && m.holds_at(self.now));
        let ways = theirs.flat_map(|mapping| {
            mapping.possible().filter(|role| self.exists(role)).map(|role| {
                (
                    role.clone(),
                    Way {
                        mapping: mapping.place.clone(),
                        groups: Vec::new(),
                        as_group: false,
                        withheld: Vec::new(),
                        condition: None,
                        until: mapping.until,
                    },
                )
            })
        });
        ways.collect()
    }
}

fn denies_line(line: &GrantLine) -> bool {
    matches!(line, GrantLine::Permissions { state: GrantState::Deny, .. })
}

/// Whether a line takes something away: a DENY, or a fixed role that denies.
fn denies(line: &GrantLine) -> bool {
    match line {
        GrantLine::Permissions { state, .. } => *state == GrantState::Deny,
        GrantLine::MemberOf(role) => crate::effect::fixed_role(*role).1 == GrantState::Deny,
        GrantLine::Assigned(_) | GrantLine::Classifier(_) => false,
    }
}
