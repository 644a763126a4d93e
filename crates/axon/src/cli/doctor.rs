//! `axon doctor`

use clap::Args;

/// What to look at.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Only this target
    #[arg(long)]
    pub target: Option<String>,
    /// Ask the pools again what they can do, also where it is remembered
    #[arg(long)]
    pub probe: bool,
    /// Measure how long each kind of call takes; nothing is changed
    #[arg(long)]
    pub calibrate: bool,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}
