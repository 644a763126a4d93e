//! Principals that stand for somebody else: a person was released under a name that another one had, and the target may still
//! hold that one's principal. It is dropped and made anew, and nobody is given anything by it before.
//!
//! Nothing in the catalog tells it where object ids are not known, and a target may sleep from before the change until after
//! the release. So what was looked after is kept in the store, by the hold that was released.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::{HoldId, SqlName};
use axon_reconcile::{Graph, Plan, Planned, Step};
use axon_store::{Store, StoreError};
use time::OffsetDateTime;

/// What was looked after in one target.
#[derive(Debug, Default)]
pub(super) struct Renewed {
    done: BTreeSet<HoldId>,
    loaded: bool,
    moved: bool,
}

/// Under which name the store keeps it: no target can be called so.
fn key(target: &str) -> String {
    format!("{target}#renewed")
}

impl Renewed {
    /// Somebody else may have written since.
    pub(super) fn forget(&mut self) {
        self.loaded = false;
    }

    /// Reads what this or another process looked after.
    pub(super) async fn load(&mut self, store: &dyn Store, target: &str) -> Result<(), StoreError> {
        if self.loaded {
            return Ok(());
        }
        let kept = store.summary(&key(target)).await?;
        let kept = kept.as_ref().and_then(|(value, _)| value.as_array()).into_iter().flatten();
        self.done.extend(kept.filter_map(|id| id.as_str()?.parse::<HoldId>().ok()));
        self.loaded = true;
        Ok(())
    }

    /// Takes out of the desired side whoever would inherit another one's principal, and gives their names.
    pub(super) fn leave_out(
        &mut self,
        released: &BTreeMap<HoldId, SqlName>,
        desired: &mut Graph,
        actual: &Graph,
    ) -> BTreeSet<SqlName> {
        let mut stale = BTreeSet::new();
        for (hold, name) in released {
            if self.done.contains(hold) {
                continue;
            }
            let there = actual.principals.get(name);
            let wanted = desired.principals.get(name).and_then(|p| p.sid.as_ref());
            // An object id that is known and right says that it was made for this very person.
            let theirs = there.is_none_or(|p| p.sid.is_some() && p.sid.as_ref() == wanted);
            if theirs {
                self.moved |= self.done.insert(*hold);
            } else {
                stale.insert(*name);
            }
        }
        desired.principals.retain(|name, _| !stale.contains(name));
        desired.members.retain(|m| !stale.contains(&m.member));
        desired.grants.retain(|grant, _| !stale.contains(&grant.grantee));
        stale
    }

    /// Puts the dropping of these behind the plan, which shuts them out and strips them.
    pub(super) fn put_into(plan: &mut Plan, stale: &BTreeSet<SqlName>) {
        for name in stale {
            let planned = |step: &Step| plan.steps.iter().any(|p| p.step == *step);
            let kill = Step::KillSessions { principal: *name };
            let drop = Step::DropPrincipal { name: *name };
            let missing: Vec<Step> = [kill, drop].into_iter().filter(|step| !planned(step)).collect();
            plan.steps.extend(missing.into_iter().map(Planned::from));
        }
    }

    /// Keeps what was looked after. Where the store fails it is looked after once more: somebody who was made anew already is
    /// made anew again, which costs a moment and gives nobody anything.
    pub(super) async fn keep(&mut self, store: &dyn Store, target: &str, now: OffsetDateTime) {
        if !self.moved {
            return;
        }
        let ids: Vec<String> = self.done.iter().map(ToString::to_string).collect();
        match store.save_summary(&key(target), ids.into(), now).await {
            Ok(()) => self.moved = false,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "whose principals were made anew could not be kept"
                );
            }
        }
    }
}
