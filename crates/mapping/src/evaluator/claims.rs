//! Who asks for what under which name.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axon_model::{AccessRequestId, GroupId, SqlName, UserId};
use axon_reconcile::Sid;
use rustc_hash::FxHashMap;

use super::few::Few;
use super::joins::Joins;
use crate::names::RoleName;
use crate::pending::Claimant;
use crate::standing::{NoName, Standing};

/// Of many with one object id, so many are told beside those who have the name.
const TOLD: usize = 20;

/// Every claimant's standing, and the claimants of every name.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims {
    standing: FxHashMap<Claimant, Standing>,
    names: FxHashMap<SqlName, Few<Claimant>>,
    /// Those who ask for something with this security id. Sources choose the ids: they are hashed with a secret.
    sids: HashMap<Sid, Few<Claimant>>,
    /// Sources of users and groups, which their removal no longer tells.
    users: FxHashMap<UserId, Claimant>,
    groups: FxHashMap<GroupId, Claimant>,
    /// Claimants whose names T-SQL refuses, and who ask for something.
    refused: BTreeMap<Claimant, NoName>,
    /// Those who wait since somebody else was known under their name, and who ask for something.
    strangers: BTreeMap<Claimant, SqlName>,
    /// Those who are shut out by a request.
    offboarded: BTreeMap<Claimant, AccessRequestId>,
    joins: Joins,
    /// Numbers of the roles of the target that the graph holds memberships of, by member.
    joined: FxHashMap<SqlName, Box<[usize]>>,
}

impl Claims {
    /// Takes in what somebody asks for of whom nothing is known, where every name is looked at anyway.
    pub fn begin(&mut self, who: Claimant, standing: Standing) {
        self.insert(who, standing, &mut Concerned::Everybody);
    }

    /// Makes room for so many people.
    pub fn reserve(&mut self, people: usize) {
        self.standing.reserve(people);
        self.names.reserve(people);
        self.users.reserve(people);
        self.joined.reserve(people);
    }

    /// Sets what somebody asks for; names that this concerns become dirty.
    pub fn put(&mut self, who: Claimant, standing: Option<Standing>, dirty: &mut BTreeSet<SqlName>) {
        let Some(standing) = standing else { return self.remove(&who, dirty) };
        if self.standing.get(&who).is_some_and(|old| *old == standing && same_spelling(old, &standing)) {
            return;
        }
        self.remove(&who, dirty);
        // An id that changed its source is another claimant under the same id.
        let before = match &who {
            Claimant::User { id, .. } => self.users.get(id),
            Claimant::Group { id, .. } => self.groups.get(id),
            Claimant::Service { .. } => None,
        };
        if let Some(before) = before.filter(|before| **before != who).cloned() {
            self.remove(&before, dirty);
        }
        self.insert(who, standing, &mut Concerned::Names(dirty));
    }

    fn insert(&mut self, who: Claimant, standing: Standing, concerned: &mut Concerned<'_>) {
        match &who {
            Claimant::User { id, .. } => {
                self.users.insert(*id, who.clone());
            }
            Claimant::Group { id, .. } => {
                self.groups.insert(*id, who.clone());
            }
            Claimant::Service { .. } => {}
        }
        if let Some(request) = standing.offboarded {
            self.offboarded.insert(who.clone(), request);
        }
        let asks = standing.asks();
        match &standing.name {
            Ok(name) => {
                put_in(&mut self.names, name, &who);
                if standing.stranger && asks {
                    self.strangers.insert(who.clone(), *name);
                }
                let others = standing.join.as_ref().filter(|key| self.joins.insert(key, &who, &standing));
                if let Concerned::Names(dirty) = concerned {
                    dirty.insert(*name);
                    dirty.extend(
                        others.into_iter().flat_map(|key| self.joins.of(key)).filter_map(|o| self.name(o)),
                    );
                }
                if let Some(sid) = standing.sid.as_ref().filter(|_| asks) {
                    put_in(&mut self.sids, sid, &who);
                    if let Concerned::Names(dirty) = concerned {
                        self.dirty_by(sid, &who, dirty);
                    }
                }
            }
            Err(reason) if asks => {
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
        if let Some(key) = old.join.as_ref().filter(|key| self.joins.remove(key, who, &old)) {
            dirty.extend(self.joins.of(key).filter_map(|other| self.name(other)));
        }
        if let Some(sid) = &old.sid {
            self.dirty_by(sid, who, dirty);
            take_out(&mut self.sids, sid, who);
        }
        take_out(&mut self.names, &name, who);
    }

    fn name(&self, who: &Claimant) -> Option<SqlName> {
        self.standing.get(who)?.name.as_ref().ok().copied()
    }

    /// One identity under several names concerns each of them; but one more of many changes nothing of what is told.
    fn dirty_by(&self, sid: &Sid, who: &Claimant, dirty: &mut BTreeSet<SqlName>) {
        let bearers = || self.sids.get(sid).into_iter().flat_map(Few::iter);
        if bearers().take(2 * TOLD).any(|other| other == who) {
            dirty.extend(bearers().filter_map(|other| self.name(other)));
        }
    }

    /// Whether a source that has the same person says that the person is not active.
    pub fn inactive_elsewhere(&self, standing: &Standing) -> bool {
        standing.join.as_ref().is_some_and(|key| self.joins.inactive(key))
    }

    /// Who is shut out by a request.
    pub fn offboarded(&self) -> impl Iterator<Item = (&Claimant, AccessRequestId)> {
        self.offboarded.iter().map(|(who, request)| (who, *request))
    }

    /// Those who wait since somebody else was known under their name.
    pub fn strangers(&self) -> impl Iterator<Item = (&Claimant, SqlName)> {
        self.strangers.iter().map(|(who, name)| (who, *name))
    }

    /// Others than these who ask for something with this security id: the first of them.
    pub fn others_with_sid<'s>(
        &'s self,
        sid: &Sid,
        mine: &'s [(&'s Claimant, &'s Standing)],
    ) -> impl Iterator<Item = &'s Claimant> {
        let bearers = self.sids.get(sid).into_iter().flat_map(Few::iter);
        bearers.filter(|other| mine.iter().all(|(who, _)| who != other)).take(TOLD)
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
        self.name(self.users.get(&id)?)
    }

    /// Groups that are one principal, with its name.
    pub fn groups(&self) -> impl Iterator<Item = (GroupId, SqlName)> {
        self.groups.iter().filter_map(|(id, who)| Some((*id, self.name(who)?)))
    }

    pub fn has(&self, name: SqlName) -> bool {
        self.names.contains_key(&name)
    }

    /// All names, in order.
    pub fn names(&self) -> Vec<SqlName> {
        let beginning = |name: SqlName| {
            let mut bytes = [0_u8; 16];
            let text = name.folded().as_bytes();
            let length = text.len().min(bytes.len());
            bytes[..length].copy_from_slice(&text[..length]);
            u128::from_be_bytes(bytes)
        };
        // Most names differ in how they begin: those texts need not be looked at again and again.
        let mut names: Vec<(u128, SqlName)> =
            self.names.keys().map(|name| (beginning(*name), *name)).collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name).collect()
    }

    pub fn of(&self, name: SqlName) -> impl Iterator<Item = (&Claimant, &Standing)> {
        let claimants = self.names.get(&name).into_iter().flat_map(Few::iter);
        claimants.filter_map(|who| Some((who, self.standing.get(who)?)))
    }

    pub fn refused(&self) -> impl Iterator<Item = (&Claimant, &NoName)> {
        self.refused.iter()
    }

    /// Roles that rules of separation are about, which somebody holds here or, as the same person, by another source.
    pub fn separable<'s>(&'s self, standing: &'s Standing) -> impl Iterator<Item = &'s RoleName> {
        let elsewhere = standing.join.as_ref().into_iter().flat_map(|key| self.joins.separable(key));
        standing.separable.iter().chain(elsewhere)
    }

    pub fn joined(&self, member: SqlName) -> &[usize] {
        self.joined.get(&member).map_or(&[], AsRef::as_ref)
    }

    pub fn take_joined(&mut self, member: SqlName) -> Box<[usize]> {
        self.joined.remove(&member).unwrap_or_default()
    }

    pub fn put_joined(&mut self, member: SqlName, roles: Box<[usize]>) {
        self.joined.insert(member, roles);
    }
}

/// Whose names are to be looked at after a change.
enum Concerned<'a> {
    /// All are, so that none need be noted.
    Everybody,
    /// Those that are noted here.
    Names(&'a mut BTreeSet<SqlName>),
}

fn put_in<K: Clone + Eq + std::hash::Hash, S: std::hash::BuildHasher>(
    table: &mut HashMap<K, Few<Claimant>, S>,
    key: &K,
    who: &Claimant,
) {
    if let Some(few) = table.get_mut(key) {
        few.insert(who.clone());
    } else {
        table.insert(key.clone(), Few::One(who.clone()));
    }
}

fn take_out<K: Eq + std::hash::Hash, S: std::hash::BuildHasher>(
    table: &mut HashMap<K, Few<Claimant>, S>,
    key: &K,
    who: &Claimant,
) {
    if table.get_mut(key).is_some_and(|few| few.remove(who)) {
        table.remove(key);
    }
}

fn same_spelling(a: &Standing, b: &Standing) -> bool {
    match (&a.name, &b.name) {
        (Ok(a), Ok(b)) => a.same_spelling(*b),
        (Err(_), Err(_)) => true,
        _ => false,
    }
}
