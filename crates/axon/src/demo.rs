//! `axon demo`: the main job on this machine, with the real server and the real wire, compared with a table written by hand.
//!
//! ```text
//!  demo ──HTTP──> axon serve ──TDS───> axon emulator <──TDS── observer (its own client, shares nothing with the product)
//!                            └──HTTP──>      │       <──HTTP── beside: workspace and factory, by the control port
//! ```

mod beside;
mod entra;
mod observer;
mod okta;
mod people;
mod process;
mod push;
mod scene;
mod tenant;
mod workplace;

use std::io::IsTerminal;
use std::time::Instant;

use anyhow::Context;

use crate::command::Status;
use process::Child;
use push::{Connector, Sent};
use scene::Scenes;
use workplace::Workplace;

/// The database login that sets the pool up and observes it. It guards an empty stand-in on loopback.
const ADMIN: &str = "sa";

/// Plays both tenants and compares; with `keep`, leaves everything running until it is interrupted.
pub async fn run(keep: bool) -> anyhow::Result<Status> {
    let began = Instant::now();
    let place = Workplace::make()?;
    println!("Axon's demo, in {}\n", place.path().display());

    let password = place.password();
    let emulator = Child::start(
        &place,
        "emulator",
        &[
            "emulator",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            &format!("{ADMIN}:{password}"),
            "--entra-admin",
            people::ENTRA_ADMIN,
            "--directory",
            &place.file("directory.json"),
            "--rest-listen",
            "127.0.0.1:0",
            "--cloud",
            &place.file("cloud.json"),
            "--control",
            "127.0.0.1:0",
        ],
    )
    .await?;
    let (rest, control) = (emulator.said("rest on ")?.to_owned(), emulator.said("control on ")?.to_owned());
    println!("  emulator  a stand-in for a dedicated SQL pool, on {}", emulator.address());
    println!("            and for a Synapse workspace, a data factory, Entra's tokens and Graph, on {rest}");
    let mut observer = observer::Observer::connect(emulator.address(), ADMIN, &password).await?;
    observer.set_up(include_str!("demo/pool.sql")).await?;

    place.write_configuration(emulator.address(), &rest)?;
    place.write_token()?;
    let config = place.file("axon.yaml");
    let entra_token = process::output(&["token", "create", "--config", &config, "--source", "entra"]).await?;
    let okta_token = process::output(&["token", "create", "--config", &config, "--source", "okta"]).await?;
    let serve = Child::start(&place, "serve", &["serve", "--config", &config]).await?;
    let base = format!("{}/scim/v2", serve.address());
    println!("  serve     SCIM on {base}, the store is a SQLite file\n");

    let sent = Sent::default();
    let mut scenes = Scenes::open(&place.store(), sent.clone()).await?;
    scenes.begin("Start: the roles of the map appear in the pool, empty", 0);
    scenes.settle().await.with_context(|| place.hint())?;

    let entra = Connector::new(base.clone(), entra_token.trim().to_owned(), "", sent.clone());
    let okta = Connector::new(base.clone(), okta_token.trim().to_owned(), "Okta SCIM Client 1.0.0", sent);
    entra::play(&entra, &mut scenes).await.with_context(|| place.hint())?;
    okta::play(&okta, &mut scenes).await.with_context(|| place.hint())?;
    // What a role is given for needs a moment in a workspace: its state says so until then.
    scenes.converged().await.with_context(|| place.hint())?;
    scenes.close().await;

    println!("What the catalog says now, read over a connection of its own:\n");
    let found = observer.read().await?;
    println!("{}", found.table());
    let expected = observer::Found::parse(include_str!("demo/expected.txt"))?;
    println!("What the workspace and the factory say now, read from the stand-in itself:\n");
    let held = beside::Held::read(&control).await?;
    println!("{}", held.table());
    let expected_held = beside::Held::parse(include_str!("demo/expected-azure.txt"))?;
    let mut differences = found.differences(&expected);
    differences.extend(held.differences(&expected_held));
    if differences.is_empty() {
        println!(
            "These are the tables that were written by hand for this story: {} lines agree.\n",
            expected.lines() + expected_held.lines()
        );
    } else {
        println!("It differs from the tables that were written by hand for this story:");
        for difference in &differences {
            println!("  {difference}");
        }
        println!();
    }

    println!("$ axon audit verify");
    let proved = process::show(&["audit", "verify", "--config", &config]).await?;
    println!("\n$ axon explain ana.souza@acme.example");
    let explained = process::show(&["explain", "ana.souza@acme.example", "--config", &config]).await?;

    let lost = parity(&control, &config).await?;

    differences.extend(lost);
    let status = verdict(&differences, proved, explained);
    let ok = status == Status::Done;
    println!("\n{} in {:.1} s", if ok { "Done" } else { "Failed" }, began.elapsed().as_secs_f64());
    if keep {
        stay(&place, &base, emulator.address(), &password, entra_token.trim()).await?;
    }
    serve.stop().await;
    emulator.stop().await;
    if !keep && ok {
        place.remove();
    } else if !ok {
        println!("{}", place.hint());
    }
    Ok(status)
}

/// Lets the tenant be as it was pushed, but for one request that was lost, and lets Axon find that. What else it finds comes back.
async fn parity(control: &str, config: &str) -> anyhow::Result<Vec<String>> {
    let (who, group) = tenant::LOST;
    tenant::follow(control).await?;
    println!(
        "\nOne request was lost on its way: {who} left {group} in Entra, and nobody told Axon. Entra never looks again; Axon does:"
    );
    println!("\n$ axon parity --full");
    process::show(&["parity", "--full", "--config", config]).await?;
    let found = process::found(&["parity", "--full", "--json", "--config", config]).await?;
    let surprises = tenant::surprises(&serde_json::from_str(&found).context("what parity says to machines")?);
    for surprise in &surprises {
        println!("  {surprise}");
    }
    Ok(surprises)
}

/// One line that differs, an unproved journal or an unexplained person fails the demo.
fn verdict(differences: &[String], proved: bool, explained: bool) -> Status {
    if differences.is_empty() && proved && explained { Status::Done } else { Status::Failed }
}

async fn stay(place: &Workplace, base: &str, pool: &str, password: &str, token: &str) -> anyhow::Result<()> {
    let (host, port) = pool.rsplit_once(':').context("an address")?;
    println!("\nIt stays up until you press Ctrl-C. Everything is in {}", place.path().display());
    println!("\n  SCIM    {base}");
    println!("  token   {token}   (source entra)");
    println!("  pool    {pool}   (database dw, login {ADMIN}, password {password})");
    println!("\n  curl -s -H 'Authorization: Bearer {token}' '{base}/Users?count=2'");
    println!("  tsql -H {host} -p {port} -U {ADMIN} -P {password} -D dw");
    println!(
        "  python3 -c \"import pytds; c = pytds.connect('{host}', 'dw', '{ADMIN}', '{password}', port={port}); \
         k = c.cursor(); k.execute('SELECT name, type_desc FROM sys.database_principals'); print(k.fetchall())\""
    );
    println!("  axon --config {} status", place.file("axon.yaml"));
    if !std::io::stdout().is_terminal() {
        use std::io::Write as _;
        std::io::stdout().flush()?;
    }
    tokio::signal::ctrl_c().await.context("SIGINT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_difference_fails_the_demo() {
        assert_eq!(verdict(&[], true, true), Status::Done);
        assert_eq!(verdict(&["missing:    x".into()], true, true), Status::Failed);
        assert_eq!(verdict(&[], false, true), Status::Failed);
        assert_eq!(verdict(&[], true, false), Status::Failed);
    }
}
