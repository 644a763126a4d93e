//! A store as its rows: what `axon store copy` and `axon store check` work on.

use async_trait::async_trait;
use axon_store::StoreError;

use crate::database::Database;
use crate::session::{Session, Sql};
use crate::store::SqlStore;

/// The connections of an open store.
#[async_trait]
pub trait Raw: Send + Sync {
    /// A connection whose reads all see one state.
    async fn snapshot(&self) -> Result<Box<dyn Session>, StoreError>;

    /// Another connection that may write, and what begins its transaction.
    async fn writer(&self) -> Result<(Box<dyn Session>, Sql), StoreError>;
}

#[async_trait]
impl<D: Database> Raw for SqlStore<D> {
    async fn snapshot(&self) -> Result<Box<dyn Session>, StoreError> {
        self.database().snapshot().await
    }

    async fn writer(&self) -> Result<(Box<dyn Session>, Sql), StoreError> {
        Ok((self.database().writer().await?, self.database().terms().begin.clone()))
    }
}

/// How far a long work is: its step, and rows done of all.
pub type Progress<'p> = &'p mut (dyn FnMut(&str, u64, u64) + Send);
