//! What everybody may do on one side: for each principal the numbers of its roles, and what each role amounts to.

use std::collections::HashMap;

use axon_model::SqlName;
use axon_reconcile::{GrantState, Graph};

use crate::effect::{Holding, Power};
use crate::grant::GrantLine;

/// One side of one target, by roles.
pub(super) struct Sheet {
    names: Vec<SqlName>,
    lines: Vec<Vec<(GrantState, Power)>>,
    of: HashMap<SqlName, Vec<usize>>,
    /// What stands on principals themselves, by no role.
    direct: HashMap<SqlName, Vec<(GrantState, Power)>>,
}

impl Sheet {
    pub fn of(graph: &Graph) -> Self {
        let mut sheet =
            Self { names: Vec::new(), lines: Vec::new(), of: HashMap::new(), direct: HashMap::new() };
        let mut numbers: HashMap<SqlName, usize> = HashMap::new();
        for membership in &graph.members {
            let number = *numbers.entry(membership.role).or_insert_with(|| {
                sheet.names.push(membership.role);
                sheet.lines.push(Vec::new());
                sheet.names.len() - 1
            });
            sheet.of.entry(membership.member).or_default().push(number);
        }
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

    /// Everybody who has anything.
    pub fn members(&self) -> impl Iterator<Item = SqlName> {
        self.of.keys().chain(self.direct.keys()).copied()
    }

    /// What stands on a principal itself.
    pub fn direct(&self, member: SqlName) -> &[(GrantState, Power)] {
        self.direct.get(&member).map_or(&[], Vec::as_slice)
    }

    pub fn roles(&self, member: SqlName) -> &[usize] {
        self.of.get(&member).map_or(&[], Vec::as_slice)
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
            if !graph.roles.contains_key(&self.names[*role]) {
                holding.take(&GrantLine::MemberOf(self.names[*role]));
            }
        }
        holding
    }

    /// For each role of this side its number on the other one, where both say the same.
    pub fn unchanged(&self, other: &Self) -> Vec<Option<usize>> {
        let numbers: HashMap<SqlName, usize> =
            other.names.iter().enumerate().map(|(n, name)| (*name, n)).collect();
        let same = |n: usize, name: &SqlName| {
            numbers.get(name).copied().filter(|number| self.lines[n] == other.lines[*number])
        };
        self.names.iter().enumerate().map(|(n, name)| same(n, name)).collect()
    }
}
