//! What those who claim a name get under it: one person, several records of one person, or nobody.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::{SourceId, SqlName};
use axon_reconcile::{
    Connect, Grant, GrantKey, ManagedPrincipals, Membership, Principal, PrincipalKind, Sid,
};

use super::Evaluator;
use crate::beside;
use crate::identity::Breach;
use crate::names::RoleName;
use crate::pending::{Claimant, Pending};
use crate::standing::Standing;
use crate::view;

/// What is put into the graph for a name.
struct Wanted {
    kind: PrincipalKind,
    sid: Option<Sid>,
    /// The spelling of the one who has the name now.
    spelled: SqlName,
    /// Numbers of roles of the [`View`](crate::view::View).
    roles: Vec<usize>,
}

impl Wanted {
    fn principal(self) -> Principal {
        Principal { kind: self.kind, sid: self.sid, connect: Connect::Granted, created: None }
    }
}

impl Evaluator {
    /// Puts into the graph what those who claim a name get under it.
    pub(super) fn settle(&mut self, name: SqlName) {
        self.name_moved(name);
        self.graph.principals.remove(&name);
        self.withheld.remove(&name);
        self.settled.insert(name);
        self.separated.remove(&name);
        for number in self.claims.take_joined(name) {
            if let Some(role) = self.view.joined.get(number) {
                self.graph.members.remove(&Membership { role: *role, member: name });
            }
        }
        if !self.direct.is_empty() && !self.graph.roles.contains_key(&name) {
            let stood: Vec<GrantKey> = self.graph.grants_of(name).map(|(key, _)| *key).collect();
            for key in &stood {
                self.graph.grants.remove(key);
            }
        }
        if !self.claims.has(name) {
            if let ManagedPrincipals::Mapped(names) = &mut self.scope.principals
                && !self.around.known.contains(&name)
            {
                names.remove(&name);
            }
            return;
        }
        let reserved = self.is_reserved(name);
        if !reserved && let ManagedPrincipals::Mapped(names) = &mut self.scope.principals {
            names.insert(name);
        }
        let Some(wanted) = self.weigh(name, reserved) else { return };
        let (member, joined) = (wanted.spelled, self.joined(&wanted.roles));
        let roles = joined.iter().filter_map(|number| self.view.joined.get(*number));
        if !joined.is_empty() {
            self.graph.members.extend(roles.map(|role| Membership { role: *role, member }));
        }
        let stands = self.stands(&wanted);
        let keys: Vec<GrantKey> = stands.keys().copied().collect();
        self.tie(member, wanted.sid.as_ref(), &joined, &keys);
        if !stands.is_empty() {
            self.graph.grants.extend(stands);
        }
        self.graph.principals.insert(member, wanted.principal());
        self.claims.put_joined(name, joined);
    }

    /// The same for all names at once, into an empty graph: everything comes in order, so that tables are built and not searched.
    pub(super) fn settle_all(&mut self) {
        let names = self.claims.names();
        let mut managed: Vec<SqlName> = Vec::with_capacity(names.len());
        let mut principals: Vec<(SqlName, Principal)> = Vec::with_capacity(names.len());
        let mut members: Vec<Vec<SqlName>> = vec![Vec::new(); self.view.joined.len()];
        for name in &names {
            let reserved = self.is_reserved(*name);
            if !reserved {
                managed.push(*name);
            }
            let Some(wanted) = self.weigh(*name, reserved) else { continue };
            let (member, joined) = (wanted.spelled, self.joined(&wanted.roles));
            for number in &joined {
                if let Some(members) = members.get_mut(*number) {
                    members.push(member);
                }
            }
            let stands = self.stands(&wanted);
            self.graph.grants.extend(stands);
            principals.push((member, wanted.principal()));
            self.claims.put_joined(*name, joined);
        }
        self.graph.principals = principals.into_iter().collect();
        let of_roles = self.view.joined.iter().zip(members);
        self.graph.members = of_roles
            .flat_map(|(role, members)| members.into_iter().map(|member| Membership { role: *role, member }))
            .collect();
        if let ManagedPrincipals::Mapped(known) = &mut self.scope.principals {
            let mut managed: BTreeSet<SqlName> = managed.into_iter().collect();
            managed.append(known);
            *known = managed;
        }
        self.settled.append(&mut names.into_iter().collect());
    }

    /// What a name is to get, if anything; what keeps it from more is noted.
    fn weigh(&mut self, name: SqlName, reserved: bool) -> Option<Wanted> {
        match self.wanted(name, reserved) {
            Ok((wanted, separated)) => {
                if !separated.is_empty() {
                    self.separated.insert(name, separated);
                }
                wanted
            }
            Err(pending) => {
                self.withheld.insert(name, pending);
                None
            }
        }
    }

    /// What a principal holds itself, by direct roles.
    fn stands(&self, wanted: &Wanted) -> BTreeMap<GrantKey, Grant> {
        if self.direct.is_empty() {
            return BTreeMap::new();
        }
        let lines = wanted.roles.iter().filter_map(|number| self.direct.get(number)).flatten();
        view::of_principal(wanted.spelled, lines)
    }

    /// Numbers of the roles of the target into which these roles put somebody.
    fn joined(&self, roles: &[usize]) -> Box<[usize]> {
        let of = |number: &usize| self.view.roles.get(*number).map_or(&[][..], |role| &role.joins);
        if let [one] = roles {
            return of(one).into();
        }
        let mut joined: Vec<usize> = roles.iter().flat_map(of).copied().collect();
        joined.sort_unstable();
        joined.dedup();
        joined.into()
    }

    /// Whether a source that may say so says that whoever has this name is not active, or a stranger came under it.
    pub fn says_inactive(&self, name: SqlName) -> bool {
        self.claims.of(name).any(|(_, standing)| {
            standing.inactive || standing.stranger || self.claims.inactive_elsewhere(standing)
        })
    }

    fn wanted(&self, name: SqlName, reserved: bool) -> Result<(Option<Wanted>, Vec<Pending>), Pending> {
        // A stranger waits, and is in nobody's way meanwhile.
        let claims: Vec<(&Claimant, &Standing)> =
            self.claims.of(name).filter(|(_, standing)| !standing.stranger).collect();
        if !claims.iter().any(|(_, standing)| standing.asks()) {
            return Ok((None, Vec::new()));
        }
        let who = || claims.iter().map(|(who, _)| (*who).clone()).collect::<Vec<_>>();
        if reserved {
            return Err(Pending::NameReserved { name, who: who() });
        }
        let Some(One { sid }) = one_person(&claims) else {
            return Err(Pending::NameShared { name, who: who() });
        };
        if claims.iter().any(|(_, standing)| standing.inactive || self.claims.inactive_elsewhere(standing)) {
            return Err(Pending::InactiveElsewhere { name, who: who() });
        }
        if let Some(sid) = &sid {
            let mut others = self.claims.others_with_sid(sid, &claims).peekable();
            if others.peek().is_some() {
                let mut with_sid = who();
                with_sid.extend(others.cloned());
                with_sid.sort();
                return Err(Pending::IdentityShared { name, sid: sid.clone(), who: with_sid });
            }
        }
        let kind = match claims[0].0 {
            Claimant::Group { .. } => PrincipalKind::ExternalGroup,
            Claimant::User { .. } | Claimant::Service { .. } => PrincipalKind::External,
        };
        // `name` may be another's spelling.
        let spelled = claims[0].1.name.as_ref().map_or(name, |n| *n);
        let mut roles: Vec<usize> =
            claims.iter().flat_map(|(_, standing)| standing.roles.iter().copied()).collect();
        if claims.len() > 1 {
            roles.sort_unstable();
            roles.dedup();
        }
        let mut separated = self.separate(name, &claims, &mut roles);
        separated.extend(self.extras(name, &claims, &mut roles));
        if roles.is_empty() {
            return Ok((None, separated));
        }
        Ok((Some(Wanted { kind, sid, spelled, roles }), separated))
    }

    /// Takes out the roles that a rule separates and that come together here, whatever source or target each comes from.
    fn separate(
        &self,
        name: SqlName,
        claims: &[(&Claimant, &Standing)],
        roles: &mut Vec<usize>,
    ) -> Vec<Pending> {
        let map = &*self.map;
        if map.rules.separate.is_empty() {
            return Vec::new();
        }
        let held: BTreeSet<&RoleName> =
            claims.iter().flat_map(|(_, standing)| self.claims.separable(standing)).collect();
        let (withheld, broken) = map.rules.withheld(&map.roles, &held);
        if broken.is_empty() || self.breach_of(claims, &withheld).is_some_and(|breach| self.excuses(&breach))
        {
            return Vec::new();
        }
        let withheld: BTreeSet<usize> = withheld.iter().filter_map(|role| self.view.number(role)).collect();
        let before = roles.len();
        roles.retain(|role| !withheld.contains(role));
        if roles.len() == before {
            return Vec::new();
        }
        let who: Vec<Claimant> = claims.iter().map(|(who, _)| (*who).clone()).collect();
        broken
            .into_iter()
            .map(|rule| Pending::Separated {
                name,
                who: who.clone(),
                roles: rule.roles.iter().cloned().collect(),
                rule: rule.place.clone(),
            })
            .collect()
    }

    /// A breach by those who claim one name; none by a service identity, which only a map can mend.
    fn breach_of(&self, claims: &[(&Claimant, &Standing)], roles: &BTreeSet<&RoleName>) -> Option<Breach> {
        let user = |who: &Claimant| match who {
            Claimant::User { id, .. } => Some(*id),
            Claimant::Group { .. } | Claimant::Service { .. } => None,
        };
        let users = claims.iter().map(|(who, _)| user(who)).collect::<Option<_>>()?;
        let roles = roles.iter().map(|role| (*role).clone()).collect();
        Some(Breach { target: self.target.name.clone(), users, roles })
    }

    /// Whether a person let this be.
    pub(crate) fn excuses(&self, breach: &Breach) -> bool {
        self.around.identity.excused.iter().any(|seen| seen.covers(breach))
    }

    /// The rules of separation that the person of this name breaks here, whether or not somebody let it be.
    pub fn breach(&self, name: SqlName) -> Option<Breach> {
        let claims: Vec<(&Claimant, &Standing)> =
            self.claims.of(name).filter(|(_, standing)| !standing.stranger).collect();
        let held: BTreeSet<&RoleName> =
            claims.iter().flat_map(|(_, standing)| self.claims.separable(standing)).collect();
        let (withheld, _) = self.map.rules.withheld(&self.map.roles, &held);
        if withheld.is_empty() { None } else { self.breach_of(&claims, &withheld) }
    }

    /// All breaches by which roles are withheld here, with the names of who would hold them and what is told of them.
    pub fn breaches(&self) -> impl Iterator<Item = (SqlName, Breach, &Pending)> {
        self.separated.iter().filter_map(|(name, pending)| {
            let told = pending.iter().find(|pending| matches!(pending, Pending::Separated { .. }))?;
            Some((*name, self.breach(*name)?, told))
        })
    }

    /// Puts in the roles that requests give, but for those by which a rule of separation would be broken.
    fn extras(
        &self,
        name: SqlName,
        claims: &[(&Claimant, &Standing)],
        roles: &mut Vec<usize>,
    ) -> Vec<Pending> {
        if claims.iter().all(|(_, standing)| standing.extras.is_empty()) {
            return Vec::new();
        }
        let held: BTreeSet<&RoleName> =
            claims.iter().flat_map(|(_, standing)| self.claims.separable(standing)).collect();
        let given = claims.iter().flat_map(|(_, standing)| &*standing.extras);
        let mut withheld = Vec::new();
        for (given, broken) in beside::let_through(&self.map, &held, given) {
            match (given.number, broken) {
                (Some(number), None) => roles.push(number),
                (Some(_), Some(rule)) => withheld.push(Pending::RequestSeparated {
                    name,
                    request: given.request,
                    role: given.role.clone(),
                    rule: rule.place.clone(),
                }),
                (None, _) => {}
            }
        }
        roles.sort_unstable();
        roles.dedup();
        withheld
    }
}

/// One person, or one group or service identity.
struct One {
    /// The object id, where it is known.
    sid: Option<Sid>,
}

/// Whether these are one: a single claimant, or users of different sources whose joining attributes have one value and whose
/// object ids do not differ.
fn one_person(claims: &[(&Claimant, &Standing)]) -> Option<One> {
    let mut sids = claims.iter().filter_map(|(_, standing)| standing.sid.as_ref());
    let sid = sids.next().cloned();
    if claims.len() == 1 {
        return Some(One { sid });
    }
    let key = claims.first()?.1.join.as_ref()?;
    let mut sources: BTreeSet<&SourceId> = BTreeSet::new();
    for (who, standing) in claims {
        let Claimant::User { source, .. } = who else { return None };
        if standing.join.as_ref() != Some(key) || !sources.insert(source) {
            return None;
        }
    }
    sids.all(|other| Some(other) == sid.as_ref()).then_some(One { sid })
}
