//! What a single permission opens: the table of a view, what views read, code of their owner, or a key to somebody who has that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use axon_model::SqlName;

use super::super::{Metadata, TableFilter};
use crate::graph::{GrantKey, GrantState, Graph, PrincipalKind};
use crate::permission::Permission;
use crate::shape::{ObjectFacts, ObjectKind, ObjectName, Securable};
use crate::view_body::{Cell, RowRule, Rows, Test, ViewBody, Who};

/// What stands around the views of a target.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// Where profiles and keys are.
    pub metadata: &'a Metadata,
    /// Schemas of the target with their owners.
    pub schemas: &'a BTreeMap<SqlName, Option<SqlName>>,
    /// Objects of the target. One of the owner's that is not among them counts as code.
    pub objects: &'a BTreeMap<ObjectName, ObjectFacts>,
    /// Axon's own views: whatever else the owner has runs by the owner's rights, and nobody compared it with a map.
    pub ours: &'a BTreeSet<ObjectName>,
    /// Accounts as which Axon works: they keep the views, and no view is kept from them.
    pub own: &'a BTreeSet<SqlName>,
}

impl Around<'_> {
    fn owns(&self, schema: SqlName) -> bool {
        self.schemas.get(&schema).copied().flatten() == Some(self.metadata.owner)
    }

    /// Whether something is the owner's and no table.
    fn is_code(&self, object: ObjectName) -> bool {
        match self.objects.get(&object) {
            Some(facts) => {
                facts.kind != ObjectKind::Table
                    && facts.owner.map_or_else(|| self.owns(object.schema), |o| o == self.metadata.owner)
            }
            None => self.owns(object.schema),
        }
    }

    /// Whether something reads by the owner's rights, and is none of Axon's views.
    fn is_foreign(&self, object: ObjectName) -> bool {
        !self.ours.contains(&object) && self.is_code(object)
    }

    /// Whether a permission lets somebody past every view: by what views believe (profiles, keys, permissions to act), by code of the
    /// owner's, or by a key to everything.
    fn reaches_all(&self, permission: Permission, on: &Securable) -> bool {
        let believed = match on {
            Securable::Object(object) | Securable::Column(object, _) => object.schema == self.metadata.schema,
            Securable::Schema(schema) => *schema == self.metadata.schema,
            Securable::Database => true,
            Securable::Principal(_) | Securable::Server | Securable::Credential(_) | Securable::Other(_) => {
                false
            }
        };
        let owned = || match on {
            Securable::Object(object) | Securable::Column(object, _) => {
                self.ours.contains(object) || self.is_code(*object)
            }
            Securable::Schema(schema) => self.owns(*schema),
            Securable::Principal(name) => *name == self.metadata.owner,
            _ => false,
        };
        let foreign = || match on {
            Securable::Object(object) | Securable::Column(object, _) => self.is_foreign(*object),
            Securable::Schema(schema) => {
                let of_it = self.objects.keys().filter(|object| object.schema == *schema);
                of_it.into_iter().any(|object| self.is_foreign(*object))
            }
            _ => false,
        };
        match permission {
            Permission::Select => believed || foreign(),
            Permission::Insert | Permission::Update | Permission::Delete => believed,
            Permission::Control | Permission::Alter | Permission::TakeOwnership => believed || owned(),
            Permission::Impersonate => *on == Securable::Database || owned(),
            // Code of the owner's reads for whoever may run it.
            Permission::Execute => {
                believed || foreign() || matches!(on, Securable::Schema(schema) if self.owns(*schema))
            }
            Permission::AlterAnySchema | Permission::AlterAnyUser | Permission::AlterAnyRole => true,
            _ => false,
        }
    }
}

/// What makes its holder another principal, or a member of it.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) holder: SqlName,
    pub(super) to: SqlName,
    /// By which permission; none of whoever owns the role.
    pub(super) by: Option<Permission>,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.by {
            Some(permission) => write!(f, "{permission} on {}", self.to),
            None => write!(f, "ownership of role {}", self.to),
        }
    }
}

/// The permissions of a target, by what of a view they concern: a thousand views are looked at without reading all of them a thousand
/// times.
pub struct Ways<'a> {
    pub(super) graph: &'a Graph,
    pub(super) around: Around<'a>,
    /// Whoever gets past every view.
    pub(super) all: BTreeSet<SqlName>,
    /// Whoever may turn off any security policy.
    pub(super) policies: BTreeSet<SqlName>,
    /// What makes somebody a principal, or a member of it.
    pub(super) keys: Vec<Key>,
    /// Groups that are one principal.
    pub(super) groups: BTreeSet<SqlName>,
    by_object: BTreeMap<ObjectName, Vec<&'a GrantKey>>,
    by_schema: BTreeMap<SqlName, Vec<&'a GrantKey>>,
    on_database: Vec<&'a GrantKey>,
}

impl<'a> Ways<'a> {
    /// All of a target.
    pub fn of(graph: &'a Graph, around: Around<'a>) -> Self {
        let external = graph.principals.iter().filter(|(_, p)| p.kind == PrincipalKind::ExternalGroup);
        let mut ways = Self {
            graph,
            around,
            all: BTreeSet::new(),
            policies: BTreeSet::new(),
            keys: Vec::new(),
            groups: external.map(|(name, _)| *name).collect(),
            by_object: BTreeMap::new(),
            by_schema: BTreeMap::new(),
            on_database: Vec::new(),
        };
        for (key, _) in graph.grants.iter().filter(|(_, grant)| grant.state != GrantState::Deny) {
            if around.reaches_all(key.permission, &key.securable) {
                ways.all.insert(key.grantee);
            }
            if key.permission == Permission::AlterAnySecurityPolicy {
                ways.policies.insert(key.grantee);
            }
            match key.securable {
                Securable::Object(object) | Securable::Column(object, _) => {
                    ways.by_object.entry(object).or_default().push(key);
                }
                Securable::Schema(schema) => ways.by_schema.entry(schema).or_default().push(key),
                Securable::Database => ways.on_database.push(key),
                Securable::Principal(to) if is_key(key.permission, to, graph) => {
                    ways.keys.push(Key { holder: key.grantee, to, by: Some(key.permission) });
                }
                Securable::Principal(_)
                | Securable::Server
                | Securable::Credential(_)
                | Securable::Other(_) => {}
            }
        }
        // Whoever owns a role puts into it whom they like. `dbo` administers.
        let owned = graph.roles.iter().filter_map(|(role, facts)| Some((*role, facts.owner?)));
        let owned = owned.filter(|(role, owner)| {
            let ours = *owner == around.metadata.owner || around.own.contains(owner);
            role != owner && !ours && owner.as_str() != "dbo"
        });
        ways.keys.extend(owned.map(|(to, holder)| Key { holder, to, by: None }));
        ways
    }

    fn on(&self, object: ObjectName) -> impl Iterator<Item = &'a GrantKey> {
        let of_it = self.by_object.get(&object).into_iter().flatten();
        of_it.chain(self.by_schema.get(&object.schema).into_iter().flatten()).copied()
    }

    /// Who holds what reads a view.
    pub(super) fn readers(&self, view: ObjectName) -> BTreeSet<SqlName> {
        let keys = self.on(view).chain(self.on_database.iter().copied());
        let reads = |key: &&GrantKey| matches!(key.permission, Permission::Select | Permission::Control);
        keys.filter(reads).map(|key| key.grantee).collect()
    }

    /// Who holds what reaches the table of one view, or the view itself.
    pub(super) fn to(&self, view: &Watched, filter: Option<&TableFilter>) -> BTreeSet<SqlName> {
        let open = |key: &&GrantKey| filter.is_some_and(|filter| opens(filter, key));
        let takes = |key: &&GrantKey| {
            matches!(key.permission, Permission::Control | Permission::Alter | Permission::TakeOwnership)
        };
        let reads = |key: &&GrantKey| matches!(key.permission, Permission::Select | Permission::Execute);
        let table = self.on(view.table).filter(|key| reads(key) && !open(key) || takes(key));
        table.chain(self.on(view.name).filter(takes)).map(|key| key.grantee).collect()
    }
}

/// What of a view says which ways lead past it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The view.
    pub name: ObjectName,
    /// What it shows.
    pub table: ObjectName,
    /// The roles by which it tells people apart.
    pub roles: BTreeSet<SqlName>,
    /// Whether it asks what else they are: then another reader's rows are another's.
    pub profile: bool,
}

impl From<&ViewBody> for Watched {
    fn from(body: &ViewBody) -> Self {
        let (roles, profile) = asked(body);
        Self { name: body.name, table: body.from, roles, profile }
    }
}

/// Whether a permission on a principal makes its holder that one, or a member of it. Who alters a user does not become that user.
fn is_key(permission: Permission, on: SqlName, graph: &Graph) -> bool {
    match permission {
        Permission::Impersonate | Permission::Control | Permission::TakeOwnership => true,
        Permission::Alter => !graph.principals.contains_key(&on),
        _ => false,
    }
}

/// Whether a permission is one of those on single columns that a filter opens to a role.
fn opens(filter: &TableFilter, key: &GrantKey) -> bool {
    let Securable::Column(table, column) = key.securable else { return false };
    key.permission == Permission::Select
        && table == filter.table
        && filter.open.get(&key.grantee).is_some_and(|columns| columns.contains(&column))
}

/// The roles by which a view tells people apart, and whether it asks what else they are.
pub(super) fn asked(body: &ViewBody) -> (BTreeSet<SqlName>, bool) {
    let (mut roles, mut profile) = (BTreeSet::new(), false);
    let mut whom = |who: &Who| match who {
        Who::Role(name) => drop(roles.insert(*name)),
        Who::Has { .. } => profile = true,
    };
    let mut attribute = false;
    for column in &body.columns {
        if let Cell::Masked { unless, to, .. } = &column.cell {
            unless.iter().chain(to).for_each(&mut whom);
        }
    }
    if let Rows::Any(rules) = &body.rows {
        for rule in rules {
            match rule {
                RowRule::To(who) => whom(who),
                RowRule::All(tests) => {
                    for test in tests {
                        match test {
                            Test::Is(people) => people.iter().for_each(&mut whom),
                            Test::Attribute { .. } => attribute = true,
                            Test::Compare { .. } | Test::In { .. } | Test::LastDays { .. } => {}
                        }
                    }
                }
            }
        }
    }
    (roles, profile || attribute)
}
