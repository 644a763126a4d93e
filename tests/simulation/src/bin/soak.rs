//! `soak`: tells many stories and prints how often each trouble struck; `soak --seed N` tells one again.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axon_simulation::run::{self, On, STEPS};
use axon_simulation::trouble::{Kind, Struck};
use clap::Parser;

/// Tells random stories and looks at what must always be true.
#[derive(Debug, Parser)]
struct Arguments {
    /// Tell this one again, with all that happened.
    #[arg(long)]
    seed: Option<u64>,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// How many steps a story has.
    #[arg(long, default_value_t = STEPS)]
    steps: usize,
    /// Begin no new story after so many seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// How often each kind of trouble has to strike; fewer is a failure.
    #[arg(long, default_value_t = 0)]
    at_least: u64,
    /// How many threads, each with stories of its own.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// What the stories rest on.
    #[arg(long, value_enum, default_value_t = On::Memory)]
    on: On,
    /// Go on after this many failures.
    #[arg(long, default_value_t = 0)]
    failures: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    std::panic::set_hook(Box::new(|_| {}));
    if let Some(seed) = arguments.seed {
        return match run::seed(seed, arguments.steps, arguments.on) {
            Ok(told) => {
                println!("seed {seed}: {} ticks, {} statements, {}", told.ticks, told.statements, told.head);
                ExitCode::SUCCESS
            }
            Err(failure) => {
                println!("{failure}");
                ExitCode::FAILURE
            }
        };
    }
    many(&arguments)
}

/// A long run tells how far it got.
const MILE: u64 = 1_000;

#[derive(Default)]
struct Sum {
    struck: Struck,
    stories: u64,
    ticks: u64,
    statements: u64,
    spooled: u64,
    buried: u64,
    failed: Vec<(u64, String)>,
}

fn many(arguments: &Arguments) -> ExitCode {
    let began = Instant::now();
    let next = AtomicU64::new(arguments.from);
    let end = arguments.from.saturating_add(arguments.seeds);
    let sum = Mutex::new(Sum::default());
    let over = || arguments.seconds.is_some_and(|most| began.elapsed().as_secs() >= most);
    let locked = || sum.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads.max(1) {
            scope.spawn(|| {
                while !over() && locked().failed.len() <= arguments.failures {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let told = run::seed(seed, arguments.steps, arguments.on);
                    let mut sum = locked();
                    match told {
                        Ok(told) => {
                            sum.stories += 1;
                            sum.ticks += told.ticks;
                            sum.statements += told.statements;
                            sum.spooled += told.spooled;
                            sum.buried += told.buried;
                            sum.struck.add(&told.struck);
                            if sum.stories.is_multiple_of(MILE) {
                                eprintln!(
                                    "{} stories in {:.0} s",
                                    sum.stories,
                                    began.elapsed().as_secs_f64()
                                );
                            }
                        }
                        Err(failure) => {
                            eprintln!("seed {seed}, step {}: {}", failure.step, failure.what);
                            sum.failed.push((seed, failure.what));
                        }
                    }
                }
            });
        }
    });
    let sum = sum.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    println!(
        "{} stories (seeds {} to {}) of {} steps broke nothing, {} did; {} ticks, {} statements in {:.1} s",
        sum.stories,
        arguments.from,
        next.into_inner().min(end).saturating_sub(1),
        arguments.steps,
        sum.failed.len(),
        sum.ticks,
        sum.statements,
        began.elapsed().as_secs_f64()
    );
    println!("{} statements ran while the disk under the store was full, each with its record", sum.spooled);
    println!("{} users of people who left were dropped", sum.buried);
    let mut rare = false;
    for kind in Kind::ALL {
        let times = sum.struck.times(kind);
        rare |= times < arguments.at_least;
        println!("{times:>9}  {}", kind.word());
    }
    for (seed, what) in &sum.failed {
        println!(
            "seed {seed} failed: {what}\n  again: cargo run -p axon-simulation --bin soak -- --seed {seed} --on {}",
            arguments.on.word()
        );
    }
    if rare {
        println!("a kind of trouble struck fewer than {} times", arguments.at_least);
    }
    if sum.failed.is_empty() && !rare { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
