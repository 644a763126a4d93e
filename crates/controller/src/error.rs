//! What ends a tick early.

use axon_audit::PayloadError;
use axon_reconcile::{Retry, TargetError};
use axon_store::StoreError;

/// Why a tick could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    /// The store did not answer.
    #[error("the store failed while a tick ran")]
    Store(#[from] StoreError),
    /// What gives cannot be recorded, so it is not done.
    #[error("the journal cannot be written, and nothing is given without its record")]
    Unrecorded(#[source] StoreError),
    /// The target did not answer, or refused.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A record cannot be made.
    #[error("a record of the journal cannot be made")]
    Record(#[from] PayloadError),
    /// The map in force does not name this target.
    #[error("the role map names no target {0}")]
    NoSuchTarget(String),
}

impl ControllerError {
    /// When a tick may be tried again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Store(error) | Self::Unrecorded(error) => error.retry(),
            Self::Target(error) => error.retry(),
            Self::Record(_) | Self::NoSuchTarget(_) => Retry::Never,
        }
    }
}
