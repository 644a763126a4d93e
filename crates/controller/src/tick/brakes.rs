//! What looks like everybody leaving and may be a source's mistake: a source in which nobody is active any more, or nobody is in
//! any group; an attribute that conditions use and that nobody has any more.
//!
//! Single leavers go on, and so does whoever was offboarded by a person. Who is out already does not make two of one.

use std::collections::{BTreeMap, BTreeSet};

use axon_mapping::condition::Condition;
use axon_mapping::rule::Who;
use axon_mapping::{RoleMap, TargetName};
use axon_model::{Directory, MemberKind, SourceId, SqlName};
use axon_reconcile::admit::Reason;
use axon_reconcile::{Plan, Step};
use axon_store::{Store, StoreError};
use time::OffsetDateTime;

use crate::world::World;

/// The attributes that conditions of a map use and that somebody of a source had.
#[derive(Debug, Default)]
pub(super) struct Brakes {
    seen: BTreeSet<(SourceId, String)>,
    loaded: bool,
}

/// What stands against steps of this decision.
#[derive(Debug, Default)]
pub(super) struct Braked {
    against: BTreeMap<SqlName, Reason>,
}

impl Braked {
    /// Whether nothing stands against anything.
    pub fn is_empty(&self) -> bool {
        self.against.is_empty()
    }

    /// The reason against a step that takes away.
    pub fn against(&self, step: &Step) -> Option<Reason> {
        self.against.get(&step.subject()).cloned()
    }
}

/// Under which name the store keeps it: no target can be called so.
fn key(target: &str) -> String {
    format!("{target}#attributes")
}

impl Brakes {
    /// Somebody else may have written since.
    pub fn forget(&mut self) {
        self.loaded = false;
    }

    /// Reads what this or another process kept.
    pub async fn load(&mut self, store: &dyn Store, target: &str) -> Result<(), StoreError> {
        if self.loaded {
            return Ok(());
        }
        let kept = store.summary(&key(target)).await?;
        let pairs = kept.as_ref().and_then(|(value, _)| value.as_array()).into_iter().flatten();
        let pair =
            |pair: &serde_json::Value| Some((pair[0].as_str()?.parse().ok()?, pair[1].as_str()?.to_owned()));
        self.seen.extend(pairs.filter_map(pair));
        self.loaded = true;
        Ok(())
    }

    /// What stands against the steps of a plan. `behind` tells the sources behind a principal.
    pub fn look(
        &self,
        world: &World,
        map: &RoleMap,
        target: &TargetName,
        plan: &Plan,
        behind: impl Fn(SqlName) -> BTreeSet<SourceId>,
    ) -> Braked {
        let mut taken: BTreeMap<SourceId, BTreeSet<SqlName>> = BTreeMap::new();
        for step in plan.steps.iter().map(|planned| &planned.step).filter(|step| step.takes()) {
            let name = step.subject();
            if world.is_offboarded(target, name) {
                continue;
            }
            for source in behind(name) {
                taken.entry(source).or_default().insert(name);
            }
        }
        let mut braked = Braked::default();
        let out = out_already(plan);
        let many =
            |names: &BTreeSet<SqlName>| names.iter().filter(|name| !out.contains(*name)).nth(1).is_some();
        // Single ones always go.
        for (source, names) in taken.into_iter().filter(|(_, names)| many(names)) {
            let reason = if uses(map, &source) && is_empty(world.directory(), &source) {
                Some(Reason::SourceEmpty { source: source.to_string() })
            } else {
                self.vanished(world, map, target, &source)
            };
            let Some(reason) = reason else { continue };
            for name in names {
                // Who was deactivated leaves for that reason, whatever else is missing, and who is out is so since before.
                let left_before = out.contains(&name) || world.says_inactive(target, name);
                if matches!(reason, Reason::SourceEmpty { .. }) || !left_before {
                    braked.against.insert(name, reason.clone());
                }
            }
        }
        braked
    }

    /// An attribute that somebody of the source had and nobody has now.
    fn vanished(
        &self,
        world: &World,
        map: &RoleMap,
        target: &TargetName,
        source: &SourceId,
    ) -> Option<Reason> {
        let used = attributes(map, target, source);
        let known =
            used.into_iter().filter(|use_of| self.seen.contains(&(source.clone(), use_of.name.clone())));
        let gone = known.into_iter().find(|use_of| !use_of.anybody(world.directory(), source))?;
        Some(Reason::AttributeGone { source: source.to_string(), attribute: gone.name })
    }

    /// Keeps which attributes are had now. Whoever released their vanishing lets them be forgotten.
    pub async fn keep(
        &mut self,
        store: &dyn Store,
        world: &World,
        map: &RoleMap,
        target: &TargetName,
        settled: bool,
        now: OffsetDateTime,
    ) {
        let mut seen = self.seen.clone();
        let sources: BTreeSet<&SourceId> = map.mappings.iter().filter_map(|m| source_of(&m.who)).collect();
        for source in sources {
            for used in attributes(map, target, source) {
                let anybody = used.anybody(world.directory(), source);
                let pair = (source.clone(), used.name);
                if anybody {
                    seen.insert(pair);
                } else if settled {
                    // Nothing waits on it: what is absent now is the rule from here on.
                    seen.remove(&pair);
                }
            }
        }
        if seen == self.seen {
            return;
        }
        let value = seen.iter().map(|(source, name)| serde_json::json!([source, name])).collect();
        match store.save_summary(&key(target.as_str()), value, now).await {
            Ok(()) => self.seen = seen,
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "which attributes sources send could not be kept"
            ),
        }
    }
}

/// Who was shut out and stripped before: nothing but the end of sessions and of the user itself is planned for them.
fn out_already(plan: &Plan) -> BTreeSet<SqlName> {
    let ends = |step: &&Step| {
        matches!(step, Step::KillSessions { .. } | Step::KillFormer { .. } | Step::DropPrincipal { .. })
    };
    let steps = || plan.steps.iter().map(|planned| &planned.step);
    let mut out: BTreeSet<SqlName> = steps().filter(ends).map(Step::subject).collect();
    if !out.is_empty() {
        for step in steps().filter(|step| !ends(step)) {
            out.remove(&step.subject());
        }
    }
    out
}

fn source_of(who: &Who) -> Option<&SourceId> {
    match who {
        Who::Groups { source, .. } => Some(source),
        Who::Service(_) => None,
    }
}

fn uses(map: &RoleMap, source: &SourceId) -> bool {
    map.mappings.iter().any(|mapping| source_of(&mapping.who) == Some(source))
}

/// Whether nobody of a source is active, or nobody is in a group of it.
pub(super) fn is_empty(directory: &Directory, source: &SourceId) -> bool {
    let active = directory.users().any(|user| user.source == *source && user.active);
    let groups = directory.groups().filter(|group| group.source == *source);
    let mut members = groups.flat_map(|group| directory.members(group.id));
    !active || !members.any(|(member, _)| matches!(member, MemberKind::User(_)))
}

/// An attribute that the map uses, and how it is looked for.
struct Used<'m> {
    name: String,
    has: Box<dyn Fn(&axon_model::UserEntry) -> bool + 'm>,
}

impl Used<'_> {
    /// Whether anybody active of a source has it: the first one that has ends the search.
    fn anybody(&self, directory: &Directory, source: &SourceId) -> bool {
        directory.users().any(|user| user.source == *source && user.active && (self.has)(user))
    }
}

/// The attributes that conditions of a source's mappings use, and what makes names in the target.
fn attributes<'m>(map: &'m RoleMap, target: &TargetName, source: &SourceId) -> Vec<Used<'m>> {
    let mut used: BTreeMap<String, Used<'m>> = BTreeMap::new();
    let mappings = map.mappings.iter().filter(|mapping| source_of(&mapping.who) == Some(source));
    for (name, present) in mappings.filter_map(|mapping| mapping.when.as_ref()).flat_map(Condition::uses) {
        let has = Box::new(move |user: &axon_model::UserEntry| present.holds(user));
        used.entry(name.clone()).or_insert(Used { name: name.clone(), has });
    }
    if let Some(spec) = map.targets.get(target) {
        let name = format!("principal of {target}");
        let has = Box::new(move |user: &axon_model::UserEntry| spec.principal.over_user(user).is_ok());
        used.insert(name.clone(), Used { name, has });
    }
    used.into_values().collect()
}
