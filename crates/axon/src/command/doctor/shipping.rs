//! `audit.ship`: whether Axon may enter there, and how the sending stands.

use axon_model::{Clock as _, SystemClock};

use super::report::Report;
use crate::config::Config;
use crate::ship::Standing;
use crate::wiring::{self, Parts};

/// Over this age of the oldest record that waits something is wrong.
const MOST_LAG: time::Duration = time::Duration::minutes(15);

/// Asks by a call that has no row.
pub async fn look(config: &Config, parts: Option<&Parts>, report: &mut Report) {
    const AREA: &str = "audit.ship";
    let Some(ship) = &config.audit.ship else { return };
    let here = "mend `audit.ship` in the configuration, or what it leads to: docs/AZURE.md names what each kind of `auth` needs";
    match wiring::log_check(config, ship).await {
        Ok(()) => {
            report.well(AREA, format!("{} takes calls of Axon's for stream {}", ship.endpoint, ship.stream));
        }
        Err(error) => report.found(AREA, format!("{error:#}"), here),
    }
    let Some(parts) = parts else { return };
    let now = SystemClock.now();
    match Standing::read(parts.store.as_ref()).await {
        Ok(standing) => {
            let said = standing.lines(now).join("\n");
            if standing.in_trouble() || standing.lag(now) > MOST_LAG {
                let helps = "docs/OPERATIONS.md, \"The journal in Azure Monitor\", says what each answer means; records wait in the \
                             journal until they are taken, and axon serve sends them";
                report.found(AREA, said, helps);
            } else {
                report.well(AREA, said);
            }
        }
        Err(error) => report.found(AREA, error.to_string(), "axon store check"),
    }
}
