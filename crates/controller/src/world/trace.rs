//! What leads from a step back to the journal: who was touched by which record, and causes as records keep them.

use std::collections::{BTreeMap, BTreeSet};

use axon_audit::payload::Cause;
use axon_model::{Delta, Directory, GroupId, MemberKind, RecordSeq, SqlName, UserId};

/// Which record last touched whom, since the last tick that settled.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) users: BTreeMap<UserId, RecordSeq>,
    pub(super) gone: BTreeMap<SqlName, RecordSeq>,
}

/// A cause as the journal keeps it; what says nothing about rule, group or record is left out.
pub(super) fn recorded(cause: axon_mapping::because::Cause) -> Option<Cause> {
    use axon_mapping::because::Cause as Because;
    match cause {
        Because::Mapping { mapping, role, user: _, group, records } => Some(Cause {
            line: Some(mapping.to_string()),
            role: Some(role.to_string()),
            group,
            membership: records.last().copied(),
        }),
        Because::Line { line, role, said_by: _ } => {
            Some(Cause { line: Some(line.to_string()), role: Some(role.to_string()), ..Cause::default() })
        }
        // A membership's place is taken by the record that brought the request into force.
        Because::Request { request, role, user: _, record } => Some(Cause {
            line: Some(format!("request {request}")),
            role: Some(role.to_string()),
            membership: Some(record),
            ..Cause::default()
        }),
        Because::Offboarded { request, user: _, record } => Some(Cause {
            line: Some(format!("request {request}")),
            membership: Some(record),
            ..Cause::default()
        }),
        Because::Role { place, role } => {
            Some(Cause { line: Some(place.to_string()), role: Some(role.to_string()), ..Cause::default() })
        }
        Because::Inactive { user: _, record } | Because::NotGiven { user: _, record } => {
            Some(Cause { membership: Some(record?), ..Cause::default() })
        }
        Because::Unknown | Because::Withheld | Because::NoLine => None,
    }
}

/// Whose access a change may concern, as the directory stands before it.
pub(super) fn concerned(directory: &Directory, delta: &Delta) -> BTreeSet<UserId> {
    match delta {
        Delta::UserPut { user } => BTreeSet::from([user.id]),
        Delta::UserRemoved { id } => BTreeSet::from([*id]),
        Delta::GroupPut { group } => people(directory, group.id),
        Delta::GroupRemoved { id } => people(directory, *id),
        Delta::MemberAdded { member, .. } | Delta::MemberRemoved { member, .. } => match member {
            MemberKind::User(id) => BTreeSet::from([*id]),
            MemberKind::Group(id) => people(directory, *id),
        },
    }
}

/// Everybody in a group, through nested ones.
fn people(directory: &Directory, group: GroupId) -> BTreeSet<UserId> {
    let mut people = BTreeSet::new();
    let mut seen = BTreeSet::from([group]);
    let mut next = vec![group];
    while let Some(group) = next.pop() {
        for (member, _) in directory.members(group) {
            match member {
                MemberKind::User(id) => {
                    people.insert(id);
                }
                MemberKind::Group(id) => {
                    if seen.insert(id) {
                        next.push(id);
                    }
                }
            }
        }
    }
    people
}
