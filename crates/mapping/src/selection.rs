//! Which groups of the directory each mapping is about, and what it says of one person.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axon_model::{Directory, GroupEntry, GroupId, MemberKind, SourceId, UserId};
use axon_scim::compare::fold;
use axon_scim::filter::Truth;
use rustc_hash::FxHashMap;
use time::OffsetDateTime;

use crate::given::Person;
use crate::identity::{HeldGroup, Holder, Identity, NameKey, Seen, Sights, Through};
use crate::map::RoleMap;
use crate::names::RoleName;
use crate::place::Place;
use crate::rule::{Gives, GroupName, Groups, Mapping, Who};
use crate::secure_view::SecureView;

/// A name of a mapping that several groups hold: it stands for none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ambiguous {
    pub mapping: usize,
    pub name: GroupName,
    pub groups: Vec<GroupId>,
}

/// One mapping with its groups found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Groups that let in, with the role that captures name (none: those of the mapping's list).
    pub open: BTreeMap<GroupId, Option<RoleName>>,
    /// Whether being in one of `open` is demanded.
    pub needs_open: bool,
    /// Groups that are all needed; a name that stands for no group is `None`.
    pub all: Vec<Option<GroupId>>,
    /// Groups that shut out; a name that stands for no group is `None`, and then nobody is let in.
    pub none: Vec<Option<GroupId>>,
}

/// A group that a line of `rows` of a view names, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowFound {
    /// What stands for it in profiles.
    pub value: String,
    pub source: SourceId,
    pub name: GroupName,
    pub place: Place,
    /// The one group that the name stands for.
    pub group: Option<GroupId>,
    /// Several that have the name, where it stands for none of them.
    pub several: Vec<GroupId>,
    /// Those that wait for a person.
    pub held: BTreeSet<HeldGroup>,
}

/// All mappings with their groups found in one directory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    pub found: Vec<Found>,
    pub ambiguous: Vec<Ambiguous>,
    /// Groups that wait for a person, with the mapping that asked for their name.
    pub held: Vec<(usize, HeldGroup)>,
    /// The groups that views name.
    pub rows: Vec<RowFound>,
    /// What was found out about names.
    pub sights: Sights,
    /// For a group, the mappings that being in it may satisfy, in order.
    by_group: FxHashMap<GroupId, Vec<usize>>,
}

/// The groups that somebody is in, directly or through nested groups, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Within(Vec<GroupId>);

impl Within {
    pub fn contains(&self, group: &GroupId) -> bool {
        self.0.binary_search(group).is_ok()
    }

    pub fn iter(&self) -> impl Iterator<Item = &GroupId> {
        self.0.iter()
    }
}

impl FromIterator<GroupId> for Within {
    fn from_iter<I: IntoIterator<Item = GroupId>>(groups: I) -> Self {
        let mut groups: Vec<GroupId> = groups.into_iter().collect();
        groups.sort_unstable();
        groups.dedup();
        Self(groups)
    }
}

/// The groups that groups are directly in, for looking at many people.
pub(crate) struct Nesting(FxHashMap<GroupId, Vec<GroupId>>);

impl Nesting {
    pub fn of(directory: &Directory) -> Self {
        let mut outer: FxHashMap<GroupId, Vec<GroupId>> = FxHashMap::default();
        for (inner, group) in directory.nested_groups() {
            outer.entry(inner).or_default().push(group);
        }
        Self(outer)
    }

    /// Every group that somebody is in who is directly in these, as [`closure`] finds them.
    pub fn closure(&self, direct: impl Iterator<Item = GroupId>) -> Within {
        if self.0.is_empty() {
            return direct.collect();
        }
        let mut seen: BTreeSet<GroupId> = direct.collect();
        let mut open: Vec<GroupId> = seen.iter().copied().collect();
        while let Some(group) = open.pop() {
            for outer in self.0.get(&group).into_iter().flatten() {
                if seen.insert(*outer) {
                    open.push(*outer);
                }
            }
        }
        seen.into_iter().collect()
    }
}

/// What a mapping says of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Judgement<'m> {
    /// It gives these roles, each through this group.
    Gives(Vec<(GroupId, &'m RoleName)>),
    /// The person is not in the groups that it asks for.
    NotIn,
    /// The person is in a group that it leaves out.
    LeftOut(GroupId),
    /// It leaves out a group that no source knows: nobody can be said not to be in it.
    UnknownExclusion,
    /// Its time is over.
    Ended(OffsetDateTime),
    /// The condition is not certainly true.
    Condition(Truth),
    /// The captures name no role that `only` allows.
    NothingNamed,
}

#[derive(Default)]
struct Names<'d> {
    // Sources choose these names: their keys are hashed with a secret.
    display: HashMap<(SourceId, String), Vec<GroupId>>,
    external: HashMap<(SourceId, String), Vec<GroupId>>,
    /// All groups of a source by their names, which patterns look at one by one.
    by_source: BTreeMap<SourceId, Vec<(&'d str, GroupId)>>,
}

impl<'d> Names<'d> {
    fn of(directory: &'d Directory) -> Self {
        let mut names = Self::default();
        for group in directory.groups() {
            names
                .display
                .entry((group.source.clone(), fold(&group.display_name)))
                .or_default()
                .push(group.id);
            if let Some(id) = &group.external_id {
                names.external.entry((group.source.clone(), id.to_string())).or_default().push(group.id);
            }
            names.by_source.entry(group.source.clone()).or_default().push((&group.display_name, group.id));
        }
        for groups in names.by_source.values_mut() {
            groups.sort_unstable();
        }
        names
    }

    /// The groups of a source whose names begin so.
    fn beginning(&self, source: &SourceId, prefix: &str) -> &[(&'d str, GroupId)] {
        let groups = self.by_source.get(source).map_or(&[][..], Vec::as_slice);
        let from = groups.partition_point(|(name, _)| *name < prefix);
        let length = groups[from..].partition_point(|(name, _)| name.starts_with(prefix));
        &groups[from..from + length]
    }

    fn find(&self, source: &SourceId, name: &GroupName) -> &[GroupId] {
        let table = match name {
            GroupName::Display(_) => &self.display,
            GroupName::External(_) => &self.external,
        };
        table.get(&(source.clone(), name.key())).map_or(&[], Vec::as_slice)
    }
}

impl Selection {
    /// Finds the groups of all mappings.
    pub fn of(map: &RoleMap, directory: &Directory, identity: &Identity) -> Self {
        let names = Names::of(directory);
        let mut selection = Self::default();
        for (number, mapping) in map.mappings.iter().enumerate() {
            let found = match &mapping.who {
                Who::Groups { groups, source } => {
                    let mut finder = Finder {
                        names: &names,
                        directory,
                        identity,
                        source,
                        number,
                        ambiguous: Vec::new(),
                        sights: Sights::default(),
                    };
                    let found = finder.found(groups, &mapping.gives, mapping.trust);
                    selection.ambiguous.append(&mut finder.ambiguous);
                    selection.held.extend(finder.sights.held.iter().map(|held| (number, held.clone())));
                    selection.sights.merge(finder.sights);
                    found
                }
                Who::Service(_) => Found::default(),
            };
            for group in found.triggers() {
                selection.by_group.entry(group).or_default().push(number);
            }
            selection.found.push(found);
        }
        for group in map.views.iter().flat_map(SecureView::groups) {
            let mut finder = Finder {
                names: &names,
                directory,
                identity,
                source: &group.source,
                number: 0,
                ambiguous: Vec::new(),
                sights: Sights::default(),
            };
            let name = GroupName::Display(group.name.clone());
            let found = finder.one(&name, Through::Name);
            selection.rows.push(RowFound {
                value: group.value(),
                source: group.source.clone(),
                name,
                place: group.place.clone(),
                group: found,
                several: finder.ambiguous.into_iter().flat_map(|problem| problem.groups).collect(),
                held: finder.sights.held.clone(),
            });
            selection.sights.merge(finder.sights);
        }
        selection
    }

    /// The mappings that may give something to somebody in these groups, in order.
    pub fn candidates(&self, within: &Within) -> Vec<usize> {
        let mut numbers: Vec<usize> =
            within.iter().filter_map(|g| self.by_group.get(g)).flatten().copied().collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// What one mapping says of one active person who is in these groups, nested ones put in.
    pub fn judge<'m>(
        &'m self,
        mapping: &'m Mapping,
        number: usize,
        person: &Person<'_>,
        within: &Within,
        now: OffsetDateTime,
    ) -> Judgement<'m> {
        let first = match self.lets_in(mapping, number, person, within, now) {
            Ok(first) => first,
            Err(judgement) => return judgement,
        };
        match &mapping.gives {
            Gives::Roles(roles) => Judgement::Gives(roles.iter().map(|role| (first, role)).collect()),
            Gives::Captured { .. } => {
                let named: Vec<(GroupId, &RoleName)> = self.captured(number, within).collect();
                if named.is_empty() { Judgement::NothingNamed } else { Judgement::Gives(named) }
            }
        }
    }

    /// The first group through which a mapping lets an active person in, if it does.
    pub fn lets_in(
        &self,
        mapping: &Mapping,
        number: usize,
        person: &Person<'_>,
        within: &Within,
        now: OffsetDateTime,
    ) -> Result<GroupId, Judgement<'static>> {
        let found = &self.found[number];
        let open = found.first_open(within);
        if !found.all.iter().all(|g| g.is_some_and(|g| within.contains(&g))) {
            return Err(Judgement::NotIn);
        }
        let Some(first) = open.or(found.all.first().copied().flatten()) else { return Err(Judgement::NotIn) };
        if found.needs_open && open.is_none() {
            return Err(Judgement::NotIn);
        }
        if let Some(group) = found.none.iter().flatten().find(|g| within.contains(g)) {
            return Err(Judgement::LeftOut(*group));
        }
        if found.none.contains(&None) {
            return Err(Judgement::UnknownExclusion);
        }
        if let Some(until) = mapping.until.filter(|until| now >= *until) {
            return Err(Judgement::Ended(until));
        }
        if let Some(condition) = &mapping.when {
            let truth = condition.over_resource(person.resource()).truth;
            if truth != Truth::True {
                return Err(Judgement::Condition(truth));
            }
        }
        Ok(first)
    }

    /// The roles that captures name for somebody in these groups, each through its group.
    pub fn captured<'m>(
        &'m self,
        number: usize,
        within: &Within,
    ) -> impl Iterator<Item = (GroupId, &'m RoleName)> {
        let open = &self.found[number].open;
        within.iter().filter_map(|g| Some((*g, open.get(g)?.as_ref()?)))
    }
}

impl Found {
    /// The first group that lets in somebody who is in these.
    fn first_open(&self, within: &Within) -> Option<GroupId> {
        // A pattern may have found thousands of groups, and a person may be in thousands: the fewer are gone through.
        if self.open.len() <= within.0.len() {
            self.open.keys().find(|g| within.contains(g)).copied()
        } else {
            within.iter().find(|g| self.open.contains_key(g)).copied()
        }
    }

    /// Groups without one of which the mapping gives nothing.
    fn triggers(&self) -> Vec<GroupId> {
        if self.needs_open {
            self.open.keys().copied().collect()
        } else {
            self.all.first().copied().flatten().into_iter().collect()
        }
    }

    /// All groups that it is about.
    pub fn groups(&self) -> impl Iterator<Item = GroupId> {
        self.open.keys().copied().chain(self.all.iter().chain(&self.none).flatten().copied())
    }
}

struct Finder<'a> {
    names: &'a Names<'a>,
    directory: &'a Directory,
    identity: &'a Identity,
    source: &'a SourceId,
    number: usize,
    ambiguous: Vec<Ambiguous>,
    sights: Sights,
}

impl Finder<'_> {
    fn found(&mut self, groups: &Groups, gives: &Gives, trust: bool) -> Found {
        let mut found =
            Found { needs_open: !groups.any.is_empty() || groups.matching.is_some(), ..Found::default() };
        found.open =
            groups.any.iter().filter_map(|name| self.one(name, Through::Name)).map(|g| (g, None)).collect();
        found.all = groups.all.iter().map(|name| self.one(name, Through::Name)).collect();
        found.none = groups.none.iter().map(|name| self.one(name, Through::Name)).collect();
        let Some(pattern) = &groups.matching else { return found };
        for (display_name, id) in self.names.beginning(self.source, pattern.prefix()) {
            let Some(captures) = pattern.captures(display_name) else { continue };
            let name = GroupName::Display((*display_name).to_owned());
            // Of several groups with one name a pattern finds the one that the name is bound to.
            if self.one(&name, Through::Pattern { trust }) != Some(*id) {
                continue;
            }
            found.open.entry(*id).or_insert_with(|| gives.captured(&captures).cloned());
        }
        found
    }

    /// The one group that the name stands for.
    fn one(&mut self, name: &GroupName, through: Through) -> Option<GroupId> {
        let groups = self.names.find(self.source, name);
        if let GroupName::Display(_) = name {
            let key = NameKey { source: self.source.clone(), name: name.key() };
            let holders: Vec<(GroupId, Holder)> = groups
                .iter()
                .filter_map(|id| Some((*id, Holder::of_group(self.directory.group(*id)?))))
                .collect();
            let seen: Vec<Seen<'_>> = holders.iter().map(|(id, holder)| Seen { id: *id, holder }).collect();
            let found = self.sights.look(self.identity, &key, &seen, through);
            if found.is_some() || self.identity.groups.get(&key).is_some_and(|pin| pin.holder.is_some()) {
                return found;
            }
            if groups.len() < 2 {
                return None;
            }
        }
        match groups {
            [] => None,
            [one] => Some(*one),
            several => {
                let problem =
                    Ambiguous { mapping: self.number, name: name.clone(), groups: several.to_vec() };
                if !self.ambiguous.contains(&problem) {
                    self.ambiguous.push(problem);
                }
                None
            }
        }
    }
}

/// Every group that a member is in, directly or through nested groups. Cycles are harmless.
pub(crate) fn closure(directory: &Directory, member: MemberKind) -> Within {
    let mut seen = BTreeSet::new();
    let mut open = vec![member];
    while let Some(member) = open.pop() {
        for (group, _) in directory.memberships(member) {
            if seen.insert(group) {
                open.push(MemberKind::Group(group));
            }
        }
    }
    seen.into_iter().collect()
}

/// Every user in a group, directly or through nested groups.
pub(crate) fn users_under(directory: &Directory, group: GroupId, into: &mut BTreeSet<UserId>) {
    let mut seen = BTreeSet::from([group]);
    let mut open = vec![group];
    while let Some(group) = open.pop() {
        for (member, _) in directory.members(group) {
            match member {
                MemberKind::User(user) => {
                    into.insert(user);
                }
                MemberKind::Group(inner) if seen.insert(inner) => open.push(inner),
                MemberKind::Group(_) => {}
            }
        }
    }
}

/// The group's name for people.
pub(crate) fn group_name(directory: &Directory, group: GroupId) -> String {
    directory
        .group(group)
        .map_or_else(|| group.to_string(), |g: &GroupEntry| axon_model::name::shown(&g.display_name))
}
