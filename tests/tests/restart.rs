//! Stopping, starting again, and commands beside a running server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axon_tests::{MAP, Place, Pool, SOON, Scim, Serve, Stage, until, user};

/// How long a lease may outlive its holder, and a restart.
const LEASE_AND_MORE: Duration = Duration::from_secs(30);
const KIM: &str = "kim@acme.example";

#[tokio::test]
async fn sigterm_finishes_what_is_in_flight_and_exits_0_quickly() -> anyhow::Result<()> {
    let stage = Stage::set(&[]).await?;
    // Writers that go on until the server turns them away.
    let flowing = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let flowing = flowing.clone();
            let scim: Scim = stage.scim.clone();
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for n in 0.. {
                    match scim.post("/Users", &user(&format!("w{writer}-{n}@acme.example"))).await {
                        Ok(answer) if answer.status == 201 => {
                            acknowledged.push(answer.id()?);
                            flowing.fetch_add(1, Ordering::Relaxed);
                        }
                        // Half an answer would be an error of the client's own; a refusal says why.
                        Ok(answer) => anyhow::bail!("answered {}: {}", answer.status, answer.body),
                        Err(error) => {
                            let refused = error
                                .downcast_ref::<reqwest::Error>()
                                .is_some_and(reqwest::Error::is_connect);
                            ensure!(refused || error.to_string().contains("sending request"), "{error:#}");
                            break;
                        }
                    }
                }
                Ok(acknowledged)
            })
        })
        .collect();
    until("writes flow", SOON, async || Ok((flowing.load(Ordering::Relaxed) > 100).then_some(()))).await?;
    let Stage { serve, place, token, pool, .. } = stage;
    let began = Instant::now();
    let ended = serve.stop().await?;
    ensure!(ended.code() == Some(0), "{ended}");
    ensure!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
    ensure!(!place.file("axon.db-wal").exists(), "a store that was closed is not one file");
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await??);
    }
    ensure!(acknowledged.len() > 100);
    place.axon(&["audit", "verify"]).await?.exits(0)?;

    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&token);
    for id in &acknowledged {
        scim.get(&format!("/Users/{id}")).await?.is(200)?;
    }
    drop(pool);
    Ok(())
}

#[tokio::test]
async fn a_slow_target_does_not_hold_up_the_stop() -> anyhow::Result<()> {
    let stage = Stage::set(&[KIM]).await?;
    stage.state("converged").await?;
    stage.pool.lever("latency 2000 1 CREATE USER").await?;
    let kim = stage.scim.person(KIM).await?;
    stage.scim.group("Readers", &[&kim]).await?;
    until("the step's intent is recorded", SOON, async || {
        let journal = stage.place.journal().await?;
        Ok(journal.iter().any(|r| r.kind == "step-intent" && r.clear.to_string().contains(KIM)).then_some(()))
    })
    .await?;
    let Stage { serve, place, pool, .. } = stage;
    let began = Instant::now();
    let ended = serve.stop().await?;
    ensure!(
        ended.code() == Some(0) && began.elapsed() < Duration::from_secs(10),
        "{ended} {:?}",
        began.elapsed()
    );
    // The wave that had begun was finished and recorded: no intent is without its outcome.
    let journal = place.journal().await?;
    let count = |kind: &str| journal.iter().filter(|r| r.kind == kind).count();
    ensure!(count("step-intent") == count("step-outcome"), "{journal:#?}");
    drop(pool);
    Ok(())
}

#[tokio::test]
async fn a_converged_target_gets_no_new_statements_from_a_restart() -> anyhow::Result<()> {
    let mut stage = Stage::set(&[KIM]).await?;
    let kim = stage.scim.person(KIM).await?;
    stage.scim.group("Readers", &[&kim]).await?;
    stage.catalog_when("kim reads", |c| c.roles_of(KIM) == ["axon_reader"]).await?;
    stage.state("converged").await?;
    let (before, sent) = (stage.catalog().await?, stage.place.statements().await?);
    for signal in ["TERM", "INT", "KILL"] {
        let place = &stage.place;
        stage.serve.child().signal(signal).await?;
        until("it has gone", SOON, async || Ok(stage.serve.page("/healthz").await.is_err().then_some(())))
            .await?;
        let serve = Serve::start(place).await?;
        stage.takes(serve);
        stage.state("converged").await?;
        ensure!(
            stage.place.statements().await? == sent,
            "after SIG{signal}: {:?}",
            stage.place.statements().await?
        );
        ensure!(stage.catalog().await? == before);
    }
    stage.place.axon(&["plan", "--check"]).await?.exits(0)?;
    Ok(())
}

#[tokio::test]
async fn plan_shows_what_is_pending_and_apply_does_it_beside_a_running_server() -> anyhow::Result<()> {
    let place = Place::new([KIM])?;
    let pool = Pool::start(&place, 0).await?;
    place.furnish(&MAP.replace("mode: authoritative", "mode: observe"), pool.port()?)?;
    let token = place.token("entra").await?;
    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&token);
    let kim = scim.person(KIM).await?;
    scim.group("Readers", &[&kim]).await?;
    until("it is observed", SOON, async || Ok((serve.state().await? == "observed").then_some(()))).await?;

    let said = place.axon(&["plan", "--check"]).await?.exits(3)?;
    for words in ["withheld", "axon_reader", KIM, "observe"] {
        ensure!(said.out.contains(words), "{words:?} is not in {}", said.out);
    }
    // Without --check a plan that was shown is a success.
    place.axon(&["plan"]).await?.exits(0)?;
    let json = place.axon(&["plan", "--json"]).await?.exits(0)?.json()?;
    ensure!(json["warehouse"]["withheld"].as_array().is_some_and(|w| w.len() > 3), "{json}");
    ensure!(place.statements().await?.is_empty(), "observing changes nothing");
    place.axon(&["apply"]).await?.exits(3)?;
    ensure!(place.statements().await?.is_empty(), "nor does apply");

    // Let loose. Apply puts the file in force, so that the server takes it, too: each may do some of the steps, and none is done twice.
    place.furnish(MAP, pool.port()?)?;
    let json = place.axon(&["plan", "--json"]).await?.exits(0)?.json()?;
    let planned = json["warehouse"]["steps"].as_array().context("steps")?.len();
    ensure!(planned > 3, "{json}");
    place.axon(&["plan", "--check"]).await?.exits(3)?;
    let said = place.axon(&["apply"]).await?.exits(0)?;
    ensure!(said.out.contains("converged ("), "{}", said.out);
    place.axon(&["plan", "--check"]).await?.exits(0)?;
    let again = place.axon(&["apply", "--json"]).await?.exits(0)?.json()?;
    ensure!(again["warehouse"]["state"] == "converged", "{again}");
    ensure!(place.statements().await?.len() == planned, "a second apply has nothing to do");
    let explained = place.axon(&["explain", KIM]).await?.exits(0)?;
    for words in ["role reader", "Readers", "select on sales.orders", "role-map.yaml:"] {
        ensure!(explained.out.contains(words), "{words:?} is not in {}", explained.out);
    }
    scim.get("/Users").await?.is(200)?;
    Ok(())
}

#[tokio::test]
async fn apply_and_a_running_server_share_the_work_under_one_lease() -> anyhow::Result<()> {
    let people: Vec<String> = (0..20).map(|n| format!("p{n}@acme.example")).collect();
    let names: Vec<&str> = people.iter().map(String::as_str).collect();
    let stage = Stage::set(&names).await?;
    let mut ids = Vec::new();
    for name in &names {
        ids.push(stage.scim.person(name).await?);
    }
    let members: Vec<&str> = ids.iter().map(String::as_str).collect();
    stage.scim.group("Readers", &members).await?;
    let (one, two) = tokio::join!(stage.place.axon(&["apply"]), stage.place.axon(&["apply"]));
    one?.exits(0)?;
    two?.exits(0)?;
    stage.catalog_when("all read", |c| names.iter().all(|name| c.roles_of(name) == ["axon_reader"])).await?;
    stage.state("converged").await?;
    // Nobody was made twice: each statement was sent once, whoever sent it.
    let mut sent = stage.place.statements().await?;
    let all = sent.len();
    sent.sort();
    sent.dedup();
    ensure!(sent.len() == all, "{all} statements, {} different", sent.len());
    stage.place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}

#[tokio::test]
async fn a_server_that_was_killed_within_a_statement_looks_again_and_goes_on() -> anyhow::Result<()> {
    let mut stage = Stage::set(&[KIM]).await?;
    stage.state("converged").await?;
    stage.pool.lever("latency 300 1 CREATE USER").await?;
    let kim = stage.scim.person(KIM).await?;
    stage.scim.group("Readers", &[&kim]).await?;
    until("the statement is on its way", SOON, async || {
        let journal = stage.place.journal().await?;
        Ok(journal.iter().any(|r| r.kind == "step-intent" && r.clear.to_string().contains(KIM)).then_some(()))
    })
    .await?;
    stage.serve.child().signal("KILL").await?;
    until("it has gone", SOON, async || Ok(stage.serve.page("/healthz").await.is_err().then_some(())))
        .await?;
    let serve = Serve::start(&stage.place).await?;
    stage.takes(serve);
    // The dead server still has the lease: nobody knows whether it lives until that has run out.
    until("kim reads", LEASE_AND_MORE, async || {
        Ok((stage.catalog().await?.roles_of(KIM) == ["axon_reader"]).then_some(()))
    })
    .await?;
    stage.state("converged").await?;
    let journal = stage.place.journal().await?;
    let outcomes =
        journal.iter().filter(|r| r.kind == "step-outcome" && r.clear.to_string().contains("CREATE USER"));
    // The pool may have carried out what the dead server sent: then it is found there and not sent again.
    ensure!(outcomes.count() <= 1, "{journal:#?}");
    stage.place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}
