//! What the loop says of the target's breaker, where people look.

use std::collections::BTreeSet;

use axon_model::{Delta, RecordSeq, SqlName, UserId};
use axon_store::{Since, StoreError};
use time::OffsetDateTime;

use super::Ticker;
use super::clock::names_of;
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

    /// Whether somebody left who may still be in: made inactive, deleted, or shut out by a person. Where the store does not answer, no.
    pub async fn somebody_left(&mut self) -> bool {
        // Clocks tell it over restarts, and of whom a try did not shut out; what was said a moment ago they do not know yet.
        if self.clocks.lock().await.is_anybody_leaving() {
            return true;
        }
        if self.summary.settled == RecordSeq(0) {
            return false;
        }
        let leaves = |delta: &Delta| match delta {
            Delta::UserRemoved { id } => Some(*id),
            Delta::UserPut { user } => Some(user.id).filter(|_| !user.active),
            _ => None,
        };
        self.nobody_left_upto = self.nobody_left_upto.max(self.summary.settled);
        loop {
            let (deltas, upto) = match self.store.deltas_since(self.nobody_left_upto, 2_000).await {
                Ok(Since::Deltas { deltas, upto }) => (deltas, upto),
                Ok(Since::Reload) => return true,
                Err(_) => return false,
            };
            let left: BTreeSet<UserId> = deltas.iter().filter_map(|(_, delta)| leaves(delta)).collect();
            if !left.is_empty() && self.may_be_in(&left).await.unwrap_or(true) {
                return true;
            }
            if upto <= self.nobody_left_upto {
                let (world, store) = (self.world.lock().await, self.store.as_ref());
                return world.answers_moved(self.names_seen, store).await.unwrap_or(true);
            }
            self.nobody_left_upto = upto;
        }
    }

    /// Takes in whom a look that counts no more had seen: nobody where none did. Who left is asked for anew by that.
    pub(super) fn see_no_more(&mut self, seen: Option<BTreeSet<SqlName>>) {
        self.seen_last = seen;
        self.nobody_left_upto = RecordSeq(0);
    }

    /// Whether one of these may be in the target: Axon gave them something, or their name was seen there. Whom somebody let in by hand
    /// since the last look, nobody here knows of before the next one: these wait for it. Where less is known than that, it may be anybody.
    async fn may_be_in(&self, left: &BTreeSet<UserId>) -> Result<bool, StoreError> {
        let Some(seen) = &self.seen_last else { return Ok(true) };
        // Where there is no door people are found by what they are, and not by what they are called.
        if !self.clocks.lock().await.has_door() {
            return Ok(true);
        }
        let (store, target) = (self.store.as_ref(), self.name.as_str());
        if !names_of(left, &store.principal_holders(target).await?).is_empty() {
            return Ok(true);
        }
        let remembered = store.remembered_principals(target).await?;
        let mut world = self.world.lock().await;
        world.follow(store, self.clock.now()).await?;
        let Some(mut called) = world.called(&self.name, left) else { return Ok(true) };
        Ok(called.any(|name| {
            let given = remembered.contains(&name) || self.unkept.contains(&name);
            given || seen.contains(&name) || self.leaving.is_leaving(name)
        }))
    }

    /// A number that another ticker does not have.
    pub(crate) fn chance(&self, now: OffsetDateTime) -> u64 {
        let id = self.ids.uuid(now);
        let bytes = id.as_bytes();
        u64::from(u16::from_be_bytes([bytes[14], bytes[15]]))
    }
}
