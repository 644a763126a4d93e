//! `axon drift`

use clap::{Args, Subcommand};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::person::Proof;

/// What is in a target although nobody asked Axon for it.
#[derive(Debug, Subcommand)]
pub enum DriftCommand {
    /// List it, from a look at the targets; exit with 3 if there is anything
    List {
        /// Only this target
        #[arg(long)]
        target: Option<String>,
        /// Also what is over: the last hundred
        #[arg(long)]
        past: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print what the role map would have to say for it to be asked for
    Adopt(AdoptDrift),
    /// Take it away: release what waits about it
    Revert(DriftAnswer),
    /// Leave it as it is until an instant, after which it is drift again
    Except {
        /// The first instant at which it is drift again, as 2027-01-31T00:00:00Z
        #[arg(long, value_parser = instant)]
        until: OffsetDateTime,
        /// What, and why
        #[command(flatten)]
        answer: DriftAnswer,
    },
}

/// What is there by hand, as lines of the role map.
#[derive(Debug, Args)]
pub struct AdoptDrift {
    /// Only this target
    #[arg(long)]
    pub target: Option<String>,
    /// Put the lines into the version in force, and push that as a new version through the same gate as `axon map push`
    #[arg(long)]
    pub push: bool,
    /// What it is about, for log and journal
    #[arg(long, requires = "push")]
    pub comment: Option<String>,
    /// Who says so
    #[command(flatten)]
    pub proof: Proof,
}

/// An answer to what waits.
#[derive(Debug, Args)]
pub struct DriftAnswer {
    /// The id that `axon drift list` shows, or eight or more characters of its begin or end
    pub id: String,
    /// Why, for the journal
    #[arg(long)]
    pub reason: String,
    /// Who says so
    #[command(flatten)]
    pub proof: Proof,
}

fn instant(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| format!("{text:?} is no instant: write it like 2027-01-31T00:00:00Z"))
}
