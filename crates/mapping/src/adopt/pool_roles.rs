//! The roles of the pool: which become the map's own, which lines can only name, and which stay as they are.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::Classified;

use super::Adopting;
use super::classified;
use super::lines::{self, Line};
use super::people::Survey;
use crate::names::RoleName;

/// The roles of a pool, sorted.
#[derive(Debug, Default)]
pub(super) struct PoolRoles {
    /// Roles that the map fills, with all that they hold.
    pub managed: BTreeMap<SqlName, Managed>,
    /// Roles whose people the map keeps, by `per person` lines. What they hold themselves is not its business.
    /// Everybody who is in each, by number.
    pub named: BTreeMap<SqlName, Vec<u32>>,
    /// Why roles that are not fixed are not the map's own.
    pub not_own: BTreeMap<SqlName, String>,
    /// Roles in roles, which no line can say: role, then member.
    pub nested: Vec<(SqlName, SqlName)>,
}

/// A role that becomes the map's own.
#[derive(Debug)]
pub(super) struct Managed {
    pub name: RoleName,
    pub lines: BTreeSet<Line>,
    /// Where requests of its members run.
    pub classified: Vec<Classified>,
    /// Its people: the map's subjects, by number.
    pub subjects: Vec<u32>,
    /// Everybody who is in it, also those who stay as they are.
    pub everybody: Vec<u32>,
}

/// What a role that can be the map's own would say: its name, its permissions, its classifiers.
type Own = (RoleName, BTreeSet<Line>, Vec<Classified>);

/// Sorts all roles.
pub(super) fn sort(of: Adopting<'_>, survey: &Survey) -> PoolRoles {
    let mut pool = PoolRoles::default();
    let mut own: BTreeMap<SqlName, Own> = BTreeMap::new();
    for (name, role) in &of.actual.roles {
        if role.fixed || survey.untouchable.contains(name) {
            continue;
        }
        match of_the_map(of, *name) {
            Ok(found) => drop(own.insert(*name, found)),
            Err(why) => drop(pool.not_own.insert(*name, why)),
        }
    }
    let members = members(of, survey);
    pool.nested = of
        .actual
        .members
        .iter()
        .filter(|m| of.actual.roles.contains_key(&m.member))
        .map(|m| (m.role, m.member))
        .collect();
    // A role that lines name keeps its people and nobody else, and so do the map's own: a role in either would be put out.
    loop {
        let named = |role: SqlName| {
            !own.contains_key(&role)
                && !survey.untouchable.contains(&role)
                && members.get(&role).is_some_and(|m| !m.subjects.is_empty())
                && lines::member_of(role).is_some()
        };
        let mut taken: Option<(SqlName, String)> = None;
        for (role, member) in &pool.nested {
            if own.contains_key(role) {
                taken = Some((*role, format!("role {member} is in it, and a map puts no role into a role")));
            } else if named(*role) && own.contains_key(member) {
                let why = format!("it is in role {role}, and a map puts no role into a role");
                taken = Some((*member, why));
            }
            if taken.is_some() {
                break;
            }
        }
        let Some((role, why)) = taken else { break };
        own.remove(&role);
        pool.not_own.insert(role, why);
    }
    for (role, members) in members {
        if let Some((name, lines, classified)) = own.remove(&role) {
            let Members { subjects, everybody } = members;
            pool.managed.insert(role, Managed { name, lines, classified, subjects, everybody });
        } else if !members.subjects.is_empty()
            && !survey.untouchable.contains(&role)
            && lines::member_of(role).is_some()
        {
            pool.named.insert(role, members.everybody);
        }
    }
    pool
}

#[derive(Debug, Default)]
struct Members {
    subjects: Vec<u32>,
    everybody: Vec<u32>,
}

/// The principals in each role, in order.
fn members(of: Adopting<'_>, survey: &Survey) -> BTreeMap<SqlName, Members> {
    let mut members: BTreeMap<SqlName, Members> =
        of.actual.roles.keys().map(|role| (*role, Members::default())).collect();
    for membership in &of.actual.members {
        let Some(number) = survey.number(membership.member) else { continue };
        let into = members.entry(membership.role).or_default();
        into.everybody.push(number);
        if survey.subjects.contains_key(&number) {
            into.subjects.push(number);
        }
    }
    for into in members.values_mut() {
        into.subjects.sort_unstable();
        into.everybody.sort_unstable();
    }
    members
}

/// A role as one of the map's, or why it cannot be.
fn of_the_map(of: Adopting<'_>, name: SqlName) -> Result<Own, String> {
    let role: RoleName =
        name.as_str().parse().map_err(|_| "its name cannot be that of a role of a map".to_owned())?;
    if crate::reserved::is_reserved(name) {
        return Err("its name is reserved".into());
    }
    let mut held = BTreeSet::new();
    for (key, grant) in of.actual.grants_of(name) {
        match lines::line_of(of.actual, of.shape, key, grant) {
            Ok(line) => drop(held.insert(line)),
            Err(why) => {
                let what = format!("{} {} on {}", grant.state, key.permission, key.securable);
                return Err(format!("it holds {what}: {why}"));
            }
        }
    }
    Ok((role, held, classified::of_role(of, name)?))
}
