//! What hangs together in a graph, other than by the order of its keys: made by one walk, moved name by name.
//!
//! Everything here is a superset: a tie that is no more in the graph costs a look-up and does no harm, one that is missing
//! would. So what is added to a graph is told at once, and what leaves it need not be.

use std::collections::HashMap;

use axon_model::SqlName;
use axon_model::name::{NameMap, NameSet};

use crate::graph::{GrantKey, Graph, Membership};
use crate::shape::Securable;
use crate::step::Step;
use crate::target::Sid;

/// An index over one graph.
#[derive(Debug, Clone, Default)]
pub struct Ties {
    up: NameMap<Vec<SqlName>>,
    holders: HashMap<Sid, Vec<SqlName>>,
    owned: NameMap<Vec<SqlName>>,
    granted: NameMap<Vec<GrantKey>>,
    on: NameMap<Vec<GrantKey>>,
}

impl Ties {
    /// All ties of the graph.
    pub fn of(graph: &Graph) -> Self {
        Self::among(graph, |_| true)
    }

    /// The ties of the graph, of memberships only those of roles and of these members.
    pub(crate) fn among(graph: &Graph, concerns: impl Fn(SqlName) -> bool) -> Self {
        let mut ties = Self::default();
        let roles: NameSet = graph.roles.keys().copied().collect();
        for membership in &graph.members {
            if concerns(membership.member) || roles.contains(&membership.member) {
                ties.up.entry(membership.member).or_default().push(membership.role);
            }
        }
        for (name, principal) in &graph.principals {
            if let Some(sid) = &principal.sid {
                ties.holders.entry(sid.clone()).or_default().push(*name);
            }
        }
        for (name, role) in &graph.roles {
            if let Some(owner) = role.owner {
                ties.owned.entry(owner).or_default().push(*name);
            }
        }
        for (key, row) in &graph.grants {
            for grantor in &row.foreign_grantors {
                ties.granted.entry(*grantor).or_default().push(*key);
            }
            if let Securable::Principal(name) = key.securable {
                ties.on.entry(name).or_default().push(*key);
            }
        }
        ties
    }

    /// The member came into the role.
    pub fn joined(&mut self, membership: Membership) {
        let roles = self.up.entry(membership.member).or_default();
        if !roles.contains(&membership.role) {
            roles.push(membership.role);
        }
    }

    /// The name has this security id.
    pub fn identified(&mut self, name: SqlName, sid: &Sid) {
        let holders = self.holders.entry(sid.clone()).or_default();
        if !holders.contains(&name) {
            holders.push(name);
        }
    }

    /// The permission is there.
    pub fn given(&mut self, key: GrantKey) {
        if let Securable::Principal(name) = key.securable {
            let keys = self.on.entry(name).or_default();
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }

    /// The step took effect in the graph.
    pub fn done(&mut self, step: &Step) {
        match step {
            Step::AddMember { role, member } => self.joined(Membership { role: *role, member: *member }),
            Step::CreatePrincipal { name, sid: Some(sid), .. } => self.identified(*name, sid),
            Step::CreateRole { name } => {
                // As it is made: `AUTHORIZATION dbo`.
                if let Ok(dbo) = SqlName::parse("dbo") {
                    self.owned.entry(dbo).or_default().push(*name);
                }
            }
            Step::Grant { grantee, permission, on, .. } | Step::Deny { grantee, permission, on, .. } => {
                self.given(GrantKey { grantee: *grantee, securable: *on, permission: *permission });
            }
            Step::CreatePrincipal { sid: None, .. }
            | Step::DropMember { .. }
            | Step::Revoke { .. }
            | Step::DenyConnect { .. }
            | Step::GrantConnect { .. }
            | Step::KillSessions { .. }
            | Step::KillFormer { .. }
            | Step::DropRole { .. }
            | Step::Secure(_)
            | Step::Classify(_)
            | Step::DropPrincipal { .. } => {}
        }
    }

    /// Whose part of the graph a step changes: asked before it takes effect.
    pub fn changed_by(&self, graph: &Graph, step: &Step) -> Vec<SqlName> {
        let mut names = vec![step.subject()];
        match step {
            Step::DropRole { name } | Step::DropPrincipal { name, .. } => {
                names.extend(graph.members_of(*name));
                names.extend(self.rows_about(*name).map(|key| key.grantee));
            }
            _ => {}
        }
        names
    }

    /// The roles that the name is directly in.
    pub fn roles_of<'a>(&'a self, graph: &'a Graph, member: SqlName) -> impl Iterator<Item = SqlName> + 'a {
        let roles = self.up.get(&member).into_iter().flatten().copied();
        roles.filter(move |role| graph.members.contains(&Membership { role: *role, member }))
    }

    /// Whoever has, or had, this security id.
    pub(crate) fn holders_of(&self, sid: &Sid) -> impl Iterator<Item = SqlName> {
        self.holders.get(sid).into_iter().flatten().copied()
    }

    /// Permissions that others have from the name, or on it.
    pub(crate) fn rows_about(&self, name: SqlName) -> impl Iterator<Item = &GrantKey> {
        [&self.granted, &self.on].into_iter().filter_map(move |ties| ties.get(&name)).flatten()
    }

    /// Roles that the name owns, or owned.
    pub(crate) fn roles_owned(&self, name: SqlName) -> impl Iterator<Item = SqlName> {
        self.owned.get(&name).into_iter().flatten().copied()
    }
}
