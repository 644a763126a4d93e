//! Whom changes of the directory concern.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use axon_model::{Delta, Directory, GroupEntry, GroupId, MemberKind, SourceId, SqlName, UserId};
use axon_scim::compare::fold;

use crate::map::RoleMap;
use crate::rule::{GroupName, Who};
use crate::secure_view::SecureView;
use crate::selection::users_under;

/// Users and groups whose standing may have changed.
#[derive(Debug, Clone, Default)]
pub struct Touched {
    pub(super) users: BTreeSet<UserId>,
    pub(super) groups: BTreeSet<GroupId>,
    /// Principals for whom something else is let be.
    pub(super) principals: BTreeSet<SqlName>,
    /// Whether names may belong to other groups than before.
    pub(super) names: bool,
    /// What groups were called before and are called now, where that changed.
    renamed: BTreeSet<Called>,
}

/// What mappings can know a group by: its source, the key of its display name, its `externalId`.
type Called = (SourceId, String, Option<Arc<str>>);

fn called(group: &GroupEntry) -> Called {
    (group.source.clone(), fold(&group.display_name), group.external_id.clone())
}

/// The names that the mappings of one map use.
#[derive(Debug, Clone, Default)]
pub(super) struct NamesUsed {
    display: HashSet<(SourceId, String)>,
    external: HashSet<(SourceId, String)>,
    /// Sources whose groups a pattern looks at: any name may fit, or be the second holder of one that fits.
    patterns: HashSet<SourceId>,
}

impl NamesUsed {
    pub fn of(map: &RoleMap) -> Self {
        let mut used = Self::default();
        for mapping in &map.mappings {
            let Who::Groups { groups, source } = &mapping.who else { continue };
            for name in groups.any.iter().chain(&groups.all).chain(&groups.none) {
                let table = match name {
                    GroupName::Display(_) => &mut used.display,
                    GroupName::External(_) => &mut used.external,
                };
                table.insert((source.clone(), name.key()));
            }
            if groups.matching.is_some() {
                used.patterns.insert(source.clone());
            }
        }
        for group in map.views.iter().flat_map(SecureView::groups) {
            let key = group.key();
            used.display.insert((key.source, key.name));
        }
        used
    }
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
                let old = before.group(group.id);
                let same = old.is_some_and(|old| {
                    old.display_name == group.display_name
                        && old.external_id == group.external_id
                        && old.source == group.source
                });
                if !same {
                    self.renamed.extend(old.map(called));
                    self.renamed.insert(called(group));
                }
            }
            Delta::GroupRemoved { id } => {
                self.groups.insert(*id);
                self.renamed.extend(before.group(*id).map(called));
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

    /// Whether a mapping may be about other groups than before.
    pub(super) fn moves(&self, used: &NamesUsed) -> bool {
        self.renamed.iter().any(|(source, display, external)| {
            used.patterns.contains(source)
                || used.display.contains(&(source.clone(), display.clone()))
                || external
                    .as_ref()
                    .is_some_and(|id| used.external.contains(&(source.clone(), id.to_string())))
        })
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
            && self.groups.is_empty()
            && self.principals.is_empty()
            && self.renamed.is_empty()
            && !self.names
    }

    /// Takes in what else is to be looked at.
    pub fn merge(&mut self, other: Self) {
        let Self { users, groups, principals, names, renamed } = other;
        self.users.extend(users);
        self.groups.extend(groups);
        self.principals.extend(principals);
        self.names |= names;
        self.renamed.extend(renamed);
    }
}
