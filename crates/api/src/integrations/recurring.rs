//! Looking at integrations from time to time: those in use, and work that nobody ended.

use std::sync::Arc;

use axon_model::Actor;
use axon_store::Act;
use axon_store::integrations::{Integration, IntegrationStatus};
use time::Duration;
use tokio::sync::watch;

use super::work::{Entry, Moment};
use super::{Integrations, life};
use crate::state::Api;

/// After this long work that is still called under way has lost whoever did it: a server that was stopped.
const LOST: Duration = Duration::minutes(15);
/// How often it is looked for that.
const SWEEP: std::time::Duration = std::time::Duration::from_mins(1);

impl Api {
    /// Looks at integrations until it is stopped.
    pub async fn keep_integrations(self, mut stopped: watch::Receiver<bool>) {
        let Some(settings) = self.integrations.clone() else { return };
        let mut since = tokio::time::Instant::now();
        loop {
            let wait = settings.look_every.min(SWEEP);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                ended = stopped.wait_for(|stopped| *stopped) => { drop(ended); return }
            }
            let due = since.elapsed() >= settings.look_every;
            if due {
                since = tokio::time::Instant::now();
            }
            let all = match self.store.integrations().await {
                Ok(all) => all,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "integrations cannot be read");
                    continue;
                }
            };
            for found in all {
                if found.status.is_busy() {
                    self.give_up_lost(&found).await;
                } else if due {
                    self.look_again(&settings, found).await;
                }
            }
        }
    }

    fn own_act(&self) -> Act {
        Act { actor: Actor::Axon, request: None, now: self.clock.now(), ids: self.ids.clone() }
    }

    async fn give_up_lost(&self, found: &Integration) {
        if self.clock.now() - found.changed < LOST {
            return;
        }
        let trouble = "the server that did this was stopped before it was done";
        let (status, body) = life::failed(found, trouble.to_owned());
        self.write(found, status, body).await;
    }

    async fn look_again(&self, settings: &Arc<Integrations>, found: Integration) {
        use IntegrationStatus as S;
        if !matches!(found.status, S::Enabled | S::RecurringValidationError) {
            return;
        }
        let (Some(kept), Ok(config)) = (found.body.login.as_ref(), life::config(&found.body)) else { return };
        let Ok(_turn) = settings.turns.acquire().await else { return };
        let seen = settings.bench.validate(&config, Entry::Kept(kept), Moment::Standing).await;
        let told = seen.told();
        let status = if told.is_some() { S::RecurringValidationError } else { S::Enabled };
        let value = seen.value();
        if status == found.status && value == found.body.validation {
            return;
        }
        let mut body = found.body.clone();
        body.validation = value;
        body.trouble = told;
        self.write(&found, status, body).await;
    }

    async fn write(
        &self,
        found: &Integration,
        status: IntegrationStatus,
        body: axon_store::integrations::IntegrationBody,
    ) {
        // Whoever changed it meanwhile knows better.
        let kept = self.store.change_integration(found.id, found.version, status, body, self.own_act()).await;
        if let Err(error) = kept {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "an integration's status cannot be kept"
            );
        }
    }
}
