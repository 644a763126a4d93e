//! Why a person has what they have, and why not the rest.

mod asked;
mod holders;
mod in_target;
mod lacking;
mod missing;
mod records;
mod service;
mod shown;
mod waiting;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axon_model::{Directory, RecordSeq, SourceId, SqlName, UserEntry, UserId};
use axon_reconcile::Sid;
use axon_scim::compare::fold;
use serde::Serialize;
use time::OffsetDateTime;

use crate::beside::{Beside, RequestShown};
use crate::chain::{Brought, Link};
use crate::desired::Surroundings;
use crate::evaluator::Evaluator;
use crate::grant::{GrantError, GrantLine};
use crate::identity::Identity;
use crate::map::RoleMap;
use crate::names::{RoleName, TargetName};
use crate::pending::Pending;
use crate::place::Place;

use asked::Asked;
pub use holders::{HolderExplained, Holders};
use in_target::InTarget;
pub use missing::{Change, Missing, MissingIn};
pub use service::ServiceExplained;

/// Everything that is to be said of the people with one user name, and of a service identity that is called so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What was asked for.
    pub who: String,
    /// Those who have that name: one in each source at most.
    pub people: Vec<PersonExplained>,
    /// Service identities of the map of that name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceExplained>,
}

impl Explanation {
    /// Whether anybody is called so.
    pub fn is_empty(&self) -> bool {
        self.people.is_empty() && self.services.is_empty()
    }
}

/// One person of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PersonExplained {
    /// The person.
    pub id: UserId,
    /// Whose.
    pub source: SourceId,
    /// As the source spells it.
    pub user_name: Arc<str>,
    /// Whether the source says that the person is active.
    pub active: bool,
    /// The record that last changed the person.
    pub record: Option<RecordSeq>,
    /// What that record says, where somebody looked it up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<Brought>,
    /// The request by which the person is shut out, whatever the source says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offboarded: Option<RequestShown>,
    /// Each target in turn.
    pub targets: Vec<TargetExplained>,
}

/// What a person has in one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetExplained {
    /// The target.
    pub target: TargetName,
    /// The name that the person has or would have there.
    pub principal: Option<SqlName>,
    /// The security id, where it is known.
    pub sid: Option<Sid>,
    /// Why the person gets nothing there under the own name, although mappings give something.
    pub withheld: Vec<Pending>,
    /// What else is kept back: groups and requests that wait, roles that a rule separates.
    pub waits: Vec<Pending>,
    /// The roles that mappings give.
    pub roles: Vec<RoleExplained>,
    /// Mappings that almost give something: the person is in their groups.
    pub not_given: Vec<NotGiven>,
}

/// One role that a person has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoleExplained {
    /// The role of the map.
    pub role: RoleName,
    /// Its name in the target.
    pub pool_role: Option<SqlName>,
    /// Every way on which it comes.
    pub ways: Vec<Way>,
    /// The requests that give it for a while.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<RequestShown>,
    /// What it holds.
    pub grants: Vec<GrantExplained>,
    /// What it lets people see of secure views that others do not see.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sees: Vec<String>,
    /// As whom it lets people act, and for how long.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub acting: Vec<String>,
}

/// One way from a person to a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Way {
    /// The mapping.
    pub mapping: Place,
    /// From the person to the mapping's group.
    pub groups: Vec<Link>,
    /// Whether the person or the whole group is the principal.
    pub as_group: bool,
    /// What keeps it from the whole group, where that is the principal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<Pending>,
    /// The condition and the values that were seen.
    pub condition: Option<ConditionExplained>,
    /// When it ends.
    #[serde(with = "time::serde::rfc3339::option")]
    pub until: Option<OffsetDateTime>,
}

/// A condition, and what was seen of the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConditionExplained {
    /// The filter.
    pub text: String,
    /// `true`, `false` or `unknown`.
    pub truth: String,
    /// Each comparison with its values.
    pub seen: Vec<String>,
}

/// One line that a role holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GrantExplained {
    /// The line.
    pub line: Arc<str>,
    /// Where it stands.
    pub place: Place,
    /// Through which included roles it comes.
    pub through: Vec<RoleName>,
    /// What the line speaks of and the target does not hold; empty where the target was not asked.
    pub missing: Vec<String>,
    /// The lines that deny all of it or a part of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub denied_by: Vec<Place>,
    /// What the person sees of it, where it is a secure view.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
}

/// A mapping whose groups the person is in, and which gives nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotGiven {
    /// The mapping.
    pub mapping: Place,
    /// What it would give.
    pub roles: Vec<RoleName>,
    /// Why it does not, in words.
    pub why: String,
    /// The condition, where it is what fails.
    pub condition: Option<ConditionExplained>,
}

/// What a person asks about.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// A user name (compared as SCIM compares it) or a SCIM id.
    pub who: &'a str,
    /// One target, or all.
    pub target: Option<&'a TargetName>,
    /// Whom names belong to.
    pub identity: &'a Arc<Identity>,
    /// What is known of the targets; of a target that is not here, nothing is said to be missing.
    pub around: &'a BTreeMap<TargetName, Surroundings>,
    /// What stands beside the map.
    pub beside: &'a Arc<Beside>,
}

/// Explains what a person has, target by target.
pub fn explain(
    map: &Arc<RoleMap>,
    directory: &Directory,
    question: Question<'_>,
    now: OffsetDateTime,
) -> Explanation {
    let Question { who, target, identity, around, beside } = question;
    Explainer::new(map, directory, Known { target, identity, around, beside }, now).person(who)
}

/// What an explainer knows besides map and directory.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// One target, or all.
    pub target: Option<&'a TargetName>,
    /// Whom names belong to.
    pub identity: &'a Arc<Identity>,
    /// What is known of the targets; of a target that is not here, nothing is said to be missing.
    pub around: &'a BTreeMap<TargetName, Surroundings>,
    /// What stands beside the map.
    pub beside: &'a Arc<Beside>,
}

/// How the help begins that names the nearest word.
const GUESS: &str = "did you mean ";

/// Answers questions about one map and one directory. Making it costs a whole evaluation, an answer costs little.
#[derive(Debug)]
pub struct Explainer<'a> {
    map: &'a RoleMap,
    directory: &'a Directory,
    beside: &'a Beside,
    targets: Vec<InTarget<'a>>,
    by_name: HashMap<String, Vec<UserId>>,
}

impl<'a> Explainer<'a> {
    /// Evaluates the map.
    pub fn new(
        map: &'a Arc<RoleMap>,
        directory: &'a Directory,
        known: Known<'a>,
        now: OffsetDateTime,
    ) -> Self {
        let Known { target, identity, around, beside } = known;
        let targets = map
            .targets
            .values()
            .filter(|t| target.is_none_or(|wanted| *wanted == t.name))
            .filter_map(|spec| {
                let asked = around.get(&spec.name);
                let shape = asked.map(|around| around.shape.clone());
                let mut around = asked.cloned().unwrap_or_default();
                around.identity = identity.clone();
                around.beside = beside.clone();
                let mut evaluator = Evaluator::new(map.clone(), &spec.name, around).ok()?;
                evaluator.full(directory, now);
                Some(InTarget::new(map, spec, evaluator, shape, directory, now))
            })
            .collect();
        let mut by_name: HashMap<String, Vec<UserId>> = HashMap::new();
        for user in directory.users() {
            by_name.entry(fold(&user.user_name)).or_default().push(user.id);
        }
        Self { map, directory, beside, targets, by_name }
    }

    /// The people with this user name or SCIM id.
    fn people(&self, who: &str) -> Vec<&'a UserEntry> {
        let mut ids: Vec<UserId> = self.by_name.get(&fold(who)).cloned().unwrap_or_default();
        if let Ok(id) = who.parse::<UserId>()
            && !ids.contains(&id)
        {
            ids.push(id);
        }
        ids.sort();
        ids.into_iter().filter_map(|id| self.directory.user(id)).collect()
    }

    /// Everything that the people with one user name have, and a service identity of that name, and why.
    pub fn person(&self, who: &str) -> Explanation {
        let people = self
            .people(who)
            .into_iter()
            .map(|user| PersonExplained {
                id: user.id,
                source: user.source.clone(),
                user_name: user.user_name.clone(),
                active: user.active,
                record: self.directory.user_changed(user.id),
                changed: None,
                offboarded: self.beside.offboarding(user).map(RequestShown::of),
                targets: self.targets.iter().map(|target| Asked::of(target, user).explain()).collect(),
            })
            .collect();
        Explanation { who: who.to_owned(), people, services: self.services(who) }
    }

    /// The line as each target reads it; the first refusal, if none can.
    fn lines(&self, grant: &str) -> Result<Vec<(&InTarget<'a>, GrantLine)>, GrantError> {
        let (mut lines, mut refusals) = (Vec::new(), Vec::new());
        for target in &self.targets {
            match GrantLine::parse_in(grant, target.spec.kind) {
                Ok(line) => lines.push((target, line)),
                Err(error) => refusals.push((target.spec.kind.words(), error)),
            }
        }
        // Any words may be the name of a role that is assigned: where they are none that is known, a mistyped line is likelier.
        let is_known = lines.iter().any(|(target, line)| target.knows(line));
        if let Some(near) = lines.iter().filter(|_| !is_known).find_map(|(target, line)| target.near(line)) {
            let error = GrantError::at(0, grant.len(), "no line of the map gives such a role");
            return Err(error.with_help(format!("did you mean `{near}`?")));
        }
        let is_guessed = |error: &GrantError| error.help.as_ref().is_some_and(|help| help.starts_with(GUESS));
        if let Some(at) = refusals.iter().position(|(_, error)| !is_known && is_guessed(error)) {
            return Err(refusals.swap_remove(at).1);
        }
        // What is refused everywhere is told in the words of a database, where there is one.
        refusals.sort_by_key(|(words, error)| (error.help.is_none(), *words));
        match (lines.is_empty(), refusals.into_iter().next()) {
            (true, Some((_, error))) => Err(error),
            _ => Ok(lines),
        }
    }
}
