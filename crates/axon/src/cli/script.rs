//! `axon script`

use std::path::PathBuf;

use clap::Subcommand;

use crate::person::Proof;

/// Files of statements that people run, for targets of kind `script`.
#[derive(Debug, Subcommand)]
pub enum ScriptCommand {
    /// List the files that wait; exit with 3 while any does
    List {
        /// Only this target
        #[arg(long)]
        target: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Say that a file was run, whole and without an error
    Confirm {
        /// The file, or eight or more characters of the begin or end of its run's id
        file: String,
        /// Only this target
        #[arg(long)]
        target: Option<String>,
        /// What was seen, for the journal
        #[arg(long)]
        reason: String,
        /// Who says so
        #[command(flatten)]
        proof: Proof,
    },
    /// Export the catalog that a target's pool shows, for a target that has it as `catalog`
    Catalog {
        /// The target whose pool is read
        #[arg(long)]
        target: String,
        /// The file; standard output if left out
        #[arg(long)]
        out: Option<PathBuf>,
    },
}
