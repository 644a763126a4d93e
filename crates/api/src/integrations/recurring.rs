//! Looking at integrations from time to time: those in use, and work that nobody ended.

use std::collections::BTreeSet;
use std::sync::Arc;

use axon_model::Actor;
use axon_store::Act;
use axon_store::integrations::{Integration, IntegrationStatus};
use tokio::sync::watch;

use super::work::{Entry, Moment};
use super::{Integrations, life};
use crate::state::Api;

/// How often it is looked for work whose lease nobody holds any more: the server that did it was stopped.
const SWEEP: std::time::Duration = std::time::Duration::from_secs(10);

impl Api {
    /// Looks at integrations until it is stopped.
    pub async fn keep_integrations(self, mut stopped: watch::Receiver<bool>) {
        let Some(settings) = self.integrations.clone() else { return };
        let mut since = tokio::time::Instant::now();
        let mut asked = BTreeSet::new();
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
                } else if due || (found.body.entered_as.is_none() && asked.insert(found.id)) {
                    // Of one that an older version made nobody has said yet as whom Axon enters.
                    self.look_again(&settings, found).await;
                }
            }
        }
    }

    fn own_act(&self) -> Act {
        Act { actor: Actor::Axon, request: None, now: self.clock.now(), ids: self.ids.clone() }
    }

    async fn give_up_lost(&self, found: &Integration) {
        let now = self.clock.now();
        // Between the change of the row and the lease there is a moment.
        if now - found.changed < life::LEASE {
            return;
        }
        match self.store.lease(&life::lease(found.id)).await {
            Ok(held) if held.as_ref().is_none_or(|held| held.until <= now) => {
                let (status, body) = life::failed(found, life::lost(found));
                tracing::warn!(integration.id = found.id, %status, "work that a stopped server did is given up");
                self.write(found, status, body).await;
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "leases of integrations cannot be read"
                );
            }
        }
    }

    async fn look_again(&self, settings: &Arc<Integrations>, found: Integration) {
        use IntegrationStatus as S;
        if !life::is_looked_at(found.status) {
            return;
        }
        let (Some(kept), Ok(config)) = (found.body.login.as_ref(), life::config(&found.body)) else { return };
        let Ok(_turn) = settings.turns.acquire().await else { return };
        let seen = settings.bench.validate(&config, Entry::Kept(kept), Moment::Standing).await;
        let told = seen.told();
        let mut body = found.body.clone();
        body.validation = seen.value();
        let status = match (found.status.is_failed(), told.is_some()) {
            // Work that failed goes on being told, with its reason: only other work ends that.
            (true, _) => found.status,
            (false, true) => S::RecurringValidationError,
            (false, false) => S::Enabled,
        };
        if !found.status.is_failed() {
            body.trouble = told;
        }
        // A pool that cannot be reached says nothing of whose account it is.
        match seen.ended(life::OWN_ACCOUNT) {
            Some("failed") => body.entered_as = None,
            Some(_) => body.entered_as = Some(config.account),
            None => {}
        }
        if status == found.status && body == found.body {
            return;
        }
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
