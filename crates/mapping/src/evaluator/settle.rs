//! What those who claim a name get under it: one person, several records of one person, or nobody.

use std::collections::BTreeSet;

use axon_model::{SourceId, SqlName};
use axon_reconcile::{Connect, GrantKey, ManagedPrincipals, Membership, Principal, PrincipalKind, Sid};

use super::Evaluator;
use crate::beside;
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
    roles: BTreeSet<u16>,
}

impl Evaluator {
    /// Puts into the graph what those who claim a name get under it.
    pub(super) fn settle(&mut self, name: SqlName) {
        self.graph.principals.remove(&name);
        self.withheld.remove(&name);
        self.settled.insert(name);
        self.separated.remove(&name);
        for role in self.claims.take_joined(name) {
            self.graph.members.remove(&Membership { role, member: name });
        }
        if !self.direct.is_empty() && !self.graph.roles.contains_key(&name) {
            let stood: Vec<GrantKey> = self.graph.grants_of(name).map(|(key, _)| *key).collect();
            stood.iter().for_each(|key| drop(self.graph.grants.remove(key)));
        }
        if !self.claims.has(name) {
            if let ManagedPrincipals::Mapped(names) = &mut self.scope.principals
                && !self.around.known.contains(&name)
            {
                names.remove(&name);
            }
            return;
        }
        self.manage(name);
        match self.wanted(name) {
            Ok((wanted, separated)) => {
                if !separated.is_empty() {
                    self.separated.insert(name, separated);
                }
                if let Some(wanted) = wanted {
                    self.put(name, wanted);
                }
            }
            Err(pending) => {
                self.withheld.insert(name, pending);
            }
        }
    }

    /// Whether a source that may say so says that whoever has this name is not active, or a stranger came under it.
    pub fn says_inactive(&self, name: SqlName) -> bool {
        self.claims.of(name).any(|(_, standing)| {
            standing.inactive || standing.stranger || self.claims.inactive_elsewhere(standing)
        })
    }

    fn wanted(&self, name: SqlName) -> Result<(Option<Wanted>, Vec<Pending>), Pending> {
        // A stranger waits, and is in nobody's way meanwhile.
        let claims: Vec<(&Claimant, &Standing)> =
            self.claims.of(name).filter(|(_, standing)| !standing.stranger).collect();
        if !claims.iter().any(|(_, standing)| standing.asks()) {
            return Ok((None, Vec::new()));
        }
        let who = || claims.iter().map(|(who, _)| (*who).clone()).collect::<Vec<_>>();
        if self.is_reserved(name) {
            return Err(Pending::NameReserved { name, who: who() });
        }
        let Some(One { sid }) = one_person(&claims) else {
            return Err(Pending::NameShared { name, who: who() });
        };
        if claims.iter().any(|(_, standing)| standing.inactive || self.claims.inactive_elsewhere(standing)) {
            return Err(Pending::InactiveElsewhere { name, who: who() });
        }
        if let Some(sid) = &sid {
            let with_sid: Vec<Claimant> = self.claims.with_sid(sid).cloned().collect();
            if with_sid.iter().any(|other| claims.iter().all(|(mine, _)| *mine != other)) {
                return Err(Pending::IdentityShared { name, sid: sid.clone(), who: with_sid });
            }
        }
        let kind = match claims[0].0 {
            Claimant::Group { .. } => PrincipalKind::ExternalGroup,
            Claimant::User { .. } | Claimant::Service { .. } => PrincipalKind::External,
        };
        // `name` may be another's spelling.
        let spelled = claims[0].1.name.as_ref().map_or(name, |n| *n);
        let mut roles: BTreeSet<u16> =
            claims.iter().flat_map(|(_, standing)| standing.roles.iter().copied()).collect();
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
        roles: &mut BTreeSet<u16>,
    ) -> Vec<Pending> {
        let map = &*self.map;
        if map.rules.separate.is_empty() {
            return Vec::new();
        }
        let held: BTreeSet<&RoleName> =
            claims.iter().flat_map(|(_, standing)| self.claims.separable(standing)).collect();
        let (withheld, broken) = map.rules.withheld(&map.roles, &held);
        let number = |role: &&RoleName| self.view.number(role).and_then(|n| u16::try_from(n).ok());
        let taken: Vec<u16> = withheld.iter().filter_map(number).filter(|n| roles.remove(n)).collect();
        if taken.is_empty() {
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

    /// Puts in the roles that requests give, but for those by which a rule of separation would be broken.
    fn extras(
        &self,
        name: SqlName,
        claims: &[(&Claimant, &Standing)],
        roles: &mut BTreeSet<u16>,
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
                (Some(number), None) => {
                    roles.insert(number);
                }
                (Some(_), Some(rule)) => withheld.push(Pending::RequestSeparated {
                    name,
                    request: given.request,
                    role: given.role.clone(),
                    rule: rule.place.clone(),
                }),
                (None, _) => {}
            }
        }
        withheld
    }

    fn put(&mut self, name: SqlName, wanted: Wanted) {
        let Wanted { kind, sid, spelled, roles } = wanted;
        let mut joined: BTreeSet<SqlName> = BTreeSet::new();
        let lines = roles.iter().filter_map(|number| self.direct.get(&usize::from(*number))).flatten();
        let mut stands = view::of_principal(spelled, lines);
        self.graph.grants.append(&mut stands);
        for number in roles {
            let Some(role) = self.view.roles.get(usize::from(number)) else { continue };
            joined.extend(role.name);
            joined.extend(&role.per_person);
        }
        let principal = Principal { kind, sid, connect: Connect::Granted, created: None };
        self.graph.principals.insert(spelled, principal);
        self.graph.members.extend(joined.iter().map(|role| Membership { role: *role, member: spelled }));
        self.claims.put_joined(name, joined.into_iter().collect());
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
