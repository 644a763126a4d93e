//! What a target ought to hold: a function of map, directory, catalog shape and instant, and of nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;

use axon_model::{Directory, SqlName};
use axon_reconcile::{Graph, Scope, Shape};
use time::OffsetDateTime;

use crate::beside::Beside;
use crate::evaluator::Evaluator;
use crate::identity::Identity;
use crate::map::RoleMap;
use crate::names::TargetName;
use crate::pending::Pending;

/// What desired depends on besides map and directory.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// What grants can name in the target.
    pub shape: Arc<Shape>,
    /// Names of principals that the directory once knew: they stay managed after their people are gone.
    pub known: BTreeSet<SqlName>,
    /// Axon's own principal and others that the target's administrators keep: given to nobody, never touched.
    pub untouchable: BTreeSet<SqlName>,
    /// Whom names belong to.
    pub identity: Arc<Identity>,
    /// What stands beside the map.
    pub beside: Arc<Beside>,
}

/// What a target ought to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// Principals, roles, memberships and permissions.
    pub graph: Graph,
    /// What may be touched.
    pub scope: Scope,
    /// What is asked for and waits, with reasons, in order.
    pub pending: Vec<Pending>,
    /// The next instant at which this changes by itself.
    pub next_change: Option<OffsetDateTime>,
}

/// The map has no such target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the role map has no target `{0}`")]
pub struct UnknownTarget(pub String);

/// What the target ought to hold now, computed from nothing.
pub fn desired(
    map: &Arc<RoleMap>,
    target: &TargetName,
    directory: &Directory,
    around: &Surroundings,
    now: OffsetDateTime,
) -> Result<Desired, UnknownTarget> {
    let mut evaluator = Evaluator::new(map.clone(), target, around.clone())?;
    evaluator.full(directory, now);
    Ok(evaluator.desired())
}
