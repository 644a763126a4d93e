//! Keeps what the ledgers say: in the store now and then, so that it outlives the process and adds up over processes, and in the
//! metrics whenever they are asked for.

use std::time::Duration;

use axon_model::{HealthOf, SourceHealth};
use tokio::sync::watch;

use crate::state::Api;

/// How often news is stored.
const EVERY: Duration = Duration::from_secs(10);

impl Api {
    /// Stores the ledgers' news until `stop` says so. What is counted after that waits for [`Self::store_ledgers`].
    pub async fn keep_ledgers(self, mut stop: watch::Receiver<bool>) {
        loop {
            self.store_ledgers().await;
            if tokio::time::timeout(EVERY, stop.wait_for(|stop| *stop)).await.is_ok() {
                break;
            }
        }
    }

    /// Stores the ledgers' news, and takes up what other processes stored.
    pub async fn store_ledgers(&self) {
        let now = self.clock.now();
        let news: Vec<HealthOf> = self
            .care
            .all()
            .filter_map(|cared| Some((cared.source.clone(), cared.ledger.take_news()?)))
            .collect();
        if !news.is_empty()
            && let Err(error) = self.store.add_health(news.clone(), now).await
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the sources' health is not stored; it is tried again"
            );
            for (source, _) in &news {
                if let Some(cared) = self.care.of(source) {
                    cared.ledger.put_back(now);
                }
            }
            return;
        }
        match self.store.health().await {
            Ok(all) => {
                let mut all: std::collections::BTreeMap<_, SourceHealth> = all.into_iter().collect();
                for cared in self.care.all() {
                    cared.ledger.set_stored(all.remove(&cared.source).unwrap_or_default(), now);
                }
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the sources' health is not read");
                for (source, _) in &news {
                    if let Some(cared) = self.care.of(source) {
                        cared.ledger.add_stored(now);
                    }
                }
            }
        }
    }

    /// Sets the metrics of all sources.
    pub fn show_ledgers(&self) {
        let now = self.clock.now();
        for cared in self.care.all() {
            let health = cared.ledger.health();
            let counts = health.counts(now);
            let source = || cared.source.to_string();
            let went_well = counts.calls.saturating_sub(counts.failed + counts.reference_failed);
            for (outcome, count) in
                [("ok", went_well), ("failed", counts.failed), ("reference", counts.reference_failed)]
            {
                metrics::gauge!("axon_source_window_calls", "source" => source(), "outcome" => outcome)
                    .set(precise(count));
            }
            let is_good = !health.state(now).is_bad();
            metrics::gauge!("axon_source_healthy_bool", "source" => source())
                .set(f64::from(u8::from(is_good)));
            if let Some(last) = health.last_push {
                let seconds = u64::try_from(last.unix_timestamp()).unwrap_or(0);
                metrics::gauge!("axon_source_last_push_timestamp_seconds", "source" => source())
                    .set(precise(seconds));
            }
        }
    }
}

/// Counts stay far below where a float leaves numbers out.
fn precise(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}
