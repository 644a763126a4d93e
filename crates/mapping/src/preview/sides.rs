//! Both desired states of each target: what stands behind a preview.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use axon_model::{Directory, GroupId, SqlName, UserId};
use axon_reconcile::{Graph, ObjectFacts, ObjectKind, Scope, Securable, Shape};
use time::OffsetDateTime;

use super::Compared;
use crate::desired::Surroundings;
use crate::evaluator::{Evaluator, Touched};
use crate::identity::Identity;
use crate::map::RoleMap;
use crate::names::TargetName;
use crate::pending::{Claimant, Pending};
use crate::target::TargetSpec;

/// One target as one of the two maps would have it; none where that map does not have the target.
#[derive(Debug, Clone, Default)]
pub struct Side(Option<Evaluator>);

impl Side {
    /// What it ought to hold.
    pub fn graph(&self) -> &Graph {
        static NOTHING: OnceLock<Graph> = OnceLock::new();
        self.0.as_ref().map_or_else(|| NOTHING.get_or_init(Graph::default), Evaluator::graph)
    }

    /// What may be touched there.
    pub fn scope(&self) -> Option<&Scope> {
        self.0.as_ref().map(Evaluator::scope)
    }

    /// The target as that map describes it.
    pub fn spec(&self) -> Option<&TargetSpec> {
        self.0.as_ref().map(Evaluator::target)
    }

    pub(super) fn evaluator(&self) -> Option<&Evaluator> {
        self.0.as_ref()
    }

    /// What is asked for and waits.
    pub fn pending(&self) -> Vec<Pending> {
        self.0.as_ref().map(Evaluator::pending).unwrap_or_default()
    }

    /// The roles of the target that anybody may be put into, by name.
    pub(super) fn role_names(&self) -> &[SqlName] {
        self.0.as_ref().map_or(&[], Evaluator::role_names)
    }

    /// Numbers of the roles of the target that a principal is in, ascending.
    pub(super) fn roles_of(&self, principal: SqlName) -> &[usize] {
        self.0.as_ref().map_or(&[], |evaluator| evaluator.in_roles(principal))
    }

    /// Groups that are one principal, with its name.
    pub fn groups(&self) -> impl Iterator<Item = (GroupId, SqlName)> {
        self.0.iter().flat_map(Evaluator::groups)
    }

    pub(super) fn claimants(&self, principal: SqlName) -> impl Iterator<Item = &Claimant> {
        self.0.iter().flat_map(move |evaluator| evaluator.claimants(principal))
    }

    /// What this user is called there.
    pub fn principal_of(&self, user: UserId) -> Option<SqlName> {
        self.0.as_ref()?.principal_of(user)
    }

    /// Whether the name is given nothing, whoever it stands for.
    pub fn is_withheld(&self, principal: SqlName) -> bool {
        self.0.as_ref().is_some_and(|evaluator| evaluator.is_withheld(principal))
    }

    fn follow(
        &mut self,
        directory: &Directory,
        touched: &Touched,
        identity: &Arc<Identity>,
        now: OffsetDateTime,
    ) {
        let Some(evaluator) = &mut self.0 else { return };
        let renamed = evaluator.set_identity(identity);
        evaluator.apply(directory, touched, now);
        if !renamed.is_empty() {
            evaluator.apply(directory, &renamed, now);
        }
    }
}

/// Both sides of one target.
#[derive(Debug, Clone, Default)]
pub struct Both {
    /// As the map in force has it.
    pub old: Side,
    /// As the new one would.
    pub new: Side,
}

impl Both {
    /// Takes in what changed in the directory since, whom names belong to now, and the passing of time.
    pub(super) fn follow(
        &mut self,
        directory: &Directory,
        touched: &Touched,
        identity: &Arc<Identity>,
        now: OffsetDateTime,
    ) {
        self.old.follow(directory, touched, identity, now);
        self.new.follow(directory, touched, identity, now);
    }
}

/// Both desired states of each target.
pub fn sides(compared: Compared<'_>) -> BTreeMap<TargetName, Both> {
    let maps: Vec<&Arc<RoleMap>> = compared.old.into_iter().chain([compared.new]).collect();
    let names: BTreeSet<&TargetName> = maps.iter().flat_map(|map| map.targets.keys()).collect();
    let mut sides = BTreeMap::new();
    for name in names {
        let shape = Arc::new(assumed_shape(&maps, name));
        let side =
            |map: Option<&Arc<RoleMap>>| map.map(|m| side(m, name, &shape, compared)).unwrap_or_default();
        sides.insert(name.clone(), Both { old: side(compared.old), new: side(Some(compared.new)) });
    }
    sides
}

fn side(map: &Arc<RoleMap>, target: &TargetName, shape: &Arc<Shape>, compared: Compared<'_>) -> Side {
    let around = Surroundings {
        shape: shape.clone(),
        identity: compared.identity.clone(),
        beside: compared.beside.clone(),
        ..Surroundings::default()
    };
    let Ok(mut evaluator) = Evaluator::new(map.clone(), target, around) else { return Side::default() };
    evaluator.full(compared.directory, compared.now);
    Side(Some(evaluator))
}

/// A catalog that holds everything that the lines of these maps name.
pub fn assumed_shape(maps: &[&Arc<RoleMap>], target: &TargetName) -> Shape {
    let mut shape = Shape::default();
    for map in maps {
        // As things stand when all of the map is in force.
        let native = map.views.iter().filter(|view| view.native.is_some() && view.targets.contains(target));
        shape.filtered.extend(native.map(|view| view.from));
        for held in map.roles.values().filter_map(|role| role.held.get(target)).flatten() {
            for (_, on) in held.grant.line.atoms() {
                match on {
                    Securable::Schema(schema) => {
                        shape.schemas.entry(schema).or_default();
                    }
                    Securable::Object(object) | Securable::Column(object, _) => {
                        shape.schemas.entry(object.schema).or_default();
                        let facts = shape.objects.entry(object).or_insert_with(|| ObjectFacts {
                            kind: ObjectKind::Other,
                            owner: None,
                            columns: Vec::new(),
                        });
                        if let Securable::Column(_, column) = on
                            && !facts.columns.contains(&column)
                        {
                            facts.columns.push(column);
                        }
                    }
                    // Credentials count as there while nobody looked at them.
                    Securable::Database
                    | Securable::Principal(_)
                    | Securable::Server
                    | Securable::Credential(_)
                    | Securable::Other(_) => {}
                }
            }
        }
    }
    shape
}
