//! Asking for something beside the map: who is meant, and whether the map lets it be asked for. The command line and the operators'
//! API ask alike.

mod acting;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_mapping::explain::{Question, explain};
use axon_mapping::guards::{NoGrant, may_be_given};
use axon_mapping::{RoleMap, RoleName, TargetName};
use axon_model::name::shown;
use axon_model::{
    AccessRequest, AccessRequestId, AccessState, Asked, MeantRecord, SourceId, UserEntry, Whom,
};
use axon_scim::compare::fold;
use axon_scim::nearest::nearest;
use axon_store::NewAccessRequest;
use time::{Duration, OffsetDateTime};

use crate::world::World;

pub use acting::{ActWish, impersonation, unread};

/// How long a role for a while waits for a second person at most.
const WAITS: Duration = Duration::days(1);
/// The longest user name, in bytes, as sources may push it.
const LONGEST_NAME: usize = 1_024;
/// The longest reason, in characters.
const LONGEST_REASON: usize = 1_000;

/// Why something is not asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAsked {
    /// A text that cannot be kept.
    #[error("{what} {why}")]
    Malformed {
        /// Which.
        what: &'static str,
        /// What is wrong.
        why: &'static str,
    },
    /// Nobody has the name.
    #[error("no source knows {user}{near}")]
    Unknown {
        /// As it was typed.
        user: String,
        /// The nearest name.
        near: String,
    },
    /// The name does not say who is meant.
    #[error("several sources know {user}: say which source ({sources})")]
    Several {
        /// As it was typed.
        user: String,
        /// Which know it.
        sources: String,
    },
    /// The person can be given nothing.
    #[error("{user} {why}")]
    Nothing {
        /// As it was typed.
        user: String,
        /// Why.
        why: String,
    },
    /// The map has no such target.
    #[error("the role map names no target {target}; it names: {known}")]
    NoTarget {
        /// As it was typed.
        target: String,
        /// Those that it has.
        known: String,
    },
    /// The map does not allow it.
    #[error(transparent)]
    NoGrant(#[from] NoGrant),
}

/// A reason as it may stand in the journal.
pub fn reason(text: &str) -> Result<String, NotAsked> {
    let wrong = |why| NotAsked::Malformed { what: "the reason", why };
    let text = text.trim();
    if text.is_empty() {
        return Err(wrong("is empty: say it in a few words"));
    }
    if text.chars().count() > LONGEST_REASON {
        return Err(wrong("is over 1000 characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(wrong("holds a control character"));
    }
    Ok(text.to_owned())
}

fn user_name(text: &str) -> Result<&str, NotAsked> {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST_NAME || text.chars().any(char::is_control) {
        let why = "is empty, over 1024 bytes, or holds a control character";
        return Err(NotAsked::Malformed { what: "the user name", why });
    }
    Ok(text)
}

/// The records with this user name, in one source or in all.
pub fn called<'w>(world: &'w World, user: &str, source: Option<&SourceId>) -> Vec<&'w UserEntry> {
    let wanted = fold(user.trim());
    let theirs = |entry: &&UserEntry| {
        source.is_none_or(|source| *source == entry.source) && fold(&entry.user_name) == wanted
    };
    world.directory().users().filter(theirs).collect()
}

/// With the nearest name, since a mistyped one must not look like a person who is gone.
fn unknown(world: &World, user: &str) -> NotAsked {
    let near = nearest(user, world.directory().users().map(|entry| &*entry.user_name));
    let near = near.map(|near| format!(": did you mean {}?", shown(near))).unwrap_or_default();
    NotAsked::Unknown { user: shown(user), near }
}

fn whom(user: &str, source: Option<SourceId>, records: &[&UserEntry]) -> Whom {
    let record = |entry: &&UserEntry| MeantRecord {
        source: entry.source.clone(),
        id: entry.id,
        external_id: entry.external_id.as_deref().map(str::to_owned),
    };
    Whom { user_name: user.to_owned(), source, records: records.iter().map(record).collect() }
}

/// What became of a wish to shut somebody out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offboarding {
    /// It is to be kept.
    New(Box<NewAccessRequest>),
    /// It stands already.
    Stands(AccessRequestId),
}

/// Shuts somebody out, in one source or in all. `yet_unknown`: also where nobody has the name.
pub fn offboarding(
    world: &World,
    user: &str,
    source: Option<SourceId>,
    yet_unknown: bool,
    reason: String,
) -> Result<Offboarding, NotAsked> {
    let user = user_name(user)?;
    let known = offboardings(world, user, source.as_ref());
    if let Some(request) = known.iter().find(|request| request.whom.source == source) {
        return Ok(Offboarding::Stands(request.id));
    }
    let records = called(world, user, source.as_ref());
    if records.is_empty() && !yet_unknown {
        return Err(unknown(world, user));
    }
    let whom = whom(user, source, &records);
    let asked = Asked::Offboard;
    let new =
        NewAccessRequest { asked, whom, reason, second_person: false, waits_until: None, refused: None };
    Ok(Offboarding::New(Box::new(new)))
}

/// The offboardings that somebody is under, by name or by record.
pub fn offboardings(world: &World, user: &str, source: Option<&SourceId>) -> Vec<AccessRequest> {
    let (wanted, records) = (fold(user.trim()), called(world, user, source));
    let theirs = |request: &&AccessRequest| {
        let named = fold(&request.whom.user_name) == wanted;
        let meant = request.whom.records.iter().any(|of| records.iter().any(|record| record.id == of.id));
        let here = source.is_none() || request.whom.source.as_ref() == source;
        request.asked == Asked::Offboard && request.state == AccessState::InForce && (named || meant) && here
    };
    world.beside().requests().filter(theirs).cloned().collect()
}

/// A role for a while, as it is asked for.
#[derive(Debug, Clone)]
pub struct Wish<'a> {
    /// The person's user name.
    pub user: &'a str,
    /// The person's source, where several know the name.
    pub source: Option<&'a SourceId>,
    /// The role of the map.
    pub role: &'a str,
    /// One target, or all.
    pub target: Option<&'a str>,
    /// For how long.
    pub length: std::time::Duration,
    /// Why.
    pub reason: String,
}

/// A role for a while, if the map lets the person have it.
pub fn grant(
    map: &Arc<RoleMap>,
    world: &World,
    wish: Wish<'_>,
    now: OffsetDateTime,
) -> Result<NewAccessRequest, NotAsked> {
    let user = user_name(wish.user)?;
    let record = one(world, user, wish.source)?;
    let target = wish.target.map(|named| target(map, named)).transpose()?;
    let length = Duration::try_from(wish.length).unwrap_or(Duration::MAX);
    let role = allowed(map, world, record, wish.role, target, length, now)?;
    Ok(NewAccessRequest {
        asked: Asked::Grant {
            role: role.to_string(),
            target: target.map(ToString::to_string),
            seconds: wish.length.as_secs(),
        },
        whom: whom(user, Some(record.source.clone()), &[record]),
        reason: wish.reason,
        second_person: map.guards.break_glass.second_person,
        waits_until: Some(now + WAITS),
        refused: None,
    })
}

/// The one person who is meant.
fn one<'w>(world: &'w World, user: &str, source: Option<&SourceId>) -> Result<&'w UserEntry, NotAsked> {
    let records = called(world, user, source);
    let record = match records.as_slice() {
        [] => return Err(unknown(world, user)),
        [one] => *one,
        several => {
            let sources: Vec<&str> = several.iter().map(|record| record.source.as_str()).collect();
            return Err(NotAsked::Several { user: shown(user), sources: sources.join(", ") });
        }
    };
    let nothing = |why: String| Err(NotAsked::Nothing { user: shown(user), why });
    if !record.active {
        return nothing("is not active: nothing can be given".to_owned());
    }
    if world.identity().strangers.contains(&record.id) {
        return nothing("is not who was known by that name: a hold has to be released first".to_owned());
    }
    if let Some(request) = world.beside().offboarding(record) {
        return nothing(format!("is offboarded by request {}", request.id));
    }
    Ok(record)
}

fn target<'m>(map: &'m RoleMap, named: &str) -> Result<&'m TargetName, NotAsked> {
    let known = || map.targets.keys().map(TargetName::as_str).collect::<Vec<_>>().join(", ");
    let found = map.targets.keys().find(|name| name.as_str() == named);
    found.ok_or_else(|| NotAsked::NoTarget { target: shown(named), known: known() })
}

/// Whether the map lets this person have this role for this long.
fn allowed<'m>(
    map: &'m Arc<RoleMap>,
    world: &World,
    record: &UserEntry,
    role: &str,
    target: Option<&TargetName>,
    length: Duration,
    now: OffsetDateTime,
) -> Result<&'m RoleName, NotAsked> {
    let (identity, beside) = (world.identity(), world.beside());
    let id = record.id.to_string();
    let question = Question { who: &id, target: None, identity, around: &BTreeMap::new(), beside };
    let explained = explain(map, world.directory(), question, now);
    let targets = || explained.people.iter().flat_map(|person| &person.targets);
    let held: BTreeSet<&RoleName> = targets()
        .flat_map(|target| &target.roles)
        .filter_map(|role| map.roles.get_key_value(&role.role).map(|(name, _)| name))
        .collect();
    let protected = map.guards.protected(now);
    let mut there = targets().filter(|explained| target.is_none_or(|target| *target == explained.target));
    // What is given to somebody who is protected could not be taken away.
    if let Some(name) = there.find_map(|target| target.principal.filter(|name| protected.contains(name))) {
        return Err(NoGrant::Protected { name }.into());
    }
    Ok(may_be_given(map, role, target, length, &held, now)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_said_in_words() {
        assert_eq!(reason(" rehired ").unwrap(), "rehired");
        for bad in ["", "  ", "a\nb", &"x".repeat(1_001)] {
            assert!(reason(bad).is_err(), "{bad:?}");
        }
    }
}
