//! Why a person has what they have, and why not the rest.

mod holders;
mod missing;
mod shown;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use axon_model::{Directory, RecordSeq, SourceId, SqlName, UserEntry, UserId};
use axon_reconcile::{Shape, Sid};
use axon_scim::compare::fold;
use serde::Serialize;
use time::OffsetDateTime;

use crate::beside::{Beside, RequestShown};
use crate::chain::{Link, Ways};
use crate::desired::Surroundings;
use crate::evaluator::Evaluator;
use crate::given::{Given, Person};
use crate::grant::{GrantError, GrantLine};
use crate::identity::Identity;
use crate::map::RoleMap;
use crate::names::{RoleName, TargetName};
use crate::pending::{Claimant, Pending};
use crate::place::Place;
use crate::rule::{Gives, Mapping};
use crate::rules::Separation;
use crate::selection::Judgement;
use crate::target::{TargetSpec, Via};

pub use holders::{HolderExplained, Holders};
pub use missing::{Change, Missing, MissingIn};

/// Everything that is to be said of the people with one user name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What was asked for.
    pub who: String,
    /// Those who have that name: one in each source at most.
    pub people: Vec<PersonExplained>,
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
    /// Why the person gets nothing there, although mappings give something.
    pub withheld: Vec<Pending>,
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

/// Answers questions about one map and one directory. Making it costs a whole evaluation, an answer costs little.
#[derive(Debug)]
pub struct Explainer<'a> {
    map: &'a Arc<RoleMap>,
    directory: &'a Directory,
    around: &'a BTreeMap<TargetName, Surroundings>,
    now: OffsetDateTime,
    beside: &'a Beside,
    targets: Vec<(&'a TargetSpec, Evaluator)>,
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
                let mut around = around.get(&spec.name).cloned().unwrap_or_default();
                around.identity = identity.clone();
                around.beside = beside.clone();
                let mut evaluator = Evaluator::new(map.clone(), &spec.name, around).ok()?;
                evaluator.full(directory, now);
                Some((spec, evaluator))
            })
            .collect();
        let mut by_name: HashMap<String, Vec<UserId>> = HashMap::new();
        for user in directory.users() {
            by_name.entry(fold(&user.user_name)).or_default().push(user.id);
        }
        Self { map, directory, around, now, beside, targets, by_name }
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

    fn asked<'e>(&'e self, spec: &'e TargetSpec, evaluator: &'e Evaluator, user: &'e UserEntry) -> Asked<'e> {
        let shape = self.around.get(&spec.name).map(|around| &*around.shape);
        Asked { map: self.map, spec, evaluator, shape, directory: self.directory, user, now: self.now }
    }

    /// Everything that the people with one user name have, and why.
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
                offboarded: self.beside.offboarding(user).map(RequestShown::of),
                targets: self
                    .targets
                    .iter()
                    .map(|(spec, evaluator)| self.asked(spec, evaluator, user).explain())
                    .collect(),
            })
            .collect();
        Explanation { who: who.to_owned(), people }
    }

    /// The line as each target reads it; the first refusal, if none can.
    fn lines(&self, grant: &str) -> Result<Vec<(usize, GrantLine)>, GrantError> {
        let mut lines = Vec::new();
        let mut refusal = None;
        for (number, (spec, _)) in self.targets.iter().enumerate() {
            match GrantLine::parse_for(grant, spec.kind.words()) {
                Ok(line) => lines.push((number, line)),
                Err(error) => {
                    refusal.get_or_insert(error);
                }
            }
        }
        match (lines.is_empty(), refusal) {
            (true, Some(error)) => Err(error),
            _ => Ok(lines),
        }
    }
}

struct Asked<'a> {
    map: &'a RoleMap,
    spec: &'a TargetSpec,
    evaluator: &'a Evaluator,
    shape: Option<&'a Shape>,
    directory: &'a Directory,
    user: &'a UserEntry,
    now: OffsetDateTime,
}

impl Asked<'_> {
    fn explain(&self) -> TargetExplained {
        let principal = crate::standing::principal_name(self.spec.principal.over_user(self.user)).ok();
        let object_id = self.spec.object_id.as_ref().and_then(|t| t.over_user(self.user).ok());
        let (roles, not_given) = self.roles();
        let groups = Ways::of(self.directory, self.user.id).groups();
        let requests: BTreeSet<_> =
            self.evaluator.beside().extras(self.user, self.now).iter().map(|e| e.request.id).collect();
        let me = |who: &Claimant| matches!(who, Claimant::User { id, .. } if *id == self.user.id);
        let concerns = |pending: &Pending| match pending {
            Pending::NameRefused { who, .. }
            | Pending::OutsideClaims { who, .. }
            | Pending::Stranger { who, .. }
            | Pending::Offboarded { who, .. } => me(who),
            Pending::RequestSeparated { request, .. } => requests.contains(request),
            Pending::GroupHeld { group, .. } => groups.contains(group),
            Pending::NameReserved { who, .. }
            | Pending::NameShared { who, .. }
            | Pending::IdentityShared { who, .. }
            | Pending::Separated { who, .. }
            | Pending::InactiveElsewhere { who, .. } => who.iter().any(me),
            _ => false,
        };
        TargetExplained {
            target: self.spec.name.clone(),
            principal,
            sid: object_id.and_then(|text| Sid::from_object_id(&text)),
            withheld: self.evaluator.pending().into_iter().filter(concerns).collect(),
            roles,
            not_given,
        }
    }

    fn roles(&self) -> (Vec<RoleExplained>, Vec<NotGiven>) {
        let selection = self.evaluator.selection();
        let ways = Ways::of(self.directory, self.user.id);
        let groups = ways.groups();
        let person = Person::new(self.user);
        let all = Given::to(self.map, selection, &person, &groups, self.now, |_, _| true);
        let mut given: BTreeMap<&RoleName, Vec<Way>> = BTreeMap::new();
        let mut not_given = Vec::new();
        for number in selection.candidates(&groups) {
            let mapping = &self.map.mappings[number];
            if !mapping.possible().any(|role| self.exists(role)) {
                continue;
            }
            // What a whole group gets does not hang on whether its people are active.
            let as_group = self.map.via(mapping, self.spec) == Via::Group;
            let judged = selection.judge(mapping, number, &person, &groups, self.now);
            match judged {
                Judgement::Gives(roles) if self.user.active || as_group => {
                    for (group, role) in roles.into_iter().filter(|(_, role)| self.exists(role)) {
                        if all.withheld.contains(role) {
                            not_given.push(self.separated(mapping, role, &all));
                            continue;
                        }
                        given.entry(role).or_default().push(Way {
                            mapping: mapping.place.clone(),
                            groups: ways.to(group),
                            as_group,
                            condition: self.condition(mapping),
                            until: mapping.until,
                        });
                    }
                }
                judged => not_given.extend(self.not_given(mapping, &judged)),
            }
        }
        let mut roles: Vec<RoleExplained> =
            given.into_iter().map(|(role, ways)| self.role(role, ways)).collect();
        self.extras(&mut roles);
        (roles, not_given)
    }

    /// What requests give to an active person.
    fn extras(&self, roles: &mut Vec<RoleExplained>) {
        let beside = self.evaluator.beside();
        if !self.user.active || beside.offboarding(self.user).is_some() {
            return;
        }
        let pending = self.evaluator.pending();
        for extra in beside.extras(self.user, self.now) {
            let withheld = |pending: &Pending| matches!(pending, Pending::RequestSeparated { request, .. } if *request == extra.request.id);
            // It is told with what is withheld.
            if pending.iter().any(withheld) {
                continue;
            }
            let known = self.map.roles.get_key_value(extra.role).map(|(role, _)| role);
            let Some(role) = known.filter(|role| extra.is_for(&self.spec.name) && self.exists(role)) else {
                continue;
            };
            let at = roles.iter().position(|explained| explained.role == *role).unwrap_or_else(|| {
                roles.push(self.role(role, Vec::new()));
                roles.len() - 1
            });
            roles[at].requests.push(RequestShown::of(extra.request));
        }
        roles.sort_by(|a, b| a.role.cmp(&b.role));
    }

    fn separated(&self, mapping: &Mapping, role: &RoleName, all: &Given<'_>) -> NotGiven {
        let concerns = |rule: &&&Separation| {
            self.map.roles.get(role).is_some_and(|spec| !spec.whole.is_disjoint(&rule.roles))
        };
        let why = match all.broken.iter().find(concerns) {
            Some(broken) => {
                let names: Vec<&str> = broken.roles.iter().map(RoleName::as_str).collect();
                format!(
                    "the person would hold several of {}, which {} separates",
                    names.join(", "),
                    broken.place
                )
            }
            None => "a rule of separation withholds it".to_owned(),
        };
        let condition = self.condition(mapping);
        NotGiven { mapping: mapping.place.clone(), roles: vec![role.clone()], why, condition }
    }

    fn exists(&self, role: &RoleName) -> bool {
        self.map.roles.get(role).is_some_and(|r| r.held.contains_key(&self.spec.name))
    }

    fn condition(&self, mapping: &Mapping) -> Option<ConditionExplained> {
        let condition = mapping.when.as_ref()?;
        let verdict = condition.over(self.user);
        Some(ConditionExplained {
            text: condition.as_str().to_owned(),
            truth: verdict.truth.to_string(),
            seen: verdict.seen.iter().map(ToString::to_string).collect(),
        })
    }

    fn not_given(&self, mapping: &Mapping, judged: &Judgement<'_>) -> Option<NotGiven> {
        let (why, condition) = match judged {
            // Not being in some other group of a mapping is no news to anybody.
            Judgement::NotIn => return None,
            Judgement::Gives(_) => ("the person is not active".to_owned(), None),
            Judgement::LeftOut(group) => {
                let name = crate::selection::group_name(self.directory, *group);
                (format!("the person is in {name}, which it leaves out"), None)
            }
            Judgement::UnknownExclusion => ("a group that it leaves out is not known".to_owned(), None),
            Judgement::Ended(until) => (format!("it ended at {until}"), None),
            Judgement::Condition(truth) => (format!("its condition is {truth}"), self.condition(mapping)),
            Judgement::NothingNamed => {
                ("the group's name captures no role that `only` allows".to_owned(), None)
            }
        };
        let roles = match &mapping.gives {
            Gives::Roles(roles) => roles.iter().filter(|r| self.exists(r)).cloned().collect(),
            Gives::Captured { .. } => Vec::new(),
        };
        Some(NotGiven { mapping: mapping.place.clone(), roles, why, condition })
    }

    fn role(&self, role: &RoleName, ways: Vec<Way>) -> RoleExplained {
        let held = self.map.roles.get(role).and_then(|r| r.held.get(&self.spec.name));
        let grants = held
            .into_iter()
            .flatten()
            .map(|held| {
                let atoms = held.grant.line.atoms();
                let missing: BTreeSet<String> = self
                    .shape
                    .iter()
                    .flat_map(|shape| atoms.iter().filter(|(_, on)| !shape.holds(on)))
                    .map(|(_, on)| on.to_string())
                    .collect();
                GrantExplained {
                    line: held.grant.text.clone(),
                    place: held.grant.place.clone(),
                    through: held.through.clone(),
                    missing: missing.into_iter().collect(),
                }
            })
            .collect();
        RoleExplained {
            role: role.clone(),
            pool_role: self.spec.role(role).ok(),
            ways,
            requests: Vec::new(),
            grants,
        }
    }
}
