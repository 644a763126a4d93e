//! Who administers a target by what stands there, by whatever hand.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use axon_model::SqlName;
use axon_reconcile::builtin::FIXED_ROLES;
use axon_reconcile::{GrantState, Graph};

use crate::check::powers::administrator;
use crate::grant::GrantLine;
use crate::role::Definitions;
use crate::target::TargetSpec;

/// Whoever administers a target, and by what: judged as the map's own lines are.
pub(super) struct Administrators(BTreeMap<SqlName, String>);

impl Administrators {
    /// Those of what stands there: by a permission, by a fixed role, and by roles within these.
    pub(super) fn of(graph: &Graph, target: &TargetSpec, defined: &Definitions<'_>) -> Self {
        let given = graph.grants.iter().filter(|(_, grant)| grant.state != GrantState::Deny);
        let by_grant = given.filter_map(|(key, _)| {
            let line = GrantLine::Permissions {
                state: GrantState::Grant,
                permissions: vec![key.permission],
                on: key.securable,
                columns: Vec::new(),
            };
            Some((key.grantee, administrator(&line, target, defined)?))
        });
        let fixed = FIXED_ROLES.iter().chain(&["sysadmin"]).filter_map(|role| SqlName::parse(role).ok());
        let by_role = fixed.flat_map(|role| {
            let why = administrator(&GrantLine::MemberOf(role), target, defined);
            graph.members_of(role).filter_map(move |member| Some((member, why.clone()?)))
        });
        let mut open: Vec<(SqlName, String)> = by_grant.chain(by_role).collect();
        let mut found = BTreeMap::new();
        while let Some((name, why)) = open.pop() {
            if let Entry::Vacant(entry) = found.entry(name) {
                open.extend(graph.members_of(name).map(|member| (member, why.clone())));
                entry.insert(why);
            }
        }
        Self(found)
    }

    /// What makes one of them an administrator. Everybody is in `public`.
    pub(super) fn why(&self, name: SqlName) -> Option<&str> {
        let public = || self.0.iter().find(|(name, _)| name.as_str() == "public").map(|(_, why)| why);
        self.0.get(&name).or_else(public).map(String::as_str)
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = (SqlName, &str)> {
        self.0.iter().map(|(name, why)| (*name, why.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use axon_reconcile::{Grant, GrantKey, Membership, Permission, Securable};

    use super::*;
    use crate::map::RoleMap;

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn told(graph: &Graph) -> Vec<String> {
        let text = "axon: 1\ntargets:\n  dw: { kind: synapse-dedicated, host: h, database: d, auth: managed-identity, mode: authoritative, manage: { roles: ['axon_*'] } }\nroles:\n  low: {}\n";
        let map = RoleMap::parse(&[("map.yaml", text)]).unwrap_or_else(|e| panic!("{e}"));
        let target = map.targets.values().next().unwrap();
        let found = Administrators::of(graph, target, &Definitions::of(map.roles.values()));
        let people = ["ann", "bob", "cy", "dan", "eve", "fay"].map(name);
        people
            .iter()
            .filter_map(|who| found.why(*who).map(|why| format!("{}: {why}", who.as_str())))
            .collect()
    }

    #[test]
    fn whoever_administers_by_hand_is_found_by_role_and_by_permission() {
        let mut graph = Graph::default();
        for (role, member) in
            [("db_owner", "ann"), ("axon_low", "bob"), ("outer", "axon_low"), ("db_datareader", "fay")]
        {
            graph.members.insert(Membership { role: name(role), member: name(member) });
        }
        for (grantee, securable, permission, state) in [
            ("outer", Securable::Database, Permission::Control, GrantState::Grant),
            ("cy", Securable::Database, Permission::AlterAnyRole, GrantState::GrantWithOption),
            ("dan", Securable::Database, Permission::Control, GrantState::Deny),
            ("eve", Securable::Schema(name("s")), Permission::Control, GrantState::Grant),
        ] {
            let key = GrantKey { grantee: name(grantee), securable, permission };
            graph.grants.insert(key, Grant::wanted(state));
        }
        let some =
            ["ann: member of db_owner", "bob: CONTROL on the database", "cy: ALTER ANY ROLE on the database"];
        assert_eq!(told(&graph), some);
        // Everybody is in `public`.
        graph.members.insert(Membership { role: name("outer"), member: name("public") });
        assert_eq!(told(&graph).len(), 6);
    }
}
