//! Logs and metrics.

mod in_request;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

use self::in_request::WithRequest;

/// Starts logging to standard error. The TDS driver logs whole server errors, which name people: it is always silent.
pub fn start_logs(log: &Log) -> anyhow::Result<()> {
    let level = EnvFilter::try_new(&log.level)
        .with_context(|| format!("log.level {:?} is not a level or filter such as info", log.level))?;
    let filter = level
        .add_directive("tiberius=off".parse().context("a directive")?)
        .add_directive("sqlx=warn".parse().context("a directive")?);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Json => builder.json().flatten_event(true).map_event_format(WithRequest::json).try_init(),
        LogFormat::Text => builder.map_event_format(WithRequest::text).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logs do not start: {error}"))
}

/// How often what was measured is folded into the histograms. Until then each answer takes some bytes.
const UPKEEP: Duration = Duration::from_secs(5);

/// Starts metrics; gives what renders them. To be called where a runtime runs.
pub fn start_metrics() -> anyhow::Result<Arc<dyn Fn() -> String + Send + Sync>> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Suffix("_seconds".into()),
            &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0],
        )
        .context("metric buckets")?
        // People are out within a second, or within the time that was promised, or much later.
        .set_buckets_for_metric(
            Matcher::Prefix("axon_leaver_".into()),
            &[
                0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0,
                14_400.0, 86_400.0,
            ],
        )
        .context("metric buckets")?
        .install_recorder()
        .context("metrics do not start")?;
    let kept = handle.clone();
    tokio::spawn(async move {
        let mut every = tokio::time::interval(UPKEEP);
        loop {
            every.tick().await;
            kept.run_upkeep();
        }
    });
    Ok(Arc::new(move || handle.render()))
}
