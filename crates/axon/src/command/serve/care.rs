//! What connectors are given, from the configuration.

use std::time::Duration;

use anyhow::Context;
use axon_api::care::{CareSettings, RecordSettings, Recorder, TurnLimits};
use axon_scim::Registry;

use crate::config::Config;

/// Opens the recording, where there is one to be.
pub fn settings(config: &Config, registry: &Registry) -> anyhow::Result<CareSettings> {
    let limits = &config.limits;
    // Who waits longer than half of a request's time would have none left to be worked on.
    let longest = Duration::from_secs(limits.request_seconds) / 2;
    let turns = TurnLimits {
        assured_per_second: limits.assured_per_second,
        at_once: limits.source_requests,
        queue: limits.source_queue,
        wait: Duration::from_secs(limits.queue_seconds).min(longest),
    };
    let recorder =
        match &config.record {
            None => None,
            Some(record) => {
                let settings = RecordSettings {
                    file: record.file.clone(),
                    max_bytes: record.max_bytes,
                    sources: record.sources.clone(),
                };
                let recorder = Recorder::start(settings, registry);
                Some(recorder.with_context(|| {
                    format!("cannot record into {}: `record.file`", record.file.display())
                })?)
            }
        };
    Ok(CareSettings { turns, recorder })
}
