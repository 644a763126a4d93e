//! Whom names belong to, as the store has it: pins and holds, followed by the records that changed them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use axon_mapping::identity::{Breach, GroupPin, HeldGroup, Holder, NameKey, Sights, SourceClaims};
use axon_mapping::{Identity, Pending, RoleName, TargetName};
use axon_model::name::shown;
use axon_model::{Directory, HoldId, RecordSeq, SourceId, SqlName, UserEntry, UserId};
use axon_store::{Hold, HoldKind, HoldState, HoldTerms, NewHold, NewPin, Pin, PinKind, Store, StoreError};
use time::OffsetDateTime;

/// Pins and holds in memory.
#[derive(Debug, Default)]
pub(crate) struct Names {
    identity: Arc<Identity>,
    /// Who had a `userName` before whoever has it now.
    people: HashMap<NameKey, Holder>,
    /// Holds that stand, and those whose release still means something.
    holds: BTreeMap<HoldId, Hold>,
    pins_read: RecordSeq,
    holds_read: RecordSeq,
}

impl Names {
    /// Knows what sources may say, and nothing of the store yet.
    pub fn of(claims: BTreeMap<SourceId, SourceClaims>) -> Self {
        Self { identity: Arc::new(Identity { sources: claims, ..Identity::default() }), ..Self::default() }
    }

    /// What evaluations need.
    pub fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// Up to which record names and holds were taken in.
    pub fn upto(&self) -> RecordSeq {
        self.holds_read.max(self.pins_read)
    }

    /// Up to which record holds were taken in.
    pub fn holds_upto(&self) -> RecordSeq {
        self.holds_read
    }

    /// Whether the store has holds, or answers to them, that are not known here.
    pub async fn holds_moved(&self, store: &dyn Store) -> Result<bool, StoreError> {
        Ok(!store.holds(self.holds_read).await?.is_empty())
    }

    /// Whether the store has something that is not known here.
    pub async fn moved(&self, store: &dyn Store) -> Result<bool, StoreError> {
        Ok(self.holds_moved(store).await? || !store.pins(self.pins_read).await?.is_empty())
    }

    /// Takes in what the store has since the last look, and looks at these users. True where evaluations have to follow.
    pub async fn follow(
        &mut self,
        store: &dyn Store,
        directory: &Directory,
        users: &BTreeSet<UserId>,
    ) -> Result<bool, StoreError> {
        let pins = store.pins(self.pins_read).await?;
        let holds = store.holds(self.holds_read).await?;
        let news = !holds.is_empty();
        for hold in holds {
            self.holds_read = self.holds_read.max(hold.record);
            let means = hold.state.stands()
                || (hold.state == HoldState::Released
                    && matches!(hold.held.kind, HoldKind::NewPerson | HoldKind::Separation | HoldKind::Step));
            if means {
                self.holds.insert(hold.id, hold);
            } else {
                self.holds.remove(&hold.id);
            }
        }
        let mut moved = news && self.excuse();
        for Pin { pin, record } in pins {
            self.pins_read = self.pins_read.max(record);
            moved |= self.take_pin(pin, record);
        }
        let looked: Vec<UserId> = users.union(&self.identity.strangers).copied().collect();
        for id in looked {
            let stranger = directory.user(id).is_some_and(|user| self.is_stranger(user));
            if stranger != self.identity.strangers.contains(&id) {
                moved = true;
                // A copy is made where evaluations still hold the one before: they are told apart by it.
                let strangers = &mut Arc::make_mut(&mut self.identity).strangers;
                if stranger {
                    strangers.insert(id)
                } else {
                    strangers.remove(&id)
                };
            }
        }
        Ok(moved)
    }

    /// Takes in which breaches of separation were released. True if others than before.
    fn excuse(&mut self) -> bool {
        let released = self.separations().filter(|(hold, _)| hold.state == HoldState::Released);
        let excused: BTreeSet<Breach> = released.map(|(_, breach)| breach).collect();
        let moved = excused != self.identity.excused;
        if moved {
            Arc::make_mut(&mut self.identity).excused = excused;
        }
        moved
    }

    fn separations(&self) -> impl Iterator<Item = (&Hold, Breach)> {
        self.holds.values().filter(|hold| hold.held.kind == HoldKind::Separation).filter_map(|hold| {
            let key = hold.held.key.strip_prefix(HoldKind::Separation.as_str())?.trim_start();
            Some((hold, Breach::parse(key)?))
        })
    }

    /// Released breaches of separation in this target that are none any more.
    pub fn mended(&self, target: &TargetName, stands: impl Fn(&Breach) -> bool) -> Vec<HoldId> {
        let released = self.separations().filter(|(hold, _)| hold.state == HoldState::Released);
        let mended = released.filter(|(_, breach)| breach.target == *target && !stands(breach));
        mended.map(|(hold, _)| hold.id).collect()
    }

    fn take_pin(&mut self, pin: NewPin, record: RecordSeq) -> bool {
        let holder = pin.holder.clone().map(|id| Holder { external_id: pin.external_id.clone(), id });
        match (pin.kind, holder) {
            (PinKind::Person, Some(holder)) => {
                self.people.insert(NameKey { source: pin.source, name: pin.name }, holder);
                false
            }
            (PinKind::Person, None) => false,
            (PinKind::Group, holder) => {
                let key = NameKey { source: pin.source, name: pin.name };
                let pin = GroupPin { holder, cleared: pin.cleared, since: record };
                Arc::make_mut(&mut self.identity).groups.insert(key, pin);
                true
            }
            (PinKind::Renamed, _) => match pin.name.parse() {
                Ok(group) => {
                    Arc::make_mut(&mut self.identity).renamed.insert(group, record);
                    true
                }
                Err(_) => false,
            },
        }
    }

    /// Whether the source knew somebody else under this user's name.
    fn is_stranger(&self, user: &UserEntry) -> bool {
        let known = self.people.get(&NameKey::of(&user.source, &user.user_name));
        known.is_some_and(|holder| !holder.is_user(user))
    }

    /// People whom somebody released under a name that another one had.
    pub fn released(&self) -> impl Iterator<Item = UserId> {
        self.holds.values().filter_map(|hold| {
            let person = hold.held.kind == HoldKind::NewPerson && hold.state == HoldState::Released;
            let user = hold.held.binds.as_ref()?.holder.as_ref()?.parse().ok()?;
            person.then_some(user)
        })
    }

    /// The pins that a look at the directory asks for.
    pub fn pins_for(sights: &Sights, directory: &Directory) -> Vec<NewPin> {
        let bound = sights.bound.iter().filter_map(|(key, (group, cleared))| {
            let holder = Holder::of_group(directory.group(*group)?);
            Some(pin_of(PinKind::Group, key, Some(holder), *cleared))
        });
        let reserved = sights.reserved.iter().map(|key| pin_of(PinKind::Group, key, None, false));
        bound.chain(reserved).collect()
    }

    /// What has to wait now, by the subject that tells one hold from others.
    pub fn holds_for(&self, sights: &Sights, directory: &Directory) -> BTreeMap<String, NewHold> {
        let groups = sights.held.iter().filter_map(|held| held_group(held, directory));
        let people = self.identity.strangers.iter().filter_map(|id| self.held_person(directory.user(*id)?));
        groups.chain(people).map(|hold| (hold.key.clone(), hold)).collect()
    }

    fn held_person(&self, user: &UserEntry) -> Option<NewHold> {
        let key = NameKey::of(&user.source, &user.user_name);
        let before = self.people.get(&key)?;
        let now = Holder::of_user(user);
        Some(NewHold {
            kind: HoldKind::NewPerson,
            key: format!("new-person {} {} {}", key.source, now.told_by(), key.name),
            source: Some(user.source.clone()),
            target: None,
            what: format!("{} of source {}", shown(&user.user_name), user.source),
            why: format!(
                "the source knew {} under this name and now says {}: another person, who inherits nothing",
                shown(before.told_by()),
                shown(now.told_by())
            ),
            binds: Some(pin_of(PinKind::Person, &key, Some(now), false)),
            expires: None,
            terms: HoldTerms::default(),
        })
    }

    /// Holds that stand in no way any more for anything that has to wait, as one target sees it.
    pub fn lapsed(&self, target: &TargetName, wanted: &BTreeMap<String, NewHold>) -> Vec<HoldId> {
        let of_names = |hold: &&Hold| {
            let here = match hold.held.kind {
                HoldKind::Step | HoldKind::Grant | HoldKind::Parity => false,
                HoldKind::Separation => hold.held.target.as_deref() == Some(target.as_str()),
                HoldKind::NewPerson | HoldKind::GroupName | HoldKind::GroupMatch => true,
            };
            here && hold.state == HoldState::Open
        };
        let gone = self.holds.values().filter(of_names).filter(|hold| !wanted.contains_key(&hold.held.key));
        gone.map(|hold| hold.id).collect()
    }

    /// Holds whose time is over at `now`.
    pub fn expired(&self, now: OffsetDateTime) -> Vec<HoldId> {
        let over = |hold: &&Hold| {
            hold.state == HoldState::Open && hold.held.expires.is_some_and(|expires| expires <= now)
        };
        self.holds.values().filter(over).map(|hold| hold.id).collect()
    }

    /// When the time of an open hold is over next.
    pub fn next_expiry(&self) -> Option<OffsetDateTime> {
        let open = self.holds.values().filter(|hold| hold.state == HoldState::Open);
        open.filter_map(|hold| hold.held.expires).min()
    }

    /// Of what has to wait, what has no hold yet.
    pub fn unheld(&self, wanted: BTreeMap<String, NewHold>) -> Vec<NewHold> {
        let standing: BTreeSet<&str> = self
            .holds
            .values()
            .filter(|hold| hold.state.stands())
            .map(|hold| hold.held.key.as_str())
            .collect();
        wanted.into_values().filter(|hold| !standing.contains(hold.key.as_str())).collect()
    }
}

/// The hold for roles that a rule separates and that come together under a name.
pub(crate) fn held_breach(name: SqlName, breach: &Breach, told: &Pending) -> NewHold {
    let roles: Vec<&str> = breach.roles.iter().map(RoleName::as_str).collect();
    NewHold {
        kind: HoldKind::Separation,
        key: format!("{} {}", HoldKind::Separation.as_str(), breach.key()),
        source: None,
        target: Some(breach.target.to_string()),
        what: format!("{name} in {} with roles {}", breach.target, roles.join(", ")),
        why: told.to_string(),
        binds: None,
        expires: None,
        terms: HoldTerms::default(),
    }
}

fn pin_of(kind: PinKind, key: &NameKey, holder: Option<Holder>, cleared: bool) -> NewPin {
    let (external_id, holder) = holder.map_or((None, None), |h| (h.external_id, Some(h.id)));
    NewPin { kind, source: key.source.clone(), name: key.name.clone(), external_id, holder, cleared }
}

fn held_group(held: &HeldGroup, directory: &Directory) -> Option<NewHold> {
    let HeldGroup { name, group, doubt } = held;
    let entry = directory.group(*group)?;
    let holder = Holder::of_group(entry);
    let kind = match doubt {
        axon_mapping::identity::GroupDoubt::NewMatch => HoldKind::GroupMatch,
        _ => HoldKind::GroupName,
    };
    Some(NewHold {
        kind,
        key: format!("{} {} {} {} {}", kind.as_str(), name.source, group, holder.told_by(), name.name),
        source: Some(name.source.clone()),
        target: None,
        what: format!(
            "group {} of source {} ({})",
            shown(&entry.display_name),
            name.source,
            shown(holder.told_by())
        ),
        why: doubt.to_string(),
        binds: Some(pin_of(PinKind::Group, name, Some(holder), true)),
        expires: None,
        terms: HoldTerms::default(),
    })
}
