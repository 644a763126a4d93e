//! `axon map adopt`

use std::path::PathBuf;

use clap::Args;

/// A map of a pool as it is.
#[derive(Debug, Args)]
pub struct AdoptArgs {
    /// The target: one of the configured map
    #[arg(long)]
    pub target: String,
    /// Where to write the map; standard output, if left out
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long, requires = "out")]
    pub force: bool,
    /// Who answers for principals that are left as they are, where it is not the login that runs this
    #[arg(long)]
    pub owner: Option<String>,
    /// For how many days these are left alone
    #[arg(long, value_name = "DAYS", default_value_t = 180, value_parser = clap::value_parser!(u16).range(1..=3660))]
    pub protect_for: u16,
    /// Map and report as JSON
    #[arg(long)]
    pub json: bool,
}
