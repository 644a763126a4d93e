//! Permissions of managed grantees.

use std::collections::{BTreeMap, HashSet};

use axon_model::SqlName;
use axon_model::name::NameSet;

use super::Known;
use super::names::Names;
use crate::finding::Finding;
use crate::graph::{Grant, GrantKey, GrantState, Graph};
use crate::permission::Permission;
use crate::scope::Sides;
use crate::shape::{ObjectName, Securable};
use crate::simulate::grantable;
use crate::step::Step;

/// What a statement about one key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verb {
    Revoke(GrantState),
    Grant,
    Deny,
}

/// Column statements that can be one: grantee, permission, object, verb.
type Columns = BTreeMap<(SqlName, Permission, ObjectName, Verb), Vec<SqlName>>;

/// Permissions of the grantee at hand on whole objects that get a statement, which clears their column rows.
type Touched = HashSet<(SqlName, Permission, ObjectName)>;

pub(super) fn diff(sides: &Sides, names: &Names, known: &mut Known) {
    let Sides { desired, actual, .. } = sides;
    let passed_on = passed_on(actual);
    let mut columns = Columns::new();
    let mut touched = Touched::new();
    let mut grantee: Option<(SqlName, bool)> = None;
    let mut in_scope = |name: SqlName| match grantee {
        Some((last, managed)) if last == name => managed,
        _ => {
            let managed = names.manages(name);
            grantee = Some((name, managed));
            managed
        }
    };
    let mut at_hand = None;
    // Keys are in order, things before their parts: objects are decided before their columns.
    for (key, there, wanted) in both(actual, desired) {
        if at_hand.replace(key.grantee) != Some(key.grantee) {
            touched.clear();
        }
        if !in_scope(key.grantee) {
            if let (None, Some(_)) = (there, wanted) {
                known.findings.insert(Finding::OutOfScope { name: key.grantee });
            }
            continue;
        }
        let rest = remaining(key, there, known, &touched);
        let verbs = verbs(names, known, &passed_on, key, rest.as_ref(), wanted);
        for verb in verbs.into_iter().flatten() {
            match key.securable {
                Securable::Column(object, column) => {
                    columns.entry((key.grantee, key.permission, object, verb)).or_default().push(column);
                }
                on => {
                    if let Securable::Object(object) = on {
                        touched.insert((key.grantee, key.permission, object));
                    }
                    known.need(step(key.grantee, key.permission, on, Vec::new(), verb));
                }
            }
        }
    }
    for ((grantee, permission, object, verb), columns) in columns {
        known.need(step(grantee, permission, Securable::Object(object), columns, verb));
    }
}

fn step(grantee: SqlName, permission: Permission, on: Securable, columns: Vec<SqlName>, verb: Verb) -> Step {
    match verb {
        Verb::Grant => Step::Grant { grantee, permission, on, columns },
        Verb::Deny => Step::Deny { grantee, permission, on, columns },
        Verb::Revoke(was) => Step::Revoke { grantee, permission, on, columns, was },
    }
}

/// Both maps side by side, in the order of keys; only keys that differ or may have to be made anew.
fn both<'a>(
    actual: &'a Graph,
    desired: &'a Graph,
) -> impl Iterator<Item = (&'a GrantKey, Option<&'a Grant>, Option<&'a Grant>)> {
    let mut left = actual.grants.iter().peekable();
    let mut right = desired.grants.iter().peekable();
    std::iter::from_fn(move || match (left.peek(), right.peek()) {
        (Some((a, _)), Some((b, _))) => match a.cmp(b) {
            std::cmp::Ordering::Less => left.next().map(|(key, row)| (key, Some(row), None)),
            std::cmp::Ordering::Greater => right.next().map(|(key, row)| (key, None, Some(row))),
            std::cmp::Ordering::Equal => {
                let wanted = right.next().map(|(_, row)| row);
                left.next().map(|(key, row)| (key, Some(row), wanted))
            }
        },
        (Some(_), None) => left.next().map(|(key, row)| (key, Some(row), None)),
        (None, _) => right.next().map(|(key, row)| (key, None, Some(row))),
    })
}

/// What is left of the row when the other steps are done: drops and statements on the whole object take rows with them.
fn remaining(key: &GrantKey, there: Option<&Grant>, known: &Known, touched: &Touched) -> Option<Grant> {
    let there = there?;
    let on_dropped = matches!(key.securable, Securable::Principal(name)
        if known.dropped.contains(&name) || known.roles_dropped.contains(&name));
    if known.dropped.contains(&key.grantee) || on_dropped {
        return None;
    }
    let mut rest = there.clone();
    if let Securable::Column(object, _) = key.securable
        && touched.contains(&(key.grantee, key.permission, object))
    {
        rest.own_row = false;
        if rest.foreign_grantors.is_empty() {
            return None;
        }
    }
    Some(rest)
}

/// Grantees whose grantable permissions others have from them.
fn passed_on(actual: &Graph) -> NameSet {
    actual.grants.values().flat_map(|row| row.foreign_grantors.iter().copied()).collect()
}

/// At most two statements, in this order.
fn verbs(
    names: &Names,
    known: &mut Known,
    passed_on: &NameSet,
    key: &GrantKey,
    there: Option<&Grant>,
    wanted: Option<&Grant>,
) -> [Option<Verb>; 2] {
    const NOTHING: [Option<Verb>; 2] = [None, None];
    let GrantKey { grantee, securable: on, permission } = *key;
    let state = there.map(|row| row.state);
    let whole = there.is_none_or(|row| !row.leaves_out) || wanted.is_some_and(|row| row.leaves_out);
    if known.roles_left.contains(&grantee) || (state.is_some() && state == wanted.map(|w| w.state) && whole) {
        return NOTHING;
    }
    let mut find = |finding: Finding| {
        known.findings.insert(finding);
        NOTHING
    };
    if let (Securable::Other(_), Some(row)) = (on, there) {
        // A DENY gives nothing to whoever is shut out, and what is on a dropped role goes with it.
        let over = row.state == GrantState::Deny && known.leavers.contains(&grantee);
        return if over || known.roles_dropped.contains(&grantee) {
            NOTHING
        } else {
            let Grant { state, foreign_grantors: grantors, .. } = row.clone();
            find(Finding::OtherClass { grantee, permission, on, state, grantors })
        };
    }
    if !grantable(permission, &on) {
        // A dropped role takes with it what this version cannot name.
        return if wanted.is_none() && (there.is_none() || known.roles_dropped.contains(&grantee)) {
            NOTHING
        } else {
            find(Finding::NotGrantable { grantee, permission, on })
        };
    }
    if let Some(wanted) = wanted {
        if wanted.state == GrantState::GrantWithOption && state != Some(GrantState::Grant) {
            return find(Finding::GrantOption { grantee, permission, on });
        }
        if known.frozen.contains(&grantee) {
            return NOTHING;
        }
        let missing = |name: &SqlName| !known.made.contains(name) || known.roles_dropped.contains(name);
        if missing(&grantee) {
            return find(Finding::Missing { name: grantee, needed_for: grantee });
        }
        if let Securable::Principal(name) = on
            && (missing(&name) || known.frozen.contains(&name) && !names.is_role(name))
        {
            return find(Finding::Missing { name, needed_for: grantee });
        }
        if permission == Permission::Execute && on == Securable::Database && wanted.state == GrantState::Deny
        {
            return find(Finding::NotGrantable { grantee, permission, on });
        }
    }
    let Some(row) = there else {
        return [wanted.map(|w| if w.state == GrantState::Deny { Verb::Deny } else { Verb::Grant }), None];
    };
    let cascades = row.own_row && row.state == GrantState::GrantWithOption;
    let wanted = wanted.map(|w| w.state);
    if cascades && passed_on.contains(&grantee) && wanted != Some(GrantState::GrantWithOption) {
        return find(Finding::PassedOn { grantee, permission, on });
    }
    let foreign = !row.foreign_grantors.is_empty();
    match (row.state, wanted) {
        // Said again of the whole object, it holds for the columns that somebody took out, too.
        (GrantState::Deny, Some(GrantState::Deny)) => [Some(Verb::Deny), None],
        (state, Some(wanted)) if state == wanted => [Some(Verb::Grant), None],
        // A shut out principal keeps what it is denied: a DENY gives nothing.
        (GrantState::Deny, None) if known.leavers.contains(&grantee) => NOTHING,
        (state, None) => {
            if foreign && !known.roles_dropped.contains(&grantee) {
                let grantors = row.foreign_grantors.clone();
                find(Finding::ForeignGrant { grantee, permission, on, state, grantors });
            }
            // Which of the rows denies is not known, so a DENY of several grantors is not touched.
            let reachable = row.own_row && !(foreign && state == GrantState::Deny);
            [reachable.then_some(Verb::Revoke(state)), None]
        }
        (GrantState::Deny, Some(_)) if foreign => {
            let grantors = row.foreign_grantors.clone();
            find(Finding::ForeignGrant { grantee, permission, on, state: row.state, grantors })
        }
        (GrantState::Deny, Some(_)) => [Some(Verb::Grant), None],
        (GrantState::Grant, Some(GrantState::Deny)) => [Some(Verb::Deny), None],
        (GrantState::GrantWithOption, Some(GrantState::Deny)) => {
            [row.own_row.then_some(Verb::Revoke(row.state)), Some(Verb::Deny)]
        }
        (GrantState::GrantWithOption, Some(_)) if foreign => {
            let grantors = row.foreign_grantors.clone();
            find(Finding::ForeignGrant { grantee, permission, on, state: row.state, grantors })
        }
        (GrantState::GrantWithOption, Some(_)) => [Some(Verb::Revoke(row.state)), Some(Verb::Grant)],
        (GrantState::Grant, Some(_)) => find(Finding::GrantOption { grantee, permission, on }),
    }
}
