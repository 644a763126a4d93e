//! The emulator's catalog as an inspection: what `axon-synapse` reads by its catalog queries, without the queries.

use std::collections::{BTreeSet, HashMap};

use axon_emulator::catalog::Catalog;
use axon_emulator::catalog::object::ObjectKind as Kind;
use axon_emulator::catalog::permission::{Action, Class, Securable as On, State};
use axon_emulator::catalog::principal::PrincipalKind as Who;
use axon_model::SqlName;
use axon_reconcile::builtin::{PREDEFINED_ROLES, SYSTEM_PRINCIPALS};
use axon_reconcile::{
    Connect, Grant, GrantKey, GrantState, Graph, Inspection, Membership, ObjectFacts, ObjectKind, ObjectName,
    Permission, Principal, PrincipalKind, Role, Securable, Shape, Sid, TargetFacts,
};

/// A name that the stories use; they use none that cannot be one.
pub fn name(text: &str) -> SqlName {
    SqlName::parse(text).expect("a name of the simulation")
}

/// What the catalog says.
pub fn inspection(catalog: &Catalog) -> Inspection {
    let mut graph = Graph::default();
    let mut who: HashMap<i32, SqlName> = HashMap::new();
    for principal in catalog.principals() {
        let called = name(&principal.name);
        who.insert(principal.id, called);
    }
    for principal in catalog.principals() {
        let called = who[&principal.id];
        if principal.is_role() {
            let fixed =
                principal.fixed || called.folded() == "public" || PREDEFINED_ROLES.contains(&called.folded());
            let owner = principal.owner.and_then(|id| who.get(&id).copied());
            graph.roles.insert(called, Role { fixed, owner });
        } else if !SYSTEM_PRINCIPALS.iter().any(|system| system.eq_ignore_ascii_case(called.as_str())) {
            let kind = match principal.kind {
                Who::ExternalUser => PrincipalKind::External,
                Who::ExternalGroup => PrincipalKind::ExternalGroup,
                _ => PrincipalKind::Sql,
            };
            let sid = principal.sid.as_deref().filter(|sid| !sid.is_empty()).map(Sid::from_bytes);
            let created = Some(principal.created.assume_utc());
            graph.principals.insert(called, Principal { kind, sid, connect: Connect::Absent, created });
        }
    }
    for (role, member) in catalog.members() {
        let (role, member) = (who[&role], who[&member]);
        if graph.principals.contains_key(&member) || graph.roles.contains_key(&member) {
            graph.members.insert(Membership { role, member });
        }
    }
    permissions(catalog, &who, &mut graph);
    let shape = shape(catalog, &who);
    let facts = TargetFacts {
        version: "the emulator, in process".to_owned(),
        engine_edition: 6,
        own_principal: name("dbo"),
        administrators: administrators(&graph).into_iter().collect(),
    };
    Inspection { graph, shape, facts, unseen: Vec::new() }
}

fn administrators(graph: &Graph) -> BTreeSet<SqlName> {
    let mut found = BTreeSet::from([name("dbo")]);
    let mut roles = vec![name("db_owner")];
    while let Some(role) = roles.pop() {
        for member in graph.members_of(role) {
            if found.insert(member) && graph.roles.contains_key(&member) {
                roles.push(member);
            }
        }
    }
    found
}

fn permissions(catalog: &Catalog, who: &HashMap<i32, SqlName>, graph: &mut Graph) {
    let dbo = name("dbo");
    for row in catalog.permissions() {
        let Some(grantee) = who.get(&row.key.grantee).copied() else { continue };
        let Some(on) = place(catalog, who, row.key.securable) else { continue };
        let state = match row.state {
            State::Grant => GrantState::Grant,
            State::GrantWithGrantOption => GrantState::GrantWithOption,
            State::Deny => GrantState::Deny,
            State::Revoke => continue,
        };
        if row.key.action == Action::Connect
            && on == Securable::Database
            && let Some(principal) = graph.principals.get_mut(&grantee)
        {
            if state == GrantState::Deny || principal.connect == Connect::Absent {
                let denied = state == GrantState::Deny;
                principal.connect = if denied { Connect::Denied } else { Connect::Granted };
            }
            continue;
        }
        if !graph.principals.contains_key(&grantee) && !graph.roles.contains_key(&grantee) {
            continue;
        }
        let word = row.key.action.name();
        let permission = word.parse().unwrap_or_else(|_| Permission::Other(name(word)));
        let own = who.get(&row.key.grantor) == Some(&dbo);
        let key = GrantKey { grantee, securable: on, permission };
        let fresh = Grant { state, foreign_grantors: Vec::new(), own_row: false, leaves_out: false };
        let grant = graph.grants.entry(key).or_insert(fresh);
        grant.state = grant.state.max(state);
        grant.own_row |= own;
        if !own && let Some(grantor) = who.get(&row.key.grantor).copied() {
            grant.foreign_grantors.push(grantor);
        }
    }
}

fn object(catalog: &Catalog, id: i32) -> Option<ObjectName> {
    let object = catalog.object(id)?;
    Some(ObjectName { schema: name(&catalog.schema(object.schema)?.name), name: name(&object.name) })
}

fn place(catalog: &Catalog, who: &HashMap<i32, SqlName>, on: On) -> Option<Securable> {
    Some(match on.class {
        Class::Database => Securable::Database,
        Class::Schema => Securable::Schema(name(&catalog.schema(on.major)?.name)),
        Class::Object if on.minor == 0 => Securable::Object(object(catalog, on.major)?),
        Class::Object => {
            let columns = &catalog.object(on.major)?.columns;
            let column = columns.iter().find(|column| column.id == on.minor)?;
            Securable::Column(object(catalog, on.major)?, name(&column.name))
        }
        Class::Principal => Securable::Principal(*who.get(&on.major)?),
        // Stories have neither.
        Class::Credential | Class::Other(_) => return None,
    })
}

fn shape(catalog: &Catalog, who: &HashMap<i32, SqlName>) -> Shape {
    let mut shape = Shape::default();
    let system = ["sys", "INFORMATION_SCHEMA"];
    for schema in catalog.schemas().filter(|schema| !system.contains(&schema.name.as_str())) {
        shape.schemas.insert(name(&schema.name), who.get(&schema.owner).copied());
    }
    for found in catalog.objects() {
        let Some(called) = object(catalog, found.id) else { continue };
        let kind = if found.kind == Kind::Table { ObjectKind::Table } else { ObjectKind::Other };
        let owner = who.get(&catalog.owner_of(found)).copied();
        let columns = found.columns.iter().map(|column| name(&column.name)).collect();
        shape.objects.insert(called, ObjectFacts { kind, owner, columns });
    }
    shape
}
