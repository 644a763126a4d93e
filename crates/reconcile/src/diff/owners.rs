//! Who owns what in the target: an owner has every right on it, whatever is granted and denied.

use std::collections::BTreeSet;

use axon_model::SqlName;

use super::names::Names;
use crate::finding::{Finding, Owned};
use crate::graph::Connect;
use crate::scope::Sides;
use crate::shape::Shape;

/// What managed names own, each a state that only a person ends: no statement of Axon's takes a thing from its owner. Whoever is shut out
/// has no use of it, and is named where that keeps the user from being dropped.
pub fn owned(sides: &Sides, shape: &Shape) -> BTreeSet<Finding> {
    let names = Names::new(sides);
    let roles = sides.actual.roles.iter().filter(|(_, facts)| !facts.fixed);
    let roles = roles.filter_map(|(role, facts)| Some((facts.owner?, Owned::Role(*role))));
    let is_out =
        |name: &SqlName| sides.actual.principals.get(name).is_some_and(|p| p.connect == Connect::Denied);
    let all = roles.chain(beside_roles(shape)).filter(|(owner, _)| names.manages(*owner) && !is_out(owner));
    all.map(|(owner, owns)| Finding::Owner { owner, owns }).collect()
}

/// Whoever owns a schema, or an object in a schema of somebody else.
pub fn owners(shape: &Shape) -> BTreeSet<SqlName> {
    beside_roles(shape).map(|(owner, _)| owner).collect()
}

fn beside_roles(shape: &Shape) -> impl Iterator<Item = (SqlName, Owned)> {
    let schemas =
        shape.schemas.iter().filter_map(|(schema, owner)| Some(((*owner)?, Owned::Schema(*schema))));
    // Schema by schema, as they are in order: its owner is looked up once.
    let mut of: Option<(SqlName, Option<SqlName>)> = None;
    let objects = shape.objects.iter().filter_map(move |(object, facts)| {
        let by_schema = match of {
            Some((schema, owner)) if schema == object.schema => owner,
            _ => shape.schemas.get(&object.schema).copied().flatten(),
        };
        of = Some((object.schema, by_schema));
        let owner = facts.owner.filter(|owner| Some(*owner) != by_schema)?;
        Some((owner, Owned::Object(*object)))
    });
    schemas.chain(objects)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Graph, Principal, PrincipalKind, Role};
    use crate::scope::{Glob, ManagedPrincipals, Scope};
    use crate::shape::{ObjectFacts, ObjectKind, ObjectName};

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    /// Kim and the roles `axon_*` are managed; axon_owner and bob are users of somebody else.
    fn sides() -> Sides {
        let mut actual = Graph::default();
        for (who, kind) in [
            ("kim", PrincipalKind::External),
            ("bob", PrincipalKind::External),
            ("axon_owner", PrincipalKind::Sql),
        ] {
            let principal = Principal { kind, sid: None, connect: Connect::Granted, created: None };
            actual.principals.insert(name(who), principal);
        }
        for (role, owner) in
            [("axon_reader", "KIM"), ("by hand", "axon_reader"), ("axon_b", "dbo"), ("c", "bob")]
        {
            actual.roles.insert(name(role), Role { fixed: false, owner: Some(name(owner)) });
        }
        actual.roles.insert(name("db_owner"), Role { fixed: true, owner: Some(name("kim")) });
        let scope = Scope {
            roles: vec![Glob::new("axon_*")],
            named_roles: BTreeSet::new(),
            given: BTreeSet::new(),
            schemas: vec![],
            principals: ManagedPrincipals::Mapped([name("kim"), name("axon_owner")].into()),
            untouchable: BTreeSet::from([name("dbo")]),
        };
        Sides { desired: Graph::default(), actual, scope }
    }

    #[test]
    fn what_a_managed_name_owns_is_told_with_its_remedy_and_nothing_else_is() {
        let mut shape = Shape::default();
        for (schema, owner) in [
            ("sales", "kim"),
            ("my lab", "axon_reader"),
            ("secure", "axon_owner"),
            ("hr", "bob"),
            ("dbo", "dbo"),
        ] {
            shape.schemas.insert(name(schema), Some(name(owner)));
        }
        // An object of a schema has the schema's owner where it has none of its own.
        for (schema, object, owner) in [
            ("sales", "orders", "kim"),
            ("dbo", "own", "Kim"),
            ("dbo", "plain", "dbo"),
            ("sales", "theirs", "bob"),
        ] {
            let owner = Some(name(owner));
            let facts = ObjectFacts { kind: ObjectKind::Table, owner, columns: vec![] };
            shape.objects.insert(ObjectName { schema: name(schema), name: name(object) }, facts);
        }
        let told: Vec<String> = owned(&sides(), &shape).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "axon_reader owns role [by hand], and so decides who is in it: \
                 ALTER AUTHORIZATION ON ROLE::[by hand] TO dbo, or DROP ROLE where the target takes no such statement about roles, by a person who may",
                "axon_reader owns schema [my lab], and so has every right on what is in it: \
                 ALTER AUTHORIZATION ON SCHEMA::[my lab] TO dbo, by a person who may",
                "KIM owns role axon_reader, and so decides who is in it: \
                 ALTER AUTHORIZATION ON ROLE::axon_reader TO dbo, or DROP ROLE where the target takes no such statement about roles, by a person who may",
                "kim owns schema sales, and so has every right on what is in it: \
                 ALTER AUTHORIZATION ON SCHEMA::sales TO dbo, by a person who may",
                "Kim owns dbo.own, and so has every right on it: \
                 ALTER AUTHORIZATION ON OBJECT::dbo.own TO SCHEMA OWNER, by a person who may",
            ]
        );
        let all = ["kim", "axon_reader", "axon_owner", "bob", "dbo"];
        assert_eq!(owners(&shape), all.map(name).into());
        let mut sides = sides();
        sides.actual.principals.get_mut(&name("kim")).unwrap().connect = Connect::Denied;
        assert_eq!(owned(&sides, &shape).len(), 2, "who is shut out has no use of what they own");
    }
}
