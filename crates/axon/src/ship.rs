//! The journal's way to Azure Monitor.
//!
//! ```text
//!  store: journal ── records behind the cursor ──> rows ──> one call (gzip, 1 MB) ──204──> cursor in the store
//!    └─ lease: one replica sends                                    └─ anything else: the cursor stays, try again later
//! ```
//!
//! Nothing waits for it: the journal itself is the queue, on the disk, and what is in memory is one call. A record is sent at least
//! once; `RecordId` tells what came twice.

#[cfg(test)]
mod definitions;
mod health;
mod refusals;
mod row;
mod standing;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axon_azure::{Batch, Ingestion, LogFault, LogFaultKind, MOST_CALL};
use axon_model::{Clock, IdSource, RecordSeq};
use axon_reconcile::LeaseProof;
use axon_store::{Store, StoreError};
use time::OffsetDateTime;
use tokio::sync::watch;

use health::Told;
use refusals::Refusals;
use row::Row;

pub use refusals::Metrics;
pub use standing::Standing;

/// The sink's name in the store.
pub const SINK: &str = "azure-monitor";
/// Who holds it sends. No target has such a name.
const LEASE: &str = "log:azure-monitor";
/// Renewed before it has less left than a call takes. Whoever loses it during a call sends rows that come twice, and nothing else.
const LEASE_TIME: time::Duration = time::Duration::minutes(1);
const LEASE_LEFT: time::Duration = time::Duration::seconds(40);
/// How long records are gathered after the first one, so that a busy minute is few calls.
const GATHER: Duration = Duration::from_secs(1);
/// How often it is looked whether other processes wrote, and how things stand.
const LOOK: Duration = Duration::from_secs(15);
/// The first pause after a call that failed; doubles.
const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_mins(5);
/// Records read in one go.
const SOME: u32 = 100;
/// A call that Azure finds too large is halved down to this.
const SMALLEST: usize = 16 * 1024;

/// The names of the targets that are told of.
pub type Targets = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// What a shipper is made of.
pub struct ShipperParts {
    /// The journal and the cursor.
    pub store: Arc<dyn Store>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where ids of calls come from.
    pub ids: Arc<IdSource>,
    /// Where rows go.
    pub sink: Ingestion,
    /// Whether names go, too.
    pub names: bool,
    /// Who holds the lease: one name per process.
    pub holder: String,
    /// The targets that are told of.
    pub targets: Targets,
    /// What this process counted.
    pub metrics: Metrics,
}

/// Sends the journal.
pub struct Shipper {
    parts: ShipperParts,
    lease: Option<LeaseProof>,
    log: Option<String>,
    told: Told,
    refusals: Refusals,
    /// When it was last looked who was turned away.
    looked: Option<OffsetDateTime>,
    /// Calls that failed in a row, and the kind of the last one.
    failures: u32,
    last_fault: Option<LogFaultKind>,
    /// How large a call may be now.
    most: usize,
}

/// When to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// At once: there is more.
    Now,
    /// When something was written.
    News,
    /// After this long, whatever was written.
    After(Duration),
}

/// What goes in one call.
struct Load {
    batch: Batch,
    /// The last record in it.
    upto: RecordSeq,
    health: Vec<Row>,
    /// Whether it tells who was turned away.
    refused: bool,
}

impl Shipper {
    /// A shipper that sends nothing yet.
    pub fn new(parts: ShipperParts) -> Self {
        Self {
            parts,
            lease: None,
            log: None,
            told: Told::default(),
            refusals: Refusals::default(),
            looked: None,
            failures: 0,
            last_fault: None,
            most: MOST_CALL,
        }
    }

    /// Sends until `stopped` says true. A call that has begun is waited for.
    pub async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let mut moved = self.parts.store.subscribe();
        while !*stopped.borrow() {
            moved.mark_unchanged();
            let next = self.turn().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "the log cannot be shipped: the store does not answer");
                self.lease = None;
                Next::After(FIRST)
            });
            match next {
                Next::Now => {}
                Next::News => {
                    tokio::select! {
                        () = tokio::time::sleep(LOOK) => {}
                        Ok(()) = moved.changed() => tokio::time::sleep(GATHER).await,
                        _ = stopped.changed() => {}
                    }
                }
                Next::After(pause) => self.pause(pause, &mut stopped).await,
            }
        }
        if let Some(lease) = self.lease.take() {
            // If it cannot be given back, it runs out.
            drop(self.parts.store.release_lease(&lease).await);
        }
    }

    /// Waits, and goes on measuring: a long 429 is seen in the lag.
    async fn pause(&self, pause: Duration, stopped: &mut watch::Receiver<bool>) {
        let end = tokio::time::Instant::now() + pause;
        while tokio::time::Instant::now() < end {
            tokio::select! {
                () = tokio::time::sleep_until(end.min(tokio::time::Instant::now() + LOOK)) => {}
                _ = stopped.changed() => return,
            }
            drop(self.measure().await);
        }
    }

    async fn turn(&mut self) -> Result<Next, StoreError> {
        let behind = self.measure().await?.behind();
        let now = self.parts.clock.now();
        let Some(log) = self.log().await? else { return Ok(Next::News) };
        let health = health::rows(&*self.parts.store, &(self.parts.targets)(), &log, now).await?;
        let health = if self.told.is_new(&health, now) { health } else { Vec::new() };
        let refused = self.refused(&log, now);
        if behind == 0 && health.is_empty() && refused.is_none() {
            return Ok(Next::News);
        }
        if !self.leads().await? {
            // Another replica sends. When it is gone, its lease runs out.
            self.told.say(&health, now);
            return Ok(Next::After(LOOK));
        }
        // What another replica sent before the lease was taken is not sent again.
        let from = self.parts.store.shipped(SINK).await?.position;
        let load = self.load(from, &log, health, refused).await?;
        if load.batch.is_empty() {
            return Ok(Next::News);
        }
        self.send(load).await
    }

    /// Which journal this is; none of an empty one.
    async fn log(&mut self) -> Result<Option<String>, StoreError> {
        if self.log.is_none() {
            let first = self.parts.store.records(RecordSeq(1), 1).await?;
            self.log = first.first().map(|entry| entry.record.hash.to_string().chars().take(16).collect());
        }
        Ok(self.log.clone())
    }

    /// Who was turned away since the last look.
    fn refused(&mut self, log: &str, now: OffsetDateTime) -> Option<Row> {
        if self.looked.is_some_and(|at| now - at < LOOK) {
            return None;
        }
        self.looked = Some(now);
        self.refusals.row(&(self.parts.metrics)(), &self.parts.holder, log, now).cloned()
    }

    /// How it stands, kept as metrics.
    async fn measure(&self) -> Result<Standing, StoreError> {
        let standing = Standing::read(&*self.parts.store).await?;
        let lag = standing.lag(self.parts.clock.now());
        metrics::gauge!("axon_log_shipped_position").set(count(standing.shipped().position.0));
        metrics::gauge!("axon_log_ship_lag_records").set(count(standing.behind()));
        metrics::gauge!("axon_log_ship_lag_seconds").set(lag.as_seconds_f64());
        let trouble = standing.shipped().trouble.is_some();
        metrics::gauge!("axon_log_ship_trouble_bool").set(f64::from(u8::from(trouble)));
        Ok(standing)
    }

    /// Whether this process is the one that sends, for long enough to end a call.
    async fn leads(&mut self) -> Result<bool, StoreError> {
        let parts = &self.parts;
        let (store, holder, now) = (parts.store.clone(), parts.holder.clone(), parts.clock.now());
        if let Some(lease) = &self.lease {
            if lease.until() - now >= LEASE_LEFT {
                return Ok(true);
            }
            self.lease = store.renew_lease(lease, LEASE_TIME, now).await?;
        }
        if self.lease.is_none() {
            // A read, so that replicas that wait write nothing.
            let held = store.lease(LEASE).await?;
            if held.is_some_and(|held| held.holder != holder && held.until > now) {
                return Ok(false);
            }
            self.lease = store.try_lease(LEASE, &holder, LEASE_TIME, now).await?;
        }
        Ok(self.lease.is_some())
    }

    /// As many rows as fit in a call.
    async fn load(
        &self,
        from: RecordSeq,
        log: &str,
        health: Vec<Row>,
        refused: Option<Row>,
    ) -> Result<Load, StoreError> {
        let mut batch = Batch::of(self.most);
        let mut upto = from;
        'full: loop {
            let some = self.parts.store.records(upto.next(), SOME).await?;
            let last = some.len() < SOME as usize;
            for entry in &some {
                let json = Row::of(entry, log, self.parts.names).json();
                // Texts, numbers and JSON values always have a text.
                let Ok(json) = json else { break 'full };
                if !batch.takes(&json) {
                    break 'full;
                }
                upto = entry.record.seq;
            }
            if last {
                break;
            }
        }
        let mut fits = |row: &Row| row.json().is_ok_and(|json| batch.takes(&json));
        let refused = refused.is_some_and(|row| fits(&row));
        let health: Vec<Row> = health.into_iter().filter(fits).collect();
        Ok(Load { batch, upto, health, refused })
    }

    async fn send(&mut self, load: Load) -> Result<Next, StoreError> {
        let now = self.parts.clock.now();
        let id = self.parts.ids.uuid(now).to_string();
        let sent = self.parts.sink.send(&load.batch, &id).await;
        let now = self.parts.clock.now();
        let Some(lease) = self.lease.clone() else { return Ok(Next::Now) };
        let kept = match &sent {
            Ok(_) => self.parts.store.ship_to(SINK, load.upto, now, &lease).await,
            Err(fault) => self.parts.store.ship_failed(SINK, &fault.to_string(), now, &lease).await,
        };
        match kept {
            Err(StoreError::LeaseLost(_)) => self.lease = None,
            other => other?,
        }
        match sent {
            Ok(bytes) => {
                outcome("taken");
                metrics::counter!("axon_log_shipped_records_total").increment(load.batch.rows() as u64);
                metrics::counter!("axon_log_shipped_bytes_total").increment(bytes as u64);
                if self.failures > 0 {
                    tracing::info!(position = load.upto.0, "the log is shipped again");
                }
                (self.failures, self.last_fault) = (0, None);
                self.most = self.most.saturating_mul(2).min(MOST_CALL);
                if !load.health.is_empty() {
                    self.told.say(&load.health, now);
                }
                if load.refused {
                    self.refusals.taken();
                }
                Ok(Next::Now)
            }
            Err(fault) => {
                self.measure().await?;
                Ok(self.after(&fault, &load))
            }
        }
    }

    /// How long to wait after a call that was not taken.
    fn after(&mut self, fault: &LogFault, load: &Load) -> Next {
        outcome(fault.kind.as_str());
        if fault.kind == LogFaultKind::TooLarge && load.batch.rows() > 1 {
            self.most = (load.batch.bytes() / 2).max(SMALLEST);
            return Next::Now;
        }
        if self.last_fault != Some(fault.kind) {
            tracing::warn!(%fault, position = load.upto.0, "the log is not shipped: it is tried again");
        }
        let pause = fault.wait.unwrap_or_else(|| pause(self.failures));
        self.failures = self.failures.saturating_add(1);
        self.last_fault = Some(fault.kind);
        Next::After(pause)
    }
}

fn pause(failures: u32) -> Duration {
    FIRST.saturating_mul(1 << failures.min(6)).min(LONGEST)
}

fn outcome(word: &'static str) {
    metrics::counter!("axon_log_ship_calls_total", "outcome" => word).increment(1);
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn count(n: u64) -> f64 {
    n as f64
}
