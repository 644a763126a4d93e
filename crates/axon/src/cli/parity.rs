//! `axon parity`

use axon_model::SourceId;
use clap::Args;

/// What to compare.
#[derive(Debug, Args)]
pub struct ParityArgs {
    /// Only this source
    #[arg(long)]
    pub source: Option<SourceId>,
    /// All groups and people; a part of them, if left out
    #[arg(long)]
    pub full: bool,
    /// Ask nobody: show what the last look of `axon serve` found
    #[arg(long, conflicts_with = "full")]
    pub last: bool,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}
