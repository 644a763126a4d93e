//! What the role map made in a place that is a target no more: what goes when the place is taken down, what stays and why, and the
//! records of it.
//!
//! It is what the reconciler would take away if no role of the map asked for it any more. Roles and users go only if the journal says that
//! Axon made them: one that was there before, and that the map spoke of, is somebody else's. Nothing goes that keeps somebody out.

mod created;
mod leases;
mod removal;
#[cfg(test)]
mod tests;
mod whose;

use std::ops::Range;

use axon_audit::PayloadError;
use axon_reconcile::{Membership, Step};
use axon_store::{Store, StoreError};

use crate::made::{Made, Rows, unmakes};
use created::{Created, created};
pub use leases::Leases;
pub use removal::{Removal, SWEEP};
use whose::Finding;
pub use whose::Looked;

/// Names tell all of a pool.
fn names_tell_all(_: Membership) -> Option<String> {
    None
}

/// What the role map made in a place, and is there still.
#[derive(Debug, Default)]
pub struct Left {
    /// The targets that the place was, newest first.
    targets: Vec<String>,
    /// What takes it away, in order.
    pub steps: Vec<Step>,
    /// What stays, and why; for people.
    pub stays: Vec<String>,
    /// Whether something stays only since not all was seen.
    pub is_unread: bool,
    /// Marks of what goes by each step.
    unmakes: Vec<Vec<i64>>,
}

/// In which wave a step goes: who is in what, and holds what; then roles; then users. None begins before the one before it is done and
/// looked at, so that nobody loses what keeps them out, or what says whose they are, while something before it stays.
fn wave(step: &Step) -> u8 {
    match step {
        Step::DropMember { .. } | Step::Revoke { .. } => 0,
        Step::DropPrincipal { .. } => 2,
        _ => 1,
    }
}

/// Why it could not be written down.
#[derive(Debug, thiserror::Error)]
pub enum LeftError {
    /// The store did not answer.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// A record cannot be made.
    #[error("a record of the journal cannot be made")]
    Record(#[from] PayloadError),
    /// The reconciler, or another delete, is at work there.
    #[error("a run on target {0} is not over: try again in some minutes")]
    Busy(String),
}

impl Left {
    /// What is left in a place that was these targets, newest first.
    pub async fn of(
        store: &dyn Store,
        targets: Vec<String>,
        looked: &Looked<'_>,
    ) -> Result<Self, StoreError> {
        let mut made = Vec::with_capacity(targets.len());
        for target in &targets {
            let mut of = Made::default();
            of.load(store, target).await?;
            made.push(of);
        }
        let mut found = Finding { looked, made, created: Created::new() };
        if found.asks_the_journal() {
            found.created = created(store, &targets).await?;
        }
        let (steps, stays, is_unread) = found.all();
        let rows: &Rows<'_> = &names_tell_all;
        let unmakes = steps.iter().map(|step| unmakes(step, looked.graph, rows)).collect();
        Ok(Self { targets, steps, stays, is_unread, unmakes })
    }

    /// What stays of a place of which nobody knows as which target its things were made.
    pub fn untold(place: String, stays: Vec<String>) -> Self {
        Self { targets: vec![place], stays, ..Self::default() }
    }

    /// The targets that the place was.
    pub fn targets(&self) -> &[String] {
        &self.targets
    }

    /// The steps in waves, by their places.
    pub fn waves(&self) -> Vec<Range<usize>> {
        let mut waves = Vec::new();
        let mut from = 0;
        for some in self.steps.chunk_by(|one, next| wave(one) == wave(next)) {
            waves.push(from..from + some.len());
            from += some.len();
        }
        waves
    }

    /// Whether people hold something as long as this step is not done.
    pub fn gives_while_it_stays(step: &Step) -> bool {
        wave(step) == 0
    }
}
