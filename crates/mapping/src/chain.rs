//! The way from a person to a group: through which nested groups, by which records.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use axon_model::{Directory, GroupId, MemberKind, RecordSeq, UserId};
use serde::Serialize;

use crate::selection::Within;

/// One step on the way: what went before is a member of this group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The group.
    pub group: GroupId,
    /// Its display name.
    pub name: Arc<str>,
    /// The record that made the membership.
    pub record: RecordSeq,
}

/// The shortest ways from one person to all groups that the person is in.
pub(crate) struct Ways<'d> {
    directory: &'d Directory,
    /// Group to the group before it (none: the person is in it directly) and the record of that membership.
    before: BTreeMap<GroupId, (Option<GroupId>, RecordSeq)>,
}

impl<'d> Ways<'d> {
    pub fn of(directory: &'d Directory, user: UserId) -> Self {
        let mut before = BTreeMap::new();
        let mut open = VecDeque::from([(MemberKind::User(user), None)]);
        while let Some((member, from)) = open.pop_front() {
            for (group, record) in directory.memberships(member) {
                before.entry(group).or_insert_with(|| {
                    open.push_back((MemberKind::Group(group), Some(group)));
                    (from, record)
                });
            }
        }
        Self { directory, before }
    }

    /// The links from the person to the group, in order; none if the person is not in it.
    pub fn to(&self, group: GroupId) -> Vec<Link> {
        let mut links = Vec::new();
        let mut at = Some(group);
        while let Some((group, (from, record))) = at.and_then(|g| Some((g, *self.before.get(&g)?))) {
            let name = self.directory.group(group).map_or_else(|| "".into(), |g| g.display_name.clone());
            links.push(Link { group, name, record });
            at = from;
        }
        links.reverse();
        links
    }

    /// All groups that the person is in.
    pub fn groups(&self) -> Within {
        self.before.keys().copied().collect()
    }
}
