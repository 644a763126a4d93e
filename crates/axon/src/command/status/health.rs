//! How the calls of each source go.

use axon_model::{HealthOf, HealthState, SourceHealth};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// As JSON, by source.
pub fn as_json(all: &[HealthOf], now: OffsetDateTime) -> Value {
    let of = |health: &SourceHealth| {
        let counts = health.counts(now);
        json!({
            "state": health.state(now),
            "window_hours": axon_model::source_health::WINDOW,
            "calls": counts.calls,
            "failed": counts.failed,
            "failed_percent": counts.failed_percent(),
            "reference_failed": counts.reference_failed,
            "last_push": health.last_push.map(instant),
            "last_failure": health.last_failure,
        })
    };
    all.iter()
        .map(|(source, health)| (source.to_string(), of(health)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// The lines of one source.
pub fn lines(health: &SourceHealth, now: OffsetDateTime) -> Vec<String> {
    let (state, counts) = (health.state(now), health.counts(now));
    let references = match counts.reference_failed {
        0 => String::new(),
        n => format!(", {n} more over references alone"),
    };
    let mut out = vec![format!(
        "calls: {}; {} in {} hours, {} of them failed ({} %){references}; last push {}",
        state.as_str(),
        counts.calls,
        axon_model::source_health::WINDOW,
        counts.failed,
        counts.failed_percent(),
        health.last_push.map_or_else(|| "never".to_owned(), instant),
    )];
    out.extend(advice(state).map(str::to_owned));
    if let Some(failure) = &health.last_failure {
        let kind = failure.scim_type.as_deref().map_or_else(String::new, |kind| format!(" {kind}"));
        out.push(format!(
            "last failure: {} {} was answered {}{kind} at {} (request {}): {}",
            failure.method,
            failure.route,
            failure.status,
            instant(failure.at),
            failure.request,
            failure.detail,
        ));
        if !failure.shape.is_empty() {
            out.push(format!("it sent, values left out: {}", failure.shape));
        }
    }
    out
}

fn advice(state: HealthState) -> Option<&'static str> {
    match state {
        HealthState::Quiet | HealthState::Healthy => None,
        HealthState::Failing => Some("quarantine is near: mend what fails before the provider stops"),
        HealthState::Quarantine => {
            Some("over the rule of quarantine: mend what fails, then restart provisioning at the provider")
        }
        HealthState::Refused => Some("its token is revoked or over its time: give the provider a new one"),
    }
}

fn instant(at: OffsetDateTime) -> String {
    at.replace_microsecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}

#[cfg(test)]
mod tests {
    use axon_model::{CallCounts, FailedCall, Hour};
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_source_that_fails_shows_what_to_do_and_what_it_sent() {
        let now = datetime!(2026-11-22 08:30 UTC);
        let health = SourceHealth {
            hours: [(Hour::of(now), CallCounts { calls: 100, failed: 30, reference_failed: 2 })].into(),
            last_push: Some(now),
            last_failure: Some(FailedCall {
                at: now,
                request: "r1".parse().unwrap(),
                method: "PATCH".into(),
                route: "/scim/v2/Users/{id}".into(),
                status: 400,
                scim_type: Some("invalidPath".into()),
                detail: "'…' is not an attribute".into(),
                shape: "{Operations: [{op: add}]}".into(),
            }),
            ..SourceHealth::default()
        };
        assert_eq!(
            lines(&health, now),
            [
                "calls: failing; 100 in 24 hours, 30 of them failed (30 %), 2 more over references alone; last push 2026-11-22T08:30:00Z",
                "quarantine is near: mend what fails before the provider stops",
                "last failure: PATCH /scim/v2/Users/{id} was answered 400 invalidPath at 2026-11-22T08:30:00Z (request r1): \
                 '…' is not an attribute",
                "it sent, values left out: {Operations: [{op: add}]}",
            ]
        );
        let json = as_json(&[("entra".parse().unwrap(), health)], now);
        assert_eq!(
            (json["entra"]["state"].as_str(), &json["entra"]["failed_percent"]),
            (Some("failing"), &json!(30))
        );
        assert_eq!(json["entra"]["last_failure"]["status"], 400);
    }

    #[test]
    fn a_source_that_never_called_is_quiet() {
        let now = datetime!(2026-11-22 08:30 UTC);
        assert_eq!(
            lines(&SourceHealth::default(), now),
            ["calls: quiet; 0 in 24 hours, 0 of them failed (0 %); last push never"]
        );
    }
}
