//! Several replicas on one PostgreSQL: one directory, one set of tokens, one lease; and a primary that dies and comes back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axon_tests::{Catalog, MAP, Place, Pool, Postgres, Provider, SOON, Scim, Serve, until, user};
use serde_json::json;

const SOURCES: [(&str, &str); 1] = [("entra", "{ kind: entra }")];
const KIM: &str = "kim@acme.example";
/// A dead process's lease runs out, and another takes it.
const LEASE_AND_MORE: Duration = Duration::from_secs(40);

/// Two servers on one database.
async fn pair(url: &str) -> anyhow::Result<[Provider; 2]> {
    let one = Provider::start_in(Place::with_store([""; 0], Some(url.to_owned()))?, &SOURCES, "").await?;
    let two = Provider::start_in(Place::with_store([""; 0], Some(url.to_owned()))?, &SOURCES, "").await?;
    Ok([one, two])
}

#[tokio::test]
async fn what_is_written_on_one_replica_is_there_on_the_other() -> anyhow::Result<()> {
    let [one, two] = pair(&Postgres::shared()?.database()?).await?;
    let here = one.connector("entra").await?;
    let there = two.serve.scim(here.token());
    let mut ids = Vec::new();
    for n in 0..20 {
        let (writer, reader) = if n % 2 == 0 { (&here, &there) } else { (&there, &here) };
        let name = format!("person{n}@acme.example");
        let id = writer.person(&name).await?;
        // Acknowledged here is visible there, by id and by filter, at once.
        ensure!(reader.get(&format!("/Users/{id}")).await?.is(200)?.body["userName"] == *name);
        ensure!(reader.get(&format!("/Users?filter=userName+eq+%22{name}%22")).await?.is(200)?.total()? == 1);
        reader.post("/Users", &user(&name)).await?.refuses(409, "uniqueness", &["userName"])?;
        ids.push(id);
    }
    let group = here.group("Readers", &[&ids[0]]).await?;
    // Both add at once; nobody's member is lost.
    let joins = ids[1..]
        .iter()
        .enumerate()
        .map(|(n, id)| if n % 2 == 0 { here.join(&group, id) } else { there.join(&group, id) });
    futures_util::future::try_join_all(joins).await?;
    for scim in [&here, &there] {
        let read = scim.get(&format!("/Groups/{group}")).await?.is(200)?.body;
        ensure!(read["members"].as_array().map(Vec::len) == Some(ids.len()), "{read}");
    }
    let answer = here.get(&format!("/Users/{}", ids[0])).await?.is(200)?;
    let (etag, path) = (answer.header("etag").to_owned(), format!("/Users/{}", ids[0]));
    there.patch(&path, &json!([{ "op": "replace", "path": "title", "value": "T" }])).await?.is(200)?;
    let changed = here.get(&path).await?.is(200)?;
    ensure!(changed.header("etag") != etag && changed.body["title"] == "T", "{}", changed.body);
    there.delete(&path).await?.is(204)?;
    here.get(&path).await?.refuses(404, "", &[])?;
    one.place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}

/// Sixteen writers on two replicas add and remove members of one group at once: nobody's change is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_patches_of_one_group_lose_nothing() -> anyhow::Result<()> {
    const WRITERS: usize = 16;
    const EACH: usize = 10;
    let [one, two] = pair(&Postgres::shared()?.database()?).await?;
    let here = one.connector("entra").await?;
    let replicas = [here.clone(), two.serve.scim(here.token())];
    let group = here.group("Readers", &[]).await?;
    let writer = async |n: usize| {
        let scim = &replicas[n % 2];
        let mut stayed = Vec::new();
        for m in 0..EACH {
            let id = scim.person(&format!("w{n}-{m}@acme.example")).await?;
            scim.join(&group, &id).await?;
            if m % 2 == 0 {
                scim.part(&group, &id).await?;
            } else {
                stayed.push(id);
            }
        }
        Ok::<_, anyhow::Error>(stayed)
    };
    let stayed = futures_util::future::try_join_all((0..WRITERS).map(writer)).await?;
    let mut wanted: Vec<String> = stayed.into_iter().flatten().collect();
    wanted.sort_unstable();
    for scim in &replicas {
        let read = scim.get(&format!("/Groups/{group}")).await?.is(200)?.body;
        let members = read["members"].as_array().context("members")?.iter();
        let mut found: Vec<&str> = members.filter_map(|member| member["value"].as_str()).collect();
        found.sort_unstable();
        ensure!(found == wanted, "{} members instead of {}", found.len(), wanted.len());
    }
    one.place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}

#[tokio::test]
async fn a_token_revoked_on_one_replica_is_refused_on_the_other() -> anyhow::Result<()> {
    let [one, two] = pair(&Postgres::shared()?.database()?).await?;
    let scim = one.connector("entra").await?;
    let both = [scim.clone(), two.serve.scim(scim.token())];
    for replica in &both {
        replica.get("/Users").await?.is(200)?;
    }
    let listed = one.place.axon(&["token", "list", "--json"]).await?.exits(0)?.json()?;
    let id = listed.pointer("/0/id").or_else(|| listed.pointer("/tokens/0/id")).and_then(|id| id.as_str());
    let id = id.with_context(|| format!("the token's id in {listed}"))?.to_owned();
    one.place.axon(&["token", "revoke", &id]).await?.exits(0)?;
    for replica in &both {
        until("it is refused", Duration::from_secs(1), async || {
            Ok((replica.get("/Users").await?.status == 401).then_some(()))
        })
        .await?;
    }
    // A token that was made on one opens the other.
    let fresh = two.connector("entra").await?;
    one.serve.scim(fresh.token()).get("/Users").await?.is(200)?;
    Ok(())
}

#[tokio::test]
async fn replicas_act_under_one_lease_and_either_goes_on_alone() -> anyhow::Result<()> {
    let url = Postgres::shared()?.database()?;
    let places = [Place::with_store([KIM], Some(url.clone()))?, Place::with_store([KIM], Some(url))?];
    let pool = Pool::start(&places[0], 0).await?;
    let mut replicas = Vec::new();
    for place in &places {
        place.furnish(MAP, pool.port()?)?;
        replicas.push(Serve::start(place).await?);
    }
    let token = places[0].token("entra").await?;
    let catalog = async || Catalog::read(&mut pool.admin().await?).await;
    let scim: Vec<Scim> = replicas.iter().map(|serve| serve.scim(&token)).collect();
    // Either can be told; whoever has the lease acts.
    let kim = scim[0].person(KIM).await?;
    let readers = scim[1].group("Readers", &[&kim]).await?;
    until("kim reads", SOON, async || Ok((catalog().await?.roles_of(KIM) == ["axon_reader"]).then_some(())))
        .await?;
    let states = async || Ok::<_, anyhow::Error>([replicas[0].state().await?, replicas[1].state().await?]);
    // The lease is held while something is applied (ADR 7): the one that did not get it looks again, and then both agree.
    let states = states().await?;
    let elsewhere: Vec<usize> = (0..2).filter(|n| states[*n] == "elsewhere").collect();
    ensure!(elsewhere.len() < 2, "{states:?}");
    let leader = elsewhere.first().map_or(0, |n| 1 - n);
    // A role that is taken away on either is taken in the pool.
    scim[1 - leader].part(&readers, &kim).await?;
    until("kim reads no more", SOON, async || Ok(catalog().await?.roles_of(KIM).is_empty().then_some(())))
        .await?;

    let survivor = 1 - leader;
    replicas[leader].child().signal("KILL").await?;
    scim[survivor].join(&readers, &kim).await?;
    until("the other took over", LEASE_AND_MORE, async || {
        Ok((catalog().await?.roles_of(KIM) == ["axon_reader"]).then_some(()))
    })
    .await?;
    ensure!(catalog().await?.canaries_live());
    places[survivor].axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}

/// What the writers know.
#[derive(Default)]
struct Known {
    /// Acknowledged: name and id.
    acknowledged: Mutex<BTreeMap<String, String>>,
    refused: AtomicUsize,
    stop: AtomicBool,
}

impl Known {
    fn count(&self) -> usize {
        self.acknowledged.lock().map_or(0, |known| known.len())
    }
}

/// Creates people until it is told to stop. What was not answered by 201 is tried again, as an IdP does.
async fn writes(scim: Scim, writer: usize, known: Arc<Known>) -> anyhow::Result<()> {
    let mut slowest = Duration::ZERO;
    for n in 0.. {
        let name = format!("w{writer}-{n}@acme.example");
        loop {
            if known.stop.load(Ordering::Relaxed) {
                ensure!(slowest < SOON, "a write took {slowest:?}");
                return Ok(());
            }
            let began = Instant::now();
            let answer = scim.post("/Users", &user(&name)).await?;
            slowest = slowest.max(began.elapsed());
            match answer.status {
                201 => {
                    let id = answer.id()?;
                    known
                        .acknowledged
                        .lock()
                        .map_err(|_| anyhow::anyhow!("poisoned"))?
                        .insert(name.clone(), id);
                    break;
                }
                // It was committed, but the answer was lost with the connection to the database.
                409 => break,
                503 => {
                    known.refused.fetch_add(1, Ordering::Relaxed);
                    answer.refuses(503, "", &[])?;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                other => anyhow::bail!("answered {other}: {}", answer.body),
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_dies_and_comes_back_loses_nothing_and_needs_no_restart() -> anyhow::Result<()> {
    let mut cluster = Postgres::start()?;
    let [one, two] = pair(&cluster.database()?).await?;
    let scim = one.connector("entra").await?;
    let replicas = [scim.clone(), two.serve.scim(scim.token())];
    let known = Arc::new(Known::default());
    let writers: Vec<_> =
        (0..8).map(|n| tokio::spawn(writes(replicas[n % 2].clone(), n, known.clone()))).collect();
    for round in 1..=2 {
        let before = known.count();
        until("writes are acknowledged", SOON, async || Ok((known.count() > before + 50).then_some(())))
            .await?;
        let refused = known.refused.load(Ordering::Relaxed);
        cluster.dies()?;
        until("writes are refused", SOON, async || {
            Ok((known.refused.load(Ordering::Relaxed) > refused + 8).then_some(()))
        })
        .await?;
        // Reads say so as well, as a SCIM error; the process lives.
        let answer = replicas[0].get("/Users").await?;
        ensure!(answer.status == 503, "round {round}: answered {} {}", answer.status, answer.body);
        ensure!(one.serve.page("/healthz").await?.0 == 200);
        cluster.start_again()?;
    }
    let before = known.count();
    until("writes are acknowledged again", SOON, async || Ok((known.count() > before + 50).then_some(())))
        .await?;
    known.stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await??;
    }
    let acknowledged = known.acknowledged.lock().map_err(|_| anyhow::anyhow!("poisoned"))?.clone();
    for (n, (name, id)) in acknowledged.iter().enumerate() {
        let user =
            replicas[n % 2].get(&format!("/Users/{id}")).await?.is(200).with_context(|| name.clone())?;
        ensure!(user.body["userName"] == **name, "{}", user.body);
    }
    one.place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}
