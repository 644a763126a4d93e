//! What one person, group or service identity asks for in one target.

use std::collections::BTreeSet;
use std::sync::Arc;

use axon_model::{AccessRequestId, Directory, GroupId, MemberKind, SqlName, UserEntry};
use axon_reconcile::Sid;
use time::OffsetDateTime;

use crate::beside::{self, Beside};
use crate::given::Person;
use crate::identity::Identity;
use crate::map::RoleMap;
use crate::names::{RoleName, ServiceName};
use crate::rule::Gives;
use crate::selection::{Selection, Within, closure};
use crate::target::{TargetSpec, Via};
use crate::view::{GivesHere, View};

/// What somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The principal's name, or why there is none.
    pub name: Result<SqlName, NoName>,
    /// The security id, where it is known.
    pub sid: Option<Sid>,
    /// Numbers of roles of the [`View`], ascending.
    pub roles: Box<[usize]>,
    /// Whether the source says that the person is not active.
    pub inactive: bool,
    /// Whether somebody else was known under the name: what is asked for waits for a release.
    pub stranger: bool,
    /// Roles that a rule of separation is about, in whatever target.
    pub separable: Box<[RoleName]>,
    /// What tells that this is the same person as one of another source.
    pub join: Option<Arc<str>>,
    /// The request by which the person is shut out, whatever sources say.
    pub offboarded: Option<AccessRequestId>,
    /// Roles that requests give, in whatever target.
    pub extras: Box<[beside::Given]>,
}

impl Standing {
    /// Whether anything is asked for.
    pub fn asks(&self) -> bool {
        !self.roles.is_empty() || self.extras.iter().any(|given| given.number.is_some())
    }
}

/// Why somebody has no name in a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoName {
    /// The text that it would be made of, and what is wrong with it.
    Refused(String, String),
    /// The source may not speak for it.
    Outside(SqlName),
}

/// The name that a template's text makes in a pool.
pub(crate) fn principal_name(filled: Result<String, &str>) -> Result<SqlName, (String, String)> {
    let text = filled.map_err(|hole| (format!("{{{hole}}}"), format!("{hole} is absent")))?;
    // T-SQL keeps the backslash for Windows names, which no Entra principal has.
    if text.contains('\\') {
        return Err((text, "a backslash cannot stand in the name of an Entra principal".into()));
    }
    SqlName::parse(&text).map_err(|e| (text, e.to_string()))
}

fn sid(filled: Option<Result<String, &str>>) -> Option<Sid> {
    Sid::from_object_id(&filled?.ok()?)
}

/// The name that a user's source gives, as far as it may.
fn name_of_user(target: &TargetSpec, identity: &Identity, user: &UserEntry) -> Result<SqlName, NoName> {
    let name = principal_name(target.principal.over_user(user))
        .map_err(|(text, reason)| NoName::Refused(text, reason))?;
    if identity.may_name(&user.source, name) { Ok(name) } else { Err(NoName::Outside(name)) }
}

/// What everybody's standing depends on.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    pub map: &'a RoleMap,
    pub target: &'a TargetSpec,
    pub view: &'a View,
    pub selection: &'a Selection,
    pub identity: &'a Identity,
    pub beside: &'a Beside,
    pub directory: &'a Directory,
    pub now: OffsetDateTime,
}

/// What a user asks for. An inactive one asks for nothing, and still has a name.
pub(crate) fn of_user(look: Look<'_>, user: &UserEntry) -> Standing {
    of_user_in(look, user, || closure(look.directory, MemberKind::User(user.id)))
}

/// The same, where the user's groups are found by `within`.
pub(crate) fn of_user_in(look: Look<'_>, user: &UserEntry, within: impl FnOnce() -> Within) -> Standing {
    let Look { target, identity, beside, .. } = look;
    let offboarded = beside.offboarding(user).map(|request| request.id);
    let active = user.active && offboarded.is_none();
    let (roles, separable) = if active { given(look, user, &within()) } else { Default::default() };
    Standing {
        name: name_of_user(target, identity, user),
        sid: sid(target.object_id.as_ref().map(|t| t.over_user(user))),
        roles,
        inactive: !active,
        stranger: identity.strangers.contains(&user.id),
        separable,
        join: identity.join_key(user),
        offboarded,
        extras: if active { extras(look, user) } else { Box::default() },
    }
}

/// The roles that requests give to an active user.
fn extras(look: Look<'_>, user: &UserEntry) -> Box<[beside::Given]> {
    let Look { map, target, view, beside, now, .. } = look;
    let given = |extra: beside::Extra<'_>| {
        let (role, _) = map.roles.get_key_value(extra.role)?;
        let number = if extra.is_for(&target.name) { view.number(role) } else { None };
        Some(beside::Given { request: extra.request.id, role: role.clone(), number })
    };
    beside.extras(user, now).into_iter().filter_map(given).collect()
}

/// The numbers of the roles that mappings give to an active user here, and the roles that rules of separation are about.
fn given(look: Look<'_>, user: &UserEntry, within: &Within) -> (Box<[usize]>, Box<[RoleName]>) {
    let Look { map, view, selection, now, .. } = look;
    let mut roles: Vec<usize> = Vec::new();
    let mut separable: BTreeSet<&RoleName> = BTreeSet::new();
    let person = Person::new(user);
    for number in selection.candidates(within) {
        let (mapping, here) = (&map.mappings[number], view.gives(number));
        // Where rules separate roles, what a person holds in other targets counts too.
        if !mapping.separated && matches!(here, GivesHere::Nothing) {
            continue;
        }
        if selection.lets_in(mapping, number, &person, within, now).is_err() {
            continue;
        }
        let captured = || selection.captured(number, within).map(|(_, role)| role);
        match here {
            GivesHere::Nothing => {}
            GivesHere::Roles(numbers) => roles.extend(numbers),
            GivesHere::Captured => roles.extend(captured().filter_map(|role| view.number(role))),
        }
        if mapping.separated {
            let concern = |role: &&RoleName| map.rules.concern(&map.roles, role);
            match &mapping.gives {
                Gives::Roles(given) => separable.extend(given.iter().filter(concern)),
                Gives::Captured { .. } => separable.extend(captured().filter(concern)),
            }
        }
    }
    roles.sort_unstable();
    roles.dedup();
    (roles.into(), separable.into_iter().cloned().collect())
}

/// What a group asks for that is one principal in the target: none if no mapping speaks of it so.
pub(crate) fn of_group(look: Look<'_>, group: GroupId) -> Option<Standing> {
    let Look { map, target, view, selection, identity, beside: _, directory, now } = look;
    let entry = directory.group(group)?;
    let mut roles = BTreeSet::new();
    let (mut spoken_of, mut written) = (false, false);
    for (mapping, found) in map.mappings.iter().zip(&selection.found) {
        let Some(captured) = found.open.get(&group) else { continue };
        if map.via(mapping, target) != Via::Group || mapping.personal().is_some() {
            continue;
        }
        spoken_of = true;
        written |= mapping.writes(entry);
        if !mapping.holds_at(now) {
            continue;
        }
        roles.extend(mapping.roles_by(captured.as_ref()).filter_map(|role| view.number(role)));
    }
    let name = principal_name(Ok(entry.display_name.to_string()))
        .map_err(|(text, reason)| NoName::Refused(text, reason))
        // Found by an `externalId` or a pattern, the group is called as its source likes.
        .and_then(|name| {
            let may = written || identity.may_name(&entry.source, name);
            if may { Ok(name) } else { Err(NoName::Outside(name)) }
        });
    spoken_of.then(|| Standing {
        name,
        sid: sid(target.object_id.as_ref().map(|t| t.over_group(entry))),
        roles: roles.into_iter().collect(),
        inactive: false,
        stranger: false,
        separable: Box::default(),
        join: None,
        offboarded: None,
        extras: Box::default(),
    })
}

/// What a service identity asks for.
pub(crate) fn of_service(
    map: &RoleMap,
    view: &View,
    name: &ServiceName,
    now: OffsetDateTime,
) -> Option<Standing> {
    let service = map.services.get(name)?;
    let mappings = map.mappings.iter().filter(|m| crate::map::is_service(m, name) && m.holds_at(now));
    let given: BTreeSet<&RoleName> = mappings.flat_map(crate::rule::Mapping::possible).collect();
    let roles: BTreeSet<usize> = given.iter().filter_map(|role| view.number(role)).collect();
    let separable = given.into_iter().filter(|role| map.rules.concern(&map.roles, role)).cloned().collect();
    Some(Standing {
        name: Ok(service.principal),
        sid: service.sid.clone(),
        roles: roles.into_iter().collect(),
        inactive: false,
        stranger: false,
        separable,
        join: None,
        offboarded: None,
        extras: Box::default(),
    })
}
