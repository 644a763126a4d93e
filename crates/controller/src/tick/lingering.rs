//! Sessions that outlived their user: somebody dropped it by hand while they were open, and no row of the catalog tells of them.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_store::StoreError;

use super::Ticker;

impl Ticker {
    /// Reads whom this or another process gave something.
    pub(super) async fn load_remembered(&mut self) -> Result<(), StoreError> {
        if !self.remembered_loaded {
            self.remembered.extend(self.store.remembered_principals(self.name.as_str()).await?);
            self.remembered_loaded = true;
        }
        Ok(())
    }

    /// Asks, after a full look, whose sessions live on without a user. Only those whom this store gave something are Axon's matter;
    /// of these, only those who are wanted no more lose their sessions. What cannot be told now is told by the next look.
    pub(super) async fn look_for_lingering(&mut self) -> Result<(), StoreError> {
        self.load_remembered().await?;
        let found = match self.target.lingering().await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "sessions without a user could not be looked for"
                );
                return Ok(());
            }
        };
        let ours = |name: &SqlName| self.remembered.contains(name) || self.unkept.contains(name);
        let lingering: BTreeSet<SqlName> = found.into_iter().filter(ours).collect();
        if !lingering.is_empty() {
            tracing::warn!(
                people = lingering.len(),
                "sessions are open whose users are not in the target any more"
            );
        }
        self.leaving.linger(lingering);
        Ok(())
    }
}
