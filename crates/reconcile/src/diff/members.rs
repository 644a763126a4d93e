//! Memberships in managed roles, and of managed members in roles that the map names.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;

use super::Known;
use super::names::{Holder, Names};
use crate::finding::Finding;
use crate::graph::Membership;
use crate::scope::Sides;
use crate::step::Step;

pub(super) fn diff(sides: &Sides, names: &Names, known: &mut Known) {
    let Sides { desired, actual, scope } = sides;
    // Which roles are in which, to keep circles out.
    let mut upwards: BTreeMap<SqlName, BTreeSet<SqlName>> = BTreeMap::new();
    for (membership, wanted) in marked(&actual.members, &desired.members) {
        let Membership { role, member } = *membership;
        let goes = !wanted && names.manages_membership(*membership) && !known.dropped.contains(&member);
        if goes {
            known.need(Step::DropMember { role, member });
        } else if names.is_role(member) {
            upwards.entry(member).or_default().insert(role);
        }
        // Behind the DENY it opens nothing, but for a role whose members no DENY stops (`sysadmin`); and it would be there on the way back.
        if !goes && !wanted && known.leavers.contains(&member) && !known.dropped.contains(&member) {
            known.findings.insert(Finding::LeaverStaysIn { principal: member, role });
        }
        if scope.untouchable.contains(&member) && names.holder(role) == Holder::ManagedRole && !wanted {
            known.findings.insert(Finding::UntouchableMember { membership: *membership });
        }
    }
    for (membership, there) in marked(&desired.members, &actual.members) {
        // Who is made anew has lost all.
        if there && !known.dropped.contains(&membership.member) {
            continue;
        }
        if let Some(finding) = hindrance(names, known, *membership) {
            known.findings.extend(finding);
            continue;
        }
        let Membership { role, member } = *membership;
        if names.is_role(member) {
            if reaches(&upwards, role, member) {
                known.findings.insert(Finding::Circle { membership: *membership });
                continue;
            }
            upwards.entry(member).or_default().insert(role);
        }
        known.need(Step::AddMember { role, member });
    }
}

/// Each of one set in its order, and whether the other holds it too.
fn marked<'a>(
    these: &'a BTreeSet<Membership>,
    others: &'a BTreeSet<Membership>,
) -> impl Iterator<Item = (&'a Membership, bool)> {
    let mut others = others.iter().peekable();
    these.iter().map(move |membership| {
        while others.next_if(|other| *other < membership).is_some() {}
        (membership, others.next_if_eq(&membership).is_some())
    })
}

/// Why the membership is not made, with what is new about it for people; `Some(None)` where that is told already.
#[expect(clippy::option_option, reason = "not made and made differ from told and not told")]
fn hindrance(names: &Names, known: &Known, membership: Membership) -> Option<Option<Finding>> {
    let Membership { role, member } = membership;
    if known.frozen.contains(&role) || known.frozen.contains(&member) {
        return Some(None);
    }
    if !known.made.contains(&role) {
        return Some(Some(Finding::Missing { name: role, needed_for: member }));
    }
    if !known.made.contains(&member) {
        return Some(Some(Finding::Missing { name: member, needed_for: role }));
    }
    if known.roles_dropped.contains(&role) || known.roles_dropped.contains(&member) {
        return Some(Some(Finding::Missing { name: role, needed_for: member }));
    }
    let fixed_member = names.is_other_role(member);
    if fixed_member || !names.manages_membership(membership) {
        return Some(Some(Finding::OutOfScope { name: if fixed_member { member } else { role } }));
    }
    None
}

/// Whether going up from `from` leads to `to`.
fn reaches(upwards: &BTreeMap<SqlName, BTreeSet<SqlName>>, from: SqlName, to: SqlName) -> bool {
    let mut open = vec![from];
    let mut seen = BTreeSet::new();
    while let Some(next) = open.pop() {
        if next == to {
            return true;
        }
        if seen.insert(next) {
            open.extend(upwards.get(&next).into_iter().flatten().copied());
        }
    }
    false
}
