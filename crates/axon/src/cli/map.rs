//! `axon map log | show | push | revert | proposals | release | reject`

use std::path::PathBuf;

use clap::Args;

use crate::person::Proof;

/// Where versions are, and who asks.
#[derive(Debug, Args)]
pub struct Reach {
    /// The server whose operators' API is asked, as https://axon.acme.com; the configured store, if left out
    #[arg(long, env = "AXON_URL")]
    pub url: Option<String>,
    /// Who asks; of a server's API the token may also stand in AXON_OPERATOR_TOKEN
    #[command(flatten)]
    pub proof: Proof,
}

/// The versions.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// How many, the newest first
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub limit: u32,
    /// Where they are
    #[command(flatten)]
    pub reach: Reach,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// One version.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Its hash, or eight or more characters of its begin; the one in force, if left out
    pub version: Option<String>,
    /// Where it is
    #[command(flatten)]
    pub reach: Reach,
    /// As JSON, with author, comment and parent
    #[arg(long)]
    pub json: bool,
}

/// A new version.
#[derive(Debug, Args)]
pub struct PushArgs {
    /// The file or folder
    pub file: PathBuf,
    /// What it is about, for log and journal
    #[arg(long)]
    pub comment: String,
    /// The hash that it was made from: refused where another version is in force; the one in force now, if left out
    #[arg(long)]
    pub parent: Option<String>,
    /// The file or folder that it was made from, in the place of its hash: refused where another version is in force
    #[arg(long, value_name = "FILE", conflicts_with = "parent")]
    pub parent_file: Option<PathBuf>,
    /// The pipeline, where the job's token does not say it
    #[arg(long, env = "CIRCLE_PIPELINE_ID")]
    pub pipeline: Option<String>,
    /// The commit, where the job's token does not say it
    #[arg(long, env = "CIRCLE_SHA1")]
    pub commit: Option<String>,
    /// Where to
    #[command(flatten)]
    pub reach: Reach,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// An old version as a new one.
#[derive(Debug, Args)]
pub struct RevertArgs {
    /// The hash of the old one, or eight or more characters of its begin
    pub version: String,
    /// Why; that it is a revert is said by itself
    #[arg(long)]
    pub comment: Option<String>,
    /// Where it is
    #[command(flatten)]
    pub reach: Reach,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// An answer to a proposal.
#[derive(Debug, Args)]
pub struct AnswerArgs {
    /// The hash of the proposed version, or eight or more characters of its begin
    pub version: String,
    /// Why, for log and journal
    #[arg(long)]
    pub reason: String,
    /// Where it is
    #[command(flatten)]
    pub reach: Reach,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}
