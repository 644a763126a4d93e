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

    /// Whether somebody left who may still be in: made inactive, deleted, or shut out by a person. What cannot be told is no.
    pub(crate) async fn somebody_left(&mut self) -> bool {
        // Clocks tell it over restarts, and of whom a try did not shut out; what was said a moment ago they do not know yet.
        if self.clocks.lock().await.is_anybody_leaving() {
            return true;
        }
        if self.summary.settled == RecordSeq(0) {
            return false;
        }
        let leaves = |delta: &Delta| match delta {
            Delta::UserRemoved { .. } => true,
            Delta::UserPut { user } => !user.active,
            _ => false,
        };
        self.nobody_left_upto = self.nobody_left_upto.max(self.summary.settled);
        loop {
            match self.store.deltas_since(self.nobody_left_upto, 2_000).await {
                Ok(Since::Deltas { deltas, .. }) if deltas.iter().any(|(_, delta)| leaves(delta)) => {
                    return true;
                }
                Ok(Since::Deltas { upto, .. }) if upto > self.nobody_left_upto => {
                    self.nobody_left_upto = upto;
                }
                Ok(Since::Deltas { .. }) => return self.names_moved().await,
                Ok(Since::Reload) => return true,
                Err(_) => return false,
            }
        }
    }

    /// A number that another ticker does not have.
    pub(crate) fn chance(&self, now: OffsetDateTime) -> u64 {
        let id = self.ids.uuid(now);
        let bytes = id.as_bytes();
        u64::from(u16::from_be_bytes([bytes[14], bytes[15]]))
    }
}
