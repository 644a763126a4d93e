//! The way from a person to a group: through which nested groups, by which records.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use axon_model::name::shown;
use axon_model::{Directory, GroupId, MemberKind, RecordSeq, RequestId, UserId};
use serde::Serialize;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// One step on the way: what went before is a member of this group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The group.
    pub group: GroupId,
    /// Its display name.
    pub name: Arc<str>,
    /// The record that made the membership.
    pub record: RecordSeq,
    /// What that record says, where somebody looked it up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brought: Option<Brought>,
}

/// When something was said, by whom, and in which request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Brought {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// By whom.
    pub by: String,
    /// The request.
    pub request: Option<RequestId>,
}

impl fmt::Display for Brought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, by, request } = self;
        write!(f, "{} by {}", instant(*at), shown(by))?;
        request.as_ref().map_or(Ok(()), |request| write!(f, ", request {request}"))
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group: _, name, record, brought } = self;
        write!(f, "{} (record {record}", shown(name))?;
        if let Some(brought) = brought {
            write!(f, ", {brought}")?;
        }
        f.write_str(")")
    }
}

/// An instant as the map writes it.
pub(crate) fn instant(at: OffsetDateTime) -> String {
    at.to_offset(UtcOffset::UTC).format(&Rfc3339).unwrap_or_default()
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
            links.push(Link { group, name, record, brought: None });
            at = from;
        }
        links.reverse();
        links
    }

    /// All groups that the person is in.
    pub fn groups(&self) -> crate::selection::Within {
        self.before.keys().copied().collect()
    }
}
