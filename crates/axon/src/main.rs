//! `axon`: the one binary.
//!
//! ```text
//!  serve ── store, api, controller, targets          one process, or several on one store
//!  plan, apply, explain, map, audit, token, status   beside it, on the same store
//!  demo ── starts serve and emulator, plays two tenants, compares the catalog with what the story must end in
//! ```
//!
//! Exit status: 0 done, 1 failed, 2 wrong usage, 3 something pending or found.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to people")]

mod cli;
mod command;
mod config;
mod demo;
mod identities;
mod integrations;
mod leavers;
mod listener;
mod map_file;
mod maps;
mod parity;
mod person;
mod remote;
mod ship;
mod store;
mod telemetry;
mod ways;
mod wiring;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

/// What one thread makes another gives back here (requests, the writer, answers). The C library's allocator does that ever slower
/// on a heap that was large once: half of a create's time, right after all users were read (ADR 1).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    leave_when_nobody_reads();
    let cli = cli::Cli::parse();
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("axon: another crypto provider is installed already");
        return ExitCode::FAILURE;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("axon: the runtime does not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(command::run(cli)) {
        Ok(status) => status.into(),
        // Whoever reads half of our output through a pipe and leaves is not an error of ours.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("axon: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("  because: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Printing into a pipe whose reader left, as `head` does, panics: here it ends the command as if all had been read.
fn leave_when_nobody_reads() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload().downcast_ref::<String>();
        if text.is_some_and(|text| text.starts_with("failed printing to stdout: Broken pipe")) {
            std::process::exit(0);
        }
        told(panic);
    }));
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
