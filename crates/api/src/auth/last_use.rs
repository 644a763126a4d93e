//! When a token was used last: kept in memory by requests, written now and then.

use std::time::Duration;

use tokio::sync::watch;

use crate::state::Api;

/// How often it is written.
const EVERY: Duration = Duration::from_mins(1);

impl Api {
    /// Writes the last uses of tokens, once a minute and at the end; runs until `stop` shows true.
    pub async fn keep_last_uses(self, mut stop: watch::Receiver<bool>) {
        loop {
            let ended = tokio::time::timeout(EVERY, stop.wait_for(|stop| *stop)).await.is_ok();
            self.write_last_uses().await;
            if ended {
                return;
            }
        }
    }

    /// Writes what was noted since the last time. What cannot be written is lost: it is news of no consequence.
    pub async fn write_last_uses(&self) {
        let used = self.tokens.take_used();
        if used.is_empty() {
            return;
        }
        if let Err(error) = self.store.touch_tokens(used).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the last uses of tokens were not written"
            );
        }
    }
}
