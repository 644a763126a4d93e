//! Sessions that outlived their user, which was dropped while they were open, and sessions of people who were shut out: no row of the
//! catalog tells of them.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::Retry;
use axon_reconcile::visitor::{Uninvited, uninvited};
use axon_store::StoreError;

use super::Ticker;
use crate::error::ControllerError;

impl Ticker {
    /// Reads whom this or another process gave something.
    pub(super) async fn load_remembered(&mut self) -> Result<(), StoreError> {
        if !self.remembered_loaded {
            self.remembered.extend(self.store.remembered_principals(self.name.as_str()).await?);
            self.remembered_loaded = true;
        }
        Ok(())
    }

    /// Whoever is wanted no more and is no principal may have lost the user since the last full look, or before it while still
    /// wanted: whether a session outlived it is asked at once, not at the next full look. True: it is to be asked.
    pub(super) fn heed_gone(&mut self, gone: &[SqlName]) -> bool {
        let Some(known) = &self.actual else { return false };
        let absent = |name: &&SqlName| !known.inspection.graph.principals.contains_key(*name);
        let suspected = !self.leaving.looked() && gone.iter().filter(absent).any(|name| self.met(*name));
        if suspected {
            self.leaving.suspect();
        }
        suspected
    }

    /// Whether this store ever gave something to the bearer of this name.
    fn met(&self, name: SqlName) -> bool {
        self.remembered.contains(&name) || self.unkept.contains(&name)
    }

    /// Asks who is in, and takes in whose session lives on without a user, and whose though they are shut out: a process may have died
    /// between DENY CONNECT and KILL while the store took no word of it. Of the first only those whom this store gave something are
    /// Axon's matter, of the second only whom it manages; and only those who are wanted no more lose their sessions. A target that does
    /// not answer ends the tick, which is tried again: nobody who left may be forgotten over it. One that refuses to tell is asked again
    /// after the next full look.
    pub(super) async fn look_for_lingering(&mut self) -> Result<(), ControllerError> {
        self.load_remembered().await?;
        let visitors = match self.target.visitors().await {
            Ok(found) => found,
            Err(error) if error.retry() != Retry::Never => return Err(error.into()),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "sessions without a user could not be looked for"
                );
                return Ok(());
            }
        };
        let Some(known) = &self.actual else { return Ok(()) };
        let Uninvited { unknown, shut_out } = uninvited(&known.inspection.graph, &visitors);
        let lingering: BTreeSet<SqlName> = unknown.into_iter().filter(|name| self.met(*name)).collect();
        if !lingering.is_empty() {
            tracing::warn!(
                people = lingering.len(),
                "sessions are open whose users are not in the target any more"
            );
        }
        self.leaving.linger(lingering, shut_out);
        Ok(())
    }
}
