//! Who stands behind each principal of the pool: people and groups of the directory, identities that it does not know, and
//! those whom no line can name.

mod groups;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use axon_model::{GroupId, SourceId, SqlName};
use axon_reconcile::builtin::SYSTEM_PRINCIPALS;
use axon_reconcile::{Connect, GrantState, PrincipalKind, Sid};

use super::Adopting;
use super::lines::{self, Line};
use crate::desired::Surroundings;
use crate::evaluator::Evaluator;
use crate::pending::{Claimant, Pending};
use crate::rule::GroupName;
use crate::target::TargetSpec;

/// What a line of the map can say of a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stands {
    /// A person of the directory, by the records that make the principal's name.
    Person(Vec<(SourceId, Arc<str>)>),
    /// A group of the directory that is one principal: its number among [`Survey::groups`].
    Group(usize),
    /// An identity that the directory does not know: a service, or somebody who left.
    Service,
}

/// A principal that the map can name.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub name: SqlName,
    pub stands: Stands,
    /// The permissions that stand on it itself.
    pub lines: BTreeSet<Line>,
    /// The security id that a service identity is pinned to.
    pub pin: Option<Sid>,
}

/// A principal that stays as it is.
#[derive(Debug, Clone)]
pub(super) struct Stays {
    pub name: SqlName,
    pub why: String,
    /// Whether the map would touch it if nothing protected it, whatever roles it is in.
    pub within: bool,
    /// Whether it is nothing but shut out: a map that gives it nothing leaves it so.
    pub shut_out: bool,
}

/// A group that a mapping can name.
#[derive(Debug, Clone)]
pub(super) struct NamedGroup {
    pub id: GroupId,
    pub source: SourceId,
    pub name: GroupName,
    /// The active people in it who are principals of the pool, by their numbers among [`Survey::principals`], ascending.
    pub people: Vec<u32>,
    /// Whether somebody in it is no principal of the pool, or has no name there: a role that it gives would be rounded up.
    pub wider: bool,
}

/// What was found out about everybody.
#[derive(Debug)]
pub(super) struct Survey {
    /// All principals of the pool in order: numbers are positions here.
    pub principals: Vec<SqlName>,
    /// By their numbers.
    pub subjects: BTreeMap<u32, Subject>,
    pub stays: BTreeMap<u32, Stays>,
    pub groups: Vec<NamedGroup>,
    /// For each principal the groups that it is in, nested ones put in.
    pub within: Vec<Vec<u32>>,
    /// Who is never touched, whatever a map says.
    pub untouchable: BTreeSet<SqlName>,
}

impl Survey {
    /// The number of a principal.
    pub fn number(&self, name: SqlName) -> Option<u32> {
        self.principals.binary_search(&name).ok().and_then(|n| u32::try_from(n).ok())
    }
}

/// Looks at every principal.
pub(super) fn survey(of: Adopting<'_>, spec: &TargetSpec) -> Survey {
    let principals: Vec<SqlName> = of.actual.principals.keys().copied().collect();
    let mut untouchable: BTreeSet<SqlName> =
        SYSTEM_PRINCIPALS.iter().filter_map(|name| SqlName::parse(name).ok()).collect();
    untouchable.insert(of.own);
    let mut survey = Survey {
        within: vec![Vec::new(); principals.len()],
        principals,
        subjects: BTreeMap::new(),
        stays: BTreeMap::new(),
        groups: Vec::new(),
        untouchable,
    };
    let bare = groups::bare(of, spec);
    let around = Surroundings {
        shape: of.shape.clone(),
        untouchable: survey.untouchable.clone(),
        identity: of.identity.clone(),
        ..Surroundings::default()
    };
    // The target is one of the map's.
    let Ok(mut evaluator) = Evaluator::new(Arc::new(bare), of.target, around) else { return survey };
    evaluator.full(of.directory, of.now);
    survey.groups = groups::named(of, &evaluator, &mut survey);
    let mut in_roles: BTreeSet<SqlName> = of.actual.members.iter().map(|m| m.member).collect();
    in_roles.retain(|name| of.actual.principals.contains_key(name));
    let ids = of.directory.users().filter_map(|user| {
        let text = spec.object_id.as_ref()?.over_user(user).ok()?;
        Sid::from_object_id(&text)
    });
    let ids = ids.collect();
    let look = Looking { of, spec, evaluator: &evaluator, pending: evaluator.pending(), in_roles, ids };
    for number in 0..survey.principals.len() {
        let Ok(place) = u32::try_from(number) else { continue };
        let name = survey.principals[number];
        if survey.untouchable.contains(&name) {
            continue;
        }
        match look.at(&survey, place, name) {
            Ok(subject) => drop(survey.subjects.insert(place, subject)),
            Err(stays) => drop(survey.stays.insert(place, stays)),
        }
    }
    survey
}

/// What every principal is looked at by.
struct Looking<'a> {
    of: Adopting<'a>,
    spec: &'a TargetSpec,
    evaluator: &'a Evaluator,
    pending: Vec<Pending>,
    /// Principals that are in a role.
    in_roles: BTreeSet<SqlName>,
    /// The object ids of the directory's people, as far as it tells them.
    ids: HashSet<Sid>,
}

impl Looking<'_> {
    fn at(&self, survey: &Survey, place: u32, name: SqlName) -> Result<Subject, Stays> {
        let Self { of, spec, evaluator, .. } = self;
        let there = &of.actual.principals[&name];
        let claimed = evaluator.claimants(name).next().is_some();
        let remembered = of.known.contains(&name);
        let within =
            (claimed || remembered || spec.manage.every_external) && there.kind != PrincipalKind::Sql;
        let holds = self.in_roles.contains(&name)
            || of.actual.grants_of(name).any(|(_, grant)| grant.state != GrantState::Deny);
        let shut_out = there.connect == Connect::Denied && !holds;
        let stay = |why: String| Stays { name, why, within, shut_out };
        if crate::reserved::is_reserved(name) {
            return Err(stay("its name is reserved".into()));
        }
        let stands = match there.kind {
            PrincipalKind::Sql => {
                return Err(stay("it is no principal of Entra (a SQL user, or one without a login)".into()));
            }
            PrincipalKind::External if claimed => self.person(survey, place, name).map_err(stay)?,
            PrincipalKind::External if remembered => {
                return Err(stay("the directory knew this person and does not any more".into()));
            }
            PrincipalKind::External if there.sid.as_ref().is_some_and(|sid| self.ids.contains(sid)) => {
                return Err(stay("the directory has this very object under another name".into()));
            }
            PrincipalKind::External => Stands::Service,
            PrincipalKind::ExternalGroup => self.group(survey, name, claimed).map_err(stay)?,
        };
        match there.connect {
            Connect::Granted => {}
            Connect::Denied => return Err(stay("CONNECT is denied to it".into())),
            Connect::Absent => {
                return Err(stay("it has no CONNECT, and a map lets in whomever it names".into()));
            }
        }
        let mut held = BTreeSet::new();
        for (key, grant) in of.actual.grants_of(name) {
            match lines::line_of(of.actual, of.shape, key, grant) {
                Ok(line) => drop(held.insert(line)),
                Err(why) => {
                    let what = format!("{} {} on {}", grant.state, key.permission, key.securable);
                    return Err(stay(format!("{what} stands on it: {why}")));
                }
            }
        }
        let pin = if stands == Stands::Service { there.sid.clone() } else { None };
        Ok(Subject { name, stands, lines: held, pin })
    }

    /// A person whom some group of the directory lets in, and nobody else.
    fn person(&self, survey: &Survey, place: u32, name: SqlName) -> Result<Stands, String> {
        let Self { of, evaluator, .. } = self;
        let Some(wanted) = evaluator.graph().principals.get(&name) else {
            return Err(self.why_not(name));
        };
        if let (Some(known), Some(there)) = (&wanted.sid, &of.actual.principals[&name].sid)
            && known != there
        {
            return Err("the pool holds another object of this name than the directory does".into());
        }
        let records = evaluator.holders(name).filter_map(|who| match who {
            Claimant::User { id, source } => {
                let user = of.directory.user(*id)?;
                Some((source.clone(), user.user_name.clone()))
            }
            Claimant::Group { .. } | Claimant::Service { .. } => None,
        });
        let records: Vec<(SourceId, Arc<str>)> = records.collect();
        let groups = survey.within.get(place as usize).into_iter().flatten();
        let reached = groups
            .filter_map(|g| survey.groups.get(*g as usize))
            .any(|group| records.iter().any(|(source, _)| *source == group.source));
        if reached { Ok(Stands::Person(records)) } else { Err(NO_GROUP.into()) }
    }

    fn why_not(&self, name: SqlName) -> String {
        if self.evaluator.says_inactive(name) {
            return "the directory says that this person is not active".into();
        }
        let about = self.pending.iter().find(|pending| withholds(pending) == Some(name));
        about.map_or_else(|| NO_GROUP.into(), ToString::to_string)
    }

    /// A group of the directory that the principal is, by its display name.
    fn group(&self, survey: &Survey, name: SqlName, claimed: bool) -> Result<Stands, String> {
        let Self { of, spec, .. } = self;
        if claimed {
            return Err("it is a group here and a person in the directory".into());
        }
        let called = |group: &NamedGroup| matches!(&group.name, GroupName::Display(text) if SqlName::parse(text).is_ok_and(|n| n == name));
        let mut same = survey.groups.iter().enumerate().filter(|(_, group)| called(group));
        let (Some((number, found)), None) = (same.next(), same.next()) else {
            return Err("no group of the directory, or more than one, has this name".into());
        };
        let known = of
            .directory
            .group(found.id)
            .and_then(|entry| spec.object_id.as_ref()?.over_group(entry).ok())
            .and_then(|text| Sid::from_object_id(&text));
        if let (Some(known), Some(there)) = (&known, &of.actual.principals[&name].sid)
            && known != there
        {
            return Err("the pool holds another object of this name than the directory does".into());
        }
        Ok(Stands::Group(number))
    }
}

const NO_GROUP: &str = "no group that a map can name has this person";

/// The principal that is withheld by this.
fn withholds(pending: &Pending) -> Option<SqlName> {
    match pending {
        Pending::NameReserved { name, .. }
        | Pending::NameShared { name, .. }
        | Pending::IdentityShared { name, .. }
        | Pending::OutsideClaims { name, .. }
        | Pending::Stranger { name, .. }
        | Pending::InactiveElsewhere { name, .. } => Some(*name),
        _ => None,
    }
}
