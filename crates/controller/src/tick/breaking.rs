//! What the loop says of the target's breaker, where people look.

use axon_model::{Delta, RecordSeq};
use axon_store::Since;
use time::OffsetDateTime;

use super::Ticker;
use crate::breaker::Breaking;
use crate::summary::Summary;

impl Ticker {
    /// Shows how the breaker stands, in the summary that `axon status` reads.
    pub(crate) async fn show_breaker(&mut self, breaking: Option<Breaking>, now: OffsetDateTime) -> Summary {
        if self.summary.breaker != breaking {
            self.summary.breaker = breaking;
            self.save(now).await;
        }
        self.summary.clone()
    }

    /// Whether somebody left since the last tick that left nothing to do at once: made inactive, deleted, or shut out by a person. What
    /// cannot be told is no.
    pub(crate) async fn somebody_left(&self) -> bool {
        if self.summary.settled == RecordSeq(0) {
            return false;
        }
        let leaves = |delta: &Delta| match delta {
            Delta::UserRemoved { .. } => true,
            Delta::UserPut { user } => !user.active,
            _ => false,
        };
        match self.store.deltas_since(self.summary.settled, 2_000).await {
            Ok(Since::Deltas { deltas, .. }) => {
                deltas.iter().any(|(_, delta)| leaves(delta)) || self.names_moved().await
            }
            Ok(Since::Reload) => true,
            Err(_) => false,
        }
    }

    /// A number that another ticker does not have.
    pub(crate) fn chance(&self, now: OffsetDateTime) -> u64 {
        let id = self.ids.uuid(now);
        let bytes = id.as_bytes();
        u64::from(u16::from_be_bytes([bytes[14], bytes[15]]))
    }
}
