//! What was adopted and what was not, for people and for machines.

mod shown;

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::GrantState;
use serde::Serialize;

use super::Adopting;
use super::draft::Draft;
use super::people::{Stands, Survey};
use super::pool_roles::PoolRoles;
use super::prove::Proof;
use crate::names::{RoleName, TargetName};

/// The report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The target.
    pub target: TargetName,
    /// How much of what.
    pub counts: Counts,
    /// The map's roles, with who has them.
    pub roles: Vec<RoleTold>,
    /// The map's mappings.
    pub mappings: Vec<MappingTold>,
    /// What the map does not say, with the reason: it stays as it is.
    pub left: Vec<Left>,
    /// Whether it is known that fewer roles do not suffice for what stands on single principals.
    pub fewest: bool,
    /// What was proved of the text.
    pub proof: Proof,
}

/// How much there is, and how much of it the map says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each is what it counts")]
pub struct Counts {
    pub principals: usize,
    pub people: usize,
    pub groups: usize,
    pub services: usize,
    pub protected: usize,
    pub pool_roles: usize,
    pub own_roles: usize,
    pub own_classifiers: usize,
    pub direct_roles: usize,
    pub memberships: usize,
    pub permissions: usize,
    pub denials: usize,
    pub mappings: usize,
    pub named_one_by_one: usize,
}

/// What kind of role it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoleKind {
    /// A role of the pool.
    Pool,
    /// What stands on principals themselves.
    Direct,
}

/// A role of the map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoleTold {
    /// Its name.
    pub name: RoleName,
    /// What it is in the pool.
    pub kind: RoleKind,
    /// Its lines.
    pub lines: Vec<String>,
    /// How many have it.
    pub members: usize,
    /// The groups that explain it.
    pub groups: Vec<String>,
    /// People whom none of these groups has.
    pub one_by_one: Vec<SqlName>,
}

/// A mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MappingTold {
    /// Who it is about.
    pub who: String,
    /// The roles that it gives.
    pub roles: Vec<RoleName>,
}

/// What kind of thing stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftKind {
    /// A principal that the map protects until somebody decides.
    Protected,
    /// A principal that is outside of what the map manages.
    Principal,
    /// A role whose permissions are not the map's.
    Role,
    /// A role in a role.
    Nested,
    /// A permission of somebody or something that the map does not manage.
    Permission,
    /// Who owns a schema or a role.
    Owner,
    /// Permissions that another principal gave: they are as the map says, and only that one can take them back.
    Grantor,
    /// A workload classifier.
    Classifier,
    /// Something else that the pool holds and Axon does not keep.
    Untold,
}

/// Something that the map does not say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Left {
    /// What kind of thing.
    pub kind: LeftKind,
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// Puts the report together.
pub(super) fn report(
    of: Adopting<'_>,
    survey: &Survey,
    pool: &PoolRoles,
    draft: &Draft,
    proof: Proof,
) -> Report {
    let mut left = principals_left(survey, draft);
    left.extend(roles_left(of, pool));
    left.extend(permissions_left(of, survey, pool));
    left.extend(owners(of));
    left.sort();
    let roles: Vec<RoleTold> = draft
        .roles
        .iter()
        .map(|role| RoleTold {
            name: role.name.clone(),
            kind: if role.direct { RoleKind::Direct } else { RoleKind::Pool },
            lines: role.lines.iter().map(ToString::to_string).collect(),
            members: role.subjects.len(),
            groups: role.by.groups.iter().map(|n| survey.groups[*n as usize].name.to_string()).collect(),
            one_by_one: role.by.left.iter().map(|n| survey.principals[*n as usize]).collect(),
        })
        .collect();
    let mappings = draft
        .mappings
        .iter()
        .map(|mapping| MappingTold { who: mapping.who.to_string(), roles: mapping.roles.clone() })
        .collect();
    Report {
        target: of.target.clone(),
        counts: counts(of, survey, pool, draft),
        roles,
        mappings,
        left,
        fewest: draft.fewest,
        proof,
    }
}

fn counts(of: Adopting<'_>, survey: &Survey, pool: &PoolRoles, draft: &Draft) -> Counts {
    let stand = |wanted: fn(&Stands) -> bool| survey.subjects.values().filter(|s| wanted(&s.stands)).count();
    let one_by_one: BTreeSet<u32> =
        draft.roles.iter().flat_map(|role| role.by.left.iter().copied()).collect();
    Counts {
        principals: survey.principals.len(),
        people: stand(|s| matches!(s, Stands::Person(_))),
        groups: stand(|s| matches!(s, Stands::Group(_))),
        services: draft.services.len(),
        protected: draft.protect.len(),
        pool_roles: of.actual.roles.values().filter(|role| !role.fixed).count(),
        own_roles: pool.managed.len(),
        own_classifiers: pool.managed.values().map(|role| role.classified.len()).sum(),
        direct_roles: draft.roles.iter().filter(|role| role.direct).count(),
        memberships: of.actual.members.len(),
        permissions: of.actual.grants.len(),
        denials: of.actual.grants.values().filter(|grant| grant.state == GrantState::Deny).count(),
        mappings: draft.mappings.len(),
        named_one_by_one: one_by_one.len(),
    }
}

fn principals_left(survey: &Survey, draft: &Draft) -> Vec<Left> {
    let protected: BTreeSet<SqlName> = draft.protect.iter().map(|(name, _)| *name).collect();
    let kind = |name| if protected.contains(&name) { LeftKind::Protected } else { LeftKind::Principal };
    let left = survey.stays.values();
    left.map(|stays| Left { kind: kind(stays.name), what: stays.name.to_string(), why: stays.why.clone() })
        .collect()
}

fn roles_left(of: Adopting<'_>, pool: &PoolRoles) -> Vec<Left> {
    let mut left: Vec<Left> = Vec::new();
    for (name, why) in &pool.not_own {
        let holds = of.actual.grants_of(*name).count();
        let people = if pool.named.contains_key(name) {
            "its people are the map's, by `per person` lines"
        } else {
            "its people are not the map's either"
        };
        let why = format!("{why}; its {holds} permissions stay by themselves, {people}");
        left.push(Left { kind: LeftKind::Role, what: format!("role {name}"), why });
    }
    for (role, member) in &pool.nested {
        let what = format!("role {member} in role {role}");
        left.push(Left { kind: LeftKind::Nested, what, why: "a map puts no role into a role".into() });
    }
    left
}

fn permissions_left(of: Adopting<'_>, survey: &Survey, pool: &PoolRoles) -> Vec<Left> {
    let mut left = Vec::new();
    let mut by_others: BTreeMap<Vec<SqlName>, usize> = BTreeMap::new();
    for (key, grant) in &of.actual.grants {
        let own = pool.managed.contains_key(&key.grantee)
            || survey.number(key.grantee).is_some_and(|n| survey.subjects.contains_key(&n));
        let what = format!("{} {} on {} to {}", grant.state, key.permission, key.securable, key.grantee);
        if !own {
            let why = if key.grantee.folded() == "public" {
                "everybody is in public, and it is not the map's"
            } else {
                "whoever holds it is outside of what the map manages"
            };
            left.push(Left { kind: LeftKind::Permission, what, why: why.into() });
        } else if !grant.foreign_grantors.is_empty() {
            *by_others.entry(grant.foreign_grantors.clone()).or_default() += 1;
        }
    }
    for (grantors, count) in by_others {
        let by: Vec<String> = grantors.iter().map(ToString::to_string).collect();
        let what = format!("{count} permissions given by {}", by.join(", "));
        let why = "they are as the map says, and Axon could not take them back: only who gave them can";
        left.push(Left { kind: LeftKind::Grantor, what, why: why.into() });
    }
    left
}

/// Owners that are not the database's own: a map says nothing of them, and they may do anything with what they own.
fn owners(of: Adopting<'_>) -> Vec<Left> {
    let owned = |owner: &Option<SqlName>| {
        owner.filter(|name| !axon_reconcile::builtin::SYSTEM_PRINCIPALS.contains(&name.as_str()))
    };
    let mut left = Vec::new();
    let mut add = |what: String, owner: SqlName| {
        let why = format!("{owner} owns it; a map says nothing of owners");
        left.push(Left { kind: LeftKind::Owner, what, why });
    };
    for (schema, owner) in &of.shape.schemas {
        // A fixed role owns the schema of its own name.
        if let Some(owner) = owned(owner).filter(|owner| owner != schema) {
            add(format!("schema {schema}"), owner);
        }
    }
    for (object, facts) in &of.shape.objects {
        let of_schema = of.shape.schemas.get(&object.schema).copied().flatten();
        if let Some(owner) = owned(&facts.owner).filter(|owner| Some(*owner) != of_schema) {
            add(object.to_string(), owner);
        }
    }
    for (role, facts) in of.actual.roles.iter().filter(|(_, facts)| !facts.fixed) {
        if let Some(owner) = owned(&facts.owner) {
            add(format!("role {role}"), owner);
        }
    }
    left
}
