//! What changes for people who have things by themselves and by whole groups: what one way gives and another gave already is no
//! change.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use axon_model::{Directory, SqlName, UserId};

use super::Behind;
use super::change::Change;
use super::in_target::Changed;
use super::sheet::Sheet;
use super::sides::{Both, Side};
use super::stays::Stays;
use crate::selection::users_under;

/// Principals of groups by the people in them.
type Through = HashMap<UserId, Vec<SqlName>>;

fn through(side: &Side, directory: &Directory) -> Through {
    let mut principals: BTreeMap<SqlName, BTreeSet<UserId>> = BTreeMap::new();
    for (group, principal) in side.groups() {
        users_under(directory, group, principals.entry(principal).or_default());
    }
    let mut through = Through::new();
    for (principal, people) in principals {
        for user in people {
            through.entry(user).or_default().push(principal);
        }
    }
    through
}

/// Numbers of roles, and the principals on which something stands without a role.
type Has = (Vec<usize>, Vec<SqlName>);

/// What one person has on one side: by the own name, and by the groups that are principals.
fn roles(sheet: &Sheet<'_>, own: Option<SqlName>, groups: &Through, user: UserId) -> Has {
    let names: Vec<SqlName> =
        own.into_iter().chain(groups.get(&user).into_iter().flatten().copied()).collect();
    let roles: BTreeSet<usize> = names.iter().flat_map(|name| sheet.roles(*name)).copied().collect();
    let direct = names.into_iter().filter(|name| !sheet.direct(*name).is_empty()).collect();
    (roles.into_iter().collect(), direct)
}

/// Changes of principals as changes of people: who stands behind a group for whom all changes are as they are for the group
/// (and for their other groups, and for themselves) is told by it; who comes off otherwise is told by name.
pub(super) fn by_people(
    changed: Vec<Changed>,
    both: &Both,
    (old, new, stays): (&Sheet<'_>, &Sheet<'_>, &Stays),
    views: Option<&BTreeMap<SqlName, Change>>,
    directory: &Directory,
) -> Vec<Changed> {
    let (before, after) = (through(&both.old, directory), through(&both.new, directory));
    if before.is_empty() && after.is_empty() {
        return changed;
    }
    let of_principal: HashMap<SqlName, &Changed> = changed.iter().map(|one| (one.principal, one)).collect();
    let concerned: BTreeSet<UserId> = changed.iter().flat_map(|one| &one.people).copied().collect();
    let mut classes: HashMap<([Has; 2], bool), Arc<Change>> = HashMap::new();
    // People for whom it is not what their principals say, and what it is.
    let mut otherwise: BTreeMap<UserId, (Option<SqlName>, Arc<Change>)> = BTreeMap::new();
    for user in concerned {
        if !before.contains_key(&user) && !after.contains_key(&user) {
            continue;
        }
        let own = |side: &Side| side.principal_of(user).filter(|name| !side.is_withheld(*name));
        let (name_before, name_after) = (own(&both.old), own(&both.new));
        let key = [roles(old, name_before, &before, user), roles(new, name_after, &after, user)];
        // Who is let in by any of the names that were put into a role still has it by that.
        let mut names = name_before.iter().chain(before.get(&user).into_iter().flatten());
        let shut_out = names.all(|name| stays.is_shut_out(both, *name));
        let net = classes.entry((key, shut_out)).or_insert_with_key(|([(had, stood), (has, stand)], _)| {
            let lines = |sheet: &Sheet<'_>, names: &[SqlName]| -> Vec<_> {
                names.iter().flat_map(|name| sheet.direct(*name)).copied().collect()
            };
            let mut has = new.holding(both.new.graph(), has, &lines(new, stand));
            stays.keep(&mut has, had, shut_out);
            Arc::new(Change::between(&old.holding(both.old.graph(), had, &lines(old, stood)), &has))
        });
        let name = name_after.or(name_before);
        let net = match name.and_then(|name| views?.get(&name)) {
            Some(seen) => Arc::new(net.and(seen)),
            None => net.clone(),
        };
        let groups = before.get(&user).into_iter().chain(after.get(&user)).flatten().copied();
        let told: BTreeSet<SqlName> = groups.chain(name_before).chain(name_after).collect();
        let told = told.iter().filter_map(|name| of_principal.get(name));
        if told.fold(Change::default(), |all, one| all.and(&one.change)) != *net {
            otherwise.insert(user, (name, net));
        }
    }
    drop(of_principal);
    told(changed, &otherwise)
}

fn told(changed: Vec<Changed>, otherwise: &BTreeMap<UserId, (Option<SqlName>, Arc<Change>)>) -> Vec<Changed> {
    let mut out = Vec::with_capacity(changed.len());
    let mut named: HashSet<SqlName> = HashSet::new();
    for (user, (name, net)) in otherwise {
        if let Some(name) = name.filter(|_| !net.is_empty()) {
            let people = BTreeSet::from([*user]);
            out.push(Changed { principal: name, change: net.clone(), behind: Behind::Person, people });
        }
        named.extend(name);
    }
    for mut one in changed {
        let there = !one.people.is_empty();
        one.people.retain(|user| !otherwise.contains_key(user));
        // A group of nobody is told: who is in it when it logs in is not for the directory alone to say.
        if one.behind != Behind::Group && named.contains(&one.principal) || there && one.people.is_empty() {
            continue;
        }
        out.push(one);
    }
    out
}
