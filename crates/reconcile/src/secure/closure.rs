//! Whether somebody who reads a view reaches its table past it, or could write where its owner owns or what views believe: what the
//! catalog says, whoever gave it.

mod becomes;
mod ways;

use std::collections::BTreeSet;

use axon_model::SqlName;

pub use becomes::puts_on;
use ways::asked;
pub use ways::{Around, Ways};

use super::TableFilter;
use crate::graph::{Graph, PrincipalKind};
use crate::view_body::ViewBody;

/// Fixed roles that read every table, write what views believe, write code anywhere, or make anybody a member of anything.
const REACH: [&str; 5] =
    ["db_accessadmin", "db_datareader", "db_datawriter", "db_ddladmin", "db_securityadmin"];

impl Ways<'_> {
    /// Who reads the view and reaches past it, in words; none, if nobody does. `filter` is the one that its table has in force:
    /// columns that it opens to a role are no way past, and whom it lets see every row is.
    pub fn past(&self, body: &ViewBody, filter: Option<&TableFilter>) -> Option<String> {
        let readers = self.readers(body.name);
        if readers.is_empty() {
            return None;
        }
        let readers = self.but_own(&people(self.graph, &readers));
        self.reach(body, filter, &readers).into_iter().find_map(|by| {
            let both = people(self.graph, &BTreeSet::from([by]));
            let who = both.intersection(&readers).next()?;
            let how = if *who == by { String::new() } else { format!(" by role {by}") };
            Some(format!(
                "{who}, who reads it, reaches {} past it{how}: take that away, or let them not read the view",
                body.from
            ))
        })
    }

    /// Groups that are one principal and reach past the view without reading it: who is in them is not known in the target, and may
    /// read the view by something else.
    pub fn groups_past(&self, body: &ViewBody, filter: Option<&TableFilter>) -> BTreeSet<SqlName> {
        let group = |name: &SqlName| {
            self.graph.principals.get(name).is_some_and(|there| there.kind == PrincipalKind::ExternalGroup)
        };
        if !self.graph.principals.keys().any(group) {
            return BTreeSet::new();
        }
        let readers = people(self.graph, &self.readers(body.name));
        if readers.is_empty() {
            return BTreeSet::new();
        }
        let reach = people(self.graph, &self.reach(body, filter, &readers));
        let reach = self.but_own(&reach);
        reach.into_iter().filter(|name| group(name) && !readers.contains(name)).collect()
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
            let reach = self.reach(body, Some(filter), &readers);
            !people(self.graph, &reach).is_disjoint(&readers)
        })
    }

    fn but_own(&self, people: &BTreeSet<SqlName>) -> BTreeSet<SqlName> {
        people.difference(self.around.own).copied().collect()
    }

    /// Roles and principals that reach past a view, by whatever permission.
    fn reach(
        &self,
        body: &ViewBody,
        filter: Option<&TableFilter>,
        readers: &BTreeSet<SqlName>,
    ) -> BTreeSet<SqlName> {
        let mut reach = self.to(body, filter);
        reach.extend(&self.all);
        if let Some(filter) = filter {
            reach.extend(&self.policies);
            reach.extend(unfiltered(filter));
        }
        reach.extend(REACH.iter().filter_map(|role| SqlName::parse(role).ok()));
        self.by_keys(body, readers, &mut reach);
        reach.remove(&self.around.metadata.owner);
        reach
    }

    /// Adds whoever may become one of these, one to whom the view shows more, or an administrator, and whoever may put members into
    /// such a role.
    fn by_keys(&self, body: &ViewBody, readers: &BTreeSet<SqlName>, reach: &mut BTreeSet<SqlName>) {
        if self.keys.is_empty() {
            return;
        }
        let (roles, profile) = asked(body);
        let mut strong = roles;
        strong.extend(["db_owner", "dbo"].iter().filter_map(|name| SqlName::parse(name).ok()));
        if profile {
            strong.extend(readers);
        }
        let mut keys = self.keys.clone();
        loop {
            strong.extend(reach.iter());
            let within = within(self.graph, &strong);
            let before = keys.len();
            keys.retain(|(key, to)| {
                let opens = within.contains(to) && key.grantee != *to;
                if opens {
                    reach.insert(key.grantee);
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
