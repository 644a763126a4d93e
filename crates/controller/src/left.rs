//! What the role map made in a place that is a target no more: what goes when the place is taken down, what stays and why, and the
//! records of it.
//!
//! It is what the reconciler would take away if no role of the map asked for it any more. Roles and users go only if the journal says that
//! Axon made them: one that was there before, and that the map spoke of, is somebody else's. Nothing goes that keeps somebody out.

mod created;
mod removal;
mod whose;

use axon_audit::PayloadError;
use axon_reconcile::{Membership, Step};
use axon_store::{Store, StoreError};

use crate::made::{Made, Rows, unmakes};
use created::{Created, created};
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
    /// Marks of what goes by each step.
    unmakes: Vec<Vec<i64>>,
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
        let (steps, stays) = found.all();
        let rows: &Rows<'_> = &names_tell_all;
        let unmakes = steps.iter().map(|step| unmakes(step, looked.graph, rows)).collect();
        Ok(Self { targets, steps, stays, unmakes })
    }
}
