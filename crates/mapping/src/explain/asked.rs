//! One person in one target.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::UserEntry;
use axon_reconcile::Sid;

use super::in_target::InTarget;
use super::waiting::keeps_all;
use super::{NotGiven, RoleExplained, TargetExplained, Way};
use crate::beside::RequestShown;
use crate::chain::{Ways, instant};
use crate::given::{Given, Person};
use crate::names::RoleName;
use crate::pending::{Claimant, Pending};
use crate::role::RoleSpec;
use crate::rule::{Gives, Mapping};
use crate::rules::Separation;
use crate::selection::Judgement;
use crate::target::Via;

/// A person about whom a target is asked.
pub(super) struct Asked<'a> {
    target: &'a InTarget<'a>,
    pub user: &'a UserEntry,
    pub person: Person<'a>,
    pub ways: Ways<'a>,
    /// All groups that the person is in.
    pub groups: crate::selection::Within,
}

impl<'a> Asked<'a> {
    pub fn of(target: &'a InTarget<'a>, user: &'a UserEntry) -> Self {
        let ways = Ways::of(target.directory, user.id);
        let groups = ways.groups();
        Self { target, user, person: Person::new(user), ways, groups }
    }

    /// What all mappings together give, in whatever target.
    pub fn given(&self) -> Given<'_> {
        let InTarget { map, evaluator, now, .. } = self.target;
        Given::to(map, evaluator.selection(), &self.person, &self.groups, *now, |_, _| true)
            .excuse(evaluator, self.user.id)
    }

    /// What keeps everything back that would be given under the person's name, and what keeps back a part.
    pub fn pending(&self) -> (Vec<Pending>, Vec<Pending>) {
        let target = self.target;
        let me = Claimant::User { id: self.user.id, source: self.user.source.clone() };
        let requests: BTreeSet<_> =
            target.evaluator.beside().extras(self.user, target.now).iter().map(|e| e.request.id).collect();
        let waiting = target.waiting();
        let held =
            self.groups.iter().flat_map(|group| waiting.held(*group)).filter(|held| self.concerns(held));
        let requests = requests.iter().filter_map(|id| waiting.request(*id));
        let mut all: Vec<Pending> =
            waiting.concerning(&me).iter().chain(held).chain(requests).cloned().collect();
        all.sort();
        all.dedup();
        all.into_iter().partition(keeps_all)
    }

    /// Whether a held group would give something in this target.
    fn concerns(&self, held: &Pending) -> bool {
        let Pending::GroupHeld { mapping: place, .. } = held else { return true };
        let mut views = self.target.map.views.iter();
        if let Some(view) = views.find(|view| view.groups().any(|group| group.place == *place)) {
            return view.targets.contains(&self.target.spec.name);
        }
        let mapping = self.target.map.mappings.iter().find(|mapping| mapping.place == *place);
        mapping.is_none_or(|mapping| mapping.possible().any(|role| self.target.exists(role)))
    }

    pub fn explain(&self) -> TargetExplained {
        let spec = self.target.spec;
        let principal = crate::standing::principal_name(spec.principal.over_user(self.user)).ok();
        let object_id = spec.object_id.as_ref().and_then(|t| t.over_user(self.user).ok());
        let (roles, not_given) = self.roles();
        let (withheld, waits) = self.pending();
        TargetExplained {
            target: spec.name.clone(),
            principal,
            sid: object_id.and_then(|text| Sid::from_object_id(&text)),
            withheld,
            waits,
            roles,
            not_given,
        }
    }

    /// The roles that come to the person, and the mappings that almost give something.
    pub fn roles(&self) -> (Vec<RoleExplained>, Vec<NotGiven>) {
        let target = self.target;
        let all = self.given();
        let (given, not_given) =
            self.ways_to(&all, |_, mapping| mapping.possible().any(|role| target.exists(role)));
        let mut roles: Vec<RoleExplained> =
            given.into_iter().map(|(role, ways)| target.role(role, ways)).collect();
        self.extras(&mut roles);
        let held = all.ways.iter().map(|(_, _, role)| *role).filter(|role| !all.withheld.contains(role));
        let held: BTreeSet<&RoleName> = held.chain(roles.iter().map(|role| &role.role)).collect();
        let held: BTreeSet<&RoleName> = held
            .into_iter()
            .filter_map(|role| target.map.roles.get_key_value(role))
            .map(|(n, _)| n)
            .collect();
        target.together(&mut roles, &held);
        (roles, not_given)
    }

    /// On which ways roles come by the mappings that `wanted` lets through, and which of those almost give something.
    pub fn ways_to(
        &self,
        all: &Given<'_>,
        wanted: impl Fn(usize, &Mapping) -> bool,
    ) -> (BTreeMap<&'a RoleName, Vec<Way>>, Vec<NotGiven>) {
        let target = self.target;
        let selection = target.evaluator.selection();
        let separated = self.separated_elsewhere();
        let mut given: BTreeMap<&RoleName, Vec<Way>> = BTreeMap::new();
        let mut not_given = Vec::new();
        for number in selection.candidates(&self.groups) {
            let mapping = &target.map.mappings[number];
            if !wanted(number, mapping) {
                continue;
            }
            // What a whole group gets does not hang on whether its people are active.
            let as_group = target.map.via(mapping, target.spec) == Via::Group;
            match selection.judge(mapping, number, &self.person, &self.groups, target.now) {
                Judgement::Gives(roles) if self.user.active || as_group => {
                    for (group, role) in roles.into_iter().filter(|(_, role)| target.exists(role)) {
                        if all.withheld.contains(role) || separated.contains(role) {
                            not_given.push(self.separated(mapping, role, all));
                            continue;
                        }
                        given.entry(role).or_default().push(Way {
                            mapping: mapping.place.clone(),
                            groups: self.ways.to(group),
                            as_group,
                            withheld: if as_group { target.withheld_from(group) } else { Vec::new() },
                            condition: InTarget::condition(mapping, self.user),
                            until: mapping.until,
                        });
                    }
                }
                judged => not_given.extend(self.not_given(mapping, &judged)),
            }
        }
        (given, not_given)
    }

    /// Roles that a rule separates from what the same person holds by another source.
    fn separated_elsewhere(&self) -> BTreeSet<&'a RoleName> {
        let me = Claimant::User { id: self.user.id, source: self.user.source.clone() };
        let named = self.target.waiting().concerning(&me).iter().filter_map(|pending| match pending {
            Pending::Separated { roles, .. } => Some(roles),
            _ => None,
        });
        let broken: BTreeSet<&RoleName> = named.flatten().collect();
        if broken.is_empty() {
            return BTreeSet::new();
        }
        let concerned = |spec: &RoleSpec| spec.whole.iter().any(|role| broken.contains(role));
        let roles = self.target.map.roles.iter().filter(|(_, spec)| concerned(spec));
        roles.map(|(name, _)| name).collect()
    }

    /// What requests give to an active person.
    fn extras(&self, roles: &mut Vec<RoleExplained>) {
        let target = self.target;
        let beside = target.evaluator.beside();
        if !self.user.active || beside.offboarding(self.user).is_some() {
            return;
        }
        for extra in beside.extras(self.user, target.now) {
            // It is told with what is withheld.
            if target.waiting().request(extra.request.id).is_some() {
                continue;
            }
            let known = target.map.roles.get_key_value(extra.role).map(|(role, _)| role);
            let Some(role) = known.filter(|role| extra.is_for(&target.spec.name) && target.exists(role))
            else {
                continue;
            };
            let at = roles.iter().position(|explained| explained.role == *role).unwrap_or_else(|| {
                roles.push(target.role(role, Vec::new()));
                roles.len() - 1
            });
            roles[at].requests.push(RequestShown::of(extra.request));
        }
        roles.sort_by(|a, b| a.role.cmp(&b.role));
    }

    fn separated(&self, mapping: &Mapping, role: &RoleName, all: &Given<'_>) -> NotGiven {
        let concerns = |rule: &&&Separation| {
            self.target.map.roles.get(role).is_some_and(|spec| !spec.whole.is_disjoint(&rule.roles))
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
            None => "a rule separates it from what the person holds by another source".to_owned(),
        };
        let condition = InTarget::condition(mapping, self.user);
        NotGiven { mapping: mapping.place.clone(), roles: vec![role.clone()], why, condition }
    }

    fn not_given(&self, mapping: &Mapping, judged: &Judgement<'_>) -> Option<NotGiven> {
        let target = self.target;
        let (why, condition) = match judged {
            // Not being in some other group of a mapping is no news to anybody.
            Judgement::NotIn => return None,
            Judgement::Gives(_) => ("the person is not active".to_owned(), None),
            Judgement::LeftOut(group) => {
                let name = crate::selection::group_name(target.directory, *group);
                (format!("the person is in {name}, which it leaves out"), None)
            }
            Judgement::UnknownExclusion => ("a group that it leaves out is not known".to_owned(), None),
            Judgement::Ended(until) => (format!("it ended at {}", instant(*until)), None),
            Judgement::Condition(truth) => {
                (format!("its condition is {truth}"), InTarget::condition(mapping, self.user))
            }
            Judgement::NothingNamed => {
                ("the group's name captures no role that `only` allows".to_owned(), None)
            }
        };
        let roles = match &mapping.gives {
            Gives::Roles(roles) => roles.iter().filter(|r| target.exists(r)).cloned().collect(),
            Gives::Captured { .. } => Vec::new(),
        };
        Some(NotGiven { mapping: mapping.place.clone(), roles, why, condition })
    }
}
