//! Killing the server at any moment, under load, a hundred times: nothing that was acknowledged is lost, the chain holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use axon_tests::{MAP, Place, SOON, Scim, Serve, until, user};
use serde_json::json;
use tokio::task::JoinSet;

const KILLS: u64 = 100;
const CREATORS: u64 = 6;
const CHANGERS: usize = 3;

/// A small seeded generator (splitmix64): the seed is printed, so that a failure can be played again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// What the server acknowledged, and may therefore never lose.
#[derive(Default)]
struct Acknowledged {
    /// Users by id.
    users: BTreeMap<String, String>,
    /// Whether a user is in a group, by group; only what was answered. What was sent and not answered is unknown.
    members: BTreeMap<(usize, String), Option<bool>>,
}

/// Creates users until the server is gone.
async fn create(
    scim: Scim,
    names: String,
    flowing: Arc<AtomicUsize>,
) -> anyhow::Result<Vec<(String, String)>> {
    let mut made = Vec::new();
    for n in 0.. {
        let name = format!("{names}-{n}@acme.example");
        let Ok(answer) = scim.post("/Users", &user(&name)).await else { break };
        made.push((answer.is(201)?.id()?, name));
        flowing.fetch_add(1, Ordering::Relaxed);
    }
    Ok(made)
}

/// Puts known users into a group and takes them out again until the server is gone; gives what each was told last.
async fn change(
    scim: Scim,
    group: String,
    people: Vec<String>,
    mut inside: Vec<bool>,
    flowing: Arc<AtomicUsize>,
) -> anyhow::Result<Vec<(String, Option<bool>)>> {
    let mut told: BTreeMap<String, Option<bool>> = BTreeMap::new();
    for turn in 0.. {
        let at = turn % people.len();
        let (person, into) = (&people[at], !inside[at]);
        let operation = if into {
            json!([{ "op": "Add", "path": "members", "value": [{ "value": person }] }])
        } else {
            json!([{ "op": "Remove", "path": format!("members[value eq \"{person}\"]") }])
        };
        told.insert(person.clone(), None);
        let Ok(answer) = scim.patch(&format!("/Groups/{group}"), &operation).await else { break };
        ensure!(matches!(answer.status, 200 | 204), "{}: {}", answer.status, answer.body);
        told.insert(person.clone(), Some(into));
        inside[at] = into;
        flowing.fetch_add(1, Ordering::Relaxed);
    }
    Ok(told.into_iter().collect())
}

async fn members(scim: &Scim, group: &str) -> anyhow::Result<Vec<String>> {
    let group = scim.get(&format!("/Groups/{group}")).await?.is(200)?;
    let members = group.body["members"].as_array().cloned().unwrap_or_default();
    Ok(members.iter().filter_map(|m| m["value"].as_str().map(str::to_owned)).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_under_load_lose_nothing_that_was_acknowledged() -> anyhow::Result<()> {
    let seed = match std::env::var("AXON_TEST_SEED") {
        Ok(seed) => seed.parse().context("AXON_TEST_SEED is a number")?,
        Err(_) => u64::from(std::process::id()),
    };
    println!("AXON_TEST_SEED={seed}");
    let mut random = Random(seed);
    let place = Place::new([""; 0])?;
    // No pool is there: the reconciler fails all the while, which is load as well.
    place.furnish(MAP, 1)?;
    let token = place.token("entra").await?;
    let mut serve = Serve::start(&place).await?;
    let mut scim = serve.scim(&token);
    let mut people = Vec::new();
    for n in 0..8 {
        people.push(scim.person(&format!("known-{n}@acme.example")).await?);
    }
    let mut groups = Vec::new();
    for n in 0..CHANGERS {
        groups.push(scim.group(&format!("Group {n}"), &[]).await?);
    }
    let mut kept = Acknowledged::default();

    for kill in 0..KILLS {
        let flowing = Arc::new(AtomicUsize::new(0));
        let mut creators = JoinSet::new();
        for creator in 0..CREATORS {
            creators.spawn(create(scim.clone(), format!("k{kill}-{creator}"), flowing.clone()));
        }
        let mut changers = Vec::new();
        for (n, group) in groups.iter().enumerate() {
            let inside = members(&scim, group).await?;
            let inside = people.iter().map(|p| inside.contains(p)).collect();
            changers.push((
                n,
                tokio::spawn(change(scim.clone(), group.clone(), people.clone(), inside, flowing.clone())),
            ));
        }
        // The moment: after so many answers, and then a random part of a commit's time.
        let answers = usize::try_from(random.next() % 40)?;
        until("answers flow", SOON, async || Ok((flowing.load(Ordering::Relaxed) >= answers).then_some(())))
            .await?;
        let until_then = tokio::time::Instant::now() + Duration::from_micros(random.next() % 12_000);
        tokio::time::sleep_until(until_then).await;
        serve.kill().await?;

        let mut of_this_kill = Vec::new();
        while let Some(made) = creators.join_next().await {
            of_this_kill.extend(made??);
        }
        for (n, changer) in changers {
            let told = changer.await??;
            kept.members.extend(told.into_iter().map(|(person, told)| ((n, person), told)));
        }
        serve = Serve::start(&place).await?;
        scim = serve.scim(&token);
        for (id, name) in &of_this_kill {
            let found = scim
                .get(&format!("/Users/{id}"))
                .await?
                .is(200)
                .with_context(|| format!("kill {kill}: {name}"))?;
            ensure!(found.body["userName"] == *name, "kill {kill}: {}", found.body);
        }
        kept.users.extend(of_this_kill);
        for (n, group) in groups.iter().enumerate() {
            let inside = members(&scim, group).await?;
            for person in &people {
                if let Some(Some(told)) = kept.members.get(&(n, person.clone())) {
                    ensure!(
                        inside.contains(person) == *told,
                        "kill {kill}: {person} in {group} is not {told}"
                    );
                }
            }
        }
        place.axon(&["audit", "verify"]).await?.exits(0).with_context(|| format!("kill {kill}"))?;
    }
    ensure!(kept.users.len() > 500, "there was no load: {}", kept.users.len());
    everything_is_there(&scim, &kept).await?;
    // The directory as the journal tells it is the directory as it is: no half of a transaction was kept.
    let journal = place.journal().await?;
    let created = journal.iter().filter(|r| r.record["facts"]["verb"] == "create-user").count() as u64;
    let total =
        scim.get("/Users?count=0").await?.is(200)?.body["totalResults"].as_u64().context("a total")?;
    ensure!(created == total, "{created} creations in the journal, {total} users");
    // Some were committed and not answered any more: the kills did come in the middle of writes.
    let acknowledged = (kept.users.len() + people.len()) as u64;
    println!("{acknowledged} users acknowledged, {total} kept, {} records", journal.len());
    ensure!(total > acknowledged, "no kill came between a commit and its answer: {total} users");
    ensure!(serve.stop().await?.code() == Some(0));
    Ok(())
}

async fn everything_is_there(scim: &Scim, kept: &Acknowledged) -> anyhow::Result<()> {
    let mut lost = Vec::new();
    for (id, name) in &kept.users {
        if scim.get(&format!("/Users/{id}")).await?.status != 200 {
            lost.push(name);
        }
    }
    ensure!(lost.is_empty(), "acknowledged users are lost: {lost:?}");
    Ok(())
}
