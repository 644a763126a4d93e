//! Whether somebody who reads a view reaches its table past it, or could write where its owner owns or what views believe: what the
//! catalog says, whoever gave it.

mod becomes;
mod ways;

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;

pub use becomes::puts_on;
pub use ways::{Around, Watched, Ways};

use super::TableFilter;
use crate::graph::{Graph, PrincipalKind};
use crate::shape::ObjectName;
use crate::view_body::ViewBody;

/// Fixed roles that read every table, write what views believe, write code anywhere, or make anybody a member of anything.
pub const REACH: [&str; 6] =
    ["db_accessadmin", "db_datareader", "db_datawriter", "db_ddladmin", "db_exporter", "db_securityadmin"];

/// Who is who of the principals of a target, as far as somebody's directory tells: whoever stands behind a name, or is in the group
/// of that name; none where it is not known.
pub type Who<'w, I> = &'w dyn Fn(SqlName) -> Option<BTreeSet<I>>;

/// Roles and principals that reach past a view: those by a key to another one with what that is.
#[derive(Debug, Default)]
struct Reach {
    names: BTreeSet<SqlName>,
    keys: BTreeMap<SqlName, String>,
}

impl Reach {
    /// By what somebody reaches past it who is one of these or in it.
    fn how(&self, who: SqlName, by: SqlName) -> String {
        let role = if who == by { String::new() } else { format!(" by role {by}") };
        self.keys.get(&by).map_or_else(|| role.clone(), |key| format!("{role}, by {key}"))
    }
}

impl Ways<'_> {
    /// Who reads the view and reaches past it, in words; none, if nobody does. `filter` is the one that its table has in force:
    /// columns that it opens to a role are no way past, and whom it lets see every row is.
    pub fn past(&self, body: &ViewBody, filter: Option<&TableFilter>) -> Option<String> {
        let readers = self.readers(body.name);
        if readers.is_empty() {
            return None;
        }
        let readers = self.but_own(&people(self.graph, &readers));
        let reach = self.reach(&body.into(), filter, &readers);
        reach.names.iter().find_map(|by| {
            let both = people(self.graph, &BTreeSet::from([*by]));
            let who = both.intersection(&readers).next()?;
            let how = reach.how(*who, *by);
            Some(format!(
                "{who}, who reads it, reaches {} past it{how}: take that away, or let them not read the view",
                body.from
            ))
        })
    }

    /// Groups that are one principal and reach past the view without reading it: who is in them is not known in the target, and may
    /// read the view by something else.
    pub fn groups_past(&self, body: &ViewBody, filter: Option<&TableFilter>) -> BTreeSet<SqlName> {
        if self.groups.is_empty() {
            return BTreeSet::new();
        }
        let readers = people(self.graph, &self.readers(body.name));
        if readers.is_empty() {
            return BTreeSet::new();
        }
        let reach = people(self.graph, &self.reach(&body.into(), filter, &readers).names);
        let reach = self.but_own(&reach);
        reach.into_iter().filter(|name| self.groups.contains(name) && !readers.contains(name)).collect()
    }

    /// Whether it hangs on who is in a group that nobody who reads the view reaches past it: a group reaches, or a group reads and a
    /// user of somebody's own reaches.
    pub fn asks_who(&self, body: &ViewBody, filter: Option<&TableFilter>) -> bool {
        if self.groups.is_empty() {
            return false;
        }
        let readers = self.but_own(&people(self.graph, &self.readers(body.name)));
        !self.groups_past(body, filter).is_empty()
            || !self.groups.is_disjoint(&readers)
                && self.beside(&self.reach(&body.into(), filter, &readers), &readers).next().is_some()
    }

    /// Who may read the view and reach past it, where one of both is by a group that is one principal, in words; none, if it is known
    /// that nobody is in a group that reaches, and not known of anybody who reaches that they are in a group that reads. `accepted` are
    /// groups that reach, for which somebody else sees to that.
    pub fn past_by_group<I: Ord>(
        &self,
        body: &ViewBody,
        filter: Option<&TableFilter>,
        accepted: &BTreeSet<SqlName>,
        who: Who<'_, I>,
    ) -> Option<String> {
        if self.groups.is_empty() {
            return None;
        }
        let (readers, table) = (self.but_own(&people(self.graph, &self.readers(body.name))), body.from);
        let by_group = self.groups_past(body, filter).difference(accepted).find_map(|group| {
            let doubt = self.doubt(*group, &readers, who)?;
            Some(format!(
                "group {group} reaches {table} past it, and {doubt}: take that from the group, or name it under `metadata.accept_groups`"
            ))
        });
        by_group.or_else(|| {
            let reach = self.reach(&body.into(), filter, &readers);
            let (user, by, group) = self.reads_by_group(&reach, &readers, who)?;
            let how = reach.how(user, by);
            Some(format!(
                "{user} is in {group}, which reads it, and reaches {table} past it{how}: take that away, or let the group not read the view"
            ))
        })
    }

    /// Users of people's own who reach past a view that they do not read by these, each with what they reach it by.
    fn beside<'r>(
        &'r self,
        reach: &'r Reach,
        readers: &'r BTreeSet<SqlName>,
    ) -> impl Iterator<Item = (SqlName, SqlName)> + 'r {
        let kind = |name: &SqlName| self.graph.principals.get(name).map(|there| there.kind);
        let beside = move |user: &SqlName| {
            kind(user) == Some(PrincipalKind::External)
                && !readers.contains(user)
                && !self.around.own.contains(user)
        };
        reach.names.iter().flat_map(move |by| {
            let users = people(self.graph, &BTreeSet::from([*by]));
            users.into_iter().filter(beside).map(|user| (user, *by))
        })
    }

    /// Somebody known to be in a group that reads, who reaches past it by a user of their own: the user, by what, and the group.
    fn reads_by_group<I: Ord>(
        &self,
        reach: &Reach,
        readers: &BTreeSet<SqlName>,
        who: Who<'_, I>,
    ) -> Option<(SqlName, SqlName, SqlName)> {
        if self.groups.is_disjoint(readers) {
            return None;
        }
        let mut inside: BTreeMap<SqlName, Option<BTreeSet<I>>> = BTreeMap::new();
        self.beside(reach, readers).find_map(|(user, by)| {
            let behind = who(user)?;
            let reads = |group: &&SqlName| {
                let inside = inside.entry(**group).or_insert_with(|| who(**group));
                inside.as_ref().is_some_and(|inside| !inside.is_disjoint(&behind))
            };
            let group = self.groups.intersection(readers).find(reads)?;
            Some((user, by, *group))
        })
    }

    /// What lets one of these be in the group, in words; none, where nobody is.
    fn doubt<I: Ord>(&self, group: SqlName, readers: &BTreeSet<SqlName>, who: Who<'_, I>) -> Option<String> {
        let external = |name: &&SqlName| {
            let there = self.graph.principals.get(name);
            there.is_some_and(|there| there.kind != PrincipalKind::Sql)
        };
        let Some(inside) = who(group) else { return Some("who is in it is not known here".into()) };
        readers.iter().filter(external).find_map(|reader| match who(*reader) {
            None => Some(format!("whether {reader}, who reads the view, is in it is not known here")),
            Some(behind) if behind.is_disjoint(&inside) => None,
            Some(_) if self.groups.contains(reader) => {
                Some(format!("some of its people are in {reader}, which reads the view"))
            }
            Some(_) => Some(format!("{reader}, who reads the view, is in it")),
        })
    }

    /// Whether somebody who may read columns of the table sees every row of it, or reaches past its filter by anything else. Members
    /// of `db_owner` administer.
    pub fn through(&self, filter: &TableFilter, bodies: &[ViewBody]) -> bool {
        let readers = self.but_own(&people(self.graph, &filter.open.keys().copied().collect()));
        let reach = unfiltered(filter);
        if !people(self.graph, &reach).is_disjoint(&readers) {
            return true;
        }
        bodies.iter().filter(|body| body.from == filter.table).any(|body| {
            let reach = self.reach(&body.into(), Some(filter), &readers);
            !people(self.graph, &reach.names).is_disjoint(&readers)
        })
    }

    /// Whether somebody who may read columns of the table may be in a group that reaches past its filter, or is known to reach past it
    /// and to be in a group that may.
    pub fn through_by_group<I: Ord>(
        &self,
        filter: &TableFilter,
        bodies: &[ViewBody],
        accepted: &BTreeSet<SqlName>,
        who: Who<'_, I>,
    ) -> bool {
        if self.groups.is_empty() {
            return false;
        }
        let readers = self.but_own(&people(self.graph, &filter.open.keys().copied().collect()));
        bodies.iter().filter(|body| body.from == filter.table).any(|body| {
            let reach = self.reach(&body.into(), Some(filter), &readers);
            let there = people(self.graph, &reach.names);
            let groups = self.groups.intersection(&there);
            let mut groups = groups.filter(|group| !accepted.contains(group) && !readers.contains(group));
            groups.any(|group| self.doubt(*group, &readers, who).is_some())
                || self.reads_by_group(&reach, &readers, who).is_some()
        })
    }

    /// Who may read a view.
    pub fn who_reads(&self, view: ObjectName) -> BTreeSet<SqlName> {
        self.but_own(&people(self.graph, &self.readers(view)))
    }

    /// Who reaches past a view that these read.
    pub fn who_reaches(
        &self,
        view: &Watched,
        filter: Option<&TableFilter>,
        readers: &BTreeSet<SqlName>,
    ) -> BTreeSet<SqlName> {
        people(self.graph, &self.reach(view, filter, readers).names)
    }

    fn but_own(&self, people: &BTreeSet<SqlName>) -> BTreeSet<SqlName> {
        people.difference(self.around.own).copied().collect()
    }

    /// Roles and principals that reach past a view, by whatever permission.
    fn reach(&self, view: &Watched, filter: Option<&TableFilter>, readers: &BTreeSet<SqlName>) -> Reach {
        let mut names = self.to(view, filter);
        names.extend(&self.all);
        if let Some(filter) = filter {
            names.extend(&self.policies);
            names.extend(unfiltered(filter));
        }
        names.extend(REACH.iter().filter_map(|role| SqlName::parse(role).ok()));
        let mut reach = Reach { names, keys: BTreeMap::new() };
        self.by_keys(view, readers, &mut reach);
        reach.names.remove(&self.around.metadata.owner);
        reach
    }

    /// Adds whoever may become one of these, one to whom the view shows more, or an administrator, and whoever may put members into
    /// such a role.
    fn by_keys(&self, view: &Watched, readers: &BTreeSet<SqlName>, reach: &mut Reach) {
        if self.keys.is_empty() {
            return;
        }
        let mut strong = view.roles.clone();
        strong.extend(["db_owner", "dbo"].iter().filter_map(|name| SqlName::parse(name).ok()));
        if view.profile {
            strong.extend(readers);
        }
        let mut keys = self.keys.clone();
        loop {
            strong.extend(&reach.names);
            let within = within(self.graph, &strong);
            let before = keys.len();
            keys.retain(|key| {
                let opens = within.contains(&key.to) && key.holder != key.to;
                if opens && reach.names.insert(key.holder) {
                    reach.keys.insert(key.holder, key.to_string());
                }
                !opens
            });
            if keys.len() == before {
                break;
            }
        }
    }
}

/// Roles whose members a filter lets see every row. Members of `db_owner` administer.
fn unfiltered(filter: &TableFilter) -> BTreeSet<SqlName> {
    filter.unfiltered.iter().filter(|role| role.as_str() != "db_owner").copied().collect()
}

/// These names, and all that are in them.
fn within(graph: &Graph, names: &BTreeSet<SqlName>) -> BTreeSet<SqlName> {
    let mut open: Vec<SqlName> = names.iter().copied().collect();
    let mut seen = BTreeSet::new();
    // Everybody is in `public`.
    if names.iter().any(|name| name.as_str() == "public") {
        open.extend(graph.principals.keys());
    }
    while let Some(name) = open.pop() {
        if seen.insert(name) {
            open.extend(graph.members_of(name));
        }
    }
    seen
}

/// Principals among these names and in these roles.
fn people(graph: &Graph, names: &BTreeSet<SqlName>) -> BTreeSet<SqlName> {
    within(graph, names).into_iter().filter(|name| graph.principals.contains_key(name)).collect()
}

#[cfg(test)]
mod tests;
