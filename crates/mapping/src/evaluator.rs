//! The desired state of one target, kept and moved by directory changes. Incremental equals full.

mod claims;
mod few;
mod joins;
mod moved;
mod profile;
mod settle;
mod touched;
mod who;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_model::{
    AccessRequest, AccessRequestId, Asked, Delta, Directory, GroupId, RecordSeq, SqlName, UserId,
};
use axon_reconcile::{
    Grant, GrantKey, GrantState, Graph, ManagedPrincipals, Permission, Role, Scope, Securable, Shape, Shared,
    Ties,
};
use time::OffsetDateTime;

pub use moved::Moved;
pub use profile::ProfileNeeds;
pub use touched::Touched;

use crate::beside::Beside;
use crate::desired::{Desired, Surroundings, UnknownTarget};
use crate::identity::{Identity, Sights};
use crate::map::RoleMap;
use crate::names::{RoleName, TargetName};
use crate::pending::{Claimant, Pending};
use crate::reserved;
use crate::role::DefinedRole;
use crate::selection::{Nesting, Selection, users_under};
use crate::standing::{self, Look, NoName, Standing};
use crate::target::{TargetSpec, Via};
use crate::view::{self, View};
use claims::Claims;
use touched::NamesUsed;

/// Holds what every person, group and service identity asks for in one target, and the graph that comes of it.
#[derive(Debug, Clone)]
pub struct Evaluator {
    map: Arc<RoleMap>,
    target: TargetSpec,
    around: Surroundings,
    view: View,
    used: NamesUsed,
    selection: Selection,
    /// Which mappings hold at the instant of the last evaluation.
    holding: Vec<bool>,
    /// Which requests give something at that instant.
    live: BTreeSet<AccessRequestId>,
    claims: Claims,
    graph: Graph,
    scope: Scope,
    /// What direct roles give to each principal that has them, by their numbers in the view.
    direct: BTreeMap<usize, Vec<(Securable, Permission, GrantState)>>,
    /// Lines that wait for their securables.
    waiting: Vec<Pending>,
    /// Names that nobody gets, with the reason.
    withheld: BTreeMap<SqlName, Pending>,
    /// Names that were looked at since somebody asked for them.
    settled: BTreeSet<SqlName>,
    /// Names that do not get some roles, since a rule separates them.
    separated: BTreeMap<SqlName, Vec<Pending>>,
    next_change: Option<OffsetDateTime>,
    moved: Moved,
    /// The index of the graph, once somebody asked for it.
    ties: Option<Ties>,
}

impl Evaluator {
    /// An evaluator that knows nobody yet: [`full`](Self::full) comes first.
    pub fn new(map: Arc<RoleMap>, target: &TargetName, around: Surroundings) -> Result<Self, UnknownTarget> {
        let spec = map.targets.get(target).ok_or_else(|| UnknownTarget(target.to_string()))?.clone();
        let view = View::of(&map, &spec);
        let used = NamesUsed::of(&map);
        let scope = Scope {
            roles: spec.manage.roles.clone(),
            named_roles: view.named_roles.clone(),
            given: BTreeSet::new(),
            schemas: spec.manage.schemas.clone(),
            principals: ManagedPrincipals::External,
            untouchable: BTreeSet::new(),
        };
        Ok(Self {
            map,
            target: spec,
            around,
            view,
            used,
            selection: Selection::default(),
            holding: Vec::new(),
            live: BTreeSet::new(),
            claims: Claims::default(),
            graph: Graph::default(),
            scope,
            direct: BTreeMap::new(),
            waiting: Vec::new(),
            withheld: BTreeMap::new(),
            settled: BTreeSet::new(),
            separated: BTreeMap::new(),
            next_change: None,
            moved: Moved::default(),
            ties: None,
        })
    }

    /// Computes everything from nothing.
    pub fn full(&mut self, directory: &Directory, now: OffsetDateTime) {
        self.selection = Selection::of(&self.map, directory, &self.around.identity);
        self.claims = Claims::default();
        self.withheld.clear();
        self.separated.clear();
        self.graph = Graph::default();
        self.all_moved();
        self.scope.untouchable =
            reserved::untouchable().chain(self.around.untouchable.iter().copied()).collect();
        self.scope.untouchable.extend(&self.target.manage.except);
        self.scope.principals = if self.target.manage.every_external {
            ManagedPrincipals::External
        } else {
            let known = self.around.known.iter().copied().filter(|n| !self.is_reserved(*n));
            ManagedPrincipals::Mapped(known.collect())
        };
        for role in &self.view.roles {
            self.graph.roles.extend(role.name.map(|name| (name, Role::default())));
        }
        self.graph.roles.extend(self.target.metadata.impersonation.map(|name| (name, Role::default())));
        let defined = self.map.roles.values().filter_map(|role| role.define.get(&self.target.name));
        self.graph.roles.extend(defined.map(|defined| (defined.name, Role::default())));
        self.permissions();
        self.clock(now);
        let nesting = Nesting::of(directory);
        let mut claims = Claims::default();
        claims.reserve(directory.users().size_hint().0);
        for (user, groups) in directory.users_and_groups() {
            let claimant = Claimant::User { id: user.id, source: user.source.clone() };
            let standing = standing::of_user_in(self.look(directory, now), user, || nesting.closure(groups));
            claims.begin(claimant, standing);
        }
        for id in self.group_principals() {
            let standing = standing::of_group(self.look(directory, now), id);
            if let (Some(standing), Some(group)) = (standing, directory.group(id)) {
                claims.begin(Claimant::Group { id, source: group.source.clone() }, standing);
            }
        }
        for name in self.map.services.keys() {
            if let Some(standing) = standing::of_service(&self.map, &self.view, name, now) {
                claims.begin(Claimant::Service { name: name.clone() }, standing);
            }
        }
        self.claims = claims;
        self.settle_all();
    }

    /// Computes everything anew over a directory that moved unseen. Gives the names that no one has any more, which stay
    /// managed, as [`apply`](Self::apply) does.
    pub fn reload(&mut self, directory: &Directory, now: OffsetDateTime) -> Vec<SqlName> {
        let mut before = self.claims.names();
        self.full(directory, now);
        before.retain(|name| !self.claims.has(*name));
        self.forget(before)
    }

    /// Takes in directory changes that were noted while they were applied, and the passing of time.
    ///
    /// Gives the names that no one in the directory has any more. They stay managed here; the caller keeps them, and
    /// hands them in as [`Surroundings::known`] to later evaluators.
    pub fn apply(&mut self, directory: &Directory, touched: &Touched, now: OffsetDateTime) -> Vec<SqlName> {
        let holding = self.holding_at(now);
        if holding != self.holding {
            // A mapping ended: whom it concerned is not indexed, and it is rare.
            return self.reload(directory, now);
        }
        let before = std::mem::take(&mut self.live);
        self.clock(now);
        let mut users = touched.users.clone();
        if before != self.live {
            let ended = before.symmetric_difference(&self.live).copied().collect();
            users.extend(self.around.beside.people(&ended, directory));
        }
        let mut groups = touched.groups.clone();
        if touched.names || touched.moves(&self.used) {
            self.reselect(directory, &mut users, &mut groups);
        }
        let mut dirty = touched.principals.clone();
        for id in users {
            match directory.user(id) {
                Some(user) => {
                    let claimant = Claimant::User { id, source: user.source.clone() };
                    let standing = self.user_standing(directory, id, now);
                    self.claims.put(claimant, standing, &mut dirty);
                }
                None => self.claims.remove_user(id, &mut dirty),
            }
        }
        for group in groups {
            self.put_group(directory, group, now, &mut dirty);
        }
        let mut gone = Vec::new();
        for name in dirty {
            if !self.claims.has(name) {
                gone.push(name);
            }
            self.settle(name);
        }
        self.forget(gone)
    }

    /// Applies deltas to the directory and follows them.
    pub fn follow(
        &mut self,
        directory: &mut Directory,
        deltas: &[(Delta, RecordSeq)],
        now: OffsetDateTime,
    ) -> Vec<SqlName> {
        let mut touched = Touched::default();
        for (delta, seq) in deltas {
            touched.note(directory, delta);
            directory.apply(delta, *seq);
        }
        self.apply(directory, &touched, now)
    }

    /// Takes in what the target's catalog holds now.
    pub fn set_shape(&mut self, shape: Arc<Shape>) {
        self.around.shape = shape;
        let stood_on_people = !self.direct.is_empty();
        self.permissions();
        if stood_on_people || !self.direct.is_empty() {
            let principals: Vec<SqlName> = self.graph.principals.keys().copied().collect();
            for name in principals {
                self.settle(name);
            }
        }
    }

    /// Takes in whom names belong to now. [`apply`](Self::apply) has to look at what this gives, as at changes of the directory.
    pub fn set_identity(&mut self, identity: &Arc<Identity>) -> Touched {
        let old = std::mem::replace(&mut self.around.identity, identity.clone());
        let mut touched = Touched::default();
        if Arc::ptr_eq(&old, identity) {
            return touched;
        }
        touched.names = !old.same_groups(identity);
        touched.users.extend(old.strangers.symmetric_difference(&identity.strangers));
        let excused = old.excused.symmetric_difference(&identity.excused);
        for name in
            excused.flat_map(|breach| &breach.users).filter_map(|user| self.claims.name_of_user(*user))
        {
            touched.principals.insert(name);
        }
        touched
    }

    /// Takes in what stands beside the map now, in the same way.
    pub fn set_beside(&mut self, beside: &Arc<Beside>, directory: &Directory) -> Touched {
        let old = std::mem::replace(&mut self.around.beside, beside.clone());
        let mut touched = Touched::default();
        if !Arc::ptr_eq(&old, beside) {
            touched.users = old.concerned(beside, directory);
        }
        touched
    }

    /// What was found out about groups' names at the last evaluation.
    pub fn sights(&self) -> &Sights {
        &self.selection.sights
    }

    /// The desired graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The roles of Azure that the map makes in the target, by name.
    pub(crate) fn defined(&self) -> BTreeMap<SqlName, &DefinedRole> {
        let defined = self.map.roles.values().filter_map(|role| role.define.get(&self.target.name));
        defined.map(|defined| (defined.name, defined)).collect()
    }

    /// What may be touched.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The next instant at which the desired state changes by itself.
    pub fn next_change(&self) -> Option<OffsetDateTime> {
        self.next_change
    }

    /// What is asked for and waits.
    pub fn pending(&self) -> Vec<Pending> {
        let mut pending = self.waiting.clone();
        pending.extend(self.withheld.values().cloned());
        pending.extend(self.claims.refused().map(|(who, why)| match why.clone() {
            NoName::Refused(text, reason) => Pending::NameRefused { who: who.clone(), text, reason },
            NoName::Outside(name) => Pending::OutsideClaims { who: who.clone(), name },
        }));
        pending.extend(self.separated.values().flatten().cloned());
        let offboarded = self.claims.offboarded();
        pending.extend(offboarded.map(|(who, request)| Pending::Offboarded { who: who.clone(), request }));
        pending
            .extend(self.claims.strangers().map(|(who, name)| Pending::Stranger { who: who.clone(), name }));
        pending.extend(crate::check::group_problems(&self.map, &self.selection));
        pending.sort();
        pending
    }

    /// A copy of all of it.
    pub fn desired(&self) -> Desired {
        Desired {
            graph: self.graph.clone(),
            scope: self.scope.clone(),
            pending: self.pending(),
            next_change: self.next_change,
        }
    }

    /// The roles that the claimants of a name would get together, were each of them alone.
    pub fn would_give(&self, name: SqlName) -> BTreeSet<SqlName> {
        let known = self.claims.of(name).filter(|(_, standing)| !standing.stranger);
        let numbers = known.flat_map(|(_, standing)| &standing.roles);
        let roles = numbers.filter_map(|number| self.view.roles.get(*number));
        roles.flat_map(|role| role.name.into_iter().chain(role.per_person.iter().copied())).collect()
    }

    /// Whether whoever has this name is shut out by a request.
    pub fn is_offboarded(&self, name: SqlName) -> bool {
        self.claims.of(name).any(|(_, standing)| standing.offboarded.is_some())
    }

    /// What a request for a role for a while gave here, ended ones too: roles of the target and who was put into them.
    pub fn given_by(&self, request: &AccessRequest) -> Vec<(SqlName, SqlName)> {
        let Asked::Grant { role, target, .. } = &request.asked else { return Vec::new() };
        if target.as_deref().is_some_and(|target| target != self.target.name.as_str()) {
            return Vec::new();
        }
        let found = self.view.roles.iter().find(|known| known.role.as_str() == role.as_str());
        let roles =
            found.into_iter().flat_map(|role| role.name.into_iter().chain(role.per_person.iter().copied()));
        let people = request.whom.records.iter().filter_map(|record| self.claims.name_of_user(record.id));
        let people: Vec<SqlName> = people.collect();
        roles.flat_map(|role| people.iter().map(move |member| (role, *member))).collect()
    }

    /// What the claimants of a name would hold themselves by direct roles, were each of them alone.
    pub fn would_stand(&self, name: SqlName) -> BTreeMap<GrantKey, Grant> {
        let known = self.claims.of(name).filter(|(_, standing)| !standing.stranger);
        let numbers: BTreeSet<usize> =
            known.flat_map(|(_, standing)| standing.roles.iter().copied()).collect();
        let lines = numbers.iter().filter_map(|number| self.direct.get(number)).flatten();
        view::of_principal(name, lines)
    }

    /// What this user is called in this target, if the source may say so.
    pub fn principal_of(&self, user: UserId) -> Option<SqlName> {
        self.claims.name_of_user(user)
    }

    /// The numbers of the roles of the [`View`] that a principal has: what a rule of separation withholds is left out.
    pub(crate) fn roles_of(&self, name: SqlName) -> BTreeSet<usize> {
        let known = self.claims.of(name).filter(|(_, standing)| !standing.stranger);
        let numbers = known.flat_map(|(_, standing)| {
            let extras = standing.extras.iter().filter_map(|given| given.number);
            standing.roles.iter().copied().chain(extras)
        });
        let joined = self.claims.joined(name);
        // What a rule of separation withholds is in the standing, and not in the graph.
        let separated = |role: &RoleName| {
            let all = self.separated.get(&name).into_iter().flatten();
            all.into_iter().any(|p| matches!(p, Pending::Separated { roles, .. } if roles.contains(role)))
        };
        let held = |number: &usize| match self.view.roles.get(*number) {
            Some(role) => match role.own() {
                Some(own) => self.view.rank(own).is_some_and(|rank| joined.contains(&rank)),
                None => !separated(&role.role),
            },
            None => false,
        };
        numbers.filter(held).collect()
    }

    /// The roles of the target that anybody may be put into, by name.
    pub(crate) fn role_names(&self) -> &[SqlName] {
        &self.view.joined
    }

    /// Numbers among [`role_names`](Self::role_names) of the roles that a principal is in, ascending.
    pub(crate) fn in_roles(&self, name: SqlName) -> &[usize] {
        self.claims.joined(name)
    }

    /// The direct members of a role of the target.
    pub(crate) fn members_of(&self, role: SqlName) -> impl Iterator<Item = SqlName> {
        // Every member is a principal: none comes before the first of them.
        let first = self
            .graph
            .principals
            .keys()
            .next()
            .map(|member| axon_reconcile::Membership { role, member: *member });
        let from = first.into_iter().flat_map(|first| self.graph.members.range(first..));
        from.take_while(move |membership| membership.role == role).map(|membership| membership.member)
    }

    /// Groups that are one principal of the graph, with its name.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (GroupId, SqlName)> {
        self.claims.groups().filter(|(_, name)| self.graph.principals.contains_key(name))
    }

    /// Names of the graph's principals behind which somebody else may be since this was asked last.
    pub fn take_settled(&mut self) -> Vec<SqlName> {
        let settled = std::mem::take(&mut self.settled);
        settled.into_iter().filter(|name| self.graph.principals.contains_key(name)).collect()
    }

    /// Who has a principal's name in this target, and does not wait for a release.
    pub fn holders(&self, name: SqlName) -> impl Iterator<Item = &Claimant> {
        self.claims.of(name).filter(|(_, standing)| !standing.stranger).map(|(who, _)| who)
    }

    /// Who has a principal's name in this target.
    pub fn claimants(&self, name: SqlName) -> impl Iterator<Item = &Claimant> {
        self.claims.of(name).map(|(who, _)| who)
    }

    pub(crate) fn beside(&self) -> &Beside {
        &self.around.beside
    }

    pub(crate) fn map(&self) -> &RoleMap {
        &self.map
    }

    pub(crate) fn target(&self) -> &TargetSpec {
        &self.target
    }

    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    pub(crate) fn selection(&self) -> &Selection {
        &self.selection
    }

    pub(crate) fn is_withheld(&self, name: SqlName) -> bool {
        self.withheld.contains_key(&name)
    }

    fn look<'a>(&'a self, directory: &'a Directory, now: OffsetDateTime) -> Look<'a> {
        Look {
            map: &self.map,
            target: &self.target,
            view: &self.view,
            selection: &self.selection,
            identity: &self.around.identity,
            beside: &self.around.beside,
            directory,
            now,
        }
    }

    fn user_standing(&self, directory: &Directory, id: UserId, now: OffsetDateTime) -> Option<Standing> {
        let user = directory.user(id)?;
        Some(standing::of_user(self.look(directory, now), user))
    }

    /// Groups that some mapping lets in as one principal here.
    fn group_principals(&self) -> BTreeSet<GroupId> {
        let by_group = self.map.mappings.iter().zip(&self.selection.found);
        by_group
            .filter(|(m, _)| self.map.via(m, &self.target) == Via::Group && m.personal().is_none())
            .flat_map(|(_, found)| found.open.keys().copied())
            .collect()
    }

    fn put_group(
        &mut self,
        directory: &Directory,
        id: GroupId,
        now: OffsetDateTime,
        dirty: &mut BTreeSet<SqlName>,
    ) {
        let standing = standing::of_group(self.look(directory, now), id);
        match (standing, directory.group(id)) {
            (Some(standing), Some(group)) => {
                let claimant = Claimant::Group { id, source: group.source.clone() };
                self.claims.put(claimant, Some(standing), dirty);
            }
            _ => self.claims.remove_group(id, dirty),
        }
    }

    /// Finds the mappings' groups anew and adds whom the difference concerns.
    fn reselect(
        &mut self,
        directory: &Directory,
        users: &mut BTreeSet<UserId>,
        groups: &mut BTreeSet<GroupId>,
    ) {
        let selection = Selection::of(&self.map, directory, &self.around.identity);
        let mut moved = BTreeSet::new();
        for (old, new) in self.selection.found.iter().zip(&selection.found) {
            if old != new {
                moved.extend(old.groups().chain(new.groups()));
            }
        }
        self.selection = selection;
        for group in &moved {
            users_under(directory, *group, users);
        }
        groups.extend(moved);
    }

    fn permissions(&mut self) {
        let all = view::permissions(&self.map, &self.target, &self.view, &self.around.shape);
        self.graph.grants = Shared::packed(all.grants);
        self.direct = all.direct;
        self.waiting = all.waiting;
        self.all_moved();
    }

    fn holding_at(&self, now: OffsetDateTime) -> Vec<bool> {
        self.map.mappings.iter().map(|m| m.holds_at(now)).collect()
    }

    fn clock(&mut self, now: OffsetDateTime) {
        self.holding = self.holding_at(now);
        self.live = self.around.beside.live(now);
        let mappings = self.map.mappings.iter().filter_map(|m| m.until);
        let protections = self.map.guards.protect.iter().map(|p| p.until);
        let ends = mappings.chain(protections).chain(self.around.beside.next_end(now));
        self.next_change = ends.filter(|until| *until > now).min();
    }

    fn is_reserved(&self, name: SqlName) -> bool {
        reserved::is_reserved(name)
            || self.view.has_role_named(name)
            || self.around.untouchable.contains(&name)
            || self.target.manage.roles.iter().any(|glob| glob.matches(name))
    }

    fn forget(&mut self, gone: Vec<SqlName>) -> Vec<SqlName> {
        for name in &gone {
            self.around.known.insert(*name);
            self.manage(*name);
            self.name_moved(*name);
        }
        gone
    }

    fn manage(&mut self, name: SqlName) {
        if !self.is_reserved(name)
            && let ManagedPrincipals::Mapped(names) = &mut self.scope.principals
        {
            names.insert(name);
        }
    }
}
