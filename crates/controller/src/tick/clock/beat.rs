//! The clocks go on while a tick waits for its target: nobody who leaves then is unseen, and what is shown moves.

use std::sync::Arc;
use std::time::Duration;

use axon_model::{Clock, IdSource, RecordSeq};
use axon_store::{Store, StoreError};
use time::OffsetDateTime;
use tokio::sync::{Mutex, watch};

use super::super::Ticker;
use super::Clocks;
use crate::world::World;

/// How often.
const EVERY: Duration = Duration::from_secs(1);
/// So long after the last look at the journal it is looked at again, where this process wrote something.
const NEWS: time::Duration = time::Duration::seconds(2);
/// The same where nobody here did: other processes' commits wake nobody.
const LOOK: time::Duration = time::Duration::seconds(10);
/// For so many beats the tick that runs may find out itself whose principals they are who left.
const PATIENCE: u32 = 2;

/// What beats beside the ticks on one target.
pub(crate) struct Beat {
    clocks: Arc<Mutex<Clocks>>,
    target: String,
    store: Arc<dyn Store>,
    world: Arc<Mutex<World>>,
    clock: Arc<dyn Clock>,
    ids: Arc<IdSource>,
}

impl Ticker {
    /// What beats beside the ticks.
    pub(crate) fn beat(&self) -> Beat {
        Beat {
            clocks: self.clocks.clone(),
            target: self.name.to_string(),
            store: self.store.clone(),
            world: self.world.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
        }
    }
}

impl Clocks {
    /// Finds the principals of those who left by what the store keeps, where no decision does.
    pub async fn resolve_by(
        &mut self,
        target: &str,
        store: &dyn Store,
        world: &Mutex<World>,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        if self.is_to_resolve() {
            let holders = store.principal_holders(target).await?;
            let mut world = world.lock().await;
            world.follow(store, now).await?;
            self.resolve(&holders, |id| world.standing(id));
        }
        Ok(())
    }
}

impl Beat {
    /// Beats until it is dropped.
    pub async fn run(self) {
        let mut moved = self.store.subscribe();
        let (mut waited, mut troubled) = (0, false);
        loop {
            tokio::time::sleep(EVERY).await;
            match self.once(&mut moved, &mut waited).await {
                Ok(()) => troubled = false,
                Err(error) => {
                    if !std::mem::replace(&mut troubled, true) {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "who left could not be read"
                        );
                    }
                }
            }
        }
    }

    async fn once(&self, moved: &mut watch::Receiver<RecordSeq>, waited: &mut u32) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut clocks = self.clocks.lock().await;
        let news = moved.has_changed().unwrap_or(false) && clocks.is_stale(now, NEWS);
        let looked = if news || clocks.is_stale(now, LOOK) {
            moved.borrow_and_update();
            if clocks.may_be_old() {
                clocks.forget();
            }
            clocks.follow(self.store.as_ref(), now).await
        } else {
            Ok(())
        };
        *waited = if clocks.is_to_resolve() { *waited + 1 } else { 0 };
        if looked.is_ok() && *waited > PATIENCE {
            clocks.resolve_by(&self.target, self.store.as_ref(), &self.world, now).await?;
        }
        if looked.is_ok() && (*waited > PATIENCE || clocks.owes()) {
            clocks.keep(self.store.as_ref(), &self.ids, now).await;
        }
        clocks.show(now);
        looked
    }
}
