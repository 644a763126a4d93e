//! How far a sink outside, such as Azure Monitor, has the journal.

use async_trait::async_trait;
use axon_model::RecordSeq;
use axon_reconcile::LeaseProof;
use time::OffsetDateTime;

use crate::error::StoreError;

/// Where a sink stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shipped {
    /// The sink has every record up to this one.
    pub position: RecordSeq,
    /// When it last took some.
    pub at: Option<OffsetDateTime>,
    /// What hinders it, and since when; none where the last attempt went well.
    pub trouble: Option<(String, OffsetDateTime)>,
}

/// Where sinks stand. Nothing of it is a record: the shipping of a journal would have no end.
#[async_trait]
pub trait ShippingStore: Send + Sync {
    /// Where a sink stands; at the beginning if nothing was sent.
    async fn shipped(&self, sink: &str) -> Result<Shipped, StoreError>;

    /// A sink has everything up to `position`, and no trouble. Never goes back. Under a lease that was lost: nothing is kept,
    /// and [`StoreError::LeaseLost`].
    async fn ship_to(
        &self,
        sink: &str,
        position: RecordSeq,
        at: OffsetDateTime,
        lease: &LeaseProof,
    ) -> Result<(), StoreError>;

    /// A sink did not take what was sent. Since when stays that of the first trouble of a row.
    async fn ship_failed(
        &self,
        sink: &str,
        trouble: &str,
        at: OffsetDateTime,
        lease: &LeaseProof,
    ) -> Result<(), StoreError>;
}
