//! For those who keep what they read: what each commit touches, and whether anybody else commits.

use async_trait::async_trait;
use axon_model::{Delta, GroupId, MemberKind, UserId};

/// What a commit may have changed for a reader of users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Users whose document or groups changed, or that are gone.
    pub users: Vec<UserId>,
    /// Groups whose name changed, or that are gone.
    pub groups: Vec<GroupId>,
    /// It is not known what: anything may have.
    pub all: bool,
}

/// Keeps what it reads, and is told what to forget.
pub trait Keeper: Send + Sync {
    /// Told after a commit and before its writes are answered, so that nobody who saw an answer meets what was before.
    fn forget(&self, touched: &Touched);
}

/// Tells whether what was kept may be shown.
#[async_trait]
pub trait Fresh: Send + Sync {
    /// Whether no other process has committed anything that the keeper was not told of, until a few microseconds ago. Asked before
    /// each use.
    fn is_current(&self) -> bool;

    /// Finds out what was committed, after [`Fresh::is_current`] said no; the keeper is told to forget where it must.
    async fn look(&self);
}

impl Touched {
    /// Anything may have changed.
    pub fn anything() -> Self {
        Self { all: true, ..Self::default() }
    }

    /// Notes what a change touches.
    pub fn note(&mut self, delta: &Delta) {
        match delta {
            Delta::UserPut { user } => self.users.push(user.id),
            Delta::UserRemoved { id } => self.users.push(*id),
            Delta::GroupPut { group } => self.groups.push(group.id),
            Delta::GroupRemoved { id } => self.groups.push(*id),
            Delta::MemberAdded { member, .. } | Delta::MemberRemoved { member, .. } => {
                if let MemberKind::User(id) = member {
                    self.users.push(*id);
                }
            }
        }
    }

    /// How much was noted, for [`Touched::truncate`].
    pub fn len(&self) -> (usize, usize) {
        (self.users.len(), self.groups.len())
    }

    /// Whether nothing was touched.
    pub fn is_empty(&self) -> bool {
        !self.all && self.users.is_empty() && self.groups.is_empty()
    }

    /// Takes back what was noted since.
    pub fn truncate(&mut self, len: (usize, usize)) {
        self.users.truncate(len.0);
        self.groups.truncate(len.1);
    }

    /// Starts anew.
    pub fn clear(&mut self) {
        self.truncate((0, 0));
        self.all = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_membership_touches_its_user_and_a_group_its_name() {
        let (user, group): (UserId, GroupId) = (
            "018f3a00-0000-7000-8000-000000000001".parse().unwrap(),
            "018f3a00-0000-7000-8000-000000000002".parse().unwrap(),
        );
        let mut touched = Touched::default();
        assert!(touched.is_empty());
        touched.note(&Delta::MemberAdded { group, member: MemberKind::User(user) });
        let mark = touched.len();
        touched.note(&Delta::MemberRemoved { group, member: MemberKind::Group(group) });
        assert_eq!(touched.len(), mark, "a nested group is not shown by any user");
        touched.note(&Delta::GroupRemoved { id: group });
        assert_eq!((&touched.users[..], &touched.groups[..]), (&[user][..], &[group][..]));
        touched.truncate(mark);
        assert_eq!((touched.users.len(), touched.groups.len()), (1, 0));
    }
}
