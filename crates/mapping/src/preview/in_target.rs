//! What changes in one target, for whom.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use axon_model::{Directory, SqlName, UserId};

use super::change::{Change, Item};
use super::net;
use super::sheet::Sheet;
use super::sides::Both;
use super::stays::Stays;
use super::waits::waits;
use super::{Affected, Behind, Compared, ItemPreview, PrincipalPreview, TargetPreview};
use crate::names::TargetName;
use crate::pending::Claimant;
use crate::selection::users_under;

/// Somebody for whom something changes.
pub(super) struct Changed {
    pub principal: SqlName,
    pub change: Arc<Change>,
    pub behind: Behind,
    pub people: BTreeSet<UserId>,
}

/// What would change in one target, if anything does. `views` is what changes there by roles alone.
pub(super) fn of(
    target: &TargetName,
    both: &Both,
    views: Option<&BTreeMap<SqlName, Change>>,
    compared: Compared<'_>,
    everywhere: &mut Affected,
) -> Option<TargetPreview> {
    let stays = Stays::of(both);
    let changed = changed(both, &stays, views, compared.directory);
    let waits = waits(target, both, compared);
    let stays = stays.told(target, both, compared.directory);
    if changed.is_empty() && waits.is_empty() && stays.is_empty() {
        return None;
    }
    let mut here = Affected::default();
    for one in &changed {
        if !one.change.gained.is_empty() {
            here.gaining.extend(&one.people);
        }
        if !one.change.lost.is_empty() {
            here.losing.extend(&one.people);
        }
    }
    let preview = TargetPreview {
        target: target.clone(),
        mode: both.new.spec().map(|spec| spec.mode),
        people_gaining: here.gaining.len(),
        people_losing: here.losing.len(),
        stays,
        items: items(&changed),
        principals: principals(changed),
        waits,
    };
    everywhere.gaining.append(&mut here.gaining);
    everywhere.losing.append(&mut here.losing);
    Some(preview)
}

/// Numbers of roles before and after, and whether their holder is shut out.
type Class<'s> = (&'s [usize], &'s [usize], bool);

/// Everybody for whom something changes, by name.
fn changed(
    both: &Both,
    stays: &Stays,
    views: Option<&BTreeMap<SqlName, Change>>,
    directory: &Directory,
) -> Vec<Changed> {
    let (old, new) = (Sheet::of(&both.old), Sheet::of(&both.new));
    let same = old.unchanged(&new);
    let mut members: Vec<SqlName> = old.members().chain(new.members()).collect();
    // Who reads a view by a group that is one principal has no name of their own in the graph.
    let readers = views.into_iter().flat_map(BTreeMap::keys).copied();
    members.extend(readers.filter(|name| !both.old.is_withheld(*name) && !both.new.is_withheld(*name)));
    // Three ordered runs: putting them together looks at each name once or twice.
    members.sort();
    members.dedup();
    // People with the same roles before and after change alike: few such pairs stand for many people.
    let mut classes: HashMap<Class<'_>, Arc<Change>> = HashMap::new();
    let mut changed = Vec::new();
    for member in members {
        let (before, after) = (old.roles(member), new.roles(member));
        let as_it_was = |number: &usize| same[*number].is_some_and(|number| after.contains(&number));
        let as_before = before.len() == after.len() && before.iter().all(as_it_was);
        let (stood, stands) = (old.direct(member), new.direct(member));
        let by_views = views.and_then(|views| views.get(&member));
        if as_before && stood == stands && by_views.is_none() {
            continue;
        }
        let shut_out = stays.is_shut_out(both, member);
        let between = || {
            let had = old.holding(both.old.graph(), before, stood);
            let mut has = new.holding(both.new.graph(), after, stands);
            stays.keep(&mut has, before, shut_out);
            Arc::new(Change::between(&had, &has))
        };
        let change = if stood.is_empty() && stands.is_empty() {
            classes.entry((before, after, shut_out)).or_insert_with(between).clone()
        } else {
            between()
        };
        let change = match by_views {
            None => change,
            Some(by_views) => Arc::new(change.and(by_views)),
        };
        if change.is_empty() {
            continue;
        }
        let (behind, people) = people(both, member, directory);
        changed.push(Changed { principal: member, change, behind, people });
    }
    net::by_people(changed, both, (&old, &new, stays), views, directory)
}

/// What stands behind a principal on either side, and which people. Several records of one person are one.
pub(super) fn people(both: &Both, principal: SqlName, directory: &Directory) -> (Behind, BTreeSet<UserId>) {
    let mut people = BTreeSet::new();
    let mut behind = Behind::Person;
    for side in [&both.new, &both.old] {
        let mut first = None;
        for claimant in side.claimants(principal) {
            match claimant {
                Claimant::User { id, .. } => first = first.min(Some(*id)).or(Some(*id)),
                Claimant::Group { id, .. } => {
                    behind = Behind::Group;
                    users_under(directory, *id, &mut people);
                }
                Claimant::Service { .. } => behind = Behind::Service,
            }
        }
        if people.is_empty() {
            people.extend(first);
        }
    }
    (behind, people)
}

/// Each thing with how many gain and lose it: the widest that is gained first, what is only lost last.
fn items(changed: &[Changed]) -> Vec<ItemPreview> {
    // One person is behind one principal only, unless whole groups are principals.
    let singly = changed.iter().all(|one| one.behind != Behind::Group);
    let mut items: BTreeMap<&Item, ItemPreview> = BTreeMap::new();
    let mut people: HashMap<(&Item, bool), BTreeSet<UserId>> = HashMap::new();
    for one in changed {
        let gained = one.change.gained.iter().map(|item| (item, true));
        let lost = one.change.lost.iter().map(|item| (item, false));
        for (item, gains) in gained.chain(lost) {
            let told = items.entry(item).or_insert_with(|| ItemPreview {
                item: item.clone(),
                gaining: 0,
                losing: 0,
                people_gaining: 0,
                people_losing: 0,
            });
            let (count, behind) = if gains {
                (&mut told.gaining, &mut told.people_gaining)
            } else {
                (&mut told.losing, &mut told.people_losing)
            };
            *count += 1;
            *behind += one.people.len();
            if !singly {
                people.entry((item, gains)).or_default().extend(&one.people);
            }
        }
    }
    for ((item, gains), people) in people {
        if let Some(told) = items.get_mut(item) {
            *(if gains { &mut told.people_gaining } else { &mut told.people_losing }) = people.len();
        }
    }
    let mut items: Vec<ItemPreview> = items.into_values().collect();
    items.sort_by_key(|i| (i.gaining == 0, i.item.breadth(), Reverse(i.gaining + i.losing)));
    items
}

fn principals(changed: Vec<Changed>) -> Vec<PrincipalPreview> {
    let told = changed.into_iter().map(|Changed { principal, change, behind, people }| PrincipalPreview {
        principal,
        behind,
        people: people.len(),
        gained: change.gained.iter().cloned().collect(),
        lost: change.lost.iter().cloned().collect(),
    });
    let mut principals: Vec<PrincipalPreview> = told.collect();
    principals
        .sort_by_key(|p| (Reverse(p.gained.len()), Reverse(p.lost.len()), Reverse(p.people), p.principal));
    principals
}
