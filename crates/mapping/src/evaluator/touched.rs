//! Whom changes of the directory concern.

use std::collections::BTreeSet;

use axon_model::{Delta, Directory, GroupId, MemberKind, UserId};

use crate::selection::users_under;

/// Users and groups whose standing may have changed.
#[derive(Debug, Clone, Default)]
pub struct Touched {
    pub(super) users: BTreeSet<UserId>,
    pub(super) groups: BTreeSet<GroupId>,
    /// Whether a mapping may be about other groups than before.
    pub(super) renamed: bool,
}

impl Touched {
    /// Notes whom a change concerns, before the directory takes it in: a removal no longer tells it afterwards.
    pub fn note(&mut self, before: &Directory, delta: &Delta) {
        match delta {
            Delta::UserPut { user } => {
                self.users.insert(user.id);
            }
            Delta::UserRemoved { id } => {
                self.users.insert(*id);
            }
            Delta::GroupPut { group } => {
                self.groups.insert(group.id);
                self.renamed |= before.group(group.id).is_none_or(|old| {
                    old.display_name != group.display_name
                        || old.external_id != group.external_id
                        || old.source != group.source
                });
            }
            Delta::GroupRemoved { id } => {
                self.groups.insert(*id);
                self.renamed = true;
                users_under(before, *id, &mut self.users);
            }
            Delta::MemberAdded { member, .. } | Delta::MemberRemoved { member, .. } => match member {
                MemberKind::User(user) => {
                    self.users.insert(*user);
                }
                MemberKind::Group(group) => users_under(before, *group, &mut self.users),
            },
        }
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty() && !self.renamed
    }
}
