//! The comparison: pure, over what was pushed and what is there.

use std::collections::{BTreeSet, HashMap};

use axon_model::name::{fold, shown};
use axon_model::{Directory, GroupEntry, GroupId, MemberKind, SourceId, UserEntry, UserId};
use serde::{Deserialize, Serialize};

use super::{GroupFound, GroupSeen, GroupThere, Key, MemberThere, PersonSeen, PersonThere};
use crate::guid::Guid;

/// What kind of difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceKind {
    /// A group that was pushed is not there any more.
    GroupGone,
    /// A group of the role map is there, and was never pushed.
    GroupMissing,
    /// A group has another name there.
    GroupRenamed,
    /// Somebody is in a group here and not there.
    MemberGone,
    /// Somebody is in a group there and not here.
    MemberMissing,
    /// Somebody is in a group there and was never pushed.
    PersonMissing,
    /// Somebody who was pushed is not there any more.
    PersonGone,
    /// Somebody who is active here may not sign in there.
    PersonDisabled,
    /// Somebody who is in a group there, and may sign in, is inactive here.
    PersonInactive,
    /// Somebody has another name there.
    PersonRenamed,
}

impl DifferenceKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::GroupGone,
        Self::GroupMissing,
        Self::GroupRenamed,
        Self::MemberGone,
        Self::MemberMissing,
        Self::PersonMissing,
        Self::PersonGone,
        Self::PersonDisabled,
        Self::PersonInactive,
        Self::PersonRenamed,
    ];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GroupGone => "group-gone",
            Self::GroupMissing => "group-missing",
            Self::GroupRenamed => "group-renamed",
            Self::MemberGone => "member-gone",
            Self::MemberMissing => "member-missing",
            Self::PersonMissing => "person-missing",
            Self::PersonGone => "person-gone",
            Self::PersonDisabled => "person-disabled",
            Self::PersonInactive => "person-inactive",
            Self::PersonRenamed => "person-renamed",
        }
    }
}

/// What would take something away, and is known to one side only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Removal {
    /// A member leaves a group.
    Member {
        /// The group.
        group: GroupId,
        /// The member.
        member: MemberKind,
    },
    /// A person is inactive.
    Person(UserId),
    /// A group goes.
    Group(GroupId),
}

/// Whom or what a difference is about: it is over when a look at that does not find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A group and its members.
    Group(GroupId),
    /// A person.
    Person(UserId),
    /// A group that the role map names and the directory does not have.
    Mapped(Guid),
}

impl Subject {
    /// A group of the role map, by what the map says of it.
    pub fn mapped(source: &SourceId, key: &Key) -> Self {
        let id = key.external_id.as_deref().unwrap_or_default();
        Self::Mapped(Guid::of_row(&["mapped group", source.as_str(), id, &fold(&key.name)]))
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What kind.
    pub kind: DifferenceKind,
    /// Tells it from others; stays the same from look to look.
    pub key: String,
    /// Whom or what it is about.
    pub subject: Subject,
    /// What differs, for people.
    pub what: String,
    /// The request that was likely lost.
    pub lost: String,
    /// What it would take away, where it would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removal: Option<Removal>,
}

/// What a comparison came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// What differs.
    pub differences: Vec<Difference>,
    /// What could not be compared, and why.
    pub notes: Vec<String>,
}

/// The people and groups of one source, by how an identity provider knows them.
#[derive(Debug)]
pub struct Index<'d> {
    directory: &'d Directory,
    /// Who reads the difference wants to know where the other side is.
    there: &'static str,
    users: Names<'d, UserEntry>,
    groups: Names<'d, GroupEntry>,
}

#[derive(Debug)]
struct Names<'d, T> {
    by_id: HashMap<String, &'d T>,
    /// None where several have the name.
    by_name: HashMap<String, Option<&'d T>>,
}

impl<'d, T> Names<'d, T> {
    fn of(all: impl Iterator<Item = (&'d T, Option<&'d str>, &'d str)>) -> Self {
        let (mut by_id, mut by_name) = (HashMap::new(), HashMap::new());
        for (entry, id, name) in all {
            if let Some(id) = id {
                by_id.insert(fold(id), entry);
            }
            by_name.entry(fold(name)).and_modify(|known| *known = None).or_insert(Some(entry));
        }
        Self { by_id, by_name }
    }

    /// By id, else by the first name that one has alone and whose own id says nothing else.
    fn find<'n>(&self, id: &str, mut names: impl Iterator<Item = &'n String>) -> Option<&'d T> {
        if let Some(entry) = self.by_id.get(&fold(id)) {
            return Some(entry);
        }
        names.find_map(|name| *self.by_name.get(&fold(name))?)
    }
}

impl<'d> Index<'d> {
    /// Of everything that one source pushed.
    pub fn of(directory: &'d Directory, source: &SourceId, there: &'static str) -> Self {
        let users = directory.users().filter(|user| user.source == *source);
        let groups = directory.groups().filter(|group| group.source == *source);
        Self {
            directory,
            there,
            users: Names::of(users.map(|user| (user, user.external_id.as_deref(), &*user.user_name))),
            groups: Names::of(
                groups.map(|group| (group, group.external_id.as_deref(), &*group.display_name)),
            ),
        }
    }

    /// How the identity provider knows a group.
    pub fn group_key(group: &GroupEntry) -> Key {
        Key {
            external_id: group.external_id.as_deref().map(str::to_owned),
            name: group.display_name.to_string(),
        }
    }

    /// How the identity provider knows a person.
    pub fn person_key(user: &UserEntry) -> Key {
        Key { external_id: user.external_id.as_deref().map(str::to_owned), name: user.user_name.to_string() }
    }

    /// Compares one group with all its members.
    pub fn group(&self, group: &GroupEntry, seen: &GroupSeen) -> Found {
        let mut found = Found::default();
        match seen {
            GroupSeen::There(there) => self.members(group, there, &mut found),
            GroupSeen::Deleted(Some(at)) => {
                found.differences.push(self.group_gone(group, &format!("was deleted at {}", shown(at))));
            }
            GroupSeen::Deleted(None) => found.differences.push(self.group_gone(group, "was deleted")),
            GroupSeen::Missing => found.differences.push(self.group_gone(group, "is not there")),
            GroupSeen::Several(ids) => found.notes.push(format!(
                "group {} was pushed without an id of {}, which has several of that name ({}): it is not compared",
                shown(&group.display_name),
                self.there,
                ids.join(", ")
            )),
        }
        found
    }

    /// Compares a group that the role map names and the directory does not have with the groups there that are called so.
    pub fn never_sent(&self, source: &SourceId, key: &Key, found: &[GroupFound]) -> Option<Difference> {
        // One that was pushed under another name is told as renamed.
        let fresh = |group: &&GroupFound| !self.groups.by_id.contains_key(&fold(&group.id));
        let fresh: Vec<&GroupFound> = found.iter().filter(fresh).collect();
        let title = shown(&fresh.first()?.name);
        let several = match fresh.len() {
            1 => String::new(),
            n => format!(
                " ({n} times: {})",
                fresh.iter().take(10).map(|g| &*g.id).collect::<Vec<_>>().join(", ")
            ),
        };
        let subject = Subject::mapped(source, key);
        let Subject::Mapped(id) = subject else { return None };
        Some(Difference {
            kind: DifferenceKind::GroupMissing,
            key: format!("group-missing {id}"),
            subject,
            what: format!(
                "group {title} is in {}{several}, the role map gives it something, and it was never pushed",
                self.there
            ),
            lost: "POST /Groups, or the group is not assigned to what provisions".to_owned(),
            removal: None,
        })
    }

    fn group_gone(&self, group: &GroupEntry, how: &str) -> Difference {
        Difference {
            kind: DifferenceKind::GroupGone,
            key: format!("group-gone {}", group.id),
            subject: Subject::Group(group.id),
            what: format!("group {} {how} in {}, and is still here", shown(&group.display_name), self.there),
            lost: format!("DELETE /Groups/{}", group.id),
            removal: Some(Removal::Group(group.id)),
        }
    }

    fn members(&self, group: &GroupEntry, there: &GroupThere, found: &mut Found) {
        let title = shown(&group.display_name);
        if fold(&there.name) != fold(&group.display_name) {
            found.differences.push(Difference {
                kind: DifferenceKind::GroupRenamed,
                key: format!("group-renamed {}", group.id),
                subject: Subject::Group(group.id),
                what: format!("group {title} is called {} in {}", shown(&there.name), self.there),
                lost: format!("PATCH /Groups/{} replace displayName", group.id),
                removal: None,
            });
        }
        let mut present: BTreeSet<MemberKind> = BTreeSet::new();
        let mut nested = 0;
        for member in &there.members {
            match member {
                MemberThere::Person(person) => match self.users.find(&person.id, person.names.iter()) {
                    Some(user) => {
                        present.insert(MemberKind::User(user.id));
                        self.state(user, person, Some(group), found);
                    }
                    None => found.differences.push(self.never_pushed(group, person)),
                },
                MemberThere::Group { id, name } => match self.groups.find(id, std::iter::once(name)) {
                    Some(inner) => {
                        present.insert(MemberKind::Group(inner.id));
                    }
                    None => nested += 1,
                },
                MemberThere::Other => {}
            }
        }
        if nested > 0 {
            found.notes.push(format!(
                "groups inside {title} that were not pushed: {nested}; only direct members of assigned groups are sent"
            ));
        }
        let here: BTreeSet<MemberKind> = self.directory.members(group.id).map(|(member, _)| member).collect();
        for member in here.difference(&present) {
            let (name, id) = self.told(*member);
            found.differences.push(Difference {
                kind: DifferenceKind::MemberGone,
                key: format!("member-gone {} {id}", group.id),
                subject: Subject::Group(group.id),
                what: format!("{name} is in group {title} here and not in {}", self.there),
                lost: format!("PATCH /Groups/{} remove members[value eq \"{id}\"]", group.id),
                removal: Some(Removal::Member { group: group.id, member: *member }),
            });
        }
        for member in present.difference(&here) {
            let (name, id) = self.told(*member);
            found.differences.push(Difference {
                kind: DifferenceKind::MemberMissing,
                key: format!("member-missing {} {id}", group.id),
                subject: Subject::Group(group.id),
                what: format!("{name} is in group {title} in {} and not here", self.there),
                lost: format!("PATCH /Groups/{} add members {id}", group.id),
                removal: None,
            });
        }
    }

    fn never_pushed(&self, group: &GroupEntry, person: &PersonThere) -> Difference {
        let name = person.names.first().map_or(person.id.as_str(), String::as_str);
        Difference {
            kind: DifferenceKind::PersonMissing,
            key: format!("person-missing {} {}", group.id, fold(&person.id)),
            subject: Subject::Group(group.id),
            what: format!(
                "{} is in group {} in {} and was never pushed",
                shown(name),
                shown(&group.display_name),
                self.there
            ),
            lost: "POST /Users, or the person is outside of what is provisioned".to_owned(),
            removal: None,
        }
    }

    /// Compares one person.
    pub fn person(&self, user: &UserEntry, seen: &PersonSeen) -> Found {
        let mut found = Found::default();
        let gone = |how: String| Difference {
            kind: DifferenceKind::PersonGone,
            key: format!("person-gone {}", user.id),
            subject: Subject::Person(user.id),
            what: format!("{} {how} in {}, and is active here", shown(&user.user_name), self.there),
            lost: format!("PATCH /Users/{} replace active false, or DELETE", user.id),
            removal: Some(Removal::Person(user.id)),
        };
        match seen {
            PersonSeen::There(person) => self.state(user, person, None, &mut found),
            PersonSeen::Deleted(_) | PersonSeen::Missing if !user.active => {}
            PersonSeen::Deleted(Some(at)) => {
                found.differences.push(gone(format!("was deleted at {}", shown(at))));
            }
            PersonSeen::Deleted(None) => found.differences.push(gone("was deleted".to_owned())),
            PersonSeen::Missing => found.differences.push(gone("is not there".to_owned())),
        }
        found
    }

    /// What is to be said of somebody who is on both sides. Only of a member is it known that they are to be active: others may have
    /// been taken out of what is provisioned.
    fn state(&self, user: &UserEntry, person: &PersonThere, group: Option<&GroupEntry>, found: &mut Found) {
        let name = shown(&user.user_name);
        let of_person = |kind: DifferenceKind, what: String, lost: String, removal: Option<Removal>| {
            let key = format!("{} {}", kind.as_str(), user.id);
            Difference { kind, key, subject: Subject::Person(user.id), what, lost, removal }
        };
        if user.active && !person.enabled {
            found.differences.push(of_person(
                DifferenceKind::PersonDisabled,
                format!("{name} may not sign in by {}, and is active here", self.there),
                format!("PATCH /Users/{} replace active false", user.id),
                Some(Removal::Person(user.id)),
            ));
        }
        if let Some(group) = group.filter(|_| !user.active && person.enabled) {
            let title = shown(&group.display_name);
            found.differences.push(Difference {
                kind: DifferenceKind::PersonInactive,
                key: format!("person-inactive {} {}", group.id, user.id),
                subject: Subject::Group(group.id),
                what: format!(
                    "{name} is in group {title} in {}, may sign in there, and is inactive here",
                    self.there
                ),
                lost: format!("PATCH /Users/{} replace active true", user.id),
                removal: None,
            });
        }
        if let Some(there) = person.names.first()
            && !person.names.iter().any(|own| fold(own) == fold(&user.user_name))
        {
            found.differences.push(of_person(
                DifferenceKind::PersonRenamed,
                format!("{name} is called {} in {}", shown(there), self.there),
                format!("PATCH /Users/{} replace userName", user.id),
                None,
            ));
        }
    }

    fn told(&self, member: MemberKind) -> (String, String) {
        match member {
            MemberKind::User(id) => {
                let name =
                    self.directory.user(id).map_or_else(|| id.to_string(), |user| shown(&user.user_name));
                (name, id.to_string())
            }
            MemberKind::Group(id) => {
                let name = self.directory.group(id).map(|group| shown(&group.display_name));
                (format!("group {}", name.unwrap_or_else(|| id.to_string())), id.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests;
