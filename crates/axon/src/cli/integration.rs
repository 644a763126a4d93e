//! `axon integration`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Reach;

/// Databases that are set up over the API.
#[derive(Debug, Subcommand)]
pub enum IntegrationCommand {
    /// List them
    List {
        /// The server
        #[command(flatten)]
        reach: Reach,
    },
    /// Show one
    Show(OneArgs),
    /// Show how far one is
    Status(OneArgs),
    /// Create one from a payload
    Create(CreateArgs),
    /// Change one to what a payload says
    Update(UpdateArgs),
    /// Take one away
    Delete(DeleteArgs),
    /// Give Axon's login another password
    Regenerate(RegenerateArgs),
    /// Print a script to read and run
    Script(ScriptArgs),
    /// Print the entry of the role map's targets for one that is in use, from the configured store
    Target {
        /// Its number
        id: u64,
        /// What the target shall be called
        #[arg(long, default_value = "warehouse")]
        name: String,
    },
}

/// One of them.
#[derive(Debug, Args)]
pub struct OneArgs {
    /// Its number
    pub id: u64,
    /// The server
    #[command(flatten)]
    pub reach: Reach,
}

/// A new one.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// The payload, JSON or YAML; `-` reads it from the standard input
    pub payload: PathBuf,
    /// Do not wait for its end
    #[arg(long)]
    pub no_wait: bool,
    /// The server
    #[command(flatten)]
    pub reach: Reach,
}

/// A change.
#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// Its number
    pub id: u64,
    /// How it shall be
    #[command(flatten)]
    pub create: CreateArgs,
}

/// An end.
#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// Its number
    pub id: u64,
    /// The privileged credentials of an automatic one, JSON or YAML; `-` reads them from the standard input
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,
    /// Only give it up: nothing is taken away in the database
    #[arg(long, conflicts_with = "credentials")]
    pub disable: bool,
    /// Do not wait for its end
    #[arg(long)]
    pub no_wait: bool,
    /// The server
    #[command(flatten)]
    pub reach: Reach,
}

/// Another password.
#[derive(Debug, Args)]
pub struct RegenerateArgs {
    /// Its number
    pub id: u64,
    /// The privileged credentials, JSON or YAML; `-` reads them from the standard input
    #[arg(long, value_name = "FILE")]
    pub credentials: PathBuf,
    /// The server
    #[command(flatten)]
    pub reach: Reach,
}

/// Which script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScriptKind {
    /// For master, first
    InitialCreate,
    /// For the database, second
    Create,
    /// From what one is to what a payload says
    Edit,
    /// Takes away what one made
    Delete,
    /// Takes away what one left that never came into use
    Cleanup,
    /// The same in master, last
    PostCleanup,
}

/// A script.
#[derive(Debug, Args)]
pub struct ScriptArgs {
    /// Which one
    pub kind: ScriptKind,
    /// The payload, JSON or YAML; `-` reads it from the standard input
    #[arg(long, value_name = "FILE")]
    pub payload: Option<PathBuf>,
    /// The number of the one that is edited or deleted
    #[arg(long)]
    pub id: Option<u64>,
    /// The server
    #[command(flatten)]
    pub reach: Reach,
}
