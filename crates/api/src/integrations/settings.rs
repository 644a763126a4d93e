//! What the integrations API is set up with.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::Workbench;
use crate::operators::Rates;

/// How much is looked at or made in pools at one time.
const AT_ONCE: usize = 4;
/// Names that no schema and no account of an integration may have.
const RESERVED: [&str; 7] = ["dbo", "guest", "sys", "information_schema", "public", "axon", "axon_owner"];

/// What the integrations API is set up with.
pub struct Integrations {
    /// What is done in pools.
    pub bench: Arc<dyn Workbench>,
    /// The servers that may be entered: names, or `*.` and what they end in. A token is shown to whatever answers there.
    pub hosts: Vec<String>,
    /// How often those in use are looked at.
    pub look_every: Duration,
    pub(super) turns: Semaphore,
    pub(super) rates: Rates,
}

impl Integrations {
    /// The settings, ready for use. `requests_per_second`: of one caller.
    pub fn new(
        bench: Arc<dyn Workbench>,
        hosts: Vec<String>,
        look_every: Duration,
        requests_per_second: u32,
    ) -> Self {
        let rates = Rates::new(requests_per_second);
        Self { bench, hosts, look_every, turns: Semaphore::new(AT_ONCE), rates }
    }

    /// Whether a server may be entered.
    pub(super) fn allows(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.hosts.iter().any(|allowed| {
            let allowed = allowed.to_ascii_lowercase();
            match allowed.strip_prefix('*') {
                // `*.x.net` is not `x.net`, nor `evilx.net`.
                Some(end) => end.starts_with('.') && host.len() > end.len() && host.ends_with(end),
                None => host == allowed,
            }
        })
    }

    /// Whether a name is taken by the engine or by what Axon makes anyway.
    pub(super) fn reserved(name: &str) -> bool {
        RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
            || name.to_ascii_lowercase().starts_with("db_")
    }
}
