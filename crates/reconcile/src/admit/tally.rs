//! What budgets are percentages of: how much is held in scope, and how many may enter. Kept name by name, so that a plan about
//! a few need not count all.

use axon_model::SqlName;
use axon_model::name::NameMap;

use crate::diff::names::{Holder, Names};
use crate::graph::Connect;
use crate::scope::Sides;

/// What budgets are percentages of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Memberships and permissions in scope.
    pub possessions: u64,
    /// Managed principals that may enter.
    pub entrants: u64,
}

/// The same, with the share of each name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    shares: NameMap<Totals>,
    totals: Totals,
}

impl Tally {
    /// Counts all of the actual side.
    pub fn of(sides: &Sides) -> Self {
        let shares = shares(sides, |_| true);
        let mut totals = Totals::default();
        for share in shares.values() {
            totals.possessions += share.possessions;
            totals.entrants += share.entrants;
        }
        Self { shares, totals }
    }

    /// Counts these names anew. A part of the sides is enough that holds all that is theirs.
    pub fn recount(
        &mut self,
        part: &Sides,
        concerns: impl Fn(SqlName) -> bool,
        names: impl Iterator<Item = SqlName>,
    ) {
        let mut now = shares(part, concerns);
        for name in names {
            let share = now.remove(&name).unwrap_or_default();
            let before = if share == Totals::default() {
                self.shares.remove(&name)
            } else {
                self.shares.insert(name, share)
            };
            let before = before.unwrap_or_default();
            self.totals.possessions = self.totals.possessions + share.possessions - before.possessions;
            self.totals.entrants = self.totals.entrants + share.entrants - before.entrants;
        }
    }

    /// The sums.
    pub fn totals(&self) -> Totals {
        self.totals
    }
}

fn shares(sides: &Sides, concerns: impl Fn(SqlName) -> bool) -> NameMap<Totals> {
    let names = Names::new(sides);
    let actual = &sides.actual;
    let mut shares = NameMap::<Totals>::default();
    for membership in actual.members.iter().filter(|m| concerns(m.member)) {
        if names.manages_membership(*membership) {
            shares.entry(membership.member).or_default().possessions += 1;
        }
    }
    let mut last: Option<(SqlName, bool)> = None;
    for key in actual.grants.keys().filter(|key| concerns(key.grantee)) {
        let managed = match last {
            Some((name, managed)) if name == key.grantee => managed,
            _ => names.manages(key.grantee),
        };
        last = Some((key.grantee, managed));
        if managed {
            shares.entry(key.grantee).or_default().possessions += 1;
        }
    }
    for (name, principal) in actual.principals.iter().filter(|(name, _)| concerns(**name)) {
        if principal.connect != Connect::Denied && names.holder(*name) == Holder::ManagedPrincipal {
            shares.entry(*name).or_default().entrants += 1;
        }
    }
    shares
}
