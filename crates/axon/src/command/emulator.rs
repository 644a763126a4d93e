//! `axon emulator`

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, bail};
use axon_emulator::clock::MovableClock;
use axon_emulator::cloud::Cloud;
use axon_emulator::cloud::state::CloudState;
use axon_emulator::control::{Control, Levers};
use axon_emulator::directory::Directory;
use axon_emulator::http::Neighbours;
use axon_emulator::pool::config::{PoolConfig, PoolKind};
use axon_emulator::saved::SavedState;
use axon_emulator::server::config::{Encryption, Identity, WireConfig};
use axon_emulator::{Emulator, EmulatorConfig};
use tokio::signal::unix::{SignalKind, signal};

use super::Status;
use crate::cli::{EmulatorArgs, Kind};

/// Runs until SIGTERM or SIGINT.
pub async fn run(args: EmulatorArgs) -> anyhow::Result<Status> {
    let Some((admin, password)) = args.admin.split_once(':').filter(|(a, p)| !a.is_empty() && !p.is_empty())
    else {
        bail!("--admin is NAME:PASSWORD");
    };
    let addresses =
        [("--listen", Some(args.listen)), ("--control", args.control), ("--rest-listen", args.rest_listen)];
    for (option, address) in addresses.iter().filter_map(|(option, address)| Some((option, (*address)?))) {
        only_here(option, address)?;
    }
    let mut pool = pool_of(&args, admin, password)?;
    pool.entra_admin = args.entra_admin.clone();
    let clock = Arc::new(MovableClock::default());
    pool.clock = clock.clone();
    if let Some(file) = &args.directory {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read --directory {}", file.display()))?;
        pool.directory = Directory::parse(&text).with_context(|| {
            format!("--directory {} is not what docs/EMULATOR.md describes", file.display())
        })?;
    }
    let mut wire = WireConfig::default();
    if args.tls {
        let names = vec!["localhost".to_owned(), args.listen.ip().to_string()];
        wire.encryption = Encryption::Optional(Identity::self_signed(names).context("a certificate")?);
    }
    let emulator = Emulator::bind(args.listen, EmulatorConfig { pool, wire })
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let cloud = match args.rest_listen {
        Some(_) => Some(Cloud::new(emulator.pool().clone(), seed(&args)?)),
        None => None,
    };
    let pool = emulator.pool().clone();
    if let Some(file) = &args.state
        && let Some(saved) = SavedState::read(file)?
    {
        saved.restore(&pool, cloud.as_deref()).with_context(|| format!("--state {}", file.display()))?;
    }
    let levers =
        Levers { pool: pool.clone(), cloud: cloud.clone(), clock: Some(clock), file: args.state.clone() };
    let control = match args.control {
        Some(address) => Some(
            Control::start(address, levers)
                .await
                .with_context(|| format!("cannot listen on --control {address}"))?,
        ),
        None => None,
    };
    let neighbours = match (args.rest_listen, &cloud) {
        (Some(address), Some(cloud)) => Some(
            Neighbours::start(address, cloud.clone())
                .await
                .with_context(|| format!("cannot listen on --rest-listen {address}"))?,
        ),
        _ => None,
    };
    if let Some(control) = &control {
        println!("control on {}", control.address());
    }
    if let Some(neighbours) = &neighbours {
        println!("rest on {}", neighbours.address());
    }
    println!("listening on {}", emulator.local_addr());
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    emulator
        .run(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        })
        .await;
    drop((control, neighbours));
    if let Some(file) = &args.state {
        SavedState::of(&pool, cloud.as_deref()).write(file)?;
    }
    Ok(Status::Done)
}

/// The pool that is asked for.
fn pool_of(args: &EmulatorArgs, admin: &str, password: &str) -> anyhow::Result<PoolConfig> {
    let mut pool = PoolConfig::new(admin, password);
    pool.kind = match args.kind {
        Kind::Dedicated => PoolKind::Dedicated,
        Kind::Serverless => PoolKind::Serverless,
    };
    if args.lake && pool.kind != PoolKind::Serverless {
        bail!("--lake goes with --kind serverless: dedicated pools have no lake databases");
    }
    pool.lake = args.lake;
    if pool.kind != PoolKind::Serverless && (!args.beside.is_empty() || args.sessions_at_server) {
        bail!(
            "--beside and --sessions-at-server go with --kind serverless: a dedicated pool is one database"
        );
    }
    let taken =
        |name: &&String| [pool.database.as_str(), "master"].iter().any(|own| own.eq_ignore_ascii_case(name));
    if let Some(name) = args.beside.iter().find(taken) {
        bail!("--beside {name}: the endpoint has a database of that name");
    }
    pool.beside.clone_from(&args.beside);
    pool.sessions_at_server = args.sessions_at_server;
    if let Some(collation) = &args.collation {
        pool.collation.clone_from(collation);
    }
    Ok(pool)
}

fn only_here(option: &str, address: SocketAddr) -> anyhow::Result<()> {
    if !address.ip().is_loopback() {
        bail!(
            "{option} {address} is not on loopback: the emulator checks no signatures and is for this machine only"
        );
    }
    Ok(())
}

/// What the neighbours begin with.
fn seed(args: &EmulatorArgs) -> anyhow::Result<CloudState> {
    let Some(file) = &args.cloud else { return Ok(CloudState::default()) };
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read --cloud {}", file.display()))?;
    serde_json::from_str(&text)
        .with_context(|| format!("--cloud {} is not what docs/EMULATOR.md describes", file.display()))
}
