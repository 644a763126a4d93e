//! What goes wrong in a store.

use std::time::Duration;

use axon_reconcile::Retry;
use axon_scim::ScimError;

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database did not answer as it should: locked, full, broken, gone.
    #[error("the store could not {attempt}")]
    Unavailable {
        /// What was attempted.
        attempt: &'static str,
        /// What the database said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The queue of writes is full.
    #[error("the store has too many writes waiting")]
    Busy,
    /// Stored data makes no sense to this version.
    #[error("the store holds a bad value in {table}.{column}, row {row}: {reason}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's key.
        row: String,
        /// What is wrong.
        reason: String,
    },
    /// A later version of Axon wrote this store.
    #[error(
        "{file} was written by a later version of Axon (schema {found}, this one knows {known}); run that version"
    )]
    NewerSchema {
        /// The file or address.
        file: String,
        /// The version found.
        found: i64,
        /// The highest version known.
        known: i64,
    },
    /// The file is not a store.
    #[error("{file} is not an Axon store: {reason}")]
    NotAStore {
        /// The file or address.
        file: String,
        /// What it seems to be.
        reason: String,
    },
    /// The database cannot be reached, or does not let us in.
    #[error("cannot open the store at {store}: {remedy}")]
    Unopened {
        /// The file or address, without its password.
        store: String,
        /// What is wrong, and what to do.
        remedy: &'static str,
        /// What the database said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The address cannot be understood.
    #[error("store: {address:?} is not an address of a store: {reason}")]
    Address {
        /// As configured.
        address: String,
        /// What is wrong, and what to write.
        reason: String,
    },
    /// A record cannot be sealed.
    #[error("a record cannot be sealed")]
    Seal(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The lease that a write was made under is not held any more.
    #[error("the lease {0} is no longer held")]
    LeaseLost(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// The database did not answer as it should.
    pub fn unavailable(
        attempt: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Unavailable { attempt, source: source.into() }
    }

    /// When the same call may be tried again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Busy => Retry::After(Duration::from_millis(100)),
            Self::Unavailable { .. } | Self::Unopened { .. } => Retry::After(Duration::from_secs(1)),
            Self::Corrupt { .. }
            | Self::NewerSchema { .. }
            | Self::NotAStore { .. }
            | Self::Address { .. }
            | Self::Seal(_)
            | Self::LeaseLost(_)
            | Self::Closed => Retry::Never,
        }
    }
}

/// Why a SCIM write changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The request is refused: the client is told why.
    #[error(transparent)]
    Scim(#[from] ScimError),
    /// The store could not: the client may try again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WriteError {
    /// When the same call may be tried again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Scim(_) => Retry::Never,
            Self::Store(error) => error.retry(),
        }
    }

    /// What a SCIM client is told. Nothing of the inside is said.
    pub fn to_scim(&self) -> ScimError {
        match self {
            Self::Scim(error) => error.clone(),
            Self::Store(StoreError::Busy) => ScimError::unavailable("too many writes are waiting; try again"),
            Self::Store(
                StoreError::Unavailable { .. }
                | StoreError::Unopened { .. }
                | StoreError::Closed
                | StoreError::LeaseLost(_),
            ) => ScimError::unavailable("the directory cannot be written now; try again"),
            Self::Store(
                StoreError::Corrupt { .. }
                | StoreError::NewerSchema { .. }
                | StoreError::NotAStore { .. }
                | StoreError::Address { .. }
                | StoreError::Seal(_),
            ) => ScimError::internal("the directory holds something that this server cannot read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_is_503_and_says_nothing_of_the_inside() {
        let error = WriteError::from(StoreError::Busy);
        assert_eq!(error.to_scim().status, 503);
        assert_eq!(error.retry(), Retry::After(Duration::from_millis(100)));
        let inside = WriteError::from(StoreError::unavailable("commit", "disk I/O error at 0x1234"));
        assert!(!inside.to_scim().detail.contains("disk"));
    }
}
