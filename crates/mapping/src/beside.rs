//! What stands beside the map: people who are offboarded whatever sources say, and roles that people have for a while.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axon_model::{
    AccessRequest, AccessRequestId, AccessState, Asked, Directory, MeantRecord, SourceId, UserEntry, UserId,
    Whom,
};
use axon_scim::compare::fold;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::map::RoleMap;
use crate::names::{RoleName, TargetName};
use crate::rules::Separation;

/// The accepted requests. Those that wait for somebody, or have ended, are not here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beside {
    requests: BTreeMap<AccessRequestId, AccessRequest>,
    /// Offboardings by folded `userName`.
    by_name: HashMap<String, Vec<AccessRequestId>>,
    /// Both kinds by the SCIM ids of the records that were meant.
    by_id: HashMap<UserId, Vec<AccessRequestId>>,
    /// Offboardings by the source's own ids.
    by_external: HashMap<(SourceId, String), Vec<AccessRequestId>>,
}

/// A role that somebody has for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extra<'b> {
    /// The request.
    pub request: &'b AccessRequest,
    /// The role, as it was asked for.
    pub role: &'b str,
    /// One target, or every one.
    pub target: Option<&'b str>,
}

impl Extra<'_> {
    /// Whether it counts in this target.
    pub fn is_for(&self, target: &TargetName) -> bool {
        self.target.is_none_or(|wanted| wanted == target.as_str())
    }
}

impl Beside {
    /// Those that came into force and did not end.
    pub fn of<'r>(requests: impl Iterator<Item = &'r AccessRequest>) -> Self {
        let mut beside = Self::default();
        for request in requests.filter(|request| request.state == AccessState::InForce) {
            let offboards = request.asked == Asked::Offboard;
            if offboards {
                beside.by_name.entry(fold(&request.whom.user_name)).or_default().push(request.id);
            }
            for MeantRecord { source, id, external_id } in &request.whom.records {
                beside.by_id.entry(*id).or_default().push(request.id);
                if let Some(external_id) = external_id.as_ref().filter(|_| offboards) {
                    let key = (source.clone(), external_id.clone());
                    beside.by_external.entry(key).or_default().push(request.id);
                }
            }
            beside.requests.insert(request.id, request.clone());
        }
        beside
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// All of them, oldest first.
    pub fn requests(&self) -> impl Iterator<Item = &AccessRequest> {
        self.requests.values()
    }

    /// The offboarding that a person is under: by the record, by the source's own id, or by the name. A new name, a new record
    /// and a reactivation do not end it.
    pub fn offboarding(&self, user: &UserEntry) -> Option<&AccessRequest> {
        if self.requests.is_empty() {
            return None;
        }
        let external = user.external_id.as_ref().map(|id| (user.source.clone(), id.to_string()));
        let by_external = external.as_ref().and_then(|key| self.by_external.get(key));
        let by_name = self.by_name.get(&fold(&user.user_name));
        let found = self.by_id.get(&user.id).into_iter().chain(by_external).chain(by_name).flatten();
        found
            .filter_map(|id| self.requests.get(id))
            .filter(|request| request.asked == Asked::Offboard)
            .find(|request| request.whom.source.as_ref().is_none_or(|source| *source == user.source))
    }

    /// Whether somebody who was meant is here: one of the records still is that person's, is active, and under no offboarding.
    pub fn is_here(&self, directory: &Directory, whom: &Whom) -> bool {
        let here = |record: &MeantRecord| {
            let user = directory.user(record.id).filter(|user| user.active && is(record, user));
            user.is_some_and(|user| self.offboarding(user).is_none())
        };
        whom.records.iter().any(here)
    }

    /// The roles that a person has for a while, oldest request first. Somebody else under the record does not come by them.
    pub fn extras<'b>(&'b self, user: &UserEntry, now: OffsetDateTime) -> Vec<Extra<'b>> {
        if self.requests.is_empty() {
            return Vec::new();
        }
        let ids: BTreeSet<AccessRequestId> =
            self.by_id.get(&user.id).into_iter().flatten().copied().collect();
        let live =
            ids.iter().filter_map(|id| self.requests.get(id)).filter(|request| request.in_force_at(now));
        let theirs = live.filter(|request| request.whom.records.iter().any(|record| is(record, user)));
        theirs.filter_map(extra).collect()
    }

    /// The roles that anybody has for a while at this instant.
    pub(crate) fn live(&self, now: OffsetDateTime) -> BTreeSet<AccessRequestId> {
        let live = self.requests.values().filter(|r| r.until.is_some() && r.in_force_at(now));
        live.map(|request| request.id).collect()
    }

    /// The next instant at which one ends by itself.
    pub(crate) fn next_end(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        self.requests.values().filter_map(|request| request.until).filter(|until| *until > now).min()
    }

    /// The people whom these requests are about.
    pub(crate) fn people(&self, ids: &BTreeSet<AccessRequestId>, directory: &Directory) -> BTreeSet<UserId> {
        let requests = || ids.iter().filter_map(|id| self.requests.get(id));
        let mut people: BTreeSet<UserId> =
            requests().flat_map(|request| request.whom.records.iter().map(|record| record.id)).collect();
        if requests().any(|request| request.asked == Asked::Offboard) {
            let theirs = |user: &&UserEntry| self.offboarding(user).is_some_and(|r| ids.contains(&r.id));
            people.extend(directory.users().filter(theirs).map(|user| user.id));
        }
        people
    }

    /// The people for whom `other` says something else.
    pub(crate) fn concerned(&self, other: &Self, directory: &Directory) -> BTreeSet<UserId> {
        let differs = |a: &Self, b: &Self| -> BTreeSet<AccessRequestId> {
            a.requests.iter().filter(|(id, r)| b.requests.get(id) != Some(r)).map(|(id, _)| *id).collect()
        };
        let mut people = self.people(&differs(self, other), directory);
        people.extend(other.people(&differs(other, self), directory));
        people
    }
}

/// Whether this is the person that was meant. Another `externalId` is another person.
pub(crate) fn is(record: &MeantRecord, user: &UserEntry) -> bool {
    let other =
        matches!((&record.external_id, &user.external_id), (Some(meant), Some(now)) if **meant != **now);
    record.id == user.id && record.source == user.source && !other
}

fn extra(request: &AccessRequest) -> Option<Extra<'_>> {
    match &request.asked {
        Asked::Offboard | Asked::Impersonate { .. } => None,
        Asked::Grant { role, target, .. } => Some(Extra { request, role, target: target.as_deref() }),
    }
}

/// A role that a request gives, as an evaluation keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    /// The request.
    pub request: AccessRequestId,
    /// The role.
    pub role: RoleName,
    /// Its number in the target's view; none where it does not count there.
    pub number: Option<usize>,
}

/// What a request gives, or the rule that it would break: a request never takes away what the map gives.
pub(crate) fn let_through<'m>(
    map: &'m RoleMap,
    held: &BTreeSet<&'m RoleName>,
    given: impl Iterator<Item = &'m Given>,
) -> Vec<(&'m Given, Option<&'m Separation>)> {
    let mut all = held.clone();
    let mut sorted: Vec<&Given> = given.collect();
    sorted.sort_by_key(|given| given.request);
    sorted
        .into_iter()
        .map(|given| {
            let mut with = all.clone();
            with.insert(&given.role);
            let broken = map.rules.withheld(&map.roles, &with).1;
            let before = map.rules.withheld(&map.roles, &all).1;
            let new =
                broken.into_iter().find(|rule| !before.contains(rule) || breaks(map, rule, &given.role));
            if new.is_none() {
                all = with;
            }
            (given, new)
        })
        .collect()
}

/// Whether the role is one that a broken rule is about.
fn breaks(map: &RoleMap, broken: &Separation, role: &RoleName) -> bool {
    map.roles.get(role).is_some_and(|spec| !spec.whole.is_disjoint(&broken.roles))
}

/// A request as explanations show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestShown {
    /// The request.
    pub id: AccessRequestId,
    /// Who asked.
    pub by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Why.
    pub reason: String,
    /// Who released it, where that took a second person.
    pub released_by: Option<String>,
    /// When it ends.
    #[serde(with = "time::serde::rfc3339::option")]
    pub until: Option<OffsetDateTime>,
    /// The record that last changed it.
    pub record: axon_model::RecordSeq,
}

impl RequestShown {
    /// What is shown of a request.
    pub fn of(request: &AccessRequest) -> Self {
        Self {
            id: request.id,
            by: request.asking.by.clone(),
            at: request.asking.at,
            reason: request.asking.reason.clone(),
            released_by: request.released.as_ref().map(|said| said.by.clone()),
            until: request.until,
            record: request.record,
        }
    }
}

impl std::fmt::Display for RequestShown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, by, at, reason, released_by, until, record } = self;
        let shown = axon_model::name::shown;
        let instant = |at: &OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
        let at = instant(at);
        write!(f, "request {id} of {}, {at} (record {record}): {}", shown(by), shown(reason))?;
        if let Some(by) = released_by {
            write!(f, "; released by {}", shown(by))?;
        }
        until.as_ref().map_or(Ok(()), |until| write!(f, "; until {}", instant(until)))
    }
}
