//! Whose permissions and memberships are in scope, each name decided once.

use axon_model::SqlName;
use axon_model::name::NameMap;

use crate::graph::{Membership, PrincipalKind};
use crate::scope::Sides;

/// What a name stands for, on either side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A role that Axon creates, fills, empties and drops.
    ManagedRole,
    /// Any other role.
    OtherRole,
    /// A principal that Axon creates and changes.
    ManagedPrincipal,
    /// Any other principal, and every name that is on no side.
    Other,
}

pub(crate) struct Names<'a> {
    sides: &'a Sides,
    roles: NameMap<Holder>,
}

impl<'a> Names<'a> {
    pub(crate) fn new(sides: &'a Sides) -> Self {
        let Sides { desired, actual, scope } = sides;
        let mut roles = NameMap::default();
        for name in actual.roles.keys().chain(desired.roles.keys()) {
            roles.entry(*name).or_insert_with(|| {
                // What the catalog calls fixed is fixed, whatever the globs say.
                let fixed =
                    actual.roles.get(name).or_else(|| desired.roles.get(name)).is_some_and(|r| r.fixed);
                if scope.manages_role(*name) && !fixed { Holder::ManagedRole } else { Holder::OtherRole }
            });
        }
        Self { sides, roles }
    }

    pub(crate) fn holder(&self, name: SqlName) -> Holder {
        if let Some(holder) = self.roles.get(&name) {
            return *holder;
        }
        let Sides { desired, actual, scope } = self.sides;
        let kind = actual.principals.get(&name).or_else(|| desired.principals.get(&name)).map(|p| p.kind);
        match kind {
            Some(PrincipalKind::External | PrincipalKind::ExternalGroup)
                if scope.manages_principal(name, actual) =>
            {
                Holder::ManagedPrincipal
            }
            _ => Holder::Other,
        }
    }

    pub(crate) fn manages(&self, name: SqlName) -> bool {
        matches!(self.holder(name), Holder::ManagedRole | Holder::ManagedPrincipal)
    }

    /// Whether it is a role that Axon does not fill: known without a look at principals.
    pub(crate) fn is_other_role(&self, name: SqlName) -> bool {
        self.roles.get(&name) == Some(&Holder::OtherRole)
    }

    pub(crate) fn is_role(&self, name: SqlName) -> bool {
        self.roles.contains_key(&name)
    }

    /// A membership is in scope if its role is managed, if the map names the role and the member is managed, or if it is what is
    /// left of what Axon gave.
    pub(crate) fn manages_membership(&self, membership: Membership) -> bool {
        let Membership { role, member } = membership;
        let scope = &self.sides.scope;
        if scope.untouchable.contains(&member) || scope.untouchable.contains(&role) {
            return false;
        }
        self.roles.get(&role) == Some(&Holder::ManagedRole)
            || (scope.named_roles.contains(&role) && self.manages(member))
            || scope.given.contains(&membership)
    }
}
