//! What Axon may touch in a target. Nothing outside is ever changed.

use std::collections::BTreeSet;
use std::fmt;

use axon_model::SqlName;
use axon_model::name::fold;
use serde::{Deserialize, Serialize};

use crate::graph::{Graph, Membership};

/// A pattern over names: `*` stands for any run of characters, all else for itself; compares as names do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Glob {
    text: String,
    /// As names compare: a map may list hundreds of patterns, and each is held against every name.
    folded: String,
}

impl From<String> for Glob {
    fn from(text: String) -> Self {
        Self { folded: fold(&text), text }
    }
}

impl From<Glob> for String {
    fn from(glob: Glob) -> Self {
        glob.text
    }
}

impl Glob {
    /// A pattern from its text.
    pub fn new(text: &str) -> Self {
        Self::from(text.to_owned())
    }

    /// The one name that it stands for, if it has no star.
    pub fn as_name(&self) -> Option<SqlName> {
        if self.text.contains('*') { None } else { SqlName::parse(&self.text).ok() }
    }

    /// Whether the name fits the pattern. Linear in the name for each star.
    pub fn matches(&self, name: SqlName) -> bool {
        let mut rest = name.folded();
        if !self.folded.contains('*') {
            return rest == self.folded;
        }
        let mut parts = self.folded.split('*');
        let Some(first) = parts.next() else { return false };
        let Some(after) = rest.strip_prefix(first) else { return false };
        rest = after;
        let mut parts = parts.collect::<Vec<_>>();
        let Some(last) = parts.pop() else { return rest.is_empty() };
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.len() >= last.len() && rest.ends_with(last)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Which principals are managed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManagedPrincipals {
    /// Those that the directory knows or knew, and service identities of the map.
    Mapped(BTreeSet<SqlName>),
    /// Every Entra principal of the target.
    External,
}

/// What Axon may touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Roles that Axon creates, fills, empties, drops.
    pub roles: Vec<Glob>,
    /// Roles outside `roles` that the map names (fixed roles, resource classes): memberships of managed members only.
    pub named_roles: BTreeSet<SqlName>,
    /// Memberships of the actual side in any other role that are Axon's own doing, from when a line named the role: they go as
    /// soon as nothing gives them.
    pub given: BTreeSet<Membership>,
    /// Schemas whose objects are Axon's own.
    pub schemas: Vec<Glob>,
    /// Principals.
    pub principals: ManagedPrincipals,
    /// Principals and roles never touched: Axon's own, `dbo`, `public`, protected ones.
    pub untouchable: BTreeSet<SqlName>,
}

impl Scope {
    /// Whether Axon creates, fills, empties and drops this role.
    pub fn manages_role(&self, role: SqlName) -> bool {
        !self.untouchable.contains(&role) && self.roles.iter().any(|glob| glob.matches(role))
    }

    /// Whether Axon creates and changes this principal.
    pub fn manages_principal(&self, name: SqlName, actual: &Graph) -> bool {
        if self.untouchable.contains(&name) {
            return false;
        }
        match &self.principals {
            ManagedPrincipals::Mapped(names) => names.contains(&name),
            ManagedPrincipals::External => {
                actual.principals.get(&name).is_none_or(|p| p.kind != crate::graph::PrincipalKind::Sql)
            }
        }
    }
}

/// Both sides of one diff. They travel together, never as two values of one type side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sides {
    /// What the map asks for.
    pub desired: Graph,
    /// What the catalog says.
    pub actual: Graph,
    /// What may be touched.
    pub scope: Scope,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_matches_whole_names_as_a_pool_compares_them() {
        let name = |t: &str| SqlName::parse(t).unwrap();
        assert!(Glob::new("axon_*").matches(name("AXON_sales")));
        assert!(!Glob::new("axon_*").matches(name("xaxon_sales")));
        assert!(Glob::new("*").matches(name("x")));
        assert!(Glob::new("a*b*c").matches(name("aXbYc")));
        assert!(!Glob::new("a*b").matches(name("ab_")));
        assert!(!Glob::new("ab*ba").matches(name("aba")));
        assert!(Glob::new("plain").matches(name("Plain")));
        assert!(!Glob::new("plain").matches(name("plains")));
    }
}
