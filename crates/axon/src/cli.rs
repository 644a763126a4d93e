//! The command line.

mod access;
mod adopt;
mod doctor;
mod drift;
mod integration;
mod map;
mod parity;
mod report;
mod script;
mod token;
mod view;

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::person::Proof;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use access::{GrantAnswer, GrantArgs, GrantCommand, ImpersonateCommand, OffboardArgs, time};
pub use adopt::AdoptArgs;
pub use doctor::DoctorArgs;
pub use drift::{AdoptDrift, DriftAnswer, DriftCommand};
pub use integration::{IntegrationCommand, ScriptArgs, ScriptKind};
pub use map::{AnswerArgs, LogArgs, PushArgs, Reach, RevertArgs, ShowArgs};
pub use parity::ParityArgs;
pub use report::ReportCommand;
pub use script::ScriptCommand;
pub use token::{ClientCommand, Terms, TokenCommand};
pub use view::ViewCommand;

/// Carries identity to Azure Synapse: SCIM in, exactly the permissions of the role map out, every one of them traceable.
#[derive(Debug, Parser)]
#[command(name = "axon", version, arg_required_else_help = true)]
pub struct Cli {
    /// The configuration file
    #[arg(long, global = true, env = "AXON_CONFIG", default_value = "config/axon.yaml")]
    pub config: PathBuf,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve SCIM and reconcile
    Serve,
    /// Show the main job on this machine, without a network
    Demo {
        /// Leave it running and print how to reach it
        #[arg(long)]
        keep: bool,
    },
    /// Run a stand-in for a Synapse pool
    Emulator(EmulatorArgs),
    /// Bearer tokens of sources
    Token {
        /// What to do
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Show what would be done in the targets
    Plan {
        /// Only this target
        #[arg(long)]
        target: Option<String>,
        /// Exit with 3 while anything is pending
        #[arg(long)]
        check: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Do it now, under the same lease as a running serve
    Apply {
        /// Only this target
        #[arg(long)]
        target: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show why somebody has what they have
    Explain {
        /// The person's userName, or the name of a service identity
        #[arg(required_unless_present = "grant")]
        user: Option<String>,
        /// Show what the person lacks for this grant, and the smallest change that would give it
        #[arg(long = "not", value_name = "GRANT", requires = "user")]
        missing: Option<String>,
        /// Show everybody who has this grant, and why
        #[arg(long, value_name = "GRANT", conflicts_with_all = ["user", "missing"])]
        grant: Option<String>,
        /// Only this target
        #[arg(long)]
        target: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// The role map
    Map {
        /// What to do
        #[command(subcommand)]
        command: MapCommand,
    },
    /// SCIM sessions
    Scim {
        /// What to do
        #[command(subcommand)]
        command: ScimCommand,
    },
    /// The journal
    Audit {
        /// What to do
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// What waits for a person
    Holds {
        /// What to do
        #[command(subcommand)]
        command: HoldsCommand,
    },
    /// Shut somebody out at once, whatever sources say, until it is released
    Offboard(OffboardArgs),
    /// Give somebody a role for a while, beside the map
    Grant(GrantArgs),
    /// Read secure views as another person, for a while and on record
    Impersonate {
        /// What to do
        #[command(subcommand)]
        command: ImpersonateCommand,
    },
    /// Secure views
    View {
        /// What to do
        #[command(subcommand)]
        command: ViewCommand,
    },
    /// Print the document of the API of operators and integrations (OpenAPI 3.1)
    Openapi,
    /// Databases that are set up over the API
    Integration {
        /// What to do
        #[command(subcommand)]
        command: IntegrationCommand,
    },
    /// What is in a target although nobody asked Axon for it
    Drift {
        /// What to do
        #[command(subcommand)]
        command: DriftCommand,
    },
    /// Files of statements that people run, for targets of kind `script`
    Script {
        /// What to do
        #[command(subcommand)]
        command: ScriptCommand,
    },
    /// Compare what identity providers hold with what they pushed; exit with 3 if something differs
    Parity(ParityArgs),
    /// Reports over all targets
    Report {
        /// Which one
        #[command(subcommand)]
        command: ReportCommand,
    },
    /// The store: its schema, its soundness, its moving
    Store {
        /// What to do
        #[command(subcommand)]
        command: StoreCommand,
    },
    /// Look at everything that Axon needs, and say what helps; exit with 3 if something is wrong
    Doctor(DoctorArgs),
    /// Show where each target stands
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// The configuration
    Config {
        /// What to do
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

/// What to do with the store.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Bring its schema up to date, and show how; other commands do so by themselves when they open it
    Migrate {
        /// Only show; exit with 3 where something is to do
        #[arg(long)]
        check: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Check it whole: links, counts, documents, the journal's chain; exit with 3 where something is wrong
    Check {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Copy it into an empty one, of the same or of the other database
    Copy {
        /// Where to, as `store` in the configuration; `${env:NAME}` and `${file:PATH}` stand for secrets
        #[arg(long)]
        to: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// A stand-in for a Synapse pool.
#[derive(Debug, Args)]
pub struct EmulatorArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// The SQL administrator, as NAME:PASSWORD
    #[arg(long)]
    pub admin: String,
    /// The UPN that enters as dbo with a token
    #[arg(long)]
    pub entra_admin: Option<String>,
    /// Which kind of pool
    #[arg(long, value_enum, default_value = "dedicated")]
    pub kind: Kind,
    /// The database is one that Spark owns, which takes no definitions: serverless
    #[arg(long)]
    pub lake: bool,
    /// One more database on the endpoint, beside `dw`; may be given several times: serverless
    #[arg(long, value_name = "NAME")]
    pub beside: Vec<String>,
    /// VIEW SERVER STATE alone shows the sessions of others, VIEW DATABASE STATE does not: serverless
    #[arg(long)]
    pub sessions_at_server: bool,
    /// What the database says its collation is; texts and names are compared as ever
    #[arg(long, value_name = "NAME")]
    pub collation: Option<String>,
    /// A JSON file of the users, groups and apps that FROM EXTERNAL PROVIDER knows
    #[arg(long)]
    pub directory: Option<PathBuf>,
    /// Offer TLS with a certificate made at start-up
    #[arg(long)]
    pub tls: bool,
    /// A loopback address of levers: HTTP (GET / lists them), or one command a line
    #[arg(long)]
    pub control: Option<SocketAddr>,
    /// A loopback address of the pool's neighbours in Azure: tokens, Graph, Synapse roles, Resource Manager, log ingestion
    #[arg(long)]
    pub rest_listen: Option<SocketAddr>,
    /// A JSON file of what the neighbours hold
    #[arg(long, requires = "rest_listen")]
    pub cloud: Option<PathBuf>,
    /// A JSON file that the state is loaded from, if it is there, and saved to at the end
    #[arg(long)]
    pub state: Option<PathBuf>,
}

/// Which kind of pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A dedicated SQL pool
    Dedicated,
    /// The serverless pool
    Serverless,
}

/// What waits for a person.
#[derive(Debug, Subcommand)]
pub enum HoldsCommand {
    /// List what waits
    List {
        /// Also what was answered, expired or is no more
        #[arg(long)]
        all: bool,
        /// Exit with 3 while anything waits
        #[arg(long)]
        check: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Let it go on
    Release(HoldAnswer),
    /// Say no: it stays as it is and is not asked again
    Reject(HoldAnswer),
    /// Show all that one is about
    Show {
        /// The hold's id, or eight or more characters of its begin or end
        id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Say beforehand that many people will leave: so many more than guards.leavers lets go at once
    Announce(Announcement),
}

/// Leavers that are expected.
#[derive(Debug, Args)]
pub struct Announcement {
    /// The target
    #[arg(long)]
    pub target: String,
    /// How many people
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub leavers: u32,
    /// For how long it counts, as 2h or 1d; 7d at most
    #[arg(long = "for", value_name = "TIME", value_parser = access::time, default_value = "24h")]
    pub length: std::time::Duration,
    /// Why, for the journal
    #[arg(long)]
    pub reason: String,
    /// Who says so
    #[command(flatten)]
    pub proof: Proof,
}

/// An answer to what waits.
#[derive(Debug, Args)]
pub struct HoldAnswer {
    /// The hold's id, or eight or more characters of its begin or end
    pub id: String,
    /// Why, for the journal
    #[arg(long)]
    pub reason: String,
    /// A name beside the login that runs this; it proves nothing
    #[arg(long, conflicts_with = "token_file")]
    pub by: Option<String>,
    /// Who says so
    #[command(flatten)]
    pub proof: Proof,
}

/// The role map.
#[derive(Debug, Subcommand)]
pub enum MapCommand {
    /// Run the map's own tests
    Test {
        /// A file or folder; the configured one, if left out
        path: Option<PathBuf>,
        /// Another value for a variable, as NAME=VALUE
        #[arg(long = "set")]
        set: Vec<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what one map says and another does not; exit with 3 if there is anything
    Diff {
        /// The old map: a file or folder
        old: PathBuf,
        /// The new one
        new: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show who would gain and lose what by a new map; exit with 3 if anybody gains anything, or may by what the text widens, or
    /// keeps what the new map leaves to people
    Preview(PreviewArgs),
    /// Print the directory as lines of JSON, for previews elsewhere
    Snapshot {
        /// Also the columns of the tables in the targets: a preview tells the statements of secure views by them
        #[arg(long)]
        tables: bool,
    },
    /// Print the JSON Schema of the language
    Schema,
    /// Write a map of a pool as it is, proved to change nothing
    Adopt(AdoptArgs),
    /// List the versions, and what waits for a second person
    Log(LogArgs),
    /// Print the files of a version
    Show(ShowArgs),
    /// Bring a new version
    Push(PushArgs),
    /// Put an old version in force again, as a new one
    Revert(RevertArgs),
    /// Let a version go on that somebody else proposed
    Release(AnswerArgs),
    /// Say no to a version that was proposed
    Reject(AnswerArgs),
    /// Check it: faults with their places, then what is most likely a mistake
    Check(CheckArgs),
}

/// Which map is checked.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// A file or folder; the configured one, if left out
    pub path: Option<PathBuf>,
    /// A file that `axon map snapshot` wrote: names of groups are looked up there, not in the store's directory
    #[arg(long)]
    pub snapshot: Option<PathBuf>,
    /// Another value for a variable, as NAME=VALUE
    #[arg(long = "set")]
    pub set: Vec<String>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// Who would gain and lose what.
#[derive(Debug, Args)]
pub struct PreviewArgs {
    /// The new map: a file or folder
    pub new: PathBuf,
    /// The map to compare with; if left out, the version in force, or with `--snapshot` the configured one
    #[arg(long)]
    pub old: Option<PathBuf>,
    /// A file that `axon map snapshot` wrote, in the place of the store's directory
    #[arg(long)]
    pub snapshot: Option<PathBuf>,
    /// Another value for a variable of the new map, as NAME=VALUE
    #[arg(long = "set")]
    pub set: Vec<String>,
    /// Compare over each of the last days, rebuilt from the journal; today is the last
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=3660), conflicts_with = "snapshot")]
    pub days: Option<u16>,
    /// Show every step behind it, not the first ones of each target
    #[arg(long)]
    pub steps: bool,
    /// Write it to this file as Markdown too, for a comment on a change; `-` prints that alone
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// SCIM sessions.
#[derive(Debug, Subcommand)]
pub enum ScimCommand {
    /// Send a recorded session to a server and show where it answers otherwise; exits with 3 where it does
    Replay(ReplayArgs),
}

/// A replay.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The recording, as `record` in the configuration makes it
    pub file: PathBuf,
    /// The server's SCIM base, as http://127.0.0.1:8080/scim/v2; it is written to
    #[arg(long)]
    pub to: String,
    /// A file with a bearer token of that server
    #[arg(long)]
    pub token_file: PathBuf,
    /// Only what this source sent
    #[arg(long)]
    pub source: Option<String>,
    /// Compare values and lengths of lists too: for a server that is as empty as the recorded one was
    #[arg(long)]
    pub values: bool,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// The journal.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Prove the chain of the store, or of an export
    Verify {
        /// An export to verify instead of the store
        #[arg(long)]
        export: Option<PathBuf>,
        /// Also verify what this key signed, as `axon audit key` prints it; exit with 3 where it signed nothing
        #[arg(long)]
        key: Option<axon_audit::PublicKey>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the public key of the one that signs the journal after probes
    Key,
    /// Write the journal as JSON lines
    Export {
        /// Where to; standard output, if left out
        #[arg(long)]
        out: Option<PathBuf>,
        /// Leave out what names people: the chain stays provable
        #[arg(long)]
        without_names: bool,
    },
}

/// The configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check it and the role map, and print what is in force
    Check {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_role_map_s_page_is_one() {
        let page = include_str!("../../../docs/ROLE-MAP.md");
        let commands: Vec<&str> = page.lines().filter(|line| line.starts_with("axon ")).collect();
        assert!(commands.len() >= 8);
        for command in commands {
            let words = command.split(" # ").next().unwrap().split('\'');
            // Every second part stood in quotes.
            let words = words.enumerate().flat_map(|(n, part)| {
                if n % 2 == 1 { vec![part] } else { part.split_whitespace().collect() }
            });
            Cli::try_parse_from(words).unwrap_or_else(|e| panic!("{command}: {e}"));
        }
    }
}
