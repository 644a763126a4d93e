//! Who asks for what under which name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use axon_model::{AccessRequestId, GroupId, SourceId, SqlName, UserId};
use axon_reconcile::Sid;

use crate::names::RoleName;
use crate::pending::Claimant;
use crate::standing::{NoName, Standing};

/// Every claimant's standing, and the claimants of every name.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims {
    standing: HashMap<Claimant, Standing>,
    names: BTreeMap<SqlName, BTreeSet<Claimant>>,
    /// Names under which somebody with this security id asks for something.
    sids: HashMap<Sid, BTreeSet<Claimant>>,
    /// Sources of users and groups, which their removal no longer tells.
    users: HashMap<UserId, Claimant>,
    groups: HashMap<GroupId, Claimant>,
    /// Claimants whose names T-SQL refuses, and who ask for something.
    refused: BTreeMap<Claimant, NoName>,
    /// Those who wait since somebody else was known under their name, and who ask for something.
    strangers: BTreeMap<Claimant, SqlName>,
    /// Those who are shut out by a request.
    offboarded: BTreeMap<Claimant, AccessRequestId>,
    /// The records of one person in several sources.
    joins: HashMap<Arc<str>, BTreeSet<Claimant>>,
    /// Roles that the graph holds memberships of, by member.
    joined: HashMap<SqlName, Box<[SqlName]>>,
}

impl Claims {
    /// Sets what somebody asks for; names that this concerns become dirty.
    pub fn put(&mut self, who: Claimant, standing: Option<Standing>, dirty: &mut BTreeSet<SqlName>) {
        let Some(standing) = standing else { return self.remove(&who, dirty) };
        if self.standing.get(&who).is_some_and(|old| *old == standing && same_spelling(old, &standing)) {
            return;
        }
        self.remove(&who, dirty);
        // An id that changed its source is another claimant under the same id.
        let before = match &who {
            Claimant::User { id, .. } => self.users.insert(*id, who.clone()),
            Claimant::Group { id, .. } => self.groups.insert(*id, who.clone()),
            Claimant::Service { .. } => None,
        };
        if let Some(before) = before.filter(|before| *before != who) {
            self.remove(&before, dirty);
        }
        if let Some(request) = standing.offboarded {
            self.offboarded.insert(who.clone(), request);
        }
        match &standing.name {
            Ok(name) => {
                self.names.entry(*name).or_default().insert(who.clone());
                dirty.insert(*name);
                if standing.stranger && standing.asks() {
                    self.strangers.insert(who.clone(), *name);
                }
                if let Some(key) = &standing.join {
                    self.joins.entry(key.clone()).or_default().insert(who.clone());
                    self.dirty_by_join(key, dirty);
                }
                if let Some(sid) = standing.sid.as_ref().filter(|_| standing.asks()) {
                    self.dirty_by(sid, dirty);
                    self.sids.entry(sid.clone()).or_default().insert(who.clone());
                }
            }
            Err(reason) if standing.asks() => {
                self.refused.insert(who.clone(), reason.clone());
            }
            Err(_) => {}
        }
        self.standing.insert(who, standing);
    }

    fn remove(&mut self, who: &Claimant, dirty: &mut BTreeSet<SqlName>) {
        self.refused.remove(who);
        self.strangers.remove(who);
        self.offboarded.remove(who);
        let Some(old) = self.standing.remove(who) else { return };
        let Ok(name) = old.name else { return };
        dirty.insert(name);
        if let Some(key) = &old.join {
            if let Some(records) = self.joins.get_mut(key) {
                records.remove(who);
                if records.is_empty() {
                    self.joins.remove(key);
                }
            }
            self.dirty_by_join(key, dirty);
        }
        if let Some(sid) = &old.sid {
            if let Some(claimants) = self.sids.get_mut(sid) {
                claimants.remove(who);
                if claimants.is_empty() {
                    self.sids.remove(sid);
                }
            }
            self.dirty_by(sid, dirty);
        }
        if let Some(claimants) = self.names.get_mut(&name) {
            claimants.remove(who);
            if claimants.is_empty() {
                self.names.remove(&name);
            }
        }
    }

    /// One identity under several names concerns each of them.
    fn dirty_by(&self, sid: &Sid, dirty: &mut BTreeSet<SqlName>) {
        let others = self.sids.get(sid).into_iter().flatten().filter_map(|who| self.standing.get(who));
        dirty.extend(others.filter_map(|standing| standing.name.as_ref().ok()));
    }

    /// What is said of a person in one source concerns the names that the person has by others.
    fn dirty_by_join(&self, key: &Arc<str>, dirty: &mut BTreeSet<SqlName>) {
        let others = self.joins.get(key).into_iter().flatten().filter_map(|who| self.standing.get(who));
        dirty.extend(others.filter_map(|standing| standing.name.as_ref().ok()));
    }

    /// Whether a source that has the same person says that the person is not active. A source with several records of one
    /// person (an old account and a new one) says so if all of them are not.
    pub fn inactive_elsewhere(&self, standing: &Standing) -> bool {
        let Some(key) = &standing.join else { return false };
        let mut sources: BTreeMap<&SourceId, bool> = BTreeMap::new();
        for who in self.joins.get(key).into_iter().flatten() {
            let (Claimant::User { source, .. }, Some(record)) = (who, self.standing.get(who)) else {
                continue;
            };
            if record.offboarded.is_some() {
                return true;
            }
            // A stranger waits, and is in nobody's way meanwhile.
            if !record.stranger {
                *sources.entry(source).or_insert(true) &= record.inactive;
            }
        }
        sources.values().any(|inactive| *inactive)
    }

    /// Who is shut out by a request.
    pub fn offboarded(&self) -> impl Iterator<Item = (&Claimant, AccessRequestId)> {
        self.offboarded.iter().map(|(who, request)| (who, *request))
    }

    /// Those who wait since somebody else was known under their name.
    pub fn strangers(&self) -> impl Iterator<Item = (&Claimant, SqlName)> {
        self.strangers.iter().map(|(who, name)| (who, *name))
    }

    /// Everybody who asks for something with this security id.
    pub fn with_sid(&self, sid: &Sid) -> impl Iterator<Item = &Claimant> {
        self.sids.get(sid).into_iter().flatten()
    }

    pub fn remove_user(&mut self, id: UserId, dirty: &mut BTreeSet<SqlName>) {
        if let Some(who) = self.users.remove(&id) {
            self.remove(&who, dirty);
        }
    }

    pub fn remove_group(&mut self, id: GroupId, dirty: &mut BTreeSet<SqlName>) {
        if let Some(who) = self.groups.remove(&id) {
            self.remove(&who, dirty);
        }
    }

    pub fn name_of_user(&self, id: UserId) -> Option<SqlName> {
        self.standing.get(self.users.get(&id)?)?.name.as_ref().ok().copied()
    }

    pub fn has(&self, name: SqlName) -> bool {
        self.names.contains_key(&name)
    }

    pub fn names(&self) -> BTreeSet<SqlName> {
        self.names.keys().copied().collect()
    }

    pub fn of(&self, name: SqlName) -> impl Iterator<Item = (&Claimant, &Standing)> {
        self.names.get(&name).into_iter().flatten().filter_map(|who| Some((who, self.standing.get(who)?)))
    }

    pub fn refused(&self) -> impl Iterator<Item = (&Claimant, &NoName)> {
        self.refused.iter()
    }

    /// Roles that rules of separation are about, which somebody holds here or, as the same person, by another source.
    pub fn separable<'s>(&'s self, standing: &'s Standing) -> impl Iterator<Item = &'s RoleName> {
        let records = standing.join.as_ref().and_then(|key| self.joins.get(key)).into_iter().flatten();
        let elsewhere = records.filter_map(|who| self.standing.get(who)).filter(|record| !record.stranger);
        standing.separable.iter().chain(elsewhere.flat_map(|record| &*record.separable))
    }

    pub fn take_joined(&mut self, member: SqlName) -> Box<[SqlName]> {
        self.joined.remove(&member).unwrap_or_default()
    }

    pub fn put_joined(&mut self, member: SqlName, roles: Box<[SqlName]>) {
        self.joined.insert(member, roles);
    }
}

fn same_spelling(a: &Standing, b: &Standing) -> bool {
    match (&a.name, &b.name) {
        (Ok(a), Ok(b)) => a.same_spelling(*b),
        (Err(_), Err(_)) => true,
        _ => false,
    }
}
