//! `axon emulator`

mod control;

use anyhow::{Context, bail};
use axon_emulator::directory::Directory;
use axon_emulator::pool::config::{PoolConfig, PoolKind};
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
    if !args.listen.ip().is_loopback() {
        bail!(
            "--listen {} is not on loopback: the emulator checks no signatures and is for this machine only",
            args.listen
        );
    }
    let mut pool = PoolConfig::new(admin, password);
    pool.kind = match args.kind {
        Kind::Dedicated => PoolKind::Dedicated,
        Kind::Serverless => PoolKind::Serverless,
    };
    pool.entra_admin = args.entra_admin;
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
    if let Some(control) = args.control {
        control::listen(control, emulator.pool().clone()).await?;
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
    Ok(Status::Done)
}
