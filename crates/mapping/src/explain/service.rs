//! What a service identity of the map holds, and why: it is no person, and no source knows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use axon_model::SqlName;
use serde::Serialize;

use super::in_target::InTarget;
use super::waiting::keeps_all;
use super::{Explainer, NotGiven, RoleExplained, TargetExplained, Way};
use crate::chain::instant;
use crate::map::{RoleMap, is_service};
use crate::names::{RoleName, ServiceName};
use crate::pending::Claimant;
use crate::place::Place;

/// One service identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceExplained {
    /// Its name in the map.
    pub name: ServiceName,
    /// Where it is declared.
    pub place: Place,
    /// Each target in which a mapping gives it something, or almost does.
    pub targets: Vec<TargetExplained>,
}

/// The service identities of a map that are called so, by their name there or by their name in the targets.
pub(super) fn called<'m>(map: &'m RoleMap, who: &str) -> impl Iterator<Item = &'m ServiceName> {
    let (text, principal) = (who.to_owned(), SqlName::parse(who).ok());
    map.services
        .iter()
        .filter(move |(name, service)| name.as_str() == text || principal == Some(service.principal))
        .map(|(name, _)| name)
}

impl Explainer<'_> {
    /// The service identities of this name.
    pub(super) fn services(&self, who: &str) -> Vec<ServiceExplained> {
        called(self.map, who)
            .filter_map(|name| {
                Some(ServiceExplained {
                    name: name.clone(),
                    place: self.map.services.get(name)?.place.clone(),
                    targets: self.targets.iter().filter_map(|target| in_target(target, name)).collect(),
                })
            })
            .collect()
    }
}

fn in_target(target: &InTarget<'_>, name: &ServiceName) -> Option<TargetExplained> {
    let service = target.map.services.get(name)?;
    let me = Claimant::Service { name: name.clone() };
    let (withheld, waits) = target.waiting().concerning(&me).iter().cloned().partition(keeps_all);
    let ways = target.ways_of_service(name);
    let everywhere: BTreeSet<&RoleName> = target
        .map
        .mappings
        .iter()
        .filter(|mapping| is_service(mapping, name) && mapping.holds_at(target.now))
        .flat_map(crate::rule::Mapping::possible)
        .collect();
    let (separated, broken) = target.map.rules.withheld(&target.map.roles, &everywhere);
    let mut not_given: Vec<NotGiven> = Vec::new();
    let mut given: BTreeMap<RoleName, Vec<Way>> = BTreeMap::new();
    for (role, way) in ways {
        if !separated.contains(&role) {
            given.entry(role).or_default().push(way);
            continue;
        }
        let concerned = |spec: &crate::role::RoleSpec| {
            broken.iter().find(|rule| !spec.whole.is_disjoint(&rule.roles)).map(|rule| rule.place.clone())
        };
        let rule = target.map.roles.get(&role).and_then(concerned);
        let why = rule.map_or_else(String::new, |rule| {
            format!("{rule} separates it from what else this identity would hold")
        });
        not_given.push(NotGiven { mapping: way.mapping, roles: vec![role], why, condition: None });
    }
    for mapping in target.map.mappings.iter().filter(|mapping| is_service(mapping, name)) {
        let Some(until) = mapping.until.filter(|until| *until <= target.now) else { continue };
        let roles: Vec<RoleName> = mapping.possible().filter(|role| target.exists(role)).cloned().collect();
        if !roles.is_empty() {
            let why = format!("it ended at {}", instant(until));
            not_given.push(NotGiven { mapping: mapping.place.clone(), roles, why, condition: None });
        }
    }
    let mut roles: Vec<RoleExplained> =
        given.into_iter().map(|(role, ways)| target.role(&role, ways)).collect();
    let held: BTreeSet<&RoleName> = everywhere.into_iter().filter(|role| !separated.contains(role)).collect();
    target.together(&mut roles, &held);
    if roles.is_empty() && not_given.is_empty() {
        return None;
    }
    Some(TargetExplained {
        target: target.spec.name.clone(),
        principal: Some(service.principal),
        sid: service.sid.clone(),
        withheld,
        waits,
        roles,
        not_given,
    })
}

impl fmt::Display for ServiceExplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, place, targets } = self;
        writeln!(f, "service identity {name} ({place})")?;
        if targets.is_empty() {
            writeln!(f, "  no role: no mapping gives it anything")?;
        }
        targets.iter().try_for_each(|target| target.fmt(f))
    }
}
