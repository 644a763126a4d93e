//! What a look at the directory finds out about groups' names: which are bound now, and which groups wait for a person.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use axon_model::{GroupId, RecordSeq};
use serde::Serialize;

use super::{GroupPin, Holder, Identity, NameKey};

/// Why a group under a mapped name gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupDoubt {
    /// The group that the name is bound to is there as well.
    Second,
    /// The group that the name was bound to is gone, or is called otherwise now.
    Successor,
    /// The group that the name is bound to says another `externalId` of itself.
    OtherId,
    /// It took the name after a mapping used it.
    Renamed,
    /// A pattern found it, and nobody looked at it yet.
    NewMatch,
    /// Several had the name when it was first looked at.
    Several,
}

impl fmt::Display for GroupDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Second => "another group has this name already",
            Self::Successor => "the group that had this name is gone or was renamed",
            Self::OtherId => "it now says another externalId than the group that had this name",
            Self::Renamed => "it was renamed to a name that the role map uses",
            Self::NewMatch => {
                "a pattern finds it for the first time, and its mapping does not say `trust: true`"
            }
            Self::Several => "several groups had this name when it was first looked at",
        })
    }
}

/// A group that waits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeldGroup {
    /// The name.
    pub name: NameKey,
    /// The group.
    pub group: GroupId,
    /// Why.
    pub doubt: GroupDoubt,
}

/// What one look came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sights {
    /// Names that are bound from now on, and whether a mapping that trusts its source found them by a pattern. They count
    /// already; whoever keeps pins keeps these before anything is given by them.
    pub bound: BTreeMap<NameKey, (GroupId, bool)>,
    /// Names that mappings use and no group has: whoever is renamed to one later waits.
    pub reserved: BTreeSet<NameKey>,
    /// Groups that wait.
    pub held: BTreeSet<HeldGroup>,
}

/// A group as it is looked at.
pub(crate) struct Seen<'a> {
    pub id: GroupId,
    pub holder: &'a Holder,
}

/// How a mapping came to a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Through {
    /// It says the name.
    Name,
    /// A pattern fits; and whether the mapping trusts whoever names groups.
    Pattern { trust: bool },
}

impl Sights {
    /// The one group that a name stands for, if there is one; what is found out on the way is noted.
    pub(crate) fn look(
        &mut self,
        identity: &Identity,
        name: &NameKey,
        groups: &[Seen<'_>],
        through: Through,
    ) -> Option<GroupId> {
        let pin = identity.groups.get(name);
        match pin {
            Some(pin @ GroupPin { holder: Some(holder), .. }) => {
                self.bound(pin, holder, name, groups, through)
            }
            _ => self.unbound(identity, pin.map(|pin| pin.since), name, groups, through),
        }
    }

    fn bound(
        &mut self,
        pin: &GroupPin,
        holder: &Holder,
        name: &NameKey,
        groups: &[Seen<'_>],
        through: Through,
    ) -> Option<GroupId> {
        let same = |seen: &&Seen<'_>| holder.is(seen.holder);
        // Of several that say the same of themselves only the very one that was there first counts.
        let chosen = match groups.iter().filter(same).count() {
            1 => groups.iter().find(same),
            _ => groups.iter().find(|seen| seen.holder.id == holder.id && holder.is(seen.holder)),
        };
        let chosen = chosen.map(|seen| seen.id);
        for seen in groups.iter().filter(|seen| Some(seen.id) != chosen) {
            let doubt = if seen.holder.id == holder.id {
                GroupDoubt::OtherId
            } else if chosen.is_some() {
                GroupDoubt::Second
            } else {
                GroupDoubt::Successor
            };
            self.hold(name, seen.id, doubt);
        }
        let group = chosen?;
        if through == (Through::Pattern { trust: false }) && !pin.cleared {
            self.hold(name, group, GroupDoubt::NewMatch);
            return None;
        }
        Some(group)
    }

    fn unbound(
        &mut self,
        identity: &Identity,
        reserved: Option<RecordSeq>,
        name: &NameKey,
        groups: &[Seen<'_>],
        through: Through,
    ) -> Option<GroupId> {
        let [only] = groups else {
            if groups.is_empty() && reserved.is_none() && through == Through::Name {
                self.reserved.insert(name.clone());
            }
            for seen in groups {
                self.hold(name, seen.id, GroupDoubt::Several);
            }
            return None;
        };
        let took = identity.renamed.get(&only.id);
        let renamed_onto = reserved.zip(took).is_some_and(|(reserved, took)| *took > reserved);
        let doubt = match through {
            Through::Pattern { trust: true } => None,
            _ if renamed_onto => Some(GroupDoubt::Renamed),
            Through::Pattern { trust: false } => Some(GroupDoubt::NewMatch),
            Through::Name => None,
        };
        if let Some(doubt) = doubt {
            self.hold(name, only.id, doubt);
            return None;
        }
        let cleared = through != Through::Name;
        let (_, known) = self.bound.entry(name.clone()).or_insert((only.id, cleared));
        *known |= cleared;
        Some(only.id)
    }

    /// Takes in what another look came to.
    pub(crate) fn merge(&mut self, other: Self) {
        let Self { bound, reserved, held } = other;
        for (name, (group, cleared)) in bound {
            let (_, known) = self.bound.entry(name).or_insert((group, cleared));
            *known |= cleared;
        }
        self.reserved.extend(reserved);
        self.held.extend(held);
    }

    fn hold(&mut self, name: &NameKey, group: GroupId, doubt: GroupDoubt) {
        self.held.insert(HeldGroup { name: name.clone(), group, doubt });
    }
}
