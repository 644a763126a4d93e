//! What a store gives back.

use std::sync::Arc;

use axon_model::{GroupId, MemberKind, RecordSeq, UserId};
use axon_scim::{Meta, Resource, ResourceKind};
use time::OffsetDateTime;

/// A user as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredUser {
    /// The SCIM id.
    pub id: UserId,
    /// When it came.
    pub created: OffsetDateTime,
    /// When it last changed.
    pub modified: OffsetDateTime,
    /// Grows by one with each change.
    pub version: u64,
    /// The document, without what the server says.
    pub resource: Resource,
    /// The groups that it is directly in; none where they were not asked for.
    pub groups: Option<Vec<GroupRef>>,
}

/// A group as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredGroup {
    /// The SCIM id.
    pub id: GroupId,
    /// When it came.
    pub created: OffsetDateTime,
    /// When it or its members last changed.
    pub modified: OffsetDateTime,
    /// Grows by one with each change.
    pub version: u64,
    /// The document, without what the server says.
    pub resource: Resource,
    /// How many direct members exist; those that wait for their arrival do not count.
    pub member_count: u64,
    /// The direct members, in the order of their creation; none where they were not asked for.
    pub members: Option<Vec<Member>>,
}

/// A group that somebody is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRef {
    /// The group.
    pub id: GroupId,
    /// Its `displayName`.
    pub display: Arc<str>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub value: MemberKind,
    /// The user's `displayName` or else `userName`; the nested group's `displayName`.
    pub display: Arc<str>,
}

/// What a write came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Written<T> {
    /// What is stored now.
    pub stored: T,
    /// Whether anything changed. If not, there is no record and `modified` stands.
    pub changed: bool,
    /// Whether a POST gave an inactive user back instead of making one.
    pub restored: bool,
    /// How many named members do not exist and wait.
    pub parked: u64,
    /// The journal's position that has it: the write's record, or what stood before where nothing changed.
    pub position: RecordSeq,
}

/// RFC 3339 with milliseconds, in UTC: what `meta` shows. Two of them stand in each answer, so the digits are set by hand.
pub fn shown_instant(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let mut set = |first: usize, last: usize, mut number: u32| {
        for place in (first..=last).rev() {
            text[place] += u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
        }
    };
    // The years of RFC 3339 have four digits.
    set(0, 3, u32::try_from(at.year().clamp(0, 9999)).unwrap_or(0));
    set(5, 6, u8::from(at.month()).into());
    set(8, 9, at.day().into());
    set(11, 12, at.hour().into());
    set(14, 15, at.minute().into());
    set(17, 18, at.second().into());
    set(20, 22, at.millisecond().into());
    text.iter().map(|byte| char::from(*byte)).collect()
}

/// The entity tag of a version.
pub fn entity_tag(version: u64) -> String {
    format!("W/\"{version}\"")
}

fn meta(kind: ResourceKind, created: OffsetDateTime, modified: OffsetDateTime, version: u64) -> Meta {
    Meta {
        resource_type: kind.name().to_owned(),
        created: shown_instant(created),
        last_modified: shown_instant(modified),
        location: None,
        version: Some(entity_tag(version)),
    }
}

impl StoredUser {
    /// What `meta` says; the address is for the HTTP layer to add.
    pub fn meta(&self) -> Meta {
        meta(ResourceKind::User, self.created, self.modified, self.version)
    }

    /// The document with `id`, `meta` and, where they were asked for, `groups` put on.
    pub fn decorated(&self) -> Resource {
        let mut resource = self.resource.clone();
        resource.decorate(&self.id.to_string(), &self.meta());
        if let Some(groups) = &self.groups {
            resource.set_groups(groups.iter().map(GroupRef::to_value).collect());
        }
        resource
    }
}

impl StoredGroup {
    /// What `meta` says; the address is for the HTTP layer to add.
    pub fn meta(&self) -> Meta {
        meta(ResourceKind::Group, self.created, self.modified, self.version)
    }

    /// The document with `id`, `meta` and, where they were asked for, `members` put on.
    pub fn decorated(&self) -> Resource {
        let mut resource = self.resource.clone();
        resource.decorate(&self.id.to_string(), &self.meta());
        if let Some(members) = &self.members {
            resource.set_members(members.iter().map(Member::to_value).collect());
        }
        resource
    }
}

impl GroupRef {
    /// As an element of `groups`; its address is relative, for filters, and the HTTP layer's to make whole.
    pub fn to_value(&self) -> serde_json::Value {
        let address = format!("..{}/{}", ResourceKind::Group.endpoint(), self.id);
        serde_json::json!({"value": self.id, "$ref": address, "display": &*self.display, "type": "direct"})
    }
}

impl Member {
    /// The member's id, whatever it is.
    pub fn id(&self) -> String {
        match self.value {
            MemberKind::User(id) => id.to_string(),
            MemberKind::Group(id) => id.to_string(),
        }
    }

    /// User or Group.
    pub fn kind(&self) -> ResourceKind {
        match self.value {
            MemberKind::User(_) => ResourceKind::User,
            MemberKind::Group(_) => ResourceKind::Group,
        }
    }

    /// As an element of `members`; its address is relative, for filters, and the HTTP layer's to make whole.
    pub fn to_value(&self) -> serde_json::Value {
        let (id, kind) = (self.id(), self.kind());
        let address = format!("..{}/{id}", kind.endpoint());
        serde_json::json!({"value": id, "$ref": address, "display": &*self.display, "type": kind.name()})
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn instants_are_shown_in_utc_with_milliseconds() {
        assert_eq!(shown_instant(datetime!(2026-11-22 03:04:05.067_8 +2)), "2026-11-22T01:04:05.067Z");
    }

    #[test]
    fn a_version_is_a_weak_tag() {
        assert_eq!(entity_tag(7), "W/\"7\"");
    }
}
