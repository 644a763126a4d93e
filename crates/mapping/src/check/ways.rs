//! Ways past a secure view that a map gives by itself, told from the list by which a target's views are closed.
//!
//! ```text
//!  roles of the map ──as a target──> Graph ──Ways (the target's own check)──> who reads the view, who reaches past it
//! ```
//!
//! What the map does not say of a target is taken as it must be there for a view to stand: its schemas belong to the owner of views.
//! What is read there is a table, what is executed is code.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::secure::{Around, TableFilter, Watched, Ways};
use axon_reconcile::view_body::Rows;
use axon_reconcile::{
    Connect, Grant, GrantKey, GrantState, Graph, Membership, ObjectFacts, ObjectKind, ObjectName, Permission,
    Principal, PrincipalKind, Securable,
};

use super::views::Holder;
use super::{Findings, Lint};
use crate::grant::GrantLine;
use crate::map::RoleMap;
use crate::place::Place;
use crate::secure_view::{Operand, RowLine, SecureView};
use crate::target::TargetSpec;
use crate::together::Together;

/// Roles of a map as the target would hold them.
pub(super) struct Supposed<'m> {
    spec: &'m TargetSpec,
    holders: Vec<(SqlName, &'m Holder<'m>)>,
    graph: Graph,
    schemas: BTreeMap<SqlName, Option<SqlName>>,
    objects: BTreeMap<ObjectName, ObjectFacts>,
    ours: BTreeSet<ObjectName>,
}

impl<'m> Supposed<'m> {
    pub fn of(map: &'m RoleMap, spec: &'m TargetSpec, holders: &'m [Holder<'m>]) -> Self {
        let views = || map.views.iter().filter(|view| view.targets.contains(&spec.name));
        let plain = views().filter(|view| view.pattern.is_none());
        let mut schemas: BTreeSet<SqlName> = views().map(|view| view.name.schema).collect();
        schemas.extend(plain.clone().map(|view| view.from.schema));
        schemas.insert(spec.metadata.schema);
        let named = holders.iter().filter_map(|holder| Some((spec.role(&holder.role.name).ok()?, holder)));
        let mut supposed = Self {
            spec,
            holders: named.collect(),
            graph: Graph::default(),
            schemas: schemas.into_iter().map(|schema| (schema, Some(spec.metadata.owner))).collect(),
            objects: BTreeMap::new(),
            ours: plain.map(|view| view.name).collect(),
        };
        let patterns: BTreeSet<SqlName> =
            views().filter(|view| view.pattern.is_some()).map(|view| view.name.schema).collect();
        for (name, holder) in &supposed.holders {
            let there = Principal {
                kind: PrincipalKind::External,
                sid: None,
                connect: Connect::Granted,
                created: None,
            };
            supposed.graph.principals.insert(*name, there);
            for held in &holder.lines {
                add(&mut supposed.graph, *name, &held.grant.line);
                for (permission, on) in held.grant.line.atoms() {
                    let (Securable::Object(object) | Securable::Column(object, _)) = on else { continue };
                    if patterns.contains(&object.schema) {
                        supposed.ours.insert(object);
                    }
                    let code = permission == Permission::Execute;
                    let kind = if code { ObjectKind::Procedure } else { ObjectKind::Table };
                    let facts = ObjectFacts { kind, owner: None, columns: Vec::new() };
                    let known = supposed.objects.entry(object).or_insert(facts);
                    known.kind = if code { kind } else { known.kind };
                }
            }
        }
        supposed
    }

    /// Tells lines by which whoever may read the view comes past it, but for those that are told already.
    pub fn tell(
        &self,
        view: &SecureView,
        told: &BTreeSet<&Place>,
        together: &Together<'_>,
        to: &mut Findings,
    ) {
        if view.pattern.is_some() {
            return;
        }
        let none = BTreeSet::new();
        let around = Around {
            metadata: &self.spec.metadata,
            schemas: &self.schemas,
            objects: &self.objects,
            ours: &self.ours,
            own: &none,
        };
        let filter = view.native.as_ref().map(|native| TableFilter {
            table: view.from,
            columns: Vec::new(),
            rows: Rows::Nothing,
            unfiltered: native.unfiltered.iter().copied().collect(),
            open: BTreeMap::new(),
        });
        let watched = watched(view, self.spec);
        let ways = Ways::of(&self.graph, around);
        let readers = ways.who_reads(view.name);
        let reach = ways.who_reaches(&watched, filter.as_ref(), &readers);
        for (name, holder) in self.holders.iter().filter(|(name, _)| reach.contains(name)) {
            let meets = |reader: &&(SqlName, &Holder<'_>)| {
                readers.contains(&reader.0) && together.can(&reader.1.role.name, &holder.role.name)
            };
            let whom = if readers.contains(name) {
                format!("role `{}`, which reads the secure view {},", holder.role.name, view.name)
            } else if let Some((_, reader)) = self.holders.iter().find(meets) {
                format!(
                    "role `{}`, and with it whoever has role `{}` too and reads the secure view {},",
                    holder.role.name, reader.role.name, view.name
                )
            } else {
                continue;
            };
            for held in holder.lines.iter().filter(|held| !told.contains(&held.grant.place)) {
                let mut alone = Graph { principals: self.graph.principals.clone(), ..Graph::default() };
                add(&mut alone, *name, &held.grant.line);
                let by_itself = Ways::of(&alone, around).who_reaches(&watched, filter.as_ref(), &readers);
                let key = held.grant.line.atoms().iter().any(|(_, on)| matches!(on, Securable::Principal(_)));
                if by_itself.contains(name) || key {
                    let message = format!("{whom} reaches {} past it: {}", view.from, held.grant.line);
                    to.add(Lint::PastView, &held.grant.place, message, None);
                }
            }
        }
    }
}

/// Puts what a line gives into a graph. What it denies keeps nobody out: somebody's owner is not asked for it.
fn add(graph: &mut Graph, grantee: SqlName, line: &GrantLine) {
    match line {
        GrantLine::Permissions { state: GrantState::Grant, .. } => {
            for (permission, securable) in line.atoms() {
                let key = GrantKey { grantee, securable, permission };
                graph.grants.insert(key, Grant::wanted(GrantState::Grant));
            }
        }
        GrantLine::MemberOf(role) => {
            graph.members.insert(Membership { role: *role, member: grantee });
        }
        GrantLine::Permissions { .. } | GrantLine::Classifier(_) | GrantLine::Assigned(_) => {}
    }
}

/// What of a view of the map says which ways lead past it.
fn watched(view: &SecureView, spec: &TargetSpec) -> Watched {
    let asks = |line: &RowLine| match line {
        RowLine::Group(_) => true,
        RowLine::Where { all, .. } => all.iter().any(|one| matches!(one.operand, Operand::User(_))),
        RowLine::Role(_) => false,
    };
    Watched {
        name: view.name,
        table: view.from,
        roles: view.roles().filter_map(|role| spec.role(role).ok()).collect(),
        profile: view.rows.iter().any(asks),
    }
}
