//! How long answers take: one histogram for each route, method and status, looked up once and not for each request.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::time::Duration;

use axum::http::StatusCode;
use metrics::Histogram;

use super::RouteName;
use super::verb::VERBS;
use crate::routes::Route;

/// Statuses that are answered often.
const OFTEN: [u16; 12] = [200, 201, 204, 304, 400, 401, 403, 404, 409, 412, 429, 503];

/// The histograms that were asked for so far.
pub struct Times(Box<[OnceLock<Histogram>]>);

impl Default for Times {
    fn default() -> Self {
        Self((0..Route::COUNT * VERBS.len() * OFTEN.len()).map(|_| OnceLock::new()).collect())
    }
}

impl Times {
    /// Counts one answer.
    pub fn record(&self, verb: &'static str, route: &RouteName, status: StatusCode, took: Duration) {
        match self.known(verb, route, status) {
            Some(cell) => cell.get_or_init(|| histogram(verb, route, status)).record(took.as_secs_f64()),
            None => histogram(verb, route, status).record(took.as_secs_f64()),
        }
    }

    fn known(&self, verb: &str, route: &RouteName, status: StatusCode) -> Option<&OnceLock<Histogram>> {
        let RouteName::Known(route) = route else { return None };
        let verb = VERBS.iter().position(|known| *known == verb)?;
        let status = OFTEN.iter().position(|known| *known == status.as_u16())?;
        self.0.get((*route as usize * VERBS.len() + verb) * OFTEN.len() + status)
    }
}

fn histogram(verb: &'static str, route: &RouteName, status: StatusCode) -> Histogram {
    let route = match route {
        RouteName::Known(route) => Cow::Borrowed(route.name()),
        other => Cow::Owned(other.as_str().to_owned()),
    };
    metrics::histogram!("axon_http_request_seconds",
        "method" => verb, "route" => route, "status" => status.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_combination_has_a_histogram_of_its_own() {
        let times = Times::default();
        let mut seen = std::collections::BTreeSet::new();
        for route in [Route::Live, Route::User, Route::OtherVersion] {
            for verb in VERBS {
                for status in OFTEN {
                    let status = StatusCode::from_u16(status).unwrap();
                    let cell = times.known(verb, &RouteName::Known(route), status).unwrap();
                    assert!(seen.insert(std::ptr::from_ref(cell) as usize), "{route:?} {verb} {status}");
                }
            }
        }
        assert!(times.known("GET", &RouteName::Nowhere, StatusCode::OK).is_none());
        assert!(times.known("GET", &RouteName::Known(Route::User), StatusCode::IM_A_TEAPOT).is_none());
    }
}
