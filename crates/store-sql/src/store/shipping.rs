//! The trait of sinks, over the writer and the readers.

use async_trait::async_trait;
use axon_model::RecordSeq;
use axon_reconcile::LeaseProof;
use axon_store::{Shipped, ShippingStore, StoreError};
use time::OffsetDateTime;

use super::SqlStore;
use crate::database::Database;
use crate::shipping;

#[async_trait]
impl<D: Database> ShippingStore for SqlStore<D> {
    async fn shipped(&self, sink: &str) -> Result<Shipped, StoreError> {
        shipping::read(&mut *self.reader().await?, sink).await
    }

    async fn ship_to(
        &self,
        sink: &str,
        position: RecordSeq,
        at: OffsetDateTime,
        lease: &LeaseProof,
    ) -> Result<(), StoreError> {
        let (sink, lease) = (sink.to_owned(), lease.clone());
        self.write(move |txn| {
            Box::pin(async move { shipping::forward(txn, &sink, position, at, &lease).await })
        })
        .await
    }

    async fn ship_failed(
        &self,
        sink: &str,
        trouble: &str,
        at: OffsetDateTime,
        lease: &LeaseProof,
    ) -> Result<(), StoreError> {
        let (sink, trouble, lease) = (sink.to_owned(), trouble.to_owned(), lease.clone());
        self.write(move |txn| {
            Box::pin(async move { shipping::failed(txn, &sink, &trouble, at, &lease).await })
        })
        .await
    }
}
