//! Whom names of the role map mean: object ids, found by what the map pins or by what Graph says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_model::SqlName;
use axon_reconcile::{Graph, Membership, Principal, PrincipalKind, Shared, Sid};
use futures_util::StreamExt as _;
use time::{Duration, OffsetDateTime};

use super::identities::{Identified, Identities};
use crate::entra::{Clue, Entra, Entry, EntryKind, Found, ServiceIds, gone};
use crate::guid::Guid;
use crate::service::{Kind, ServiceFault};

/// How many names are looked for at the same time.
const AT_ONCE: usize = 8;
/// When a name that was found is looked for again, and one that was not.
const AGAIN: Duration = Duration::hours(1);
const SOON: Duration = Duration::minutes(1);
/// The same where Graph gave no answer and did not say when it will.
const RETRY: Duration = Duration::seconds(5);

/// Somebody whom the directory has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) id: Guid,
    pub(crate) kind: EntryKind,
}

/// Somebody of the role map.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) kind: PrincipalKind,
    pub(super) pin: Option<Sid>,
    /// Whom it means, or why that is not known.
    pub(super) who: Result<Who, String>,
    at: OffsetDateTime,
    /// When Graph said so; none where it was not asked, and the role map alone says it.
    said: Option<OffsetDateTime>,
    /// Graph gave no answer: what it said before still counts.
    unanswered: bool,
}

/// Everybody of the role map whom this target is to know.
#[derive(Debug, Default)]
pub(super) struct Roster {
    pub(super) people: BTreeMap<SqlName, Person>,
    pub(super) roles: BTreeSet<SqlName>,
    pub(super) members: Shared<BTreeSet<Membership>>,
    by_id: BTreeMap<Guid, SqlName>,
    /// Counts what was learnt of people.
    version: u64,
}

/// What has to be looked up for a new roster.
pub(super) struct Wanted {
    people: Vec<(SqlName, PrincipalKind, Option<Sid>)>,
    roles: BTreeSet<SqlName>,
    members: Shared<BTreeSet<Membership>>,
}

impl Roster {
    /// What of a desired side is not known yet at `now`; none where all of it is.
    pub(super) fn lacks(&self, desired: &Graph, now: OffsetDateTime) -> Option<Wanted> {
        let stale = |name: &SqlName, principal: &Principal| match self.people.get(name) {
            Some(known) if known.kind == principal.kind && known.pin == principal.sid => {
                let age = if known.who.is_ok() { AGAIN } else { SOON };
                now - known.at >= age
            }
            _ => true,
        };
        let people: Vec<_> = desired
            .principals
            .iter()
            .filter(|(name, principal)| stale(name, principal))
            .map(|(name, principal)| (*name, principal.kind, principal.sid.clone()))
            .collect();
        let same = people.is_empty()
            && self.members == desired.members
            && self.people.len() == desired.principals.len()
            && desired.roles.keys().all(|role| self.roles.contains(role));
        if same {
            return None;
        }
        let roles = desired.members.iter().map(|m| m.role).chain(desired.roles.keys().copied()).collect();
        Some(Wanted { people, roles, members: desired.members.clone() })
    }

    /// The roster after the look-up. True where the actual side is to be written with other names than before.
    pub(super) fn take(&mut self, desired: &Graph, wanted: Wanted, found: Vec<(SqlName, Person)>) -> bool {
        let (before, known) = (std::mem::take(&mut self.by_id), self.people.len());
        let roles_before = std::mem::replace(&mut self.roles, wanted.roles);
        self.members = wanted.members;
        self.people.retain(|name, _| desired.principals.contains_key(name));
        if !found.is_empty() || self.people.len() < known {
            self.version += 1;
        }
        for (name, mut person) in found {
            let before = self.people.get(&name).filter(|b| b.kind == person.kind && b.pin == person.pin);
            if let (true, Some(Person { who: Ok(who), said, .. })) = (person.unanswered, before) {
                (person.who, person.said) = (Ok(*who), *said);
                // It is asked again soon.
                person.at -= AGAIN - SOON;
            }
            self.people.insert(name, person);
        }
        let mut doubles = Vec::new();
        for (name, person) in &self.people {
            let Ok(who) = &person.who else { continue };
            if let Some(first) = self.by_id.get(&who.id) {
                doubles.push((*name, format!("{name} is the same object of the directory as {first}")));
            } else {
                self.by_id.insert(who.id, *name);
            }
        }
        for (name, why) in doubles {
            if let Some(person) = self.people.get_mut(&name) {
                person.who = Err(why);
            }
        }
        self.by_id != before || self.roles != roles_before
    }

    /// The role map's name for an object.
    pub(super) fn name_of(&self, id: Guid) -> Option<SqlName> {
        self.by_id.get(&id).copied()
    }

    /// Whom a name means.
    pub(super) fn who(&self, name: SqlName) -> Option<&Result<Who, String>> {
        self.people.get(&name).map(|person| &person.who)
    }

    /// Counts on whenever something was learnt of somebody.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Everybody with the object id and when Graph said it, as it is written down.
    pub(super) fn identities(&self) -> serde_json::Value {
        let all = self.people.iter().map(|(name, person)| {
            let (found, why) = match &person.who {
                Ok(who) => (Some(*who), None),
                Err(why) => (None, Some(why.clone())),
            };
            Identified {
                name: name.to_string(),
                object_id: found.map(|who| who.id.to_string()),
                kind: found.map(|who| who.kind.word().to_owned()),
                said: person.said,
                why,
            }
        });
        Identities::of(all, self.people.len()).to_value()
    }

    /// Says that the directory does not know somebody after all, so that the next look asks again.
    pub(super) fn doubt(&mut self, name: SqlName) {
        if let Some(person) = self.people.get_mut(&name) {
            person.at -= AGAIN;
        }
    }
}

/// Looks up whom names mean.
pub(super) async fn look_up(
    entra: Option<&Arc<Entra>>,
    services: &BTreeMap<SqlName, ServiceIds>,
    wanted: &Wanted,
    now: OffsetDateTime,
) -> Vec<(SqlName, Person)> {
    let mut denied = None;
    if let Some(entra) = entra {
        // One request for all that are pinned; what it finds is kept there.
        let pinned: BTreeSet<Guid> =
            wanted.people.iter().filter_map(|(_, _, pin)| Guid::of_sid(pin.as_ref()?)).collect();
        if !pinned.is_empty()
            && let Err(fault) = entra.by_ids(&pinned).await
        {
            denied = Some(fault);
        }
    }
    let mut looks = futures_util::stream::FuturesUnordered::new();
    let mut found = Vec::with_capacity(wanted.people.len());
    for (name, kind, pin) in wanted.people.iter().cloned() {
        if looks.len() >= AT_ONCE {
            found.extend(looks.next().await);
        }
        let service = services.get(&name).filter(|_| kind == PrincipalKind::External).cloned();
        let whom = Whom { name, kind, pin, service };
        looks.push(look_up_one(entra.cloned(), denied.clone(), whom, now));
    }
    while let Some(one) = looks.next().await {
        found.push(one);
    }
    found
}

/// Whom it is looked for.
struct Whom {
    name: SqlName,
    kind: PrincipalKind,
    pin: Option<Sid>,
    /// What the role map says of it, where it is a service identity.
    service: Option<ServiceIds>,
}

async fn look_up_one(
    entra: Option<Arc<Entra>>,
    denied: Option<ServiceFault>,
    whom: Whom,
    now: OffsetDateTime,
) -> (SqlName, Person) {
    let looked = match (entra, denied) {
        (Some(_), Some(fault)) => Err(fault),
        (Some(entra), None) => with_graph(&entra, &whom).await.map(|who| {
            let said = who.as_ref().ok().and_then(|who| entra.said_at(who.id));
            (who, Some(said.unwrap_or(now)))
        }),
        (None, _) => Ok((without_graph(&whom, "the configuration turns Graph off"), None)),
    };
    let (mut unanswered, mut at) = (false, now);
    let (looked, said) = match looked {
        Ok((who, said)) => (Ok(who), said),
        Err(fault) => (Err(fault), None),
    };
    let who = looked.unwrap_or_else(|fault| {
        if fault.kind() == Some(Kind::Forbidden) {
            return without_graph(&whom, &fault.to_string());
        }
        unanswered = true;
        at -= SOON - pause(&fault);
        Err(format!("{} could not be looked for: {fault}", whom.name))
    });
    let Whom { name, kind, pin, .. } = whom;
    (name, Person { kind, pin, who, at, said, unanswered })
}

/// How long Graph is left alone about a name that it gave no answer to.
fn pause(fault: &ServiceFault) -> Duration {
    match fault {
        ServiceFault::Hasty { wait, .. } => Duration::try_from(*wait).unwrap_or(SOON).clamp(RETRY / 5, SOON),
        _ => RETRY,
    }
}

fn clue(name: SqlName, kind: PrincipalKind) -> Clue {
    let text = name.as_str().to_owned();
    match kind {
        PrincipalKind::ExternalGroup => Clue::Group(text),
        _ if text.contains('@') => Clue::Person(text),
        _ => Clue::Service(text),
    }
}

/// Whom Graph says a name means, or why nobody; an error is that it said nothing.
async fn with_graph(entra: &Entra, whom: &Whom) -> Result<Result<Who, String>, ServiceFault> {
    let Whom { name, kind, pin, service } = whom;
    let (name, kind) = (*name, *kind);
    if let Some(ids) = service {
        let found = entra.identify(ids).await?;
        return Ok(found.map(|entry| Who { id: entry.id, kind: entry.kind }));
    }
    let found = match pin.as_ref().and_then(Guid::of_sid) {
        None => {
            let clue = clue(name, kind);
            let (found, _) = entra.find(&clue).await?;
            found.usable(&clue).cloned()
        }
        Some(id) => {
            if let Some(object) = pinned(entra, kind, id).await? {
                object.usable(name).map(|()| object)
            } else {
                let deleted = entra.deleted(id).await?;
                Err(format!("{name} is said to have the id {id}, {}", gone(deleted.as_ref())))
            }
        }
    };
    Ok(found.and_then(|entry| {
        let group = entry.kind == EntryKind::Group;
        if group != (kind == PrincipalKind::ExternalGroup) {
            return Err(format!("{name} is another kind of object in the directory: {}", entry.told()));
        }
        Ok(Who { id: entry.id, kind: entry.kind })
    }))
}

/// The object of an id. A service identity is pinned by its client id, which no role assignment takes.
async fn pinned(entra: &Entra, kind: PrincipalKind, id: Guid) -> Result<Option<Entry>, ServiceFault> {
    let known = entra.by_ids(&BTreeSet::from([id])).await?;
    if let Some(Some(entry)) = known.get(&id) {
        return Ok(Some(entry.clone()));
    }
    if kind != PrincipalKind::External {
        return Ok(None);
    }
    Ok(match entra.find(&Clue::Client(id)).await?.0 {
        Found::One(object) => Some(object),
        Found::Nobody | Found::Deleted(_) | Found::Several(_) => None,
    })
}

/// What the role map alone tells.
fn without_graph(whom: &Whom, reason: &str) -> Result<Who, String> {
    let Whom { name, kind, pin, service } = whom;
    if let Some(id) = service.as_ref().and_then(|ids| ids.object_id) {
        return Ok(Who { id, kind: EntryKind::ServicePrincipal });
    }
    let Some(id) = pin.as_ref().and_then(Guid::of_sid) else {
        return Err(format!(
            "the object id of {name} is not known, since {reason}; say `object_id` in the role map"
        ));
    };
    match kind {
        PrincipalKind::ExternalGroup => Ok(Who { id, kind: EntryKind::Group }),
        // Of a service identity the role map knows the client id, which is not the object id.
        _ if service.is_some() || !name.as_str().contains('@') => Err(format!(
            "of {name} only the client id is known and role assignments want the object id: say `object_id` in the role map, or let Axon ask Graph: {reason}"
        )),
        _ => Ok(Who { id, kind: EntryKind::User }),
    }
}

#[cfg(test)]
mod tests {
    use axon_reconcile::Connect;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_name_without_an_answer_is_looked_for_when_graph_may_be_asked_again() {
        let hasty = |seconds| ServiceFault::Hasty {
            service: "Microsoft Graph",
            wait: std::time::Duration::from_secs(seconds),
        };
        assert_eq!(pause(&hasty(0)), Duration::SECOND);
        assert_eq!(pause(&hasty(7)), Duration::seconds(7));
        assert_eq!(pause(&hasty(600)), SOON, "the pace itself keeps the rest");
        assert_eq!(pause(&ServiceFault::Unreadable("half a page".into())), RETRY);

        let now = datetime!(2026-11-22 12:00 UTC);
        let kim = SqlName::parse("kim@acme.com").unwrap();
        let kind = PrincipalKind::External;
        let mut desired = Graph::default();
        let principal = Principal { kind, sid: None, connect: Connect::Granted, created: None };
        desired.principals.insert(kim, principal);
        let mut roster = Roster::default();
        let wanted = roster.lacks(&desired, now).unwrap();
        let who = Err("kim@acme.com could not be looked for".into());
        let unanswered = Person {
            kind,
            pin: None,
            who,
            at: now - (SOON - pause(&hasty(7))),
            said: None,
            unanswered: true,
        };
        roster.take(&desired, wanted, vec![(kim, unanswered)]);
        assert!(roster.lacks(&desired, now + Duration::seconds(6)).is_none());
        assert!(roster.lacks(&desired, now + Duration::seconds(7)).is_some());
    }
}
