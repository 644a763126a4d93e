//! The reconciler's suite against any TDS server: each case says what it needs of the server, and is left out, by name and with
//! the server's own words, where that is lacking.
//!
//! Without more it runs against the emulator, as a dedicated and as a serverless pool, where nothing may be left out but what
//! is named. `AXON_LIVE_TDS=host:port/database` names another server (docs/EMULATOR.md, "Live servers").
#![expect(clippy::unwrap_used, reason = "test support fails like a test")]
#![expect(clippy::print_stdout, reason = "what is left out is said")]

mod ability;
mod cases;
mod people;
mod server;

use ability::{Ability, probe};
use cases::{CASES, Case};
use server::Server;

/// What came of one case.
enum Came {
    Passed,
    LeftOut(Vec<String>),
    Failed(String),
}

async fn play(server: &Server, case: &Case, can: &[(Ability, Result<(), String>)]) -> Came {
    let lacking: Vec<String> = can
        .iter()
        .filter(|(ability, _)| case.needs.contains(ability))
        .filter_map(|(ability, answer)| Some(format!("{}: {}", ability.name(), answer.as_ref().err()?)))
        .collect();
    if !lacking.is_empty() {
        return Came::LeftOut(lacking);
    }
    server.tidy().await;
    let played = (case.play)(server).await;
    server.tidy().await;
    match played {
        Ok(()) => Came::Passed,
        Err(words) => Came::Failed(words),
    }
}

/// Plays all cases; prints what came of each, and gives the names of those that were left out and of those that failed.
async fn suite(server: &Server) -> (Vec<&'static str>, Vec<&'static str>) {
    println!("{}", server.greeting().await);
    server.tidy().await;
    let can = probe(server).await;
    for (ability, answer) in &can {
        let words = answer.as_ref().map_or_else(|words| format!("no: {words}"), |()| "yes".to_owned());
        println!("  {:<28} {words}", ability.name());
    }
    let (mut left_out, mut failed) = (Vec::new(), Vec::new());
    for case in CASES {
        match play(server, case, &can).await {
            Came::Passed => println!("passed    {}", case.name),
            Came::LeftOut(why) => {
                println!("skipped   {}: {}", case.name, why.join("; "));
                left_out.push(case.name);
            }
            Came::Failed(words) => {
                println!("FAILED    {}: {words}", case.name);
                failed.push(case.name);
            }
        }
    }
    server.tidy().await;
    println!(
        "{} passed, {} skipped, {} failed",
        CASES.len() - left_out.len() - failed.len(),
        left_out.len(),
        failed.len()
    );
    (left_out, failed)
}

#[tokio::test]
async fn the_suite_on_the_emulator_as_a_dedicated_pool() {
    let server = Server::emulated(axon_emulator::PoolKind::Dedicated).await;
    let (left_out, failed) = suite(&server).await;
    assert_eq!((left_out, failed), (Vec::<&str>::new(), Vec::<&str>::new()));
}

#[tokio::test]
async fn the_suite_on_the_emulator_as_a_serverless_pool() {
    let server = Server::emulated(axon_emulator::PoolKind::Serverless).await;
    let (left_out, failed) = suite(&server).await;
    assert_eq!((left_out, failed), (Vec::<&str>::new(), Vec::<&str>::new()));
}

#[tokio::test]
async fn the_suite_on_the_server_that_the_environment_names() {
    let Some(server) = Server::named() else {
        println!("skipped: AXON_LIVE_TDS names no server");
        return;
    };
    let (_, failed) = suite(&server).await;
    assert_eq!(failed, Vec::<&str>::new());
}
