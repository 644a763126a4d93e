//! Tokens that another process changed: what was believed of them is forgotten as soon as the database tells of it.

use tokio::sync::watch;

use crate::state::Api;

impl Api {
    /// Forgets what is known of tokens whenever the store tells of a change; runs until `stop` shows true. Where a store
    /// cannot tell, an entry's age is the bound.
    pub async fn forget_changed_tokens(self, mut stop: watch::Receiver<bool>) {
        let mut changes = self.store.token_changes();
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                told = changes.changed() => {
                    if told.is_err() {
                        return;
                    }
                    self.tokens.forget();
                }
            }
        }
    }
}
