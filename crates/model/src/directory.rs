//! The directory: users, groups and memberships as the sources pushed them, kept in memory and moved by deltas.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{GroupId, RecordSeq, SourceId, UserId};

/// A user as its source pushed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserEntry {
    /// The SCIM id.
    pub id: UserId,
    /// Who pushed it.
    pub source: SourceId,
    /// `userName`, as spelled.
    pub user_name: Arc<str>,
    /// `externalId`, where the source sends one.
    pub external_id: Option<Arc<str>>,
    /// `active`; a source that never said so means true.
    pub active: bool,
    /// The whole resource as JSON text in schema spelling, without `id`, `meta`, `groups`.
    pub document: Arc<str>,
}

/// A group as its source pushed it. Members are apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupEntry {
    /// The SCIM id.
    pub id: GroupId,
    /// Who pushed it.
    pub source: SourceId,
    /// `displayName`, as spelled.
    pub display_name: Arc<str>,
    /// `externalId`, where the source sends one.
    pub external_id: Option<Arc<str>>,
    /// The whole resource as JSON text in schema spelling, without `id`, `meta`, `members`.
    pub document: Arc<str>,
}

/// Who is in a group: a user, or another group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberKind {
    /// A user.
    User(UserId),
    /// A nested group.
    Group(GroupId),
}

/// One change of the directory: what a journal's directory record carries. The deltas in order rebuild any past directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "delta")]
pub enum Delta {
    /// A user is new or changed; the entry is the whole of it.
    UserPut {
        /// The entry after the change.
        user: UserEntry,
    },
    /// A user is gone, with its memberships.
    UserRemoved {
        /// Whose.
        id: UserId,
    },
    /// A group is new or changed; the entry is the whole of it.
    GroupPut {
        /// The entry after the change.
        group: GroupEntry,
    },
    /// A group is gone, with its memberships on both sides.
    GroupRemoved {
        /// Whose.
        id: GroupId,
    },
    /// A member joined.
    MemberAdded {
        /// The group.
        group: GroupId,
        /// The member, which exists.
        member: MemberKind,
    },
    /// A member left.
    MemberRemoved {
        /// The group.
        group: GroupId,
        /// The member.
        member: MemberKind,
    },
}

/// Users, groups and memberships at one journal position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    users: BTreeMap<UserId, (UserEntry, RecordSeq)>,
    groups: BTreeMap<GroupId, (GroupEntry, RecordSeq)>,
    /// Group to members, with the record that brought each.
    members: BTreeMap<GroupId, BTreeMap<MemberKind, RecordSeq>>,
    /// The same rows from the member's side.
    memberships: BTreeMap<MemberKind, BTreeMap<GroupId, RecordSeq>>,
    position: RecordSeq,
}

impl Directory {
    /// The journal position up to which this directory is true.
    pub fn position(&self) -> RecordSeq {
        self.position
    }

    /// Says that all records up to `seq` are in, also those that change nothing here.
    pub fn advance(&mut self, seq: RecordSeq) {
        self.position = self.position.max(seq);
    }

    /// Takes in one change that the record at `seq` made. Applying a delta twice changes nothing.
    pub fn apply(&mut self, delta: &Delta, seq: RecordSeq) {
        match delta {
            Delta::UserPut { user } => {
                self.users.insert(user.id, (user.clone(), seq));
            }
            Delta::UserRemoved { id } => {
                self.users.remove(id);
                self.leave_all(MemberKind::User(*id));
            }
            Delta::GroupPut { group } => {
                self.groups.insert(group.id, (group.clone(), seq));
            }
            Delta::GroupRemoved { id } => {
                self.groups.remove(id);
                self.leave_all(MemberKind::Group(*id));
                for member in self.members.remove(id).unwrap_or_default().into_keys() {
                    if let Some(groups) = self.memberships.get_mut(&member) {
                        groups.remove(id);
                    }
                }
            }
            Delta::MemberAdded { group, member } => {
                self.members.entry(*group).or_default().entry(*member).or_insert(seq);
                self.memberships.entry(*member).or_default().entry(*group).or_insert(seq);
            }
            Delta::MemberRemoved { group, member } => {
                if let Some(members) = self.members.get_mut(group) {
                    members.remove(member);
                }
                if let Some(groups) = self.memberships.get_mut(member) {
                    groups.remove(group);
                }
            }
        }
        self.advance(seq);
    }

    fn leave_all(&mut self, member: MemberKind) {
        for group in self.memberships.remove(&member).unwrap_or_default().into_keys() {
            if let Some(members) = self.members.get_mut(&group) {
                members.remove(&member);
            }
        }
    }

    /// A user by id.
    pub fn user(&self, id: UserId) -> Option<&UserEntry> {
        self.users.get(&id).map(|(user, _)| user)
    }

    /// The record that last changed this user.
    pub fn user_changed(&self, id: UserId) -> Option<RecordSeq> {
        self.users.get(&id).map(|(_, seq)| *seq)
    }

    /// A group by id.
    pub fn group(&self, id: GroupId) -> Option<&GroupEntry> {
        self.groups.get(&id).map(|(group, _)| group)
    }

    /// The record that last changed this group itself (not its members).
    pub fn group_changed(&self, id: GroupId) -> Option<RecordSeq> {
        self.groups.get(&id).map(|(_, seq)| *seq)
    }

    /// All users, by id.
    pub fn users(&self) -> impl Iterator<Item = &UserEntry> {
        self.users.values().map(|(user, _)| user)
    }

    /// All users, by id, each with the groups that it is directly in, by id: for looking at everybody at once.
    pub fn users_and_groups(&self) -> impl Iterator<Item = (&UserEntry, impl Iterator<Item = GroupId>)> {
        // Both tables are ordered by user: one walk over the two finds all pairs.
        let mut memberships = self.memberships.iter().peekable();
        self.users.values().map(move |(user, _)| {
            let member = MemberKind::User(user.id);
            while memberships.next_if(|(other, _)| **other < member).is_some() {}
            let groups = memberships.next_if(|(other, _)| **other == member).map(|(_, groups)| groups);
            (user, groups.into_iter().flat_map(|groups| groups.keys().copied()))
        })
    }

    /// All groups, by id.
    pub fn groups(&self) -> impl Iterator<Item = &GroupEntry> {
        self.groups.values().map(|(group, _)| group)
    }

    /// Groups that are in groups, each with the group that it is directly in.
    pub fn nested_groups(&self) -> impl Iterator<Item = (GroupId, GroupId)> + '_ {
        // Groups come after all users.
        let first = MemberKind::Group(GroupId::from_uuid(uuid::Uuid::nil()));
        self.memberships.range(first..).flat_map(|(member, groups)| {
            let inner = match member {
                MemberKind::Group(id) => Some(*id),
                MemberKind::User(_) => None,
            };
            inner.into_iter().flat_map(move |inner| groups.keys().map(move |outer| (inner, *outer)))
        })
    }

    /// The changes that would make it anew: groups and users first, then who is in what.
    pub fn as_deltas(&self) -> impl Iterator<Item = Delta> + '_ {
        let groups = self.groups().map(|group| Delta::GroupPut { group: group.clone() });
        let users = self.users().map(|user| Delta::UserPut { user: user.clone() });
        let members = self.members.iter().flat_map(|(group, members)| {
            members.keys().map(|member| Delta::MemberAdded { group: *group, member: *member })
        });
        groups.chain(users).chain(members)
    }

    /// The direct members of a group, with the record that brought each.
    pub fn members(&self, group: GroupId) -> impl Iterator<Item = (MemberKind, RecordSeq)> {
        self.members.get(&group).into_iter().flatten().map(|(member, seq)| (*member, *seq))
    }

    /// The groups that a member is directly in, with the record that brought each.
    pub fn memberships(&self, member: MemberKind) -> impl Iterator<Item = (GroupId, RecordSeq)> {
        self.memberships.get(&member).into_iter().flatten().map(|(group, seq)| (*group, *seq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(n: u8) -> UserEntry {
        UserEntry {
            id: UserId::from_uuid(uuid::Uuid::from_u128(n.into())),
            source: "entra".parse().unwrap(),
            user_name: format!("u{n}").into(),
            external_id: None,
            active: true,
            document: "{}".into(),
        }
    }

    fn group(n: u8) -> GroupEntry {
        GroupEntry {
            id: GroupId::from_uuid(uuid::Uuid::from_u128(n.into())),
            source: "entra".parse().unwrap(),
            display_name: format!("g{n}").into(),
            external_id: None,
            document: "{}".into(),
        }
    }

    #[test]
    fn a_removed_group_leaves_no_membership_behind() {
        let (u, g, outer) = (user(1), group(1), group(2));
        let mut d = Directory::default();
        let in_g = Delta::MemberAdded { group: g.id, member: MemberKind::User(u.id) };
        let nested = Delta::MemberAdded { group: outer.id, member: MemberKind::Group(g.id) };
        for (i, delta) in [
            Delta::UserPut { user: u.clone() },
            Delta::GroupPut { group: g.clone() },
            Delta::GroupPut { group: outer.clone() },
            in_g.clone(),
            nested,
        ]
        .iter()
        .enumerate()
        {
            d.apply(delta, RecordSeq(i as u64 + 1));
        }
        assert_eq!(d.memberships(MemberKind::User(u.id)).collect::<Vec<_>>(), [(g.id, RecordSeq(4))]);
        d.apply(&in_g, RecordSeq(6));
        assert_eq!(
            d.members(g.id).collect::<Vec<_>>(),
            [(MemberKind::User(u.id), RecordSeq(4))],
            "the first one counts"
        );
        d.apply(&Delta::GroupRemoved { id: g.id }, RecordSeq(7));
        assert_eq!(d.memberships(MemberKind::User(u.id)).count(), 0);
        assert_eq!(d.members(outer.id).count(), 0);
        assert_eq!(d.position(), RecordSeq(7));
    }

    #[test]
    fn everybody_comes_with_their_groups() {
        let mut d = Directory::default();
        for n in [5, 1, 3] {
            d.apply(&Delta::UserPut { user: user(n) }, RecordSeq(1));
            d.apply(&Delta::GroupPut { group: group(n) }, RecordSeq(1));
        }
        for (g, u) in [(1, 1), (3, 1), (5, 5)] {
            let member = MemberKind::User(user(u).id);
            d.apply(&Delta::MemberAdded { group: group(g).id, member }, RecordSeq(2));
        }
        d.apply(
            &Delta::MemberAdded { group: group(1).id, member: MemberKind::Group(group(3).id) },
            RecordSeq(2),
        );
        // A membership of somebody who is not there is nobody's.
        d.apply(
            &Delta::MemberAdded { group: group(1).id, member: MemberKind::User(user(2).id) },
            RecordSeq(2),
        );
        let found: Vec<(UserId, Vec<GroupId>)> =
            d.users_and_groups().map(|(user, groups)| (user.id, groups.collect())).collect();
        let wanted = [(1, vec![1, 3]), (3, vec![]), (5, vec![5])];
        let wanted =
            wanted.map(|(u, groups)| (user(u).id, groups.into_iter().map(|g| group(g).id).collect()));
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_delta_reads_back_from_its_json() {
        for delta in [
            Delta::UserPut { user: user(1) },
            Delta::MemberAdded { group: group(1).id, member: MemberKind::Group(group(2).id) },
        ] {
            let text = serde_json::to_string(&delta).unwrap();
            assert_eq!(serde_json::from_str::<Delta>(&text).unwrap(), delta, "{text}");
        }
    }
}
