//! Reports over all targets.

use clap::Subcommand;

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
}
