//! Asking to read secure views as another person.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_audit::NewRecord;
use axon_audit::payload::{ActClear, OperatorAct};
use axon_mapping::acting::{NoActing, Side, may_act};
use axon_mapping::explain::{Question, explain};
use axon_mapping::{RoleMap, RoleName, TargetName};
use axon_model::name::shown;
use axon_model::{Asked, SourceId, SqlName, UserEntry};
use axon_store::{Act, NewAccessRequest, Store, StoreError};
use time::{Duration, OffsetDateTime};

use super::{NotAsked, WAITS, one, target, user_name, whom};
use crate::world::World;

/// What stands in the journal where the map wants no reason and none is said.
const NO_REASON: &str = "no reason was said";
/// How much of a name that means nobody is put on record, in characters.
const SHOWN: usize = 128;

/// As whom, as it is asked for.
#[derive(Debug, Clone)]
pub struct ActWish<'a> {
    /// The user name of whoever acts.
    pub actor: &'a str,
    /// The user name of the person acted as.
    pub person: &'a str,
    /// The source of both, where several know the names.
    pub source: Option<&'a SourceId>,
    /// The target; the one where people act as others, if there is only one and none is said.
    pub target: Option<&'a str>,
    /// The one session of the target in which it is to hold, where the target's sessions have no context.
    pub session: Option<&'a str>,
    /// For how long.
    pub length: std::time::Duration,
    /// Why.
    pub reason: Option<String>,
}

/// What is to be kept of it. Where the map does not allow it that is a refusal, with both persons and the reason: it is kept to be
/// told, and never counts.
pub fn impersonation(
    map: &Arc<RoleMap>,
    world: &World,
    wish: ActWish<'_>,
    now: OffsetDateTime,
) -> Result<NewAccessRequest, NotAsked> {
    let (actor, person) = (user_name(wish.actor)?, user_name(wish.person)?);
    let (mine, theirs) = (one(world, actor, wish.source)?, one(world, person, wish.source)?);
    let session = wish.session.map(session).transpose()?;
    let target = match wish.target {
        Some(named) => target(map, named)?,
        None => only_one(map)?,
    };
    let length = Duration::try_from(wish.length).unwrap_or(Duration::MAX);
    let (one, other) = (roles(map, world, mine, target, now), roles(map, world, theirs, target, now));
    let (words, other_words) = (shown(actor), shown(person));
    let judged = side(&words, &one, target).and_then(|one| {
        let other = side(&other_words, &other, target)?;
        let by = may_act(map, target, one, other, now)?;
        if length > by.longest || length <= Duration::ZERO {
            return Err(NoActing::TooLong { asked: length, longest: by.longest });
        }
        Ok(by)
    });
    // Whoever wished to act is on record whatever the refusal is for, so that also a missing reason is one.
    let judged = judged.map_err(|no| no.to_string()).and_then(|by| {
        if by.reason_required && wish.reason.is_none() {
            return Err("the reason is missing: the map wants one for acting as another".to_owned());
        }
        Ok(by)
    });
    Ok(NewAccessRequest {
        asked: Asked::Impersonate {
            person: whom(person, Some(theirs.source.clone()), &[theirs]),
            target: target.to_string(),
            seconds: wish.length.as_secs(),
            session,
        },
        whom: whom(actor, Some(mine.source.clone()), &[mine]),
        reason: wish.reason.unwrap_or_else(|| NO_REASON.to_owned()),
        second_person: judged.as_ref().is_ok_and(|by| by.second_person),
        waits_until: Some(now + WAITS),
        refused: judged.err(),
    })
}

/// Puts on record that somebody wished to act as another in words that cannot be read or mean nobody, so that no request of it could be
/// kept: who asked, as whom, and why it is none.
pub async fn unread(
    store: &dyn Store,
    act: Act,
    (actor, person): (&str, &str),
    why: &str,
) -> Result<(), StoreError> {
    let named = |name: &str| shown(&name.chars().take(SHOWN).collect::<String>());
    let words = format!("{} wished to read as {}: {why}", named(actor), named(person));
    let payload = OperatorAct { act: "impersonation-unread".to_owned(), clear: ActClear { words } };
    let record = NewRecord::of(&act.ids, act.now, act.actor, payload)
        .map_err(|error| StoreError::unavailable("record a request to act as another", error))?;
    store.append(vec![record], None).await.map(drop)
}

/// A session's id, as `SESSION_ID()` of a dedicated pool writes it.
fn session(text: &str) -> Result<String, NotAsked> {
    let text = text.trim().to_ascii_uppercase();
    let digits = text.strip_prefix("SID").unwrap_or_default();
    if digits.is_empty() || digits.len() > 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let why = "is none: SELECT SESSION_ID() in it says which it is, as SID1234";
        return Err(NotAsked::Malformed { what: "the session", why });
    }
    Ok(text)
}

/// The name and the roles that somebody has in a target.
type There = (Option<SqlName>, BTreeSet<RoleName>);

fn side<'a>(name: &'a str, there: &'a There, target: &TargetName) -> Result<Side<'a>, NoActing> {
    let nobody = || NoActing::Nobody { person: name.to_owned(), target: target.clone() };
    Ok(Side { name, principal: there.0.ok_or_else(nobody)?, roles: &there.1 })
}

fn roles(
    map: &Arc<RoleMap>,
    world: &World,
    record: &UserEntry,
    target: &TargetName,
    now: OffsetDateTime,
) -> There {
    let (identity, beside) = (world.identity(), world.beside());
    let id = record.id.to_string();
    let question = Question { who: &id, target: Some(target), identity, around: &BTreeMap::new(), beside };
    let explained = explain(map, world.directory(), question, now);
    let there = explained.people.iter().flat_map(|person| &person.targets).find(|t| t.target == *target);
    there.map_or((None, BTreeSet::new()), |there| {
        (there.principal, there.roles.iter().map(|role| role.role.clone()).collect())
    })
}

fn only_one(map: &RoleMap) -> Result<&TargetName, NotAsked> {
    let mut with = map.targets.values().filter(|target| target.metadata.impersonation.is_some());
    match (with.next(), with.next()) {
        (Some(one), None) => Ok(&one.name),
        (None, _) => Err(NotAsked::Malformed {
            what: "the role map",
            why: "lets nobody act as another: no role of it says `impersonate`",
        }),
        (Some(_), Some(_)) => Err(NotAsked::Malformed {
            what: "the target",
            why: "is missing: people act as others in several",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_named_as_a_pool_names_it() {
        assert_eq!(session(" sid1234 ").unwrap(), "SID1234");
        for bad in ["", "1234", "SID", "SIDx", "SID12'", "SID123456789012345678901"] {
            assert!(session(bad).is_err(), "{bad}");
        }
    }
}
