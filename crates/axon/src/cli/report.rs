//! Reports over all targets.

use clap::Subcommand;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Which report.
#[derive(Debug, Subcommand)]
pub enum ReportCommand {
    /// Who reaches data around Axon, by what, and what helps; exit with 3 if part of it could not be looked at
    Ways {
        /// Only this target
        #[arg(long)]
        target: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// How long people who left could still be in, each of them and by percentiles, and who is not out yet; from the journal. Exit
    /// with 3 if somebody is late
    Leavers {
        /// Only this target
        #[arg(long)]
        target: Option<String>,
        /// Only who left at this instant or later, as 2026-11-01 or 2026-11-01T08:00:00Z
        #[arg(long, value_parser = day_or_instant)]
        since: Option<OffsetDateTime>,
        /// Only who left before this instant
        #[arg(long, value_parser = day_or_instant)]
        until: Option<OffsetDateTime>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// An instant, or the beginning of a day in UTC.
fn day_or_instant(text: &str) -> Result<OffsetDateTime, String> {
    let whole = if text.contains(['T', 't']) { text.to_owned() } else { format!("{text}T00:00:00Z") };
    OffsetDateTime::parse(&whole, &Rfc3339)
        .map_err(|_| format!("{text:?} is no instant: write it like 2026-11-01 or 2026-11-01T08:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight() {
        assert_eq!(day_or_instant("2026-11-01").unwrap(), day_or_instant("2026-11-01T00:00:00Z").unwrap());
        assert!(day_or_instant("yesterday").is_err() && day_or_instant("2026-13-01").is_err());
    }
}
