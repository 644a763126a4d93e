//! How many requests a service takes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::reply::Reply;
use super::service::Service;

/// So many requests in so many seconds; then 429 until the span is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Requests.
    pub requests: u32,
    /// Seconds.
    pub seconds: u32,
}

/// The spans that run.
#[derive(Debug, Default)]
pub(super) struct Spans {
    open: BTreeMap<Service, (i64, u32)>,
}

impl Spans {
    /// Counts a request at a second. The answer is how many are left, or the 429.
    pub(super) fn count(
        &mut self,
        service: Service,
        limit: Option<Limit>,
        now: i64,
    ) -> Result<Option<u32>, Box<Reply>> {
        let Some(limit) = limit else { return Ok(None) };
        let span = self.open.entry(service).or_insert((now, 0));
        if now.saturating_sub(span.0) >= i64::from(limit.seconds) {
            *span = (now, 0);
        }
        if span.1 >= limit.requests {
            let wait = span.0.saturating_add(i64::from(limit.seconds)).saturating_sub(now).max(1);
            return Err(Box::new(refusal(service).header("retry-after", wait.to_string())));
        }
        span.1 += 1;
        Ok(Some(limit.requests - span.1))
    }
}

fn refusal(service: Service) -> Reply {
    let message = "The request was throttled.";
    match service {
        Service::Arm => Reply::error(429, "TooManyRequests", "Number of requests exceeded the limit.")
            .header("x-ms-failure-cause", "gateway"),
        Service::Imds | Service::AppService => {
            Reply::json(429, &serde_json::json!({"error": "too_many_requests", "error_description": message}))
        }
        Service::Authority => Reply::json(
            429,
            &serde_json::json!({"error": "temporarily_unavailable", "error_description": message}),
        ),
        Service::Graph | Service::Synapse | Service::Ingest => Reply::error(429, "TooManyRequests", message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_that_is_full_says_when_it_ends() {
        let (mut spans, limit) = (Spans::default(), Some(Limit { requests: 2, seconds: 60 }));
        assert_eq!(spans.count(Service::Arm, limit, 100), Ok(Some(1)));
        assert_eq!(spans.count(Service::Arm, limit, 110), Ok(Some(0)));
        let refused = spans.count(Service::Arm, limit, 130).unwrap_err();
        assert_eq!(refused.status, 429);
        assert!(refused.headers.contains(&("retry-after".into(), "30".into())));
        assert_eq!(spans.count(Service::Graph, limit, 130), Ok(Some(1)), "each service has its own");
        assert_eq!(spans.count(Service::Arm, limit, 160), Ok(Some(1)));
    }
}
