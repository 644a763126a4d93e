//! What everybody may do on one side: for each principal the numbers of its roles, and what each role amounts to.

use axon_model::SqlName;
use axon_reconcile::{GrantState, Graph};
use rustc_hash::FxHashMap;

use super::sides::Side;
use crate::effect::{Holding, Power};
use crate::grant::GrantLine;
use crate::target::Words;

/// One side of one target, by roles.
pub(super) struct Sheet<'s> {
    side: &'s Side,
    /// By the numbers that the side has for roles of the target.
    lines: Vec<Vec<(GrantState, Power)>>,
    /// Whether roles are only assigned: those that the map defines are the target's own then, too.
    assigned: bool,
    /// What stands on principals themselves, by no role.
    direct: FxHashMap<SqlName, Vec<(GrantState, Power)>>,
}

impl<'s> Sheet<'s> {
    pub fn of(side: &'s Side) -> Self {
        let names = side.role_names();
        let numbers: FxHashMap<SqlName, usize> = names.iter().copied().zip(0..).collect();
        let assigned = side.spec().is_some_and(|spec| spec.kind.words() == Words::Roles);
        let lines = vec![Vec::new(); names.len()];
        let mut sheet = Self { side, lines, assigned, direct: FxHashMap::default() };
        let graph = side.graph();
        for (key, grant) in &graph.grants {
            let line = (grant.state, (key.permission, key.securable));
            if let Some(number) = numbers.get(&key.grantee) {
                sheet.lines[*number].push(line);
            } else if !graph.roles.contains_key(&key.grantee) {
                sheet.direct.entry(key.grantee).or_default().push(line);
            }
        }
        sheet
    }

    /// Everybody who has anything, in order.
    pub fn members(&self) -> impl Iterator<Item = SqlName> {
        self.side.graph().principals.keys().copied()
    }

    /// What stands on a principal itself.
    pub fn direct(&self, member: SqlName) -> &[(GrantState, Power)] {
        if self.direct.is_empty() {
            return &[];
        }
        self.direct.get(&member).map_or(&[], Vec::as_slice)
    }

    pub fn roles(&self, member: SqlName) -> &'s [usize] {
        self.side.roles_of(member)
    }

    /// What these roles amount to, with what stands on somebody without a role.
    pub fn holding(&self, graph: &Graph, roles: &[usize], direct: &[(GrantState, Power)]) -> Holding {
        let mut holding = Holding::default();
        for (state, power) in direct {
            holding.put(*state, *power);
        }
        for role in roles {
            for (state, power) in &self.lines[*role] {
                holding.put(*state, *power);
            }
            // A role that is not the map's own is one that people are only put into.
            let name = self.side.role_names()[*role];
            if self.assigned {
                holding.take(&GrantLine::Assigned(name));
            } else if !graph.roles.contains_key(&name) {
                holding.take(&GrantLine::MemberOf(name));
            }
        }
        holding
    }

    /// For each role of this side its number on the other one, where both say the same.
    pub fn unchanged(&self, other: &Self) -> Vec<Option<usize>> {
        let names = other.side.role_names();
        let same = |(lines, name): (&Vec<(GrantState, Power)>, &SqlName)| {
            names.binary_search(name).ok().filter(|number| *lines == other.lines[*number])
        };
        self.lines.iter().zip(self.side.role_names()).map(same).collect()
    }
}
