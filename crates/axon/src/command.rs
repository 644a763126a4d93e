//! The commands, one file each.

mod apply;
mod asked;
mod audit;
mod check_config;
mod check_map;
mod doctor;
mod drift;
mod emulator;
mod explain;
mod grant;
mod holds;
mod impersonate;
mod integration;
mod map;
mod offboard;
mod parity;
mod people;
mod plan;
mod replay;
mod report;
mod script;
mod serve;
mod status;
mod store;
mod token;
mod view;

use std::path::Path;
use std::process::ExitCode;

use crate::cli::{Cli, Command, ConfigCommand, MapCommand, ScimCommand};
use crate::demo;
use crate::wiring::{Parts, load_config, load_map};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Done,
    /// Failed, and said so.
    Failed,
    /// Something is pending or was found.
    Found,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        match status {
            Status::Done => Self::SUCCESS,
            Status::Failed => Self::from(1),
            Status::Found => Self::from(3),
        }
    }
}

/// Runs the command.
pub async fn run(cli: Cli) -> anyhow::Result<Status> {
    let config = cli.config.as_path();
    match cli.command {
        Command::Serve => serve::run(load_config(config)?).await,
        Command::Demo { keep } => Box::pin(demo::run(keep)).await,
        Command::Emulator(args) => emulator::run(args).await,
        Command::Openapi => {
            print!("{}", axon_api::openapi::text());
            Ok(Status::Done)
        }
        Command::Token { command } => token::run(parts(config).await?, command).await,
        Command::Plan { target, check, json } => {
            plan::run(mapped(config).await?, target.as_deref(), check, json).await
        }
        Command::Apply { target, json } => apply::run(mapped(config).await?, target.as_deref(), json).await,
        Command::Explain { user, missing, grant, target, json } => {
            let parts = existing(config).await?;
            match (user, grant.or(missing)) {
                (user, Some(grant)) => {
                    explain::grant::run(&parts, user.as_deref(), &grant, target.as_deref(), json).await
                }
                (user, None) => {
                    explain::run(&parts, &user.unwrap_or_default(), target.as_deref(), json).await
                }
            }
        }
        Command::Map { command: MapCommand::Test { path, set, json } } => {
            map::test(config, path.as_deref(), &set, json)
        }
        Command::Map { command: MapCommand::Diff { old, new, json } } => {
            map::diff::run(config, &old, &new, json)
        }
        Command::Map { command: MapCommand::Preview(args) } => {
            Box::pin(map::preview::run(config, &args)).await
        }
        Command::Map { command: MapCommand::Snapshot { tables } } => {
            map::snapshot::write(&existing(config).await?, tables).await
        }
        Command::Map { command: MapCommand::Schema } => map::print_schema(),
        Command::Map { command: MapCommand::Adopt(args) } => Box::pin(map::adopt::run(config, &args)).await,
        Command::Map { command: MapCommand::Log(args) } => map::versions::log(config, &args).await,
        Command::Map { command: MapCommand::Show(args) } => map::versions::show(config, &args).await,
        Command::Map { command: MapCommand::Push(args) } => {
            Box::pin(map::versions::push(config, &args)).await
        }
        Command::Map { command: MapCommand::Revert(args) } => {
            Box::pin(map::versions::revert(config, &args)).await
        }
        Command::Map { command: MapCommand::Release(args) } => {
            Box::pin(map::versions::answer(config, &args, true)).await
        }
        Command::Map { command: MapCommand::Reject(args) } => {
            Box::pin(map::versions::answer(config, &args, false)).await
        }
        Command::Map { command: MapCommand::Check(args) } => check_map::run(config, &args).await,
        Command::Scim { command: ScimCommand::Replay(args) } => replay::run(args).await,
        Command::Audit { command } => audit::run(config, command).await,
        Command::Holds { command } => holds::run(existing(config).await?, command).await,
        Command::Offboard(args) => offboard::run(existing(config).await?, args).await,
        Command::Grant(args) => Box::pin(grant::run(existing(config).await?, args)).await,
        Command::Impersonate { command } => {
            Box::pin(impersonate::run(existing(config).await?, command)).await
        }
        Command::View { command } => Box::pin(view::run(mapped(config).await?, command)).await,
        Command::Integration { command } => Box::pin(integration::run(config, command)).await,
        Command::Drift { command } => drift::run(mapped(config).await?, command).await,
        Command::Script { command } => script::run(mapped(config).await?, command).await,
        Command::Parity(args) => Box::pin(parity::run(existing(config).await?, &args)).await,
        Command::Report { command } => Box::pin(report::run(mapped(config).await?, command)).await,
        Command::Store { command } => store::run(load_config(config)?, command).await,
        Command::Doctor(args) => Box::pin(doctor::run(config, args)).await,
        Command::Status { json } => status::run(existing(config).await?, json).await,
        Command::Config { command: ConfigCommand::Check { json } } => {
            check_config::run(&load_config(config)?, json)
        }
    }
}

async fn parts(config: &Path) -> anyhow::Result<Parts> {
    Parts::open(load_config(config)?).await
}

async fn existing(config: &Path) -> anyhow::Result<Parts> {
    Parts::open_existing(load_config(config)?).await
}

/// The same for commands that need the role map: what is wrong with it is said first.
async fn mapped(config: &Path) -> anyhow::Result<Parts> {
    let config = load_config(config)?;
    if !Parts::store_exists(&config).await? {
        load_map(&config)?;
    }
    Parts::open_existing(config).await
}

/// Prints a value as JSON for machines.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}
