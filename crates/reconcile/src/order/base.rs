//! What does not change while steps are ordered: the numbers of names, and who can be in which role.

use std::collections::HashMap;

use axon_model::SqlName;
use axon_model::name::NameMap;

use super::numbers::Numbers;
use super::world::{Access, World};
use crate::effect::atoms::Atoms;
use crate::graph::{Connect, GrantKey, Graph};
use crate::permission::Permission;
use crate::plan::Planned;
use crate::scope::Sides;
use crate::shape::{ObjectName, Securable};
use crate::step::Step;

pub(super) struct Base<'a> {
    pub(super) actual: &'a Graph,
    pub(super) atoms: Atoms,
    names: Vec<SqlName>,
    numbers: Numbers,
    pub(super) is_role: Vec<bool>,
    /// How many roles there are: no chain of nested roles is longer.
    pub(super) roles: usize,
    /// Whether the actual graph holds rows of this grantee.
    pub(super) has_rows: Vec<bool>,
    /// Who is in the role now, or may come to be: a superset at any time.
    pub(super) down: Vec<Vec<u32>>,
    /// Of `down` the roles.
    pub(super) inner_roles: Vec<Vec<u32>>,
    /// The columns on which rows of this permission of this grantee are or come to be, by object.
    pub(super) columns: HashMap<(u32, Permission, ObjectName), Vec<SqlName>>,
    /// Rows on users and roles.
    pub(super) on_principals: NameMap<Vec<GrantKey>>,
    pub(super) public: Option<u32>,
}

impl<'a> Base<'a> {
    /// The base, and the actual state.
    pub(super) fn new(sides: &'a Sides, steps: &[Planned]) -> (Self, World) {
        let Sides { desired, actual, .. } = sides;
        let atoms = Atoms::new(
            actual.grants.keys().chain(desired.grants.keys()),
            [actual, desired].into_iter().flat_map(fixed_roles),
        );
        let mut base = Self {
            actual,
            atoms,
            names: Vec::new(),
            numbers: Numbers::for_about(actual.principals.len().max(steps.len())),
            is_role: Vec::new(),
            roles: 0,
            has_rows: Vec::new(),
            down: Vec::new(),
            inner_roles: Vec::new(),
            columns: HashMap::new(),
            on_principals: NameMap::default(),
            public: None,
        };
        let mut access = Vec::new();
        for name in actual.roles.keys() {
            base.add(*name, true);
            access.push(Access::Open);
        }
        for (name, principal) in &actual.principals {
            // A graph that holds a name twice is answered for the role.
            if base.add(*name, false) {
                access.push(if principal.connect == Connect::Denied { Access::Shut } else { Access::Open });
            }
        }
        base.name_the_rest(actual, steps);
        access.resize(base.names.len(), Access::Absent);
        base.index_rows(actual, steps);
        base.public = SqlName::parse("public").ok().and_then(|name| base.numbers.get(name));
        let up = base.link(actual, steps);
        (base, World::new(up, access))
    }

    fn add(&mut self, name: SqlName, role: bool) -> bool {
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let fresh = self.numbers.insert_new(name, next);
        if fresh {
            self.names.push(name);
            self.is_role.push(role);
            self.roles += usize::from(role);
        }
        fresh
    }

    /// Names that are made by steps, or that a partly seen catalog mentions only in memberships and rows.
    fn name_the_rest(&mut self, actual: &Graph, steps: &[Planned]) {
        for planned in steps {
            match &planned.step {
                Step::CreateRole { name } => drop(self.add(*name, true)),
                Step::CreatePrincipal { name, .. } => drop(self.add(*name, false)),
                _ => {}
            }
        }
        for membership in &actual.members {
            self.add(membership.role, true);
            self.add(membership.member, false);
        }
        for key in actual.grants.keys() {
            self.add(key.grantee, key.grantee.folded() == "public");
        }
        for planned in steps {
            self.add(planned.step.subject(), false);
        }
    }

    fn index_rows(&mut self, actual: &Graph, steps: &[Planned]) {
        self.has_rows = vec![false; self.names.len()];
        let mut last = None;
        for key in actual.grants.keys() {
            if last != Some(key.grantee) {
                last = Some(key.grantee);
                let at = self.number(key.grantee) as usize;
                self.has_rows[at] = true;
            }
            match key.securable {
                Securable::Column(object, column) => {
                    let at = (self.number(key.grantee), key.permission, object);
                    self.columns.entry(at).or_default().push(column);
                }
                Securable::Principal(name) => self.on_principals.entry(name).or_default().push(*key),
                _ => {}
            }
        }
        for planned in steps {
            if let Step::Grant { grantee, permission, on: Securable::Object(object), columns }
            | Step::Deny { grantee, permission, on: Securable::Object(object), columns } = &planned.step
                && !columns.is_empty()
            {
                let at = (self.number(*grantee), *permission, *object);
                let known = self.columns.entry(at).or_default();
                known.extend(columns);
                known.sort_unstable();
                known.dedup();
            }
        }
    }

    fn link(&mut self, actual: &Graph, steps: &[Planned]) -> Vec<Vec<u32>> {
        let count = self.names.len();
        let mut up = vec![Vec::new(); count];
        self.down = vec![Vec::new(); count];
        self.inner_roles = vec![Vec::new(); count];
        let to_come = steps.iter().filter_map(|planned| match &planned.step {
            Step::AddMember { role, member } => Some((*role, *member, false)),
            _ => None,
        });
        let there = actual.members.iter().map(|m| (m.role, m.member, true));
        for (role, member, now) in there.chain(to_come) {
            let (role, member) = (self.number(role), self.number(member));
            self.down[role as usize].push(member);
            if self.is_role[member as usize] {
                self.inner_roles[role as usize].push(member);
            }
            if now {
                up[member as usize].push(role);
            }
        }
        for roles in &mut up {
            roles.sort_unstable();
        }
        up
    }

    pub(super) fn number(&self, name: SqlName) -> u32 {
        // Every name of a step is numbered when the base is made.
        self.numbers.get(name).unwrap_or(0)
    }

    pub(super) fn name(&self, number: u32) -> SqlName {
        self.names[number as usize]
    }

    pub(super) fn count(&self) -> usize {
        self.names.len()
    }
}

fn fixed_roles(graph: &Graph) -> impl Iterator<Item = SqlName> {
    graph.roles.iter().filter(|(_, role)| role.fixed).map(|(name, _)| *name)
}
