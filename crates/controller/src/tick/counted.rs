//! What the budgets of removals count, and the history that they count on.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::admit::{Class, History, Past};
use axon_reconcile::{GrantState, Step};
use axon_store::{Removal, StoreError};
use time::OffsetDateTime;

use super::Ticker;
use super::holding::Released;
use crate::execute::KEPT;

/// Steps that guards let through for a reason of their own.
#[derive(Debug, Default)]
pub(super) struct Lifted {
    /// What persons released.
    pub released: Released,
    /// Memberships that a request gave and gives no more: role and member.
    pub ended: BTreeSet<(SqlName, SqlName)>,
    /// Who is shut out by a request.
    pub offboarded: BTreeSet<SqlName>,
}

impl Lifted {
    /// Whether a reason of this class does not count for this step.
    pub fn lifts(&self, step: &Step, class: Class) -> bool {
        self.released.lifts(step, class) || self.by_request(step, class)
    }

    /// A request's end, and an offboarding, wait for nobody.
    fn by_request(&self, step: &Step, class: Class) -> bool {
        let subject = step.subject();
        if !step.takes() || matches!(step, Step::DropPrincipal { .. } | Step::DropRole { .. }) {
            return false;
        }
        if self.offboarded.contains(&subject) {
            return true;
        }
        let ends =
            matches!(step, Step::DropMember { role, member } if self.ended.contains(&(*role, *member)));
        let whose = || self.ended.iter().any(|(_, member)| *member == subject);
        ends || (matches!(class, Class::Leavers | Class::HeldKind) && whose())
    }
}

/// What a step counts for: whether it shuts somebody out, and how much it takes.
pub(super) fn counted(step: &Step, leavers: &BTreeSet<SqlName>, lifted: &Lifted) -> Option<(bool, u64)> {
    let shut_out = leavers.contains(&step.subject());
    let (leaver, count) = match step {
        Step::DenyConnect { .. } if shut_out => (true, 1),
        Step::Revoke { was: GrantState::Deny, .. } => return None,
        Step::DropMember { .. } if !shut_out => (false, 1),
        Step::Revoke { columns, .. } | Step::Deny { columns, .. } if !shut_out => {
            (false, columns.len().max(1) as u64)
        }
        Step::Secure(step) if step.losers() > 0 && !shut_out => (false, step.losers()),
        _ => return None,
    };
    let class = if leaver { Class::Leavers } else { Class::Removals };
    (!lifted.lifts(step, class)).then_some((leaver, count))
}

impl Ticker {
    /// Reads the history that this or another process kept.
    pub(super) async fn load_history(&mut self) -> Result<(), StoreError> {
        if self.history_loaded {
            return Ok(());
        }
        let kept = self.store.removals(self.name.as_str()).await?;
        let mut history = History::default();
        for Removal { at, leaver, count, .. } in kept.iter().chain(&self.owed_notes.counted) {
            let past = Past { at: *at, count: *count };
            if *leaver { history.leavers.push(past) } else { history.removals.push(past) }
        }
        self.history = history;
        self.history_loaded = true;
        Ok(())
    }

    /// Takes what was done into the history.
    pub(super) fn count(&mut self, leaver: bool, count: u64, now: OffsetDateTime) {
        let past = Past { at: now, count };
        let history = if leaver { &mut self.history.leavers } else { &mut self.history.removals };
        history.retain(|past| now - past.at < KEPT);
        history.push(past);
    }
}
